"""Decodes bytes to text: finds the encoding, and refuses what is no text."""

import re

from panel.files.values import Refused

MAX_BYTES = 1 << 30
_BINARY = (
    (b"PK\x03\x04", "a zip archive or a spreadsheet"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a rar archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"%PDF", "a PDF"),
    (b"PAR1", "a Parquet file"),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet"),
    (b"SQLite format 3", "a database"),
    (b"\x89PNG", "a picture"),
)
_LOOKED_AT = 4096  # bytes
_CONTROLS = [bytes([code]) for code in (*range(1, 9), *range(14, 28))]  # that no text has
_JSON = re.compile(rb'\s*(\{|\[\s*[\[{])\s*["\d\[{\]}-]')
_PAGE = re.compile(rb"\s*(<!doctype|<html|<head|<\?xml|<body)", re.I)


def decoded(data: bytes) -> tuple[bytes, str]:
    """The text as UTF-8 with "\\n" line ends and no byte order mark, and the encoding it had."""
    if len(data) > MAX_BYTES:
        raise Refused(f"The file has {len(data) / 1e6:,.0f} MB; {MAX_BYTES / 1e6:,.0f} MB can be read.")
    for magic, what in _BINARY:
        if data.startswith(magic):
            then = " Unpack it, then import what is in it." if "archive" in what else ""
            raise Refused(f"This is {what}, not a text file with one bar a line.{then}", 1)
    text, encoding = _utf8(data)
    if not text[:10_000].strip() and not text.strip():
        raise Refused("The file is empty.", 1)
    if b"\0" in text and text.count(b"\0") > len(text) / 100:
        raise Refused("This is no text file.", 1)
    if sum(map(text[:_LOOKED_AT].count, _CONTROLS)) > len(text[:_LOOKED_AT]) / 50:
        raise Refused("This is no text file.", 1)
    if _JSON.match(text[:200]):
        raise Refused("This is JSON, not a table with one bar a line. Save it as CSV, then import that.", 1)
    if _PAGE.match(text[:200]):
        raise Refused("This is a web page, not market data: probably the answer to a download that failed.", 1)
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text, encoding


def _utf8(data: bytes) -> tuple[bytes, str]:
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if data.startswith(mark):
            return data[2:].decode(encoding, "replace").encode(errors="replace"), "UTF-16"
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    if data.isascii() and b"\0" not in data[:1000]:
        return data, "UTF-8"
    odd, even = data[1:1000:2].count(b"\0"), data[:1000:2].count(b"\0")
    if max(odd, even) > len(data[:1000]) * 0.3:
        encoding = "utf-16-le" if odd > even else "utf-16-be"
        return data.decode(encoding, "replace").encode(errors="replace"), "UTF-16"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as exc:
        return _eight_bits(data, exc.start)
    return data, "UTF-8"


def _eight_bits(data: bytes, at: int) -> tuple[bytes, str]:
    """`at`: the first byte that is not UTF-8."""
    from charset_normalizer import from_bytes

    near = data[max(at - 2000, 0) : at + 2000]
    best = from_bytes(near, cp_isolation=["cp1252", "latin_1", "cp1250", "cp1251", "cp1253", "cp1254"]).best()
    encoding = best.encoding if best else "latin_1"
    return data.decode(encoding, "replace").encode(), encoding.replace("_", "-")
