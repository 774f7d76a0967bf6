"""What the command line says of a run while KTRDR still calls it running: recorded stories, followed to their ends."""

import asyncio
import io
import re
from contextlib import suppress

import pytest
from rich.console import Console

from panel.backend.http import HTTPClient
from panel.backend.ktrdr import Ktrdr
from panel.cli.following import Follower
from tests.support.replaying import Replayed
from tests.support.virtual import virtual_time
from tests.support.wires import Line

LINE = re.compile(r"(\d\d):(\d\d):(\d\d) UTC  (.*)")


async def followed(replayed: Replayed, line: Line) -> tuple[Follower, dict, list[str]]:
    """The follower, the result, and all lines."""

    async def silences() -> None:
        while True:
            line.cut = replayed.silent
            await asyncio.sleep(0.5)

    await asyncio.sleep(4.0)  # until it has begun, and its worker is listed
    written = io.StringIO()
    cutting = asyncio.create_task(silences())
    async with HTTPClient("http://backend/api/v1") as client:
        follower = Follower(Ktrdr(client), Console(file=written, width=1000), "Training")
        result: dict = {}
        with suppress(TimeoutError):  # a recording may end before its run
            result = await asyncio.wait_for(follower.to_end(replayed.id), replayed.recorded["lasts"])
    cutting.cancel()
    return follower, result, written.getvalue().splitlines()


def lines_of(name: str) -> tuple[Follower, dict, list[tuple[float, str]]]:
    """The lines that are no progress, with the seconds of the story at which they came."""
    with virtual_time() as runner:
        replayed = Replayed(name)
        line = Line(replayed.app)
        with line.laid():
            follower, result, written = runner.run(followed(replayed, line))
        lines = []
        for text in written:
            if match := LINE.fullmatch(text):
                hours, minutes, seconds = (int(part) for part in match.groups()[:3])
                lines.append(((hours * 3600 + minutes * 60 + seconds - replayed.began) % 86400, match[4]))
    return follower, result, lines


def test_a_dead_worker_is_announced_minutes_before_the_backend_ends_its_run():
    follower, result, lines = lines_of("worker_killed")  # at 24 s
    (at, lost), *more = lines
    assert lost.startswith("Worker lost: The worker that does this no longer answers.") and not more
    assert "Worker training-worker-1 last answered at" in lost and at == pytest.approx(56, abs=8), (
        "it was listed at 53.8"
    )
    assert result["status"] == "failed"  # at 394 s
    why = follower.why_failed()
    assert why.startswith("Its worker died") and " at about " in why and "It worked until about" in why
    assert "Operation was RUNNING but no worker claimed it" in why


def test_a_restart_of_the_backend_is_announced():
    _, _, lines = lines_of("backend_killed")
    words = [text.partition(":")[0] for _, text in lines]
    assert words[:3] == ["Backend silent", "It goes on.", "Working, unreported"]
