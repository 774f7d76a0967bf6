"""A research under one heading: its phases, each with its operation, and what the agent concluded. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from panel.domain.agents import PHASES, Phase, conclusion, part_of, phase_now
from panel.domain.snapshot import Snapshot
from panel.domain.values import items, mapping, number, text
from panel.views.operation import OperationView

MAX_SENTENCES = 20  # sentences of one kind
_REMARKS = (
    ("Strengths", "strengths"),
    ("Weaknesses", "weaknesses"),
    ("Suggestions", "suggestions"),
    ("To be tried next", "hypotheses"),
)


@dataclass(frozen=True, slots=True)
class PhaseView:
    """`state`: of the marks that operations have; `run`: its operation, when the panel knows it."""

    title: str
    state: str
    text: str
    run: OperationView | None


@dataclass(frozen=True, slots=True)
class ResearchView:
    """`remarks`: the agent's sentences, by what they are about. `cost`: what the language model took so far, in US
    dollars; None when it is not known."""

    phases: list[PhaseView]
    conclusion: str
    remarks: list[tuple[str, list[str]]]
    cost: float | None


@dataclass(frozen=True, slots=True)
class FamilyView:
    """`research`: the one that an operation is part of; `study`: what a research consists of."""

    research: OperationView | None
    study: ResearchView | None


def research_view(whole: Snapshot, live: bool, runs: Mapping[str, OperationView]) -> ResearchView:
    """`live`: whether it goes on; `runs`: its operations by id, as far as they are known."""
    results = {phase.named: _result(whole, phase, runs) for phase in PHASES}
    costs = [number(result.get("cost_usd")) for result in results.values()]
    spent = [cost for cost in costs if cost is not None]
    sections = [(title, _sentences(results["assessing"].get(name))) for title, name in _REMARKS]
    return ResearchView(
        [_phase(whole, live, phase, runs) for phase in PHASES],
        conclusion(whole),
        [(title, sentences) for title, sentences in sections if sentences],
        sum(spent) if spent else None,
    )


def _result(whole: Snapshot, phase: Phase, runs: Mapping[str, OperationView]) -> dict[str, Any]:
    run = runs.get(part_of(whole, phase))
    return mapping(run.snapshot.result) if run else {}


def _phase(whole: Snapshot, live: bool, phase: Phase, runs: Mapping[str, OperationView]) -> PhaseView:
    at, here, named = phase_now(whole.parameters), PHASES.index(phase), part_of(whole, phase)
    later = any(part_of(whole, each) for each in PHASES[here + 1 :]) or here < at
    if (run := runs.get(named)) is not None:
        shown = [f"{figure.label.lower()} {figure.value}" for figure in run.figures if figure.lead][:3]
        text = "; ".join(filter(None, [run.verdict.word, *([] if run.verdict.live else shown)]))
        return PhaseView(phase.title, run.verdict.state, text, run)
    if named:
        return PhaseView(phase.title, "unknown", "not read from the backend yet", None)
    designed = here == 0 and later and not whole.parameters.get("design_complete")
    if designed or (not live and here == at and conclusion(whole)):
        return PhaseView(phase.title, "unknown", "ended; the backend names no operation of it", None)
    if later or (here == 0 and whole.parameters.get("design_complete")):
        return PhaseView(phase.title, "skipped", "left out", None)
    if not live and at < 0:  # the backend forgets the phases at the end
        return PhaseView(phase.title, "unknown", "not known", None)
    if not live:
        return PhaseView(phase.title, "skipped", "not reached", None)
    if here == max(at, 0):
        return PhaseView(phase.title, "queued", "begun; the backend names no operation of it yet", None)
    return PhaseView(phase.title, "queued", "to come", None)


def _sentences(given: Any) -> list[str]:
    """A list of texts, or of dicts with a text."""
    found = [
        text(mapping(item).get("text") or mapping(item).get("hypothesis")) or text(item)
        for item in items(given, MAX_SENTENCES)
    ]
    return [sentence for sentence in found if sentence]
