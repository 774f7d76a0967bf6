"""A resumed training whose worker dies, hangs or is restarted: KTRDR calls it resuming for ever. In virtual time."""

import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from panel.backend.entities import snapshot_of
from panel.domain.observation import observed
from panel.domain.verdict import judge
from panel.domain.workers import WorkerList
from panel.settings import Settings
from tests.support.inside import Inside
from tests.support.lives import Life, living
from tests.support.pages import words
from tests.support.parts import panel_of
from tests.support.scripted import Backend, epochs, operation, percent, stamp
from tests.support.virtual import virtual_time
from tests.support.wires import Line
from tests.support.workers import worker

FIRST, SECOND = "training-worker-25e737cc", "training-worker-1a290711"
GONE = 404, {"detail": "No checkpoint"}
LOST, RESTARTED, UNREPORTED = "Worker lost", "Worker restarted", "Working, unreported"


class Resumed:
    """A training of 600 epochs that was cancelled after 50 and resumed: its worker is busy with it, and each ten epochs
    take five seconds."""

    def __init__(self, backend: Backend, life: Life | None = None) -> None:
        self.backend, self.life, self.epoch = backend, life, 50
        self.created = stamp(time.time() - 300)
        self.words: list[str] = []
        backend.answers["DELETE /operations/op_a"] = self._cancelled
        backend.answers["POST /operations/op_a/resume"] = self._resumed
        told = {"progress": percent(8.0, "Epoch 51/600", steps_total=600), "metrics": {"epochs": [epochs(50), 50]}}
        self.turn("running", **told)
        if life is not None:
            life.inside.get("/operations/op_a")
            self.passes(10)
            self.lists("available", at_work=True)  # its checkpoint is written as it is cancelled
            self.passes(5)
        self._resumed(None)
        if life is not None:
            self.passes(20)
            self.trains(60)

    def turn(self, status: str, **more: Any) -> None:
        self.backend.operations["op_a"] = operation("op_a", status=status, created_at=self.created, **more)

    def _resumed(self, _: Any) -> tuple[int, dict[str, Any]]:
        self.turn("resuming", started_at=stamp(), progress=percent(0.0))
        self.lists("busy")
        return 200, {"success": True, "data": {"operation_id": "op_a", "status": "resuming"}}

    def _cancelled(self, _: Any) -> tuple[int, dict[str, Any]]:
        self.turn("cancelled", error_message="Cancelled from the panel", completed_at=stamp())
        answer = {"operation_id": "op_a", "status": "cancelled", "task_cancelled": False, "remote_cancelled": False}
        return 200, {"success": True, "data": answer | {"success": True, "children_cancelled": []}}

    def lists(self, status: str, name: str = FIRST, *, at_work: bool = False, answered: str = "") -> None:
        holds = None if status == "available" else "op_a"
        self.backend.workers = [worker(name, status, holds, last_healthy_at=answered or stamp())]
        if at_work:
            self.epoch += 10
            state = {"checkpoint_type": "periodic", "state": {"epoch": self.epoch - 1}, "created_at": stamp()}
            self.backend.answers["GET /checkpoints/op_a"] = 200, {"success": True, "data": state}

    def ends(self) -> None:
        self.backend.answers["GET /checkpoints/op_a"] = GONE
        model = {"model_id": "", "symbol": "EURUSD", "timeframe": "1h", "created_at": stamp()}
        self.backend.answers["GET /models"] = 200, {"success": True, "models": [model]}

    def passes(self, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Time in which the state is looked at again and again, as a program does, not as a page does."""
        assert self.life is not None
        for _ in range(int(seconds / 5)):
            meanwhile()
            self.life.runner.run(asyncio.sleep(5))
            panel = panel_of(self.life.app)
            if (known := panel.monitor.known("op_a")) is not None:
                verdict = panel.monitor.verdict(known)
                self.words += [verdict.word] if self.words[-1:] != [verdict.word] else []

    def trains(self, seconds: float) -> None:
        self.passes(seconds, lambda: self.lists("busy", at_work=True))

    def told(self) -> dict[str, Any]:
        assert self.life is not None
        return json.loads(self.life.inside.get("/api/operations/op_a").text)

    def said(self) -> str:
        return self.told()["verdict"]["word"]

    def is_resumed_after_a_cancel(self, key: str) -> None:
        """Over the API, as the advice says."""
        assert self.life is not None
        assert "Cancel it, then resume it from its checkpoint" in self.told()["verdict"]["advice"]
        assert "/operations/op_a/cancel" in self.life.inside.get("/operations/op_a").text, "the page offers it"
        status, _ = self.life.inside.api("POST", "/api/operations/op_a/cancel", key=f"cancel-{key}")
        assert status == 202
        self.passes(40)
        assert self.said() == "Cancelled"
        assert "Resume after epoch" in words(self.life.inside.get("/operations/op_a").text)
        status, _ = self.life.inside.api("POST", "/api/operations/op_a/resume", key=f"resume-{key}")
        assert status == 202 and self.backend.hits["POST /operations/op_a/resume"] == 1
        self.trains(60)
        assert self.said() == UNREPORTED, "by its new worker"


def ended(life: Life) -> set[str]:
    """What was ever remembered of it as an end."""
    readings = panel_of(life.app).storage.memory.readings("op_a")
    return {reading.state for reading in readings} & {"vanished", "completed", "failed", "cancelled", "stray"}


def test_its_worker_is_killed_and_another_process_comes_to_its_address():
    backend = Backend()
    with living(backend) as life:
        run = Resumed(backend, life)
        assert run.said() == UNREPORTED
        died = stamp()
        run.passes(25, lambda: run.lists("busy", answered=died))  # KTRDR has not noticed so far
        run.passes(15, lambda: run.lists("temporarily_unavailable", answered=died))
        assert run.said() == LOST
        run.passes(600, lambda: run.lists("available", SECOND))
        assert (run.said(), run.told()["live"], ended(life)) == (RESTARTED, True, set())
        assert run.words[-3:] == [UNREPORTED, LOST, RESTARTED], "and nothing in between"
        assert f"It was resumed by worker {FIRST}" in " ".join(run.told()["verdict"]["evidence"])
        run.is_resumed_after_a_cancel("restarted")


def test_its_worker_is_killed_and_nobody_comes():
    """It stays in KTRDR's list for five minutes."""
    backend = Backend()
    with living(backend) as life:
        run = Resumed(backend, life)
        died = stamp()
        run.passes(25, lambda: run.lists("busy", answered=died))
        run.passes(300, lambda: run.lists("temporarily_unavailable", answered=died))
        assert "may wake and go on" in run.told()["verdict"]["advice"]
        backend.workers = []
        run.passes(600)
        assert (run.said(), run.told()["live"], ended(life)) == (LOST, True, set())
        assert run.words[-2:] == [UNREPORTED, LOST] and "no longer there" in run.told()["verdict"]["headline"]
        run.lists("available", SECOND)
        run.passes(20)
        run.is_resumed_after_a_cancel("lost")


def test_its_worker_is_restarted_before_it_is_missed_and_lists_the_run_as_its_own():
    backend = Backend()
    with living(backend) as life:
        run = Resumed(backend, life)
        died = stamp()
        run.passes(15, lambda: run.lists("busy", answered=died))
        run.passes(10, lambda: run.lists("available", SECOND))
        run.passes(600, lambda: run.lists("busy", SECOND))
        assert (run.said(), run.told()["live"], ended(life)) == (RESTARTED, True, set())
        assert "lists it, and does not work on it" in run.told()["verdict"]["headline"]
        life.inside.post("/operations/op_a/cancel", {})
        run.passes(60, lambda: run.lists("busy", SECOND))
        verdict = run.told()["verdict"]
        assert (verdict["word"], verdict["state"]) == ("Cancelled, still listed", "stray")
        assert "goes on" not in verdict["headline"] and "kill -9" in verdict["advice"]
        run.passes(30, lambda: run.lists("available", "training-worker-3"))
        assert run.said() == "Cancelled" and "Resume after epoch" in words(life.inside.get("/operations/op_a").text)


def test_a_worker_that_keeps_its_id_through_a_restart_does_not_go_on_for_ever():
    backend = Backend()
    with living(backend) as life:
        run = Resumed(backend, life)
        run.passes(55, lambda: run.lists("busy"))
        assert run.said() == UNREPORTED
        run.passes(60, lambda: run.lists("busy"))
        assert (run.said(), run.told()["live"]) == ("Work in doubt", True)
        assert "cancel this, then resume it" in run.told()["verdict"]["advice"]
        life.inside.post("/operations/op_a/cancel", {})
        run.passes(40, lambda: run.lists("busy"))
        assert run.said() == "Cancelled, still worked on"
        run.passes(90, lambda: run.lists("busy"))
        assert run.said() == "Cancelled, still listed"


def test_its_worker_only_hangs():
    backend = Backend()
    with living(backend) as life:
        run = Resumed(backend, life)
        hung = stamp()
        run.passes(40, lambda: run.lists("busy", answered=hung))
        run.passes(90, lambda: run.lists("temporarily_unavailable", answered=hung))
        assert (run.said(), run.told()["live"], ended(life)) == (LOST, True, set())
        run.trains(30)
        assert (run.said(), ended(life)) == (UNREPORTED, set())
        run.ends()
        run.passes(30, lambda: run.lists("available"))
        assert (run.said(), ended(life)) == ("Completed", {"completed"})


@pytest.mark.parametrize("listed", ["available", "temporarily_unavailable", "busy", "restarted", "gone"])
def test_it_ends_as_its_worker_does(listed):
    """Its model is what counts."""
    backend = Backend()
    with living(backend) as life:
        run = Resumed(backend, life)
        run.ends()
        name, status = (SECOND, "available") if listed == "restarted" else (FIRST, listed)
        run.lists(status, name)
        if listed == "gone":
            backend.workers = []
        run.passes(60)
        assert (run.said(), ended(life)) == ((UNREPORTED, set()) if listed == "busy" else ("Completed", {"completed"}))
        assert RESTARTED not in run.words and "Nobody works on it" not in run.words


def test_its_new_process_lists_it_although_it_had_ended():
    backend = Backend()
    with living(backend) as life:
        run = Resumed(backend, life)
        run.ends()
        run.passes(60, lambda: run.lists("busy", SECOND))
        assert (run.said(), RESTARTED in run.words) == ("Completed", False)


@pytest.mark.parametrize("left", [True, False], ids=["with its checkpoint", "without"])
def test_its_worker_is_free_and_there_is_no_model(left):
    backend = Backend()
    with living(backend) as life:
        run = Resumed(backend, life)
        run.lists("available")
        if not left:
            backend.answers["GET /checkpoints/op_a"] = GONE
        run.passes(120)
        if left:
            assert (run.said(), run.told()["live"]) == ("Nobody works on it", True)
            asked = backend.hits["GET /operations/op_a"]
            run.passes(60)
            assert backend.hits["GET /operations/op_a"] > asked, "it is read on"
            run.is_resumed_after_a_cancel("free")
        else:
            assert (run.said(), run.told()["live"]) == ("Probably ended", False)


def probably_ended(run: Resumed) -> None:
    run.lists("available")
    run.backend.answers["GET /checkpoints/op_a"] = GONE
    run.passes(120)
    assert run.words[-1] == "Probably ended"


def cancelled_elsewhere(run: Resumed) -> None:
    run._cancelled(None)


def test_what_the_list_says_of_one_that_has_probably_ended_is_heard():
    backend = Backend()
    with living(backend) as life:
        run = Resumed(backend, life)
        probably_ended(run)
        cancelled_elsewhere(run)
        listed = {"operation_id": "op_a", "operation_type": "training", "status": "cancelled"}
        backend.answers["GET /operations"] = 200, {"success": True, "data": [listed]}
        run.passes(30)
        assert run.words[-1] == "Cancelled"


def test_its_page_reads_it_again():
    backend = Backend()
    with living(backend) as life:
        run = Resumed(backend, life)
        probably_ended(run)
        backend.answers["GET /operations"] = 200, {"success": True, "data": []}
        cancelled_elsewhere(run)
        assert "Cancelled from the panel" in words(life.inside.get("/operations/op_a").text)


def test_without_a_list_and_a_page_it_is_read_rarely():
    backend = Backend()
    with living(backend) as life:
        run = Resumed(backend, life)
        backend.answers["GET /operations"] = 200, {"success": True, "data": []}
        probably_ended(run)
        asked = backend.hits["GET /operations/op_a"]
        run.passes(900)
        assert 1 <= backend.hits["GET /operations/op_a"] - asked <= 4
        cancelled_elsewhere(run)
        run.passes(320)
        assert run.words[-1] == "Cancelled"


def test_the_next_panel_reads_it_at_its_start():
    """The list knows nothing after a restart of the backend, and nobody opens its page."""
    backend = Backend()
    backend.answers["GET /operations"] = 200, {"success": True, "data": []}
    with virtual_time() as runner, tempfile.TemporaryDirectory() as folder:
        line = Line(backend.app)
        with line.laid():
            settings = Settings.from_environ({}, backend="http://backend/api/v1", data_folder=Path(folder))
            first = Life(runner, line, settings)
            run = Resumed(backend, first)
            probably_ended(run)
            first.stop()
            cancelled_elsewhere(run)
            run.life = Life(runner, line, settings)
            assert isinstance(run.life.inside, Inside)
            run.passes(15)
            assert run.words[-1] == "Cancelled"
            run.life.kill()


def test_a_panel_that_comes_when_the_worker_is_dead_offers_the_way_out():
    """It never saw who had it."""
    backend = Backend()
    with living(backend) as life:
        run = Resumed(backend)
        run.lists("available", at_work=True)
        run.life = life
        run.turn("resuming", started_at=stamp(time.time() - 200), progress=percent(0.0))
        run.lists("available", SECOND)
        life.inside.get("/operations/op_a")
        run.passes(120)
        assert (run.said(), run.told()["live"], ended(life)) == ("Nobody works on it", True, set())
        assert run.told()["verdict"]["advice"].startswith("Cancel it, then resume it")


def test_one_that_an_earlier_version_gave_up_is_not_said_to_have_a_checkpoint():
    """It did not store whether that was still there."""
    now = time.time()
    resuming = operation("op_r", status="resuming", created_at=stamp(now - 90_000), started_at=stamp(now - 80_000))
    known = observed(None, snapshot_of(resuming, now - 70_000))
    known = replace(
        known, resumed=True, changes=1, checkpoint_epoch=90, checkpoint_at=now - 75_000, sought_at=now - 70_000
    )
    verdict = judge(known, now, WorkerList().heard([], now))
    assert verdict.word == "Probably ended" and "checkpoint is still there" not in verdict.headline
    there = judge(replace(known, checkpoint_gone=False), now, WorkerList().heard([], now))
    assert there.word == "Nobody works on it"
