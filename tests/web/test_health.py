"""What those who keep the panel running are told: that it lives, and whether it can work."""

from panel.storage.store import Storage
from tests.support.panels import free_port, panel
from tests.support.scripted import served


def test_it_is_ready_once_the_backend_has_answered(here):
    here.until("/readyz", lambda text: '"ready"' in text)
    ready = here.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "reasons": []})


def test_a_backend_that_is_away_makes_it_not_ready_and_still_alive(tmp_path, backend):
    port = free_port()
    with panel(tmp_path, f"http://127.0.0.1:{port}/api/v1") as here:
        here.until("/readyz", lambda text: "Could not connect" in text)
        answer = here.get("/readyz")
        assert answer.status_code == 503 and f"127.0.0.1:{port}" in answer.json()["reasons"][0]
        assert here.get("/healthz").json()["status"] == "ok" and here.get("/healthz").status_code == 200
        with served(backend.app, port):
            here.until("/readyz", lambda text: '"ready"' in text)


def test_a_memory_that_cannot_be_written_says_why(tmp_path):
    store = Storage(tmp_path / "memory.db")
    assert store.write_problem() == ""
    store._db.execute("PRAGMA query_only = 1")  # what a disk that turned read-only does
    assert store.write_problem() == "attempt to write a readonly database"
    store.close()
