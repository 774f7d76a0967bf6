"""The stream of everything that changes: complete, in order, and taken up again after any absence."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.support.panels import Panel, panel
from tests.support.scripted import RESULT, operation, percent, stamp

Event = tuple[str, int, dict[str, Any]]


@contextmanager
def following(
    here: Panel, cursor: str = "", **headers: str
) -> Iterator[Callable[[Callable[[Event], bool]], list[Event]]]:
    """Reads on until an event is as wished; the function returns what was read for that."""
    with (
        httpx.Client(timeout=120) as client,
        client.stream("GET", f"{here.address}/api/events{cursor}", headers=headers) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        lines = answer.iter_lines()

        def until(reached: Callable[[Event], bool]) -> list[Event]:
            found: list[Event] = []
            given: dict[str, str] = {}
            for line in lines:
                name, _, value = line.partition(": ")
                given[name] = value
                if not line and "event" in given:
                    found.append((given["event"], int(given["id"]), json.loads(given["data"])))
                    given = {}
                    if reached(found[-1]):
                        return found
            raise AssertionError("the stream ended")

        yield until


def ready(event: Event) -> bool:
    return event[0] == "ready"


def of(operation_id: str, state: str) -> Callable[[Event], bool]:
    return lambda event: event[2].get("id") == operation_id and event[2]["verdict"]["state"] == state


def test_every_change_comes_and_a_cursor_goes_on_where_it_was(here, backend, quick_rounds):
    backend.operations["op_a"] = operation("op_a", progress=percent(10))
    here.get("/api/operations/op_a")
    with following(here, "?cursor=0") as until:
        first = until(of("op_a", "running"))
        until(ready)
        backend.operations["op_a"] |= {"status": "completed", "result_summary": RESULT, "completed_at": stamp()}
        last = until(of("op_a", "completed"))[-1]
        assert last[1] > first[-1][1] and last[2]["live"] is False
    backend.operations["op_b"] = operation("op_b", progress=percent(1))
    backend.operations["op_c"] = operation("op_c", status="failed", error_message="broken", completed_at=stamp())
    for name in ("op_b", "op_c"):
        here.get(f"/api/operations/{name}")
    with following(here, **{"last-event-id": str(last[1])}) as until:
        ids = [event[2].get("id") for event in until(of("op_c", "failed"))]  # "ready", in whatever place, has no id
        assert "op_a" not in ids and "op_b" in ids, "what was told before is not told again"
    with following(here) as until:
        assert [event[0] for event in until(ready)] == ["ready"], "without a cursor it begins now"


def test_an_end_while_no_client_listened_comes_after_a_restart(backend, address, tmp_path):
    backend.operations["op_a"] = operation("op_a", progress=percent(10))
    with panel(tmp_path, address) as here:
        here.get("/api/operations/op_a")
        with following(here, "?cursor=0") as until:
            cursor = until(ready)[-1][1]
    backend.operations["op_a"] |= {"status": "completed", "result_summary": RESULT, "completed_at": stamp()}
    with panel(tmp_path, address) as again, following(again, f"?cursor={cursor}") as until:
        assert until(of("op_a", "completed"))[-1][1] > cursor


@pytest.mark.parametrize("cursor", ["-1", "x", str(2**70), ""])
def test_a_cursor_that_is_none_is_refused(here, cursor):
    assert here.get(f"/api/events?cursor={cursor}").status_code == 422


def test_a_last_event_id_that_is_none_is_refused(here):
    assert here.get("/api/events", headers={"last-event-id": "one"}).status_code == 422
