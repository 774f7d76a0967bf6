"""Keeps garbage collection from stopping the event loop for long.

A full collection walks over every object that is alive, and all threads wait: 40 to 300 ms for what the imports alone
leave. What stays for good is therefore taken out of its sight (`gc.freeze`). Such an object is still freed when nothing
refers to it any more; only rings of objects that refer to each other are not. So it is done once after the imports, and
then only after a collection that was long because so much is alive.
"""

import gc
import sys
import time
from typing import Any

LONG = 0.01  # seconds of CPU for one collection
# New objects until the youngest are looked through, and how often that happens until older ones are. Python's own are
# 700, 10 and 10, which one page reaches.
THRESHOLDS = (2_000, 20, 20)
SWITCH = 0.001  # seconds after which a busy thread lets the event loop go on; Python's own 5 ms add up


def keep_short() -> None:
    """For this process, from now on. Call it when everything is imported, before the event loop runs."""
    sys.setswitchinterval(SWITCH)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    gc.callbacks.append(Freezer())


class Freezer:
    """For `gc.callbacks`: freezes what a long collection has left."""

    def __init__(self) -> None:
        self._began = 0.0

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._began = time.thread_time()
        elif info["generation"] == 2 and time.thread_time() - self._began > LONG:
            gc.freeze()
