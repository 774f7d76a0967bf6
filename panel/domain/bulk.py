"""One thing that is done with many runs at once. Pure values."""

from dataclasses import dataclass
from enum import StrEnum

from panel.domain.formatting import many
from panel.domain.labels import LabelChange, Shelf


class Act(StrEnum):
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
    UNCHANGED = "unchanged"  # it was so already
    UNCONFIRMED = "unconfirmed"  # it was sent, and whether it began is not known
    REFUSED = "refused"  # nothing was done with this run


WELL = (Outcome.DONE, Outcome.STARTED, Outcome.QUEUED, Outcome.UNCHANGED)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one run. `operation_id`, `queue_key`, `start_key`: what was started, is queued, or is looked
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
class Wish:
    """`act` on these runs; `tags` for those of tags, `confirm` for what is started. `said`: the whole request as text,
    by which a repeated key is told from one that is used for something else."""

    act: Act
    ids: tuple[str, ...]
    tags: tuple[str, ...] = ()
    confirm: tuple[str, ...] = ()
    said: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """What is on disk of a wish. `said`: the digest of what was said; `results`: None until all of it is done;
    `done_at`: Unix seconds."""

    key: str
    said: str
    act: Act
    ids: tuple[str, ...]
    results: tuple[Result, ...] | None = None
    done_at: float | None = None


def label_change(wish: Wish) -> tuple[LabelChange, str]:
    """What changes of a run's label, and that in a word."""
    match wish.act:
        case Act.STAR:
            return LabelChange(star=True), "starred"
        case Act.UNSTAR:
            return LabelChange(star=False), "no longer starred"
        case Act.TAG:
            return LabelChange(add=wish.tags), f"tagged {' '.join(wish.tags)}"
        case Act.UNTAG:
            return LabelChange(remove=wish.tags), f"no longer tagged {' '.join(wish.tags)}"
        case Act.ARCHIVE:
            return LabelChange(shelf=Shelf.ARCHIVED), "archived"
        case Act.UNARCHIVE:
            return LabelChange(shelf=Shelf.SHOWN), "brought back from the archive"
    return LabelChange(shelf=Shelf.DELETED), "deleted"


def subject(act: Act, count: int) -> str:
    """For the audit trail."""
    return f"{act}: {many(count, 'run')}"
