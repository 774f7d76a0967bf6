"""Bytes from the backend -> values, or an error a person can read. Pure.

The backend has four shapes of an error: `{"detail": "text"}`, `{"detail": {…}}` (two different dicts),
`{"success": false, "error": {code, message, details}}` and HTTP 200 with `"success": false`. All of them
end here, as `APIError`.

The detail of a running training grows with every poll by anyone, to many MB in an hour: `metrics.epochs` is
`[history, cursor, history, cursor, …]`. Only the longest history is of use, so only that one is decoded;
the others are skipped as bytes (`msgspec.Raw`). Of an answer of more than MAX_BODY they are not even kept.
"""

import json
import re
from http import HTTPStatus
from typing import Any

import msgspec

from panel.backend.decoding import line, plain
from panel.errors import APIError, CLIClientError, Unreadable

MAX_BODY = 8 * 1024 * 1024  # bytes, after decompression
MAX_GROWN = 256 * 1024 * 1024  # bytes of an answer that is shortened while it comes
KEPT = MAX_BODY // 2  # bytes of the end of a longer answer, which holds the latest history
MAX_REASON = 300  # characters of why something failed, beside what failed

_OPERATION = re.compile(r"/operations/[^/?]+$")
_METRICS = b'"metrics":'
_PREFIXES = ("body -> ", "query -> ", "path -> ")
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
# What says no before anything is begun. Any other 4xx may come from something in front of the backend that gave up
# on an answer (408, 499), or sent the request again (429): KTRDR gives none of them.
_REFUSALS = frozenset({400, 401, 403, 404, 405, 409, 422})


def read_answer(method: str, path: str, status: int, body: bytes, *, retry_after: float = 0.0) -> Any:
    """The decoded body of a good answer; raises APIError for everything else.

    For `GET /operations/{id}`, `data.metrics.epochs` comes back as a list with one history in it.
    """
    lean = method == "GET" and _OPERATION.search(path) is not None
    try:
        value = _decode_operation(body) if lean else _decode(body)
    except (ValueError, RecursionError) as exc:  # msgspec's errors are ValueErrors
        raise _unreadable(status, body, retry_after) from exc
    if status >= 400:
        message, details = explain(status, value)
        raise APIError(
            message,
            status,
            details,
            retryable=status in _TRANSIENT,
            refused=_refused(status, details),
            retry_after=retry_after,
        )
    if status >= 300:
        raise APIError(f"The backend answered {_named(status)}; the panel does not follow it elsewhere.", status)
    if isinstance(value, dict) and value.get("success") is False:
        message, details = explain(status, value)
        raise APIError(message, status, details)  # no start is refused so: it may have failed half-way
    return value


def explain(status: int, value: Any) -> tuple[str, Any]:
    """(message, details) of an error body in any of the four shapes. Never empty."""
    message = ""
    details: Any = None
    if isinstance(value, dict):
        detail, error = value.get("detail"), value.get("error")
        if isinstance(detail, str):
            message = detail
        elif isinstance(detail, dict):
            message, details = _from_dict(detail), detail
        elif isinstance(detail, list):
            message, details = _from_fields("Request validation failed", detail), detail
        elif isinstance(error, dict):
            details = error.get("details")
            message = _text(error.get("message")) or _text(error.get("code"))
            if isinstance(details, list):
                message = _from_fields(message, details)
            elif isinstance(details, dict) and (why := _text(details.get("error")).strip()):
                message = f"{message}: {why.splitlines()[0][:MAX_REASON]}"  # an SQL statement may follow
        elif isinstance(error, str):
            message = error
        if not message:
            message = _text(value.get("message")) or _of_issues(value.get("issues"))
        if details is None:
            details = value
    elif isinstance(value, str):
        message = value
    message = line(" ".join(message.split()))
    return message or f"The backend answered {_named(status)} and gave no reason.", plain(details)


def field_errors(details: Any) -> dict[str, str]:
    """Field name -> sentence, out of the `details` list of a validation error; {} when it has none."""
    found: dict[str, str] = {}
    if isinstance(details, list):
        for item in details:
            if isinstance(item, dict):
                name = _field_name(item)
                found.setdefault(name, _text(item.get("message") or item.get("msg")).removeprefix("Value error, "))
    return found


def own_failure(error: CLIClientError) -> bool:
    """Whether the backend itself failed. KTRDR answers 400 then too, as without its database, with the reason in the
    details."""
    return _failed(error.status_code, error.details)


def _failed(status: int | None, details: Any) -> bool:
    return status == 400 and isinstance(details, dict) and bool(_text(details.get("error")))


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        # One number out of range, a NaN or half a surrogate pair must not cost the rest of a list.
        return json.loads(body, parse_int=_integer, parse_constant=lambda _: None)


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= 20 else None


def _decode_operation(body: bytes) -> Any:
    try:
        outer = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        fields = msgspec.json.decode(outer["data"], type=dict[str, msgspec.Raw])
        metrics = msgspec.json.decode(fields.pop("metrics"), type=dict[str, msgspec.Raw])
        histories = msgspec.json.decode(metrics.pop("epochs"), type=list[msgspec.Raw])
        lists = [raw for raw in histories if bytes(memoryview(raw)[:1]) == b"["]
        longest = [msgspec.json.decode(max(lists, key=_length))] if lists else []
        answer = {name: msgspec.json.decode(raw) for name, raw in outer.items() if name != "data"}
        data = {name: msgspec.json.decode(raw) for name, raw in fields.items()}
        data["metrics"] = {name: msgspec.json.decode(raw) for name, raw in metrics.items()} | {"epochs": longest}
    except (msgspec.MsgspecError, UnicodeError, KeyError):
        return _decode_whole(body)
    return answer | {"data": data}


def shorten(path: str, body: bytearray) -> bool:
    """Remove old histories from the answer about an operation; returns False for another, or where there are none."""
    first = body.find(_METRICS, 0, KEPT) if _OPERATION.search(path) else -1
    if first < 0:
        return False
    del body[first + len(_METRICS) : -KEPT]
    return True


def _decode_whole(body: bytes) -> Any:
    """An answer that has not the shape that grows, or what `shorten` left of one: then with the latest history."""
    try:
        return _decode(body)
    except ValueError:
        if len(body) <= KEPT:
            raise
    head, _, rest = body.partition(_METRICS)
    end = rest.rfind(b"}]") + 2
    first = rest.rfind(b"[{", 0, end)
    return _decode(head + _METRICS + b'{"epochs":[' + (rest[first:end] if first >= 0 else b"[]") + b"]}}}")


def _length(raw: msgspec.Raw) -> int:
    return len(memoryview(raw))


def _refused(status: int, details: Any) -> bool:
    """Refused before anything began: one of _REFUSALS, unless the backend itself failed, or a 503 that gives its reason
    (no worker, or all of them busy). A bare 503 is something in front of the backend, and proves nothing."""
    reasoned = isinstance(details, dict) and bool(details.keys() & {"registered_workers", "detail"})
    return (status in _REFUSALS and not _failed(status, details)) or (status == 503 and reasoned)


def _unreadable(status: int, body: bytes, retry_after: float) -> Unreadable:
    start = line(body[:300].decode("utf-8", "replace"))
    if status >= 400:
        message = f"The backend, or something in front of it, answered {_named(status)} without a readable reason."
    else:
        message = "The backend sent something unreadable."
    refused, details = status in _REFUSALS, {"body": start}
    return Unreadable(
        message, status, details, retryable=status in _TRANSIENT, refused=refused, retry_after=retry_after
    )


def _from_dict(detail: dict[str, Any]) -> str:
    """The two dicts: {message, error_code, context, details, suggestion} and {error, …, hint}."""
    parts = [_text(detail.get("message")) or _text(detail.get("error")) or _text(detail.get("detail"))]
    more = detail.get("details")
    if isinstance(more, dict) and isinstance(more.get("errors"), list):
        parts += [_text(item.get("message")) for item in more["errors"][:10] if isinstance(item, dict)]
    parts += [_text(detail.get("suggestion")), _text(detail.get("hint"))]
    return _sentences(parts)


def _of_issues(issues: Any) -> str:
    """A validation's findings: {severity, category, message, details}, errors only."""
    found = [item for item in issues if isinstance(item, dict)] if isinstance(issues, list) else []
    return _sentences([_text(item.get("message")) for item in found[:10] if item.get("severity") == "error"])


def _sentences(parts: list[str]) -> str:
    ended = [part.strip().rstrip(".") for part in parts if part.strip()]
    return ended[0] if len(ended) == 1 else "".join(f"{part}. " for part in ended).rstrip()


def _from_fields(message: str, fields: list[Any]) -> str:
    named = field_errors(fields)
    return f"{message}: " + "; ".join(f"{k}: {v}" if k else v for k, v in named.items()) if named else message


def _field_name(item: dict[str, Any]) -> str:
    location = item.get("loc")
    if isinstance(location, list):
        return str(location[-1]) if location else ""
    name = _text(item.get("field"))
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
