"""Started exactly once, whatever the wire does and however often the button is pressed."""

import asyncio
import sqlite3

import pytest
from starlette.responses import JSONResponse, Response

from panel.adapters import KINDS, DataLoadOperationAdapter, TrainingOperationAdapter
from panel.backend.ktrdr import Ktrdr
from panel.client import AsyncCLIClient
from panel.domain.events import EventBus, StartConfirmed
from panel.live.hub import Hub
from panel.storage.store import Storage
from panel.workflows.resuming import ResumeWorkflow
from panel.workflows.starting import new_key
from tests.support.panels import panel
from tests.support.parts import monitor_of, starts_of
from tests.support.scripted import Backend, operation, stamp

pytestmark = pytest.mark.anyio

TRAINING = {"strategy_name": "swing"}
LOAD = {"symbol": "EURUSD", "timeframe": "1h", "mode": "tail"}
TEST = {"strategy_name": "swing", "start_date": "2024-01-01", "end_date": "2024-02-01", "model_path": "m"}


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr("panel.workflows.starting.CHECKS", (0.01, 0.01))
    monkeypatch.setattr("panel.workflows.starting.ANSWERED_BY", 0.0)


@pytest.fixture
def events():
    return EventBus()


@pytest.fixture
async def monitor(client, store, events):
    monitor = monitor_of(client, store, events)
    task = asyncio.create_task(monitor.run())
    yield monitor
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def posts(backend: Backend, path: str = "/trainings/start") -> int:
    return backend.hits[f"POST {path}"]


async def test_a_start_is_sent_with_an_id_of_the_panels_choice(client, store, backend):
    start = await starts_of(client, store).submit(new_key(), TrainingOperationAdapter("swing"), TRAINING)
    assert (start.state, posts(backend)) == ("started", 1)
    sent = {"strategy_name": "swing", "task_id": start.operation_id, "detailed_analytics": False}
    assert backend.bodies == [("POST /trainings/start", sent)]
    assert start.operation_id in backend.operations


async def test_fifty_submits_at_once_are_one_start(client, store, backend):
    starting, key = starts_of(client, store), new_key()
    starts = await asyncio.gather(
        *(starting.submit(key, TrainingOperationAdapter("swing"), TRAINING) for _ in range(50))
    )
    assert posts(backend) == 1 and len({start.operation_id for start in starts}) == 1


async def test_the_same_key_after_a_restart_starts_nothing(client, tmp_path, backend):
    key, confirmed = new_key(), []
    for _ in range(3):
        store = Storage(tmp_path / "panel.db")
        confirmed.append(await starts_of(client, store).submit(key, TrainingOperationAdapter("swing"), TRAINING))
        store.close()
    assert posts(backend) == 1 and len({start.operation_id for start in confirmed}) == 1


async def test_a_refusal_has_the_backends_message_and_can_be_repeated(client, store, backend):
    backend.answers["POST /trainings/start"] = (400, {"detail": "Strategy file not found: swing.yaml"})
    start = await starts_of(client, store).submit(new_key(), TrainingOperationAdapter("swing"), TRAINING)
    assert (start.state, start.message, posts(backend)) == ("refused", "Strategy file not found: swing.yaml", 1)


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse(
            {"success": False, "error": {"code": "X", "message": "No", "details": {"strategy": "swing"}}}, 400
        ),
        JSONResponse({"detail": {"message": "Not valid", "error_code": "STRATEGY-X", "details": {}}}, 400),
        JSONResponse({"detail": "Unauthorized"}, 401),
        Response("<html>Forbidden", 403),
        Response("404 page not found", 404),
        JSONResponse({"detail": "Method Not Allowed"}, 405),
        JSONResponse({"triggered": False, "reason": "active", "message": "One is active"}, 409),
        JSONResponse({"detail": "month must be in 1..12"}, 422),
    ],
)
async def test_what_says_no_before_anything_begins_is_a_refusal_at_once(client, store, backend, answer):
    backend.answers["POST /trainings/start"] = lambda _: answer
    start = await starts_of(client, store).submit(new_key(), TrainingOperationAdapter("swing"), TRAINING)
    assert start.state == "refused" and not any(hit.startswith("GET /operations/") for hit in backend.hits)


async def test_no_worker_is_a_refusal_but_a_bare_503_is_not(client, store, backend):
    detail = {"error": "No training workers available", "registered_workers": 0, "hint": "Retry in a few seconds."}
    backend.answers["POST /trainings/start"] = (503, {"detail": detail})
    starting = starts_of(client, store)
    assert (await starting.submit(new_key(), TrainingOperationAdapter("swing"), TRAINING)).state == "refused"
    backend.answers["POST /trainings/start"] = lambda _: Response("<html>Bad gateway", 503)
    assert (await starting.submit(new_key(), TrainingOperationAdapter("swing"), TRAINING)).state == "unconfirmed"


async def test_a_refused_connection_means_that_nothing_was_sent(store):
    async with AsyncCLIClient("http://127.0.0.1:9/api/v1", max_retries=0) as client:
        start = await starts_of(client, store).submit(new_key(), TrainingOperationAdapter("swing"), TRAINING)
    assert start.state == "unsent" and "Could not connect" in start.message


async def started_then(backend, answer):
    """The backend starts what it was asked for, and then answers like this."""

    async def play(request):
        body = await request.json()
        new = body.get("task_id") or "op_data_load_new"
        kind = "training" if "strategy_name" in body else "data_load"
        backend.operations[new] = operation(new, kind)
        return await answer() if asyncio.iscoroutinefunction(answer) else answer

    return play


async def _late():
    await asyncio.sleep(0.6)
    return JSONResponse({})


FAILED = {"code": "TRAINING-StartError", "message": "Failed to start", "details": {"error": "connection lost"}}


@pytest.mark.parametrize(
    "answer",
    [
        _late,
        JSONResponse({"detail": "All connection attempts failed"}, 500),
        Response("", 502),
        Response("<html>Request Timeout", 408),
        JSONResponse({"detail": "Request Timeout"}, 408),
        Response("", 499),
        JSONResponse({"detail": "Too Many Requests"}, 429),
        JSONResponse({"success": False, "error": FAILED}, 400),
        JSONResponse({"success": False, "error": "db write failed"}, 200),
    ],
)
async def test_a_training_whose_answer_is_lost_is_found_by_its_id(client, store, backend, answer):
    backend.answers["POST /trainings/start"] = await started_then(backend, answer)
    start = await starts_of(client, store).submit(new_key(), TrainingOperationAdapter("swing"), TRAINING)
    assert (start.state, posts(backend)) == ("started", 1)
    assert start.operation_id in backend.operations


async def test_a_start_that_cannot_be_confirmed_is_never_sent_again(client, store, backend):
    backend.answers["POST /trainings/start"] = (500, {"detail": "All connection attempts failed"})
    starting = starts_of(client, store)
    start = await starting.submit(new_key(), TrainingOperationAdapter("swing"), TRAINING)
    assert start.state == "unconfirmed" and "All connection attempts failed" in start.message
    assert (await starting.submit(start.key, TrainingOperationAdapter("swing"), TRAINING)).state == "unconfirmed"
    assert (await starting.check_again(start.key)).state == "unconfirmed"
    # It shows up later: a look finds it.
    backend.operations[start.operation_id] = operation(start.operation_id)
    assert (await starting.check_again(start.key)).state == "started"
    assert posts(backend) == 1


def listed(backend, operation_id, kind="data_load", symbol="EURUSD", at=None, **parameters):
    """The backend knows this one, and has it in its list."""
    about = {"symbol": symbol, "timeframe": "1h", "parameters": parameters}
    backend.operations[operation_id] = operation(operation_id, kind, created_at=stamp(at), metadata=about)
    return {
        "operation_id": operation_id,
        "operation_type": kind,
        "status": "running",
        "symbol": symbol,
        "created_at": stamp(at),
    }


def lists(backend, *items):
    backend.answers["GET /operations"] = (200, {"success": True, "data": list(items)})


@pytest.mark.parametrize(
    ("items", "state"),
    [
        (["op_a"], "started"),
        ([], "unconfirmed"),
        (["op_a", "op_b"], "unconfirmed"),  # which one is it? The person is asked
        (["op_other_symbol"], "unconfirmed"),
        (["op_old"], "unconfirmed"),
    ],
)
async def test_a_load_whose_answer_is_lost_is_matched_by_type_symbol_and_time(client, store, backend, items, state):
    known = {
        "op_a": listed(backend, "op_a"),
        "op_b": listed(backend, "op_b"),
        "op_other_symbol": listed(backend, "op_other_symbol", symbol="GBPUSD"),
        "op_old": listed(backend, "op_old", at=1_700_000_000),
    }
    backend.answers["POST /data/acquire/download"] = (500, {"detail": "lost"})
    lists(backend, *(known[item] for item in items))
    adapter = DataLoadOperationAdapter("EURUSD", "1h")
    start = await starts_of(client, store).submit(new_key(), adapter, LOAD)
    assert start.state == state and posts(backend, "/data/acquire/download") == 1


@pytest.mark.parametrize(
    ("kind", "form", "told"),
    [
        ("data_load", LOAD, {"mode": "full"}),
        ("data_load", LOAD, {"mode": "tail", "start_date": "2024-01-01T00:00:00"}),
        ("data_load", LOAD | {"start_date": "2010-01-01", "end_date": "2012-01-01"}, {"mode": "tail"}),
        ("data_load", LOAD | {"mode": "backfill"}, {"mode": "tail"}),
        ("backtesting", TEST, {"start_date": "2024-01-01T00:00:00", "end_date": "2024-03-01T00:00:00"}),
        (
            "backtesting",
            TEST | {"commission": "0.005"},
            {"parameters": {"strategy_name": "swing", "commission": 0.001}},
        ),
    ],
)
async def test_what_was_begun_with_other_values_is_not_what_was_lost(client, store, backend, kind, form, told):
    """Somebody else's, of the same market at the same moment."""
    adapter = KINDS[kind].from_form(form)
    lists(backend, listed(backend, "op_theirs", kind))
    backend.operations["op_theirs"]["metadata"] |= told
    backend.answers[f"POST {adapter.endpoint}"] = (502, {"detail": "Bad gateway"})
    start = await starts_of(client, store).submit(new_key(), adapter, form)
    assert (start.state, start.operation_id) == ("unconfirmed", None)


async def test_an_operation_is_never_matched_to_two_starts(client, store, backend):
    backend.answers["POST /data/acquire/download"] = (500, {"detail": "lost"})
    lists(backend, listed(backend, "op_a"))
    starting = starts_of(client, store)
    states = [
        (await starting.submit(new_key(), DataLoadOperationAdapter("EURUSD", "1h"), LOAD)).state for _ in range(2)
    ]
    assert states == ["started", "unconfirmed"]


async def test_what_another_start_began_is_no_candidate(client, store, monitor, events, backend):
    """Two loads of the same things, and the panel knows what the first one began."""
    starting, first, second = starts_of(client, store, events), new_key(), new_key()
    began = (await starting.submit(first, DataLoadOperationAdapter("EURUSD", "1h"), LOAD)).operation_id
    assert (await monitor.look(began)).snapshot.symbol == "EURUSD"
    backend.answers["POST /data/acquire/download"] = (500, {"detail": "lost"})
    assert (await starting.submit(second, DataLoadOperationAdapter("EURUSD", "1h"), LOAD)).state == "unconfirmed"
    assert starting.might_be(store.start(second)) == []
    assert (await starting.choose(second, began)).state == "unconfirmed"


async def test_what_was_put_aside_may_still_have_begun_what_is_found(client, store, backend):
    """Two starts of the same thing, and one operation: it is not given to the second because nobody wants the first.
    A person is asked."""
    backend.answers["POST /data/acquire/download"] = (500, {"detail": "lost"})
    lists(backend)
    starting = starts_of(client, store)
    first, second = new_key(), new_key()
    assert (await starting.submit(first, DataLoadOperationAdapter("EURUSD", "1h"), LOAD)).state == "unconfirmed"
    await starting.dismiss(first)
    lists(backend, listed(backend, "op_a"))
    assert (await starting.submit(second, DataLoadOperationAdapter("EURUSD", "1h"), LOAD)).state == "unconfirmed"


async def test_a_person_chooses_among_what_it_may_be_and_nothing_else(client, store, monitor, events, backend):
    backend.answers["POST /data/acquire/download"] = (500, {"detail": "lost"})
    lists(backend, listed(backend, "op_a"), listed(backend, "op_b"))
    listed(backend, "op_other_symbol", symbol="GBPUSD")
    began = []
    events.subscribe(StartConfirmed, lambda event: began.append(event.start))
    starting = starts_of(client, store, events)
    key = (await starting.submit(new_key(), DataLoadOperationAdapter("EURUSD", "1h"), LOAD)).key
    await monitor.look("op_other_symbol")
    async with asyncio.timeout(20):
        while {observation.snapshot.id for observation in starting.might_be(store.start(key))} != {"op_a", "op_b"}:
            await starting.check_again(key)  # on a busy machine a look may get no answer in time
            await asyncio.sleep(0.01)
    for senseless in ("op_other_symbol", "op_unheard_of", ""):
        assert (await starting.choose(key, senseless)).state == "unconfirmed"
    assert await starting.choose(new_key(), "op_a") is None and began == []
    assert (await starting.choose(key, "op_b")).operation_id == "op_b" and [start.key for start in began] == [key]
    # It is no question any more.
    assert starting.might_be(store.start(key)) == []
    for settled in (await starting.choose(key, "op_a"), await starting.dismiss(key), await starting.check_again(key)):
        assert (settled.state, settled.operation_id) == ("started", "op_b")


async def test_what_is_put_aside_is_looked_for_no_more(client, store, backend):
    backend.answers["POST /trainings/start"] = (500, {"detail": "lost"})
    starting = starts_of(client, store)
    start = await starting.submit(new_key(), TrainingOperationAdapter("swing"), TRAINING)
    assert starting.might_be(start) == [], "it has an id of its own"
    assert (await starting.dismiss(start.key)).state == "dismissed"
    backend.operations[start.operation_id] = operation(start.operation_id)
    asked = backend.hits.total()
    assert (await starting.check_again(start.key)).state == "dismissed" and backend.hits.total() == asked
    for nobodys in (await starting.dismiss(new_key()), await starting.check_again(new_key())):
        assert nobodys is None


async def test_what_may_still_be_on_its_way_is_not_given_up(client, store, backend, monkeypatch):
    monkeypatch.setattr("panel.workflows.starting.ANSWERED_BY", 45.0)
    start, _ = store.claim(new_key(), "training", TRAINING, "op_on_its_way")  # by another process, just now
    starting = starts_of(client, store)
    assert (await starting.check_again(start.key)).state == "sending"
    monkeypatch.setattr("panel.workflows.starting.ANSWERED_BY", 0.0)
    assert (await starting.check_again(start.key)).state == "unconfirmed"


async def test_what_is_just_being_sent_is_neither_looked_for_nor_put_aside(client, store, backend):
    go_on = asyncio.Event()
    backend.answers["POST /trainings/start"] = _held(asyncio.get_running_loop(), go_on)
    async with AsyncCLIClient(client.address, max_retries=0) as patient:
        starting, key = starts_of(patient, store), new_key()
        sending = asyncio.create_task(starting.submit(key, TrainingOperationAdapter("swing"), TRAINING))
        while not posts(backend):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for meddle in (starting.check_again, starting.dismiss):
            assert (await meddle(key)).state == "sending" and backend.hits.total() == 1
        go_on.set()
        await starting.close()  # a stop gives the answer a moment
        assert (await sending).state == "started" == store.start(key).state


async def test_a_stop_does_not_wait_for_an_answer_that_does_not_come(client, store, backend):
    go_on = asyncio.Event()
    backend.answers["POST /trainings/start"] = _held(asyncio.get_running_loop(), go_on)
    async with AsyncCLIClient(client.address, max_retries=0) as patient:
        starting, key = starts_of(patient, store), new_key()
        sending = asyncio.create_task(starting.submit(key, TrainingOperationAdapter("swing"), TRAINING))
        while not posts(backend):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await starting.close()
        await asyncio.gather(sending, return_exceptions=True)
        assert sending.cancelled() and store.start(key).state == "sending"
    go_on.set()


def _held(loop, go_on):
    """A backend that answers when it is let; `loop` is the test's."""

    async def play(request):
        body = await request.json()
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go_on.wait(), loop))
        return JSONResponse({"success": True, "task_id": body["task_id"]})

    return play


async def test_a_panel_that_died_in_mid_start_finds_out_afterwards(client, tmp_path, backend):
    store = Storage(tmp_path / "panel.db")
    lost, _ = store.claim(new_key(), "training", TRAINING, "op_lost")
    arrived, _ = store.claim(new_key(), "training", TRAINING, "op_arrived")
    backend.operations["op_arrived"] = operation("op_arrived")
    store.close()
    store = Storage(tmp_path / "panel.db")
    task = asyncio.create_task(starts_of(client, store).run())
    async with asyncio.timeout(20):
        while any(store.start(key).state == "sending" for key in (lost.key, arrived.key)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert store.start(lost.key).state == "unconfirmed" and store.start(arrived.key).state == "started"
    assert posts(backend) == 0
    store.close()


async def test_a_backtest_is_matched_by_its_strategy_and_found_through_the_workers(client, store, backend):
    """The list leaves it out until somebody has asked for it."""
    for name, strategy in (("op_mine", "swing"), ("op_theirs", "other")):
        listed(backend, name, "backtesting", strategy_name=strategy)
        backend.workers.append({"worker_id": name, "worker_type": "backtesting", "current_operation_id": name})
    backend.answers["POST /backtests/start"] = (500, {"detail": "lost"})
    start = await starts_of(client, store).submit(new_key(), KINDS["backtesting"].from_form(TEST), TEST)
    assert (start.state, start.operation_id) == ("started", "op_mine")


async def test_a_look_that_cannot_see_everything_decides_nothing(client, store, backend):
    """One fits; whether another does cannot be read."""
    lists(backend, listed(backend, "op_a"), listed(backend, "op_b"))
    backend.answers["GET /operations/op_b"] = (500, {"detail": "worker hangs"})
    backend.answers["POST /data/acquire/download"] = (500, {"detail": "lost"})
    adapter = DataLoadOperationAdapter("EURUSD", "1h")
    assert (await starts_of(client, store).submit(new_key(), adapter, LOAD)).state == "unconfirmed"


async def test_a_page_in_front_of_the_backend_does_not_say_that_it_knows_nothing(client, store, backend):
    """404 by a proxy that lost its backend: the training is neither found nor given up."""

    async def play(request):
        name = (await request.json())["task_id"]
        backend.operations[name] = operation(name)
        backend.answers[f"GET /operations/{name}"] = lambda _: Response("404 page not found", 404)
        return Response("", 502)

    backend.answers["POST /trainings/start"] = play
    starting = starts_of(client, store)
    start = await starting.submit(new_key(), TrainingOperationAdapter("swing"), TRAINING)
    assert start.state == "unconfirmed"
    del backend.answers[f"GET /operations/{start.operation_id}"]
    assert (await starting.check_again(start.key)).state == "started"


async def test_two_clicks_on_resume_are_one(client, store, backend):
    backend.operations["op_r"] = operation("op_r", status="cancelled", completed_at=stamp())
    backend.answers["POST /operations/op_r/resume"] = (200, {"success": True, "data": {"status": "resuming"}})
    monitor = monitor_of(client, store)
    await monitor.look("op_r")
    resuming = ResumeWorkflow(Ktrdr(client), store, monitor, EventBus(), Hub())
    await asyncio.gather(resuming.send("op_r", "me"), resuming.send("op_r", "me"))
    await resuming.send("op_r", "me")  # and later, from a page that has not heard yet
    assert posts(backend, "/operations/op_r/resume") == 1
    backend.operations["op_r"] = operation("op_r", status="failed", completed_at=stamp(1_900_000_000))
    monitor.observe(await Ktrdr(client).operation("op_r"))
    await resuming.send("op_r", "me")  # it ended again
    assert posts(backend, "/operations/op_r/resume") == 2


async def test_no_resume_is_sent_with_a_damaged_memory(client, store, backend):
    backend.operations["op_r"] = operation("op_r", status="cancelled", completed_at=stamp())
    monitor = monitor_of(client, store)
    await monitor.look("op_r")
    monitor.recorder.failed(sqlite3.DatabaseError("database disk image is malformed"))
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        await ResumeWorkflow(Ktrdr(client), store, monitor, EventBus(), Hub()).send("op_r", "me")
    assert posts(backend, "/operations/op_r/resume") == 0


def test_a_browser_that_leaves_in_mid_start_does_not_cut_it_in_half(backend, tmp_path, address):
    """The page is closed while the backend is still thinking; the start is completed and remembered."""
    import httpx

    async def slow(request):
        body = await request.json()
        await asyncio.sleep(0.4)
        backend.operations[body["task_id"]] = operation(body["task_id"])
        return JSONResponse({"success": True, "task_id": body["task_id"]})

    backend.answers["POST /trainings/start"] = slow
    with panel(tmp_path, address) as here:
        key = new_key()
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(
                here.address + "/start/training",
                data={"key": key, "strategy_name": "swing"},
                headers={"sec-fetch-site": "same-origin"},
                timeout=0.1,
            )
        again = here.post("/start/training", {"key": key, "strategy_name": "swing"})
        assert again.status_code == 303 and again.headers["location"].startswith("/operations/op_training_")
        assert posts(backend) == 1
