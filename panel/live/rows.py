"""Rows of lists in streams: pages with other columns have rows of their own, each drawn once for all who see it."""

from collections import defaultdict
from collections.abc import Sequence

from panel.views.listing import USUAL, chosen


def row_topic(operation_id: str, columns: Sequence[str]) -> str:
    """`row:<id>`, with the columns behind it where they are not the usual ones."""
    return f"row:{operation_id}" if tuple(columns) == USUAL else f"row:{operation_id}:{','.join(columns)}"


def row_of(topic: str) -> tuple[str, tuple[str, ...]]:
    """(operation, columns) of such a topic."""
    _, operation_id, *columns = topic.split(":")
    return operation_id, chosen(columns[0].split(",")) if columns else USUAL


class Rows:
    """Which topics of rows pages are open on, by operation."""

    def __init__(self) -> None:
        self._topics: defaultdict[str, set[str]] = defaultdict(set)

    def opened(self, topic: str) -> None:
        self._topics[row_of(topic)[0]].add(topic)

    def closed(self, topic: str) -> None:
        operation_id, _ = row_of(topic)
        self._topics[operation_id].discard(topic)
        if not self._topics[operation_id]:
            del self._topics[operation_id]

    def of(self, operation_id: str) -> tuple[str, ...]:
        return tuple(self._topics.get(operation_id, ()))
