"""Small files are read in a thread, large ones in a process of their own, which ends when nobody waits for it."""

import asyncio
from datetime import timedelta

import pytest

from panel.files.jobs import Look, Store, Unpack
from panel.files.values import Answers
from panel.workflows.import_jobs import INLINE, ImportJobs
from tests.support.market_files import bars, ktrdr

pytestmark = pytest.mark.anyio


@pytest.fixture
def large(tmp_path):
    """A file above the limit."""
    file = tmp_path / "0"
    file.write_text(ktrdr(bars(2000, timedelta(minutes=1))))
    return file


async def test_a_process_reports_and_brings_the_same_as_a_thread(large):
    steps, job = [], Look(large, "EURUSD_1m.csv", Answers())
    found = await ImportJobs().run(job, INLINE + 1, lambda share, step: steps.append((share, step)))
    assert found == await ImportJobs().run(job, INLINE, lambda share, step: None)
    assert found.summary.bars == 2000 and ("Reading prices" in [step for _, step in steps])
    assert [share for share, _ in steps] == sorted(share for share, _ in steps)


async def test_a_process_ends_with_what_waits_for_it(tmp_path):
    import os

    (pipe := tmp_path / "pipe").touch()
    pipe.unlink()
    os.mkfifo(pipe)  # a file whose reading never ends
    task = asyncio.create_task(ImportJobs().run(Look(pipe, "x.csv", Answers()), INLINE + 1, lambda share, step: None))
    writer = None
    while writer is None:  # until the process has opened it
        try:
            writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"x")  # nobody reads it any more
    os.close(writer)


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (lambda folder: Look(folder / "none", "x.csv", Answers()), "No such file"),
        (lambda folder: Unpack(folder / "0"), "damaged"),
        (lambda folder: Store(folder / "0", "x.csv", Answers(zone="Mars"), "X", "1h", folder), "line 1"),
    ],
)
async def test_what_is_refused_is_an_outcome(tmp_path, job, reason):
    (tmp_path / "0").write_text("x\n1\n")
    outcome = await ImportJobs().run(job(tmp_path), 0, lambda share, step: None)
    assert reason in f"line {outcome.line}: {outcome.refused}" and outcome.summary is outcome.imported is None
