"""The script `run`: it works in its own folder however it is called, and removes only what it made."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PANEL = '#!/bin/sh\necho "panel of $0 in $PWD: $*"\n'
UV = f"""#!/bin/sh
echo "$*" >>"$UV_CALLS"
for last; do :; done
case "$1 $2" in
    "venv -q") mkdir -p "$last/bin" && ln -s {sys.executable} "$last/bin/python" ;;
    "pip install") cp "$PANEL_SCRIPT" "$(dirname "$5")/ktrdr-panel" ;;
esac
"""
# Puts into an environment what wheels put there.
FILL = """
at="$(dirname "$5")/../lib/python3/site-packages" && mkdir -p "$at/pandas/tests/io" "$at/some/tests"
touch "$at/pandas/tests/io/test_csv.py" "$at/pandas/core.py" "$at/some/code.c" "$at/some/code.py" "$at/some/tests/part.py"
"""
# A Python whose pip installs into other environments.
PYTHON = f"""#!/bin/sh
case "$*" in *_base_executable*) echo "$PYTHON" && exit ;; esac
[ "$1" = -m ] || exec {sys.executable} "$@"
echo "$*" >>"$CALLS"
case "$2 $3 $5" in
    "venv --without-pip ") mkdir -p "$4/bin" && ln -s "$PYTHON" "$4/bin/python" ;;
    "pip --python install") cp "$PANEL_SCRIPT" "$(dirname "$4")/ktrdr-panel" ;;
    "pip --python --version") ;;
    *) exit 1 ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "a checkout"
    (folder / "requirements").mkdir(parents=True)
    for name in ("run", "pyproject.toml", "requirements/run.txt", "requirements/panel.txt"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def environment(folder: Path, *, works: bool = True) -> Path:
    """One without pip, as uv makes it, in which the lock file is installed already."""
    python = f'#!/bin/sh\nexec {sys.executable} "$@"\n' if works else "#!/nowhere/python\n"
    script(folder / ".venv/bin/python", python)
    script(folder / ".venv/bin/ktrdr-panel", PANEL)
    locks = [str(folder / name) for name in ("requirements/run.txt", "pyproject.toml")]
    if (folder / "pyproject.toml").exists():
        (folder / ".venv/installed-run.txt").write_text(subprocess.check_output(["cksum", *locks], text=True).strip())
    return folder / ".venv"


def run(
    called: Path,
    folder: Path,
    tools: Path | None = None,
    words: tuple[str, ...] = ("doctor", "--json"),
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    path = f"{tools}:/usr/bin:/bin" if tools else "/usr/bin:/bin"
    return subprocess.run(
        [called, *words],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), "PYTHON": sys.executable, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_through_links_it_finds_its_own_folder_and_leaves_others_alone(checkout, tmp_path):
    environment(checkout)
    elsewhere = tmp_path / "project of somebody"
    theirs = environment(elsewhere)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "first").symlink_to("../a checkout/run")
    (elsewhere / "panel").symlink_to(tmp_path / "bin" / "first")
    done = run(elsewhere / "panel", elsewhere)
    assert done.stdout == f"panel of {checkout}/.venv/bin/ktrdr-panel in {elsewhere}: doctor --json\n", done.stderr
    assert sorted(path.name for path in theirs.rglob("*")) == ["bin", "ktrdr-panel", "python"]


def test_an_environment_of_others_that_works_is_used(checkout):
    environment(checkout)
    done = run(checkout / "run", checkout)
    assert done.stdout.endswith("doctor --json\n") and done.stderr == ""
    assert not (checkout / ".venv" / "made-by-run").exists()


@pytest.mark.parametrize("linked", [False, True])
def test_one_that_does_not_work_is_refused_and_kept(checkout, tmp_path, linked):
    made = environment(checkout, works=False)
    (made / "made-by-run").touch()
    if linked:  # a marker is no proof here: the folder may be shared
        made.rename(tmp_path / "shared")
        made.symlink_to(tmp_path / "shared")
    else:
        (made / "made-by-run").unlink()
    done = run(checkout / "run", checkout)
    assert done.returncode == 1 and "was not made by this script. Move it away" in done.stderr
    assert (made / "bin" / "ktrdr-panel").exists() and made.is_symlink() is linked


def test_its_own_is_recreated_with_uv_where_that_is_installed(checkout, tmp_path):
    made = environment(checkout, works=False)
    (made / "made-by-run").touch()
    (made / "old").touch()
    calls = tmp_path / "calls"
    script(tmp_path / "tools" / "uv", UV)
    variables = {"UV_CALLS": str(calls), "PANEL_SCRIPT": str(script(tmp_path / "panel", PANEL))}
    for _ in range(2):
        done = run(checkout / "run", checkout, tmp_path / "tools", **variables)
        assert done.stdout.endswith(": doctor --json\n"), done.stderr
    assert (made / "made-by-run").exists() and not (made / "old").exists()
    venv, lock, itself = calls.read_text().splitlines()
    assert venv.startswith("venv ") and f"--require-hashes -r {checkout}/requirements/run.txt" in lock
    assert itself.endswith(f"-e {checkout}") and "--no-deps" in itself


@pytest.mark.parametrize("own", [True, False])
def test_what_only_authors_of_libraries_need_is_left_out_of_its_own_environment(checkout, tmp_path, own):
    made = checkout / ".venv"
    if not own:
        environment(checkout)
        (made / "installed-run.txt").unlink()
    script(tmp_path / "tools" / "uv", UV + FILL)
    variables = {"UV_CALLS": str(tmp_path / "calls"), "PANEL_SCRIPT": str(script(tmp_path / "panel", PANEL))}
    assert run(checkout / "run", checkout, tmp_path / "tools", **variables).returncode == 0
    kept = {path.name for path in (made / "lib").rglob("*") if path.is_file()}
    assert kept == {"core.py", "code.py", "part.py"} | (set() if own else {"code.c", "test_csv.py"})


def test_without_uv_the_pip_that_is_there_fills_an_environment_without_one(checkout, tmp_path):
    calls, python = tmp_path / "calls", script(tmp_path / "python", PYTHON)
    variables = {"CALLS": str(calls), "PANEL_SCRIPT": str(script(tmp_path / "panel", PANEL)), "PYTHON": str(python)}
    done = run(checkout / "run", checkout, **variables)
    assert done.stdout.endswith(": doctor --json\n"), done.stderr
    made = calls.read_text().splitlines()
    assert made[0] == f"-m venv --without-pip {checkout}/.venv" and not any("ensurepip" in call for call in made)
    installs = [call for call in made if call.startswith(f"-m pip --python {checkout}/.venv/bin/python install ")]
    assert len(installs) == 2 and f"-r {checkout}/requirements/run.txt" in installs[0]


def test_what_cannot_be_made_leaves_nothing_behind(checkout, tmp_path):
    python = script(tmp_path / "python", f'#!/bin/sh\n[ "$1" != -m ] && exec {sys.executable} "$@"\nexit 1\n')
    done = run(checkout / "run", checkout, PYTHON=str(python))
    assert done.returncode == 1 and "cannot make environments" in done.stderr
    assert not (checkout / ".venv").exists() and "Traceback" not in done.stderr


@pytest.mark.parametrize("named", ["option", "variable"])
def test_with_a_backend_only_what_the_panel_needs_is_installed(checkout, tmp_path, named):
    made = environment(checkout)
    (made / "installed-run.txt").unlink()
    (checkout / "panel").mkdir()
    (checkout / "panel" / "__init__.py").touch()
    (checkout / "panel" / "__main__.py").write_text("import sys; print('the panel:', *sys.argv[1:])")
    calls = tmp_path / "calls"
    script(tmp_path / "tools" / "uv", UV)
    variables = {"UV_CALLS": str(calls), "PANEL_SCRIPT": str(script(tmp_path / "panel", PANEL))}
    words: tuple[str, ...] = ("doctor", "--backend=http://127.0.0.1:8000/api/v1")
    if named == "variable":
        words, variables["KTRDR_API_CLIENT_BASE_URL"] = words[:1], "http://127.0.0.1:8000/api/v1"
    for _ in range(2):
        done = run(checkout / "run", checkout, tmp_path / "tools", words, **variables)
        assert done.stdout == f"the panel: {' '.join(words)}\n", done.stderr
    (installed,) = calls.read_text().splitlines()
    assert installed.endswith(f"--require-hashes -r {checkout}/requirements/panel.txt")
    for words in (("doctor",), ("import", "--backend", "x")):
        variables.pop("KTRDR_API_CLIENT_BASE_URL", None)
        done = run(checkout / "run", checkout, tmp_path / "tools", words, **variables)
        assert done.stdout.endswith(f": {' '.join(words)}\n"), done.stderr
    assert f"-r {checkout}/requirements/run.txt" in calls.read_text()
