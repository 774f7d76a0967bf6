"""Messages to a server that stands in for a webhook: each arrives once, whatever happens in between."""

import asyncio
import re
import sqlite3
import time
from contextlib import closing, contextmanager
from threading import Event

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from panel.workflows import notifications
from panel.workflows.channels import BadChannel, channel_of, send
from tests.support.history import DAY, ended, seed
from tests.support.pages import until
from tests.support.panels import free_port, panel
from tests.support.scripted import RESULT, operation, percent, served, stamp

CANARY = "canary-token"


class Service:
    """Keeps what it is sent; answers with `status`, or what a call of it returns."""

    def __init__(self, status=200):
        self.status = status
        self.headers = {}
        self.hits = 0
        self.free = Event()  # it does not answer before this is set
        self.free.set()
        self.received: list[dict] = []
        self.app = Starlette(routes=[Route("/{rest:path}", self._take, methods=["POST", "GET"])])

    async def _take(self, request):
        self.hits += 1
        await asyncio.to_thread(self.free.wait, 60)
        self.received += [await request.json()] if request.method == "POST" else []
        return Response(status_code=self.status, headers=self.headers)

    def bodies(self) -> list[str]:
        return [each["message"] for each in self.received]

    def titles(self) -> list[str]:
        return [each["title"] for each in self.received]


@contextmanager
def channel(service, port=0):
    with served(service.app, port) as address:
        yield f"json://me:{CANARY}@{address.removeprefix('http://')}/hook"


def arrived(page: str) -> int:
    return len(re.findall(r">\s*Sent\s*<", page))


def sent(here, reached) -> str:
    return soon(here, "/notifications", reached)


def soon(here, path, reached) -> str:
    """The page once it is as wished; the backend is asked all the time, as if somebody watched."""

    def asked(page: str) -> bool:
        here.post("/look-now")
        return reached(page)

    return here.until(path, asked)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(notifications, "ROUND", 0.05)
    monkeypatch.setattr(notifications, "RETRIES", (0.1,))


def fail(backend, name="op_a"):
    backend.operations[name] = operation(
        name, "training", "failed", error_message="Out of memory", completed_at=stamp(), progress=percent(10)
    )


def test_a_failure_causes_one_message_and_an_end_only_on_request(backend, address, tmp_path):
    service = Service()
    backend.operations["op_a"] = operation("op_a", progress=percent(10))
    backend.operations["op_b"] = operation("op_b", progress=percent(10))
    with channel(service) as url, panel(tmp_path, address, notify=(url,)) as here:
        here.read("op_a", "op_b")
        backend.operations["op_b"] = operation("op_b", status="completed", result_summary=RESULT, completed_at=stamp())
        soon(here, "/operations/op_b", lambda page: "Completed" in page)
        fail(backend)
        page = sent(here, lambda page: arrived(page))
        assert service.titles() == ["Training swing: failed"] and page.count("Training swing") == 1
        (message,) = service.received
        assert f"{here.address}/operations/op_a" in message["message"]
        assert CANARY not in page and "KTRDR_PANEL_NOTIFY" in page

        here.post("/notifications/rules", {"rule": "ends"})
        backend.operations["op_c"] = operation("op_c", progress=percent(10))
        here.read("op_c")
        backend.operations["op_c"] = operation("op_c", status="completed", result_summary=RESULT, completed_at=stamp())
        sent(here, lambda page: "completed" in page)
        assert len(service.received) == 2 or sent(here, lambda page: arrived(page) == 2)
    with channel(service) as url, panel(tmp_path, address, notify=(url,)) as here:
        assert 'value="ends" checked' in here.get("/notifications").text
        assert 'value="failures">' in here.get("/notifications").text
    assert len(service.received) == 2


def test_a_message_about_a_tagged_run_has_its_name(backend, address, tmp_path):
    service = Service()
    with channel(service) as url, panel(tmp_path, address, notify=(url,)) as here:
        assert here.post("/notifications/rules", {"tags": "#Trial, other"}).status_code == 303
        assert 'value="trial other"' in here.get("/notifications").text
        for name, tags in (("op_a", "mine"), ("op_b", "other mine")):
            backend.operations[name] = operation(name, progress=percent(10))
            here.read(name)
            label = {"name": f"run {name}", "tags": tags, "note": "", "version": "0"}
            assert here.post(f"/operations/{name}/label", label).status_code == 303
            done = {"status": "completed", "result_summary": RESULT, "completed_at": stamp()}
            backend.operations[name] = operation(name, **done)
            soon(here, f"/operations/{name}", lambda page: "Completed" in page)
        sent(here, lambda page: arrived(page))
    assert service.titles() == ["Training run op_b: completed"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("jsons://hooks.example.org/services/SECRET/1a", "jsons://hooks.example.org/s...s/S...T/1a"),
        ("json://me:SECRET@host/hook?+X-Token=SECRET", "json://me:****@host/hook"),
        ("json://SECRET@host/hook", "json://S...T@host/hook"),
        ("ntfy://ntfy.sh/SECRETTOPIC", "ntfy://ntfy.sh/S...C"),
        ("https://discord.com/api/webhooks/4174216298/SECRETSECRETSECRET", "discord://4...8/S...T/"),
    ],
)
def test_what_is_shown_of_an_address_gives_nothing_away(url, shown):
    assert channel_of(url).shown == shown


def test_a_service_that_is_late_keeps_no_other_waiting(backend, address, tmp_path):
    late, quick = Service(), Service()
    late.free.clear()
    with channel(late) as slow, channel(quick) as fast, panel(tmp_path, address, notify=(slow, fast)) as here:
        for name in ("op_a", "op_b"):
            fail(backend, name)
            backend.operations[name], ended = operation(name, progress=percent(10)), backend.operations[name]
            here.read(name)
            backend.operations[name] = ended
            until(lambda name=name: here.post("/look-now") and name in str(quick.received))
        assert (late.hits, late.received) == (1, [])
        late.free.set()
        sent(here, lambda page: arrived(page) == 4)
    assert (late.hits, quick.hits) == (2, 2)


def test_a_channel_leads_to_no_other_address():
    other = Service()
    with served(other.app) as elsewhere:
        service = Service()
        service.headers = {"location": f"{elsewhere}/"}
        for status in (302, 307, 308):
            service.status = status
            with channel(service) as url:
                assert send(url, "A title", "A body")[0] == "failed"
    assert len(service.received) == 3 and other.hits == 0


def test_a_better_training_causes_a_message(backend, address, tmp_path):
    service = Service()
    good, better = ({"test_metrics": {"test_accuracy": share}} for share in (0.6, 0.7))
    seed(tmp_path, address, ended("op_old", "training", "completed", DAY, 10.0, "swing", result_summary=RESULT | good))
    with channel(service) as url, panel(tmp_path, address, notify=(url,)) as here:
        for name, result in (("op_a", better), ("op_b", good)):
            backend.operations[name] = operation(name, progress=percent(10))
            here.read(name)
            done = {"status": "completed", "result_summary": RESULT | result, "completed_at": stamp()}
            backend.operations[name] = operation(name, **done)
            soon(here, f"/operations/{name}", lambda page: "Completed" in page)
        fail(backend, "op_c")
        here.read("op_c")
        sent(here, lambda page: arrived(page))
        assert service.titles() == ["Training swing: best so far of 2"]


def test_a_service_that_is_down_or_refuses_gets_the_message_later(backend, address, tmp_path):
    service, port = Service(500), free_port()
    backend.operations["op_a"] = operation("op_a", progress=percent(10))
    with panel(tmp_path, address, notify=(f"json://127.0.0.1:{port}/hook",)) as here:
        here.read("op_a")
        fail(backend)
        sent(here, lambda page: "tries so far" in page)
        with channel(service, port):
            sent(here, lambda page: len(service.received) > 1)  # it answers 500
            service.status = 200
            sent(here, lambda page: arrived(page))
            before = len(service.received)
    with channel(service, port), panel(tmp_path, address, notify=(f"json://127.0.0.1:{port}/hook",)) as here:
        fail(backend, "op_b")
        here.post("/notifications/channels/" + channel_of(f"json://127.0.0.1:{port}/hook").id + "/test")
        sent(here, lambda page: arrived(page) == 2)
        assert service.titles()[before:] == ["KTRDR panel: a test"]


def test_what_was_being_sent_when_the_panel_stopped_is_not_sent_again(address, tmp_path):
    service = Service()
    with channel(service) as url:
        with panel(tmp_path, address):
            pass
        (file,) = (tmp_path / "panel").glob("*.db")
        with closing(sqlite3.connect(file)) as db, db:
            row = ("end:x:1", channel_of(url).id, "Training x: failed", "", "sending", 1, time.time(), 0.0, "")
            db.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        with panel(tmp_path, address, notify=(url,)) as here:
            page = sent(here, lambda page: "Not confirmed" in page)
            assert "The panel stopped while it was being sent" in page
            here.post(f"/notifications/channels/{channel_of(url).id}/test")
            sent(here, arrived)
    assert service.titles() == ["KTRDR panel: a test"]


def test_an_end_while_the_memory_is_locked_is_sent_once_it_is_not(backend, address, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("panel.storage.store.WRITE_LOCK_TIMEOUT", 0.05)
    service = Service()
    backend.operations["op_a"] = operation("op_a", progress=percent(10))
    with channel(service) as url, panel(tmp_path, address, notify=(url,)) as here:
        here.read("op_a")
        (file,) = (tmp_path / "panel").glob("*.db")
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            fail(backend)
            soon(here, "/operations/op_a", lambda page: "Out of memory" in page)
            until(lambda: "notifications wait for the memory" in caplog.text)
            assert "Training swing: failed" not in service.titles()
            other.execute("ROLLBACK")
        sent(here, lambda page: ">Training swing: failed<" in page and arrived(page))
    assert service.titles().count("Training swing: failed") == 1


def test_channels_are_added_and_removed_on_the_page(here):
    service = Service()
    with channel(service) as url:
        assert here.post("/notifications/channels", {"url": url}).status_code == 303
        page = here.get("/notifications").text
        assert "me:****@" in page and CANARY not in page and "KTRDR_PANEL_NOTIFY" not in page
        again = here.post("/notifications/channels", {"url": url})
        assert again.status_code == 422 and "there already" in again.text
        gone = here.post(f"/notifications/channels/{channel_of(url).id}/remove")
        assert gone.status_code == 303 and "No channel yet" in here.get("/notifications").text


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hello",
        "file:///etc/passwd",
        "dbus://",
        "syslog://",
        "gnome://",
        "macosx://",
        "windows://",
        "json://a\nb",
        "json://" + "x" * 600,
    ],
)
def test_what_is_no_channel_is_refused_with_what_was_typed(here, url):
    with pytest.raises(BadChannel):
        channel_of(url)
    answer = here.post("/notifications/channels", {"url": url})
    assert answer.status_code == 422 and 'id="url-error"' in answer.text
    assert here.get("/notifications").text.count("No channel yet") == 1


def test_a_wrong_address_in_the_environment_costs_nothing_else(backend, address, tmp_path):
    service = Service()
    with channel(service) as url, panel(tmp_path, address, notify=(f"nonsense{CANARY}", url)) as here:
        page = here.get("/notifications").text
        assert "KTRDR_PANEL_NOTIFY, address 1" in page and CANARY not in page
        assert page.count('aria-label="Send a test') == 1


def test_a_lost_worker_and_a_silent_backend_cause_messages(backend, tmp_path, monkeypatch, quick_rounds):
    monkeypatch.setattr(notifications, "SILENT", 0.3)
    service, port = Service(), free_port()
    worker = {"worker_id": "training-1", "worker_type": "training", "status": "busy", "current_operation_id": "op_a"}
    backend.workers, backend.operations["op_a"] = [worker], operation("op_a", progress=percent(40))
    with channel(service) as url, panel(tmp_path, f"http://127.0.0.1:{port}/api/v1", notify=(url,)) as here:
        with served(backend.app, port):
            here.until("/workers", lambda page: "training-1" in page)
            backend.workers = [worker | {"status": "temporarily_unavailable"}]
            sent(here, lambda page: ">Worker training-1 is gone<" in page)
        sent(here, lambda page: ">The backend does not answer<" in page)
        with served(backend.app, port):
            sent(here, lambda page: ">The backend answers again<" in page and arrived(page) >= 3)
    assert set(service.titles()) == {
        "Worker training-1 is gone",
        "The backend does not answer",
        "The backend answers again",
    }
    assert service.titles().count("Worker training-1 is gone") == 1
    message = next(body for body in service.bodies() if "It worked on" in body)
    assert "It worked on Training" in message and "/operations/op_a" in message
