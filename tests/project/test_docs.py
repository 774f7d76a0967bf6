"""The documentation, read: what it names is there, and what has to be in it is in it."""

import ast
import dataclasses
import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from fastapi.routing import APIRoute

from panel.adapters import KINDS
from panel.app import create_app
from panel.cli.main import main
from panel.domain.state import State
from panel.settings import Settings
from tests.support.routes import unwrapped
from tests.support.scripted import RESULT, operation, percent, stamp

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
IMAGES = ROOT / "docs" / "images"

OF_COMPOSE = {"KTRDR_NETWORK"}  # read by compose.ktrdr.yaml alone
ELSEWHERE = {"/api/v1", "/tmp", "/var/lib/ktrdr-panel", "/panel"}  # of others: the backend, a file system, a proxy

documents = pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def code(file: Path) -> Iterator[str]:
    """Every inline piece of code, and every line of a block."""
    for line in file.read_text("utf-8").splitlines():
        if line.startswith("    ") and not line.lstrip().startswith(("-", "1.")):
            yield line.strip()
        else:
            yield from re.findall(r"`([^`]+)`", line)


def table(name: str, first: str) -> list[list[str]]:
    """The rows of the table whose heading row begins with this word."""
    lines = iter(text(name).splitlines())
    assert any(line.startswith(f"| {first} |") for line in lines), f"{name} has no table that begins with {first}"
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def block(name: str, after: str) -> str:
    """The block of code that follows these words."""
    lines = []
    for line in text(name).partition(after)[2].lstrip("\n").splitlines():
        if line and not line.startswith("    "):
            break
        lines.append(line)
    return textwrap.dedent("\n".join(lines))


def anchor(heading: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@documents
def test_links_and_pictures_are_there(file):
    for target in re.findall(r"\]\(([^)\s]+)\)", file.read_text("utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        path, _, place = target.partition("#")
        to = (file.parent / path).resolve() if path else file
        assert to.is_relative_to(ROOT) and to.exists(), target
        if place:
            headings = re.findall(r"^#+ (.+)$", to.read_text("utf-8"), re.MULTILINE)
            assert place in map(anchor, headings), target


def test_every_document_is_in_the_map():
    linked = set(re.findall(r"\]\((docs/\w[\w-]*\.md|\w+\.md)\)", text("README.md")))
    assert {str(file.relative_to(ROOT)) for file in FILES} - {"README.md"} == linked


def test_pictures_are_small_and_every_one_is_shown():
    shown = {
        (file.parent / target).resolve()
        for file in FILES
        for target in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", file.read_text("utf-8"))
    }
    assert shown == set(IMAGES.iterdir())
    sizes = [picture.stat().st_size for picture in shown]
    assert max(sizes) <= 120_000 and sum(sizes) <= 1_500_000


@documents
def test_every_command_is_one(file):
    commands = {**main.commands, "test": None}
    for piece in code(file):
        found = re.search(r"(?:^|\s)(ktrdr-panel|\./run)(?:\s+(.*))?$", piece.split("#")[0].strip())
        if not found or not found[2] or "docker" in piece:
            continue
        words = shlex.split(found[2])
        if words[0] in ("--help", "--version", "-h"):
            continue
        assert words[0] in commands, piece
        command = commands[words[0]]
        if command is None:
            continue  # what follows is pytest's
        if isinstance(command, click.Group) and len(words) > 1:
            assert words[1] in command.commands, piece
            command = command.commands[words[1]]
        options = {option for each in command.params if isinstance(each, click.Option) for option in each.opts}
        given = {word.partition("=")[0] for word in words if word.startswith("-")}
        assert given <= options | {"--help"}, piece


@documents
def test_every_variable_is_one(file):
    settings = {field.metadata["variable"] for field in dataclasses.fields(Settings)}
    known = settings | OF_COMPOSE | long_forms()
    assert set(re.findall(r"KTRDR_[A-Z_]*[A-Z]", file.read_text("utf-8"))) <= known


def long_forms() -> set[str]:
    """The variables that choose the long forms of tests."""
    return {
        name
        for file in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r"KTRDR_PANEL_TEST_[A-Z]+", file.read_text("utf-8"))
    }


def test_the_long_forms_of_tests_are_documented():
    assert long_forms() == {row[0].strip("`") for row in table("docs/developing.md", "variable")}


def test_the_table_of_settings_is_what_the_settings_say():
    rows = [
        [f"`{field.metadata['variable']}`", field.metadata["meaning"], default(field)]
        for field in dataclasses.fields(Settings)
    ]
    assert table("docs/settings.md", "variable") == rows


def default(field: Any) -> str:
    match field.default:
        case None | "" | ():
            return "none"
        case bool():
            return str(int(field.default))
        case Path():
            return "the per-user data folder"
    return str(field.default)


@pytest.fixture(scope="module")
def routes() -> list[APIRoute]:
    """Of a panel with a password, which has all of them."""
    app = unwrapped(create_app(Settings.from_environ({}, password="long enough")))
    return [route for route in app.routes if isinstance(route, APIRoute)]


@documents
def test_every_address_is_one(file, routes):
    """A page, something that answers, or what several of them begin with."""
    for piece in code(file):
        if re.fullmatch(r"/[a-z][\w{}./-]*", piece) and piece not in ELSEWHERE:
            path = re.sub(r"{\w+}", "x", piece)
            assert any(r.path_regex.match(path) or r.path.startswith(path + "/") for r in routes), piece


def words_of_verdicts() -> set[tuple[str, str]]:
    """(state, word) of every verdict that the panel can give."""
    found = set()
    for name in ("verdict", "lost", "silence", "outcomes", "load_outcomes"):
        for node in ast.walk(ast.parse(text(f"panel/domain/{name}.py"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Verdict":
                state, word = node.args[:2]
                assert isinstance(state, ast.Attribute) and isinstance(word, ast.Constant), ast.unparse(node)
                found.add((State[state.attr].value, str(word.value)))
    return found


def test_the_guide_explains_every_word_of_every_state():
    explained = {(row[1].strip("`"), row[0].strip("*")) for row in table("docs/guide.md", "word")}
    assert {state for state, _ in explained} == set(State)
    assert explained == words_of_verdicts()
    assert all(all(row) for row in table("docs/guide.md", "word")), "a cell is empty"


def test_the_guide_has_every_key():
    in_page = re.findall(r'\("([^"]+)", "[^"]+"\)', text("templates/base.html").partition("<dialog")[2])
    assert in_page and [row[0].strip("`") for row in table("docs/guide.md", "key")] == in_page


def test_the_example_of_a_kind_is_one():
    made: dict[str, Any] = {}
    exec(block("docs/developing.md", "`panel/adapters/fuzzy.py`:"), made)
    kind = made["FuzzyAnalysisOperationAdapter"]
    typed = {"strategy_name": "swing", "start_date": "2024-01-01"}
    assert not kind.__abstractmethods__ and kind.kind not in KINDS
    assert kind.from_form(typed).get_start_payload() == typed
    short = kind.from_form({"strategy_name": "swing"})
    assert short.get_start_payload() == {"strategy_name": "swing"}
    assert short.argv() == ["ktrdr-panel", "fuzzy", "swing"]


@pytest.mark.anyio
async def test_the_example_in_python_runs(backend, address, capsys):
    backend.answers["POST /trainings/start"] = lambda request: (200, {"success": True, "task_id": "op_t"})
    done = operation("op_t", status="completed", progress=percent(100), result_summary=RESULT, completed_at=stamp())
    backend.operations["op_t"] = done
    example = block("README.md", "From Python:")
    assert example.count("http://localhost:8000/api/v1") == 1
    example = example.replace("http://localhost:8000/api/v1", address)
    await eval(compile(example, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), {})
    assert capsys.readouterr().out.splitlines()[-1] == "completed"
    assert [body["strategy_name"] for _, body in backend.bodies] == ["my_strategy"]
