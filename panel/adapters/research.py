"""Research by KTRDR's agent: it designs a strategy, trains, backtests and assesses it. Only a KTRDR has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from panel.adapters.base import Kind, chosen
from panel.adapters.fields import asked
from panel.domain.agents import PHASES, conclusion
from panel.domain.kinds import Traits
from panel.domain.results import Figure
from panel.domain.snapshot import Snapshot
from panel.domain.strategies import Strategy
from panel.domain.values import text

MAX_BRIEF = 2000  # characters
_MODELS = ("opus", "sonnet", "haiku")


@dataclass
class ResearchOperationAdapter(Kind):
    """Either a brief, or an existing strategy to train instead of a new one; with neither the agent chooses."""

    kind = "agent_research"
    title = "Research"
    action = "Start research"
    command = "research"
    endpoint = "/agent/trigger"
    summary = "Have KTRDR's agent design a strategy, train it, try it out and judge it."
    menu = "Research"
    traits = Traits(has_parts=True)
    offered_at = "/agent/status"
    cancel_at = "/agent/cancel/{id}"  # cancelled as an operation, it would leave its training or backtest running
    repeated = ("brief",)
    inner = (
        *(phase.part for phase in PHASES),
        *(
            "strategy_name",
            "phase",
            "phase_start_time",
            "design_complete",
            "design_budget_recorded",
            "assess_budget_recorded",
        ),
        *("training_result", "backtest_result", "model_path", "cost_model", "output_format", "assessment_verdict"),
    )

    brief: str | None = field(
        default=None,
        metadata=asked(
            "Brief",
            "long",
            option="--brief",
            help="What the strategy is to be like, in your own words. Empty: the agent chooses",
        ),
    )
    strategy_name: str | None = field(
        default=None,
        metadata=asked(
            "Strategy",
            option="--strategy",
            help="One of KTRDR's, by name: nothing is designed, and this one is trained and judged",
        ),
    )
    model: str = field(
        default="",
        metadata=asked(
            "Language model",
            "choice",
            option="--model",
            choices=(
                ("", "As KTRDR is set up"),
                ("haiku", "Haiku: the cheapest"),
                ("sonnet", "Sonnet"),
                ("opus", "Opus: the most thorough, and the dearest"),
            ),
        ),
    )

    def get_start_payload(self) -> dict[str, Any]:
        return chosen(brief=self.brief, strategy=self.strategy_name, model=self.model)

    def ktrdr_argv(self, own: Strategy | None = None) -> list[str]:
        """KTRDR's command line needs one of the two."""
        if not self.brief and not self.strategy_name or (self.brief or "").startswith("-"):
            return []
        argv = ["ktrdr", "research", *([self.brief] if self.brief else [f"--strategy={self.strategy_name}"])]
        return argv + (["--model", self.model] if self.model else [])

    @classmethod
    def check(cls, arguments: Mapping[str, Any], today: date) -> dict[str, str]:
        errors = {}
        if arguments.get("brief") and arguments.get("strategy_name"):
            errors["strategy_name"] = "A brief is for a new strategy: give one of the two, and leave the other empty."
        if len(arguments.get("brief") or "") > MAX_BRIEF:
            errors["brief"] = f"This is longer than {MAX_BRIEF:,} characters."
        return errors

    @classmethod
    def typed(cls, parameters: Mapping[str, Any]) -> dict[str, str]:
        """A strategy that the agent designed was not asked for. `model` holds its full name."""
        given = super().typed(parameters)
        if not parameters.get("design_complete"):
            given.pop("strategy_name", None)
        full = text(parameters.get("model"))
        return given | {"model": next((short for short in _MODELS if short in full), "")}

    @classmethod
    def name(cls, snapshot: Snapshot) -> str:
        brief = " ".join(text(snapshot.parameters.get("brief")).split())
        return snapshot.strategy or (brief if len(brief) <= 60 else brief[:59] + "…") or cls.title

    @classmethod
    def figures(cls, snapshot: Snapshot) -> list[Figure]:
        verdict = conclusion(snapshot)
        if not verdict:
            return []
        figures = [Figure("Conclusion", verdict, "the agent's own judgement", lead=True)]
        return figures + ([Figure("Strategy", snapshot.strategy, lead=True)] if snapshot.strategy else [])
