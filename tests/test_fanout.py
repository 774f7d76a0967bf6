"""Frames are encoded once, mailboxes keep the latest, and no text can break out of its event."""

import asyncio

import pytest

from panel.fanout import Fanout, Mailbox, frame

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("text", ["a\r\revent: x\r", "a\n\nevent: x\n\n", "a\r\n\r\nid: 7", "a\u2028b", "event: x"])
def test_no_text_ends_its_event_or_names_another(text):
    lines = frame(text, "curves").decode().removesuffix("\n\n").split("\n")
    assert lines[0] == "event: curves"
    assert all(line.startswith("data: ") and "\r" not in line for line in lines[1:])


async def test_every_stream_gets_the_same_bytes():
    fanout, data = Fanout(), frame("x")
    one, two, other = Mailbox(), Mailbox(), Mailbox()
    with fanout.open(one, "home"), fanout.open(two, "home"), fanout.open(other, "line"):
        fanout.publish("home", "lists", data)
        assert await one.take() == data
        assert await two.take() == data
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(other.take(), 0.01)


async def test_a_slow_reader_skips_readings_and_gets_the_last_one():
    box = Mailbox()
    for n in range(10_000):
        box.put("status", b"%d;" % n)
        box.put("curves", b"c%d;" % n)
    assert await box.take() == b"9999;c9999;"


async def test_a_newer_frame_comes_after_those_in_between():
    box = Mailbox()
    box.put("lists", b"old lists;")
    box.put("card", b"card;")
    box.put("lists", b"new lists;")
    assert await box.take() == b"card;new lists;"


async def test_a_late_stream_starts_with_the_current_state():
    fanout = Fanout()
    fanout.publish("op:a", "status", b"1;")
    fanout.publish("op:a", "status", b"2;")
    fanout.publish("op:a", "beat", b"b;", keep=False)
    box = Mailbox()
    with fanout.open(box, "op:a"):
        assert await box.take() == b"2;"
    fanout.drop("op:a")
    box = Mailbox()
    with fanout.open(box, "op:a"):
        fanout.publish("op:a", "status", b"3;")
        assert await box.take() == b"3;"


async def test_streams_that_leave_are_forgotten():
    fanout = Fanout()
    for _ in range(1000):
        with fanout.open(Mailbox(), "line", "home"):
            assert fanout.streams == 1
    assert fanout.streams == 0 and fanout.readers("home") == 0


async def test_a_closed_mailbox_gives_what_it_has_and_then_its_end():
    box = Mailbox()
    box.put("status", b"last;")
    box.close()
    assert await box.take() == b"last;"
    assert await box.take() == b""
