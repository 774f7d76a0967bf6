"""Strategy files read with limits: on what is opened, on its size, and on what its YAML may expand to."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 256 * 1024  # of one file
MAX_NODES = 20_000  # values of one file, with every alias written out; real strategies have some hundreds
MAX_DEPTH = 40  # collections inside each other, again with aliases written out
MAX_NUMBER = 40  # characters: longer ones cost seconds (base 60) or are no number that anybody means

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Refused(ValueError):
    """The file is not read. The text is a clause that follows its name: "it is larger than 256 kB"."""


def is_plain_name(name: str) -> bool:
    """A file's name that cannot lead elsewhere."""
    return 0 < len(name) <= 200 and name.isprintable() and "/" not in name and "\\" not in name and name[0] != "."


def read_text(file: Path) -> str:
    """The text of a regular file. Raises Refused for everything else, without waiting for a pipe or a device."""
    if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(file.parent)):
        raise Refused("it is a link that leads out of its folder")
    try:
        _regular(os.stat(file).st_mode)
        opened = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as exc:
        raise Refused(f"it cannot be opened: {exc.strerror}") from exc
    with open(opened, "rb") as stream:
        _regular(os.fstat(opened).st_mode)  # it may have been replaced since
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise Refused("it is larger than 256 kB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise Refused(f"it is not UTF-8 text (byte {exc.start + 1:,})") from exc


def _regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise Refused("it is a folder" if stat.S_ISDIR(mode) else "it is not a regular file")


def parse(text: str) -> Any:
    """The parsed YAML: dicts, lists, strings, numbers, dates. Raises Refused."""
    try:
        _check_expansion(yaml.parse(text, Loader=Loader))
        return yaml.load(text, Loader=Loader)  # noqa: S506  Loader is a SafeLoader
    except Refused:
        raise
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Refused(f"it is not valid YAML{where}: {exc.problem or exc.context}") from exc
    except yaml.YAMLError as exc:
        raise Refused(f"it is not valid YAML: {' '.join(str(exc).split())[:200]}") from exc
    except ValueError as exc:  # a date such as 2024-13-45
        raise Refused(f"it has a value that cannot be read: {' '.join(str(exc).split())[:200]}") from exc
    except (LookupError, AttributeError, TypeError, OverflowError) as exc:  # `!!bool maybe`, `!!timestamp soon`
        raise Refused("it has a value that does not fit the YAML tag before it") from exc


def _check_expansion(events: Iterator[yaml.Event]) -> None:
    """Counts values and depth before anything is built: each alias counted as the value it refers to."""
    anchors: dict[str, tuple[int, int]] = {}  # name -> values, depth
    open_: list[tuple[str | None, int, int]] = []  # anchor, values before it, deepest below it
    total = 0
    for event in events:
        values, depth, anchor = 1, 0, getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            if anchor not in anchors:
                raise Refused(f"the alias *{anchor} refers to no anchor before it, or to itself")
            (values, depth), anchor = anchors[anchor], None
        elif isinstance(event, yaml.CollectionStartEvent):
            open_.append((anchor, total, 0))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before, deepest = open_.pop()
            values, depth = 0, deepest + 1
            if anchor is not None:
                anchors[anchor] = (total - before, depth)
        elif isinstance(event, yaml.ScalarEvent):
            if anchor is not None:
                anchors[anchor] = (1, 0)
        else:
            continue
        total += values
        if total > MAX_NODES:
            raise Refused(f"it has more than {MAX_NODES:,} values, each alias counted as the value it refers to")
        if len(open_) + depth > MAX_DEPTH:
            raise Refused(f"its values are nested more than {MAX_DEPTH} deep")
        if open_ and not isinstance(event, yaml.CollectionStartEvent):
            parent, before, deepest = open_[-1]
            open_[-1] = (parent, before, max(deepest, depth))


class Loader(_BASE):  # type: ignore[misc]
    """PyYAML's safe loader, with a limit on the length of numbers."""


def _limited(build: Any) -> Any:
    def construct(loader: Any, node: Any) -> Any:
        if len(str(node.value)) > MAX_NUMBER:
            raise Refused(f"it has a number of more than {MAX_NUMBER} characters at line {node.start_mark.line + 1}")
        return build(loader, node)

    return construct


Loader.add_constructor("tag:yaml.org,2002:int", _limited(_BASE.construct_yaml_int))
Loader.add_constructor("tag:yaml.org,2002:float", _limited(_BASE.construct_yaml_float))
