"""Frames are encoded once, mailboxes keep the latest, and no text can break out of its event."""

import asyncio
from contextlib import ExitStack

import pytest

from panel.live.hub import AT_ONCE, Hub, Mailbox, chunk, frame

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("text", ["a\r\revent: x\r", "a\n\nevent: x\n\n", "a\r\n\r\nid: 7", "a\u2028b", "event: x"])
def test_no_text_ends_its_event_or_names_another(text):
    lines = frame(text, "curves").decode().removesuffix("\n\n").split("\n")
    assert lines[0] == "event: curves"
    assert all(line.startswith("data: ") and "\r" not in line for line in lines[1:])


async def test_every_stream_gets_the_same_bytes():
    fanout, data = Hub(), frame("x")
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
    fanout = Hub()
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


async def test_frames_of_one_turn_are_one_chunk_for_every_stream_that_can_take_it():
    fanout, got, other = Hub(), [], []
    free, slow = Mailbox(), Mailbox()
    with fanout.open(free, "line", "home"), fanout.open(slow, "line", "home"):
        free.open(got.append)
        for n in range(3):
            fanout.publish("home", "lists", b"lists %d;" % n)
            fanout.publish("line", "line", b"line %d;" % n)
        await fanout.settled()
        assert got == [chunk([b"line 2;", b"lists 2;"])] and got[0] == b"f\r\nline 2;lists 2;\r\n"
        slow.open(other.append)
        assert other == got, "what waited comes first, in one chunk too"
        free.hold()
        fanout.publish("home", "lists", b"lists 3;")
        await fanout.settled()
        assert len(got) == 1 and await free.take() == b"lists 3;"
    assert fanout.frames == 6


async def test_pages_get_their_turn_between_streams():
    """Not one turn of the loop for 1,000 streams, but one for each 128."""
    fanout, boxes, turns = Hub(), [Mailbox() for _ in range(1000)], 0

    async def page() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    with ExitStack() as stack:
        for box in boxes:
            stack.enter_context(fanout.open(box, "line"))
            box.open(lambda _: None)
        other = asyncio.create_task(page())
        fanout.publish("line", "beat", b"b;", keep=False)
        await fanout.settled()
        other.cancel()
    assert turns >= 1000 // AT_ONCE


async def test_what_is_published_while_streams_are_written_to_replaces_what_it_makes_obsolete():
    fanout, got = Hub(), []
    boxes = [Mailbox() for _ in range(AT_ONCE + 1)]
    with ExitStack() as stack:
        for box in boxes:
            stack.enter_context(fanout.open(box, "home"))
            box.open(lambda _: None)
        boxes[-1].open(got.append)
        fanout.publish("home", "lists", b"0;")
        await asyncio.sleep(0)  # the first 128 have it
        for n in range(1, 5):
            fanout.publish("home", "lists", b"%d;" % n)
        await fanout.settled()
    assert got == [chunk([b"0;"]), chunk([b"4;"])]


async def test_a_stream_that_left_meanwhile_is_not_written_to():
    fanout = Hub()
    boxes = [Mailbox() for _ in range(AT_ONCE + 1)]
    with ExitStack() as stack:
        for box in boxes[:-1]:
            stack.enter_context(fanout.open(box, "home"))
        with fanout.open(boxes[-1], "home"):
            boxes[-1].open(lambda _: pytest.fail("written to"))
            fanout.publish("home", "lists", b"0;")
            await asyncio.sleep(0)
        await fanout.settled()
    assert fanout.streams == 0 and fanout.topics == []


async def test_streams_that_leave_are_forgotten():
    fanout = Hub()
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
