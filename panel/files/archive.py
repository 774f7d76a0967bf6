"""Reads and writes zip archives within limits: an archive can claim to hold more than any disk."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from panel.files.names import ENDINGS
from panel.files.text import MAX_BYTES
from panel.files.values import Refused

# What zipfile raises, beside OSError, for a file that is damaged or packed in a way that it does not know.
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, LookupError, ValueError, NotImplementedError, RuntimeError)
MARK = b"PK\x03\x04"  # how a zip archive begins
_TEXTS = (*ENDINGS, ".prn")
MAX_FILES = 200
MAX_RATIO = 300  # of unpacked to packed bytes; real prices reach 10
_UNCHECKED = 10_000_000  # bytes that are unpacked whatever their ratio
_TURN = 1 << 20


def unpacked(data: bytes, name: str) -> list[tuple[str, bytes]]:
    """Names and contents: of a zip archive's text files, or of the one file that it is. Raises Refused."""
    if not data.startswith(MARK):
        return [(name, data)]
    found: list[tuple[str, bytearray]] = []
    for member, piece in _pieces(io.BytesIO(data)):
        if piece is None:
            found.append((member, bytearray()))
        else:
            found[-1][1].extend(piece)
    return [(member, bytes(content)) for member, content in found]


def extracted(file: Path, folder: Path) -> list[tuple[str, Path]]:
    """The names of a zip archive's text files, and where each now lies in `folder`. Raises Refused."""
    found: list[tuple[str, Path]] = []
    with ExitStack() as stack, file.open("rb") as opened:
        for member, piece in _pieces(opened):
            if piece is None:
                stack.close()
                found.append((member, folder / f"{file.name}-{len(found)}"))
                out = stack.enter_context(found[-1][1].open("xb"))
            else:
                out.write(piece)
    return found


def _pieces(file: IO[bytes]) -> Iterator[tuple[str, bytes | None]]:
    """The text files one after another: each one's name with None, then with its content in pieces."""
    try:
        with zipfile.ZipFile(file) as archive:
            total = 0
            for member in _members(archive):
                name, length = member.filename.replace("\\", "/").rpartition("/")[2], 0
                yield name, None
                with archive.open(member) as content:
                    while piece := content.read(_TURN):
                        length, total = length + len(piece), total + len(piece)
                        if length > max(MAX_RATIO * member.compress_size, _UNCHECKED) or total > MAX_BYTES:
                            raise Refused("The archive unpacks to far more than market data would. It is not read.")
                        yield name, piece
    except (OSError, *DAMAGE) as exc:
        if isinstance(exc, Refused):
            raise
        raise Refused("The archive is damaged, or packed in a way that is not known here.") from exc


def packed(folder: Path, inner: Path) -> bytes:
    """The regular files directly in `folder / inner` as a zip archive. Raises Refused for a place outside of `folder`,
    and for more than an archive is meant for."""
    place = folder / inner
    try:
        if not place.resolve(strict=True).is_relative_to(folder.resolve()) or not place.is_dir():
            raise Refused("There are no such files.")
        files = sorted(each for each in place.iterdir() if each.is_file() and not each.is_symlink())
        if len(files) > MAX_FILES or sum(each.stat().st_size for each in files) > MAX_BYTES:
            raise Refused("These files are too large for an archive. Copy them from their folder.")
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for each in files:
                archive.write(each, f"{place.name}/{each.name}")
    except (OSError, ValueError) as exc:
        if isinstance(exc, Refused):
            raise
        raise Refused("These files cannot be read.") from exc
    return out.getvalue()


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    if any(member.filename == "[Content_Types].xml" for member in archive.infolist()):
        raise Refused("This is a spreadsheet. Save it as CSV, then import that.")
    members = [member for member in archive.infolist() if member.filename.lower().endswith(_TEXTS)]
    members = [member for member in members if not member.filename.startswith("__MACOSX/")]
    if not members:
        if any(member.filename.lower().endswith((".zip", ".gz", ".7z", ".rar")) for member in archive.infolist()):
            raise Refused("The archive holds other archives. Unpack them, then import what is in them.")
        raise Refused("There is no CSV file in the archive.")
    if len(members) > MAX_FILES:
        raise Refused(f"There are {len(members):,} files in the archive; {MAX_FILES} can be imported at once.")
    if any(member.flag_bits & 1 for member in members):
        raise Refused("The archive has a password.")
    return members
