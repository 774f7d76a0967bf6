"""Notes on hand-made curves: what is wrong is said with its numbers, and of healthy runs nothing is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.domain.diagnostics import notes
from panel.domain.snapshot import Epoch


def curve(count, train, val, hit=lambda n: 0.5 + n / 1000, hit_val=lambda n: 0.5 + n / 1000):
    return [Epoch(n, train(n), val(n), hit(n), hit_val(n)) for n in range(count)]


def wobble(n: int, size: float) -> float:
    return size * math.sin(n * 2.7)


def fading(n: int) -> float:
    return 0.4 + 0.6 * math.exp(-n / 12)


def words(epochs, **more) -> list[str]:
    return [note.word for note in notes(epochs, **more)]


def test_a_loss_that_is_no_number_is_said_with_its_epoch_and_nothing_else():
    epochs = [*curve(20, fading, fading), *(Epoch(n, None, None, 0.3, 0.3) for n in range(20, 24))]
    (note,) = notes(epochs)
    assert note.word == "Loss is not a number" and note.since == 21
    assert "Since epoch 21 the training loss" in note.text and "Cancel it" in note.advice
    assert "Cancel it" not in notes(epochs, live=False)[0].advice


def test_a_validation_loss_that_goes_missing_is_said_and_one_that_never_was_is_not():
    gone = curve(12, fading, lambda n: fading(n) if n < 8 else None)
    assert "Since epoch 9 the validation loss" in notes(gone)[0].text
    assert words(curve(30, fading, lambda n: None)) == []


def test_a_single_missing_loss_is_not_an_end():
    assert words(curve(30, lambda n: None if n == 11 else fading(n), fading)) == []


def test_flat_from_the_start_is_not_learning():
    (note,) = notes(
        curve(20, lambda n: 1.0986 + wobble(n, 0.002), lambda n: 1.0986, hit_val=lambda n: 0.33 + wobble(n, 0.01))
    )
    assert note.word == "Not learning" and "1.09" in note.text and "after 20 epochs" in note.text


def test_always_the_same_answer_is_not_learning_and_is_compared_with_the_baseline():
    epochs = curve(20, fading, fading, hit_val=lambda n: 0.5126 if n > 4 else 0.4 + n / 100)
    (note,) = notes(epochs, baseline=0.513)
    assert "exactly 51.3 % since epoch 6, the share of the commonest answer" in note.text and note.since == 6
    assert notes(epochs) == [], "its loss falls, and what the commonest answer would reach is not known"
    assert notes(epochs, baseline=0.4) == [], "it is better than that"


def test_an_accuracy_that_stands_still_is_no_sign_where_the_run_learned_before():
    """Of 306 samples many epochs have the same share right. A KTRDR does not tell the share of the commonest answer."""
    epochs = curve(220, fading, fading, hit_val=lambda n: 0.7614 if n > 208 else 0.5 + n / 1000)
    assert "Not learning" not in words(epochs)
    still = curve(20, lambda n: 1.0, lambda n: 1.0, hit_val=lambda n: 0.7614)
    (note,) = notes(still)
    assert note.word == "Not learning" and "exactly 76.1 % since epoch 1:" in note.text
    late = curve(20, lambda n: 1.0, lambda n: 1.0, hit_val=lambda n: 0.7614 if n > 8 else 0.4 + n / 100)
    assert "always gives the same answer" not in "".join(note.text for note in notes(late))


def test_a_slow_and_steady_run_learns():
    assert words(curve(10, lambda n: 1 - n / 2000, lambda n: 1 - n / 2000)) == []


def test_validation_rising_while_training_falls_is_overfitting():
    epochs = curve(60, fading, lambda n: fading(n) if n < 20 else fading(20) + (n - 20) * 0.01)
    (note,) = notes(epochs)
    assert note.word == "Overfitting" and 19 <= note.since <= 25
    assert "checkpoint of where it is, epoch 60" in note.advice and "0.5133, at epoch 21" in note.advice
    assert "early stopping" in notes(epochs, live=False)[0].advice


def test_the_shape_of_a_small_strategys_training():
    """Validation loss is lowest in the first epoch, rises at once, and stays there; accuracy gets better meanwhile."""
    epochs = curve(
        100,
        lambda n: 0.77 + 0.16 * math.exp(-n / 4) + wobble(n, 0.01),
        lambda n: 1.95 - 0.46 * math.exp(-n / 1.5) + wobble(n, 0.02),
        hit_val=lambda n: 0.62 - 0.1 * math.exp(-n / 2) + wobble(n, 0.01),
    )
    (note,) = notes(epochs, live=False)
    assert note.word == "Overfitting" and note.since == 2
    assert "Smoothed validation accuracy rose all the same, from 52.0 % to" in note.text


@pytest.mark.parametrize("count", [79, 212, 618])
def test_accuracy_that_only_trembles_has_not_risen(count):
    """Flat at 42 %, and a single lucky epoch at the end: 44.5 %."""
    epochs = curve(
        count,
        lambda n: 1.1 - n / 2000,
        lambda n: fading(n) if n < 20 else fading(20) + (n - 20) * 0.01,
        hit_val=lambda n: 0.445 if n == count - 1 else 0.42 + wobble(n, 0.012),
    )
    (note,) = notes(epochs)
    assert note.word == "Overfitting" and "rose all the same" not in note.text


@pytest.mark.parametrize(("total", "found"), [(40, ["Plateau"]), (400, [])])
def test_a_plateau_is_long_in_proportion_to_the_run(total, found):
    epochs = curve(40, lambda n: max(fading(n), fading(20)), lambda n: max(fading(n), fading(20)) + (n > 20) * 0.001)
    assert words(epochs, total=total) == found
    if found:
        assert notes(epochs, total=total)[0].text.startswith("Validation loss has not been below 0.5133, of epoch 21,")


def test_nothing_is_said_before_there_is_enough_to_say():
    assert words(curve(7, lambda n: 1.0, lambda n: 1.0 + n, hit_val=lambda n: 0.5)) == []
    assert words([]) == []


@given(
    st.integers(2, 150),
    st.floats(0.05, 5),
    st.floats(0.2, 0.9),
    st.lists(st.floats(-1, 1), min_size=150, max_size=150),
    st.floats(0, 0.1),
)
def test_a_run_that_gets_better_raises_no_alarm_however_noisy(count, start, gain, noise, loudness):
    """It loses `gain` of its loss along the way; every value is off by up to a tenth of that."""

    def loss(n: int) -> float:
        return start * (1 - gain * n / count + loudness * gain * noise[n])

    epochs = curve(count, loss, loss, hit_val=lambda n: 0.5 + n / 1000 + noise[n] / 500)
    assert not {"Loss is not a number", "Not learning", "Overfitting"} & set(words(epochs, total=count))


@given(st.lists(st.tuples(*[st.none() | st.floats(-1e9, 1e9)] * 4), max_size=60), st.none() | st.integers(0, 200))
def test_whatever_a_curve_is_there_is_a_sentence_or_none(values, total):
    for note in notes([Epoch(n, *four) for n, four in enumerate(values)], total=total):
        assert note.word and note.text.endswith(".") and note.advice and 1 <= note.since <= len(values)
