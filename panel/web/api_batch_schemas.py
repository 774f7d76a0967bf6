"""What the JSON API takes and gives about batches."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from panel.domain.batches import MAX_SETTINGS, MAX_VALUES, Batch, BatchRun
from panel.domain.comparable import source_of
from panel.domain.comparison import measured
from panel.domain.labels import Shelf
from panel.domain.results import Measure
from panel.domain.values import utc
from panel.views.batches import SHOWN, TESTED, BoardRow, BoardView
from panel.views.operation import OperationView
from panel.web.api_requests import Day
from panel.web.api_schemas import DATA, UNKNOWN

_GRID: dict[str, Any] = {
    "strategy_name": "trend_momentum",
    "settings": {"training.epochs": [20, 50], "indicators.rsi.period": [7, 14, 21]},
    "symbols": ["EURUSD", "GBPUSD"],
}
_WALK: dict[str, Any] = {
    "strategy_name": "trend_momentum",
    "way": "walk",
    "start_date": "2023-01-01",
    "end_date": "2024-12-31",
    "train_days": 180,
    "test_days": 60,
}

Value = bool | int | float | Annotated[str, Field(max_length=100)]
Values = Annotated[list[Value], Field(max_length=MAX_VALUES)]
Words = Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=MAX_VALUES)]


class Period(BaseModel):
    model_config = ConfigDict(extra="forbid")

    start_date: Day
    end_date: Day


class BatchBody(BaseModel):
    """One training for each combination of the values that are given. What is left out comes from the strategy."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_GRID, _WALK]})

    strategy_name: str = Field(max_length=200)
    way: Literal["grid", "sample", "walk"] = Field(
        default="grid",
        description="`grid`: every combination; `sample`: a random sample of them; `walk`: a walk-forward, which"
        " trains, tests on the days after, and moves on.",
    )
    settings: dict[Annotated[str, Field(max_length=200)], Values] = Field(
        default={},
        max_length=MAX_SETTINGS,
        description="Values of numbers in the strategy's file, by their path. Each combination becomes a strategy file"
        " beside the original.",
    )
    seeds: Annotated[list[int], Field(max_length=MAX_VALUES)] = Field(
        default=[], description="Each combination is trained once with each of these."
    )
    symbols: Words = Field(default=[], description="One run for each.")
    timeframes: Words = Field(default=[], description="One run for each.")
    start_date: Day | None = None
    end_date: Day | None = None
    periods: Annotated[list[Period], Field(max_length=MAX_VALUES)] = Field(
        default=[], description="One run for each, instead of `start_date` and `end_date`."
    )
    sample: int | None = Field(default=None, description="How many of the combinations, for a sample.")
    train_days: int | None = Field(default=None, description="Of each step of a walk-forward.")
    test_days: int | None = Field(default=None, description="Of each step of a walk-forward.")

    def as_form(self) -> dict[str, str]:
        """The fields of the batch's form; what is left out is not in it."""
        form = {"strategy_name": self.strategy_name, "way": self.way}
        for place, (path, values) in enumerate(self.settings.items(), 1):
            form |= {f"setting_{place}": path, f"values_{place}": ", ".join(map(_typed, values))}
        form |= {name: ", ".join(map(str, getattr(self, name))) for name in ("seeds", "symbols", "timeframes")}
        form["periods"] = "\n".join(f"{each.start_date} to {each.end_date}" for each in self.periods)
        rest = ("start_date", "end_date", "sample", "train_days", "test_days")
        form |= {name: "" if (value := getattr(self, name)) is None else str(value) for name in rest}
        return {name: value for name, value in form.items() if value}

    def fields_of(self, errors: Mapping[str, str]) -> dict[str, str]:
        """A sentence for each field of the form -> for each field of this body."""
        paths = dict(enumerate(self.settings, 1))

        def named(field: str) -> str:
            what, _, place = field.partition("_")
            return f"settings.{paths.get(int(place), '')}" if what in ("setting", "values") else field

        return {named(field): message for field, message in errors.items()}


class BacktestBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"start_date": "2025-01-01", "end_date": "2025-06-30"}]}
    )

    start_date: Day = Field(description="The first day. Days after the training data are the honest choice.")
    end_date: Day
    numbers: Annotated[list[int], Field(max_length=50)] | None = Field(
        default=None, description="Which trainings; the best three when this is left out."
    )


class PlanAnswer(BaseModel):
    runs: int = Field(description="Trainings that it would start.")
    possible: int = Field(description="Combinations of the whole grid.")
    strategies: list[str] = Field(description="Strategy files that it would write.")
    seconds: float | None = Field(description="An estimate by earlier trainings of this strategy, if there are any.")


class BatchHead(BaseModel):
    key: str
    title: str
    made_at: datetime
    actor: str
    stopped: bool
    archived: bool
    runs: int = Field(description="Trainings and backtests.")
    open: int = Field(description="Of these, how many have not ended.")


class BatchList(BaseModel):
    batches: list[BatchHead]


class TestAnswer(BaseModel):
    queue_key: str
    state: str
    operation_id: str | None
    start_date: str
    end_date: str
    message: str
    results: dict[str, float | None] = Field(description="By the measures' keys, once it has ended.")
    data: str = Field(description=DATA)


class RunAnswer(BaseModel):
    number: int
    queue_key: str
    state: str = Field(description="The verdict's state; waiting or queued before it has an operation.")
    settings: dict[str, str] = Field(description="What it differs in.")
    strategy: str
    operation_id: str | None
    message: str
    over_baseline: float | None = Field(description="Accuracy above the baseline, as a share: 0.02 is 2 points.")
    results: dict[str, float | None] = Field(description="By the measures' keys, once it has ended.")
    data: str = Field(description=DATA)
    tests: list[TestAnswer] = Field(description="Backtests of its model.")


class ChanceAnswer(BaseModel):
    """The lead of the best run that chance alone explains, given the number of tries (selection bias)."""

    tries: int
    samples: int = Field(description="Bars on which each was tested, at least.")
    lead_by_chance: float = Field(
        description="How far above the middle the best is expected to be if all were equal: a share, and no bound."
    )
    independent_bars: bool = Field(
        description="Each bar counted as independent of its neighbours, as the backend does not say how alike they are;"
        " they usually are not, and chance does more."
    )
    lead_seen: float = Field(description="How far above the middle it is: a share.")


class JoinedAnswer(BaseModel):
    """The tests of a walk-forward, one after the other. Shares: 0.02 is 2 %."""

    tests: int
    total_return: float
    buy_and_hold: float | None


class BatchAnswer(BatchHead):
    form: dict[str, str] = Field(description="What was asked for, as it is typed into the form.")
    completed: int = Field(description="Trainings that completed.")
    failed: int = Field(description="Trainings that failed.")
    best: list[int] = Field(description="Numbers of the best trainings by their lead over the baseline, at most three.")
    unseen_from: str = Field(description='Date from which the best have seen nothing; "" when it is not known.')
    chance: ChanceAnswer | None = Field(description="Null also where not all were tested on the same bars.")
    joined: JoinedAnswer | None
    data: str = Field(description="Of all its runs together: `sample`, `own`, `mixed`, or empty.")
    board: list[RunAnswer] = Field(description="The trainings, the best first; of a walk-forward in order.")


def head(batch: Batch, runs: int, unfinished: int) -> dict[str, Any]:
    return {
        "key": batch.key,
        "title": batch.title,
        "made_at": utc(batch.made_at) or UNKNOWN,
        "actor": batch.actor,
        "stopped": batch.stopped,
        "archived": batch.shelf is Shelf.ARCHIVED,
        "runs": runs,
        "open": unfinished,
    }


def answer(view: BoardView, runs: int) -> BatchAnswer:
    chance = view.chances[0] if view.alike and view.chances else None
    joined = view.joined
    return BatchAnswer(
        **head(view.batch, runs, view.open),
        form=view.batch.form,
        completed=view.done,
        failed=view.failed,
        best=[row.run.number for row in view.best],
        unseen_from=view.unseen_from,
        chance=None
        if chance is None
        else ChanceAnswer(
            tries=chance.tries,
            samples=chance.samples,
            lead_by_chance=round(chance.lead / 100, 6),
            independent_bars=chance.independent,
            lead_seen=round(chance.seen / 100, 6),
        ),
        joined=None
        if joined is None
        else JoinedAnswer(tests=joined[0], total_return=joined[1], buy_and_hold=joined[2]),
        data=view.source,
        board=[_run(row) for row in view.rows],
    )


def _run(row: BoardRow) -> RunAnswer:
    run = row.run
    return RunAnswer(
        number=run.number,
        queue_key=run.key,
        state=row.state,
        settings=run.settings,
        strategy=run.form.get("strategy_name", ""),
        operation_id=run.operation_id,
        message=run.message,
        over_baseline=None if row.over is None else round(row.over / 100, 6),
        results=_results(SHOWN, row.view),
        data=source_of(row.view.snapshot) if row.view else "",
        tests=[_test(test, seen) for test, seen, _ in row.tests],
    )


def _test(run: BatchRun, view: OperationView | None) -> TestAnswer:
    return TestAnswer(
        queue_key=run.key,
        state=view.verdict.state if view else run.state,
        operation_id=run.operation_id,
        start_date=run.form.get("start_date", ""),
        end_date=run.form.get("end_date", ""),
        message=run.message,
        results=_results(TESTED, view),
        data=source_of(view.snapshot) if view else "",
    )


def _results(measures: Sequence[Measure], view: OperationView | None) -> dict[str, float | None]:
    if view is None or view.verdict.live:
        return {}
    return {measure.key: measured(measure, view.snapshot) for measure in measures}


def _typed(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
