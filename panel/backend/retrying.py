"""Small functions of KTRDR's client, for scripts with request loops of their own; the panel's clients use none."""

import random
from typing import Any

from httpx import Response

from panel.backend.answers import explain
from panel.domain.causes import GATEWAY, HOST_SERVICE, cause_of
from panel.domain.kinds import Traits
from panel.domain.values import mapping, text
from panel.errors import APIError


def should_retry(status_code: int, attempt: int, max_retries: int, retryable: bool | None = None) -> bool:
    """Whether a request may be repeated; `attempt` counts from 0. `retryable`, where known, decides instead of the
    status."""
    server_error = 500 <= status_code < 600
    return attempt < max_retries and (server_error if retryable is None else retryable)


def calculate_backoff(attempt: int, base_delay: float) -> float:
    """Seconds before the next attempt; `attempt` counts from 0."""
    return float(base_delay * 2.0**attempt + random.random())  # noqa: S311


def parse_response(response: Response) -> Any:
    """The JSON of a good answer; raises APIError for an error and for what is no JSON."""
    status = response.status_code
    try:
        value = response.json()
    except ValueError as exc:
        raise APIError("The answer is not valid JSON.", status, {"body": text(response.text)[:300]}) from exc
    if 200 <= status < 300:
        return value
    message, details = explain(status, value)
    raise APIError(message, status, details)


def enhance_with_ib_diagnostics(error_data: Any) -> Any:
    """An error's data with `ib_diagnosis` (problem_type, message, details) added, where the Interactive Brokers Gateway
    or its host service failed; any other as it came."""
    error = mapping(mapping(error_data).get("error"))
    code, message, details = text(error.get("code")), text(error.get("message")), mapping(error.get("details"))
    cause = cause_of(message, Traits(loads=True))
    if not ("IB-" in code or "CIRCUIT" in code or "ib gateway" in message.lower() or cause in (HOST_SERVICE, GATEWAY)):
        return error_data
    diagnosis = {
        "problem_type": text(details.get("problem_type")) or "unknown",
        "message": cause.advice if cause else message,
        "details": mapping(details.get("diagnosis")) or details,
    }
    return error_data | {"ib_diagnosis": diagnosis}
