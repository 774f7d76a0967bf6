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
from tests.support.wires import Line

ENDS = ("completed", "failed", "cancelled", "problems", "forgotten")


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
    line: Line
    intents: list[Intent]
    gone: set[str]  # operations that the backend has forgotten

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
        """Their states. The bars that this backend stores end long ago, which is a problem of any load up to now."""
        known = dict(self.rows("SELECT id, state FROM operations"))
        return {name: "completed" if state == "problems" else state for name, state in known.items()}

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

    def unclear_starts(self) -> list[Any]:
        """What is still being looked for although it can be known."""
        return [intent for intent in self.intents if self.state_of(intent) == "sending" or not self.clear(intent)]

    def clear(self, intent: Intent) -> bool:
        state, operation_id = self.state_of(intent), self.made_by(intent)
        if state != "unconfirmed" or operation_id is None or operation_id in self.gone:
            return True
        return intent.kind != "training" and not self.plain(intent, operation_id)

    def plain(self, intent: Intent, operation_id: str) -> bool:
        """Whether it can be told from outside which operation is whose: nothing else of the kind at the time, and
        it is still to be seen somewhere."""
        row = self.backend.rows[operation_id]
        if self.one("SELECT key FROM starts WHERE operation_id = ?", operation_id) is not None:
            return False  # it is known to be another's: trial runs carry nothing to tell them apart
        if not self.backend.active(row) and operation_id not in self.backend.shown and operation_id not in self.known():
            return False
        asked_at = float(self.one("SELECT asked_at FROM starts WHERE key = ?", self.key_of(intent)) or 0)
        near = [
            r for r in self.backend.rows.values() if r["kind"] == intent.kind and abs(r["created"] - asked_at) < 100
        ]
        others = self.rows(
            "SELECT key FROM starts WHERE kind = ? AND key != ? AND state IN ('sending', 'unconfirmed', 'dismissed')",
            intent.kind,
            self.key_of(intent),
        )
        return len(near) == 1 and not others and -5 <= row["created"] - asked_at <= 60

    def removed_ones_do_not_run(self) -> None:
        def running() -> list[str]:
            ids = [
                self.made_by(i) for i in self.intents if i.removed and not i.dismissed and self.state_of(i) == "started"
            ]
            return [i for i in ids if i in self.backend.rows and self.backend.active(self.backend.rows[i])]

        self.until_none(running, 60)

    def unknown_ends(self) -> list[Any]:
        """Operations that have ended at the backend, and not yet for the panel."""
        known, lacking = self.known(), list[Any]()
        started = {row[0] for row in self.rows("SELECT operation_id FROM starts WHERE state = 'started'")}
        for operation_id in started | known.keys():
            row = self.backend.rows.get(operation_id)
            if row is None:
                if known.get(operation_id) not in ENDS:
                    lacking.append((operation_id, known.get(operation_id), "forgotten"))
            elif not self.backend.active(row) and known.get(operation_id) != self.backend.status(row):
                lacking.append((operation_id, known.get(operation_id), self.backend.status(row)))
        return lacking

    def a_person_decides(self) -> None:
        """Who knows what really began says so."""
        for key, kind in self.rows("SELECT key, kind FROM starts WHERE state = 'unconfirmed'"):
            intent = next(intent for intent in self.intents if self.key_of(intent) == key)
            page = self._life.inside.get(f"/starts/{key}")
            if self.state_of(intent) == "started":
                continue  # what was just decided made this one plain
            assert page.status == 200 and "Not confirmed" in page.text
            assert f"/starts/{key}" in self._life.inside.get("/").text, "home does not tell of it"
            made = self.made_by(intent) if kind != "dummy" else None
            if made is not None and f'value="{made}"' in page.text:
                self._life.post(f"/starts/{key}/choose", {"operation_id": made}, 1, 0.1)
                assert self.state_of(intent) == "started"
            else:
                self._life.post(f"/starts/{key}/dismiss", {}, 1, 0.1)
                assert self.state_of(intent) == "dismissed"
                intent.dismissed = True

    def every_page_is_there(self) -> None:
        paths = ["/", "/data", *(f"/operations/{operation_id}" for operation_id in self.known())]
        paths += [f"/starts/{row[0]}" for row in self.rows("SELECT key FROM starts")]
        for path in paths:
            answer = self._life.inside.get(path)
            assert answer.status in (200, 303), f"{path}: {answer.status}"
        home = self._life.inside.get("/").text
        lists = home.partition('<div id="lists">')[2].partition("Finished lately")[0]
        assert "Starts not confirmed" not in lists and 'id="card-' not in lists, lists
