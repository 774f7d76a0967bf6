"""The program that queues starts over the JSON API, and looks for what was doubled, lost or stuck."""

import json
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import httpx

from tests.kills.world import Mark, World, mark

ENDED = ("done", "failed", "refused", "cancelled")


@dataclass
class Wish:
    """One request, sent under one key until it is answered. `marks`: what it has to begin, each once; `perhaps`: what
    it may begin; `removed`: somebody cancelled it."""

    key: str
    path: str
    body: dict[str, Any]
    marks: list[Mark]
    perhaps: list[Mark] = field(default_factory=list)
    answer: dict[str, Any] | None = None
    removed: bool = False


class Program:
    def __init__(self, world: World, chance: random.Random) -> None:
        self._world, self._chance = world, chance
        self.wishes: list[Wish] = []
        self.counted: Counter[str] = Counter()
        self.model = "models/swing/1h_v1"
        self._days = 0

    def prepare(self) -> None:
        """A model, for backtests."""
        first = self._wish("training")
        self._send(first, 30)
        end = time.monotonic() + 120
        while time.monotonic() < end and not self._drained():
            time.sleep(0.2)

    def send_some(self) -> None:
        """One or two new wishes, what was not answered before, and sometimes a change of mind."""
        for _ in range(self._chance.choice((0, 1, 1, 2))):
            kind = self._chance.choice(
                ("training", "training", "backtesting", "data_load", "data_load", "batch", "walk", "none")
            )
            if kind != "none" and len(self.wishes) < 2000:
                self._send(self._wish(kind), 5)
        for wish in [each for each in self.wishes if each.answer is None][-5:]:
            self._send(wish, 5)
        if self._chance.random() < 0.15:
            self._change_of_mind()

    def send_again(self) -> None:
        """Everything that was not answered yet, until it is."""
        for wish in self.wishes:
            end = time.monotonic() + 60
            while wish.answer is None and time.monotonic() < end:
                self._send(wish, 20)

    def _change_of_mind(self) -> None:
        answered = [wish for wish in self.wishes if wish.answer is not None and not wish.removed]
        if not answered:
            return
        wish = self._chance.choice(answered)
        act = self._chance.choice(("cancel", "hold and release", "top"))
        queue_key = str((wish.answer or {}).get("queue_key") or "")
        if wish.path == "/api/batches":
            if act == "cancel":
                wish.removed = True
                self._post(f"/api/batches/{(wish.answer or {})['key']}/stop", {}, f"stop-{wish.key}")
        elif queue_key and act == "cancel":
            wish.removed = True
            self._post(f"/api/queue/{queue_key}/cancel", {}, f"cancel-{wish.key}")
        elif queue_key and act == "top":
            self._post(f"/api/queue/{queue_key}/move", {"where": "top"}, f"top-{wish.key}")
        elif queue_key:
            self._post(f"/api/queue/{queue_key}/hold", {}, f"hold-{wish.key}")
            self._post(f"/api/queue/{queue_key}/release", {}, f"release-{wish.key}")

    def decide(self) -> None:
        """Who knows what really began says so of starts whose answer was lost."""
        query = "SELECT key, kind, form FROM starts WHERE state = 'unconfirmed'"
        for key, kind, form in self._world.rows(query):
            wanted = mark(kind, json.loads(form))
            made = self._world.operation_of(wanted)
            own, page = (
                {"sec-fetch-site": "same-origin"},
                httpx.get(f"{self._world.address}/starts/{key}", timeout=20).text,
            )
            offered = bool(made) and f'value="{made}"' in page  # what the backend tells nobody of cannot be chosen
            act, data = ("choose", {"operation_id": made}) if offered else ("dismiss", {})
            answer = httpx.post(f"{self._world.address}/starts/{key}/{act}", data=data, headers=own, timeout=20)
            self.counted[f"{act} by a person"] += answer.status_code < 400

    def drain(self, timeout: float) -> bool:
        """Whether all that was queued has run through, with never more than `timeout` seconds between two ends."""
        end, left = time.monotonic() + timeout, -1
        for (key,) in self._world.rows("SELECT key FROM queue WHERE held = 1 AND state = 'waiting'"):
            self._post(f"/api/queue/{key}/release", {}, f"release-{key}")
        while time.monotonic() < end:
            if self._drained():
                return True
            self.decide()
            if (now := self._left()) != left:
                end, left = time.monotonic() + timeout, now
            time.sleep(1.0)
        return False

    def _drained(self) -> bool:
        return self._left() == 0

    def _left(self) -> int:
        """What has not ended, or is not known."""
        return sum(
            self._world.rows(f"SELECT count(*) FROM {table} WHERE state IN ({states})")[0][0]
            for table, states in (
                ("queue", "'waiting', 'starting', 'running', 'unconfirmed'"),
                ("batch_runs", "'waiting', 'queued'"),
                ("starts", "'sending', 'unconfirmed'"),
            )
        )

    def open(self) -> str:
        """What has not ended."""
        left = self._world.rows("SELECT kind, state, message, held FROM queue WHERE state NOT IN (?, ?, ?, ?)", *ENDED)
        runs = self._world.rows("SELECT key, state FROM batch_runs WHERE state IN ('waiting', 'queued')")
        return f"{left[:5]} {runs[:5]}"

    def twice(self) -> list[str]:
        return [f"twice: {wanted} {n} times" for wanted, n in self._world.made().items() if n > 1]

    def lost(self) -> list[str]:
        """What was asked for and answered, and neither begun nor refused for a reason that the panel tells."""
        made, found = self._world.made(), []
        parts = {
            mark(kind, json.loads(form)): f"{state} {message}".strip()
            for kind, form, state, message in self._world.rows("SELECT kind, form, state, message FROM queue")
            if state in ("refused", "failed", "cancelled")
        }
        for wish in self.wishes:
            if wish.answer is None:
                found.append(f"never answered: {wish.path} {wish.body}")
            for wanted in wish.marks:
                if not made[wanted] and not wish.removed:
                    why = parts.get(wanted, "")
                    if "dismissed" in why or "aside" in why or "cancelled" in why:
                        self.counted["not begun, and put aside by a person"] += 1
                    else:
                        found.append(f"lost: {wanted} {why}")
        return found

    def figures(self) -> str:
        asked = Counter(wish.path.rpartition("/")[2] for wish in self.wishes)
        parts = [f"{n} {what}" for what, n in asked.items()]
        parts += [f"{self._world.made().total()} begun", f"{self._left()} open", f"{self.counted['requests']} requests"]
        parts += [f"{n} {what}" for what, n in self.counted.items() if what != "requests"]
        return ", ".join(parts)

    def _wish(self, kind: str) -> Wish:
        number = len(self.wishes)
        key = f"wish-number-{number}"
        if kind == "training":
            days = self._period()
            body = {"strategy_name": "swing", **days, "confirm": ["insist"], "queue": True}
            wish = Wish(key, "/api/start/training", body, [mark("training", body)])
        elif kind == "backtesting":
            days = self._period()
            body = {"strategy_name": "swing", "model_path": self.model, **days, "queue": True}
            wish = Wish(key, "/api/start/backtesting", body, [mark("backtesting", body)])
        elif kind == "data_load":
            days = self._period()
            body = {"symbol": "GBPUSD", "timeframe": "1d", "mode": "tail", **days, "confirm": ["replace"]}
            wish = Wish(key, "/api/start/data_load", body, [mark("data_load", body)])
        elif kind == "walk":
            first = date(2025, 1, 1) + timedelta(days=sum(each.body.get("way") == "walk" for each in self.wishes))
            days = {"start_date": first.isoformat(), "end_date": (first + timedelta(days=189)).isoformat()}
            body = {"strategy_name": "walker", "way": "walk", "train_days": 130, "test_days": 30, **days}
            wish = Wish(key, "/api/batches", body, *_steps(first))
        else:
            periods = [self._period() for _ in range(2)]
            body = {"strategy_name": "swing", "periods": periods, "settings": {"training.epochs": [1, 2]}}
            marks = [
                mark("training", {"strategy_name": f"swing-epochs_{epochs}", **period})
                for period in periods
                for epochs in (1, 2)
            ]
            wish = Wish(key, "/api/batches", body, marks)
        self.wishes.append(wish)
        return wish

    def _period(self) -> dict[str, str]:
        """First and last day, which no other start has."""
        later, earlier = divmod(self._days, 60)
        self._days += 1
        first, last = date(2025, 1, 2) + timedelta(days=earlier), date(2025, 9, 1) + timedelta(days=later)
        return {"start_date": first.isoformat(), "end_date": last.isoformat()}

    def _send(self, wish: Wish, timeout: float) -> None:
        if (answer := self._post(wish.path, wish.body, wish.key, timeout)) is not None:
            wish.answer = answer

    def _post(self, path: str, body: dict[str, Any], key: str, timeout: float = 10) -> dict[str, Any] | None:
        """The answer when it was taken."""
        self.counted["requests"] += 1
        with suppress(httpx.TransportError):
            headers = {"Idempotency-Key": key}
            answer = httpx.post(self._world.address + path, json=body, headers=headers, timeout=timeout)
            if answer.status_code < 300:
                return answer.json() if answer.content else {}
            self.counted[f"answers {answer.status_code}"] += 1
            if answer.status_code == 422:
                raise AssertionError(f"{path} {body}: {answer.text}")
        return None


def _steps(first: date) -> tuple[list[Mark], list[Mark]]:
    """Two steps of a walk-forward: their trainings, and the tests of those that complete."""
    trainings, tests = [], []
    for step in range(2):
        begin = first + timedelta(days=30 * step)
        split, end = begin + timedelta(days=130), begin + timedelta(days=160)
        day = timedelta(days=1)
        trainings.append(("training", "WALKER", str(begin), str(split - day)))
        tests.append(("backtesting", "WALKER", str(split), str(end - day)))
    return trainings, tests
