"""Files of a form, written to disk as they arrive: a few megabytes of memory are enough for any size."""

import asyncio
from itertools import groupby
from pathlib import Path

from fastapi import HTTPException, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from panel.files import private

PIECE = 1 << 20  # bytes that are written at once, in a thread
ANSWERED = "That is not the form of this page."


class _Parts:
    """What the parser finds: the files' names, and their contents piece by piece."""

    def __init__(self, most: int) -> None:
        self.names: list[str] = []  # of files, in order
        self.waiting: list[tuple[int, bytes]] = []  # contents that are not written yet
        self._most = most
        self._header, self._value = b"", b""
        self._disposition = b""
        self._current = -1  # the file that contents belong to; -1: another field, which is not kept

    def part_begin(self) -> None:
        self._header = self._value = self._disposition = b""
        self._current = -1

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"filename")
        if not name or options.get(b"name") != b"file":
            return
        if len(self.names) >= self._most:
            raise HTTPException(422, f"Up to {self._most} files can be imported at once; a zip archive can hold more.")
        self._current = len(self.names)
        self.names.append(name.decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2])
        self.waiting.append((self._current, b""))

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current >= 0:
            self.waiting.append((self._current, data[start:end]))


async def received(request: Request, folder: Path, most: int) -> list[tuple[str, Path]]:
    """The files of the form's field `file`, each with its name and where it lies now. Raises HTTPException."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise HTTPException(422, ANSWERED)
    parts = _Parts(most)
    parser = MultipartParser(
        options[b"boundary"],
        {
            "on_part_begin": parts.part_begin,
            "on_part_data": parts.part_data,
            "on_header_field": parts.header_field,
            "on_header_value": parts.header_value,
            "on_header_end": parts.header_end,
            "on_headers_finished": parts.headers_finished,
        },
    )
    size = 0
    try:
        async for piece in request.stream():
            parser.write(piece)
            size += len(piece)
            if size >= PIECE:
                await asyncio.to_thread(_write, folder, parts.waiting)
                size, parts.waiting = 0, []
        parser.finalize()
    except FormParserError as exc:
        raise HTTPException(422, ANSWERED) from exc
    except OSError as exc:
        raise HTTPException(507, f"The panel's disk does not take the file: {exc.strerror}.") from exc
    await asyncio.to_thread(_write, folder, parts.waiting)
    return [(name, folder / str(number)) for number, name in enumerate(parts.names)]


def _write(folder: Path, pieces: list[tuple[int, bytes]]) -> None:
    """Under generated names: a file's original name is not trusted."""
    for number, group in groupby(pieces, key=lambda piece: piece[0]):
        with open(folder / str(number), "ab", opener=private.opener) as out:
            out.writelines(content for _, content in group)
