"""Strategy files that are changed: nothing is lost, nothing leaves the folder."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from panel.files.started_strategies import StartedStrategies
from panel.files.strategy_folder import VERSIONS, Changed, StrategyFolder, digest
from panel.files.strategy_lines import line_in, line_of
from panel.files.strategy_yaml import MAX_BYTES, Refused, parse


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "strategies").mkdir()
    return StrategyFolder(tmp_path / "strategies", tmp_path / "versions")


def test_a_save_needs_what_was_opened_and_keeps_it(folder):
    folder.save("a", "one\n", "")
    with pytest.raises(Changed) as raised:
        folder.save("a", "two\n", "")
    assert raised.value.now == "one\n" and folder.text("a") == "one\n"
    folder.save("a", "two\n", digest("one\n"))
    with pytest.raises(Changed):
        folder.save("a", "three\n", digest("one\n"))
    kept = folder.versions("a")
    assert [folder.version("a", each.id) for each in kept] == ["one\n"]
    assert sorted(os.listdir(folder.folder)) == ["a.yaml"], "no draft stays behind"


def test_what_is_deleted_can_be_brought_back_and_versions_are_bounded(folder):
    folder.save("a", "0", "")
    for number in range(VERSIONS + 2):
        folder.save("a", str(number + 1), digest(str(number)))
    assert len(folder.versions("a")) == VERSIONS
    with pytest.raises(Changed):
        folder.delete("a", digest("0"))
    version = folder.delete("a", digest(str(VERSIONS + 2)))
    assert folder.text("a") is None and folder.version("a", version) == str(VERSIONS + 2)


def test_a_file_with_a_dot_in_its_name_stays_usable(folder):
    """KTRDR does not train one; the embedded backend does, and they could be made here once."""
    (folder.folder / "a.b.yaml").write_text("0")
    folder.save("a.b", "1", digest("0"))
    version = folder.delete("a.b", digest("1"))
    folder.save("a.b", folder.version("a.b", version), "")
    assert folder.text("a.b") == "1"


@pytest.mark.parametrize("name", ["../a", "a/b", ".a", "", "a b", "ü", "a\n", "a" * 101, "..", "a\0", "a.b"])
def test_new_files_have_plain_names(folder, name):
    with pytest.raises(Refused):
        folder.save(name, "x: 1\n", "")
    assert os.listdir(folder.folder) == [] and folder.versions(name) == [] and folder.version(name, "x") is None


def test_links_pipes_and_long_texts_are_refused(folder, tmp_path):
    (tmp_path / "outside.yaml").write_text("secret\n")
    (folder.folder / "out.yaml").symlink_to(tmp_path / "outside.yaml")
    (folder.folder / "real.yaml").write_text("x\n")
    (folder.folder / "in.yaml").symlink_to(folder.folder / "real.yaml")
    os.mkfifo(folder.folder / "pipe.yaml")
    for name in ("out", "pipe"):
        with pytest.raises(Refused):
            folder.text(name)
        with pytest.raises(Refused):
            folder.save(name, "y\n", "")
    with pytest.raises(Refused):
        folder.save("in", "y\n", digest("x\n"))
    with pytest.raises(Refused):
        folder.save("long", "x" * (MAX_BYTES + 1), "")
    assert (tmp_path / "outside.yaml").read_text() == "secret\n"


def test_a_file_that_another_program_makes_meanwhile_is_not_replaced(folder, monkeypatch):
    link = os.link

    def late(source, target):
        target.write_text("theirs\n")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(Changed) as raised:
        folder.save("a", "mine\n", "")
    assert raised.value.now == "theirs\n" == folder.text("a")


def test_lines_of_places():
    text = "name: x\nindicators:\n  rsi.a:\n    type: rsi\n    period: 1\nnn_inputs:\n  - {a: 1}\n  - {b: 2}\n"
    assert line_of(text, "indicators.rsi.a.period") == 5
    assert line_of(text, "indicators.gone.period") == 2, "the nearest part around it"
    assert line_of(text, "nn_inputs, number 2") == 8
    assert line_of(text, "model") == 0
    with pytest.raises(Refused) as raised:
        parse("a: 1\nb: [")
    assert line_in(str(raised.value)) == 2 or line_in(str(raised.value)) == 3


def test_a_text_is_kept_once_for_many_starts(tmp_path):
    kept = StartedStrategies(tmp_path)
    for key in ("../one", "two"):
        kept.keep(key, "swing", "x: 1\n")
    kept.keep("three", "swing", "x: 2\n")
    assert [kept.of(key).text for key in ("../one", "two", "three")] == ["x: 1\n", "x: 1\n", "x: 2\n"]
    assert kept.of("four") is None and len(os.listdir(tmp_path / "texts")) == 2


def test_the_texts_of_starts_that_are_forgotten_go_with_them(tmp_path, monkeypatch):
    monkeypatch.setattr("panel.files.started_strategies.MAX_STARTS", 3)
    kept, count = StartedStrategies(tmp_path), 150
    kept.keep("before", "swing", "of many: 1\n")
    for n in range(count):
        kept.keep(f"key{n}", "swing", "of many: 1\n" if n % 2 else f"of one: {n}\n")
    known = [key for key in ("before", *(f"key{n}" for n in range(count))) if kept.of(key)]
    assert len(known) == len(os.listdir(tmp_path / "starts")) <= 103 and f"key{count - 1}" in known
    assert len(os.listdir(tmp_path / "texts")) == len({kept.of(key).text for key in known})


def test_a_text_that_is_kept_while_others_are_dropped_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("panel.files.started_strategies.MAX_STARTS", 40)
    monkeypatch.setattr("panel.files.started_strategies.SPARE", 0, raising=False)
    kept = StartedStrategies(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        for turn in range(20):
            keys = [f"{turn}-{n}" for n in range(8)]
            list(pool.map(lambda key: kept.keep(key, "swing", f"of: {key}\n"), keys))
            assert all(kept.of(key).text == f"of: {key}\n" for key in keys)
