"""`backup` while others write, and `restore`: everything comes back, nothing is lost, nothing starts by itself."""

import json
import sqlite3
import time
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from panel.cli.main import main
from panel.domain.batches import Batch, BatchRun, Role, RunState
from panel.domain.requests import EntryState, PlanState
from panel.domain.schedules import Schedule, next_due
from panel.embedded.ledger import Ledger
from panel.settings import Settings
from panel.storage import backup
from panel.storage.store import Storage
from tests.support.history import ended, seed
from tests.support.loads import LOAD
from tests.support.pages import KEY

OTHER = "http://localhost:9/api/v1"


def command(folder: Path, *words: object, backend: str = "") -> tuple[int, str]:
    variables = {"KTRDR_PANEL_DATA_DIR": str(folder), "KTRDR_API_CLIENT_BASE_URL": backend}
    done = CliRunner().invoke(main, [str(word) for word in words], env=variables)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, " ".join(done.output.split())


@pytest.fixture
def folder(tmp_path):
    """Of an embedded panel that has trained once."""
    folder = tmp_path / "data"
    seed(folder, "", ended("op_a", "training", "completed", 100))
    ledger = Ledger(folder / "embedded" / "operations.db")
    ledger.create()
    ledger.add("op_a", "training", {}, {})
    for name in ("models/swing/1h_v1/model.json", "strategies/swing.yaml", "data/EURUSD_1h.csv", "models/.draft.1/x"):
        (folder / "embedded" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "embedded" / name).write_text("first")
    return folder


def memory(folder: Path, backend: str = "") -> Path:
    return Settings.from_environ({}, data_folder=folder, backend=backend).memory_file


def test_what_was_backed_up_while_a_panel_ran_comes_back(folder, tmp_path):
    model = folder / "embedded" / "models" / "swing" / "1h_v1" / "model.json"
    with closing(Storage(memory(folder))) as store:
        store.claim(KEY, "training", {"strategy_name": "swing"}, "op_b")  # stands in the write-ahead log only
        assert command(folder, "backup", tmp_path / "kept.zip")[0] == 0
        store.settle(KEY, "started")
        seed(folder, "", ended("op_later", "training", "completed", 50))
        model.write_text("second")
        code, output = command(folder, "restore", tmp_path / "kept.zip")
        assert (code, "a panel or a command has it open" in output) == (1, True) and model.read_text() == "second"
    assert (tmp_path / "kept.zip").stat().st_mode & 0o077 == 0
    code, output = command(folder, "restore", tmp_path / "kept.zip")
    assert code == 0, output
    with closing(Storage(memory(folder))) as store:
        assert [start.key for start in store.unsettled_starts()] == [KEY]  # looked for, and never sent again
        assert [each.snapshot.id for each in store.memory.recent(9)] == ["op_a"]
    assert model.read_text() == "first" and (folder / "embedded" / "data" / "EURUSD_1h.csv").read_text() == "first"
    assert Ledger(folder / "embedded" / "operations.db").operation("op_a") is not None
    (replaced,) = folder.glob("replaced-*")
    assert f"What it replaced is in {replaced}." in output
    with closing(Storage(replaced / "panel" / "embedded.db")) as store:
        assert {each.snapshot.id for each in store.memory.recent(9)} == {"op_a", "op_later"}
    assert (replaced / "embedded" / "models" / "swing" / "1h_v1" / "model.json").read_text() == "second"


def test_market_data_comes_along_when_it_is_asked_for(folder, tmp_path):
    for name, words, there in (("a.zip", (), False), ("b.zip", ("--with-data",), True)):
        assert command(folder, "backup", tmp_path / name, *words)[0] == 0
        with zipfile.ZipFile(tmp_path / name) as archive:
            names = archive.namelist()
        assert ("embedded/data/EURUSD_1h.csv" in names) is there and not any("draft" in each for each in names)
    empty = tmp_path / "elsewhere"  # on another machine
    code, output = command(empty, "restore", tmp_path / "b.zip")
    assert (code, "It replaced nothing." in output) == (0, True)
    assert (empty / "embedded" / "data" / "EURUSD_1h.csv").read_text() == "first"


def changed(source: Path, target: Path, place: str, content: bytes | None) -> Path:
    """The archive with another content at one place, and the hashes as they were."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name == place and content is not None else old.read(name))
    return target


def test_what_is_no_good_backup_changes_nothing(folder, tmp_path):
    seed(folder, OTHER, ended("op_o", "training", "completed", 100))
    good = tmp_path / "good.zip"
    assert command(folder, "backup", good)[0] == 0
    before = memory(folder).read_bytes()
    with zipfile.ZipFile(good) as archive:
        about = json.loads(archive.read("backup.json"))
    away = about | {"files": about["files"] | {"panel/../../../away": "0" * 64}}
    newer = about | {"format": 99}
    (tmp_path / "none.zip").write_bytes(b"nothing")
    with zipfile.ZipFile(good) as archive:
        start = archive.getinfo("panel/embedded.db").header_offset + 30 + len("panel/embedded.db")
    flipped = bytearray(good.read_bytes())
    flipped[start : start + 40] = b"\xff" * 40  # no beginning of a compressed text
    (tmp_path / "flipped.zip").write_bytes(flipped)
    for file, backend, why in (
        (good, OTHER, "is a backup of the embedded backend"),
        (tmp_path / "none.zip", "", "is damaged, or no backup"),
        (tmp_path / "flipped.zip", "", "is damaged, or no backup"),
        (changed(good, tmp_path / "a.zip", "panel/embedded.db", b"x"), "", "panel/embedded.db is not as it was"),
        (changed(good, tmp_path / "b.zip", "backup.json", json.dumps(away).encode()), "", "is no backup of this"),
        (changed(good, tmp_path / "c.zip", "backup.json", json.dumps(newer).encode()), "", "another version"),
        (changed(good, tmp_path / "d.zip", "backup.json", b"[]"), "", "another version"),
    ):
        code, output = command(folder, "restore", file, backend=backend)
        assert (code, output.startswith("Error: Nothing was restored."), why in output) == (1, True, True), output
    assert memory(folder).read_bytes() == before and not list(folder.glob("replaced-*"))
    assert not list(folder.glob(".restore-*")) and not (tmp_path / "away").exists()


def test_no_backup_is_made_of_nothing_over_something_or_of_damage(folder, tmp_path):
    good = tmp_path / "good.zip"
    assert "There is no memory yet" in command(tmp_path / "new", "backup", good)[1] and not good.exists()
    assert command(folder, "backup", good)[0] == 0
    assert command(folder, "backup", good) == (
        1,
        f"Error: No backup was made. {good} exists already. Name another file.",
    )
    with memory(folder).open("r+b") as out:
        out.seek(-4096, 2)
        out.write(b"\xa5" * 4096)
    code, output = command(folder, "backup", tmp_path / "bad.zip")
    assert (code, "is damaged" in output) == (1, True) and not (tmp_path / "bad.zip").exists()


def test_what_waited_is_held_back(tmp_path):
    with closing(sqlite3.connect(tmp_path / "memory.db", isolation_level=None)) as db:
        for table in ("queue", "loads", "plans"):
            db.execute(f"CREATE TABLE {table} (state, held DEFAULT 0, message DEFAULT '')")
            db.executemany(f"INSERT INTO {table} (state) VALUES (?)", [("waiting",), ("starting",), ("running",)])
        db.execute("CREATE TABLE messages (state, problem)")
        db.execute("INSERT INTO messages (state) VALUES ('waiting')")
        backup.hold_back(db, {"queue", "loads", "plans", "messages"}, 0.0)
        assert db.execute("SELECT held FROM queue").fetchall() == [(1,), (1,), (0,)]
        assert db.execute("SELECT state FROM loads").fetchall() == [("cancelled",), ("cancelled",), ("running",)]
        assert db.execute("SELECT state FROM plans").fetchall() == [("stopped",), ("stopped",), ("running",)]
        assert db.execute("SELECT state FROM messages").fetchall() == [("unknown",)]


def test_what_follows_something_else_does_not_go_on_after_a_restore(folder, tmp_path):
    """A plan's training follows its loads, a batch's test its training, and schedules make up for what they missed: all
    of it may have been done since the backup."""
    now = time.time()
    with closing(Storage(memory(folder))) as store:
        store.queue.add_plan(KEY, {"strategy_name": "swing"}, [LOAD], "anna")
        store.queue.settle(f"{KEY}-1", EntryState.RUNNING, operation_id="op_load")
        store.batches.add(
            Batch("batch", "2 × swing", {}, now, "anna"),
            [
                BatchRun("batch-1", "batch", 1, Role.TRAINING, "training", {"strategy_name": "swing"}, {}),
                BatchRun("batch-1-test", "batch", 1, Role.TEST, "backtesting", {}, {}, "batch-1"),
            ],
        )
        made = Schedule("due", "data_load", LOAD, frozenset(range(7)), "18:30", "UTC", True, now - 60, now, "anna")
        store.schedules.add(made)
        store.schedules.add(replace(made, key="later", next_at=now + 9e5))
        assert store.queue.open_plans() and store.schedules.due(now) and len(store.batches.open_runs()) == 2
    assert command(folder, "backup", tmp_path / "kept.zip")[0] == 0
    assert command(folder, "restore", tmp_path / "kept.zip")[0] == 0
    with closing(Storage(memory(folder))) as store:
        plan, batch = store.queue.plan(KEY), store.batches.runs("batch")
        assert (plan.state, plan.message) == (PlanState.STOPPED, backup.HELD) and store.queue.open_plans() == []
        assert [(run.state, run.message) for run in batch] == [(RunState.CANCELLED, backup.HELD)] * 2
        assert store.schedules.due(time.time()) == []
        assert store.schedules.get("due").next_at == next_due(range(7), "18:30", "UTC", now)
        assert store.schedules.get("later").next_at == now + 9e5
