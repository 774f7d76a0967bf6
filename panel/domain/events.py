"""What happens in the panel, as values, and the bus that hands each to everything that subscribed to its type.

A new reaction (another notification channel, say) is one more subscription; no publisher knows its listeners.
"""

import logging
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from panel.domain.gaps import Ending
from panel.domain.observation import Observation
from panel.domain.requests import Start
from panel.domain.snapshot import Snapshot
from panel.domain.state import Verdict

log = logging.getLogger(__name__)

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class OperationChanged:
    """An operation was read or judged again; most readings say nothing new."""

    observation: Observation
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class VerdictRecorded:
    """A verdict changed and was stored."""

    observation: Observation
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class OperationEnded:
    """An operation that was live is not any more."""

    observation: Observation
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class OperationsListed:
    """The list of operations changed: one was added, or moved between the running and the ended."""


@dataclass(frozen=True, slots=True)
class OperationFound:
    """An operation was read that a start with a lost answer may have begun. `answer`: the backend's own words."""

    snapshot: Snapshot
    answer: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class CheckpointChecked:
    """It was looked up whether this ended operation can be resumed."""

    observation: Observation


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """The backend began or stopped to answer, or to answer in time."""


@dataclass(frozen=True, slots=True)
class WorkersChanged:
    """The backend listed its workers; they may be the same as before."""


@dataclass(frozen=True, slots=True)
class StartConfirmed:
    """A start has an operation."""

    start: Start


@dataclass(frozen=True, slots=True)
class StartsChanged:
    """A start was sent, answered, lost, found or dismissed."""


@dataclass(frozen=True, slots=True)
class QueueChanged:
    """A load or a plan was added, removed or changed its state."""


@dataclass(frozen=True, slots=True)
class BatchChanged:
    """A run of a batch was queued, or ended."""

    key: str


@dataclass(frozen=True, slots=True)
class LoadedBarsChecked:
    """The stored bars were looked through after a load ended; `gaps_left`: those that it was to fill, or
    NOTHING_STORED. `first`: the first stored bar; `none_after`: the last one, where bars lack after it."""

    operation_id: str
    gaps_left: int
    first: float | None = None
    none_after: float | None = None
    ending: Ending = Ending.MISSED


@dataclass(frozen=True, slots=True)
class LabelsChanged:
    """These operations were named, noted, tagged, starred, archived or deleted, or that was undone."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredDataChanged:
    """What is known of the stored market data changed."""


class EventBus:
    """Calls listeners at once, in the order in which they subscribed. One that raises costs the others nothing."""

    def __init__(self) -> None:
        self._listeners: defaultdict[type, list[Callable[[Any], object]]] = defaultdict(list)

    def subscribe(self, event: type[E], listener: Callable[[E], object]) -> None:
        self._listeners[event].append(listener)

    def publish(self, event: object) -> None:
        for listener in self._listeners.get(type(event), ()):
            try:
                listener(event)
            except sqlite3.Error as exc:  # every page shows it; a traceback for each event adds nothing
                log.warning("a listener cannot read the memory: %s", exc)
            except Exception:
                log.exception("a listener failed on %s", type(event).__name__)
