"""A batch's page: its runs as a table of settings and results, and what chance alone would do. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from panel.adapters import BacktestingOperationAdapter, TrainingOperationAdapter
from panel.domain.batches import Batch, BatchRun, Role, RunState, by_test_data, joined_return, lead_by_chance
from panel.domain.comparable import source_of_all
from panel.domain.comparison import measured, written
from panel.domain.formatting import day
from panel.domain.gaps import DAY
from panel.domain.results import Measure
from panel.domain.snapshot import Snapshot
from panel.domain.state import State
from panel.domain.values import mapping, moment, number
from panel.views.board_settings import Strips, strips
from panel.views.joined_curve import JoinedCurve, Step, joined_curve
from panel.views.operation import OperationView

COMPARED = 6  # that the comparison takes at most
BEST = 3  # that are offered for a backtest

_TRAINING, _BACKTEST = TrainingOperationAdapter.measures, BacktestingOperationAdapter.measures
_ACCURACY, _BASELINE = _TRAINING[:2]
_RETURN, _HOLD = _BACKTEST[:2]
SHOWN = (_ACCURACY, _BASELINE, *(each for each in _TRAINING if each.label in ("Test loss", "F1 score", "Epochs")))
TESTED = (*_BACKTEST[:4], *(each for each in _BACKTEST if each.label == "Trades"))


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    best: bool = False


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One training and what was made of its model. `over`: accuracy above the baseline, in points; `score`: what it is
    ranked by, in points: that, or its accuracy where there is no baseline, as with KTRDR; None of one without
    losses. `word` and `state` are the operation's, or the queue's before it has one.
    """

    run: BatchRun
    view: OperationView | None
    state: str
    word: str
    values: tuple[Cell, ...]
    over: float | None
    score: float | None
    tests: tuple[tuple[BatchRun, OperationView | None, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Chance:
    """With that many tries on test parts of `samples` bars, chance alone is expected to put the best `lead` points
    above the others; it lies `seen` points above their median. `samples` is the fewest: variants that look
    back further have some bars less. `independent`: how alike neighbouring bars are is not known, so each counts as one
    of its own. `of`: which runs of the batch, where it has more than one test period."""

    of: str
    tries: int
    samples: int
    uneven: bool
    independent: bool
    lead: float
    seen: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardView:
    batch: Batch
    varied: str  # what its form varies, in words
    settings: Sequence[str]
    columns: Sequence[Measure]
    tested: Sequence[Measure]
    rows: Sequence[BoardRow]
    done: int
    open: int
    trained: bool  # no training is to come, so the best ones stay the best
    failed: int  # trainings
    failed_tests: int  # backtests
    walk: bool
    chances: Sequence[Chance]  # one for each test period
    alike: bool  # all were tested on the same bars, so that losses and accuracies can be compared
    joined: tuple[int, float, float | None] | None  # steps, return, buy and hold: shares
    curve: JoinedCurve | None
    strips: Strips | None
    best: Sequence[BoardRow]
    compared: Sequence[str]
    source: str  # of the bars of all its runs: as `source_of_all`
    unseen_from: str  # ISO date from which none of the best has seen a bar; "" when that is not known


def varied(batch: Batch) -> str:
    """What distinguishes its runs, as the form gave it: "period 7, 14, 21 · EURUSD GBPUSD"."""
    given = batch.form.get
    settings = [
        f"{str(given(f'setting_{n}')).rpartition('.')[2]} {given(f'values_{n}')}"
        for n in (1, 2, 3)
        if given(f"setting_{n}")
    ]
    seeds = [f"seeds {given('seeds')}"] if given("seeds") else []
    plain = [str(given(name)) for name in ("symbols", "timeframes", "periods") if given(name)]
    return " · ".join(settings + seeds + plain)


def board(batch: Batch, runs: Sequence[BatchRun], views: Mapping[str, OperationView], sort: str) -> BoardView:
    """`views`: by operation. `sort`: "number", "" for the score, or the label of a measure."""
    trainings = [run for run in runs if run.role is Role.TRAINING]
    numbers = {run.key: _values(SHOWN, _snapshot(run, views)) for run in trainings}
    leads = {key: _over(values) for key, values in numbers.items()}
    walk = any(run.role is Role.TEST for run in runs)  # its steps have days of their own, and are no rivals
    scores = leads
    if all(lead is None for lead in leads.values()):
        scores = {key: None if values[0] is None else values[0] * 100 for key, values in numbers.items()}
    broken = {run.key for run in trainings if _state(run, views.get(run.operation_id or ""))[0] == State.PROBLEMS}
    scores = {key: None if key in broken else score for key, score in scores.items()}
    groups = by_test_data(batch, trainings)
    best = [None] * len(SHOWN) if walk else _bests(list(numbers.values()), len(groups) < 2)
    rows = [
        BoardRow(
            run,
            view := views.get(run.operation_id or ""),
            *_state(run, view),
            tuple(
                Cell("–" if value is None else written(measure, value), value is not None and value == top)
                for measure, value, top in zip(SHOWN, numbers[run.key], best, strict=True)
            ),
            leads[run.key],
            scores[run.key],
            tuple(_test(each, views) for each in runs if each.waits_for == run.key),
        )
        for run in trainings
    ]
    steps = _steps(runs, views)
    ranked = sorted(rows, key=lambda row: (row.score is None, -(row.score or 0.0), row.run.number))
    good = [row for row in ranked if row.score is not None]
    settings = list(dict.fromkeys(name for run in trainings for name in run.settings))
    return BoardView(
        batch=batch,
        varied=varied(batch),
        settings=settings,
        columns=SHOWN,
        tested=TESTED,
        rows=_sorted(rows, ranked, numbers, sort or ("number" if walk else "")),
        done=sum(run.state is RunState.DONE for run in trainings),
        open=sum(run.open for run in runs),
        trained=not any(run.open for run in trainings),
        failed=sum(run.state is RunState.FAILED for run in trainings),
        failed_tests=sum(run.state is RunState.FAILED and run.role is not Role.TRAINING for run in runs),
        walk=walk,
        chances=() if walk else [each for of in groups if (each := _chance(of, groups[of], scores, views)) is not None],
        alike=walk or len(groups) < 2,
        joined=_joined(steps),
        curve=joined_curve(steps),
        strips=None if walk else strips(settings, [(row.run, row.over) for row in good if row.over is not None]),
        best=() if walk else good[:BEST],
        compared=[row.run.operation_id for row in good[:COMPARED] if row.run.operation_id],
        source=source_of_all(view.snapshot for view in views.values()),
        unseen_from=_unseen_from(good, views),
    )


def _state(run: BatchRun, view: OperationView | None) -> tuple[str, str]:
    if view is not None:
        return view.verdict.state, view.verdict.word
    return {
        RunState.WAITING: ("queued", "Waits"),
        RunState.QUEUED: ("queued", "Queued"),
        RunState.DONE: ("completed", "Completed"),
        RunState.FAILED: ("failed", "Not started"),
        RunState.CANCELLED: ("cancelled", "Cancelled"),
    }[run.state]


def _snapshot(run: BatchRun, views: Mapping[str, OperationView]) -> Snapshot | None:
    view = views.get(run.operation_id or "")
    return view.snapshot if view is not None and not view.verdict.live else None


def _values(measures: Sequence[Measure], snapshot: Snapshot | None) -> list[float | None]:
    return [None if snapshot is None else measured(measure, snapshot) for measure in measures]


def _over(values: Sequence[float | None]) -> float | None:
    accuracy, baseline = values[:2]
    return None if accuracy is None or baseline is None else (accuracy - baseline) * 100


def _bests(numbers: Sequence[Sequence[float | None]], alike: bool) -> list[float | None]:
    """Of each measure the best value, where there are several different ones that can be compared."""
    found: list[float | None] = []
    for place, measure in enumerate(SHOWN):
        there = [value for values in numbers if (value := values[place]) is not None]
        pick: Callable[[list[float]], float] = max if measure.better == "high" else min
        marked = measure.better and (alike or not measure.same_data)
        found.append(pick(there) if marked and len(set(there)) > 1 else None)
    return found


def _sorted(
    rows: list[BoardRow], ranked: list[BoardRow], numbers: Mapping[str, Sequence[float | None]], sort: str
) -> list[BoardRow]:
    if sort == "number":
        return rows
    place = next((at for at, measure in enumerate(SHOWN) if measure.label == sort), None)
    if place is None:
        return ranked
    down = -1.0 if SHOWN[place].better != "low" else 1.0

    def key(row: BoardRow) -> tuple[bool, float]:
        value = numbers[row.run.key][place]
        return value is None, down * (value or 0.0)

    return sorted(rows, key=key)


def _test(run: BatchRun, views: Mapping[str, OperationView]) -> tuple[BatchRun, OperationView | None, tuple[str, ...]]:
    values = _values(TESTED, _snapshot(run, views))
    shown = tuple(
        "–" if value is None else written(measure, value) for measure, value in zip(TESTED, values, strict=True)
    )
    return run, views.get(run.operation_id or ""), shown


def _chance(
    of: str, runs: Sequence[BatchRun], scores: Mapping[str, float | None], views: Mapping[str, OperationView]
) -> Chance | None:
    ranked = [
        (score, each) for run in runs if (score := scores[run.key]) is not None and (each := _snapshot(run, views))
    ]
    samples = [
        int(tested)
        for _, each in ranked
        if (tested := number(mapping(mapping((each.result or {}).get("data_summary")).get("samples")).get("test")))
    ]
    shares = [value for _, each in ranked if (value := measured(_ACCURACY, each)) is not None]
    if not samples or not shares:
        return None
    errors = [number(each.measured.get("test_accuracy_error")) for _, each in ranked]
    known = [error for error in errors if error]
    error = median(known) if len(known) == len(errors) else None
    tried = [score for score, _ in ranked]
    lead = lead_by_chance(len(tried), median(shares), min(samples), error)
    if lead is None:
        return None
    uneven = min(samples) != max(samples)
    return Chance(of, len(tried), min(samples), uneven, error is None, lead * 100, max(tried) - median(tried))


def _steps(runs: Sequence[BatchRun], views: Mapping[str, OperationView]) -> list[Step]:
    """The tests of a walk-forward that have ended, in their order."""
    steps = []
    for run in runs:
        if run.role is not Role.TEST:
            continue
        gain, held = _values((_RETURN, _HOLD), _snapshot(run, views))
        if gain is not None:
            steps.append(Step(run.form.get("start_date", ""), run.form.get("end_date", ""), gain, held))
    return steps


def _joined(steps: Sequence[Step]) -> tuple[int, float, float | None] | None:
    if not steps:
        return None
    held = [step.held for step in steps if step.held is not None]
    whole = joined_return(held) if len(held) == len(steps) else None
    return len(steps), joined_return([step.gain for step in steps]), whole


def _unseen_from(good: Sequence[BoardRow], views: Mapping[str, OperationView]) -> str:
    """The first day that none of the best was trained or tested on: as their results say, else the day after the last
    one, which was seen."""
    days = []
    for row in good[:BEST]:
        snapshot = _snapshot(row.run, views)
        used = mapping((snapshot.result or {}).get("data_summary")) if snapshot else {}
        end = moment(used.get("end_date") or row.run.form.get("end_date"))
        days.append(moment(used.get("unseen_from")) or (None if end is None else end + DAY))
    known = [at for at in days if at is not None]
    return day(max(known)) if known and len(known) == len(days) else ""
