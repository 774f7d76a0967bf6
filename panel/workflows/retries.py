"""When a cancel that failed is tried again. Each try leaves a row in the operation's timeline, and shows on its page:
one that goes on failing is tried ever more seldom."""

import math
import time

from panel.monitoring.poller import Monitor

FIRST = 10.0  # seconds until the second attempt; from then on twice as long each time
LONGEST = 300.0
KEPT = 86400.0  # seconds after which what is not tried any more is forgotten


class Retries:
    """By key, in memory: after a restart of the panel each is tried at once."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._next: dict[str, tuple[float, float]] = {}  # key -> when it is tried (monotonic), and the pause after that

    def hold(self, key: str) -> None:
        """Somebody is just doing it, until `tried`."""
        self._next[key] = math.inf, FIRST

    def tried(self, key: str) -> None:
        now = time.monotonic()
        self._next = {each: (at, pause) for each, (at, pause) in self._next.items() if now - at < KEPT}
        _, pause = self._next.get(key, (now, FIRST))
        self._next[key] = now + pause, min(2 * pause, LONGEST)

    def due(self, key: str) -> bool:
        """Whether to try it now; then it counts as tried. Nothing is tried a second time while the backend does not
        answer at all; the first takes what only waits out of the queue."""
        if key in self._next:
            away = self._monitor.connection.failing_since is not None
            if away or self._next[key][0] > time.monotonic():
                return False
        self.tried(key)
        return True
