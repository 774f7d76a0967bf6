"""Trainings that wait in the queue for a worker: each is started once, in order, whatever stops in between."""

import httpx
import pytest

from panel.backend.ktrdr import Ktrdr
from panel.workflows.capacity import Capacity
from tests.support.pages import KEY, until, words
from tests.support.panels import PLAIN, free_port, panel, stream
from tests.support.parts import monitor_of
from tests.support.scripted import Backend, operation, served, stamp
from tests.support.workers import worker

BUSY = {"error": "No training workers available", "worker_type": "training", "registered_workers": 1, "hint": "Wait."}


@pytest.fixture(autouse=True)
def quick_queue(monkeypatch):
    monkeypatch.setattr("panel.workflows.queue.ROUND", 0.1)
    monkeypatch.setattr("panel.workflows.capacity.WORKERS_EVERY", 0.1)
    monkeypatch.setattr("panel.workflows.queue.REFUSED_PAUSE", 0.1)
    monkeypatch.setattr("panel.monitoring.discovery.INTERVAL", 0.1)
    monkeypatch.setattr("panel.storage.store.SETTLED", 0.3)  # the backend here is quick


@pytest.fixture(autouse=True)
def one_worker(backend: Backend) -> None:
    """It is busy as long as any training runs."""

    def workers(request):
        running = [name for name, each in backend.operations.items() if each["status"] == "running"]
        return 200, [worker("w1", "busy", running[0]) if running else worker("w1")]

    backend.answers["GET /workers"] = workers


def queued(here, key: str = KEY, strategy: str = "swing", **more: str):
    return here.post("/start/training", {"key": key, "strategy_name": strategy, "insist": "1", "wait": "1", **more})


def started(backend: Backend) -> list[str]:
    return [body["strategy_name"] for hit, body in backend.bodies if hit == "POST /trainings/start"]


def ends(backend: Backend) -> None:
    for name, each in backend.operations.items():
        if each["status"] == "running":
            backend.operations[name] = operation(name, status="completed", completed_at=stamp())


def test_with_a_free_worker_it_starts_at_once(here, backend):
    until(lambda: here.inside.panel.monitor.worker_list.workers)
    assert queued(here).headers["location"].startswith("/operations/op_training_")


def test_five_run_one_after_another_in_order_and_a_restart_loses_none(address, backend, tmp_path):
    names = [f"swing_{n}" for n in range(5)]
    with panel(tmp_path, address) as here:
        until(lambda: here.inside.panel.monitor.worker_list.workers)
        for n, name in enumerate(names):
            queued(here, f"key-{n}".ljust(16, "x"), name)
        until(lambda: started(backend) == names[:1])
        page = words(here.get("/queue").text)
        assert "4 waiting, 1 under way" in page and "swing_1 Training Waits: every worker is busy" in page
        assert "swing_2 Training Waits: after those before it" in page
        assert "4 in the queue" in words(here.get("/").text)
    with panel(tmp_path, address):
        for n in range(1, 5):
            ends(backend)
            until(lambda n=n: started(backend) == names[: n + 1])


def test_order_hold_and_removal_count(here, backend):
    until(lambda: here.inside.panel.monitor.worker_list.workers)
    keys = {name: f"key-{name}".ljust(16, "x") for name in ("first", "held", "gone", "last", "jumps")}
    for name, key in keys.items():
        queued(here, key, name)
    until(lambda: started(backend) == ["first"])
    with stream(here, "queue") as reader:
        here.post(f"/queue/{keys['held']}/hold")
        here.post(f"/queue/{keys['gone']}/cancel")
        here.post(f"/queue/{keys['jumps']}/move", {"where": "top"})
        reader.until(lambda seen: "Release held" in seen.places.get("entries", ""))
    for expected in (["first", "jumps"], ["first", "jumps", "last"]):
        ends(backend)
        until(lambda expected=expected: started(backend) == expected)
    ends(backend)
    here.post(f"/queue/{keys['held']}/release")
    until(lambda: started(backend) == ["first", "jumps", "last", "held"])
    assert here.post(f"/queue/{keys['held']}/move", {"where": "aside"}).status_code == 422


def test_while_the_backend_is_away_a_start_waits_in_the_queue_and_begins_once(tmp_path, backend):
    port = free_port()
    with panel(tmp_path, f"http://127.0.0.1:{port}/api/v1") as here:
        here.until("/", lambda text: "Backend unreachable" in text)
        assert "Add to the queue" in here.get("/start/training").text
        check = here.post("/start/training/look", {"strategy_name": "swing"}, **{"hx-request": "true"}).text
        assert "waits in the queue until it answers" in words(check) and "Add to the queue" in check
        refused = here.post("/start/training", {"key": KEY, "strategy_name": "swing"})
        assert refused.status_code == 502 and "The start can wait in the queue." in words(refused.text)
        assert "Add to the queue" in refused.text
        assert queued(here, "another-key-0123").headers["location"] == "/queue"
        assert "Waits: the backend cannot be reached" in words(here.get("/queue").text)
        with served(backend.app, port):
            until(lambda: backend.operations)
            here.until("/start/training", lambda text: "Add to the queue" not in text)
            until(lambda: here.get("/api/queue").json()["entries"][0]["state"] == "running")
        assert started(backend) == ["swing"]


def test_a_busy_backend_that_refuses_is_asked_again_later(here, backend):
    """The list of workers is older than what the backend knows."""
    until(lambda: here.inside.panel.monitor.worker_list.workers)
    backend.answers["POST /trainings/start"] = (503, {"detail": BUSY})
    queued(here)
    until(lambda: backend.hits["POST /trainings/start"] >= 2)
    del backend.answers["POST /trainings/start"]
    until(lambda: len(backend.operations) == 1)
    until(lambda: here.get("/api/queue").json()["entries"][0]["operation_id"] in backend.operations)


def test_what_the_backend_refuses_for_good_leaves_the_queue(here, backend):
    until(lambda: here.inside.panel.monitor.worker_list.workers)
    backend.answers["POST /trainings/start"] = (400, {"detail": "Strategy not found: swing"})
    page = queued(here)
    assert page.status_code == 422 and "Strategy not found" in words(page.text)
    assert here.get("/api/queue").json()["entries"] == []


@pytest.mark.anyio
async def test_what_took_the_worker_meanwhile_is_found_by_the_one_who_waits_for_it(client, store, backend):
    """Discovery, which lists the workers every ten seconds, would find it later."""
    ktrdr, monitor = Ktrdr(client), monitor_of(client, store)
    backend.answers["GET /workers"] = (200, [worker("w1", "busy", "op_training_ended")])
    monitor.take_worker_list(await ktrdr.workers())
    backend.answers["GET /workers"] = (200, [worker("w1", "busy", "op_training_theirs")])
    backend.operations["op_training_theirs"] = operation("op_training_theirs")
    await Capacity(ktrdr, store, monitor).ask_for_workers({"training"})
    assert [each.snapshot.id for each in monitor.running()] == ["op_training_theirs"]


def test_the_form_says_before_the_click_that_it_will_wait(here, backend):
    queued(here)
    until(lambda: started(backend) == ["swing"])
    until(lambda: here.inside.panel.monitor.worker_list.working_on(next(iter(backend.operations))))
    text = here.post("/start/training/look", {"strategy_name": "swing"}, **{"hx-request": "true"}).text
    assert "The start waits in the queue." in words(text)
    button = text.partition('hx-target="#start-go"')[2]
    assert "Add to the queue" in button and 'name="wait" value="1"' in button
    queued(here, "another-key-0123", "other")
    text = words(here.post("/start/training/look", {"strategy_name": "swing"}, **{"hx-request": "true"}).text)
    assert "The queue has 1 training before this one." in text


def test_a_worker_to_which_a_start_was_just_sent_is_not_called_free(here, backend, monkeypatch):
    monkeypatch.setattr("panel.monitoring.discovery.INTERVAL", 600.0)  # the list of workers stays as it was
    monkeypatch.setattr("panel.workflows.capacity.WORKERS_EVERY", 600.0)
    until(lambda: here.inside.panel.monitor.worker_list.workers)
    here.post("/start/training", {"key": KEY, "strategy_name": "swing", "insist": "1"})
    text = words(here.post("/start/training/look", {"strategy_name": "swing"}, **{"hx-request": "true"}).text)
    assert "is free: another start was just sent" in text or "is free: w1 works on" in text
    assert "Add to the queue" in text


def test_a_refusal_for_lack_of_a_worker_offers_to_wait(here, backend):
    backend.answers["POST /trainings/start"] = (
        503,
        {"detail": BUSY},
    )
    form = {"key": KEY, "strategy_name": "swing", "insist": "1"}
    page = here.post("/start/training", form)
    assert page.status_code == 422 and "Add to the queue" in page.text and 'name="wait" value="1"' in page.text


def acted(here, path: str, body: dict | None, key: str) -> httpx.Response:
    return httpx.post(here.address + path, json=body, headers={"Idempotency-Key": key}, timeout=120, verify=PLAIN)


def test_over_the_api(here, backend):
    until(lambda: here.inside.panel.monitor.worker_list.workers)
    names = ("first", "second", "third")
    for name in names:
        body = {"strategy_name": name, "queue": True, "confirm": ["insist"]}
        answer = acted(here, "/api/start/training", body, key=f"key-{name}")
        assert answer.status_code in (201, 202), answer.text
    until(lambda: started(backend) == ["first"])
    entries = here.get("/api/queue").json()["entries"]
    assert [each["form"]["strategy_name"] for each in entries] == list(names) and entries[1]["state"] == "waiting"
    third = entries[2]["key"]
    assert acted(here, f"/api/queue/{third}/move", {"where": "up"}, key="move-it-1").status_code == 204
    assert acted(here, f"/api/queue/{third}/move", {"where": "up"}, key="move-it-1").status_code == 204
    assert acted(here, f"/api/queue/{third}/hold", None, key="hold-it-1").status_code == 204
    assert here.get("/api/queue").json()["entries"][1] | {"asked_at": ""} == entries[2] | {
        "place": 2,
        "held": True,
        "asked_at": "",
    }
    assert acted(here, f"/api/queue/{third}/release", None, key="let-it-1").status_code == 204
    assert acted(here, f"/api/queue/{third}/cancel", None, key="cancel-it").status_code == 204
    assert acted(here, "/api/queue/none/hold", None, key="hold-it-2").status_code == 404
