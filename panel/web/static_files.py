"""Serves static/. Below the current version's folder files never change, so browsers keep them for a year.

Each file is read and compressed once, at the first request for it.
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

FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class File:
    content: bytes
    compressed: bytes | None  # None where gzip saves nothing
    media_type: str
    tag: str

    @classmethod
    def read(cls, path: Path) -> "File":
        content = path.read_bytes()
        compressed = gzip.compress(content, 9, mtime=0)
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        smaller = len(compressed) < len(content)
        return cls(content, compressed if smaller else None, media_type, sha256(content).hexdigest()[:16])


class StaticFiles:
    """An ASGI app for a mount. `version` is the name of the folder below which answers are kept; without it a browser
    asks each time whether the file has changed."""

    def __init__(self, folder: Path, version: str) -> None:
        self._files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
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
        shrunk = file.compressed if "gzip" in asked.get("accept-encoding", "") else None
        tag = f'"{file.tag}{"" if shrunk is None else "-gzip"}"'
        kept = FOREVER if name.startswith(self._version) else "no-cache"
        headers = {"cache-control": kept, "etag": tag, "vary": "Accept-Encoding"}
        if tag in asked.get("if-none-match", "").split(", "):
            return Response(status_code=304, headers=headers)
        if shrunk is not None:
            headers["content-encoding"] = "gzip"
        content = file.content if shrunk is None else shrunk
        response = Response(content, headers=headers, media_type=file.media_type)
        if scope["method"] == "HEAD":
            response.body = b""  # its headers are those of a GET
        return response
