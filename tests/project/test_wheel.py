"""The wheel: everything in it, runs from anywhere, and says what is missing."""

import email
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.support.panels import OWN_PAGE, free_port

ROOT = Path(__file__).parents[2]
RUN = "from panel.cli.main import main; main()"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """What an installer makes of it: the files, somewhere else."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def environment(installed: Path, home: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(installed),
        "HOME": str(home),
        "KTRDR_PANEL_DATA_DIR": str(home / "memory"),
    } | more


def test_it_carries_all_that_the_panel_reads(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    wanted = {f"panel/{file.relative_to(ROOT / 'panel')}" for file in (ROOT / "panel").rglob("*.py")}
    wanted |= {f"panel/{file.relative_to(ROOT / 'panel')}" for file in (ROOT / "panel").rglob("*.yaml")}
    wanted |= {f"panel/{file.relative_to(ROOT / 'panel')}" for file in (ROOT / "panel").rglob("*.sql")}
    for folder in ("templates", "static"):
        files = [file for file in (ROOT / folder).rglob("*") if file.is_file()]
        wanted |= {f"panel/_assets/{file.relative_to(ROOT)}" for file in files}
    assert wanted | {"panel/py.typed"} <= names
    assert any(name.endswith(".dist-info/sboms/sbom.cdx.json") for name in names)
    assert not any(name.startswith(("tests/", "bench/", "docs/")) for name in names)


def test_its_metadata_asks_for_the_learning_libraries_only_with_the_extra(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("dist-info/METADATA")]
        metadata = email.message_from_bytes(archive.read(name))
    asked = metadata.get_all("Requires-Dist")
    always = {line.split(">")[0] for line in asked if "extra ==" not in line}
    assert {"fastapi", "uvicorn", "httpx"} <= always
    assert not always & {"numpy", "pandas", "polars", "ta-lib", "pytest"}
    assert {"numpy", "pandas", "polars", "ta-lib"} <= {
        line.split(">")[0] for line in asked if "extra == 'embedded'" in line
    }
    assert metadata["License-Expression"] == "MIT" and metadata["Requires-Python"] == ">=3.11"
    assert "control panel" in metadata["Summary"] and "ktrdr-panel" in metadata.get_payload()


def test_it_runs_from_anywhere_with_the_embedded_backend(installed, tmp_path):
    """Pages, static files, and the process of an operation are found in the installed files."""
    port = free_port()
    variables = environment(installed, tmp_path, KTRDR_PANEL_PORT=str(port))
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-c", RUN, "serve"], cwd=tmp_path, env=variables, stdout=log, stderr=log
        ) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, headers=OWN_PAGE) as browser,
    ):
        try:
            page = _first_page(browser, process, tmp_path / "log")
            assert "Start training" in page  # whether or not the backend has answered yet
            assert browser.get("/static/panel.css").status_code == 200
            started = browser.post("/start/dummy", data={"key": "k" * 22})
            assert started.status_code == 303
            end = time.monotonic() + 120
            while "Counting:" not in (shown := browser.get(started.headers["location"]).text):
                assert time.monotonic() < end, shown
                time.sleep(0.1)
        finally:
            process.terminate()


def _first_page(browser: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> str:
    while process.poll() is None:
        try:
            return browser.get("/").text
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())


def test_without_a_backend_and_without_the_extra_it_says_what_to_install(installed, tmp_path):
    done = subprocess.run(
        # None in sys.modules is what an import of something that is not installed comes to.
        [sys.executable, "-c", f"import sys; sys.modules['numpy'] = sys.modules['talib'] = None; {RUN}", "serve"],
        cwd=tmp_path,
        env=environment(installed, tmp_path),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "pip install 'ktrdr-panel[embedded]'" in done.stderr and "numpy, talib missing" in done.stderr
    assert "KTRDR_API_CLIENT_BASE_URL=" in done.stderr


def test_no_learning_library_is_loaded_for_a_panel_before_a_ktrdr(installed, tmp_path):
    shown = subprocess.run(
        [sys.executable, "-c", "import sys, panel.cli, panel.app; print(panel.__file__, *sys.modules)"],
        cwd=tmp_path,
        env=environment(installed, tmp_path),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert shown[0] == str(installed / "panel" / "__init__.py")
    assert not {"numpy", "pandas", "polars", "talib"} & set(shown)
