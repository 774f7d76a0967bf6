"""What a training's curves say about whether it learns, in sentences with their numbers. Pure.

Curves are noisy, so a note needs a stretch of epochs and a change that is larger than the noise. Where a
healthy run could look the same, there is no finding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from panel.domain.snapshot import Epoch

ENOUGH = 8  # epochs before a trend is judged
FLAT = 0.01  # of a loss; a smaller change is none
FIRST_EPOCHS = 3  # epochs in which a model that only ever gives one answer comes to that
BROKEN = 2  # epochs in a row without a training loss
UNMEASURED = 3  # … without a validation loss, in a run that had one

Series = list[tuple[int, float]]  # (epoch, counted from 1, value)


@dataclass(frozen=True, slots=True)
class Note:
    """`since`: the epoch, counted from 1, from which on it is so."""

    word: str
    text: str
    since: int
    advice: str


def notes(
    epochs: Sequence[Epoch], *, total: int | None = None, baseline: float | None = None, live: bool = True
) -> list[Note]:
    """The worst first. `total`: epochs planned; `baseline`: accuracy of always giving the commonest answer; `live`:
    whether it can be cancelled."""
    if broken := _broken(epochs, live):
        return [broken]
    found = [_not_learning(epochs, baseline), _overfitting(epochs, live)]
    if not any(found):
        found.append(_plateau(epochs, total or len(epochs), live))
    return [note for note in found if note]


def _broken(epochs: Sequence[Epoch], live: bool) -> Note | None:
    advice = "It does not come back from this. " + (
        "Cancel it, then look for" if live else "Before the next run look for"
    )
    advice += " empty or extreme values in its inputs, or try a lower learning rate."
    for name, get, enough in (("training", _train_loss, BROKEN), ("validation", _val_loss, UNMEASURED)):
        last = next((place for place in range(len(epochs), 0, -1) if get(epochs[place - 1]) is not None), 0)
        missing = len(epochs) - last
        if missing < enough or (name == "validation" and not last):
            continue
        since = epochs[last].number + 1
        return Note("Loss is not a number", f"Since epoch {since} the {name} loss is not a number.", since, advice)
    return None


def _not_learning(epochs: Sequence[Epoch], baseline: float | None) -> Note | None:
    """An accuracy that stands still says so only where it is that of the commonest answer, or where nothing else moved
    either: with few samples many epochs in a row of a model that has learned have the same."""
    losses, hits = _series(epochs, _train_loss), _series(epochs, _val_accuracy)
    advice = "Look at its labels and inputs: as they are, it finds nothing in them. Or try another learning rate."
    flat = len(losses) >= ENOUGH and not _fell(losses)
    if len(hits) >= ENOUGH and len({value for _, value in hits[-ENOUGH:]}) == 1:
        share = hits[-1][1]
        pairs = zip(hits[:0:-1], hits[-2::-1], strict=True)  # each with the one before it, the latest first
        since = next((epoch for (epoch, _), (_, before) in pairs if before != share), hits[0][0])
        commonest = _same(share, baseline)
        if commonest or (flat and since <= hits[FIRST_EPOCHS - 1][0]):
            text = f"Validation accuracy has been exactly {_percent(share)} since epoch {since}"
            text += ", the share of the commonest answer" if commonest else ""
            return Note("Not learning", f"{text}: it probably always gives the same answer.", since, advice)
    if not flat:
        return None
    answers = _series(epochs, _train_accuracy)
    if len(answers) >= 6 and _middle(answers[-3:]) - _middle(answers[:3]) >= 0.02:
        return None
    first, last = _middle(losses[:3]), _middle(losses[-3:])
    text = f"Training loss was {first:.4g} at the start and is {last:.4g} after {len(losses)} epochs."
    if hits and _same(hits[-1][1], baseline):
        text += f" Validation accuracy, {_percent(hits[-1][1])}, is that of always giving the commonest answer."
    return Note("Not learning", text, losses[0][0], advice)


def _fell(losses: Series) -> bool:
    """From the first epochs to the last ones, by more than nothing and by more than its noise."""
    first, last = _middle(losses[:3]), _middle(losses[-3:])
    return first - last > min(FLAT * abs(first), 3 * _jump(losses))


def _overfitting(epochs: Sequence[Epoch], live: bool) -> Note | None:
    both = [epoch for epoch in epochs if epoch.train_loss is not None and epoch.val_loss is not None]
    trained, checked = _series(both, _train_loss), _series(both, _val_loss)
    if len(checked) < ENOUGH:
        return None
    smooth, learned = _smooth(checked), _smooth(trained)
    best = min(range(len(smooth)), key=smooth.__getitem__)
    stretch = max(ENOUGH - 1, len(smooth) // 10)
    rise, fall = smooth[-1] - smooth[best], learned[best] - learned[-1]
    noise = max(2 * _jump(checked), 0.03 * abs(smooth[best]))
    if len(smooth) - 1 - best < stretch or rise <= noise or fall < FLAT * abs(learned[best]):
        return None
    at, lowest = min(checked, key=lambda step: step[1])
    text = (
        f"After epoch {checked[best][0]} the smoothed validation loss rose from {smooth[best]:.4g} to {smooth[-1]:.4g} "
        f"while training loss fell from {learned[best]:.4g} to {learned[-1]:.4g}."
    )
    hits = _series(both, _val_accuracy)
    curve = dict(zip((epoch for epoch, _ in hits), _smooth(hits), strict=True))
    before, now = curve.get(checked[best][0]), curve.get(checked[-1][0])
    if before is not None and now is not None and now - before > max(2 * _jump(hits), 0.01):
        text += f" Smoothed validation accuracy rose all the same, from {_percent(before)} to {_percent(now)}."
    return Note("Overfitting", text, checked[best][0] + 1, _stop(live, checked[-1][0], at, lowest))


def _plateau(epochs: Sequence[Epoch], total: int, live: bool) -> Note | None:
    checked = _series(epochs, _val_loss)
    if len(checked) < ENOUGH:
        return None
    smooth = _smooth(checked)
    best = min(range(len(smooth)), key=smooth.__getitem__)
    patience = max(10, round(total * 0.15))
    if len(smooth) - 1 - best < patience or smooth[0] - smooth[best] < FLAT * abs(smooth[0]):
        return None
    at, lowest = min(checked, key=lambda step: step[1])
    if checked[-1][0] - at < patience:
        return None
    text = f"Validation loss has not been below {lowest:.4g}, of epoch {at}, for {checked[-1][0] - at} epochs."
    return Note("Plateau", text, at + 1, _stop(live, checked[-1][0], at, lowest))


def _stop(live: bool, last: int, best: int, lowest: float) -> str:
    if live:
        return (
            f"Cancel keeps a checkpoint of where it is, epoch {last}; "
            f"the lowest validation loss was {lowest:.4g}, at epoch {best}."
        )
    return f"The lowest validation loss was {lowest:.4g}, at epoch {best}: fewer epochs, or early stopping, would do."


def _train_loss(epoch: Epoch) -> float | None:
    return epoch.train_loss


def _val_loss(epoch: Epoch) -> float | None:
    return epoch.val_loss


def _train_accuracy(epoch: Epoch) -> float | None:
    return epoch.train_accuracy


def _val_accuracy(epoch: Epoch) -> float | None:
    return epoch.val_accuracy


def _series(epochs: Sequence[Epoch], get: Callable[[Epoch], float | None]) -> Series:
    return [(epoch.number + 1, value) for epoch in epochs if (value := get(epoch)) is not None]


def _smooth(series: Series) -> list[float]:
    """The median of each value and the four before it: a single good or bad epoch is not a trend."""
    values = [value for _, value in series]
    return [median(values[max(place - 4, 0) : place + 1]) for place in range(len(values))]


def _middle(series: Series) -> float:
    return median(value for _, value in series)


def _jump(series: Series) -> float:
    """The usual step from one epoch to the next, up or down: the noise."""
    steps = [abs(after - before) for (_, before), (_, after) in zip(series, series[1:], strict=False)]
    return median(steps) if steps else 0.0


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _same(share: float, baseline: float | None) -> bool:
    return baseline is not None and abs(share - baseline) < 0.005
