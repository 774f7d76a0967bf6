"""What people brought: the files of each upload, what was found out about them, and what was decided."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from panel.files.summary import Imported, Summary
from panel.files.values import Answers, Question


class NotKept(LookupError):
    """There is no such upload, or none any more."""


@dataclass(slots=True)
class Decisions:
    """What a person chose for one file; "" where nothing was chosen yet."""

    answers: Answers = field(default_factory=Answers)
    symbol: str = ""
    timeframe: str = ""
    leave_out: bool = False  # lines that cannot be read
    bad_bars: Literal["", "leave", "keep"] = ""
    existing: Literal["", "merge", "replace"] = ""


@dataclass(slots=True)
class ImportedFile:
    """One file of an upload. `asked`: every question that came up, answered or not; `looked_with`: the decisions that
    `summary` was made with. `made`: KTRDR's CSV to download, where there is no folder to store it in."""

    name: str
    path: Path
    size: int
    decisions: Decisions = field(default_factory=Decisions)
    looked_with: Decisions | None = None
    summary: Summary | None = None
    asked: dict[str, Question] = field(default_factory=dict)
    refused: str = ""
    line: int = 0
    stored: Imported | None = None
    stored_as: tuple[str, str] = ("", "")
    made: Path | None = None
    note: str = ""  # what came of the last decisions, where it is not what was asked for
    share: float = 0.0
    step: str = ""
    work: "asyncio.Task[None] | None" = None

    @property
    def busy(self) -> bool:
        return self.work is not None and not self.work.done()

    @property
    def ready(self) -> bool:
        """Whether it could be stored now."""
        return bool(self.summary) and not (self.busy or self.refused or self.stored or self.undecided)

    @property
    def symbol(self) -> str:
        return self.decisions.symbol or (self.summary.symbol if self.summary else "")

    @property
    def timeframe(self) -> str:
        return self.decisions.timeframe or (self.summary.timeframe if self.summary else "")

    @property
    def undecided(self) -> list[str]:
        """What has to be decided before it can be stored: keys of questions, and names of fields."""
        if self.summary is None:
            return []
        found, chosen = [question.key for question in self.summary.questions], self.decisions
        found += [name for name in ("symbol", "timeframe") if not getattr(self, name)]
        found += ["leave_out"] if self.summary.unread and not chosen.leave_out else []
        found += ["bad_bars"] if self.summary.bad and not chosen.bad_bars else []
        return found + (["existing"] if self.summary.held and not chosen.existing else [])


@dataclass(slots=True)
class Upload:
    id: str
    folder: Path
    at: float
    arriving: bool = True  # its files are not all there yet
    files: list[ImportedFile] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)  # archives, and why

    @property
    def busy(self) -> bool:
        return self.arriving or any(file.busy for file in self.files)
