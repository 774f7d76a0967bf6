"""Training a strategy's model. The backend calls the new operation's id `task_id`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from httpx import AsyncClient

from panel.adapters.base import Kind, chosen, count, decimal, named, percent
from panel.adapters.fields import LEAVE_OUT, asked
from panel.adapters.training_tables import training_tables
from panel.domain.chart import Chart, Curve, Plot
from panel.domain.kinds import Traits
from panel.domain.results import Figure, Measure, ResultTable, averaged
from panel.domain.snapshot import Snapshot
from panel.domain.strategies import Strategy
from panel.domain.values import items, mapping, number, text


@dataclass
class TrainingOperationAdapter(Kind):
    """Symbols, timeframes and dates that are left out come from the strategy."""

    kind = "training"
    title = "Training"
    action = "Start training"
    command = "train"
    endpoint = "/trainings/start"
    summary = "Train a strategy's model on stored market data."
    menu = "Training"
    traits = Traits(worker="training", hosts=("gpu_host",), learns=True)
    takes_id = True
    measures = (
        Measure("Test accuracy", "test_metrics.test_accuracy", "%", better="high", same_data=True),
        Measure("Baseline", "test_metrics.baseline_accuracy", "%"),
        Measure(
            "Over the baseline", "test_metrics.test_accuracy", "points", 0, "high", "test_metrics.baseline_accuracy"
        ),
        Measure("Test loss", "test_metrics.test_loss", digits=3, better="low", same_data=True),
        Measure("Precision", "test_metrics.precision", "%", better="high", same_data=True),
        Measure("Recall", "test_metrics.recall", "%", better="high", same_data=True),
        Measure("F1 score", "test_metrics.f1_score", "%", better="high", same_data=True),
        Measure("Best validation accuracy", "training_metrics.best_val_accuracy", "%", better="high", same_data=True),
        Measure("Epochs", "training_metrics.epochs_trained"),
        Measure("Training time", "training_metrics.training_time", "s", digits=1),
        Measure("Model size", "model_info.parameters_count"),
    )

    strategy_name: str = field(metadata=asked("Strategy", required=True, help="The name of its file, without .yaml"))
    symbols: Sequence[str] | None = field(
        default=None, metadata=asked("Symbols", "symbols", option="--symbols", help="Empty: the strategy's own")
    )
    timeframes: Sequence[str] | None = field(
        default=None,
        metadata=asked("Timeframes", "timeframes", option="--timeframes", help="Empty: the strategy's own"),
    )
    start_date: str | None = field(
        default=None,
        metadata=asked("From", "date", option="--start", help="Empty: all stored data"),
    )
    end_date: str | None = field(
        default=None, metadata=asked("To", "date", option="--end", help="Empty: up to the newest bar")
    )
    validation_split: float = 0.2  # not sent, as in KTRDR's client: the strategy decides
    detailed_analytics: bool = field(
        default=False,
        metadata=asked(
            "Detailed analytics",
            "switch",
            option="--detailed-analytics",
            help="Records more of every epoch",
        ),
    )
    task_id: str | None = None
    leave_out_bad_bars: bool = field(default=False, metadata=LEAVE_OUT)

    def get_start_payload(self) -> dict[str, Any]:
        return chosen(
            strategy_name=self.strategy_name,
            symbols=self.symbols,
            timeframes=self.timeframes,
            start_date=self.start_date,
            end_date=self.end_date,
            task_id=self.task_id,
            leave_out_bad_bars=self.leave_out_bad_bars,
        ) | {"detailed_analytics": self.detailed_analytics}

    def ktrdr_argv(self, own: Strategy | None = None) -> list[str]:
        """KTRDR's command line asks for both dates."""
        if not self.start_date or not self.end_date or self.strategy_name.startswith("-"):
            return []
        argv = ["ktrdr", "train", self.strategy_name, "--start", self.start_date, "--end", self.end_date]
        argv += ["--symbols", ",".join(self.symbols)] if self.symbols else []
        argv += ["--timeframes", ",".join(self.timeframes)] if self.timeframes else []
        return argv + (["--detailed-analytics"] if self.detailed_analytics else [])

    async def result_of(self, final_status: dict[str, Any], http_client: AsyncClient | None) -> dict[str, Any]:
        """Asked for when it is not in `final_status`; in the answer, where the other kinds' results have theirs."""
        known = named(final_status, "result_summary")
        if known or http_client is None:
            return known
        response = await http_client.get(f"/trainings/{final_status.get('operation_id')}/performance")
        response.raise_for_status()
        return mapping(response.json())

    @classmethod
    def figures(cls, snapshot: Snapshot) -> list[Figure]:
        test, result = named(snapshot.result, "test_metrics"), snapshot.result
        if not test:
            return []
        training, model, used = (named(result, key) for key in ("training_metrics", "model_info", "data_summary"))
        accuracy, baseline = number(test.get("test_accuracy")), number(test.get("baseline_accuracy"))
        note, ahead = _against(accuracy, baseline, mapping(result)), _ahead(accuracy, baseline, mapping(result))
        figures = [Figure("Test accuracy", percent(accuracy), note, lead=True, ahead=ahead)]
        if baseline is not None:
            always = text(test.get("baseline_class"))
            note = (
                f"what always answering {always} would reach" if always else "what always giving one answer would reach"
            )
            figures.append(Figure("Baseline", percent(baseline), note, lead=True))
        figures += [
            Figure("Test loss", decimal(test.get("test_loss")), "on bars the model never saw", lead=True),
            *_of_signals(test),
            Figure("Best validation accuracy", percent(training.get("best_val_accuracy"))),
            Figure("Epochs", count(training.get("epochs_trained")), "passes over the training data"),
            Figure("Training time", f"{decimal(training.get('training_time'), 1)} s"),
            Figure("Model size", count(model.get("parameters_count")), "numbers that were learned"),
            Figure("Samples", count(used.get("total_samples")), f"of {count(used.get('feature_count'))} features each"),
        ]
        return [figure for figure in figures if not figure.value.startswith("–")]

    @classmethod
    def tables(cls, snapshot: Snapshot) -> list[ResultTable]:
        return training_tables(mapping(snapshot.result))

    @classmethod
    def chart(cls, snapshot: Snapshot) -> Chart | None:
        epochs = snapshot.epochs
        if not epochs:
            return None
        loss = (
            Curve("train", "Train loss", tuple(epoch.train_loss for epoch in epochs)),
            Curve("validation", "Validation loss", tuple(epoch.val_loss for epoch in epochs)),
        )
        accuracy = (
            Curve("train", "Train accuracy", tuple(epoch.train_accuracy for epoch in epochs)),
            Curve("validation", "Validation accuracy", tuple(epoch.val_accuracy for epoch in epochs)),
        )
        done = tuple(epoch.number + 1 for epoch in epochs)
        judged = [(epoch.val_loss, epoch.number + 1) for epoch in epochs if epoch.val_loss is not None]
        plots = (Plot("Loss", loss), Plot("Accuracy", accuracy, "%"))
        if len(judged) < 3:
            return Chart("Learning", "epoch", done, plots)
        lowest = min(judged)[1]
        kept = number(named(snapshot.result, "training_metrics").get("best_epoch"))
        mark = f"lowest validation loss at epoch {lowest}"
        mark += f"; the model is of epoch {kept:.0f}" if kept is not None and kept != lowest else ""
        return Chart("Learning", "epoch", done, plots, best=lowest, mark=mark)


def _of_signals(test: dict[str, Any]) -> list[Figure]:
    """Precision and recall. KTRDR averages them over all answers, Hold included, by how often each is right: its recall
    is then the accuracy again, and says nothing of signals."""
    precision, recall, f1 = (number(test.get(name)) for name in ("precision", "recall", "f1_score"))
    if averaged(test):
        return [
            Figure("Precision", percent(precision), "average over all answers, Hold included"),
            Figure("F1 score", percent(f1), "average over all answers, Hold included"),
        ]
    return [
        Figure("Precision", percent(precision), "of its signals, how many were right"),
        Figure("Recall", percent(recall), "of the right signals, how many it gave"),
        Figure("F1 score", percent(f1), "precision and recall in one number"),
    ]


def _against(accuracy: float | None, baseline: float | None, result: dict[str, Any]) -> str:
    """How good the accuracy is: whether it beats what needs no skill. The baseline's answer was the commonest in
    training; in the test part another one may be commoner, and would have reached more."""
    if accuracy is None or baseline is None:
        return "share of right answers on bars the model never saw"
    always, (other, share) = text(named(result, "test_metrics").get("baseline_class")), _commonest(result)
    usual = f"always answering {always}" if always else "always giving the same answer"
    usual, rival = f"{usual}, the commonest in training", ""
    if share is not None and other != always and share - baseline >= 0.0005:
        rival = f"; always answering {other} would have reached {percent(share)}"
    points = (accuracy - baseline) * 100
    if abs(points) < 0.5:
        return f"no better than {usual}{rival}"
    beaten = rival and share is not None and accuracy - share < 0.005
    word = "worse than" if points < 0 else "above" if beaten else "better than"
    return f"{abs(points):.1f} points {word} {usual}{rival}"


def _ahead(accuracy: float | None, baseline: float | None, result: dict[str, Any]) -> float | None:
    """Points above the answer that alone would have reached the most, as far as that is known."""
    if accuracy is None or baseline is None:
        return None
    return (accuracy - max(baseline, _commonest(result)[1] or 0.0)) * 100


def _commonest(result: dict[str, Any]) -> tuple[str, float | None]:
    """The answer that was right most often in the test part, and its share; None where that is unknown."""
    test, artifacts = named(result, "test_metrics"), named(result, "artifacts")
    if (share := number(test.get("commonest_accuracy"))) is not None:
        return text(test.get("commonest_class")), share
    names = [text(name) for name in items(artifacts.get("classes", ["BUY", "HOLD", "SELL"]), 11)]
    rows = items(artifacts.get("confusion_matrix"), 11)
    counts = [sum(number(cell) or 0.0 for cell in items(row, 11)) for row in rows]
    if not names or len(counts) != len(names) or sum(counts) <= 0:
        return "", None
    most = max(counts)
    return names[counts.index(most)], most / sum(counts)
