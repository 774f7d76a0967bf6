"""What somebody wanted, and ways to look at what became of it: for stories of starts in virtual time."""

import asyncio
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.inside import Answer
from tests.support.lasting import Lasting
from tests.support.lives import Life


@dataclass
class Intent:
    """What somebody wanted once, however often they pressed."""

    key: str
    kind: str
    form: dict[str, str]
    removals: list[asyncio.Task[Answer]] = field(default_factory=list)  # requests that take it out of the queue
    removed_with_batch: bool = False
    dismissed: bool = False
    batch: dict[str, str] = field(default_factory=dict)  # the form of the batch that it is a run of

    @property
    def queued(self) -> bool:
        return self.kind == "data_load" or bool(self.form.get("wait"))

    @property
    def removed(self) -> bool:
        """Whether an answer said so: what a killed panel had not answered yet may be done or not."""
        answered = (task.result().status for task in self.removals if task.done() and not task.cancelled())
        return self.removed_with_batch or any(status < 400 for status in answered)

    @property
    def may_be_removed(self) -> bool:
        return self.removed_with_batch or bool(self.removals)

    def made(self, kind: str, body: dict[str, Any]) -> bool:
        """Whether this start, which reached the backend, is this intent's. Trial runs carry nothing to tell."""
        return kind == self.kind and body.get("start_date") == self.form.get("start_date")


class Story:
    """A panel that may be alive, a backend, and what was wanted of them."""

    runner: asyncio.Runner
    backend: Lasting
    life: Life | None
    memory: Path
    intents: list[Intent]

    @property
    def _life(self) -> Life:
        assert self.life is not None
        return self.life

    def _press(self, intent: Intent, times: int, wait: float) -> None:
        path, form = (
            ("/batches", intent.batch)
            if intent.batch
            else (f"/start/{intent.kind}", {"key": intent.key, **intent.form})
        )
        self._life.post(path, form, times, wait)

    def _home_differs(self) -> list[list[str]]:
        """The rows and cards of the open page and of one opened now; [] when they are the same."""
        now = self._life.inside.get("/").text
        open_page = self._life.streams["home"]["lists"]
        pages = [sorted(re.findall(r'id="(row-[^"]+|card-[^"]+)"', text)) for text in (open_page, now)]
        return [] if pages[0] == pages[1] else pages

    def until_none(self, lacking: Callable[[], list[Any]], timeout: float) -> float:
        """Wait until nothing is lacking any more; returns how long that took."""
        began = time.monotonic()
        while lack := lacking():
            assert time.monotonic() < began + timeout, f"still lacking: {lack}"
            self.runner.run(asyncio.sleep(0.5))
        return time.monotonic() - began

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.memory)) as db:
            return db.execute(query, values).fetchall()

    def one(self, query: str, *values: Any) -> Any:
        found = self.rows(query, *values)
        return found[0][0] if found else None

    def known(self) -> dict[str, str]:
        return dict(self.rows("SELECT id, state FROM operations"))

    def key_of(self, intent: Intent) -> str:
        attempts = self.one("SELECT attempts FROM queue WHERE key = ?", intent.key)
        made = "SELECT key FROM starts WHERE owner = ? AND attempt = ?"
        return intent.key if attempts is None else self.one(made, intent.key, attempts) or ""

    def state_of(self, intent: Intent) -> str | None:
        return self.one("SELECT state FROM starts WHERE key = ?", self.key_of(intent))

    def was_taken(self, intent: Intent) -> bool:
        table, key = ("batches", intent.batch["key"]) if intent.batch else ("queue", intent.key)
        return self.one(f"SELECT key FROM {table} WHERE key = ?", key) is not None

    def arrived(self, intent: Intent) -> int:
        return sum(intent.made(kind, body) for kind, body in self.backend.arrived)

    def made_by(self, intent: Intent) -> str | None:
        """The operation that the backend made of it, when it still knows it."""
        made = [name for name, row in self.backend.rows.items() if intent.made(row["kind"], row["body"])]
        return made[0] if len(made) == 1 else None
