"""The house's rules, read from the imports: they only go down, in no circle, and the annex stands alone."""

import ast
from pathlib import Path

import pytest

PANEL = Path(__file__).parents[1] / "panel"

FLOORS = [
    {"errors", "settings", "password", "logs", "trace", "__init__"},
    {"operations", "wire", "fanout", "adapters", "coverage", "line", "words"},
    {"evidence", "workers", "saved", "state", "ends", "verdict", "estimate", "learning", "comparison", "trained"},
    {"execute"},
    {"client", "memory", "paces", "timeline", "report", "schema", "store", "catalogue", "turn"},
    {"matching", "starting", "relay", "resuming", "discovery", "survey", "loads"},
    {"web"},
    {"connect", "app", "command", "doctor", "cli", "__main__"},
]
ANNEX = "embedded"
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def modules() -> dict[str, set[str]]:
    """Dotted name below `panel` -> the dotted names below `panel` that it imports."""
    found = {}
    for file in PANEL.rglob("*.py"):
        name = ".".join(file.relative_to(PANEL).with_suffix("").parts)
        imported: set[str] = set()
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == "panel":
                base = (node.module or "").removeprefix("panel").lstrip(".")
                for alias in node.names:
                    inner = f"{base}.{alias.name}".lstrip(".")
                    exists = (PANEL / Path(*inner.split("."))).with_suffix(".py").exists()
                    package = (PANEL / Path(*inner.split("."))).is_dir()
                    imported.add(inner if exists or package else base or "__init__")
            elif isinstance(node, ast.Import):
                imported |= {
                    alias.name.removeprefix("panel.") for alias in node.names if alias.name.startswith("panel.")
                }
        found[name] = imported
    return found


MODULES = modules()


def room(module: str) -> str:
    return module.split(".")[0]


def test_every_room_has_a_floor():
    assert {room(module) for module in MODULES} - {ANNEX} == set(FLOOR_OF)


@pytest.mark.parametrize("module", sorted(module for module in MODULES if room(module) != ANNEX))
def test_imports_only_go_down(module):
    for imported in MODULES[module]:
        if room(imported) == ANNEX:
            assert module in ("connect", "app"), f"{module} imports the embedded backend"
        elif room(imported) != room(module):
            assert FLOOR_OF[room(imported)] <= FLOOR_OF[room(module)], f"{module} imports {imported}"


def test_there_are_no_circles():
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path, module])
        if module not in done:
            for imported in MODULES.get(module, ()):
                if imported != module:
                    visit(imported, (*path, module))
            done.add(module)

    # A package's __init__ gathers what is below it; its own modules never import it back.
    for module in MODULES:
        visit(module, ())


def test_the_annex_imports_nothing_of_the_panel():
    inside = {module: imports for module, imports in MODULES.items() if room(module) == ANNEX}
    assert inside
    for module, imports in inside.items():
        assert all(room(imported) == ANNEX for imported in imports), module


def test_only_the_client_speaks_http():
    users = {
        module
        for module in MODULES
        if room(module) != ANNEX
        and any(
            isinstance(node, ast.Import) and any(alias.name == "httpx" for alias in node.names)
            for node in ast.walk(ast.parse((PANEL / Path(*module.split("."))).with_suffix(".py").read_text("utf-8")))
        )
    }
    assert users == {"client", "connect"}


def test_no_template_turns_escaping_off_or_carries_script_or_style():
    templates = PANEL.parent / "templates"
    for file in templates.rglob("*.html"):
        text = file.read_text("utf-8")
        for forbidden in (
            "|safe",
            "| safe",
            "autoescape",
            ' style="',
            "<style",
            " onclick",
            " onload",
            "javascript:",
            "hx-on",
        ):
            assert forbidden not in text, f"{file.name}: {forbidden}"


def test_vendored_files_are_the_ones_that_are_listed():
    import hashlib

    vendor = PANEL.parent / "static" / "vendor"
    listed = {}
    for line in (vendor / "SOURCES.md").read_text("utf-8").splitlines():
        cells = [cell.strip(" `") for cell in line.strip("|").split("|")]
        if len(cells) == 5 and len(cells[4]) == 64:
            listed[cells[0]] = cells[4]
    files = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in vendor.iterdir()
        if file.suffix in (".js", ".css")
    }
    assert files == listed
