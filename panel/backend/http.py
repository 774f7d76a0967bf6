"""The only module that speaks HTTP to the backend: one connection pool, retries, deadlines, bounded bodies."""

import asyncio
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self

import httpx

from panel.backend.answers import MAX_BODY, MAX_GROWN, read_answer, shorten
from panel.errors import BackendConnectionError, BackendTimeout, CLIClientError, Unreadable
from panel.observability.trace import TRACE
from panel.settings import BASE_URL, DEFAULT_BASE_URL, without_userinfo

HEALTH = "/health"
# The backend's server drops a connection that is idle for 5 s. Closing first means that a POST is not sent into a
# connection which is just being closed: it would be unknown whether it arrived.
KEEP_ALIVE = 3.0
LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=10, keepalive_expiry=KEEP_ALIVE)
# Not compressed: a body's size is then known while it arrives.
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
WHOLE = 2.0  # times the time-out that one exchange may take, from connecting to the last byte
LONGEST_DELAY, LONGEST_RETRY_AFTER = 10.0, 30.0  # seconds before a repeat

OnRequest = Callable[[str, str, float, CLIClientError | None], None]


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """A client's options. Times are in seconds."""

    base_url: str
    timeout: float = 30.0
    max_retries: int = 3
    retry_delay: float = 1.0


class HTTPClient:
    """One long-lived connection pool.

    `base_url` ends in `/api/v1`; None takes KTRDR_API_CLIENT_BASE_URL. `timeout` is in seconds: for connecting, and
    between two pieces of an answer; a whole exchange may take twice as long. GET and DELETE are repeated up to
    `max_retries` times after a lost connection, a time-out, a 429 or a 5xx, first after about `retry_delay` seconds.
    **A POST is never sent again once it may have left**: it may have started something. `transport` replaces the
    network (the embedded backend, tests), `address` its name in messages. `verify=False` believes any certificate.
    `on_request` is called after each request with its method, path, seconds and error.
    """

    def __init__(
        self,
        base_url: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 3,
        retry_delay: float = 1.0,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        address: str = "",
        on_request: OnRequest | None = None,
        verify: bool = True,
    ) -> None:
        self.config = ClientConfig(resolved(base_url), timeout, max_retries, retry_delay)
        self.base_url = self.config.base_url
        self.address = address or without_userinfo(self.base_url)
        self.date = ""  # the backend's own time, from its latest answer
        self._on_request = on_request
        self._http = httpx.AsyncClient(
            transport=transport,
            verify=verify and needs_certificates(self.base_url),
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,  # no proxy from the environment, no ~/.netrc
            limits=LIMITS,
            headers=HEADERS,
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
            await self._send("GET", HEALTH, timeout=min(5.0, self.config.timeout))
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

    async def _request(self, method: str, path: str, **options: Any) -> Any:
        attempt = 0
        while True:
            try:
                return await self._observed(method, path, **options)
            except CLIClientError as exc:
                attempt += 1
                if (delay := delay_before_repeat(method, exc, attempt, self.config)) is None:
                    raise
                await asyncio.sleep(delay)

    async def _observed(self, method: str, path: str, **options: Any) -> Any:
        began, error = time.perf_counter(), None
        try:
            return await self._send(method, path, **options)
        except CLIClientError as exc:
            error = exc
            raise
        finally:
            if self._on_request is not None:
                self._on_request(method, path, time.perf_counter() - began, error)

    async def _send(
        self, method: str, path: str, json: Any = None, params: Any = None, timeout: float | None = None
    ) -> Any:
        wait = self.config.timeout if timeout is None else timeout
        try:
            # The time-out restarts with each byte: only a deadline ends an answer that trickles.
            async with (
                asyncio.timeout(wait * WHOLE),
                self._http.stream(
                    method, self.base_url + path, json=json, params=params, timeout=wait, headers=TRACE.get()
                ) as response,
            ):
                self.date = response.headers.get("date", "")
                body = bytearray()
                async for chunk in uncompressed(response).aiter_bytes():
                    add_bounded(body, chunk, response)
        except FAILURES as exc:
            raise failure(exc, self.address, wait) from exc
        return decoded(method, path, response, bytes(body))


FAILURES = (TimeoutError, httpx.TransportError, httpx.InvalidURL, UnicodeError)


def resolved(base_url: str | None) -> str:
    return (base_url or os.environ.get(BASE_URL) or DEFAULT_BASE_URL).rstrip("/")


def needs_certificates(base_url: str) -> bool:
    """Whether lines to it are encrypted. Where none is, reading the authorities' certificates is 25 ms for nothing."""
    return not base_url.lower().startswith("http:")


def failure(exc: Exception, address: str, wait: float) -> CLIClientError:
    """The error for an exception of FAILURES; `wait` is the time-out in seconds."""
    match exc:
        case httpx.ConnectError():
            message = f"Could not connect to API at {address}. Is the API server running?"
            return BackendConnectionError(message, retryable=True, sent=False)
        case TimeoutError():
            message = f"The backend at {address} timed out: it did not finish its answer within {wait * WHOLE:g} s."
            return BackendTimeout(message, retryable=True)
        case httpx.TimeoutException():
            never_left = isinstance(exc, httpx.ConnectTimeout | httpx.PoolTimeout)
            message = f"The backend at {address} timed out: no answer within {wait:g} s."
            return BackendTimeout(message, retryable=True, sent=not never_left)
        case httpx.TransportError():
            message = f"The connection to {address} broke before the answer was complete."
            return BackendConnectionError(message, retryable=True)
    return CLIClientError(f"{address} is not an address that can be asked.", sent=False)


def decoded(method: str, path: str, response: httpx.Response, body: bytes) -> Any:
    busy = response.status_code in (429, 503)
    asked_for = retry_after(response.headers.get("retry-after", ""), time.time()) if busy else 0.0
    return read_answer(method, path, response.status_code, body, retry_after=asked_for)


def delay_before_repeat(method: str, exc: CLIClientError, attempt: int, config: ClientConfig) -> float | None:
    """Seconds before repeat number `attempt` (1, 2, …), None for none. A POST is never sent again once it may have
    left."""
    again = not exc.sent if method == "POST" else exc.retryable
    if not again or attempt > config.max_retries:
        return None
    return max(retry_delay(attempt, config.retry_delay), min(exc.retry_after, LONGEST_RETRY_AFTER))


def retry_delay(attempt: int, base: float) -> float:
    """Seconds before repeat number `attempt` (1, 2, …): exponential, at most LONGEST_DELAY, with jitter so that the
    clients of a backend that comes back do not all ask at once."""
    return min(base * 2.0 ** (attempt - 1), LONGEST_DELAY) * random.uniform(0.5, 1.0)  # noqa: S311


def retry_after(header: str, now: float) -> float:
    """Seconds from a Retry-After header, a number or an HTTP date; 0 for none that can be read."""
    if header.isdecimal() and len(header) < 10:
        return float(header)
    try:
        return max(parsedate_to_datetime(header).timestamp() - now, 0.0)
    except (ValueError, OverflowError):
        return 0.0


def uncompressed(response: httpx.Response) -> httpx.Response:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        message = "The backend sent something unreadable: a compressed body that was not asked for."
        raise Unreadable(message, response.status_code)
    return response


def add_bounded(body: bytearray, chunk: bytes, response: httpx.Response) -> None:
    """Raises Unreadable for a body of more than MAX_BODY that cannot be shortened, or of more than MAX_GROWN."""
    body += chunk
    endless = response.num_bytes_downloaded > MAX_GROWN
    if endless or (len(body) > MAX_BODY and not shorten(response.url.path, body)):
        limit = (MAX_GROWN if endless else MAX_BODY) // 2**20
        raise Unreadable(f"The backend sent something unreadable: more than {limit} MB.", response.status_code)
