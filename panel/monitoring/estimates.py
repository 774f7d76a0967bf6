"""How much longer a running operation takes. Its first estimate is stored, to be compared with its end."""

from collections.abc import Sequence

from panel.domain.estimate import Estimate, Promise, estimate, reach
from panel.domain.observation import Observation
from panel.domain.snapshot import Snapshot
from panel.domain.state import State, Verdict
from panel.domain.values import number
from panel.storage.estimates import EstimateStore


class Estimates:
    def __init__(self, store: EstimateStore) -> None:
        self._store = store
        self._recorded: set[str] = set()  # running operations whose first estimate is stored

    def current(self, observation: Observation, verdict: Verdict, now: float) -> Estimate | None:
        """None when there is no reliable estimate."""
        snapshot = observation.snapshot
        if verdict.state is not State.RUNNING or observation.untracked_since is not None:
            return None
        end = reach(snapshot.traits, snapshot.percentage, number(snapshot.context.get("step_total")))
        started, earlier = snapshot.started_at or snapshot.created_at, self._store.earlier(snapshot)
        pace, breaks = self._store.pace(snapshot.id), self._store.breaks(snapshot.id)
        return estimate(pace, now, reach=end, started=started, earlier=earlier, breaks=breaks)

    def earlier(self, snapshot: Snapshot) -> Sequence[Promise]:
        """First estimates of earlier runs of the same thing, with the time these then took."""
        return self._store.promises(snapshot)

    def first(self, observation: Observation, verdict: Verdict, now: float) -> Estimate | None:
        """The first estimate of a run, while that is not stored."""
        operation_id = observation.snapshot.id
        if not verdict.live:
            self._recorded.discard(operation_id)
        elif operation_id not in self._recorded:
            if not self._store.promised(operation_id):
                return self.current(observation, verdict, now)
            self._recorded.add(operation_id)
        return None

    def recorded(self, operation_id: str) -> None:
        self._recorded.add(operation_id)
