"""Rules about imports: they only go down the layers, form no circle, and the embedded backend stands alone."""

import ast
import re
from functools import cache
from pathlib import Path

from panel.adapters import KINDS

PANEL = Path(__file__).parents[2] / "panel"

LAYERS = [  # imports go down this list, or stay in their own package
    {"__main__"},
    {"cli"},
    {"app"},
    {"web"},
    {"live"},
    {"views"},
    {"workflows"},
    {"monitoring"},
    {"storage"},
    {"client"},
    {"backend"},
    {"adapters"},
    {"domain"},
    {"settings"},
    {"accounts"},
    {"errors", "files", "observability", "__init__"},
]
LAYER_OF = {package: -depth for depth, packages in enumerate(LAYERS) for package in packages}
EMBEDDED = "embedded"


@cache
def trees() -> dict[str, ast.Module]:
    """Dotted name below `panel` -> the module's code."""
    return {
        ".".join(file.relative_to(PANEL).with_suffix("").parts): ast.parse(file.read_text("utf-8"))
        for file in PANEL.rglob("*.py")
    }


@cache
def modules() -> dict[str, set[str]]:
    """Dotted name below `panel` -> the dotted names below `panel` that it imports."""
    found = {}
    for name, tree in trees().items():
        imported: set[str] = set()
        for node in ast.walk(tree):
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


def package(module: str) -> str:
    return module.split(".")[0]


def test_every_package_has_a_layer():
    assert {package(module) for module in modules()} - {EMBEDDED} == set(LAYER_OF)


def upward() -> set[tuple[str, str]]:
    """(module, what it imports from a layer above it)."""
    return {
        (module, imported)
        for module, imports in modules().items()
        if package(module) != EMBEDDED
        for imported in imports
        if package(imported) not in (EMBEDDED, package(module))
        and LAYER_OF[package(imported)] >= LAYER_OF[package(module)]
    }


def test_imports_only_go_down():
    assert upward() == set()


def test_views_read_nothing_themselves():
    for module, imports in modules().items():
        if package(module) == "views":
            assert not {package(imported) for imported in imports} & {"storage", "monitoring", "backend"}, module


def test_only_one_module_looks_into_the_apps_untyped_state():
    users = {
        module
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr == "state"
        and isinstance(node.value, ast.Name | ast.Attribute)
        and (node.value.id if isinstance(node.value, ast.Name) else node.value.attr) in ("app", "request")
    }
    assert users == {"web.panel"}


def test_only_its_adapter_decides_by_the_name_of_a_kind():
    """Others ask for its traits, or name its class."""
    found = set()
    for module, tree in trees().items():
        if package(module) in ("adapters", EMBEDDED):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute) and node.left.attr == "kind":
                found |= {(module, each.value) for each in node.comparators if isinstance(each, ast.Constant)}
            elif isinstance(node, ast.Constant) and node.value != "training":  # which is an ordinary word, too
                found.add((module, node.value))
    named = {(module, value) for module, value in found if value in KINDS}
    assert named == {("domain.agents", "backtesting")}, "there, what the agent calls a phase"
    templates = (PANEL.parent / "templates").rglob("*.html")
    assert [each.name for each in templates if re.search(r"snapshot\.kind [!=]= ", each.read_text("utf-8"))] == []


def test_only_connect_opens_the_embedded_backend():
    users = {
        module
        for module, imports in modules().items()
        if package(module) != EMBEDDED and any(package(imported) == EMBEDDED for imported in imports)
    }
    assert users == {"backend.connect"}


def test_there_are_no_circles():
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path, module])
        if module not in done:
            for imported in modules().get(module, ()):
                if imported != module:
                    visit(imported, (*path, module))
            done.add(module)

    # A package's __init__ gathers what is below it; its own modules never import it back.
    for module in modules():
        visit(module, ())


def test_the_embedded_backend_imports_nothing_of_the_panel():
    inside = {module: imports for module, imports in modules().items() if package(module) == EMBEDDED}
    assert inside
    for module, imports in inside.items():
        assert all(package(imported) in (EMBEDDED, "files") for imported in imports), module


def test_only_the_http_client_speaks_http():
    users = {
        module
        for module, tree in trees().items()
        if package(module) != EMBEDDED
        and any(
            isinstance(node, ast.Import) and any(alias.name == "httpx" for alias in node.names)
            for node in ast.walk(tree)
        )
    }
    assert users == {"backend.http", "backend.blocking", "backend.connect"}


def test_adapters_take_only_types_from_httpx():
    """Scripts inspect the signatures of adapters, so the annotations are KTRDR's."""
    for file in (PANEL / "adapters").glob("*.py"):
        imported = {
            alias.name
            for node in ast.walk(ast.parse(file.read_text("utf-8")))
            if isinstance(node, ast.ImportFrom) and node.module == "httpx"
            for alias in node.names
        }
        assert imported <= {"AsyncClient"}, file.name


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
