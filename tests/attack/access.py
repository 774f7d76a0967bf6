"""Who gets in: host names, other sites, paths, markup, redirects."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.responses import Response

from panel.app import create_app
from panel.settings import Settings
from tests.attack.world import Result, World, world
from tests.support.hostile import CANARIES, Poisoned
from tests.support.routes import asked, routes
from tests.support.scripted import Backend, operation

MARKUP = [canary for canary in CANARIES if "<" in canary]
HOSTS = ("evil.test", "localhost.evil.com", "127.0.0.1.evil.com", "0.0.0.0", "", "localhost:1", "[::1].evil.test")
SITES: tuple[dict[str, str], ...] = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "null"},
    {"Origin": "http://localhost:1"},
    {"Origin": "http://evil.test"},
    {},
)
PATHS = ("..", ".", "%2e%2e", "..%2f..%2fetc", "a%3Fforce=true", "%0d%0aX:%20y", "%00", "%ff", "a" * 5000)


def _routes(w: World) -> list[tuple[str, str]]:
    return routes(create_app(Settings.from_environ({}, backend="http://127.0.0.1:9/api/v1", data_folder=w.folder)))


def _send(w: World, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", w.here.settings.port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in ({"Host": f"127.0.0.1:{w.here.settings.port}"} | headers).items():
            connection.putheader(name, value)
        if method != "GET":
            connection.putheader("Content-Length", "0")
        connection.endheaders()
        answer = connection.getresponse()
        stream = "event-stream" in (answer.getheader("content-type") or "")
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, b"" if stream else answer.read()
    finally:
        connection.close()


def hosts() -> Result:
    with world() as w:
        pages = [path for method, path in _routes(w) if method == "GET"]
        before = asked(w.backend)
        answers = [_send(w, "GET", path, Host=host) for path in pages for host in HOSTS]
        through = [status for status, _, _ in answers if not 400 <= status < 500]
        bare = [1 for _, headers, _ in answers if "content-security-policy" not in headers]
        return Result(
            not through and not bare and asked(w.backend) == before,
            f"{len(answers)} requests: {len(through)} got in, {len(bare)} answers without their security headers",
        )


def other_sites() -> Result:
    with world() as w:
        acts = [(method, path) for method, path in _routes(w) if method not in ("GET", "HEAD")]
        before = asked(w.backend)
        found = [_send(w, method, path, **site)[0] for method, path in acts for site in SITES]
        through = [status for status in found if status != 403]
        effects = sum(asked(w.backend).values()) - sum(before.values())
        return Result(
            not through and not effects, f"{len(found)} requests: {len(through)} got in, {effects} reached the backend"
        )


def paths() -> Result:
    with world() as w:
        before = asked(w.backend)
        found = [
            _send(w, "GET", f"/{area}/{path}")[0]
            for area in ("operations", "stream", "api/operations", "plans", "starts", "strategies", "static")
            for path in PATHS
        ]
        odd = [status for status in found if not 300 <= status < 500]
        return Result(
            not odd and asked(w.backend) == before, f"{len(found)} paths: {len(odd)} neither refused nor moved"
        )


def markup() -> Result:
    """Markup in every text that the backend may choose."""
    backend = Poisoned()
    with world(backend) as w:
        for number, canary in enumerate(CANARIES):
            backend.operations[f"op_{number}"] = operation(
                f"op_{number}", "training", "failed", error_message=canary, warnings=[canary]
            )
        names = [f"/operations/op_{number}" for number in range(len(CANARIES))]
        pages = ["/", "/operations", "/workers", "/strategies", "/models", "/data", "/start/training", *names]
        answers = [w.here.get(page) for page in pages]
        through = [
            f"{page}" for page, answer in zip(pages, answers, strict=True) for bad in MARKUP if bad in answer.text
        ]
        broken = [answer.status_code for answer in answers if answer.status_code >= 500]
        return Result(
            not through and not broken, f"{len(answers)} pages: {len(through)} with markup, {len(broken)} broken"
        )


@contextmanager
def _listening() -> Iterator[tuple[int, list[bytes]]]:
    """A server of an attacker: what reaches it."""
    reached: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    end, _ = server.accept()
                except OSError:
                    return
                with end:
                    reached.append(end.recv(1000))

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], reached
        server.shutdown(socket.SHUT_RDWR)


def redirects() -> Result:
    with _listening() as (port, reached):
        backend = Backend()
        away = {"location": f"http://127.0.0.1:{port}/"}
        for hit in ("GET /operations", "GET /workers", "GET /strategies/", "GET /symbols", "GET /models"):
            backend.answers[hit] = lambda _: Response(b"", 302, away)
        with world(backend) as w:
            pages = [w.status(page)[0] for page in ("/", "/strategies", "/models", "/data", "/login?next=//127.0.0.1")]
            moved = [_send(w, "GET", f"/?next=//127.0.0.1:{port}")[1].get("location", "")]
            good = not reached and max(pages) < 500 and not any("//127" in place for place in moved)
        return Result(
            good, f"{len(pages)} pages over a backend that redirects: {len(reached)} requests left for elsewhere"
        )
