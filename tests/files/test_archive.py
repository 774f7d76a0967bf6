"""Several files in a zip archive, and archives that are up to no good."""

import io
import zipfile
from pathlib import Path

import pytest

from panel.files import archive
from panel.files.archive import unpacked
from panel.files.values import Refused


def packed(files, **more):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **more) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_all_text_files_come_out_without_their_folders():
    data = packed({"a/EURUSD_1h.csv": "1", "../../b.txt": "2", "read.me": "3", "__MACOSX/a.csv": "4"})
    assert unpacked(data, "x.zip") == [("EURUSD_1h.csv", b"1"), ("b.txt", b"2")]


def test_a_file_that_is_no_archive_is_itself():
    assert unpacked(b"time,open", "a.csv") == [("a.csv", b"time,open")]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda: packed({"read.me": "x"}), "no CSV file"),
        (lambda: packed({f"{number}.csv": "x" for number in range(201)}), "201 files"),
        (lambda: packed({"[Content_Types].xml": "x", "a.csv": "1"}), "spreadsheet"),
        (lambda: packed({"a.csv": b"\0" * 50_000_000}), "far more than market data"),
        (lambda: packed({"a.csv": "1" * 1000})[:60], "damaged"),
        (lambda: b"PK\x03\x04" + b"x" * 100, "damaged"),
    ],
    ids=["nothing", "many", "spreadsheet", "bomb", "cut", "noise"],
)
def test_what_cannot_be_unpacked_is_refused(made, reason):
    data = made()
    with pytest.raises(Refused, match=reason):
        unpacked(data, "x.zip")


def test_a_folders_files_are_packed_and_nothing_else(tmp_path):
    place = tmp_path / "models" / "swing" / "1h_v1"
    (place / "inner").mkdir(parents=True)
    (place / "model.json").write_text("{}")
    (tmp_path / "secret").write_text("secret")
    (place / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "models" / "out").symlink_to(tmp_path)
    data = archive.packed(tmp_path / "models", Path("swing/1h_v1"))
    assert zipfile.ZipFile(io.BytesIO(data)).namelist() == ["1h_v1/model.json"]
    for inner in ("..", "swing/../..", "out", "nothing", "swing/1h_v1/model.json"):
        with pytest.raises(Refused):
            archive.packed(tmp_path / "models", Path(inner))
