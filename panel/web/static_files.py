"""Serves static/. Below the current version's folder files never change, so browsers keep them for a year.

Each file is read and compressed once, at the first request for it. What others wrote is sent as it is; beside it lies
the same in Brotli, as small as it gets, which browsers take on HTTPS and from this machine.
"""

import gzip
import mimetypes
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from panel.web.smaller import script, style

FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class File:
    content: bytes
    compressed: dict[str, bytes]  # by encoding, the smallest first
    media_type: str
    tag: str

    @classmethod
    def read(cls, path: Path) -> "File":
        content = _own(path)
        compressed = {}
        brotli = packed(path)
        if brotli.is_file():
            compressed["br"] = brotli.read_bytes()
        zipped = gzip.compress(content, 9, mtime=0)
        if len(zipped) < len(content):
            compressed["gzip"] = zipped
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return cls(content, compressed, media_type, sha256(content).hexdigest()[:16])


def packed(path: Path) -> Path:
    """The path of the same file in Brotli, None without one."""
    return path.with_name(f"{path.name}.br")


def _own(path: Path) -> bytes:
    if path.parent.name != "vendor" and path.suffix == ".js":
        return script(path).encode()
    if path.parent.name != "vendor" and path.suffix == ".css":
        return style(path.read_text("utf-8")).encode()
    return path.read_bytes()


class StaticFiles:
    """An ASGI app for a mount. `version` is the name of the folder below which answers are kept; without it a browser
    asks each time whether the file has changed."""

    def __init__(self, folder: Path, version: str) -> None:
        files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".br"]
        self._files = {path.relative_to(folder).as_posix(): path for path in files}
        self._version = f"{version}/"
        self._read = lru_cache(maxsize=None)(File.read)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405)
        name = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix("/")
        path = self._files.get(name.removeprefix(self._version))
        if path is None:
            raise HTTPException(404)
        file, asked = self._read(path), Headers(scope=scope)
        taken = {each.partition(";")[0].strip() for each in asked.get("accept-encoding", "").split(",")}
        encoding = next((each for each in file.compressed if each in taken), None)
        tag = f'"{file.tag}{f"-{encoding}" if encoding else ""}"'
        kept = FOREVER if name.startswith(self._version) else "no-cache"
        headers = {"cache-control": kept, "etag": tag, "vary": "Accept-Encoding"}
        if tag in asked.get("if-none-match", "").split(", "):
            return Response(status_code=304, headers=headers)
        if encoding:
            headers["content-encoding"] = encoding
        content = file.compressed[encoding] if encoding else file.content
        response = Response(content, headers=headers, media_type=file.media_type)
        if scope["method"] == "HEAD":
            response.body = b""  # its headers are those of a GET
        return response
