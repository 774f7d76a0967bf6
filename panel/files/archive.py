"""Files out of a zip archive and into one, in bounds: an archive can claim to hold more than any disk."""

import io
import zipfile
from pathlib import Path

from panel.files.text import MAX_BYTES
from panel.files.values import Refused

ENDINGS = (".csv", ".txt", ".tsv", ".prn")
MAX_FILES = 200
MAX_RATIO = 300  # of unpacked to packed bytes; real prices reach 10
_UNCHECKED = 10_000_000  # bytes that are unpacked whatever their ratio
_TURN = 1 << 20


def unpacked(data: bytes, name: str) -> list[tuple[str, bytes]]:
    """Names and contents: of a zip archive's text files, or of the one file that it is. Raises Refused."""
    if not data.startswith(b"PK\x03\x04"):
        return [(name, data)]
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _members(archive)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, RuntimeError) as exc:
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


def _members(archive: zipfile.ZipFile) -> list[tuple[str, bytes]]:
    if any(member.filename == "[Content_Types].xml" for member in archive.infolist()):
        raise Refused("This is a spreadsheet. Save it as CSV, then import that.")
    members = [member for member in archive.infolist() if member.filename.lower().endswith(ENDINGS)]
    members = [member for member in members if not member.filename.startswith("__MACOSX/")]
    if not members:
        raise Refused("There is no CSV file in the archive.")
    if len(members) > MAX_FILES:
        raise Refused(f"There are {len(members):,} files in the archive; {MAX_FILES} can be imported at once.")
    found, total = [], 0
    for member in members:
        if member.flag_bits & 1:
            raise Refused("The archive has a password.")
        content = bytearray()
        with archive.open(member) as packed:
            while turn := packed.read(_TURN):
                content += turn
                total += len(turn)
                allowed = max(MAX_RATIO * member.compress_size, _UNCHECKED)
                if len(content) > allowed or total > MAX_BYTES:
                    raise Refused("The archive unpacks to far more than market data would. It is not read.")
        found.append((member.filename.replace("\\", "/").rpartition("/")[2], bytes(content)))
    return found
