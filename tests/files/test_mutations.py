"""Whatever happens to a file, it is read or refused in a sentence, and it stays as it is.

KTRDR_PANEL_TEST_MUTATIONS sets how many files are damaged.
"""

import re

from panel.files.folder import Folder
from panel.files.importing import Refused, read, store
from tests.support.mutations import COUNT, mutated


def test_a_damaged_file_is_read_or_refused_and_never_changed(tmp_path):
    folder, refused = tmp_path / "data", 0
    folder.mkdir()
    file = folder / "EURUSD_1h.csv"
    for seed in range(COUNT):
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
