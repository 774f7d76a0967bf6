"""What is stored is whole, in KTRDR's form, and never written over unasked."""

import os
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from panel.files import importing
from panel.files.folder import Folder
from panel.files.importing import Answers, Exists, Refused, preview, read, store
from panel.files.storing import export, write
from tests.support.market_files import bars, ktrdr, written


def reading(rows, name="EURUSD_1h.csv"):
    return read(ktrdr(rows).encode(), name)


def test_the_file_is_ktrdrs(tmp_path):
    done = store(reading(bars(3)), tmp_path, "EURUSD", "1h")
    assert (done.bars, done.added, done.left_out, done.kept) == (3, 3, 0, None)
    first, second = bars(2)
    assert done.file.read_text().splitlines()[:3] == [
        ",open,high,low,close,volume",
        f"2024-01-01T00:00:00Z,{first[1]},{first[2]},{first[3]},{first[4]},50",
        f"2024-01-01T01:00:00Z,{second[1]},{second[2]},{second[3]},{second[4]},81",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["EURUSD_1h.csv"]


def test_an_unknown_volume_stays_unknown(tmp_path):
    text = "\n".join(line.rpartition(",")[0] for line in ktrdr(bars(3)).splitlines())
    store(read(text.encode(), "EURUSD_1h.csv"), tmp_path, "EURUSD", "1h")
    again = read((tmp_path / "EURUSD_1h.csv").read_bytes(), "EURUSD_1h.csv")
    assert np.isnan(again.bars.volume).all() and (tmp_path / "EURUSD_1h.csv").read_text().splitlines()[1].endswith(",")


def test_stored_bars_are_merged_only_on_request_and_the_old_file_is_kept(tmp_path):
    store(reading(bars(100)), tmp_path, "EURUSD", "1h")
    before = (tmp_path / "EURUSD_1h.csv").read_bytes()
    more = bars(150)
    more[10] = (more[10][0], 9.0, 9.0, 9.0, 9.0, 9.0)
    with pytest.raises(Exists) as exists:
        store(reading(more), tmp_path, "EURUSD", "1h")
    both = exists.value.overlap
    assert (both.stored, both.new, both.common, both.differing) == (100, 150, 100, 1)
    assert (tmp_path / "EURUSD_1h.csv").read_bytes() == before
    done = store(reading(more), tmp_path, "EURUSD", "1h", existing="merge")
    assert (done.bars, done.added) == (150, 50) and done.kept.read_bytes() == before
    assert Folder(tmp_path).bars("EURUSD", "1h").open[10] == bars(11)[10][1], "the stored bar stays"
    done = store(reading(more), tmp_path, "EURUSD", "1h", existing="replace")
    assert Folder(tmp_path).bars("EURUSD", "1h").open[10] == 9.0 and len(list(tmp_path.glob("*.bak"))) == 2


def test_merging_nothing_new_writes_nothing(tmp_path):
    store(reading(bars(100)), tmp_path, "EURUSD", "1h")
    before = (tmp_path / "EURUSD_1h.csv").stat().st_mtime_ns
    assert store(reading(bars(50)), tmp_path, "EURUSD", "1h", existing="merge").added == 0
    assert (tmp_path / "EURUSD_1h.csv").stat().st_mtime_ns == before


def test_a_file_that_cannot_be_read_is_never_merged_with(tmp_path):
    (tmp_path / "EURUSD_1h.csv").write_text("x\n1\n")
    for existing in ("refuse", "merge"):
        with pytest.raises(Refused):
            store(reading(bars()), tmp_path, "EURUSD", "1h", existing=existing)
        assert (tmp_path / "EURUSD_1h.csv").read_text() == "x\n1\n"
    done = store(reading(bars()), tmp_path, "EURUSD", "1h", existing="replace")
    assert done.kept.read_text() == "x\n1\n"


def test_a_name_in_another_spelling_is_the_same_file(tmp_path):
    (tmp_path / "EURUSD_60.csv").write_text(ktrdr(bars(50)))
    with pytest.raises(Exists):
        store(reading(bars(80)), tmp_path, "EURUSD", "1h")
    assert store(reading(bars(80)), tmp_path, "EURUSD", "1h", existing="merge").bars == 80
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["EURUSD_1h.csv"]
    assert len(list(tmp_path.glob("EURUSD_60.csv.*.bak"))) == 1


def test_lines_and_bars_are_left_out_only_with_a_yes(tmp_path):
    lines = ktrdr(bars()).splitlines()
    lines[50] = "garbage"
    with pytest.raises(Refused, match="line 51: 1 fields where the others have 6"):
        store(read("\n".join(lines).encode(), "EURUSD_1h.csv"), tmp_path, "EURUSD", "1h")
    done = store(read("\n".join(lines).encode(), "EURUSD_1h.csv"), tmp_path, "EURUSD", "1h", leave_out=True)
    assert (done.bars, done.left_out) == (119, 1)
    lines = ktrdr(bars()).splitlines()
    lines[50] = lines[50].partition(",")[0] + ",0,0,0,0,0"
    bad = read("\n".join(lines).encode(), "GBPUSD_1h.csv")
    with pytest.raises(Refused, match="line 51: A price of zero or below"):
        store(bad, tmp_path, "GBPUSD", "1h")
    assert store(bad, tmp_path, "GBPUSD", "1h", keep_bad=True).bars == 120
    assert Folder(tmp_path).stored("GBPUSD", "1h").bad_bars == 1
    assert store(bad, tmp_path, "GBPUSD", "1h", leave_out=True, existing="replace").bars == 119


def test_nothing_is_stored_while_something_is_asked(tmp_path):
    text = written(bars(), "", lambda at: f"{at:%Y.%m.%d,%H:%M}").encode()
    with pytest.raises(Refused, match="has to be answered first"):
        store(read(text, "EURUSD60.csv"), tmp_path, "EURUSD", "1h")
    assert store(read(text, "EURUSD60.csv", Answers(zone="UTC")), tmp_path, "EURUSD", "1h").bars == 120


@pytest.mark.parametrize(
    ("symbol", "timeframe"), [("../x", "1h"), ("", "1h"), ("a/b", "1h"), ("EURUSD", "7x"), ("EURUSD", "1d")]
)
def test_what_is_no_symbol_or_not_these_bars_timeframe_is_refused(tmp_path, symbol, timeframe):
    with pytest.raises(Refused):
        store(reading(bars()), tmp_path / "data", symbol, timeframe)
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_the_place_of_the_file_is_not_written_through(tmp_path):
    other = tmp_path / "precious.txt"
    other.write_text("mine")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "EURUSD_1h.csv").symlink_to(other)
    with pytest.raises(Refused):
        store(reading(bars()), folder, "EURUSD", "1h", existing="replace")
    assert other.read_text() == "mine" and len(list(folder.iterdir())) == 1


def test_a_file_that_changed_in_between_is_not_replaced(tmp_path):
    file = tmp_path / "EURUSD_1h.csv"
    file.write_text("written meanwhile")
    with pytest.raises(Refused, match="has changed meanwhile"):
        write(file, reading(bars()).bars, None, backup=True)
    assert file.read_text() == "written meanwhile" and [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_preview_shows_what_is_there_and_changes_nothing(tmp_path):
    store(reading(bars(100)), tmp_path, "EURUSD", "1h")
    found = preview(ktrdr(bars(400)).encode(), "EURUSD_1h.csv", folder=tmp_path)
    row = importing.summary(found)
    assert row.bars == 400 and row.held.bars == 100 and row.overlap.common == 100
    assert len(row.chart) == 200 and row.first[0][0] == "2024-01-01 00:00:00" and len(row.last) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["EURUSD_1h.csv"]


def test_progress_is_reported(tmp_path):
    reports = []
    data = ktrdr(bars(2000, timedelta(minutes=1))).encode()
    store(read(data, "X_1m.csv", progress=lambda share, step: reports.append((share, step))), tmp_path, "X", "1m",
          progress=lambda share, step: reports.append((share, step)))  # fmt: skip
    assert [step for _, step in reports][:2] == ["Looking at the lines", "Taking the columns apart"]
    assert reports[-1][1] == "Writing X_1m.csv" and all(0 <= share <= 1 for share, _ in reports)


def test_a_range_is_exported_as_csv_and_parquet(tmp_path):
    store(reading(bars(100)), tmp_path, "EURUSD", "1h")
    start = int(bars(100)[10][0].timestamp())
    part = Folder(tmp_path).bars("EURUSD", "1h", start, start + 9 * 3600)
    export(part, "csv", tmp_path / "part.csv")
    again = read((tmp_path / "part.csv").read_bytes(), "EURUSD_1h.csv")
    assert len(part) == 10 and again.bars.times.tolist() == part.times.tolist() and again.whole
    export(part, "parquet", tmp_path / "part.parquet")
    frame = pl.read_parquet(tmp_path / "part.parquet")
    assert frame["close"].to_list() == part.close.tolist() and str(frame["time"][0]) == "2024-01-01 10:00:00+00:00"


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    store(reading(bars(50)), tmp_path, "EURUSD", "1h")
    before = (tmp_path / "EURUSD_1h.csv").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store(reading(bars(100)), tmp_path, "EURUSD", "1h", existing="merge")
    assert (tmp_path / "EURUSD_1h.csv").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["EURUSD_1h.csv"]
