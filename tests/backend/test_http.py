"""The client's contract, with only the wire replaced."""

import asyncio
import gzip
import json

import httpx
import pytest

from panel import errors
from panel.backend.answers import MAX_BODY
from panel.backend.http import retry_after, retry_delay
from panel.client import AsyncCLIClient, SyncCLIClient
from panel.errors import APIError, BackendConnectionError, BackendTimeout, CLIClientError

pytestmark = pytest.mark.anyio

BASE = "http://backend.test/api/v1"


class Wire(httpx.AsyncBaseTransport):
    """Plays one answer or exception after the other; the last one for ever."""

    def __init__(self, *plays):
        self.plays = list(plays)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request):
        self.requests.append(request)
        play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
        if isinstance(play, type) and issubclass(play, Exception):
            raise play("played", request=request)
        if callable(play):
            return await play(request)
        return play


def client(*plays, **options) -> tuple[AsyncCLIClient, Wire]:
    played = Wire(*plays)
    return AsyncCLIClient(BASE, transport=played, **({"retry_delay": 0.001} | options)), played


def ok(body=None, status=200) -> httpx.Response:
    return httpx.Response(status, json=body if body is not None else {"success": True})


async def test_the_base_url_comes_from_the_variable_of_ktrdrs_own_clients(monkeypatch):
    monkeypatch.setenv("KTRDR_API_CLIENT_BASE_URL", "http://elsewhere:9/api/v1/")
    async with AsyncCLIClient() as cli:
        assert cli.base_url == "http://elsewhere:9/api/v1"
    async with AsyncCLIClient("http://given/api/v1") as cli:
        assert cli.base_url == "http://given/api/v1"
    monkeypatch.delenv("KTRDR_API_CLIENT_BASE_URL")
    async with AsyncCLIClient() as cli:
        assert cli.base_url == "http://localhost:8000/api/v1"


async def test_get_post_delete_take_what_other_scripts_pass():
    cli, played = client(ok({"success": True, "n": 1}))
    async with cli:
        assert await cli.get("/a", params={"limit": 3}, timeout=1.0) == {"success": True, "n": 1}
        await cli.post("/b", json={"x": 1}, params={"y": 2}, timeout=1.0)
        await cli.delete("/c", json={"reason": "r"}, params=None, timeout=1.0)
    sent = [(r.method, str(r.url), r.content) for r in played.requests]
    assert sent == [
        ("GET", f"{BASE}/a?limit=3", b""),
        ("POST", f"{BASE}/b?y=2", b'{"x":1}'),
        ("DELETE", f"{BASE}/c", b'{"reason":"r"}'),
    ]


@pytest.mark.parametrize(
    "play", [httpx.ConnectError, httpx.ReadTimeout, httpx.ReadError, ok(status=500), httpx.Response(200, text="<html>")]
)
async def test_health_check_is_false_on_any_failure_and_asks_once(play):
    cli, played = client(play)
    async with cli:
        assert await cli.health_check() is False
    assert len(played.requests) == 1


async def test_health_check_is_true_when_the_backend_answers():
    cli, played = client(ok({"status": "ok"}))
    async with cli:
        assert await cli.health_check() is True
    assert played.requests[0].url.path == "/api/v1/health"


@pytest.mark.parametrize("method", ["get", "delete"])
@pytest.mark.parametrize(
    "fault", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError, ok(status=500), ok(status=503)]
)
async def test_get_and_delete_are_repeated(method, fault):
    cli, played = client(fault, fault, ok({"n": 2}))
    async with cli:
        assert await getattr(cli, method)("/x") == {"n": 2}
    assert len(played.requests) == 3


async def test_repeats_end():
    cli, played = client(httpx.ReadTimeout, max_retries=3)
    async with cli:
        with pytest.raises(BackendTimeout) as caught:
            await cli.get("/x", timeout=0.5)
    assert len(played.requests) == 4
    assert caught.value.message == "The backend at http://backend.test/api/v1 timed out: no answer within 0.5 s."


@pytest.mark.parametrize("status", [400, 404, 409, 422])
async def test_a_refusal_is_not_repeated(status):
    cli, played = client(ok({"detail": "no"}, status))
    async with cli:
        with pytest.raises(APIError):
            await cli.get("/x")
    assert len(played.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ReadTimeout,
        httpx.WriteTimeout,
        httpx.ReadError,
        httpx.WriteError,
        httpx.RemoteProtocolError,
        ok(status=500),
        ok(status=502),
        ok(status=503),
    ],
)
async def test_a_post_that_may_have_left_is_never_sent_again(fault):
    cli, played = client(fault, ok())
    async with cli:
        with pytest.raises(CLIClientError) as caught:
            await cli.post("/trainings/start", json={})
    assert len(played.requests) == 1
    assert caught.value.sent


async def test_a_post_is_repeated_when_the_connection_was_refused():
    cli, played = client(httpx.ConnectError, httpx.ConnectError, ok({"task_id": "op_a"}))
    async with cli:
        assert await cli.post("/trainings/start", json={}) == {"task_id": "op_a"}
    assert len(played.requests) == 3


async def test_a_refused_connection_is_reported_with_the_address():
    async with AsyncCLIClient("http://user:secret@127.0.0.1:9/api/v1", max_retries=0) as cli:
        with pytest.raises(BackendConnectionError) as caught:
            await cli.get("/x")
    assert caught.value.message == "Could not connect to API at http://127.0.0.1:9/api/v1. Is the API server running?"
    assert not caught.value.sent


async def test_a_huge_body_is_cut_off():
    async def endless():
        while True:
            yield b" " * 65536

    cli, _ = client(httpx.Response(200, stream=_Stream(endless())))
    async with cli:
        with pytest.raises(APIError, match="more than 8 MB"):
            await cli.get("/x")


async def test_an_operation_without_an_end_is_cut_off_too():
    """Its answer may be long, and is shortened while it comes."""

    async def endless():
        yield b'{"success": true, "data": {"metrics":'
        while True:
            yield b" " * 2**20

    cli, _ = client(httpx.Response(200, stream=_Stream(endless())))
    async with cli:
        with pytest.raises(APIError, match="more than 256 MB"):
            await cli.get("/operations/op_a")


async def test_only_the_answer_about_an_operation_is_shortened():
    body = b'{"data": [{"metrics":[]}' + b" " * MAX_BODY + b"]}"
    cli, _ = client(httpx.Response(200, content=body))
    async with cli:
        with pytest.raises(APIError, match="more than 8 MB"):
            await cli.get("/operations")


async def test_a_body_of_eight_megabytes_is_read():
    body = b'{"a": "' + b"x" * (MAX_BODY - 9) + b'"}'
    cli, _ = client(httpx.Response(200, content=body))
    async with cli:
        assert len((await cli.get("/x"))["a"]) == MAX_BODY - 9


async def test_of_the_answer_about_a_long_training_the_latest_history_is_read():
    """It holds a whole history for each poll by anyone: within an hour, many more MB than can be read."""
    histories = [[{"epoch": n, "train_loss": 0.5} for n in range(epochs)] for epochs in range(1, 1100)]
    epochs = [part for history in histories for part in (history, len(history))] + [[], 1099]
    data = {"operation_id": "op_a", "progress": {"percentage": 20.0}, "metrics": {"epochs": epochs}, "local": False}
    body = json.dumps({"success": True, "data": data}, separators=(",", ":")).encode()
    assert len(body) > 2 * MAX_BODY
    cli, _ = client(httpx.Response(200, content=body))
    async with cli:
        read = (await cli.get("/operations/op_a"))["data"]
    assert read["progress"]["percentage"] == 20.0 and read["metrics"]["epochs"] == [histories[-1]]


async def test_an_unrequested_compressed_body_is_not_unpacked():
    bomb = gzip.compress(b"0" * 50_000_000)
    cli, played = client(
        lambda request: _answer(httpx.Response(200, headers={"content-encoding": "gzip"}, stream=_Stream(_once(bomb))))
    )
    async with cli:
        with pytest.raises(APIError, match="unreadable"):
            await cli.get("/x")
    assert played.requests[0].headers["accept-encoding"] == "identity"


async def test_a_redirect_elsewhere_is_not_followed():
    cli, played = client(httpx.Response(302, headers={"location": "http://evil.test/"}))
    async with cli:
        with pytest.raises(APIError):
            await cli.get("/x")
    assert len(played.requests) == 1


async def test_no_proxy_and_no_password_of_the_environment_is_used(monkeypatch, tmp_path, address, backend):
    """They would lead requests elsewhere, or give a password to the backend."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password canary\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    headers = []
    backend.answers["GET /health"] = lambda request: (headers.append(request.headers), (200, {"status": "ok"}))[1]
    async with AsyncCLIClient(address, max_retries=0) as cli:
        assert (await cli.get("/health"))["status"] == "ok"
    with SyncCLIClient(address, max_retries=0) as blocking:
        assert blocking.get("/health")["status"] == "ok"
    assert len(headers) == 2 and not any("authorization" in each for each in headers)


def test_delays_grow_and_differ():
    first, fourth = ([retry_delay(n, 1.0) for _ in range(50)] for n in (1, 4))
    assert max(first) <= 1.0 and min(fourth) >= 4.0
    assert len(set(first)) > 1
    assert retry_delay(30, 1.0) <= 10.0


@pytest.mark.parametrize("method", ["get", "post"])
async def test_an_answer_that_trickles_is_given_up_at_a_deadline(method):
    """Each byte comes within the time-out, and the answer would never end."""
    closed, sent = asyncio.Event(), 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                sent += 1
                await asyncio.sleep(0.02)
        except OSError:
            closed.set()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, AsyncCLIClient(f"http://127.0.0.1:{port}", max_retries=0) as cli:
        with pytest.raises(BackendTimeout, match="did not finish its answer within 2 s") as caught:
            await getattr(cli, method)("/x", timeout=1)
        assert caught.value.sent and caught.value.retryable
        assert sent < 1000, "it took more than ten times its deadline"
        await asyncio.wait_for(closed.wait(), 60)  # the connection is not kept


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("header", "waited"), [("7", 7.0), ("9999", 30.0), ("nonsense", 0.001), ("", 0.001)])
async def test_retry_after_is_heeded_within_bounds(monkeypatch, status, header, waited):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr("panel.backend.http.asyncio.sleep", sleep)
    busy = httpx.Response(status, json={"detail": "busy"}, headers={"retry-after": header})
    cli, played = client(busy, ok({"n": 1}))
    async with cli:
        assert await cli.get("/x") == {"n": 1}
    assert len(played.requests) == 2 and slept == [pytest.approx(waited, rel=0.5)]


async def test_a_post_is_not_repeated_for_a_retry_after():
    cli, played = client(httpx.Response(503, json={"detail": "busy"}, headers={"retry-after": "0"}), ok())
    async with cli:
        with pytest.raises(APIError):
            await cli.post("/x", json={})
    assert len(played.requests) == 1


def test_retry_after_may_be_a_date():
    assert retry_after("Wed, 21 Oct 2026 07:28:00 GMT", 1792567670.0) == 10.0
    assert retry_after("Wed, 21 Oct 2020 07:28:00 GMT", 1792567670.0) == 0.0


async def test_each_request_is_reported():
    reported = []
    cli, _ = client(ok(status=500), ok(), on_request=lambda *what: reported.append(what))
    async with cli:
        await cli.get("/x")
    assert [(method, path, error is None) for method, path, _, error in reported] == [
        ("GET", "/x", False),
        ("GET", "/x", True),
    ]


def test_the_old_names_of_errors_are_the_same_classes():
    assert (errors.TimeoutError, errors.ConnectionError) == (errors.BackendTimeout, errors.BackendConnectionError)


class _Stream(httpx.AsyncByteStream):
    def __init__(self, chunks):
        self._chunks = chunks

    async def __aiter__(self):
        async for chunk in self._chunks:
            yield chunk


async def _once(chunk):
    yield chunk


async def _answer(response):
    return response
