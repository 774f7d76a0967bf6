"""Files of earlier versions are brought up to date; what cannot be read is refused and stays as it is."""

import dataclasses
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from docs.schema import FILE
from docs.schema import schema as written
from panel.backend.entities import snapshot_of
from panel.domain.gaps import Range
from panel.domain.history import OperationQuery
from panel.storage.schema import VERSION, migrate
from panel.storage.store import Storage
from tests.support.scripted import operation

DUMP = Path(__file__).parent / "data" / "version_8.sql"


@pytest.fixture
def old(tmp_path):
    """A file as version 8 wrote it."""
    path = tmp_path / "panel.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(DUMP.read_text())
    return path


def schema(path: Path) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    return {(name, re.sub(r"\s*([(),])\s*", r"\1", " ".join(sql.split()))) for name, sql in rows}


def measures(path: Path) -> list[tuple[int, str]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT id, name FROM measures ORDER BY id").fetchall()


def test_a_file_of_version_8_keeps_everything(old):
    with closing(Storage(old)) as store:
        observation = store.memory.recall("op_a")
        assert observation is not None and len(observation.snapshot.epochs) == 2
        found = store.memory.find(OperationQuery(kind="training", search="swing eurusd", sort="test_accuracy"))
        assert found == ([dataclasses.replace(observation, snapshot=found[0][0].snapshot)], 1), "it is listed"
        assert store.memory.best_before(snapshot_of(operation("op_x"), 0.0), "test_accuracy") == (0.872, 1)
        assert len(store.memory.readings("op_a")) == len(store.memory.requests("op_a")) == 1
        assert store.estimates.promised("op_a") and store.rows()[0][0].symbol == "EURUSD"
        assert [load.state for load in store.queue.open("data_load")] == ["unconfirmed", "waiting"]
        made = store.start_of("op_a")
        assert made is not None and (made.owner, made.state) == ("", "started")


def test_starts_of_version_8_learn_their_owner(old):
    with closing(Storage(old)) as store:
        first, second = (store.start_for("load-key-000000000000", attempt) for attempt in (0, 1))
        assert first is not None and (first.state, first.message) == ("refused", "busy")
        assert second is not None and (second.state, second.actor) == ("unconfirmed", "the command line")
        training = store.start_for("plan-key-000000000000-train")
        assert training is not None and training.operation_id == "op_b"


def test_an_upgraded_file_has_the_schema_of_a_new_one(old, tmp_path):
    for path in (old, tmp_path / "new.db"):
        Storage(path).close()
    assert schema(old) == schema(tmp_path / "new.db")
    assert measures(old) == measures(tmp_path / "new.db")


def test_gaps_that_were_judged_by_other_rules_are_looked_for_anew(tmp_path):
    path, stored = tmp_path / "panel.db", Range("EURUSD", "1h", 0.0, 7200.0, 3)
    with closing(Storage(path)) as store:
        store.keep_row(stored, (), 1.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA user_version = 30")
    with closing(Storage(path)) as store:
        assert store.rows() == [(stored, None, 1.0)]


def test_a_new_file_has_what_the_steps_lead_to():
    assert FILE.read_text("utf-8") == written(), "python -m docs.schema writes it anew"


@pytest.mark.parametrize(
    ("version", "why"), [(VERSION + 1, "a newer version of the panel wrote it"), (3, "unreleased")]
)
def test_another_version_is_refused_and_stays_as_it_is(old, version, why):
    with closing(sqlite3.connect(old, isolation_level=None)) as db:
        db.execute(f"PRAGMA user_version = {version}")
    before = schema(old)
    with pytest.raises(sqlite3.DatabaseError, match=why):
        Storage(old)
    assert schema(old) == before
    with closing(sqlite3.connect(old)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (version,)


def test_an_owner_has_one_start_for_each_attempt(tmp_path):
    with closing(Storage(tmp_path / "panel.db")) as store:
        first, fresh = store.claim("k" * 20, "data_load", {}, None, owner="load", attempt=1)
        again, second_fresh = store.claim("l" * 20, "data_load", {}, None, owner="load", attempt=1)
        assert fresh and not second_fresh and again == first
        assert store.claim("m" * 20, "data_load", {}, None, owner="load", attempt=2)[1]
        assert store.start_for("") is None


def test_a_step_that_fails_leaves_the_memory_as_it_was(tmp_path):
    db = sqlite3.connect(tmp_path / "panel.db", isolation_level=None)
    db.execute("CREATE TABLE operations (id TEXT) STRICT")  # a file that is no memory of ours
    with pytest.raises(sqlite3.Error):
        migrate(db)
    assert [row[0] for row in db.execute("SELECT name FROM sqlite_master")] == ["operations"]
    assert db.execute("PRAGMA user_version").fetchone() == (0,)
