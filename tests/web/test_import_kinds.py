"""Every kind of file comes out the same by the page, by the command line and from the data folder."""

from html import unescape

import pytest
from click.testing import CliRunner

from panel.cli.import_command import import_command
from panel.files.folder import Folder
from tests.support.imports import drop, importing, looked, send
from tests.support.kinds import KINDS
from tests.support.mutations import COUNT, mutated
from tests.support.pages import words


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    with importing(tmp_path_factory.mktemp("panel")) as here:
        yield here


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def stored(folder):
    """The files of a folder and their numbers of bars."""
    return {path.name: len(path.read_text().splitlines()) - 1 for path in folder.iterdir()}


def emptied(folder):
    for path in folder.iterdir():
        path.unlink()


def test_by_a_drop_on_the_page(here, kind):
    folder = here.settings.ktrdr_data_folder
    emptied(folder)
    place, page = drop(here, (kind.file, kind.content))
    assert kind.reason in unescape(words(page)).replace("Line", "line")
    question, field, _ = kind.asked
    assert not question or question in unescape(page)
    if field:
        assert "Store these bars" not in unescape(page) and "act=store" not in page
        page = send(here, place, {field: kind.options[0], "act": "look"})
    if kind.needs:
        page = send(here, place, {"act": "store"})
        assert "something is left to decide" in page and not stored(folder)
    if kind.bars:
        page = send(here, place, {"act": "store", **kind.needs})
        assert "Stored." in page, words(page)
        assert stored(folder) == {kind.stored_as: kind.bars}
    else:
        assert "cannot be used" in page and "Store these bars" not in page and not stored(folder)


def test_by_the_command_line(tmp_path, kind):
    file, folder = tmp_path / kind.file, tmp_path / "data"
    folder.mkdir()
    file.write_bytes(kind.content)
    options = list(kind.options)
    if option := kind.asked[2]:
        value = f"open={int(options[0]) + 1}" if option == "--column" else options[0]
        options = [option, value]
    command = import_command(lambda: folder)
    if options:
        undecided = CliRunner().invoke(command, [str(file)])
        assert undecided.exit_code == 2 and not stored(folder)
    done = CliRunner().invoke(command, [str(file), *options])
    assert done.exit_code == (0 if kind.bars else 1), done.output
    assert kind.reason in done.output.replace("(line 71)", "line 71")
    assert stored(folder) == ({kind.stored_as: kind.bars} if kind.bars else {})
    assert file.read_bytes() == kind.content


def test_from_the_data_folder(tmp_path, kind):
    (tmp_path / kind.file).write_bytes(kind.content)
    (tmp_path / "ZZZ_1h.csv").write_bytes(KINDS["good"].content)
    entries = {entry.file: entry for entry in Folder(tmp_path).entries()}
    assert entries["ZZZ_1h.csv"].bars == 120 and not entries["ZZZ_1h.csv"].problem
    problem = entries[kind.file].problem
    assert kind.folder in str(problem) if kind.folder else problem is None
    assert (tmp_path / kind.file).read_bytes() == kind.content


def test_the_file_is_still_there_for_another_look(here):
    place, _ = drop(here, ("EURUSD_1h.csv", KINDS["good"].content))
    assert "120 bars of EURUSD 1h" in looked(here, place)


def test_a_damaged_file_is_shown_or_refused_and_stored_only_with_answers(here):
    """KTRDR_PANEL_TEST_MUTATIONS sets how many."""
    folder = here.settings.ktrdr_data_folder
    for seed in range(-(-COUNT // 4)):
        emptied(folder)
        place, page = drop(here, ("EURUSD_1h.csv", mutated(seed)))
        if "cannot be used" in page:
            assert "Line " in words(page), seed
            continue
        form = {"act": "look", "zone": "UTC", "symbol": "EURUSD", "timeframe": "1h"}
        send(here, place, form)
        page = send(here, place, form | {"act": "store", "leave_out": "1", "bad_bars": "leave"})
        assert "Stored." in page or "Not stored" in page or "left to decide" in page, (seed, words(page))
        assert ("Stored." in page) == bool(stored(folder)), seed
