"""Notification channels: addresses as Apprise writes them, checked, shown without their secrets, and sent to."""

import hashlib
import logging
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from panel.storage.outbox import MessageState

CONNECT_TIMEOUT, READ_TIMEOUT = 10.0, 60.0  # seconds; a late answer is still an answer
MAX_ADDRESS = 500  # characters


class BadChannel(Exception):
    """The panel cannot send to this address; the message says why."""


@dataclass(frozen=True, slots=True)
class Channel:
    id: str
    service: str  # Slack, ntfy, E-Mail …
    shown: str  # the address without its secrets
    fixed: bool  # from the environment: not to be removed on the page
    url: str


@lru_cache(64)  # the addresses are checked every few seconds
def channel_of(url: str, *, fixed: bool = False) -> Channel:
    """Raises BadChannel."""
    url = url.strip()
    if not url or len(url) > MAX_ADDRESS or not url.isprintable():
        raise BadChannel(f"An address has at most {MAX_ADDRESS} characters and no line breaks.")
    made = _plugin(url)
    if made is None:
        raise BadChannel("This is no address of a channel. Examples: ntfy://ntfy.sh/my-topic, jsons://host/path.")
    if not made.secure_protocol:  # those that act on this machine: its desktop, its log
        raise BadChannel(f"{made.service_name} is no service that can be reached over a network.")
    shown = without_secrets(str(made.url(privacy=True)))
    return Channel(hashlib.sha256(url.encode()).hexdigest()[:16], str(made.service_name), shown, fixed, url)


def without_secrets(address: str) -> str:
    """An address that Apprise has taken the passwords out of, also without what it does not know to be one: the path of
    a webhook, the topic of an ntfy and a name before the host are as good as passwords, for some services."""
    scheme, _, rest = address.partition("?")[0].partition("://")
    place, *path = rest.split("/")
    who, at, host = place.rpartition("@")
    if at and ":" not in who:
        who = _masked(who)
    return f"{scheme}://{who}{at}{'/'.join([host, *map(_masked, path)])}"


def _masked(part: str) -> str:
    return part if len(part) < 5 or "..." in part or "****" in part else f"{part[0]}...{part[-1]}"


def send(url: str, title: str, body: str) -> tuple[MessageState, str]:
    """Send it now; blocks for up to READ_TIMEOUT. UNKNOWN: it left, and nothing answered in
    time. FAILED: it was refused or not delivered; where the connection broke before the answer, which Apprise does not
    tell apart, it may have arrived."""
    made = _plugin(url)
    if made is None:
        return MessageState.FAILED, "The address is no channel any more."
    began = time.monotonic()
    try:
        taken = made.notify(title=title, body=body)
    except Exception as exc:  # plugins raise anything
        return MessageState.FAILED, f"It could not be sent ({type(exc).__name__})."
    if taken:
        return MessageState.SENT, ""
    if time.monotonic() - began >= READ_TIMEOUT:
        return MessageState.UNKNOWN, f"No answer within {READ_TIMEOUT:.0f} seconds: it may have arrived."
    return MessageState.FAILED, "The service could not be reached, or refused it."


def _plugin(url: str) -> Any:
    import apprise  # takes a third of a second, which only those pay who have a channel

    logging.getLogger("apprise").disabled = True  # it logs addresses with their tokens, and a server's own words
    made = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if made is not None:
        made.socket_connect_timeout, made.socket_read_timeout = CONNECT_TIMEOUT, READ_TIMEOUT
        made.redirects = False  # only the configured address is called
    return made
