"""Starting an operation exactly once.

Every form carries a key of its own. The first submit with a key writes the intent to disk and sends the
one POST; every other submit with that key (a double click, a refresh, a second tab, a panel that was
restarted) is told what became of the first. When the POST's answer is lost, nobody knows whether it
started something: the operation is then looked for in what the backend knows, and never sent again.
"""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime

from panel.adapters import OperationAdapter
from panel.errors import APIError, CLIClientError
from panel.execute import Client, operation_path
from panel.operations import moment
from panel.store import Start, Store

CHECKS = (0.2, 1.0, 2.0)  # seconds between looks for an operation whose start was not answered
_CLOCKS = 5.0  # seconds that the backend's clock may differ from the panel's

log = logging.getLogger(__name__)


def new_key() -> str:
    return secrets.token_urlsafe(16)


def new_id(kind: str) -> str:
    """An id in the backend's own form, `op_training_20261122_125853_167eddc4`."""
    return f"op_{kind}_{datetime.now(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(4)}"


class Starting:
    """The one way in which the panel starts anything."""

    def __init__(self, client: Client, store: Store) -> None:
        self._client = client
        self._store = store
        self._under_way: dict[str, asyncio.Task[Start]] = {}

    async def submit(self, key: str, adapter: OperationAdapter, form: Mapping[str, str]) -> Start:
        """Start it, unless this key has started something already; returns what became of it."""
        if key in self._under_way:
            return await asyncio.shield(self._under_way[key])
        operation_id = new_id(adapter.kind) if adapter.takes_id else None
        start, fresh = self._store.claim(key, adapter.kind, dict(form), operation_id)
        if not fresh:
            return start
        # A task of its own: a browser that goes away must not cut a start in half.
        task = asyncio.create_task(self._send(start, adapter))
        self._under_way[key] = task
        task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def check_again(self, key: str) -> Start | None:
        """Look once more for a start that is not confirmed; None for a key nobody knows."""
        start = self._store.start(key)
        if start is None or start.state not in ("sending", "unconfirmed") or key in self._under_way:
            return start
        return await self._look(start, start.message)

    async def reconcile(self) -> None:
        """After a restart: find out what became of starts that were under way when the panel died."""
        for start in self._store.open_starts():
            await self.check_again(start.key)

    async def _send(self, start: Start, adapter: OperationAdapter) -> Start:
        if start.operation_id:
            adapter.task_id = start.operation_id  # it has one: `takes_id`
        try:
            answer = await self._client.post(adapter.get_start_endpoint(), json=adapter.get_start_payload())
            operation_id = adapter.parse_start_response(answer if isinstance(answer, dict) else {})
        except CLIClientError as exc:
            return await self._failed(start, exc)
        log.info("started %s operation=%s", start.kind, operation_id)
        return self._store.settle(start.key, "started", operation_id=operation_id)

    async def _failed(self, start: Start, exc: CLIClientError) -> Start:
        log.warning("start of %s failed status=%s sent=%s: %s", start.kind, exc.status_code, exc.sent, exc.message)
        if not exc.sent:
            return self._store.settle(start.key, "unsent", exc.message)
        if _refused(exc):
            return self._store.settle(start.key, "refused", exc.message)
        for pause in CHECKS:
            await asyncio.sleep(pause)
            start = await self._look(start, exc.message)
            if start.state == "started":
                break
        return start

    async def _look(self, start: Start, message: str) -> Start:
        """Search the backend's operations for the one that this start made."""
        found: str | None
        try:
            if start.operation_id:
                await self._client.get(operation_path(start.operation_id), timeout=10.0)
                found = start.operation_id
            else:
                found = await self._match(start)
        except CLIClientError:
            found = None
        if found is None:
            return self._store.settle(start.key, "unconfirmed", message)
        return self._store.settle(start.key, "started", operation_id=found)

    async def _match(self, start: Start) -> str | None:
        """By type, symbol and time; None when it is not exactly one that no other start has made."""
        listed = await self._client.get("/operations", params={"operation_type": start.kind, "limit": 50}, timeout=10.0)
        items = listed.get("data") if isinstance(listed, dict) else None
        symbol = start.form.get("symbol", "").upper()
        found = []
        for item in items if isinstance(items, list) else []:
            if isinstance(item, dict) and isinstance(item.get("operation_id"), str):
                created = moment(item.get("created_at"))
                in_time = created is not None and start.asked_at - _CLOCKS <= created <= start.asked_at + 60
                same = not symbol or item.get("symbol") == symbol
                if in_time and same and self._store.start_of(item["operation_id"]) is None:
                    found.append(item["operation_id"])
        return found[0] if len(found) == 1 else None


def _refused(exc: CLIClientError) -> bool:
    """The backend itself said no before it did anything: a 4xx, or a 503 that gives its reason (no worker,
    or all of them busy). A bare 503 is something in front of the backend, and proves nothing."""
    if not isinstance(exc, APIError) or exc.status_code is None:
        return False
    reasoned = isinstance(exc.details, dict) and bool(exc.details.keys() & {"registered_workers", "detail"})
    return 400 <= exc.status_code < 500 or (exc.status_code == 503 and reasoned)
