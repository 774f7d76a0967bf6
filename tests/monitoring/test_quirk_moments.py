"""From which moment on the list of workers says something about a run: not from one before it, nor against its values."""

from panel.domain.state import State
from tests.support.plays import BEGAN, Play, text, worker
from tests.support.scripted import corrupt, percent, stamp

SECOND = {"worker_id": "training-worker-2"}


def test_5_a_list_from_just_after_a_resume_says_nothing_of_its_end():
    """The backend hears of a worker's work every ten seconds, and the panel asks it as often."""
    play = Play()
    play.reads(0, "cancelled", error_message="Operation cancelled by user", completed_at=stamp(BEGAN))
    play.reads(60, "resuming")
    play.lists(80, worker("available", None, 80))
    assert play.at(95).word == "Resuming"
    assert play.lists(96, worker("available", None, 96)).word == "Ending, unreported"


def test_30_a_run_whose_values_move_is_not_dead_whatever_the_list_says():
    play = Play()
    play.trains(20)
    play.lists(24, worker("busy", play.id, 24) | SECOND)
    assert play.reads(25, progress=percent(27.0, "Epoch 14/100"), metrics={"epochs": corrupt(13)}).word == "Running"


def test_30_a_run_that_has_not_got_off_the_ground_is_dead_as_soon_as_its_worker_is_another():
    """At 0 % there are no values that could move."""
    play = Play()
    for at in (0, 10):
        play.reads(at, progress=percent(0.0, f"Reading the strategy, part {at}"))
        play.lists(at, worker("busy", play.id, at))
    play.lists(12, worker("available", None, 12) | SECOND)
    assert (play.at(13).state, play.at(13).word) == (State.LOST, "Worker restarted")


def test_30_an_old_list_does_not_say_that_a_worker_was_restarted():
    play = Play()
    play.trains(20)
    play.lists(24, worker("available", None, 24) | SECOND)
    assert play.at(50).word == "Worker restarted"
    assert play.at(60).word == "Running", "the workers were not listed for half a minute"


def test_13_an_old_list_does_not_say_that_a_worker_is_dead():
    play = Play()
    play.trains(20)
    play.lists(24, worker("temporarily_unavailable", play.id, 19))
    assert play.at(50).word == "Worker lost" and play.at(60).word == "Running"


def test_5_a_run_that_stands_while_another_worker_than_at_first_has_it_is_worked_on():
    """It may have been resumed while no panel watched: its start is later than its creation."""
    play = Play()
    for at in (500, 520, 600):
        play.reads(at, started_at=stamp(BEGAN + 300), progress=percent(40.0, "Epoch 41/100"))
        verdict = play.lists(at, worker("busy", play.id, at) | SECOND)
    assert (verdict.state, verdict.word) == (State.UNREPORTED, "Working, unreported")
    assert "Another worker than at first is busy with it" in text(verdict)


def test_a_run_whose_first_worker_is_not_known_is_not_said_to_have_changed_it():
    play = Play()
    play.reads(0, "resuming")
    for at in (40, 70):
        play.reads(at, progress=percent(40.0, "Epoch 41/100"))
        verdict = play.lists(at, worker("busy", play.id, at) | SECOND)
    assert verdict.word == "Running"


def test_three_changes_are_no_rhythm_and_a_quick_one_is_no_reason_to_hurry():
    play = Play("data_load")
    for second in range(4):
        play.reads(second, progress=percent(1.0 + second, f"Segment {second}"))
    assert play.at(300).word == "Running" and play.at(310).word == "Stalled"
    play = Play("data_load")
    for second in range(10):
        play.reads(second, progress=percent(1.0 + second, f"Segment {second}"))
    assert play.at(50).word == "Running" and play.at(60).word == "Stalled"
