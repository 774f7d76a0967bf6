"""What is compared: the panel itself, the usual pattern, and the least that Python can do.

    python -m bench.servers panel|usual|floor PORT [BACKEND [FOLDER]]

On stdin: `full SECONDS` publishes one frame after another, `rate PER_SECOND SECONDS` at that pace, `fill` one that is
more than a socket takes whose reader does not read; the answer is how many were published. `state` is answered with
what is there.
"""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI
from sse_starlette import EventSourceResponse, ServerSentEvent

from bench.stage import folder
from panel.app import create_app
from panel.cli.server import Server
from panel.live.hub import Hub, chunk, frame, partial
from panel.live.protocol import Connection
from panel.settings import Settings
from tests.support.parts import panel_of

BODY = partial("card-bench", "x" * 220 + "~")  # with its envelope about 300 bytes
FRAME = frame(BODY)

fanouts: list[Hub] = []
Publish = Callable[[bytes], Awaitable[None]]  # one frame to every stream; done when all of them have it


def streams() -> int:
    return sum(fanout.streams for fanout in fanouts)


async def drive(publish: Publish, command: list[str]) -> None:
    count = 0
    if command[0] == "state":
        counts = {"tasks": len(asyncio.all_tasks()), "streams": streams()}
        print(json.dumps(counts), flush=True)
        return
    if command[0] == "fill":
        await publish(frame("x" * 1_000_000))
    elif command[0] == "full":
        end = time.monotonic() + float(command[1])
        while time.monotonic() < end:
            await publish(FRAME)
            await asyncio.sleep(0)
            count += 1
    else:
        pace, seconds = float(command[1]), float(command[2])
        began = time.monotonic()
        while count < pace * seconds:
            await publish(FRAME)
            count += 1
            await asyncio.sleep(max(began + count / pace - time.monotonic(), 0))
    print(json.dumps({"published": count}), flush=True)


def listen(publish: Publish) -> None:
    """Obey stdin from now on; a thread that only waits costs nothing."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        for line in sys.stdin:
            asyncio.run_coroutine_threadsafe(drive(publish, line.split()), loop)

    threading.Thread(target=read, daemon=True).start()


async def serve(
    app: Any, port: int, publisher: Callable[[], Publish], kind: type[uvicorn.Server] = uvicorn.Server, **more: Any
) -> None:
    config = uvicorn.Config(
        app, port=port, log_level="warning", access_log=False, server_header=False, ws="none", **more
    )

    class Published(kind):  # type: ignore[misc, valid-type]
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            listen(publisher())

    await Published(config).serve()


async def panel(port: int, backend: str = "", data: str = "") -> None:
    app: Any = create_app(Settings.from_environ({}, backend=backend, port=port, data_folder=Path(data or folder())))

    def publisher() -> Publish:
        fanout = panel_of(app).hub
        fanouts.append(fanout)

        async def publish(data: bytes) -> None:
            fanout.publish("home", "card-bench", data)
            await fanout.settled()

        return publish

    await serve(app, port, publisher, Server, http=Connection)


async def usual(port: int) -> None:
    """A queue for each subscriber, and an event object for each event and subscriber."""
    queues: set[asyncio.Queue[str]] = set()
    missing = 0
    everybody = asyncio.Event()

    async def events(queue: asyncio.Queue[str]) -> Any:
        nonlocal missing
        queues.add(queue)
        try:
            yield ServerSentEvent("hello")
            while True:
                yield ServerSentEvent(await queue.get())
                missing -= 1
                if missing == 0:
                    everybody.set()
        finally:
            queues.discard(queue)

    app = FastAPI()

    @app.get("/stream/home")
    async def stream() -> EventSourceResponse:
        return EventSourceResponse(events(asyncio.Queue()))

    async def publish(_: bytes) -> None:
        nonlocal missing
        missing = len(queues)
        everybody.clear()
        for queue in queues:
            queue.put_nowait(BODY)
        if missing:
            await everybody.wait()

    await serve(app, port, lambda: publish, http="httptools")


async def floor(port: int) -> None:
    """One protocol object for each connection, one write for each event: no less can be done in Python."""
    ends: set[asyncio.Transport] = set()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

    class Reader(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.end = transport

        def data_received(self, data: bytes) -> None:
            self.end.write(head)
            ends.add(self.end)

        def connection_lost(self, exc: Exception | None) -> None:
            ends.discard(self.end)

    async def publish(data: bytes) -> None:
        together = chunk([data])
        for end in ends:
            end.write(together)

    server = await asyncio.get_running_loop().create_server(Reader, "127.0.0.1", port, backlog=2048)
    listen(publish)
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        uvloop.run({"panel": panel, "usual": usual, "floor": floor}[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:]))
