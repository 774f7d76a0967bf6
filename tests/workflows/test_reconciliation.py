"""What a start whose answer was lost is compared with: bounded in number, and by all that the backend repeats."""

import pytest

from panel.adapters import KINDS
from panel.client import AsyncCLIClient
from panel.workflows.starting import new_key
from tests.support.loads import LOAD
from tests.support.parts import starts_of
from tests.support.scripted import Backend, operation, stamp

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr("panel.workflows.starting.CHECKS", (0.01,))


@pytest.fixture
async def client(address):
    """A patient one: an answer that is late on a busy machine would be a lost one."""
    async with AsyncCLIClient(address, max_retries=0) as client:
        yield client


def lists(backend: Backend, kind: str, told: dict[str, dict]) -> None:
    """The backend knows these operations of just now, with these metadata, and lists them."""
    items = []
    for name, about in told.items():
        backend.operations[name] = operation(name, kind, metadata={"symbol": "", "timeframe": "", **about})
        items.append({"operation_id": name, "operation_type": kind, "status": "running", "created_at": stamp()})
    backend.answers["GET /operations"] = (200, {"success": True, "data": items})


def read(backend: Backend) -> int:
    """How many operations the panel asked for one by one."""
    return sum(count for hit, count in backend.hits.items() if hit.startswith("GET /operations/"))


@pytest.mark.parametrize(("others", "state"), [(24, "started"), (25, "unconfirmed")])
async def test_among_more_than_can_be_read_nothing_is_looked_for(client, store, backend, others, state):
    """An import of hundreds of symbols is under way: reading them all every few seconds would hold it up."""
    told = {f"op_{number}": {"symbol": "GBPUSD", "timeframe": "1h"} for number in range(others)}
    lists(backend, "data_load", told | {"op_mine": {"symbol": "EURUSD", "timeframe": "1h"}})
    backend.answers["POST /data/acquire/download"] = (500, {"detail": "lost"})
    start = await starts_of(client, store).submit(new_key(), KINDS["data_load"].from_form(LOAD), LOAD)
    assert start.state == state and (read(backend) == 0) is (state == "unconfirmed")


@pytest.mark.parametrize(
    ("brief", "state"),
    [("A calm one.", "started"), ("A  calm\none. ", "started"), ("A wild one.", "unconfirmed"), (None, "unconfirmed")],
)
async def test_a_research_is_known_again_by_its_brief(client, store, backend, brief, state):
    form = {"brief": "A calm one."}
    lists(backend, "agent_research", {"op_r": {"parameters": {"phase": "idle", "brief": brief}}})
    backend.answers["POST /agent/trigger"] = (502, {"detail": "Bad gateway"})
    start = await starts_of(client, store).submit(new_key(), KINDS["agent_research"].from_form(form), form)
    assert start.state == state


async def test_a_long_brief_is_known_again_although_the_backend_cuts_it(client, store, backend):
    form = {"brief": "calm and steady " * 50}
    lists(backend, "agent_research", {"op_r": {"parameters": {"brief": form["brief"][:250]}}})
    backend.answers["POST /agent/trigger"] = (502, {"detail": "Bad gateway"})
    start = await starts_of(client, store).submit(new_key(), KINDS["agent_research"].from_form(form), form)
    assert (start.state, start.operation_id) == ("started", "op_r")
