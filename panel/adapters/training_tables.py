"""A training's result as tables: right and wrong answers, important inputs, confidence, and the bars used. Pure."""

from typing import Any

from panel.adapters.base import named, rate
from panel.domain.results import ResultTable
from panel.domain.values import items, mapping, number, text

SHOWN = 20  # inputs
FEW = 10  # answers


def training_tables(result: dict[str, Any]) -> list[ResultTable]:
    """Those for which the result has the numbers: KTRDR's usually has none of them."""
    found = (_confusion(result), _importance(result), _calibration(result), _bars(result))
    return [table for table in found if table]


def _confusion(result: dict[str, Any]) -> ResultTable | None:
    artifacts = named(result, "artifacts")
    names = items(artifacts.get("classes", ["BUY", "HOLD", "SELL"]), 11)
    matrix = [[number(cell) for cell in items(row, 11)] for row in items(artifacts.get("confusion_matrix"), 11)]
    if not 2 <= len(names) <= 10 or [len(row) for row in matrix] != [len(names)] * len(names):
        return None
    counts = [[int(cell or 0) for cell in row] for row in matrix]
    if not sum(map(sum, counts)):
        return None
    classes = [text(name) for name in names]
    answered = [sum(row[place] for row in counts) for place in range(len(classes))]
    parts = []
    for place, name in enumerate(classes):
        parts.append(_right(name, answered[place], counts[place][place]))
    rows = [(f"{name} was right", *(f"{cell:,}" for cell in row)) for name, row in zip(classes, counts, strict=True)]
    rows.append(("in all", *(f"{count:,}" for count in answered)))
    columns = ("", *(f"answered {name}" for name in classes))
    return ResultTable("Right and wrong answers", " ".join(parts), columns, tuple(rows))


def _right(name: str, answered: int, right: int) -> str:
    """Of a few answers a number: a rate would sound like more."""
    if not answered:
        return f"It never answered {name}."
    if answered == 1:
        return f"Its one {name} answer was {'right' if right else 'wrong'}."
    if right in (0, answered):
        return f"Of its {answered:,} {name} answers {'all were' if right else 'none was'} right."
    share = f"{right}" if answered < FEW else rate(right / answered, 0)
    return f"Of its {answered:,} {name} answers {share} {'was' if share == '1' else 'were'} right."


def _importance(result: dict[str, Any]) -> ResultTable | None:
    given = named(named(result, "artifacts"), "feature_importance")
    worth = [(text(name)[:100], share) for name, value in given.items() if (share := number(value)) is not None]
    if not worth:
        return None
    worth.sort(key=lambda pair: -pair[1])
    most = max(worth[0][1], 0.0)
    idle = sum(share <= 0.0005 for _, share in worth)
    regression = named(result, "model_info").get("output_format") == "regression"
    measure = "R², in hundredths," if regression else "accuracy, in points,"
    sentence = f"How much {measure} is lost on bars the model never saw when one input is shuffled. "
    sentence += f"{worth[0][0]} mattered most" if most > 0.0005 else "No input mattered by itself"
    sentence += f"; {idle} of {len(worth)} inputs made no difference." if idle else "."
    sentence += f" The first {SHOWN}." if len(worth) > SHOWN else ""
    shown = worth[:SHOWN]
    bars = tuple(max(share, 0.0) / most for _, share in shown) if most else ()
    rows = tuple((name, f"{share * 100:z.2f}") for name, share in shown)
    return ResultTable("Inputs that mattered", sentence, ("Input", "Lost"), rows, bars, folded=True)


def _calibration(result: dict[str, Any]) -> ResultTable | None:
    given = named(result, "artifacts").get("calibration")
    rows, answers, excess = [], 0, 0.0
    for entry in items(given, 20):
        fields = {name: number(mapping(entry).get(name)) for name in ("from", "to", "count", "sure", "right")}
        low, high, count, sure, right = fields.values()
        if low is None or high is None or not count or sure is None or right is None:
            continue
        rows.append((f"{low * 100:.0f} to {high * 100:.0f} % sure", f"{count:,.0f}", rate(sure), rate(right)))
        answers += int(count)
        excess += count * (sure - right)
    if not rows:
        return None
    points = excess / answers * 100
    if abs(points) < 2:
        sentence = "It is as sure as it is right: its probabilities can be taken at their word."
    else:
        sentence = (
            f"On average it is {abs(points):.0f} points {'more' if points > 0 else 'less'} sure than it is right."
        )
    columns = ("", "Answers", "Sure on average", "Right")
    return ResultTable("How sure, and how right", sentence, columns, tuple(rows), folded=True)


def _bars(result: dict[str, Any]) -> ResultTable | None:
    used = named(result, "data_summary")
    samples = named(used, "samples")
    uses = {"train": "learn from", "validation": _use_of_validation(result), "test": "measure"}
    parts = [f"{number(samples.get(name)) or 0:,.0f} to {use}" for name, use in uses.items() if samples.get(name)]
    sentence = f"Each sample is one bar: {', '.join(parts)}." if parts else "What was read."
    if first := text(used.get("test_start_date")):
        sentence += f" From {first[:10]} on the model has seen nothing."
    return bars_used(used.get("bars"), sentence)


def _use_of_validation(result: dict[str, Any]) -> str:
    """Only with early stopping it chooses the epoch whose network is kept. A result of an earlier version does not say
    so: there it did where another epoch than the last was kept."""
    training = named(result, "training_metrics")
    stopping = training.get("early_stopping")
    if not isinstance(stopping, bool):
        kept, last = (number(training.get(name)) for name in ("best_epoch", "epochs_trained"))
        stopping = kept is not None and kept != last
    return "choose the best epoch" if stopping else "watch how it learns"


def bars_used(read: Any, sentence: str) -> ResultTable | None:
    """Of each symbol and timeframe the number of bars read, left out, and used despite faults."""
    rows = []
    for entry in items(read, 50):
        fields = mapping(entry)
        name = f"{text(fields.get('symbol'))[:50]} {text(fields.get('timeframe'))[:10]}"
        counts = [
            sum(int(number(n) or 0) for n in named(fields, key).values()) for key in ("left_out", "bad_bars_used")
        ]
        bars = number(fields.get("bars"))
        rows.append(
            (name, "–" if bars is None else f"{bars:,.0f}", *(f"{count:,}" if count else "none" for count in counts))
        )
    columns = ("", "Bars read", "Left out", "Impossible, used")
    return ResultTable("Bars used", sentence, columns, tuple(rows), folded=True) if rows else None
