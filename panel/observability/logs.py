"""Logs: one line an event, with its fields. External text cannot forge lines; passwords are left out."""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from panel.observability.trace import REQUEST_ID

FIELDS = ("operation", "kind", "state", "by", "method", "path", "status", "ms", "address")  # given as `extra`

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")


class Lines(logging.Formatter):
    """For people. A traceback follows its line indented, so that none of its lines looks like a record."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={_word(value)}" for name, value in _fields(record).items())
        return _clean(super().formatMessage(record)) + fields

    def formatException(self, ei: object) -> str:
        lines = super().formatException(ei).split("\n")  # type: ignore[arg-type]
        return "\n".join(f"    {_clean(line)}" for line in lines)


class Json(logging.Formatter):
    """For machines: one JSON object for each record, a traceback in it as one string."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        line |= _fields(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _USERINFO.sub("", json.dumps(line, default=str))


def install(level: str, form: str = "text") -> None:
    """Everything that is logged in this process goes to standard error, in this form: text or json."""
    to_stderr = logging.StreamHandler()
    to_stderr.setFormatter(Json() if form == "json" else Lines())
    logging.basicConfig(level=level.upper(), handlers=[to_stderr])
    for library in ("httpx", "httpcore", "sse_starlette", "asyncio"):  # they name every request, and every byte
        logging.getLogger(library).setLevel(logging.WARNING)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    found = {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
    request = REQUEST_ID.get()
    return found | {"request": request} if request else found


def _word(value: Any) -> str:
    text = _clean(str(value))
    return text if re.fullmatch(r"[^\s\"=]+", text) else json.dumps(text, ensure_ascii=False)


def _clean(text: str) -> str:
    return _USERINFO.sub("", _CONTROL.sub(lambda found: repr(found[0])[1:-1], text))
