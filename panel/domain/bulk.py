"""One action on many runs at once. Pure values."""

from dataclasses import dataclass
from enum import StrEnum

from panel.domain.formatting import many
from panel.domain.labels import LabelChange, Shelf


class Action(StrEnum):
    CANCEL = "cancel"
    AGAIN = "again"
    STAR = "star"
    UNSTAR = "unstar"
    TAG = "tag"
    UNTAG = "untag"
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"
    DELETE = "delete"


class Outcome(StrEnum):
    DONE = "done"
    STARTED = "started"
    QUEUED = "queued"
    UNCHANGED = "unchanged"  # no change was needed
    UNCONFIRMED = "unconfirmed"  # it was sent, and whether it began is not known
    REFUSED = "refused"  # refused for this run


WELL = (Outcome.DONE, Outcome.STARTED, Outcome.QUEUED, Outcome.UNCHANGED)


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome for one run. `operation_id`, `queue_key`, `start_key`: what was started, is queued, or is looked
    for."""

    id: str
    outcome: Outcome
    message: str = ""
    operation_id: str = ""
    queue_key: str = ""
    start_key: str = ""

    @property
    def well(self) -> bool:
        return self.outcome in WELL


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """`action` on these runs; `tags` for those of tags, `confirm` for what is started. `text`: the whole request, by
    which a repeated request is distinguished from another one with the same key."""

    action: Action
    ids: tuple[str, ...]
    tags: tuple[str, ...] = ()
    confirm: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A stored request. `digest`: of the request's text; `results`: None until all of it is done;
    `done_at`: Unix seconds."""

    key: str
    digest: str
    action: Action
    ids: tuple[str, ...]
    results: tuple[Result, ...] | None = None
    done_at: float | None = None


def label_change(request: BulkRequest) -> tuple[LabelChange, str]:
    """The change of a run's label, and its name."""
    match request.action:
        case Action.STAR:
            return LabelChange(star=True), "starred"
        case Action.UNSTAR:
            return LabelChange(star=False), "no longer starred"
        case Action.TAG:
            return LabelChange(add=request.tags), f"tagged {' '.join(request.tags)}"
        case Action.UNTAG:
            return LabelChange(remove=request.tags), f"no longer tagged {' '.join(request.tags)}"
        case Action.ARCHIVE:
            return LabelChange(shelf=Shelf.ARCHIVED), "archived"
        case Action.UNARCHIVE:
            return LabelChange(shelf=Shelf.SHOWN), "brought back from the archive"
    return LabelChange(shelf=Shelf.DELETED), "deleted"


def subject(action: Action, count: int) -> str:
    """For the audit trail."""
    return f"{action}: {many(count, 'run')}"
