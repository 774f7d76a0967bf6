"""Files of a strategies folder: any name, any content, any kind of file; read with limits, and each one is listed."""

import os
import resource
from pathlib import Path

import pytest

from panel.embedded import strategy
from panel.files import strategy_yaml
from panel.files.strategy_yaml import Refused, parse, read_text
from tests.support.small_strategy import STRATEGY

TEXT = STRATEGY.format(name="any", epochs=5)


@pytest.mark.parametrize("name", ["rsi.v2", "with space", "_underscore", "été", "a-b", "日本", "x" * 200, "50%", "a'b"])
@pytest.mark.parametrize("ending", [".yaml", ".YAML", ".yml"])
def test_every_name_is_found_and_listed(tmp_path, name, ending):
    (tmp_path / f"{name}{ending}").write_text(TEXT)
    found = strategy.find(name, [tmp_path])
    assert found.trainable and found.stem == name
    assert [found.stem for found in strategy.all_in([tmp_path])] == [name]


@pytest.mark.parametrize("name", ["a\x1b[2Jb", "a\nb", "a\u202eb", "a\udcffb"])
def test_a_name_that_cannot_be_printed_is_listed_with_escapes_and_the_reason(tmp_path, name):
    (tmp_path / f"{name}.yaml").write_text(TEXT)
    (found,) = strategy.all_in([tmp_path])
    assert found.stem.isprintable() and "rename it" in found.problem and not found.valid
    assert strategy.find(found.stem, [tmp_path]) == found


@pytest.mark.parametrize("name", ["", "..", "../small", "a/b", "small.yaml", "/etc/passwd", ".hidden"])
def test_a_name_leads_nowhere_else(tmp_path, name):
    (tmp_path / "small.yaml").write_text(TEXT)
    (tmp_path / ".hidden.yaml").write_text(TEXT)
    assert strategy.find(name, [tmp_path / "inner", tmp_path]) is None


def test_the_users_own_file_comes_before_a_starter(tmp_path):
    (tmp_path / "rsi_swing.yaml").write_text(STRATEGY.format(name="mine", epochs=5))
    (tmp_path / "rsi_swing.yml").write_text(STRATEGY.format(name="second", epochs=5))
    listed = {found.stem: found for found in strategy.all_in([tmp_path, strategy.STARTERS])}
    assert listed["rsi_swing"].plan.name == "mine" and len(listed) == 3
    assert strategy.find("rsi_swing", [tmp_path, strategy.STARTERS]).plan.name == "mine"


def test_a_changed_file_is_read_again(tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(TEXT)
    assert strategy.read(file).trainable
    file.write_text(TEXT.replace("type: rsi", "type: magic"))
    assert not strategy.read(file).valid
    gone = strategy.read(tmp_path / "gone.yaml")
    assert gone.problem == "gone.yaml cannot be read: it cannot be opened: No such file or directory."


def test_only_regular_files_are_opened(tmp_path):
    folder = tmp_path / "strategies"
    folder.mkdir()
    (tmp_path / "secret.yaml").write_text(TEXT)
    os.mkfifo(folder / "pipe.yaml")
    (folder / "folder.yaml").mkdir()
    (folder / "device.yaml").symlink_to("/dev/zero")
    (folder / "out.yaml").symlink_to(tmp_path / "secret.yaml")
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    (folder / "good.yaml").write_text(TEXT)
    (folder / "inside.yaml").symlink_to(folder / "good.yaml")
    listed = {found.stem: found.problem for found in strategy.all_in([folder])}
    assert listed.pop("good") == listed.pop("inside") == ""
    assert "it is not a regular file" in listed.pop("pipe")
    assert "it is a folder" in listed.pop("folder")
    assert "a link that leads out of its folder" in listed.pop("device")
    assert "a link that leads out of its folder" in listed.pop("out")
    assert "it cannot be opened" in listed.pop("loop") and not listed


def test_a_pipe_that_replaces_the_file_is_not_waited_for(tmp_path, monkeypatch):
    file, real = tmp_path / "a.yaml", os.open
    file.write_text(TEXT)

    def swapped(path, flags):
        file.unlink()
        os.mkfifo(file)
        return real(path, flags)

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(Refused, match="not a regular file"):
        read_text(file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"x: " + b"y" * 300_000, "it is larger than 256 kB"),
        (b"name: \xff\xfe", "it is not UTF-8 text (byte 7)"),
        (b"", "This file is not a strategy"),
        (b"- a\n- b", "This file is not a strategy"),
        (b"a: [", "it is not valid YAML at line 2, column 1"),
        (b"a: b: c", "it is not valid YAML at line 1, column 5"),
        (b"\x00", "it is not valid YAML"),
        (b"x: !!python/object:os.system {}", "could not determine a constructor"),
        (b"x: 2024-13-45", "a value that cannot be read: month must be in 1..12"),
        (b"x: !!bool maybe", "does not fit the YAML tag"),
        (b"x: !!timestamp soon", "does not fit the YAML tag"),
        (b"&a [*a]", "the alias *a refers to no anchor before it, or to itself"),
        (b"[" * 2000, "nested more than 40 deep"),
        (b"x: 1" + b":59" * 1000, "a number of more than 40 characters at line 1"),
        (b"x: " + b"9" * 5000, "a number of more than 40 characters"),
        (b"x: [" + b"a," * 30_000 + b"]", "more than 20,000 values"),
    ],
)
def test_a_file_that_cannot_be_read_is_listed_with_the_reason(tmp_path, content, words):
    (tmp_path / "broken.yaml").write_bytes(content)
    (found,) = strategy.all_in([tmp_path])
    assert found.stem == "broken" and not found.valid and words in found.problem


def test_aliases_are_counted_as_the_values_they_refer_to():
    """Nine lists of ten aliases each would be a billion values; refused within little time and memory."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Refused, match="each alias counted as the value it refers to"):
        parse("\n".join(lines))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000, "kB"


def test_aliases_in_moderation_are_read():
    assert parse("a: &a {x: [1, 2]}\nb: *a\nc: {<<: *a, y: 1:30}") == {
        "a": {"x": [1, 2]},
        "b": {"x": [1, 2]},
        "c": {"x": [1, 2], "y": 90},
    }
    deep = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 45))]
    with pytest.raises(Refused, match="nested more than 40 deep"):
        parse("\n".join(deep))


def test_the_reader_imports_nothing_of_the_panel():
    assert "panel" not in Path(strategy_yaml.__file__).read_text()
