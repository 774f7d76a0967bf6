"""Follows one operation on the command line: with a bar or lines, and with a line for whatever is not as expected.

The backend calls an operation running for six minutes after its worker's death; the list of workers tells it within a
minute. So the command line judges what it reads by the panel's own rules.
"""

import asyncio
import time
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from panel.backend.ktrdr import Ktrdr, Reading
from panel.backend.polling import until_finished
from panel.domain.formatting import clock
from panel.domain.observation import Observation, observed, unread
from panel.domain.state import State
from panel.domain.verdict import judge
from panel.domain.workers import WorkerList
from panel.errors import BackendTimeout, CLIClientError

WORKERS_EVERY = 5.0  # seconds between questions about the workers
WORKERS_TIMEOUT = 10.0
AS_EXPECTED = (State.QUEUED, State.STARTING, State.RUNNING)


class Follower:
    """Of one operation. `observation`: what was observed of it; `worker_list`: what is known of the workers."""

    def __init__(self, ktrdr: Ktrdr, console: Console, title: str) -> None:
        self.observation: Observation | None = None
        self.worker_list = WorkerList()
        self._ktrdr = ktrdr
        self._console = console
        self._title = title
        self._said = ""

    async def to_end(self, operation_id: str) -> dict[str, Any]:
        """What comes back, and what is raised, are `until_finished`'s."""
        judging = asyncio.create_task(self._judge())
        try:
            return await self._progress(operation_id)
        finally:
            judging.cancel()
            await asyncio.gather(judging, return_exceptions=True)

    def why_failed(self) -> str:
        """In the panel's words, where the backend's do not tell it: its worker died. "" else."""
        if self.observation is None or not self.observation.snapshot.unclaimed:
            return ""
        verdict = judge(self.observation, time.time(), self.worker_list)
        return " ".join((verdict.headline, *verdict.evidence, verdict.advice))

    async def _progress(self, operation_id: str) -> dict[str, Any]:
        if not self._console.is_terminal:
            lines = _ProgressLines(self._console, self._title)
            return await until_finished(self._ktrdr, operation_id, lines.show, 0.5, on_reading=self._observe)
        bar = Progress(
            TextColumn("[bold]{task.fields[title]}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=self._console,
        )
        with bar:
            line = bar.add_task("", total=100, title=self._title)

            def on_progress(percentage: int, message: str) -> None:
                bar.update(line, completed=percentage, description=message)

            return await until_finished(self._ktrdr, operation_id, on_progress, 0.5, on_reading=self._observe)

    def _observe(self, reading: Reading) -> None:
        if reading.snapshot is not None:
            self.observation = observed(self.observation, reading.snapshot)
        elif reading.error is not None and self.observation is not None:
            message = reading.error.message if reading.error.status_code else ""
            late = isinstance(reading.error, BackendTimeout)
            self.observation = unread(self.observation, time.time(), timed_out=late, error=message)
        self.worker_list = self.worker_list.answered(time.time()) if reading.error is None else self.worker_list

    async def _judge(self) -> None:
        """Say what is not as expected, once, and when it is again."""
        while True:
            with suppress(CLIClientError):
                workers = await self._ktrdr.workers(WORKERS_TIMEOUT)
                self.worker_list = self.worker_list.heard(workers, time.time())
            self._say(time.time())
            await asyncio.sleep(WORKERS_EVERY)

    def _say(self, now: float) -> None:
        if self.observation is None or self.observation.snapshot.finished:
            return
        verdict = judge(self.observation, now, self.worker_list)
        word = "" if verdict.state in AS_EXPECTED else verdict.word
        if word == self._said:
            return
        self._said = word
        text = f"{word}: {' '.join((verdict.headline, *verdict.evidence, verdict.advice))}" if word else "It goes on."
        line = f"{clock(now)} UTC  {text}".rstrip()
        piped = not self._console.is_terminal
        self._console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=piped)


class _ProgressLines:
    """For a file or a pipe: a line for each change, at most one a second."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._shown = ""
        self._at = -1.0

    def show(self, percentage: int, message: str) -> None:
        text, now = f"{self._title}: {percentage} %  {message}", time.monotonic()
        if text != self._shown and (now - self._at >= 1.0 or not self._shown):
            self._shown, self._at = text, now
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
