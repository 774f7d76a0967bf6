"""One change, many browsers: frames are encoded once and the same bytes go to every stream.

There are no queues. Frames that are published in one turn of the loop go out in one write, its HTTP chunk
header included, straight to each stream's socket. A stream whose socket takes no more has a mailbox with the
latest frame for each place on its page: a slow reader skips readings, a new one starts with the current
state, and the memory of one that never reads is bounded by the number of places on its page.

To publish something else than a page's HTML, pick another topic: publish to it with any
`frame` while `readers(topic)` is true (`keep` decides whether those who come later start
with it), and answer with `panel.web.routes.stream.follow(request, topic)`.
"""

import asyncio
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

READER_TIMEOUT = 30.0  # seconds that a reader may take no byte before its stream is dropped
AT_ONCE = 64  # streams that are written to between two yields to the event loop

_LINE_END = re.compile(r"\r\n|\r|\n")


def frame(data: str, event: str = "") -> bytes:
    """One server-sent event. Every kind of line end in `data` is split on, so that no text can end the
    event early or name another; `event` is a constant of ours."""
    lines = "".join(f"data: {line}\n" for line in _LINE_END.split(data))
    return (f"event: {event}\n{lines}\n" if event else f"{lines}\n").encode()


def partial(target: str, html: str, swap: str = "outerMorph") -> str:
    """A piece of HTML with the place it belongs to, as htmx takes it from a stream."""
    return f'<hx-partial hx-target="#{target}" hx-swap="{swap}">{html}</hx-partial>'


def chunk(frames: Iterable[bytes]) -> bytes:
    """Frames as one piece of an HTTP/1.1 body."""
    together = b"".join(frames)
    return b"%x\r\n%b\r\n" % (len(together), together)


class Mailbox:
    """The latest frames one stream has yet to send, oldest change first."""

    __slots__ = ("_closed", "_filled", "_frames", "write")

    def __init__(self) -> None:
        self.write: Callable[[bytes], None] | None = None  # set while chunks may pass the mailbox by
        self._frames: dict[str, bytes] = {}
        self._filled = asyncio.Event()
        self._closed = False

    def put(self, place: str, data: bytes) -> None:
        self._frames.pop(place, None)  # a newer frame moves to the end
        self._frames[place] = data
        self._filled.set()

    async def take(self) -> bytes:
        """All waiting frames in one piece; waits until there are some. b"" once it is closed."""
        await self._filled.wait()
        data = b"".join(self._frames.values())
        self._frames.clear()
        if not self._closed:
            self._filled.clear()
        return data

    def open(self, write: Callable[[bytes], None]) -> None:
        """Write what waits here, and let everything after it pass by."""
        self.write = write
        if self._frames:
            waiting = chunk(self._frames.values())
            self._frames.clear()
            write(waiting)  # which may be more than the socket takes, and call `hold`

    def hold(self) -> None:
        """Keep the latest frames here, for now."""
        self.write = None

    def close(self) -> None:
        """No more frames: the panel stops."""
        self._closed = True
        self._filled.set()


class Hub:
    """Topics (what a page is about) -> the latest frame for each place, and the streams that read them."""

    def __init__(self) -> None:
        self.reader_timeout = READER_TIMEOUT
        self.frames = 0  # ever sent to streams
        self.dropped = 0  # streams whose reader took nothing for too long
        self._pages: defaultdict[tuple[str, ...], dict[Mailbox, None]] = defaultdict(dict)
        self._readers: Counter[str] = Counter()
        self._latest: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        self._pending: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        self._sending: Iterator[None] | None = None

    @contextmanager
    def open(self, box: Mailbox, *topics: str) -> Iterator[None]:
        """Fill the mailbox with the current state of these topics, and then with what changes."""
        self._pages[topics][box] = None
        for topic in topics:
            self._readers[topic] += 1
            for place, data in self._latest.get(topic, {}).items():
                box.put(place, data)
        try:
            yield
        finally:
            box.hold()
            del self._pages[topics][box]
            if not self._pages[topics]:
                del self._pages[topics]
            for topic in topics:
                self._readers[topic] -= 1
                if not self._readers[topic]:
                    del self._readers[topic]

    def publish(self, topic: str, place: str, data: bytes, *, keep: bool = True) -> None:
        """Send a frame to every stream of the topic. `keep`: later streams get it too."""
        if keep:
            _replace(self._latest[topic], place, data)
        if topic in self._readers:
            _replace(self._pending[topic], place, data)
            if self._sending is None:
                self._sending = self._send()
                asyncio.get_running_loop().call_soon(self._send_next)

    def _send_next(self) -> None:
        """One round of sending. A task would cost a single stream as much as the rest of it."""
        assert self._sending is not None  # noqa: S101
        try:
            next(self._sending)
        except BaseException as exc:
            self._sending = None
            if not isinstance(exc, StopIteration):
                raise
        else:
            asyncio.get_running_loop().call_soon(self._send_next)

    def _send(self) -> Iterator[None]:
        """Until nothing is pending; yields when others should have a turn. What is published meanwhile replaces what it
        makes obsolete, so a machine that is too slow for all streams skips readings too."""
        turn = 0
        while self._pending:
            pending, self._pending = self._pending, defaultdict(dict)
            for topics, boxes in list(self._pages.items()):
                frames = {place: data for topic in topics for place, data in pending.get(topic, {}).items()}
                if not frames:
                    continue
                together = chunk(frames.values())
                self.frames += len(frames) * len(boxes)
                for box in list(boxes):
                    if box.write is not None:
                        box.write(together)
                    else:
                        for place, data in frames.items():
                            box.put(place, data)
                    turn += 1
                    if turn % AT_ONCE == 0:
                        yield

    async def settled(self) -> None:
        """Wait until nothing is pending."""
        while self._sending is not None:  # noqa: ASYNC110  a few turns of the loop
            await asyncio.sleep(0)

    def drop(self, topic: str, place: str | None = None) -> None:
        """Drop a topic's current state, or one place of it."""
        if place is None:
            self._latest.pop(topic, None)
        elif topic in self._latest:
            self._latest[topic].pop(place, None)

    def readers(self, topic: str) -> int:
        return self._readers[topic]

    @property
    def topics(self) -> list[str]:
        """Those that have readers."""
        return list(self._readers)

    @property
    def streams(self) -> int:
        return sum(map(len, self._pages.values()))


def _replace(frames: dict[str, bytes], place: str, data: bytes) -> None:
    frames.pop(place, None)
    frames[place] = data


def heartbeat() -> bytes:
    return frame(str(time.time()), "beat")


BOARD = frame("1", "board")
LISTED = frame("1", "listed")  # a run was added or removed: a list that does not update can show it
