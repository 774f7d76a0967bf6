"""A file is complete when it appears, or stays as it was."""

import pytest

from panel.files.drafts import draft_of


def test_what_was_written_takes_the_files_place(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("old")
    with draft_of(file) as draft:
        draft.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new" and list(tmp_path.iterdir()) == [file]


def test_the_file_stays_when_writing_fails(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("old")
    with pytest.raises(OSError, match="full"), draft_of(file) as draft:
        draft.write_text("ne")
        raise OSError("full")
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]
