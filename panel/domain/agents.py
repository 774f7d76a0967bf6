"""KTRDR's agents: a research designs a strategy, trains it, tries it out and judges it, each as an operation. Pure.

The backend links the parts of a research by their ids in its parameters only: to its own question for children it
answers with none.
"""

from panel.domain.snapshot import ID, Snapshot

RESEARCH = "agent_research"
KIND_WORDS = {
    RESEARCH: "Research",
    "agent_design": "Strategy design",
    "agent_assessment": "Assessment",
    "indicator_compute": "Indicators",
    "fuzzy_analysis": "Fuzzy analysis",
}
_PARTS = ("design_op_id", "training_op_id", "backtest_op_id", "assessment_op_id")  # in the order in which they run


def kind_words(kind: str) -> str:
    """A kind that the panel does not offer, in words."""
    return KIND_WORDS.get(kind) or kind.replace("_", " ").capitalize()


def parts(snapshot: Snapshot) -> list[str]:
    """Ids of the operations that belong to a research, as far as it has come."""
    if snapshot.kind != RESEARCH:
        return []
    ids = (snapshot.parameters.get(name) for name in _PARTS)
    return list(dict.fromkeys(found for found in ids if isinstance(found, str) and ID.fullmatch(found)))
