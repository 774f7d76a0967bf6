"""What a real KTRDR did under faults, replayed through a whole panel: nothing that it says contradicts what happened.

Each story knows what was true when, in seconds since its beginning; the panel is read every two seconds.
"""

import asyncio
import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from panel.settings import Settings
from tests.support.lives import Life
from tests.support.replaying import Replayed
from tests.support.virtual import virtual_time
from tests.support.wires import Line

EVERY = 2.0  # seconds between two readings of the panel


@dataclass(frozen=True)
class Expected:
    """Between these seconds the panel shows only these words for the operation; `never` is not on its page."""

    since: float
    until: float
    words: frozenset[str]
    never: str = ""


def expect(since: float, until: float, *words: str, never: str = "") -> Expected:
    return Expected(since, until, frozenset(words), never)


STORIES = {
    "worker_killed": (
        expect(5, 25, "Running"),
        expect(60, 385, "Worker lost", never="Resume after"),
        expect(405, 455, "Failed"),  # at 394 s the backend marks it failed
        # Resumed by somebody else at 466 s: the list, which tells of it, is read every ten seconds.
        expect(477, 580, "Resuming", "Working, unreported", never="Resume after"),
        expect(600, 635, "Completed"),
    ),
    "worker_terminated": (
        expect(5, 30, "Running"),
        expect(34, 106, "Cancelled", "Cancelled, still worked on", never="Resume after"),  # it trains on
        expect(150, 160, "Cancelled"),
    ),
    "backend_killed": (
        expect(5, 30, "Running"),
        expect(40, 46, "Backend silent"),
        expect(80, 255, "Working, unreported"),
        expect(270, 340, "Completed"),
    ),
    "resumed_then_backend_killed": (
        expect(14, 42, "Running"),
        expect(62, 94, "Resuming", "Working, unreported", never="Resume after"),
        expect(110, 124, "Backend silent", never="Resume after"),
        expect(136, 205, "Running", "Working, unreported", never="Resume after"),
        expect(224, 299, "Completed", never="Resume after"),
    ),
    "load_with_gaps": (
        expect(2, 9, "Running"),
        expect(16, 29, "Checking", "Finished with problems"),
        expect(30, 36, "Finished with problems"),
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_recorded_story_is_shown_as_it_was(name: str, tmp_path: Path) -> None:
    with virtual_time() as runner:
        replayed = Replayed(name)
        line = Line(replayed.app)
        with line.laid():
            settings = Settings.from_environ({}, backend="http://backend/api/v1", data_folder=tmp_path)
            life = Life(runner, line, settings)
            try:
                while replayed.at < replayed.recorded["lasts"]:
                    line.cut = replayed.silent
                    runner.run(asyncio.sleep(EVERY))
                    at = replayed.at
                    for known in STORIES[name]:
                        if known.since <= at <= known.until:
                            assert word(life, replayed.id) in known.words, f"at {at:.0f} s"
                            shown = known.never and known.never in life.inside.get(f"/operations/{replayed.id}").text
                            assert not shown, f"at {at:.0f} s"
                    if name == "worker_killed" and 405 <= at <= 455:
                        took_until_its_worker_died(life, replayed)
                if name == "resumed_then_backend_killed":  # 29 epochs before the resume, and 191 since
                    told = json.loads(life.inside.get(f"/api/operations/{replayed.id}?epochs=1").text)
                    assert told["epochs"][-1]["number"] == 219 and len(told["epochs"]) > 191
                    assert told["steps_completed"] == 220
                    text = life.inside.get(f"/operations/{replayed.id}").text
                    assert re.search(r"<dt>Epochs</dt>\s*<dd>220\b", text)
                if name == "load_with_gaps":
                    text = life.inside.get(f"/operations/{replayed.id}").text
                    # The clock of the replay is seven weeks later than the recorded bars.
                    assert "3,110 bars came, but none is stored after 2026-11-26, and 5 gaps are still missing." in text
                    assert "Fill the gaps</button>" in text
                    # KTRDR looks for gaps within the stored bars only in a load of new bars, from its first day on.
                    assert re.search(
                        r'name="mode" value="tail"><input type="hidden" name="start_date" value="20\d\d-', text
                    )
            finally:
                line.cut = False
                life.kill()


def took_until_its_worker_died(life: Life, replayed: Replayed) -> None:
    """It began at 0.3 s, and its worker was killed at 24 s; the backend calls 394 s its end."""
    answer = json.loads(life.inside.get(f"/api/operations/{replayed.id}").text)
    assert 18 < answer["seconds"] < 30
    for page in (f"/operations/{replayed.id}", "/operations", "/"):
        assert f"about {round(answer['seconds'])} s" in life.inside.get(page).text
    [row] = csv.DictReader(life.inside.get("/operations/list.csv").text.splitlines())
    assert float(row["took"]) == pytest.approx(answer["seconds"], abs=0.01)


LATER = {  # seconds since the beginning at which another panel, without any memory, is opened -> what it may say
    62: ("Worker in doubt", "Worker lost"),
    345: ("Worker in doubt",),  # its worker was dropped from the list before
    420: ("Failed",),
}


@pytest.mark.parametrize("since", LATER)
def test_a_panel_started_in_the_middle_shows_no_less_than_was_true(since: int, tmp_path: Path) -> None:
    """A panel that knows nothing yet never says that a training of a dead worker runs, or since when it stands still."""
    with virtual_time() as runner:
        replayed = Replayed("worker_killed")
        replayed.began -= since
        line = Line(replayed.app)
        with line.laid():
            settings = Settings.from_environ({}, backend="http://backend/api/v1", data_folder=tmp_path)
            life = Life(runner, line, settings)
            try:
                for _ in range(5):
                    runner.run(asyncio.sleep(EVERY))
                    page = life.inside.get(f"/operations/{replayed.id}").text
                    assert word(life, replayed.id) in LATER[since], f"at {replayed.at:.0f} s"
                    assert "values last changed" not in page and "died after" not in page and "All well" not in page
            finally:
                life.kill()


def word(life: Life, operation_id: str) -> str:
    text: dict[str, Any] = json.loads(life.inside.get(f"/api/operations/{operation_id}").text)
    return str(text["verdict"]["word"])
