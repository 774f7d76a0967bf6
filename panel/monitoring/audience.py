"""Whether an operation is watched: what is watched is read more often."""

from typing import Protocol

from panel.domain.kinds import traits_of

_LOADS = ("stored", "plans")  # topics of pages that show the progress of every load


class Audience(Protocol):
    def readers(self, topic: str) -> int:
        """How many streams of the topic are open. Topics are described in `panel.live.publisher`."""
        ...


def watched(audience: Audience, operation_id: str, kind: str) -> bool:
    """Whether an open page or script shows this operation's progress."""
    topics = (f"op:{operation_id}", f"row:{operation_id}", f"api:{operation_id}", "home")
    return any(map(audience.readers, topics + _LOADS if traits_of(kind).loads else topics))
