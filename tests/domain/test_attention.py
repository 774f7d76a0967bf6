"""Home: what wants attention comes first, what runs is live, what ended is told once."""

import re
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from panel.backend.entities import snapshot_of
from panel.domain.attention import (
    Attention,
    Batches,
    failed_lately,
    needs_look,
    partition_by_attention,
    row_of,
    runs_link,
)
from panel.domain.batches import Batch
from panel.domain.observation import Observation
from panel.domain.requests import Plan, PlanState, Start, StartState
from panel.domain.state import AMBER_STATES, ENDS, RED_STATES, State, Verdict
from panel.domain.system_health import AMBER, RED
from tests.support.batches import seed_batch
from tests.support.history import ended, seed
from tests.support.pages import KEY, until, words
from tests.support.panels import free_port, panel, stream
from tests.support.scripted import RESULT, operation, percent, served, stamp
from tests.support.workers import worker

NOW = 1_800_000_000.0


def judged(state, at, symbol="EURUSD"):
    data = operation(f"op_{at:.0f}", "data_load", "completed", completed_at=stamp(at))
    data["metadata"] = {"symbol": symbol, "timeframe": "1h"}
    return Observation(snapshot_of(data, NOW), at), Verdict(state, state.value, "")


@pytest.mark.parametrize(
    ("ended", "wanting"),
    [
        ([judged(State.PROBLEMS, NOW - 60)], 1),
        ([judged(State.PROBLEMS, NOW - 90_000)], 0),
        ([judged(State.STRAY, NOW - 90_000)], 1),
        ([judged(State.FAILED, NOW - 60), judged(State.CANCELLED, NOW - 70)], 0),
        ([judged(State.COMPLETED, NOW - 10), judged(State.PROBLEMS, NOW - 60)], 0),
        ([judged(State.COMPLETED, NOW - 10, "GBPUSD"), judged(State.PROBLEMS, NOW - 60)], 1),
    ],
)
def test_what_wants_attention(ended, wanting):
    first, others = partition_by_attention(ended, NOW)
    assert len(first) == wanting and len(first) + len(others) == len(ended)


def test_what_a_dead_worker_or_one_that_goes_on_leaves_comes_first_for_as_long_as_it_is_so(
    tmp_path, backend, address, monkeypatch
):
    monkeypatch.setattr("panel.monitoring.discovery.INTERVAL", 0.3)
    monkeypatch.setattr("panel.domain.verdict.MOVING", 0.0)
    ended = stamp(time.time() - 200)
    backend.operations["op_stray"] = operation("op_stray", status="cancelled", completed_at=ended)
    parameters = {"strategy_name": "swing", "worker_id": "w2"}
    backend.operations["op_run"] = operation("op_run", progress=percent(41), metadata={"parameters": parameters})
    backend.workers = [worker("w1", "busy", "op_stray"), worker("w2", "busy", "op_run")]
    with panel(tmp_path, address) as here, stream(here, "home") as reader:
        here.get("/operations/op_stray")
        here.get("/operations/op_run")
        reader.until(lambda stream: "Cancelled, still worked on" in stream.places.get("lists", ""))
        assert reader.places["lists"].index("Needs a look") < reader.places["lists"].index("Running now")
        assert "kill -9 of the worker does." in reader.places["lists"]
        backend.workers[1] = worker("w2", "temporarily_unavailable", "op_run")
        reader.until(lambda stream: "Worker lost" in stream.places.get("lists", "").partition("Running now")[0])
        assert "It was probably killed" in words(here.get("/").text).partition("Running now")[0]
        backend.workers = [worker("w1"), worker("w2", "busy", "op_run")]
        reader.until(lambda stream: "Needs a look" not in stream.places["lists"])
        assert "card-op_run" in reader.places["lists"] and "row-op_stray" in reader.places["lists"]


def test_the_last_end_comes_first(here, backend):
    now = time.time()
    for name, began, closed in (("op_long", 5000, 10), ("op_short", 300, 200)):
        backend.operations[name] = operation(
            name, status="completed", created_at=stamp(now - began), completed_at=stamp(now - closed)
        )
        here.read(name)
    page = here.get("/").text
    assert page.index("row-op_long") < page.index("row-op_short")


def test_an_empty_home_over_a_silent_backend_does_not_send_anybody_to_start(tmp_path):
    with panel(tmp_path, f"http://127.0.0.1:{free_port()}/api/v1") as here:
        read = words(here.until("/", lambda text: "Backend unreachable" in text))
        assert (
            "The backend does not answer, so what ran there is not known yet." in read
            and "No runs are known yet" not in read
        )


def test_over_a_backend_that_fell_silent_it_is_not_said_that_nothing_runs(backend, tmp_path):
    with ExitStack() as server:
        address = server.enter_context(served(backend.app))
        with panel(tmp_path, f"{address}/api/v1") as here, stream(here, "home") as home:
            backend.operations["op_a"] = operation("op_a", status="completed", completed_at=stamp())
            here.get("/operations/op_a")
            here.until("/", lambda text: "Nothing is running." in words(text))
            server.close()
            unknown = "The backend does not answer: whether anything runs is not known."
            here.until("/", lambda text: unknown in words(text))
            home.until(lambda read: unknown in words(read.places.get("lists", "")))


def test_what_a_backend_without_its_database_cannot_tell_is_not_called_nothing(quick_rounds, here, backend):
    """After a restart it lists nothing, and answers with an error about what its workers are busy with."""
    why = "(sqlalchemy.dialects.postgresql.asyncpg.Error) database is not currently accepting connections"
    failed = {"message": "Failed to get operation status for op_a", "details": {"operation_id": "op_a", "error": why}}
    backend.workers = [worker("w1", "busy", "op_a")]
    backend.answers["GET /operations/op_a"] = 400, {"success": False, "error": failed}
    read = words(here.until("/", lambda text: "Backend has errors" in text))
    assert "its database does not" in read and "PostgreSQL" in read
    here.until("/", lambda text: "The backend answers with errors, so what runs there is not known now." in words(text))
    rounds = backend.hits["GET /operations"] + 2  # the list, which is empty, says nothing of it
    until(lambda: backend.hits["GET /operations"] >= rounds)
    page = words(here.get("/").text)
    assert "Backend has errors" in page and "No runs are known yet" not in page and "All well" not in page
    del backend.answers["GET /operations/op_a"]
    backend.operations["op_a"] = operation("op_a", progress=percent(20.0, "Epoch 2/10"))
    here.until("/", lambda text: "Epoch 2/10" in text and "Backend has errors" not in text)


def test_a_card_says_how_long_it_takes_once_that_can_be_said(here, backend, monkeypatch):
    monkeypatch.setattr("panel.domain.estimate.SECONDS", 0.5)
    monkeypatch.setattr("panel.domain.estimate.CHANGES", 1)
    backend.operations["op_a"] = lambda n: operation("op_a", progress=percent(min(5.0 * n, 90.0), f"Epoch {n}/20"))
    here.get("/operations/op_a")
    with stream(here, "home") as reader:
        reader.until(lambda stream: "s left</span> · read <time" in stream.places.get("card-op_a", ""))


def shown_as(state, *, advice="", at=NOW - 60, symbol="EURUSD"):
    data = operation(f"op_{state}_{at:.0f}_{symbol}", "data_load", "failed", completed_at=stamp(at))
    data["metadata"] = {"symbol": symbol, "timeframe": "1h"}
    return Observation(snapshot_of(data, NOW), at), Verdict(state, state.value, "Said.", advice)


def attention_of(live=(), ended=(), **more):
    wanting, others = partition_by_attention(list(ended), NOW)
    stuck = [judged for judged in live if needs_look(judged[1])]
    work = {"unsure": [], "plans": [], "refused": []} | more
    return Attention(stuck=stuck, running=[], wanting=wanting, ended=others, failed=failed_lately(ended, NOW), **work)


PAINTED = re.search(
    r":is\(\.mark, \.word, \.state\):is\((?P<red>.*?)\) \{ color: var\(--failed\); \}\n"
    r":is\(\.mark, \.word, \.state\):is\((?P<amber>.*?)\) \{ color: var\(--warning\); \}",
    (Path(__file__).parents[2] / "static" / "panel.css").read_text(),
)


@pytest.mark.parametrize("colour", ["red", "amber"])
def test_the_head_counts_every_state_that_pages_paint_red_or_amber(colour):
    painted = {State(name.strip(" .")) for name in PAINTED[colour].split(",")}
    assert painted == (RED_STATES if colour == "red" else AMBER_STATES)
    for state in painted:
        judged = [shown_as(state, advice="Look at the worker.")]
        link = runs_link(attention_of(ended=judged) if state in ENDS else attention_of(live=judged))
        assert link.state == {"red": RED, "amber": AMBER}[colour], state


def test_what_is_as_somebody_wants_it_is_not_counted():
    live = [shown_as(State.RUNNING), shown_as(State.CANCELLING), shown_as(State.UNREPORTED)]
    ended = [shown_as(State.COMPLETED), shown_as(State.CANCELLED, symbol="GBPUSD")]
    assert runs_link(attention_of(live, ended)) is None
    assert not needs_look(shown_as(State.SILENT)[1], silent=True), "the connection says it"


def test_a_failure_is_counted_closeda_later_run_or_for_a_day():
    failed = shown_as(State.FAILED)
    assert runs_link(attention_of(ended=[failed])).word == "Failed lately"
    assert runs_link(attention_of(ended=[shown_as(State.COMPLETED, at=NOW - 5), failed])) is None
    assert runs_link(attention_of(ended=[shown_as(State.FAILED, at=NOW - 90_000)])) is None


def test_starts_and_plans_that_home_paints_are_counted():
    start = Start("key-1", "training", {}, StartState.UNCONFIRMED, None, "", NOW - 100, "")
    assert runs_link(attention_of(unsure=[start])).word == "1 start not confirmed"
    plan = Plan("key-2", {}, PlanState.STOPPED, None, "No bars are stored.", NOW)
    link = runs_link(attention_of(plans=[plan]))
    assert (link.word, link.state) == ("1 start refused", RED) and "No bars are stored." in link.text


def test_a_batch_of_many_runs_leaves_room_for_the_others_on_home(tmp_path, backend, address):
    seed_batch(tmp_path, address, *[0.5] * 70)  # they ended within the last minutes
    odd = [ended(f"op_odd_{n}", "training", "completed", 5000 + n, name=f"lone_{n}") for n in range(3)]
    seed(tmp_path, address, *odd)
    with panel(tmp_path, address) as here:
        home = here.get("/").text
        assert all(f'href="/operations/op_odd_{n}"' in home for n in range(3))
        assert "Batch · 70 runs ended lately" in words(home) and home.count(f'href="/batches/{KEY}"') == 1


def test_of_a_batch_with_many_problems_a_few_need_a_look_by_name(tmp_path, backend, address):
    seed_batch(tmp_path, address, *[0.5] * 70)
    broken = {"training_metrics": {"history": {"train_loss": [0.7, None]}}}
    for number in range(1, 61):
        symbol = f"SYM{number}"
        seed(
            tmp_path,
            address,
            ended(f"op_training_{number}", "training", "completed", 900, symbol=symbol, result_summary=broken),
        )
    backend.workers = [worker("w1", last_healthy_at=stamp())]
    with panel(tmp_path, address) as here:
        home = words(here.until("/", lambda text: "60 need a look" in text))
        assert "Needs a look 60" in home and "and 57 more of batch 70 × swing" in home
        assert home.partition("Running now")[0].count("Completed with problems") == 4, "three rows, and one in the head"


NOT_NUMBERS = {"training_metrics": {"history": {"train_loss": [0.7, None]}}}
NEW_MODEL = RESULT | {"model_path": "models/swing/x"}


def training(name, status, ago, strategy="swing", **more):
    return ended(name, "training", status, ago, name=strategy, **more)


def test_of_a_batch_what_a_later_run_of_the_same_settles_is_not_counted(tmp_path, backend, address):
    seed_batch(tmp_path, address, *[0.5] * 8)
    steps = [training(f"op_training_{n}", "completed", 2000 - n, result_summary=NOT_NUMBERS) for n in range(1, 8)]
    last = training("op_training_8", "completed", 900, result_summary=NEW_MODEL)
    lone = training("op_lone", "completed", 500, "lone", result_summary=NOT_NUMBERS)
    seed(tmp_path, address, *steps, last, lone)
    backend.workers = [worker("w1", last_healthy_at=stamp())]
    with panel(tmp_path, address) as here:
        home = words(here.until("/", lambda text: "1 needs a look" in words(text)))
        assert "Needs a look 1 " in home and "more of batch" not in home
        assert "Batch · 8 runs ended lately, 7 failed" in home


def test_a_run_that_a_batch_hides_settles_an_earlier_one(tmp_path, backend, address):
    seed_batch(tmp_path, address, 0.5, 0.5, bars={"EURUSD": 900, "GBPUSD": 900})
    seed(
        tmp_path,
        address,
        training("op_failed", "failed", 5000, error_message="out of memory"),
        training("op_training_1", "completed", 3000, result_summary=NEW_MODEL),
        training("op_training_2", "completed", 2000, symbol="GBPUSD", result_summary=NEW_MODEL),
    )
    backend.workers = [worker("w1", last_healthy_at=stamp())]
    with panel(tmp_path, address) as here:
        here.until("/", lambda text: "All well" in text)


def test_the_head_counts_every_failed_run_of_a_batch(tmp_path, backend, address):
    """Good ends before them hide none, and one that a later run settles is not among them."""
    seed_batch(tmp_path, address, *[0.5] * 45)
    good = [
        training(f"op_training_{n}", "completed", 900 - n, f"good_{n}", result_summary=NEW_MODEL) for n in range(41, 46)
    ]
    bad = [training(f"op_training_{n}", "failed", 2000 - n, f"bad_{n // 2}") for n in range(2, 41)]
    seed(tmp_path, address, *good, *bad)
    backend.workers = [worker("w1", last_healthy_at=stamp())]
    with panel(tmp_path, address) as here:
        here.until("/", lambda text: "Failed lately" in text)
        assert "bad_20: Failed." in words(here.get("/").text) and "And 19 more." in words(here.get("/").text)


def test_an_end_that_is_not_stored_yet_settles_those_of_a_batch_too():
    batches = Batches({"op_a": Batch(KEY, "5 × swing", {}, NOW, "a test")})
    batches.last.add(row_of(judged(State.COMPLETED, NOW - 5)))
    bad = row_of(judged(State.PROBLEMS, NOW - 60))._replace(id="op_a")
    assert batches.lists(bad, NOW) and batches.tallies[KEY].looks == 0, "it stands for the batch"
    other = bad._replace(symbol="GBPUSD")
    assert batches.lists(other, NOW) and batches.tallies[KEY].looks == 1
    assert not batches.lists(other._replace(symbol="AAPL", ended_at=NOW - 90_000), NOW), "it is old"


def test_of_a_batch_with_many_runs_under_way_a_few_are_listed():
    live = [shown_as(State.RUNNING, at=NOW - n) for n in range(5)]
    lone = shown_as(State.RUNNING, symbol="GBPUSD")
    batch = Batch(KEY, "5 × swing", {}, NOW, "a test")
    batches = Batches({judged[0].snapshot.id: batch for judged in live})
    assert batches.few([*live, lone], "running") == [*live[:3], lone]
    assert (batches.tallies[KEY].running, batches.tallies[KEY].hidden) == (2, 0)
