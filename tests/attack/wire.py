"""Before any request: header floods, slow bodies, idle connections, a stop with all of that."""

import socket
import time
from contextlib import ExitStack, suppress

import httpx

from tests.attack.world import Result, World, world

IDLE = 1_100


def _connected(w: World) -> socket.socket:
    return socket.create_connection(("127.0.0.1", w.here.settings.port), timeout=30)


def _head(w: World, first: str = "GET / HTTP/1.1") -> bytes:
    return f"{first}\r\nHost: 127.0.0.1:{w.here.settings.port}\r\n".encode()


def header_flood() -> Result:
    """400 MB of headers, as one and as many."""
    with world() as w:
        w.status("/")
        before, taken, answers = w.megabytes(), [], []
        for piece in (b"x" * 65_536, b"a: b\r\n" * 10_000):
            with _connected(w) as end:
                end.sendall(_head(w) + b"X-Long: ")
                sent = 0
                with suppress(OSError):
                    while sent < 400_000_000:
                        end.sendall(piece)
                        sent += len(piece)
                taken.append(sent)
                with suppress(OSError):
                    answers.append(end.recv(100)[9:12].decode())
        grown = w.megabytes() - before
        good = max(taken) < 20_000_000 and grown < 30 and w.status("/healthz")[0] == 200
        return Result(
            good, f"cut off after {max(taken) / 1e6:.1f} MB sent ({' '.join(answers)}), memory +{grown:.1f} MB"
        )


def idle_and_slow() -> Result:
    """1,100 idle connections, half-sent headers and bodies that trickle, then a browser, a deadline, and a stop."""
    with ExitStack() as opened, world() as w:
        w.status("/")
        idle = [opened.enter_context(_connected(w)) for _ in range(IDLE)]
        slow = [opened.enter_context(_connected(w)) for _ in range(50)]
        bodies = [opened.enter_context(_connected(w)) for _ in range(50)]
        for end in slow:
            end.sendall(b"GET / HT")
        form = _head(w, "POST /start/training HTTP/1.1") + b"Sec-Fetch-Site: same-origin\r\nContent-Length: 1000\r\n"
        for end in bodies:
            end.sendall(form + b"Content-Type: application/x-www-form-urlencoded\r\n\r\na=")
        code, took = w.status("/")
        w.until(lambda: time.monotonic() - w.began > 0 and _closed(idle + slow + bodies), 25)
        left = sum(not _is_closed(end) for end in idle + slow + bodies)
        late = [opened.enter_context(_connected(w)) for _ in range(20)]
        for end in late:
            end.sendall(form)
        w.process.terminate()
        began = time.monotonic()
        ended = w.process.wait(20)
        stopped = time.monotonic() - began
        return Result(
            code == 200 and not left and stopped < 6 and "Traceback" not in w.log() and ended in (0, -15),
            f"{IDLE + 100} such connections: a page in {took * 1000:.0f} ms, {left} still open after 25 s; a stop with 20 slow "
            f"requests in {stopped:.1f} s, {w.log().count('Traceback')} tracebacks",
        )


def _closed(ends: list[socket.socket]) -> bool:
    return all(map(_is_closed, ends))


def _is_closed(end: socket.socket) -> bool:
    end.setblocking(False)
    try:
        while chunk := end.recv(4096):
            del chunk
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def guessing() -> Result:
    """Wrong passwords by the dozen: the right token still passes, and nothing else does."""
    word = "correct horse battery staple"
    with world(KTRDR_PANEL_PASSWORD=word) as w:
        right = {"authorization": f"Bearer {word}"}
        first = w.here.get("/operations", headers=right).status_code
        wrong = [
            httpx.get(
                w.here.address + "/operations", headers={"authorization": f"Bearer no{n}"}, timeout=30
            ).status_code
            for n in range(60)
        ]
        after = w.here.get("/operations", headers=right).status_code
        through = [status for status in wrong if status < 400]
        return Result(
            (first, after) == (200, 200) and not through and 429 in wrong,
            f"60 wrong guesses: {len(through)} got in, {wrong.count(429)} slowed down; the right one afterwards: {after}",
        )
