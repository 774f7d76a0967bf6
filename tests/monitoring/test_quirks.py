"""The backend's ways of not saying what is so, played second by second, and what a person then reads.

Each test is one of the numbered quirks of KTRDR's backend as they were measured. Answers go in as bytes, through
the same rooms as in the panel; only the clock is the test's.
"""

import pytest

from panel.backend.entities import workers_of
from panel.domain.observation import (
    Cancel,
    forgotten,
)
from panel.domain.state import State
from panel.domain.unreported import unreported_progress
from panel.domain.verdict import judge
from panel.domain.workers import WorkerList
from tests.support.plays import BEGAN, UNCLAIMED, Play, replaced, text, worker
from tests.support.scripted import RESULT, corrupt, percent, stamp


def test_4_of_interleaved_histories_the_longest_is_the_curve():
    play = Play()
    play.reads(5, metrics={"epochs": corrupt(4)})
    assert [epoch.number for epoch in play.evidence.snapshot.epochs] == [0, 1, 2, 3]
    play.reads(6, metrics={"epochs": [[], 0]})  # as it is after the end of a run
    assert len(play.evidence.snapshot.epochs) == 4
    play.reads(7, "completed", result_summary=RESULT, metrics={"epochs": corrupt(1)})
    assert [epoch.train_loss for epoch in play.evidence.snapshot.epochs] == [0.9, 0.7]  # the result's own history


def test_5_a_resumed_training_has_no_progress_and_its_end_is_known_from_the_worker():
    play = Play()
    play.reads(0, "cancelled", error_message="Operation cancelled by user", completed_at=stamp(BEGAN))
    assert play.reads(60, "resuming").word == "Resuming"
    play.lists(65, worker("busy", play.id, 65))
    assert play.at(70).headline == "Going on from its checkpoint."
    play.lists(95, worker("busy", play.id, 95))
    verdict = play.reads(100, "resuming")
    assert (verdict.state, verdict.word, verdict.live) == (State.UNREPORTED, "Working, unreported", True)
    assert "passes on no progress" in verdict.headline
    assert "was listed as busy with it at 08:01:35 UTC, and last answered at 08:01:35 UTC." in text(verdict)
    assert "would not reach the worker" in verdict.advice
    play.lists(170, worker("available", None, 170))
    verdict = play.reads(172, "resuming")
    assert (verdict.word, verdict.live) == ("Ending, unreported", True), "its model is looked for first"
    play.observation = replaced(play, sought_at=BEGAN + 190)
    verdict = play.at(191)
    assert (verdict.state, verdict.word, verdict.live) == (State.VANISHED, "Probably ended", False)
    assert "No worker is busy with it any more" in verdict.headline and "Look for its model" in verdict.advice


def test_5_of_a_training_resumed_long_before_the_panel_met_it_is_not_said_that_it_goes_on():
    """After a resume its start is that of the resume."""
    for resumed_at, word in ((600, "Ending, unreported"), (1790, "Resuming")):
        play = Play()
        play.reads(1800, "resuming", started_at=stamp(BEGAN + resumed_at))
        assert play.lists(1801, worker("available", None, 1801)).word == word
        assert play.reads(1802, "resuming", started_at=stamp(BEGAN + resumed_at)).word == word


def test_5_a_cancel_of_a_resumed_training_does_not_reach_the_worker_and_that_is_said():
    play = Play()
    play.reads(0, "resuming")
    verdict = judge(replaced(play, cancel=Cancel.UNDELIVERED, cancel_at=BEGAN + 30), BEGAN + 31, play.worker_list)
    assert verdict.word == "Cancel not delivered" and "did not reach the worker" in verdict.headline
    play.observation = replaced(play, cancel=Cancel.UNDELIVERED, cancel_at=BEGAN + 30)
    verdict = play.reads(32, "cancelled", completed_at=stamp(BEGAN + 30))
    assert verdict.word == "Cancelled" and "may go on working" in verdict.advice
    play.lists(60, worker("busy", play.id, 60))
    verdict = play.at(62)
    assert (verdict.state, verdict.live) == (State.STRAY, False)
    assert verdict.word == "Cancelled, still worked on" and "the worker goes on with it" in verdict.headline
    assert "was listed as busy with it at 08:01:00 UTC, and last answered at" in text(verdict)
    play.lists(90, worker("available", None, 90))
    assert play.at(91).word == "Cancelled"


@pytest.mark.parametrize("kind", ["data_load", "dummy"])
def test_6_a_load_longer_than_a_minute_is_marked_failed_goes_on_and_completes(kind):
    play = Play(kind)
    for second in range(0, 64, 2):
        assert play.reads(second, progress=percent(second / 2, f"Segment {second}")).word == "Running"
    failed = {"error_message": UNCLAIMED, "completed_at": stamp(BEGAN + 64)}
    verdict = play.reads(64, "failed", progress=percent(32, "Segment 64"), **failed)
    assert (verdict.state, verdict.live) == (State.DOUBTFUL, True)
    assert verdict.word == "Running, marked failed" and "The work usually goes on." in verdict.headline
    for second in range(66, 90, 2):
        verdict = play.reads(second, "failed", progress=percent(second / 2, f"Segment {second}"), **failed)
        assert verdict.word == "Running, marked failed"
    assert any(f"at {play.evidence.snapshot.percentage:.0f} %" in line for line in verdict.evidence)
    result = {"mode": "full", "gaps_filled": 1, "rows_downloaded": 4000}
    verdict = play.reads(90, "completed", progress=percent(100), result_summary=result, **failed)
    assert (verdict.word, verdict.live) == (("Checking", True) if kind == "data_load" else ("Completed", False))
    play.observation = replaced(play, gaps_left=0)
    verdict = play.at(91)
    assert verdict.state is State.COMPLETED and UNCLAIMED not in text(verdict)


def test_7_a_load_of_which_every_segment_failed_is_not_called_a_success():
    play = Play("data_load")
    play.reads(0, progress=percent(60))
    result = {"mode": "tail", "gaps_filled": 1, "rows_downloaded": 0}
    verdict = play.reads(3, "completed", progress=percent(100), result_summary=result)
    assert verdict.state is State.PROBLEMS
    assert (
        "not one bar came although bars were missing" in verdict.headline and "Check the data source" in verdict.advice
    )


def test_7_and_18_a_load_whose_progress_went_backwards_may_have_holes():
    play = Play("data_load")
    for second, at in enumerate((30, 55.7, 81.4, 90.0)):
        assert play.reads(second, progress=percent(at, "Downloading 7 segments")).word == "Running"
    assert play.reads(5, progress=percent(64.3, "Loaded 430 bars from segment 7/7 (4/7)")).word == "Running"
    result = {"mode": "full", "gaps_filled": 1, "rows_downloaded": 1944}
    play.reads(6, "completed", progress=percent(100), result_summary=result)
    verdict = play.at(40)  # the stored bars could not be looked through
    assert (verdict.state, verdict.word) == (State.PROBLEMS, "Finished with problems")
    assert verdict.headline == "1,944 bars came, but some segments did not: bars are probably still missing."
    assert "went backwards" in verdict.evidence[0]


def test_10_an_entry_that_the_backends_own_retry_made_waits_for_ever_and_that_is_said():
    play = Play()
    assert play.reads(0, "pending").headline == "Accepted, waiting for a worker."
    verdict = play.reads(120, "pending")
    assert (verdict.state, verdict.word) == (State.STALLED, "Waiting, not taken")
    assert (
        verdict.headline == "Nobody has begun to work on it; it waits since 08:00:00 UTC."
        and "never run" in verdict.evidence[0]
    )


def test_13_a_killed_worker_is_reported_long_before_the_backend_notices():
    play = Play()
    play.trains(20)
    frozen = play.evidence.snapshot
    progress = percent(frozen.percentage, frozen.step)
    history = {"epochs": corrupt(10)}
    for second in range(21, 30):  # it died at 20
        assert play.reads(second, progress=progress, metrics=history).word == "Running"
    play.lists(48, worker("temporarily_unavailable", play.id, 19))
    verdict = play.reads(50, progress=progress, metrics=history)
    assert (verdict.state, verdict.word, verdict.live) == (State.LOST, "Worker lost", True)
    assert "no longer answers" in verdict.headline
    assert "Worker training-worker-1 last answered at 08:00:19 UTC." in verdict.evidence
    play.lists(330)  # removed after 300 s
    verdict = play.reads(332, progress=progress, metrics=history)
    assert verdict.word == "Worker lost" and "is no longer there" in verdict.headline
    verdict = play.reads(381, "failed", error_message="Worker lost: no health check", completed_at=stamp(BEGAN + 380))
    assert verdict.state is State.FAILED
    assert play.evidence.snapshot.percentage == frozen.percentage and len(play.evidence.snapshot.epochs) == 10


def test_14_a_hanging_worker_is_distinguished_from_a_silent_backend():
    play = Play()
    play.trains(20)
    play.fails(33, timed_out=True)
    play.lists(38, worker("busy", play.id, 20))  # /workers answers all the while
    verdict = play.at(40)
    assert (verdict.state, verdict.word) == (State.SILENT, "No answer about this one")
    assert "The backend answers other questions" in verdict.headline
    assert "Worker training-worker-1 last answered at 08:00:20 UTC." in verdict.evidence
    play.lists(42)  # after a restart of the backend: of no worker is known what it does
    assert "but not about this operation: it is slow." in play.at(43).headline
    verdict = play.at(63)  # nothing answers any more
    assert verdict.word == "Backend silent"


def test_14_of_several_workers_the_one_that_hangs_is_named():
    """While the backend waits for one worker it answers nothing about the work of the others either."""
    play = Play()
    play.trains(20)
    play.fails(33, timed_out=True)
    other = worker("busy", "op_b", 38) | {"worker_id": "training-worker-2"}
    play.lists(38, worker("busy", play.id, 20), other)
    assert "its worker, or another one, probably hangs" in play.at(40).headline
    play.lists(42, worker("busy", play.id, 41), other | {"health_check_failures": 2})
    verdict = play.at(44)
    assert "another worker probably hangs" in verdict.headline and "kill -9" not in verdict.advice
    assert "Worker training-worker-1 last answered at 08:00:41 UTC." in verdict.evidence
    play.lists(45, worker("busy", play.id, 44), other)
    assert "but not about this operation: it is slow." in play.at(45).headline, "both have answered since"
    play.lists(46, worker("busy", play.id, 20) | {"health_check_failures": 2}, other)
    assert "its worker probably hangs" in play.at(47).headline and "kill -9" in play.at(47).advice


def test_15_a_worker_that_was_stopped_and_trains_on():
    play = Play()
    play.trains(20)
    verdict = play.reads(22, "cancelled", error_message="Worker shutdown", completed_at=stamp(BEGAN + 22))
    assert verdict.word == "Cancelled" and verdict.headline == "Worker shutdown"
    play.lists(30, worker("busy", play.id, 30))
    assert play.at(31).word == "Cancelled"  # the list of workers may lag so far behind
    play.lists(50, worker("busy", play.id, 50))
    assert play.at(52).word == "Cancelled, still worked on"
    verdict = play.reads(80, "pending")  # its registration brought it back
    assert (verdict.state, verdict.word) == (State.DOUBTFUL, "Marked as waiting again")
    assert "It had ended (cancelled)" in verdict.headline


def test_29_of_a_run_that_is_cancelled_without_a_reason_it_is_not_said_that_it_stopped():
    """A worker that got TERM: its run is called cancelled, with no reason, and it works on."""
    play = Play()
    play.trains(20)
    verdict = play.reads(22, "cancelled", error_message=None, completed_at=stamp(BEGAN + 22))
    assert verdict.word == "Cancelled" and "gives no reason" in verdict.headline and "works on" in verdict.advice
    play.lists(50, worker("busy", play.id, 50))
    assert play.at(51).word == "Cancelled, still worked on"
    play.lists(60, worker("available", None, 60))
    assert (play.at(61).headline, play.at(61).advice) == ("Stopped before its end.", "")


def test_16_a_backend_restarted_in_mid_training_loses_track_and_then_calls_the_success_failed():
    play = Play()
    play.trains(20)
    assert play.fails(21, timed_out=False).word == "Running"
    assert play.fails(26, timed_out=False).word == "Backend silent"
    reached = play.evidence.snapshot.percentage
    assert play.reads(28, progress=percent(0.0)).word == "Running"
    assert play.evidence.snapshot.percentage == reached  # not 0 %: that is only what is left at the backend
    play.lists(30)  # workers return after 20 to 35 s
    assert play.reads(45, progress=percent(0.0)).word == "Running"
    play.lists(60, worker("busy", play.id, 60))
    verdict = play.reads(62, progress=percent(0.0))
    assert (verdict.state, verdict.word) == (State.UNREPORTED, "Working, unreported")
    assert "lost track of it, as it does when it is restarted" in verdict.headline
    play.lists(100, worker("available", None, 100))
    verdict = play.reads(101, progress=percent(0.0))
    assert verdict.word == "Nobody works on it" and "calls even a success failed" in verdict.advice
    verdict = play.reads(160, "failed", error_message=UNCLAIMED, result_summary=RESULT, completed_at=stamp(BEGAN + 159))
    assert (verdict.state, verdict.word) == (State.COMPLETED, "Completed")
    assert "It succeeded: the full result is there." in verdict.headline


def test_16_what_it_had_reached_is_not_taken_back_by_an_older_checkpoint():
    play = Play()
    play.trains(20)
    play.reads(21, progress=percent(21.0, "Epoch 11/100 · Batch 5/205", steps_completed=10, steps_total=100))
    play.reads(28, progress=percent(0.0), metrics={"epochs": []})
    play.lists(60, worker("busy", play.id, 60))
    before = play.evidence.snapshot
    assert before.steps_completed == 10 and before.percentage == 21.0
    play.observation = unreported_progress(play.evidence, 6, BEGAN + 12)
    verdict = play.reads(62, progress=percent(0.0))
    assert "checkpoint" not in verdict.headline
    assert (play.evidence.snapshot.steps_completed, play.evidence.snapshot.percentage) == (10, 21.0)
    play.observation = unreported_progress(play.evidence, 31, BEGAN + 63)
    assert "Epoch 31 of 100, by its checkpoint of 08:01:03 UTC." in play.reads(64, progress=percent(0.0)).headline
    assert (play.evidence.snapshot.steps_completed, play.evidence.snapshot.percentage) == (31, 31.0)


def test_16_a_resumed_training_goes_on_when_the_backend_is_restarted():
    """Its parameters name the worker of its first life, which may be dead, and from then on it is called running."""
    play = Play()
    play.reads(0, "failed", error_message=UNCLAIMED, completed_at=stamp(BEGAN))
    play.lists(1, worker("available", None, 1) | {"worker_id": "training-worker-2"})
    play.reads(2, "resuming")
    second = worker("busy", play.id, 30) | {"worker_id": "training-worker-2"}
    play.lists(30, second)
    assert play.reads(31, "resuming").word == "Working, unreported"
    for at in (60, 70):  # the backend is back, and so is the worker: free, as it seems at first
        play.lists(at, second | {"status": "available", "current_operation_id": None})
        verdict = play.reads(at + 1)
        assert (verdict.word, verdict.headline) == (
            "Running",
            "The backend lost track of it. Whether its worker goes on shows within a minute.",
        )
    play.lists(80, second)
    assert play.reads(81).word == "Working, unreported"
    play.lists(150, second | {"status": "available", "current_operation_id": None})
    verdict = play.reads(151)
    assert verdict.word == "Nobody works on it" and "training-worker-1" not in text(verdict)


def test_16_also_when_the_panel_came_later():
    play = Play()
    assert play.reads(90, progress=percent(0.0)).word == "Running"
    play.lists(95, worker("busy", play.id, 95))
    assert play.at(96).word == "Running"
    play.lists(125, worker("busy", play.id, 125))
    assert play.reads(126, progress=percent(0.0)).word == "Working, unreported"


def test_17_a_backend_restarted_in_mid_load_ends_it():
    play = Play("data_load")
    for second in range(10):
        play.reads(second, progress=percent(5.0 * second, f"Segment {second}"))
    verdict = play.reads(14, progress=percent(0.0))
    assert (verdict.state, verdict.word) == (State.LOST, "Ended with the backend")
    assert "restarted in the middle of this load" in verdict.headline and "It had reached 45 %." in verdict.evidence
    verdict = play.reads(88, "failed", error_message=UNCLAIMED, completed_at=stamp(BEGAN + 88))
    assert (verdict.state, verdict.live) == (State.FAILED, False)
    assert "restarted in the middle of this load" in verdict.headline and UNCLAIMED in verdict.evidence[1]


def test_18_a_percentage_is_clamped_and_its_total_may_change():
    play = Play()
    play.reads(1, progress=percent(0.005, "Epoch 1/3 · Batch 1/205", steps_total=3))
    play.reads(2, progress=percent(3.88, "Epoch 4/100 · Batch 180/205", steps_total=100, steps_completed=3))
    assert play.evidence.snapshot.steps_total == 100
    play.reads(3, progress=percent(140.0))
    assert play.evidence.snapshot.percentage == 100.0
    play.reads(4, "cancelled", progress=percent(0.0), completed_at=stamp(BEGAN + 4))
    assert play.evidence.snapshot.percentage == 100.0  # where it was, not the backend's 0


def test_20_and_22_times_come_in_three_spellings_and_may_be_missing():
    play = Play()
    for created in ("2027-01-15T08:00:00.250000Z", "2027-01-15T08:00:00.250000+00:00", "2027-01-15T08:00:00.250000"):
        play.reads(1, created_at=created, started_at=None)
        assert play.evidence.snapshot.created_at == 1_800_000_000.25
    assert play.evidence.snapshot.started_at is None


def test_21_losses_of_a_run_that_went_to_nan_are_gaps_not_numbers():
    play = Play()
    history = [{"epoch": 0, "train_loss": 0.9, "val_loss": 1.0}, {"epoch": 1, "train_loss": None, "val_loss": None}]
    play.reads(5, metrics={"epochs": [history, 2]})
    assert [epoch.train_loss for epoch in play.evidence.snapshot.epochs] == [0.9, None]


def test_an_unchanging_operation_is_stalled_by_its_own_measure():
    quick, slow = Play(), Play("data_load")
    quick.trains(30)
    for second in range(0, 301, 5):
        slow.reads(second, progress=percent(second // 60 * 10.0, f"Segment {second // 60}"))
    verdict = quick.at(30 + 50)
    assert (verdict.state, verdict.word) == (State.STALLED, "Stalled")
    assert verdict.headline == "Nothing has changed since 08:00:30 UTC, at 31 %."
    assert "every 1 s or sooner" in verdict.evidence[0]
    assert slow.at(300 + 120).word == "Running"  # a minute for each segment is its way
    assert slow.at(300 + 500).word == "Stalled"


def test_a_long_first_step_is_not_called_a_stall():
    play = Play()
    play.reads(0, progress=percent(0.0, "Starting v3 training pipeline"))
    assert play.at(200).word == "Running"
    assert play.at(301).word == "Stalled"


def test_an_operation_that_moves_again_is_no_longer_stalled():
    play = Play()
    play.trains(30)
    assert play.at(100).word == "Stalled"
    assert play.reads(101, progress=percent(40, "Epoch 20/100")).word == "Running"


def test_what_the_backend_forgot_is_neither_a_success_nor_a_failure():
    play = Play()
    play.trains(10)
    play.observation = forgotten(play.evidence)
    verdict = play.at(12)
    assert (verdict.state, verdict.live) == (State.FORGOTTEN, False)
    assert "no longer knows this operation" in verdict.headline and "at 11 %" in verdict.evidence[0]
    assert play.reads(20, progress=percent(30)).word == "Running"  # it was only the list that was empty


def test_workers_that_are_not_listed_yet_after_a_restart_are_not_called_dead():
    play = Play()
    play.trains(20)
    frozen = percent(play.evidence.snapshot.percentage, play.evidence.snapshot.step)
    play.lists(25)
    assert play.reads(45, progress=frozen, metrics={"epochs": corrupt(10)}).word == "Running"


@pytest.mark.parametrize("listed", [None, {}, "x", [None, 3, {}], [{"worker_id": 3, "status": None}]])
def test_a_list_of_workers_may_be_anything(listed):
    worker_list = WorkerList().heard(workers_of(listed), BEGAN)
    assert worker_list.working_on("op_a") is None and worker_list.fresh(BEGAN + 1)


@pytest.mark.parametrize("percentage", [None, 1e31, "45", 0.0])
def test_a_load_whose_percentage_is_lost_and_whose_steps_go_on_is_not_called_ended(percentage):
    play = Play("data_load")
    for second in range(1, 10):
        play.reads(second, progress=percent(5.0 * second, f"Segment {second}", steps_completed=second))
    for second in range(10, 40):
        going_on = percent(percentage, f"Segment {second // 3}", steps_completed=second // 3)
        verdict = play.reads(second, progress=going_on)
        assert (verdict.word, verdict.headline) == ("Running", f"Segment {second // 3}")
    if percentage != 0.0:
        assert play.observation.snapshot.percentage == 45.0, "the last that was a number"


def test_a_run_that_began_again_after_its_end_is_a_resumed_one():
    """Another backend than KTRDR calls it "resuming" for less than a reading."""
    play = Play()
    play.reads(10, progress=percent(40, "Epoch 4/10"), started_at=stamp(BEGAN + 1))
    play.reads(20, "cancelled", started_at=stamp(BEGAN + 1), completed_at=stamp(BEGAN + 19))
    assert not play.evidence.resumed
    play.reads(500, progress=percent(50, "Epoch 5/10"), started_at=stamp(BEGAN + 499))
    assert play.evidence.resumed
