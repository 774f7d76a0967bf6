"""The only place that speaks HTTP to the backend."""

import asyncio
import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx

from panel.adapters import OperationAdapter
from panel.backend import decoding as wire
from panel.backend import polling as execute
from panel.errors import CLIClientError, ConnectionError, TimeoutError, Unreadable
from panel.observability.trace import TRACE
from panel.settings import BASE_URL, DEFAULT_BASE_URL, without_userinfo

# The backend's server drops a connection that rests for 5 s. Letting go first means that a POST is not
# sent into a connection which is just being closed, and so is not lost in a way nobody can tell.
_KEEP_ALIVE = 3.0


class AsyncCLIClient:
    """`async with AsyncCLIClient(…) as cli:`; one long-lived connection pool.

    `base_url` ends in `/api/v1`; None takes KTRDR_API_CLIENT_BASE_URL. `timeout` is in seconds for each
    request. GET and DELETE are repeated up to `max_retries` times after a lost connection, a time-out or
    a 5xx, first after about `retry_delay` seconds. **A POST is never sent again once it may have left**:
    it may have started something. `transport` replaces the network (the embedded backend, tests).
    """

    def __init__(
        self,
        base_url: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 3,
        retry_delay: float = 1.0,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.base_url = (base_url or os.environ.get(BASE_URL) or DEFAULT_BASE_URL).rstrip("/")
        self.address = without_userinfo(self.base_url)
        self.timeout = timeout
        self.max_retries = max_retries
        self.retry_delay = retry_delay
        self.date = ""  # the backend's own time, as its latest answer told it
        # Told of every request: method, path, seconds, and the error it came to.
        self.told: Callable[[str, str, float, CLIClientError | None], None] | None = None
        self._http = httpx.AsyncClient(
            transport=transport,
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,  # no proxy from the environment, no ~/.netrc
            limits=httpx.Limits(max_connections=10, max_keepalive_connections=10, keepalive_expiry=_KEEP_ALIVE),
            # Not compressed: a body's size is then known while it arrives.
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def health_check(self) -> bool:
        """Whether the backend answers; False on any failure, never raises."""
        try:
            await self._send("GET", "/health", timeout=min(5.0, self.timeout))
        except CLIClientError:
            return False
        return True

    async def get(self, path: str, params: Any = None, timeout: float | None = None) -> Any:
        """The decoded answer; raises CLIClientError."""
        return await self._request("GET", path, params=params, timeout=timeout)

    async def post(self, path: str, json: Any = None, params: Any = None, timeout: float | None = None) -> Any:
        """The decoded answer; raises CLIClientError, whose `sent` says whether the request may have arrived."""
        return await self._request("POST", path, json=json, params=params, timeout=timeout)

    async def delete(self, path: str, json: Any = None, params: Any = None, timeout: float | None = None) -> Any:
        """The decoded answer; raises CLIClientError."""
        return await self._request("DELETE", path, json=json, params=params, timeout=timeout)

    async def execute_operation(
        self, adapter: OperationAdapter, on_progress: execute.OnProgress | None = None, poll_interval: float = 0.3
    ) -> dict[str, Any]:
        """See `panel.backend.polling.execute_operation`."""
        return await execute.execute_operation(self, adapter, on_progress, poll_interval)

    async def _request(self, method: str, path: str, **options: Any) -> Any:
        attempt = 0
        while True:
            try:
                return await self._timed(method, path, **options)
            except CLIClientError as exc:
                attempt += 1
                again = not exc.sent if method == "POST" else exc.retryable
                if not again or attempt > self.max_retries:
                    raise
                await asyncio.sleep(wire.retry_delay(attempt, self.retry_delay))

    async def _timed(self, method: str, path: str, **options: Any) -> Any:
        began, error = time.perf_counter(), None
        try:
            return await self._send(method, path, **options)
        except CLIClientError as exc:
            error = exc
            raise
        finally:
            if self.told is not None:
                self.told(method, path, time.perf_counter() - began, error)

    async def _send(
        self, method: str, path: str, json: Any = None, params: Any = None, timeout: float | None = None
    ) -> Any:
        wait = self.timeout if timeout is None else timeout
        try:
            async with self._http.stream(
                method, self.base_url + path, json=json, params=params, timeout=wait, headers=TRACE.get()
            ) as response:
                self.date = response.headers.get("date", "")
                body = await _read_capped(response)
                return wire.read_answer(method, path, response.status_code, body)
        except httpx.ConnectError as exc:
            message = f"Could not connect to API at {self.address}. Is the API server running?"
            raise ConnectionError(message, retryable=True, sent=False) from exc
        except httpx.TimeoutException as exc:
            never_left = isinstance(exc, httpx.ConnectTimeout | httpx.PoolTimeout)
            message = f"The backend at {self.address} did not answer within {wait:g} s."
            raise TimeoutError(message, retryable=True, sent=not never_left) from exc
        except httpx.TransportError as exc:
            message = f"The connection to {self.address} broke before the answer was complete."
            raise ConnectionError(message, retryable=True) from exc
        except (httpx.InvalidURL, UnicodeError) as exc:
            raise CLIClientError(f"{self.address} is not an address that can be asked.", sent=False) from exc


async def _read_capped(response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise Unreadable(
            "The backend sent something unreadable: a compressed body nobody asked for.", response.status_code
        )
    chunks, size = [], 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > wire.MAX_BODY:
            limit = wire.MAX_BODY // 2**20
            raise Unreadable(f"The backend sent something unreadable: more than {limit} MB.", response.status_code)
        chunks.append(chunk)
    return b"".join(chunks)
