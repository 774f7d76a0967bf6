"""A panel under clients that come and go, for as long as told; what grows, and how fast.

    python -m bench.soak [MINUTES]

Operations run and end at a scripted backend. Browsers open streams and pages and leave, some politely, some by a reset,
some before they are answered; some never read. Every quarter of a minute all of them leave, and once no stream is
open, memory, descriptors and tasks are read. The exit code is 1 when one of them grows: when its slope, less twice its
standard error, is above what is allowed for an hour. The first half of the readings warms up, and is left out.

The panel remembers REMEMBERED operations from the start, and each was read and some were changed before the first
reading: SQLite keeps up to 2 MB of the file for each of the panel's two connections, and other bounded stores fill too.
Without that they fill for hours, which looks like growth.
"""

import argparse
import asyncio
import itertools
import os
import random
import socket
import struct
import sys
import time
from contextlib import suppress

import httpx

from bench.pages import fill
from bench.stage import READERS, SERVER, Process, ended, folder, free_port, memory, wait_for

REMEMBERED = 5_000
ROUND = 15.0  # seconds between readings
CLIENTS, STALLED = 60, 5
ALLOWED = {"memory": 12.0, "descriptors": 6.0, "tasks": 6.0}  # in an hour; memory in MB
PLACES = [
    "/stream/home",
    "/stream/op_0",
    "/stream/operations?id=op_0",
    "/stream/stored",
    "/stream/line",
    "/",
    "/operations",
]


async def visit(port: int) -> None:
    """One browser's page: open, read for a while, leave."""
    place = random.choice(PLACES)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {place} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        with suppress(TimeoutError):
            async with asyncio.timeout(random.choice([0.0, 0.1, 1.0, 5.0])):
                while await reader.read(65536):
                    pass
        if random.random() < 0.5:
            end: socket.socket = writer.get_extra_info("socket")
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    finally:
        writer.close()


async def come_and_go(port: int, until: float) -> int:
    visits = 0
    while time.monotonic() < until:
        with suppress(OSError):
            await visit(port)
        visits += 1
    return visits


async def busy(port: int) -> int:
    """A round of visits; returns how many there were."""
    asleep = []
    for _ in range(STALLED):
        end = socket.socket()
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        end.connect(("127.0.0.1", port))
        end.sendall(f"GET /stream/home HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        asleep.append(end)
    until = time.monotonic() + ROUND
    visits = sum(await asyncio.gather(*(come_and_go(port, until) for _ in range(CLIENTS))))
    for end in asleep:
        end.close()
    return visits


def warm(port: int) -> None:
    """Have every remembered operation read, and each tenth changed."""
    own = {"sec-fetch-site": "same-origin"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, headers=own) as client:
        for number in itertools.count(1):
            if f"page={number + 1}" not in client.get(f"/operations?page={number}").text:
                break
        for n in range(0, REMEMBERED, 10):
            assert client.post(f"/operations/op_{n:05d}/star", data={"star": "1"}).status_code < 400
            assert client.get(f"/operations/op_{n:05d}").status_code == 200


def slope(points: list[tuple[float, float]]) -> tuple[float, float]:
    """Of the line through them, for each unit of x, and its standard error."""
    n = len(points)
    mid_x, mid_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    wide = sum((x - mid_x) ** 2 for x, _ in points)
    steep = sum((x - mid_x) * (y - mid_y) for x, y in points) / wide
    rest = sum((y - mid_y - steep * (x - mid_x)) ** 2 for x, y in points)
    return steep, (rest / max(n - 2, 1) / wide) ** 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minutes", nargs="?", type=float, default=10)
    minutes = parser.parse_args().minutes
    backend, port = free_port(), free_port()
    address, data = f"http://127.0.0.1:{backend}/api/v1", folder()
    fill(data, address, REMEMBERED)
    source = Process.python(READERS, "bench.backend", backend, 20, 4, 40)
    panel = Process.python(SERVER, "bench.servers", "panel", port, address, data)
    kept: dict[str, list[tuple[float, float]]] = {name: [] for name in ALLOWED}
    visits = 0
    with ended(source, panel):
        wait_for(backend)
        wait_for(port)
        warm(port)
        began = time.monotonic()
        while time.monotonic() < began + minutes * 60 or len(kept["tasks"]) < 5:
            visits += asyncio.run(busy(port))
            deadline = time.monotonic() + 60
            while panel.ask("state")["streams"]:
                if time.monotonic() > deadline:
                    raise SystemExit("streams stayed open although their readers had left")
                time.sleep(0.2)
            time.sleep(1)
            at = (time.monotonic() - began) / 3600
            kept["memory"].append((at, memory(panel.pid) / 1e6))
            kept["descriptors"].append((at, len(os.listdir(f"/proc/{panel.pid}/fd"))))
            kept["tasks"].append((at, panel.ask("state")["tasks"]))
            now = "  ".join(f"{name} {points[-1][1]:.1f}" for name, points in kept.items())
            print(f"{at * 60:6.1f} min  {visits:>7} visits  {now}", flush=True)
    grows = False
    for name, points in kept.items():
        steep, error = slope(points[len(points) // 2 :])
        grew = steep - 2 * error > ALLOWED[name]
        grows |= grew
        print(f"{name:12} {steep:+8.2f} ± {2 * error:.2f} an hour{'   GROWS' if grew else ''}")
    sys.exit(grows)


if __name__ == "__main__":
    main()
