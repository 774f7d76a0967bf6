"""The memory's file is damaged, deleted or replaced, and the clock is wrong: nothing is lost quietly."""

import logging
import socket
import sqlite3
import time
from contextlib import closing

import httpx
import pytest
from click.testing import CliRunner

from panel.cli.main import main
from panel.domain.events import EventBus
from panel.domain.memory import GONE
from panel.embedded.ledger import Ledger
from panel.files.started_strategies import StartedStrategies
from panel.files.strategy_folder import StrategyFolder, digest
from panel.monitoring.recorder import Recorder
from panel.settings import Settings
from panel.storage import retention
from panel.storage.identity import FileGone
from panel.storage.process_lock import process_lock
from panel.storage.store import Storage
from tests.support.history import DAY, ended, seed
from tests.support.inside import inside
from tests.support.loads import LOAD
from tests.support.pages import KEY, until, words
from tests.support.panels import panel, stream
from tests.support.parts import panel_of
from tests.support.scripted import operation, percent
from tests.support.workers import worker

FORM = {"key": KEY, "strategy_name": "swing"}


def spoil(file, kept: int = 4096) -> None:
    """Everything behind so many bytes, as a bad disk leaves it."""
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with file.open("r+b") as out:
        start = kept % file.stat().st_size
        out.seek(start)
        out.write(b"\xa5" * (file.stat().st_size - start))


def spoil_operations(file) -> None:
    """Only the pages where the table of operations begins: all others can be read and written as before."""
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = db.execute("PRAGMA page_size").fetchone()
        roots = db.execute("SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'operations'").fetchall()
    with file.open("r+b") as out:
        for (page,) in roots:
            out.seek((page - 1) * size)
            out.write(b"\xa5" * size)


def starts_on_disk(here) -> list[tuple[str]]:
    with closing(sqlite3.connect(here.settings.memory_file)) as db:
        return db.execute("SELECT key FROM starts").fetchall()


def no_starts(backend) -> bool:
    return not any("start" in hit for hit in backend.hits)


def test_a_damaged_file_is_one_sentence_at_the_start(tmp_path):
    backend = "http://127.0.0.1:9/api/v1"
    seed(tmp_path, backend, *(ended(f"op_{n}", "training", "completed", 100 * n) for n in range(30)))
    file = Settings.from_environ({}, data_folder=tmp_path, backend=backend).memory_file
    for harm in (lambda file: spoil(file, -4096), spoil, lambda file: file.write_bytes(b"no database at all" * 300)):
        harm(file)
        before = file.read_bytes()
        variables = {"KTRDR_PANEL_DATA_DIR": str(tmp_path), "KTRDR_API_CLIENT_BASE_URL": backend}
        with socket.create_server(("127.0.0.1", 0)) as taken:  # nothing could be served anyway
            port = str(taken.getsockname()[1])
            done = CliRunner().invoke(main, ["serve", "--port", port], env=variables)
        assert (done.exit_code, type(done.exception)) == (1, SystemExit)
        output = " ".join(done.output.split())
        assert output.startswith("Error: The panel's memory ") and f"{file} cannot be used" in output
        assert "`ktrdr-panel restore` puts a backup in its place" in output
        assert file.read_bytes() == before  # never written over


@pytest.mark.usefixtures("quick_rounds")
def test_a_file_that_is_damaged_while_the_panel_runs_is_reported_on_every_page(address, backend, tmp_path, caplog):
    seed(tmp_path, address, *(ended(f"op_{n}", "training", "completed", 100 * n) for n in range(300)))
    with panel(tmp_path, address) as here, caplog.at_level(logging.ERROR):
        spoil(here.settings.memory_file)
        until(lambda: "Memory damaged" in words(here.get("/workers").text))
        assert here.get("/").status_code == 503
        with stream(here, "home") as at_home:
            at_home.until(lambda shown: "Memory damaged" in shown.places.get("line", ""))
        for path in ("/", "/operations"):
            assert "Stop the panel. `ktrdr-panel restore` puts a backup in its place" in words(here.get(path).text)
        assert here.get("/healthz").status_code == 200 and here.get("/readyz").status_code == 503
        assert here.post("/start/training", FORM).status_code == 503 and no_starts(backend)
        assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.usefixtures("quick_rounds")
def test_no_start_is_sent_with_a_damaged_memory_that_still_takes_its_intent(address, backend, tmp_path, monkeypatch):
    """It may forget what was sent, and the same key would start it again."""
    monkeypatch.setattr("panel.workflows.queue.ROUND", 0.1)
    seed(tmp_path, address, *(ended(f"op_{n}", "training", "completed", 100 * n) for n in range(3)))
    with panel(tmp_path, address) as here:
        assert here.post("/start/training", FORM | {"key": "waits" * 4, "wait": "1"}).status_code == 303
        spoil_operations(here.settings.memory_file)
        until(lambda: here.get("/").status_code == 503 and "Memory damaged" in words(here.get("/workers").text))
        backend.workers = [worker("w1")]
        for kind in ("dummy", "training", "data_load"):
            answer = here.post(f"/start/{kind}", FORM | {"symbol": "EURUSD", "timeframe": "1h", "mode": "tail"})
            assert answer.status_code == 503 and "malformed. Nothing was started." in words(answer.text)
            body = {name: value for name, value in LOAD.items() if kind == "data_load"}
            body |= {"strategy_name": "swing"} if kind == "training" else {}
            key = {"Idempotency-Key": f"{KEY}-{kind}"}
            answer = httpx.post(f"{here.address}/api/start/{kind}", json=body, headers=key, timeout=120)
            assert answer.status_code == 503 and "malformed" in answer.json()["detail"]
        listed = backend.hits["GET /workers"]
        until(lambda: backend.hits["GET /workers"] > listed + 5)  # what waits in the queue does not begin either
        assert no_starts(backend) and starts_on_disk(here) == []


@pytest.mark.usefixtures("quick_rounds")
@pytest.mark.parametrize("replaced", [False, True])
def test_a_missing_file_is_reported_and_no_start_is_sent_without_it(here, backend, replaced):
    file = here.settings.memory_file
    backend.operations["op_a"] = operation("op_a", progress=percent(50))
    here.read("op_a")
    aside = file.rename(file.with_suffix(".aside"))
    if replaced:
        file.touch()
    answer = here.post("/start/training", FORM)
    assert answer.status_code == 503 and f"{GONE}. Nothing was started. Put the same file back" in words(answer.text)
    assert here.post("/api/v1/operations", FORM).status_code >= 400 and no_starts(backend)
    until(lambda: f"The panel cannot write its memory: {GONE}" in words(here.get("/").text))
    assert GONE in here.get("/readyz").text and file.exists() is replaced  # not made anew behind its back
    aside.replace(file)
    assert here.post("/start/training", FORM).status_code == 303
    until(lambda: "cannot write its memory" not in words(here.get("/").text))


@pytest.mark.anyio
async def test_damage_stays_reported_although_writing_works(tmp_path):
    with closing(Storage(tmp_path / "panel.db")) as store:
        recorder = Recorder(store, EventBus())
        for error, stays in (("disk I/O error", False), ("database disk image is malformed", True)):
            recorder.failed(sqlite3.DatabaseError(error))
            assert await recorder.attempt(Storage.unsettled_starts)
            assert (recorder.failing_since is not None) is stays


@pytest.mark.anyio
async def test_the_first_write_does_not_recreate_a_deleted_file(tmp_path):
    with closing(Storage(tmp_path / "panel.db")) as store:
        store.path.unlink()
        with pytest.raises(FileGone):
            await store.write(Storage.unsettled_starts)
        assert not store.path.exists()


@pytest.mark.anyio
async def test_a_write_into_a_file_that_was_deleted_meanwhile_counts_for_nothing(tmp_path):
    """It went into a file that nobody finds any more."""

    def claimed(store):
        store.claim(KEY, "training", {}, None)
        store.path.unlink()
        return "claimed"

    with closing(Storage(tmp_path / "panel.db")) as store:
        with pytest.raises(FileGone):
            await store.write(claimed)
        assert not store.path.exists()


def test_a_clock_that_is_years_ahead_once_deletes_nothing(tmp_path):
    with closing(Storage(tmp_path / "panel.db")) as store:
        today = 20_000 * DAY
        assert [store.day_seen(today + n * DAY) for n in range(3)] == [None, None, today]
        store.estimates.note_watch(today, today + 2 * DAY)
        assert store.day_seen(today + 1000 * DAY) == today + DAY  # nothing is older than it was
        assert store.estimates.absences(0, today + 2000 * DAY) == []
        assert store.day_seen(today + 3 * DAY) == today + DAY  # the wrong day is struck out
        assert [store.day_seen(today + n * DAY) for n in (1000, 1001, 1002)][-1] == today + 1000 * DAY


@pytest.mark.anyio
async def test_retention_drops_by_days_seen_and_a_bounded_number(tmp_path, monkeypatch):
    backend = "http://127.0.0.1:9/api/v1"
    seed(tmp_path, backend, *(ended(f"op_{n}", "training", "completed", (40 + n) * DAY) for n in range(8)))
    monkeypatch.setattr(retention, "MAX_DROPPED", 3)
    monkeypatch.setattr("panel.storage.store.BATCH", 1)
    with closing(Storage(Settings.from_environ({}, data_folder=tmp_path, backend=backend).memory_file)) as store:
        left = []
        store.day_seen(time.time() - 2 * DAY)
        assert await store.drop_old(30) == 0  # too few days were seen
        store.day_seen(time.time() - DAY)
        for _ in range(3):
            await store.drop_old(30)
            left.append(sum(store.memory.counts().values()))
        assert left == [5, 2, 0]  # three an hour


def test_what_the_panel_keeps_is_readable_by_its_owner_only(tmp_path):
    folder = tmp_path / "data" / "panel"
    old = tmp_path / "old.db"
    old.touch(mode=0o644)  # of a version that left it open
    with closing(Storage(folder / "panel.db")) as store, closing(Storage(old)), process_lock(store.path):
        StartedStrategies(folder / "panel.files").keep(KEY, "swing", "name: swing\n")
        versions = StrategyFolder(tmp_path / "shared", folder / "panel.files" / "versions")
        versions.folder.mkdir()
        versions.save("swing", "name: swing\n", "")
        versions.delete("swing", digest("name: swing\n"))
        Ledger(tmp_path / "data" / "embedded" / "operations.db").create()
        kept = [*(tmp_path / "data").rglob("*"), tmp_path / "data", *tmp_path.glob("old.db*")]
        assert {file.name for file in kept} > {"panel.db-wal", "panel.turn", "starts", "versions", "operations.db"}
        assert [str(file) for file in kept if file.stat().st_mode & 0o077] == []


def test_nothing_can_be_written_on_the_event_loop(address, tmp_path):
    with inside(tmp_path, address) as here, pytest.raises(sqlite3.OperationalError, match="readonly"):
        panel_of(here.app).storage.claim(KEY, "training", {}, None)
