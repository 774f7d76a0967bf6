"""What a connection may take before any request reaches the app, and how it ends at a stop."""

import asyncio
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from panel.live.headers import HEADERS
from panel.live.protocol import Connection
from tests.support.panels import panel, panel_process


class Hasty(Connection):
    max_connections = 6
    head_seconds = 0.3
    body_pause = 0.3
    body_seconds = 0.9


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with panel(tmp_path_factory.mktemp("panel"), "http://127.0.0.1:1/api/v1", http=Hasty) as here:
        yield here.settings.port


def connected(port: int, *pieces: bytes) -> socket.socket:
    end = socket.create_connection(("127.0.0.1", port), timeout=120)
    for piece in pieces:
        end.sendall(piece)
    return end


def answer(end: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    got = b""
    with end:
        try:
            while more := end.recv(65536):
                got += more
        except ConnectionResetError:
            pass
    return got


def host(port: int) -> bytes:
    return b"Host: 127.0.0.1:%d\r\n" % port


@pytest.mark.parametrize(
    "head",
    [
        b"X: " + b"a" * 70_000,  # one header that does not end
        b"X: " + b"a" * 70_000 + b"\r\n\r\n",
        b"".join(b"X%d: %s\r\n" % (n, b"a" * 1000) for n in range(70)) + b"\r\n",
    ],
)
def test_a_head_of_more_than_64_kb_is_refused(port, head):
    assert answer(connected(port, b"GET /healthz HTTP/1.1\r\n" + host(port) + head)).startswith(b"HTTP/1.1 431 ")
    assert answer(connected(port, b"GET /" + b"a" * 70_000)).startswith(b"HTTP/1.1 431 ")


def test_a_head_just_below_is_answered_and_what_is_no_http_refused(port):
    ask = b"GET /healthz HTTP/1.1\r\nConnection: close\r\n" + host(port) + b"X: " + b"a" * 60_000 + b"\r\n\r\n"
    assert answer(connected(port, ask)).startswith(b"HTTP/1.1 200 ")
    assert answer(connected(port, b"\x16\x03\x01 no http\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


def test_a_refusal_before_the_app_carries_the_headers_of_every_answer(port):
    silent, long, strange = (
        answer(connected(port, head))
        for head in (b"GET / HTTP/1.1\r\nHost:", b"GET /" + b"a" * 70_000, b"no http\r\n\r\n")
    )
    for refused, status in ((silent, b" 408 "), (long, b" 431 "), (strange, b" 400 ")):
        head = refused.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        assert status in refused[:20]
        headers = dict(line.split(": ", 1) for line in head[1:])
        assert headers.items() >= (HEADERS | {"cache-control": "no-store"}).items()


def test_the_limits_are_those_of_the_documentation():
    described = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
    assert (Connection.head_bytes, Connection.head_seconds, Connection.body_pause) == (64 * 1024, 10, 10)
    assert (Connection.body_seconds, Connection.body_pace, Connection.read_seconds) == (60, 2**20 / 8, 30)
    assert (
        f"| {Connection.max_connections:,} connections |" in described and "| 64 kB for the request line" in described
    )
    assert "| 10 seconds for the headers" in described and "| 30 seconds in which a reader takes nothing" in described
    assert (
        "| 10 seconds without a byte of a body; 60 seconds for all of it, and 8 more for each megabyte |" in described
    )


def test_endless_headers_are_not_swallowed(port):
    end, sent = connected(port, b"GET / HTTP/1.1\r\n"), 0
    with end, pytest.raises(OSError):  # noqa: PT011  reset, or a broken pipe
        while sent < 50_000_000:
            sent += end.send(b"X: " + b"a" * 10_000 + b"\r\n")
    assert sent < 20_000_000, "the rest was in the system's own buffers"


def test_one_that_says_nothing_or_stops_in_its_head_is_closed(port):
    assert answer(connected(port)) == b""
    assert answer(connected(port, b"GET / HTTP/1.1\r\nHost:")).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_stops_or_trickles_is_closed(port):
    ask = b"POST /start/dummy HTTP/1.1\r\n" + host(port) + b"Sec-Fetch-Site: same-origin\r\nContent-Length: 900\r\n"
    ask += b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    assert answer(connected(port, ask)).startswith(b"HTTP/1.1 408 ")
    trickling, end = connected(port, ask), time.monotonic() + 120
    trickling.settimeout(0.05)
    while time.monotonic() < end:
        try:
            got = trickling.recv(65536)
            break
        except TimeoutError:
            trickling.sendall(b"a")
    trickling.close()
    assert got.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], 0.9),
        ([(b"content-length", b"131072")], 1.9),
        ([(b"content-length", b"x")], 0.9),
        ([(b"content-length", b"9" * 30)], 0.9),
    ],
)
def test_a_large_body_may_take_longer(headers, seconds):
    assert Hasty.time_for(headers) == seconds


def test_one_too_many_is_refused_and_others_stay(port):
    held = [connected(port, b"GET / HTTP/1.1\r\n") for _ in range(Hasty.max_connections)]
    assert answer(connected(port)).startswith(b"HTTP/1.1 503 ")
    for end in held:
        assert answer(end).startswith(b"HTTP/1.1 408 "), "those before it were not"
    ask = b"GET /healthz HTTP/1.1\r\nConnection: close\r\n" + host(port) + b"\r\n"
    assert answer(connected(port, ask)).startswith(b"HTTP/1.1 200 ")


def test_a_stop_ends_every_kind_of_request_cleanly(tmp_path: Path, address, backend):
    """A half head, a body that does not come, an answer the backend keeps waiting, a stream: no traceback."""
    over = threading.Event()

    async def never(request: object) -> tuple[int, dict[str, object]]:
        await asyncio.to_thread(over.wait, 60)
        return 200, {}

    backend.answers["GET /operations/op_slow"] = never
    with panel_process(tmp_path, address) as (here, process):
        where = host(here.settings.port)
        ends = [
            connected(here.settings.port, ask + where + rest)
            for ask, rest in [
                (b"GET / HTTP/1.1\r\n", b""),
                (b"POST /start/dummy HTTP/1.1\r\n", b"Sec-Fetch-Site: same-origin\r\nContent-Length: 9\r\n\r\na"),
                (b"POST /api/operations HTTP/1.1\r\n", b"Sec-Fetch-Site: none\r\nContent-Length: 9\r\n\r\n{"),
                (b"GET /operations/op_slow HTTP/1.1\r\n", b"\r\n"),
                (b"GET /stream/home HTTP/1.1\r\n", b"\r\n"),
            ]
        ]
        while b"retry:" not in ends[-1].recv(65536):
            pass
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(120)
        took = time.monotonic() - began
        over.set()
        for end in ends:
            end.close()
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log and "timeout graceful" not in log, log
    assert took < 5.0
