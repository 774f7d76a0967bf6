"""Request ID and W3C trace context.

Both are passed on: the id to every log line that the request causes, the trace to the backend with every
question that is asked because of it (W3C Trace Context; nothing is added to it, so no tracer is needed).
What is not exactly in the standard's form is not passed on.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from contextvars import ContextVar

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
TRACE: ContextVar[Mapping[str, str] | None] = ContextVar("trace", default=None)

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_KEY = r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
_VALUE = r"[ -+\--<>-~]{0,255}[!-+\--<>-~]"
_MEMBER = re.compile(f"{_KEY}={_VALUE}")
_MEMBERS, _LENGTH = 32, 512  # at most, of a tracestate


def request_id(given: Sequence[str]) -> str:
    """The request's X-Request-ID, if it is one plain word; a new one otherwise."""
    return given[0] if len(given) == 1 and _PLAIN.fullmatch(given[0]) else secrets.token_hex(8)


def trace(parents: Sequence[str], states: Sequence[str]) -> dict[str, str]:
    """The headers to pass on; {} without a well-formed trace."""
    if len(parents) != 1 or not _PARENT.fullmatch(parents[0]):
        return {}
    members = [member.strip(" \t") for member in ",".join(states).split(",")]
    members = [member for member in members if member]
    state = ",".join(members)
    keys = [member.partition("=")[0] for member in members]
    whole = len(members) <= _MEMBERS and len(state) <= _LENGTH and len(set(keys)) == len(keys)
    if state and whole and all(map(_MEMBER.fullmatch, members)):
        return {"traceparent": parents[0], "tracestate": state}
    return {"traceparent": parents[0]}
