"""How soon an operation is read again."""

import asyncio

import pytest

from panel.monitoring.pace import Pace

pytestmark = pytest.mark.anyio


async def test_what_was_just_started_is_read_again_at_once_until_it_has_made_progress(monkeypatch):
    monkeypatch.setattr("panel.monitoring.pace.FIRST", 0.0)
    monkeypatch.setattr("panel.monitoring.pace.FASTEST", 1e6)
    monkeypatch.setattr("panel.monitoring.pace.WATCHED", 1e6)
    await asyncio.wait_for(Pace().pause(watched=True, new=True), 60)
    for pace, new in ((Pace(), False), (Pace(born_at=-1e6), True)):
        waiting = asyncio.ensure_future(pace.pause(watched=True, new=new))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()


async def test_a_backend_whose_answers_take_long_is_asked_less_often(monkeypatch):
    """The answer about a long training grows with each poll."""
    monkeypatch.setattr("panel.monitoring.pace.FASTEST", 0.0)
    waited = []
    monkeypatch.setattr("panel.monitoring.pace.until_set", lambda _, seconds: asyncio.sleep(0, waited.append(seconds)))
    for took in (0.01, 0.4, 60.0):
        await Pace(took=took).pause(watched=True)
    assert waited == pytest.approx([0.02, 0.8, 10.0])


async def test_who_opens_the_page_of_what_was_just_started_need_not_wait(monkeypatch):
    monkeypatch.setattr("panel.monitoring.pace.FIRST", 0.0)
    monkeypatch.setattr("panel.monitoring.pace.FASTEST", 1e6)
    pace = Pace()
    waiting = asyncio.ensure_future(pace.pause(watched=False, new=True))
    await asyncio.sleep(0)
    pace.wake.set()
    await asyncio.wait_for(waiting, 60)
