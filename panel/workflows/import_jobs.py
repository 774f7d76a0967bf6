"""Runs the jobs of imports beside the event loop: small ones in a thread, large ones in a process of their own."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import panel
from panel.domain.schedules import zone_of
from panel.files import jobs
from panel.files.jobs import Job, Outcome
from panel.files.names import LENGTHS, SYMBOL
from panel.files.uploads import Decisions, ImportedFile
from panel.files.values import Progress

INLINE = 2 << 20  # bytes of a file up to which a thread is quicker than starting a process
TIME_LIMIT = 900.0  # seconds; two million bars take a few
AT_ONCE = 2
_ROOT = Path(panel.__file__).resolve().parents[1]
_LIBRARIES = ("numpy", "polars", "charset_normalizer")  # of the `embedded` extra


def missing() -> list[str]:
    """Libraries that importing needs and that are not installed."""
    return [name for name in _LIBRARIES if find_spec(name) is None]


class ImportJobs:
    """At most AT_ONCE jobs run at a time; the others wait."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)

    async def run(self, job: Job, size: int, progress: Progress) -> Outcome:
        """`size`: bytes that have to be read. Cancelling it ends its process."""
        async with self._free:
            if size <= INLINE:
                return await asyncio.to_thread(jobs.done, job, _on_loop(progress))
            try:
                async with asyncio.timeout(TIME_LIMIT):
                    return await _in_process(job, progress)
            except TimeoutError:
                return Outcome(refused=f"It took longer than {TIME_LIMIT / 60:.0f} minutes, and was ended.")


def _on_loop(progress: Progress) -> Callable[[float, str], None]:
    loop = asyncio.get_running_loop()

    def report(share: float, step: str) -> None:
        with contextlib.suppress(RuntimeError):  # the panel stops meanwhile
            loop.call_soon_threadsafe(progress, share, step)

    return report


async def _in_process(job: Job, progress: Progress) -> Outcome:
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "panel.files.jobs", cwd=_ROOT, env={**os.environ, "POLARS_MAX_THREADS": "2"},
        stdin=pipe, stdout=pipe, stderr=nothing, limit=64 << 20, start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None  # noqa: S101  both are pipes
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(jobs.packed(job))
            await process.stdin.drain()
        process.stdin.close()
        while line := await process.stdout.readline():
            report = jobs.report_of(line)
            if report.outcome is not None:
                return report.outcome
            progress(report.share, report.step)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()  # it has reported everything, or is not needed any more
        await process.wait()
    return Outcome(refused="The process that read the file ended without a word: perhaps the memory was not enough.")


def wrong(decisions: Decisions, file: ImportedFile) -> dict[str, str]:
    """A sentence for each wrong field. Symbol and timeframe become a file's name."""
    symbol, timeframe, zone = decisions.symbol, decisions.timeframe, decisions.answers.zone
    found = {}
    offered = [option.value for option in file.asked["zone"].options] if "zone" in file.asked else []
    if zone and zone not in offered:
        try:
            zone_of(zone)
        except ValueError as exc:
            found["zone"] = str(exc)
    if symbol and not SYMBOL.fullmatch(symbol):
        found["symbol"] = f"“{symbol[:40]}” is no symbol: letters, digits, dots, hyphens and underscores, 20 at most."
    if timeframe and timeframe not in LENGTHS:
        found["timeframe"] = f"“{timeframe[:20]}” is none of the timeframes."
    return found
