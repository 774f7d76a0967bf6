"""Whatever happens to a file, it is read or refused in a sentence, and it stays as it is."""

import random
import re

import pytest

from panel.files.folder import Folder
from panel.files.importing import Refused, read, store
from tests.support.market_files import bars, ktrdr

GOOD = ktrdr(bars(60)).encode()


def mutated(seed: int) -> bytes:
    """The good file after one to five accidents."""
    chance = random.Random(seed)
    data = bytearray(GOOD)
    for _ in range(chance.randint(1, 5)):
        kind = chance.randrange(7)
        at = chance.randrange(len(data)) if data else 0
        lines = bytes(data).split(b"\n")
        if kind == 0 and data:
            data[at] = chance.randrange(256)
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            a, b = chance.randrange(len(lines)), chance.randrange(len(lines))
            lines[a], lines[b] = lines[b], lines[a]
            data = bytearray(b"\n".join(lines))
        elif kind == 3 and len(lines) > 2:
            a = chance.randrange(len(lines) - 1)
            lines[a : a + 2] = [lines[a] + lines[a + 1]]
            data = bytearray(b"\n".join(lines))
        elif kind == 4:
            data[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 40)))
        elif kind == 5:
            del data[at : at + chance.randint(1, 200)]
        else:
            data[at:at] = chance.choice([b'"', b",", b"\0", b"\r", b";", b"\xff\xfe", b"1e999", b"-", "€".encode()])
    return bytes(data)


@pytest.mark.parametrize("start", range(0, 500, 50))
def test_a_damaged_file_is_read_or_refused_and_never_changed(tmp_path, start):
    folder, refused = tmp_path / "data", 0
    folder.mkdir()
    file = folder / "EURUSD_1h.csv"
    for seed in range(start, start + 50):
        data = mutated(seed)
        file.write_bytes(data)
        entry = Folder(folder).entry(file.name)
        if entry.problem:
            assert re.search(r"[.?]$", entry.problem.reason) and "\n" not in entry.problem.reason, (seed, entry)
            assert entry.problem.line, (seed, entry)
        try:
            reading = read(data, file.name)
            store(reading, tmp_path / "elsewhere", "EURUSD", f"{reading.timeframe or '1h'}", existing="replace")
        except Refused as exc:
            refused += 1
            assert exc.line and "\n" not in str(exc), seed
        assert file.read_bytes() == data, seed
        assert [path.name for path in folder.iterdir()] == [file.name], seed
    assert refused
