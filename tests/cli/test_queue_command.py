"""`ktrdr-panel queue` and `--queue`: over the memory that a panel shares, without a panel or a backend."""

import json
import socket

import pytest
from click.testing import CliRunner

from panel.cli.main import main
from panel.domain.queueing import MAX_ENTRIES
from panel.domain.requests import EntryState, Request
from panel.domain.schedules import Schedule
from panel.settings import Settings
from panel.storage.store import Storage

BACKEND = "http://ktrdr.test:8000/api/v1"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A command; returns exit code and everything that it says."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("KTRDR_PANEL_PORT", str(free.getsockname()[1]))
    monkeypatch.setenv("KTRDR_PANEL_DATA_DIR", str(tmp_path))

    def ran(*given):
        result = CliRunner().invoke(main, [*given, "--backend", BACKEND] if given[0] in ("train", "load") else given)
        return result.exit_code, result.output

    return ran


@pytest.fixture
def store(run, monkeypatch):
    monkeypatch.setenv("KTRDR_API_CLIENT_BASE_URL", BACKEND)
    with_it = Storage(Settings.from_environ().memory_file)
    yield with_it
    with_it.close()


def test_a_start_is_left_to_the_panel(run, store):
    code, output = run("train", "swing", "--start", "2024-01-01", "--queue")
    (entry,) = store.queue.open()
    assert code == 0 and f"Training swing 2024-01-01 is in the queue, place 1: {entry.key[:8]}" in output
    assert "No panel answers" in output and (entry.kind, entry.actor) == ("training", "the command line")
    assert entry.form["strategy_name"] == "swing" and entry.form["start_date"] == "2024-01-01"
    assert "place 2" in run("load", "EURUSD", "1h", "--queue")[1]
    code, output = run("queue")
    assert code == 0 and "waiting" in output and "Data load EURUSD 1h" in output
    assert [each["kind"] for each in json.loads(run("queue", "--json")[1])["entries"]] == ["training", "data_load"]


def test_what_cannot_be_started_is_not_queued(run, store):
    assert run("train", "swing", "--start", "soon", "--queue")[0] == 2
    store.queue.add([Request(f"key-{number}", "dummy", {}) for number in range(MAX_ENTRIES)])
    code, output = run("train", "swing", "--queue")
    assert code == 1 and "The queue is full: 1,000 starts wait in it already." in output
    assert len(store.queue.open("training")) == 0


def test_only_what_waits_is_removed(run, store):
    for key in ("ab-1", "ab-2", "cd-3", "-e-4"):
        store.queue.add([Request(key, "training", {"strategy_name": key})])
    store.queue.settle("cd-3", EntryState.RUNNING, operation_id="op_a")
    assert run("queue", "cancel", "ab")[0] == run("queue", "cancel", "zz")[0] == run("queue", "cancel")[0] == 2
    code, output = run("queue", "cancel", "ab-1", "cd", "-e")
    assert (
        code == 1
        and "Removed ab-1." in output
        and "cd-3 does not wait any more." in output
        and "operations/op_a" in output
    )
    assert [entry.key for entry in store.queue.open()] == ["ab-2", "cd-3"]
    assert run("queue", "cancel", "--all")[0] == 0
    assert [entry.key for entry in store.queue.open()] == ["cd-3"]


def test_schedules_are_listed(run, store):
    assert "Nothing is repeated." in run("schedules")[1]
    days = frozenset(range(5))
    form = {"symbol": "eurusd", "timeframe": "1h"}
    for key, upcoming in (("k1", 1_795_714_200.0), ("k2", None)):
        made = Schedule(key, "data_load", form, days, "18:30", "Europe/Berlin", upcoming is not None, upcoming, 1.0, "")
        store.schedules.add(made)
    code, output = run("schedules")
    assert code == 0 and "Data load EURUSD 1h" in output and "every weekday at" in output and "off" in output
