"""The blocking client, for scripts without an event loop."""

import time
from types import TracebackType
from typing import Any, Self

import httpx

from panel.backend import http
from panel.errors import CLIClientError
from panel.settings import without_userinfo


class SyncCLIClient:
    """`with SyncCLIClient(…) as cli:`; arguments, retries, limits and errors are those of `HTTPClient`. A POST is never
    sent again once it may have left."""

    def __init__(
        self,
        base_url: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 3,
        retry_delay: float = 1.0,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.config = http.ClientConfig(http.resolved(base_url), timeout, max_retries, retry_delay)
        self.address = without_userinfo(self.config.base_url)
        self._http = httpx.Client(
            transport=transport,
            verify=http.needs_certificates(self.config.base_url),
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
            limits=http.LIMITS,
            headers=http.HEADERS,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def health_check(self) -> bool:
        """Whether the backend answers; False on any failure, never raises."""
        try:
            self._send("GET", http.HEALTH, timeout=min(5.0, self.config.timeout))
        except CLIClientError:
            return False
        return True

    def get(self, path: str, params: Any = None, timeout: float | None = None) -> Any:
        """The decoded answer; raises CLIClientError."""
        return self._request("GET", path, params=params, timeout=timeout)

    def post(self, path: str, json: Any = None, params: Any = None, timeout: float | None = None) -> Any:
        """The decoded answer; raises CLIClientError, whose `sent` says whether the request may have arrived."""
        return self._request("POST", path, json=json, params=params, timeout=timeout)

    def delete(self, path: str, json: Any = None, params: Any = None, timeout: float | None = None) -> Any:
        """The decoded answer; raises CLIClientError."""
        return self._request("DELETE", path, json=json, params=params, timeout=timeout)

    def _request(self, method: str, path: str, **options: Any) -> Any:
        attempt = 0
        while True:
            try:
                return self._send(method, path, **options)
            except CLIClientError as exc:
                attempt += 1
                if (delay := http.delay_before_repeat(method, exc, attempt, self.config)) is None:
                    raise
                time.sleep(delay)

    def _send(self, method: str, path: str, json: Any = None, params: Any = None, timeout: float | None = None) -> Any:
        wait = self.config.timeout if timeout is None else timeout
        deadline, body = time.monotonic() + wait * http.WHOLE, bytearray()
        try:
            url = self.config.base_url + path
            with self._http.stream(method, url, json=json, params=params, timeout=wait) as response:
                for chunk in http.uncompressed(response).iter_bytes():
                    http.add_bounded(body, chunk, response)
                    if time.monotonic() > deadline:
                        raise TimeoutError
        except http.FAILURES as exc:
            raise http.failure(exc, self.address, wait) from exc
        return http.decoded(method, path, response, bytes(body))
