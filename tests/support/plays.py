"""One operation as a backend and its workers tell it, second by second, and what the panel says of it."""

import dataclasses
import json
from typing import Any

from panel.backend import answers as wire
from panel.backend.entities import snapshot_of, workers_of
from panel.domain.observation import Observation, observed, unread
from panel.domain.state import Verdict
from panel.domain.verdict import judge
from panel.domain.workers import WorkerList
from tests.support.scripted import corrupt, operation, percent, stamp

BEGAN = 1_800_000_000.0
UNCLAIMED = "Operation was RUNNING but no worker claimed it"


class Play:
    """One operation and the workers around it. Times are seconds since the beginning."""

    def __init__(self, kind: str = "training", operation_id: str = "op_a") -> None:
        self.kind, self.id = kind, operation_id
        self.observation: Observation | None = None
        self.worker_list = WorkerList()

    def reads(self, at: float, status: str = "running", **changes: Any) -> Verdict:
        """The backend answers with this, and the panel reads it."""
        detail = operation(self.id, self.kind, status, **{"created_at": stamp(BEGAN), **changes})
        if self.kind in ("training", "backtesting"):
            detail["metadata"]["parameters"]["worker_id"] = "training-worker-1"
        body = json.dumps({"success": True, "data": detail}).encode()
        answer = wire.read_answer("GET", f"/operations/{self.id}", 200, body)
        self.observation = observed(self.observation, snapshot_of(answer, BEGAN + at))
        return self.at(at)

    def fails(self, at: float, *, timed_out: bool) -> Verdict:
        self.observation = unread(self.evidence, BEGAN + at, timed_out=timed_out)
        return self.at(at)

    def lists(self, at: float, *workers: dict[str, Any]) -> Verdict:
        """The backend lists its workers."""
        self.worker_list = self.worker_list.heard(workers_of(list(workers)), BEGAN + at)
        return self.at(at)

    def at(self, at: float) -> Verdict:
        return judge(self.evidence, BEGAN + at, self.worker_list)

    @property
    def evidence(self) -> Observation:
        assert self.observation is not None
        return self.observation

    def trains(self, until: float, begin: float = 0.0) -> None:
        """A training that gets on: a step, a few per cent and an answer each second; its worker is busy with it."""
        for second in range(int(begin), int(until) + 1):
            done = int(second - begin) // 2
            step = percent(min(1.0 + second, 95.0), f"Epoch {done + 1}/100 · Batch {second % 2 * 100 + 5}/205")
            self.reads(second, progress=step, metrics={"epochs": corrupt(done)})
            if second % 10 == 0:
                self.lists(second, worker("busy", self.id, healthy=second))


def worker(status: str, operation_id: str | None = None, healthy: float = 0.0) -> dict[str, Any]:
    return {
        "worker_id": "training-worker-1",
        "worker_type": "training",
        "endpoint_url": "http://127.0.0.1:5005",
        "status": status,
        "current_operation_id": operation_id,
        "capabilities": {"gpu": False},
        "last_health_check": stamp(BEGAN + healthy),
        "last_healthy_at": stamp(BEGAN + healthy),
        "health_check_failures": 0,
    }


def text(verdict: Verdict) -> str:
    return " ".join([verdict.word, verdict.headline, verdict.advice, *verdict.evidence])


def replaced(play: Play, **changes: Any) -> Observation:
    return dataclasses.replace(play.evidence, **changes)
