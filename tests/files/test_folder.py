"""Every file of a folder has its entry, and none hides another."""

import os
from datetime import timedelta

import pytest

from panel.files import folder as module
from panel.files.folder import Folder, Unusable
from tests.support.market_files import bars, ktrdr, written


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def put(folder, name, text):
    (folder.folder / name).write_bytes(text.encode() if isinstance(text, str) else text)


def test_each_file_that_cannot_be_used_says_why_and_hides_no_other(folder):
    lines = ktrdr(bars()).splitlines()
    lines[70] = "garbage line"
    put(folder, "AAA_1h.csv", "x\n1\n")
    put(folder, "BBB_1h.csv", "")
    put(folder, "CCC_1h.csv", "\n".join(lines))
    put(folder, "DDD_1h.csv", ktrdr(bars(120, timedelta(minutes=1))))
    put(folder, "EEEE60.csv", written(bars(), "", lambda at: f"{at:%Y.%m.%d,%H:%M}"))
    put(folder, "ZZZ_1h.csv", ktrdr(bars(600)))
    put(folder, "notes.csv", "shopping: milk\n")
    put(folder, "readme.md", "no market data")
    os.mkfifo(folder.folder / "FFF_1h.csv")
    (folder.folder / "GGG_1h.csv").symlink_to(folder.folder / "ZZZ_1h.csv")
    found = {entry.file: entry for entry in folder.entries()}
    assert found.pop("ZZZ_1h.csv").bars == 600
    assert {name: str(entry.problem) for name, entry in found.items()} == {
        "AAA_1h.csv": "line 1: No columns for time, open, high, low and close are to be seen; the line has: x.",
        "BBB_1h.csv": "line 1: The file is empty.",
        "CCC_1h.csv": "line 71: 1 fields where the others have 6.",
        "DDD_1h.csv": "line 2: The bars are 1 minute apart, and the name says 1h.",
        "EEEE60.csv": "line 1: Which zone's clock are the times of? Import the file to say so.",
        "FFF_1h.csv": "This is not a regular file.",
        "GGG_1h.csv": "This is a link; only regular files are read.",
        "notes.csv": "line 1: No columns for time, open, high, low and close are to be seen; the line has: shopping:, milk.",
    }
    assert (found["EEEE60.csv"].symbol, found["EEEE60.csv"].timeframe) == ("EEEE", "1h")
    with pytest.raises(Unusable, match=r"CCC_1h\.csv: line 71:"):
        folder.bars("CCC", "1h")
    assert folder.bars("NONE", "1h") is None


@pytest.mark.parametrize("name", ["EURUSD_60.csv", "EURUSD_1H.csv", "EURUSD60.csv", "eurusd_H1.CSV"])
def test_a_name_in_another_spelling_is_used(folder, name):
    put(folder, name, ktrdr(bars()))
    assert len(folder.bars("EURUSD", "1h")) == 120
    (entry,) = folder.entries()
    assert (entry.file, entry.symbol, entry.timeframe, entry.problem) == (name, "EURUSD", "1h", None)


def test_of_two_files_for_the_same_bars_ktrdrs_own_is_used(folder):
    put(folder, "EURUSD_60.csv", ktrdr(bars(50)))
    put(folder, "EURUSD_1h.csv", ktrdr(bars(120)))
    assert len(folder.bars("EURUSD", "1h")) == 120
    problems = {entry.file: entry.problem for entry in folder.entries()}
    assert problems["EURUSD_1h.csv"] is None and "EURUSD_1h.csv holds EURUSD 1h" in str(problems["EURUSD_60.csv"])


def test_a_file_is_read_again_only_when_it_has_changed(folder, monkeypatch):
    reads = []
    whole = module.read
    monkeypatch.setattr(module, "read", lambda *args, **more: reads.append(args[1]) or whole(*args, **more))
    put(folder, "EURUSD_1h.csv", ktrdr(bars(50)))
    put(folder, "BAD_1h.csv", "x\n")
    for _ in range(3):
        folder.entries()
        assert len(folder.bars("EURUSD", "1h")) == 50
    assert reads.count("BAD_1h.csv") == 1 and reads.count("EURUSD_1h.csv") <= 2
    put(folder, "EURUSD_1h.csv", ktrdr(bars(60)))
    assert folder.entry("EURUSD_1h.csv").bars == 60 and len(folder.bars("EURUSD", "1h")) == 60


def test_what_is_known_of_a_large_file_is_kept_for_the_next_process(folder, monkeypatch):
    rows = bars(6000)
    rows[100] = (rows[100][0], 0.0, 0.0, 0.0, 0.0, 0.0)
    put(folder, "EURUSD_1h.csv", ktrdr(rows))
    first = folder.entry("EURUSD_1h.csv")
    again = Folder(folder.folder)
    monkeypatch.setattr(module, "read", lambda *args, **more: pytest.fail("read again"))
    assert again.entry("EURUSD_1h.csv") == first and first.faults[0].lines == (102,)
    held = again.bars("EURUSD", "1h", int(rows[99][0].timestamp()), int(rows[101][0].timestamp()))
    assert held.open.tolist() == [rows[99][1], 0.0, rows[101][1]] and held.fault.tolist() == [0, 2, 0]


@pytest.mark.parametrize("damage", ["EURUSD_1h.csv.npy", "EURUSD_1h.csv.json"])
def test_a_damaged_cache_is_rebuilt(folder, damage):
    put(folder, "EURUSD_1h.csv", ktrdr(bars(6000)))
    folder.entry("EURUSD_1h.csv")
    (folder.folder / ".cache" / damage).write_bytes(b"{}")
    assert len(Folder(folder.folder).bars("EURUSD", "1h")) == 6000


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    assert Folder(tmp_path / "none").entries() == []
