"""The strategy files that a batch makes: none is left of one that started nothing, and no other file is touched."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from panel.storage.backup import SIDES
from tests.support.inside import inside
from tests.support.lives import Life, living
from tests.support.pages import KEY, until, words
from tests.support.panels import panel
from tests.support.scripted import Backend, stamp
from tests.support.workers import worker

TEXT = "name: swing\nindicators:\n  rsi: {type: rsi, period: 14}\ntraining:\n  epochs: 50\n"
GRID = {"key": KEY, "way": "grid", "strategy_name": "swing", "setting_1": "indicators.rsi.period"}
GRID |= {"values_1": "7, 14, 21"}
OTHERS = ("swing.yaml", "swing-period_99.yaml", "mine.yaml")
SAID = "None of its runs was started, so the {} that it had made and that nobody uses or has changed {} removed: {}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "strategies"
    folder.mkdir()
    for name in OTHERS:
        (folder / name).write_text(TEXT.replace("swing", name.removesuffix(".yaml")))
    return folder


@pytest.fixture
def backend() -> Backend:
    backend = Backend()
    backend.workers = [worker(f"w{n}", last_healthy_at=stamp()) for n in range(4)]
    backend.answers["GET /models"] = 200, {"success": True, "models": []}
    backend.answers["POST /trainings/start"] = 400, {"detail": "The strategy has no features"}
    return backend


@pytest.fixture
def life(backend, folder) -> Iterator[Life]:
    with living(backend, strategies_folder=folder) as life:
        life.runner.run(asyncio.sleep(15))
        yield life


def files(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()} - set(OTHERS)


def page(life: Life) -> str:
    return words(life.inside.get(f"/batches/{KEY}").text)


def test_files_of_a_batch_none_of_whose_runs_was_started_are_removed_and_named(life, folder):
    life.inside.post("/batches", GRID)
    assert files(folder) == {f"swing-period_{n}.yaml" for n in (7, 14, 21)} and "were removed" not in page(life)
    life.runner.run(asyncio.sleep(60))
    assert files(folder) == set() and all((folder / name).exists() for name in OTHERS)
    assert SAID.format("3 strategy files", "were", "swing-period_7, swing-period_14, swing-period_21.") in page(life)


def test_a_file_that_somebody_changed_or_had_before_stays(life, folder):
    theirs = TEXT.replace("period: 14", "period: 21").replace("name: swing", "name: swing-period_21")
    (folder / "swing-period_21.yaml").write_text(theirs)
    life.inside.post("/batches", GRID)
    (folder / "swing-period_7.yaml").write_text("name: mine now")
    life.runner.run(asyncio.sleep(60))
    assert files(folder) == {"swing-period_7.yaml", "swing-period_21.yaml"}
    assert SAID.format("1 strategy file", "was", "swing-period_14.") in page(life)


def test_a_file_that_something_else_uses_stays(life, folder):
    life.inside.post("/batches", GRID)
    again = {"key": "s" * 22, "kind": "training", "strategy_name": "swing-period_7", "day": "0", "at": "18:30"}
    assert life.inside.post("/schedules", again | {"zone": "UTC"}).header("location") == "/schedules"
    life.runner.run(asyncio.sleep(60))
    assert files(folder) == {"swing-period_7.yaml"}


def test_files_stay_as_long_as_the_backend_does_not_say_whether_they_have_models(life, backend, folder):
    backend.answers["GET /models"] = 500, {"detail": "busy"}
    life.inside.post("/batches", GRID)
    life.runner.run(asyncio.sleep(60))
    assert len(files(folder)) == 3
    model = {"path": "models/swing-period_14/1h_v1", "symbol": "EURUSD", "timeframe": "1h"}
    backend.answers["GET /models"] = 200, {"success": True, "models": [model]}
    life.runner.run(asyncio.sleep(60))
    assert files(folder) == {"swing-period_14.yaml"}


def test_files_of_a_batch_of_which_one_run_was_started_stay(life, backend, folder):
    def once(request):
        backend.answers["POST /trainings/start"] = 400, {"detail": "The strategy has no features"}
        return backend.usual("POST", "/trainings/start", {})

    backend.answers["POST /trainings/start"] = once
    life.inside.post("/batches", GRID)
    life.runner.run(asyncio.sleep(60))
    assert len(files(folder)) == 3 and "removed" not in page(life)


def test_of_a_batch_that_is_refused_no_file_is_left(life, folder):
    (folder / "swing-period_21.yaml").write_text("name: quite another\n")
    refused = life.inside.post("/batches", GRID)
    assert refused.status == 422
    assert "There is another file named swing-period_21: rename or delete it, or vary something else. The strategy" in (
        words(refused.text)
    )
    assert "The strategy files that were made for it were removed again." in words(refused.text)
    assert files(folder) == {"swing-period_21.yaml"}


def test_what_a_killed_panel_left_is_removed_by_the_next_one(address, backend, folder, tmp_path):
    """It was killed between making the files and writing down the batch: the memory knows nothing of it."""
    with inside(tmp_path / "panel", address, strategies_folder=folder) as here:
        memory = here.settings.memory_file
        with closing(sqlite3.connect(memory)) as now, closing(sqlite3.connect(tmp_path / "before.db")) as before:
            now.backup(before)
        assert here.post("/batches", GRID).status == 303 and len(files(folder)) == 3
    for side in SIDES:
        memory.with_name(memory.name + side).unlink(missing_ok=True)
    (tmp_path / "before.db").rename(memory)
    with panel(tmp_path / "panel", address, strategies_folder=folder):
        until(lambda: files(folder) == set())
