"""One change, many browsers: frames are encoded once and the same bytes go to every stream.

There are no queues. Each stream has a mailbox that holds the latest frame for each place on the page; a
reader that is slow skips readings, a new one starts with the current state, and the memory of one that
never reads is bounded by the number of places on its page.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

_LINE_END = re.compile(r"\r\n|\r|\n")


def frame(data: str, event: str = "") -> bytes:
    """One server-sent event. Every kind of line end in `data` is split on, so that no text can end the
    event early or name another; `event` is a constant of ours."""
    lines = "".join(f"data: {line}\n" for line in _LINE_END.split(data))
    return (f"event: {event}\n{lines}\n" if event else f"{lines}\n").encode()


def partial(target: str, html: str, swap: str = "outerMorph") -> str:
    """A piece of HTML with the place it belongs to, as htmx takes it from a stream."""
    return f'<hx-partial hx-target="#{target}" hx-swap="{swap}">{html}</hx-partial>'


class Mailbox:
    """The latest frames one stream has yet to send, oldest change first."""

    def __init__(self) -> None:
        self._frames: dict[str, bytes] = {}
        self._filled = asyncio.Event()
        self._closed = False

    def put(self, place: str, data: bytes) -> None:
        self._frames.pop(place, None)  # a newer frame goes behind those that came in between
        self._frames[place] = data
        self._filled.set()

    async def take(self) -> bytes:
        """Everything there is, in one piece; waits until there is something. b"" once it is closed."""
        await self._filled.wait()
        data = b"".join(self._frames.values())
        self._frames.clear()
        if not self._closed:
            self._filled.clear()
        return data

    def close(self) -> None:
        """Nothing comes any more: the panel stops."""
        self._closed = True
        self._filled.set()


class Fanout:
    """Topics (what a page is about) -> the latest frame for each place, and the mailboxes of its streams."""

    def __init__(self) -> None:
        self._boxes: defaultdict[str, set[Mailbox]] = defaultdict(set)
        self._latest: defaultdict[str, dict[str, bytes]] = defaultdict(dict)

    @contextmanager
    def open(self, box: Mailbox, *topics: str) -> Iterator[None]:
        """Fill the mailbox with the current state of these topics, and then with what changes."""
        for topic in topics:
            self._boxes[topic].add(box)
            for place, data in self._latest.get(topic, {}).items():
                box.put(place, data)
        try:
            yield
        finally:
            for topic in topics:
                self._boxes[topic].discard(box)
                if not self._boxes[topic]:
                    del self._boxes[topic]

    def publish(self, topic: str, place: str, data: bytes, *, keep: bool = True) -> None:
        """Hand a frame to every stream of the topic. `keep`: streams that come later get it too."""
        if keep:
            kept = self._latest[topic]
            kept.pop(place, None)
            kept[place] = data
        for box in self._boxes.get(topic, ()):
            box.put(place, data)

    def drop(self, topic: str, place: str | None = None) -> None:
        """Forget a topic's current state, or one place of it."""
        if place is None:
            self._latest.pop(topic, None)
        elif topic in self._latest:
            self._latest[topic].pop(place, None)

    def readers(self, topic: str) -> int:
        return len(self._boxes.get(topic, ()))

    @property
    def topics(self) -> list[str]:
        """Those that somebody reads."""
        return list(self._boxes)

    @property
    def streams(self) -> int:
        return len({box for boxes in self._boxes.values() for box in boxes})
