"""Every error the panel raises on purpose, in one place.

    CLIClientError                 a request to the backend failed
    ├── BackendConnectionError     nothing listens there, or the connection broke
    ├── BackendTimeout             no answer in time
    └── APIError                   the backend answered with an error
        ├── AlreadyEnded           a cancel came too late
        └── Unreadable             it, or something in front of it, sent no JSON of the API
    InvalidForm                    what was typed cannot be sent
    UnsafeSettings                 the panel refuses to start with these settings

`ConnectionError` and `TimeoutError` are the names under which other scripts import the first two.
"""

from collections.abc import Mapping
from typing import Any


class CLIClientError(Exception):
    """A request to the backend failed.

    `message` is for people. `status_code` is the HTTP status, None when there was no answer. `details` is
    what the backend sent besides the message. `retryable` says that the same request may succeed later.
    `sent` says that the request may have reached the backend: a start must then never be sent again.
    `refused` says that it was turned down before anything was begun. `retry_after`: the seconds for which the backend
    asked (429, 503), 0 for none.
    """

    def __init__(
        self,
        message: str,
        status_code: int | None = None,
        details: Any = None,
        *,
        retryable: bool = False,
        sent: bool = True,
        refused: bool = False,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.details = {} if details is None else details
        self.retryable = retryable
        self.sent = sent
        self.refused = refused
        self.retry_after = retry_after

    @property
    def unknown(self) -> bool:
        """The backend answers that it does not exist."""
        return self.status_code == 404


class BackendConnectionError(CLIClientError):
    """No connection to the backend, or it broke before the answer was complete."""


class BackendTimeout(CLIClientError):  # noqa: N818
    """The backend did not answer in time."""


ConnectionError = BackendConnectionError  # noqa: A001
TimeoutError = BackendTimeout  # noqa: A001


class APIError(CLIClientError):
    """The backend answered with an error, in any of its four shapes."""


class NoOperation(APIError, KeyError):
    """The answer to a start names no operation. A KeyError too, which is what scripts for KTRDR's client expect."""

    def __str__(self) -> str:  # KeyError would put quotes around it
        return self.message


class AlreadyEnded(APIError):
    """A cancel of an operation that has ended. Any other refusal of a cancel leaves it running."""


class Unreadable(APIError):
    """Not an answer of the backend: a proxy's page, a truncated or too large body. It proves nothing."""

    @property
    def unknown(self) -> bool:
        return False


class InvalidForm(Exception):
    """What was typed cannot be sent. `errors` maps a field's name to a sentence; "" is the whole form."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = dict(errors)


class UnsafeSettings(Exception):
    """The settings would open the panel to others, or are invalid. The text says what to change."""
