"""Collections of garbage: what a long one leaves is not looked through again, and what refers to nothing is freed."""

import gc
import subprocess
import sys

import pytest

from panel.observability import garbage


@pytest.fixture
def thawed():
    yield
    gc.unfreeze()


@pytest.mark.parametrize(("generation", "seconds", "frozen"), [(2, 0.02, True), (2, 0.001, False), (1, 0.02, False)])
def test_only_a_long_full_collection_freezes(monkeypatch, thawed, generation, seconds, frozen):
    gc.unfreeze()
    freezer, clock = garbage.Freezer(), iter([1.0, 1.0 + seconds])
    monkeypatch.setattr(garbage.time, "thread_time", lambda: next(clock))
    freezer("start", {"generation": generation})
    freezer("stop", {"generation": generation})
    assert (gc.get_freeze_count() > 0) is frozen


def test_in_a_process_that_serves():
    """Frozen once, the youngest looked through less often, and a ring that is made later still collected."""
    code = """
import gc, weakref
from panel.observability import garbage
garbage.keep_short()
assert gc.get_freeze_count() > 1000 and gc.get_threshold() == garbage.THRESHOLDS
assert any(isinstance(each, garbage.Freezer) for each in gc.callbacks)
class Ring: pass
ring = Ring(); ring.itself = ring; gone = weakref.ref(ring); del ring
gc.collect()
assert gone() is None
"""
    subprocess.run([sys.executable, "-c", code], check=True)
