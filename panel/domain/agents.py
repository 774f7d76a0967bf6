"""KTRDR's agents: a research designs a strategy, trains, backtests and assesses it, each as an operation. Pure.

The backend links the parts of a research by their ids in its parameters only: to its own question for children it
answers with none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from panel.domain.snapshot import ID, Snapshot
from panel.domain.values import mapping, text

KIND_TITLES = {
    "agent_design": "Strategy design",
    "agent_assessment": "Assessment",
    "indicator_compute": "Indicators",
    "fuzzy_analysis": "Fuzzy analysis",
}


@dataclass(frozen=True, slots=True)
class Phase:
    """`named`: what the backend calls it while it goes on; `part`: the parameter with the id of its operation."""

    title: str
    named: str
    part: str


PHASES = (
    Phase("Design", "designing", "design_op_id"),
    Phase("Training", "training", "training_op_id"),
    Phase("Backtest", "backtesting", "backtest_op_id"),
    Phase("Assessment", "assessing", "assessment_op_id"),
)


@dataclass(frozen=True, slots=True)
class ResearchStatus:
    """What a KTRDR says of its agent. Money in US dollars; None for what it does not say. `places`: researches that may
    go on at once, of which `active` are taken; `designers`, `assessors`: the agent's workers."""

    left: float | None = None
    daily: float | None = None
    active: int | None = None
    places: int | None = None
    designers: int | None = None
    assessors: int | None = None


def kind_title(kind: str) -> str:
    """The name of a kind that the panel does not offer."""
    return KIND_TITLES.get(kind) or kind.replace("_", " ").capitalize()


def parts(snapshot: Snapshot) -> list[str]:
    """Ids of the operations that belong to a research, as far as it has come."""
    if not snapshot.traits.has_parts:
        return []
    return list(dict.fromkeys(filter(None, (part_of(snapshot, phase) for phase in PHASES))))


def part_of(snapshot: Snapshot, phase: Phase) -> str:
    """The id of the operation that is this phase of a research; "" while there is none."""
    found = snapshot.parameters.get(phase.part)
    return found if isinstance(found, str) and ID.fullmatch(found) else ""


def phase_now(parameters: Mapping[str, Any]) -> int:
    """The place in PHASES of the phase that a research is in, or was in when it ended; -1 where that is not known."""
    names = [phase.named for phase in PHASES]
    named = text(parameters.get("phase"))
    return names.index(named) if named in names else -1


def remembered(before: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Its parameters, completed with those of earlier readings: a research's end removes what its phases wrote."""
    kept = {**before, **parameters}
    if phase_now(parameters) < 0 <= phase_now(before):
        kept["phase"] = before["phase"]
    return kept


def conclusion(snapshot: Snapshot) -> str:
    """The agent's verdict on a research or an assessment, "" while there is none."""
    verdict = mapping(snapshot.result).get("verdict") or snapshot.parameters.get("assessment_verdict")
    return text(verdict).replace("_", " ").capitalize()[:100]
