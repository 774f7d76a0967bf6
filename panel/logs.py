"""The log: what comes from elsewhere never begins a line of its own, and no password is in it."""

import logging
import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")


class Lines(logging.Formatter):
    """One line for each record; a traceback follows it indented, so that none of its lines looks like a record."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        return _clean(super().formatMessage(record))

    def formatException(self, ei: object) -> str:
        lines = super().formatException(ei).split("\n")  # type: ignore[arg-type]
        return "\n".join(f"    {_clean(line)}" for line in lines)


def install(level: str) -> None:
    """Everything that is logged in this process goes to standard error, in these lines."""
    to_stderr = logging.StreamHandler()
    to_stderr.setFormatter(Lines())
    logging.basicConfig(level=level.upper(), handlers=[to_stderr])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it names every request


def _clean(text: str) -> str:
    return _USERINFO.sub("", _CONTROL.sub(lambda found: repr(found[0])[1:-1], text))
