"""How operations end, or seem to, at a KTRDR whose workers die: by the numbers of its quirks."""

from dataclasses import replace

import pytest

from panel.backend.entities import snapshot_of
from panel.domain.labels import Label
from panel.domain.observation import Cancel, forgotten
from panel.domain.state import State
from panel.domain.unreported import unreported_end, unreported_progress
from panel.domain.values import utc
from panel.domain.verdict import judge
from panel.domain.workers import WorkerList
from panel.views.operation import operation_view, report_of
from panel.web.api_schemas import operation as shown_by_api
from tests.support.plays import BEGAN, UNCLAIMED, Play, replaced, text, worker
from tests.support.scripted import RESULT, corrupt, operation, percent, stamp


def dead_worker(play: Play, at: float) -> None:
    """Its worker was killed at 20 s, and the backend still lists it."""
    play.lists(at, worker("temporarily_unavailable", play.id, 19))


def test_28_a_dead_worker_stays_lost_when_the_backend_drops_it_from_its_list():
    play = Play()
    play.trains(20)
    reached = play.evidence.snapshot
    frozen = {"progress": percent(reached.percentage, reached.step), "metrics": {"epochs": corrupt(10)}}
    dead_worker(play, 48)
    assert play.reads(50, **frozen).word == "Worker lost"
    for at in (320, 330, 360):
        play.lists(at)  # dropped
        assert play.reads(at, **frozen).word == "Worker lost"


def test_28_a_training_marked_failed_after_its_workers_death_has_failed():
    play = Play()
    play.trains(20)
    dead_worker(play, 48)
    play.lists(320)
    verdict = play.reads(370, "failed", error_message=UNCLAIMED, progress=percent(0.0), completed_at=stamp(BEGAN + 370))
    assert (verdict.state, verdict.live) == (State.FAILED, False)
    assert verdict.headline == "Its worker died after 08:00:20 UTC, and the work with it.", (
        "it answered at 19, moved at 20"
    )
    assert verdict.advice == "Resume it where that is offered, or start it again." and UNCLAIMED in verdict.evidence[-1]
    assert "usually goes on" not in text(verdict)


def test_28_of_a_worker_that_is_there_nobody_says_that_it_died():
    """The backend lost track of its work, which ended or was lost."""
    play = Play()
    play.trains(20)
    play.lists(80, worker("available", healthy=79))
    ended = {"error_message": UNCLAIMED, "progress": percent(0.0), "completed_at": stamp(BEGAN + 85)}
    play.reads(90, "failed", **ended)
    for at in (90, 110, 400):  # each time it has answered again
        verdict = play.lists(at, worker("available", healthy=at - 1))
        assert verdict.state is State.FAILED and "died" not in text(verdict)
        assert "Its worker is there and free: the work has ended, or was lost." in verdict.headline
        assert verdict.advice.startswith("Look for its model or its checkpoint.") and UNCLAIMED in verdict.evidence[-1]
    verdict = play.lists(410, worker("busy", "op_b", healthy=409))
    assert "Its worker is there and does something else" in verdict.headline
    for at, listed in ((440, [worker("temporarily_unavailable", healthy=409)]), (800, [])):  # it was stopped later
        verdict = play.lists(at, *listed)
        assert "Its worker answered after that" in verdict.headline and "died" not in text(verdict)
    play.lists(850, worker("busy", "op_a", healthy=849))
    for at in (851, 1000):  # also while the backend lists nothing any more
        assert play.at(at).word == "Working, unreported"


def test_28_before_the_workers_were_listed_nobody_says_that_one_died():
    play = Play()
    play.trains(20)
    ended = {"error_message": UNCLAIMED, "progress": percent(0.0), "completed_at": stamp(BEGAN + 85)}
    play.reads(90, "failed", **ended)
    play.worker_list = WorkerList()  # the panel was restarted
    verdict = play.at(95)
    assert (verdict.state, verdict.live) == (State.FAILED, False) and UNCLAIMED in verdict.evidence[-1]
    assert "is not known: the workers were not listed yet." in verdict.headline and verdict.advice == ""
    assert "is there and free" in play.lists(96, worker("available", healthy=95)).headline


def test_28_a_backtest_whose_worker_is_there_leaves_nothing_to_look_for():
    play = Play("backtesting")
    play.reads(1, progress=percent(10.0))
    play.lists(80, worker("available", healthy=79))
    verdict = play.reads(85, "failed", error_message=UNCLAIMED, completed_at=stamp(BEGAN + 84))
    assert "there and free" in verdict.headline and verdict.advice == "Start it again."


def test_28_a_run_whose_worker_died_took_as_long_as_it_was_seen_at_work():
    """The backend ends it six minutes later, and calls that its end."""
    play = Play()
    play.trains(20)
    reached = play.evidence.snapshot
    frozen = {"progress": percent(reached.percentage, reached.step), "metrics": {"epochs": corrupt(10)}}
    ended = {"error_message": UNCLAIMED, "progress": percent(0.0), "completed_at": stamp(BEGAN + 370)}
    for at in (30, 200, 369):
        play.reads(at, **frozen)
    verdict = play.reads(370, "failed", **ended)
    view = operation_view(play.evidence, verdict, BEGAN + 380, embedded=False)
    assert (view.took, view.took_words, view.worked_until) == (20.0, "about 20 s", BEGAN + 20)
    assert verdict.headline == "Its worker died at about 08:00:20 UTC, and the work with it."
    assert "It worked until about 08:00:20 UTC, 20 s; the backend marked it failed at 08:06:10 UTC." in verdict.evidence
    assert "Took       about 20 s\n" in report_of(view, [], [], "")
    answer = shown_by_api(play.evidence, verdict, Label())
    assert (answer.seconds, answer.worked_until) == (20.0, utc(BEGAN + 20))


def test_28_who_did_not_see_it_stand_still_says_that_it_worked_at_least_so_long():
    """The panel was off when the worker died."""
    play = Play()
    play.trains(20)
    verdict = play.reads(370, "failed", error_message=UNCLAIMED, progress=percent(0.0), completed_at=stamp(BEGAN + 370))
    assert operation_view(play.evidence, verdict, BEGAN + 380, embedded=False).took_words == "at least 20 s"
    assert any(line.startswith("It worked at least until 08:00:20 UTC, 20 s;") for line in verdict.evidence)


def test_28_how_long_a_run_took_that_nobody_saw_at_work_is_not_known():
    play = Play()
    play.reads(369, progress=percent(31.0, "Epoch 10/100"))
    ended = {"error_message": UNCLAIMED, "progress": percent(0.0), "completed_at": stamp(BEGAN + 370)}
    verdict = play.reads(370, "failed", **ended)
    assert operation_view(play.evidence, verdict, BEGAN + 380, embedded=False).took is None


def test_what_the_backend_only_lists_as_completed_is_not_called_finished():
    """A panel with a new memory reads what a list names one by one."""
    for kind, state in (("data_load", State.UNCHECKED), ("training", State.COMPLETED)):
        play = Play(kind)
        play.reads(3, "completed", progress=percent(100), result_summary={"rows_downloaded": 40})
        listed = replaced(play, snapshot=replace(play.evidence.snapshot, full=False, result=None))
        verdict = judge(listed, BEGAN + 4)
        assert verdict.state is state and verdict.headline.endswith("Its result has not been read yet.")
        verdict = judge(forgotten(listed), BEGAN + 5)
        assert verdict.state is state and "the backend no longer has it" in verdict.headline


def test_28_a_restart_of_the_backend_is_no_sign_of_work():
    """Its values fall to nothing, which is a change."""
    play = Play()
    play.trains(20)
    reached = play.evidence.snapshot
    play.reads(90, progress=percent(reached.percentage, reached.step), metrics={"epochs": corrupt(10)})
    play.reads(100, progress=percent(0.0))
    play.reads(300, "failed", error_message=UNCLAIMED, progress=percent(0.0), completed_at=stamp(BEGAN + 300))
    assert play.evidence.worked_until == BEGAN + 20


def test_28_who_comes_when_the_worker_is_dead_does_not_call_it_running():
    """Another panel, or one without its memory: it has seen nothing change, so it says nothing of when that was."""
    play = Play()
    frozen = {"progress": percent(31.0, "Epoch 10/100"), "metrics": {"epochs": corrupt(10)}}
    play.reads(49, **frozen)
    dead_worker(play, 49)
    verdict = play.at(50)
    assert (verdict.word, verdict.live) == ("Worker in doubt", True) and "does not answer" in verdict.headline
    verdict = play.at(65)
    assert (verdict.word, verdict.evidence) == (
        "Worker lost",
        ("Worker training-worker-1 last answered at 08:00:19 UTC.",),
    )
    play = Play()
    play.reads(330, **frozen)
    play.lists(330)  # dropped from the list before this panel came
    verdict = play.at(331)
    assert (verdict.state, verdict.word) == (State.STALLED, "Worker in doubt") and verdict.live
    assert "was not in the backend's list at 08:05:30 UTC." in text(verdict)
    play.lists(395)
    assert play.reads(396, **frozen).word == "Worker lost"
    ended = {"error_message": UNCLAIMED, "progress": percent(0.0), "completed_at": stamp(BEGAN + 400)}
    assert play.reads(400, "failed", **ended).headline == "Its worker died, and the work with it."


def test_an_unwatched_operation_is_not_called_unchanged():
    """The panel was off, or the backend silent: only since then can it say that nothing changes."""
    play = Play()
    play.trains(20)
    reached = play.evidence.snapshot
    frozen = {"progress": percent(reached.percentage, reached.step), "metrics": {"epochs": corrupt(10)}}
    play.fails(22, timed_out=False)
    play.lists(118, worker("busy", play.id, 118))
    assert play.reads(120, **frozen).word == "Running"
    play.lists(168, worker("busy", play.id, 168))
    verdict = play.reads(170, **frozen)
    assert (verdict.word, verdict.headline) == ("Stalled", "Nothing has changed since 08:02:00 UTC, at 21 %.")


def test_28_a_training_marked_failed_that_a_worker_is_busy_with_goes_on():
    """The backend was restarted in mid-training."""
    play = Play()
    play.trains(20)
    play.lists(90, worker("busy", play.id, 90))
    verdict = play.reads(92, "failed", error_message=UNCLAIMED, progress=percent(0.0), completed_at=stamp(BEGAN + 91))
    assert (verdict.word, verdict.live) == ("Working, unreported", True)
    play.lists(130, worker("available", None, 130))
    verdict = play.reads(140, "failed", error_message=UNCLAIMED, result_summary=RESULT, completed_at=stamp(BEGAN + 139))
    assert verdict.state is State.COMPLETED


def test_26_a_load_with_gaps_left_is_no_plain_success():
    play = Play("data_load")
    play.reads(0, progress=percent(60))
    result = {"mode": "full", "gaps_filled": 1, "rows_downloaded": 16_502}
    verdict = play.reads(3, "completed", progress=percent(100), result_summary=result)
    assert (verdict.word, verdict.live) == ("Checking", True), "the stored bars may say something else"
    verdict = play.at(40)  # the stored bars were not looked through
    assert (verdict.state, verdict.word, verdict.live) == (State.UNCHECKED, "Completed, not checked", False)
    assert (
        verdict.headline == "16,502 bars came. Whether that is all it was to fetch is not known."
        and "page Data" in verdict.advice
    )
    play.observation = replaced(play, gaps_left=15)  # the stored bars were looked through
    verdict = play.at(6)
    assert (verdict.state, verdict.headline) == (State.PROBLEMS, "16,502 bars came, but 15 gaps are still missing.")
    play.observation = replaced(play, gaps_left=0)
    assert play.at(6).state is State.COMPLETED


def test_21_a_run_that_ended_without_losses_is_no_plain_success():
    play = Play()
    losses = {"train_loss": [0.9, None, None], "val_loss": [1.0, None, None]}
    verdict = play.reads(9, "completed", result_summary={"training_metrics": {"history": losses, "epochs_trained": 3}})
    assert (verdict.state, verdict.word) == (State.PROBLEMS, "Completed with problems")
    assert "since epoch 2 its losses are not numbers" in verdict.headline


def test_33_the_history_counts_the_epochs_and_no_count_passes_its_total():
    play = Play()
    play.reads(
        5, progress=percent(56, "Epoch 57/300", steps_completed=169, steps_total=300), metrics={"epochs": corrupt(56)}
    )
    assert play.evidence.snapshot.steps_completed == 56
    play.reads(6, metrics={"epochs": [[], 0]}, progress=percent(99, "Epoch 12/10", steps_completed=12, steps_total=10))
    assert (
        snapshot_of(operation("op_b", progress=percent(99, steps_completed=12, steps_total=10)), BEGAN).steps_completed
        is None
    )
    ended = snapshot_of(operation("op_b", status="completed", progress=percent(0.0)), BEGAN)
    assert ended.percentage == 100.0


def test_5_a_cancel_that_was_not_delivered_is_over_once_the_workers_are_free():
    play = Play()
    play.reads(0, "cancelled", completed_at=stamp(BEGAN))
    play.observation = replaced(play, cancel=Cancel.UNDELIVERED, cancel_at=BEGAN)
    assert "may go on working" in play.at(1).advice
    play.lists(40, worker("available", None, 40))
    assert play.at(41).advice == ""


@pytest.mark.parametrize(
    ("sent", "elsewhere"),
    [("/data/models/short/1h_v3", True), ("/app/models/short/1h_v3/", False), ("models/short/1h_v3", False)],
)
def test_a_model_that_the_worker_looks_for_at_another_path_is_not_called_gone(sent, elsewhere):
    play = Play("backtesting")
    play.reads(0)
    play.observation = replaced(play, snapshot=replace(play.evidence.snapshot, parameters={"model_path": sent}))
    error = "Model directory not found: /app/models/short/1h_v3"
    verdict = play.reads(2, "failed", error_message=error, completed_at=stamp(BEGAN + 2))
    assert ("The model is gone." in verdict.headline) is not elsewhere and error in text(verdict)
    if elsewhere:
        assert "looked for the model at /app/models/short/1h_v3, not at the path that was sent" in verdict.headline


def test_a_traceback_is_shown_by_its_last_line():
    lines = ["Traceback (most recent call last):", *(f'  File "x.py", line {n}' for n in range(40))]
    error = "\n".join([*lines, "OSError: [Errno 28] No space left on device"])
    verdict = Play().reads(1, "failed", error_message=error)
    assert (
        verdict.headline == "The disk is full."
        and "Errno 28" in verdict.evidence[0]
        and "Traceback" not in text(verdict)
    )


def test_27_a_resumed_trainings_progress_is_that_of_its_checkpoint_and_its_model_is_its_end():
    play = Play()
    play.reads(0, progress=percent(20, "Epoch 61/300", steps_total=300), metrics={"epochs": corrupt(60)})
    play.reads(5, "cancelled", completed_at=stamp(BEGAN + 5))
    play.reads(60, "resuming", progress=percent(0.0))
    play.lists(90, worker("busy", play.id, 90))
    play.observation = unreported_progress(play.evidence, 120, BEGAN + 91)
    verdict = play.reads(95, "resuming", progress=percent(0.0))
    assert (verdict.word, verdict.headline) == (
        "Working, unreported",
        "Epoch 120 of 300, by its checkpoint of 08:01:31 UTC.",
    )
    assert play.evidence.snapshot.percentage == 40.0
    play.observation = unreported_end(play.evidence, BEGAN + 200)
    verdict = play.reads(205, "resuming", progress=percent(0.0))
    assert (verdict.state, verdict.live) == (State.COMPLETED, False)
    assert verdict.headline == "Its model was saved at 08:03:20 UTC."
    assert play.evidence.snapshot.completed_at == BEGAN + 200


def test_30_a_worker_that_registered_again_under_another_id_is_another_process():
    """Its old id is gone from the list at once; the operation keeps naming it. The new process reads the operation from
    the database, as running, lists itself as busy with it, and does nothing."""
    play = Play()
    play.trains(20)
    reached = play.evidence.snapshot
    again, idle = {"worker_id": "training-worker-2"}, {"progress": percent(0.0), "metrics": {"epochs": corrupt(10)}}
    play.lists(24, worker("available", None, 24) | again)
    verdict = play.reads(25, **idle)
    assert (verdict.state, verdict.word, verdict.live) == (State.LOST, "Worker restarted", True)
    assert verdict.headline == "Its worker was restarted, and the work died with it."
    for at in (30, 40, 60, 120, 400):
        play.lists(at, worker("busy", play.id, at) | again)
        verdict = play.reads(at, **idle)
        assert (verdict.state, verdict.word) == (State.LOST, "Worker restarted")
        assert "The new process lists it, and does not work on it." in verdict.headline
    assert "training-worker-2 is there instead at its address" in text(verdict)
    assert verdict.advice.startswith("Cancel it, then resume it") and "would not reach" not in text(verdict)
    assert play.evidence.snapshot.percentage == reached.percentage, "how far it was stays known"
    for at in (430, 470, 500):
        play.lists(at, worker("available", None, at) | again)
        verdict = play.reads(at, **idle)
    assert verdict.word == "Worker restarted"


def test_30_with_values_that_stand_where_they_were():
    play = Play()
    play.trains(20)
    reached = play.evidence.snapshot
    frozen = {"progress": percent(reached.percentage, reached.step), "metrics": {"epochs": corrupt(10)}}
    for at in (30, 40):
        play.lists(at, worker("busy", play.id, at) | {"worker_id": "training-worker-2"})
        verdict = play.reads(at, **frozen)
    assert verdict.word == "Worker restarted"


def test_30_of_a_run_that_may_have_been_resumed_unseen_nobody_says_that_it_died():
    """Met after the backend was restarted: it is called running, and its start is that of the resume."""
    play = Play()
    for at in (500, 540):
        play.reads(at, started_at=stamp(BEGAN + 300), progress=percent(0.0))
        verdict = play.lists(at, worker("busy", play.id, at) | {"worker_id": "training-worker-2"})
    assert verdict.word == "Working, unreported" and "died" not in text(verdict)


def test_30_of_a_worker_that_keeps_its_id_through_a_restart_the_checkpoint_tells():
    play = Play()
    play.trains(20)
    unreported = "Working, unreported"
    for at, word in ((30, "Running"), (60, unreported), (85, unreported), (100, "Work in doubt")):
        play.reads(at, progress=percent(0.0))
        play.observation = unreported_progress(play.evidence, 10, BEGAN + 20)
        verdict = play.lists(at, worker("busy", play.id, at))
        assert verdict.word == word, "an epoch takes two seconds, and a checkpoint comes after ten"
    assert verdict.state is State.STALLED
    assert "neither its values nor its checkpoint have moved since 08:00:30 UTC" in verdict.headline
    play.observation = unreported_progress(play.evidence, 20, BEGAN + 100)
    assert play.at(102).word == "Working, unreported"


def test_29_a_worker_that_hung_and_woke_up_goes_on():
    play = Play()
    play.trains(20)
    for at in (35, 50):
        play.fails(at, timed_out=True)
        play.lists(at, worker("temporarily_unavailable", play.id, 20))
    assert play.at(52).word == "No answer about this one"
    play.lists(60, worker("busy", play.id, 60))
    verdict = play.reads(61, progress=percent(40.0, "Epoch 41/100"), metrics={"epochs": corrupt(41)})
    assert (verdict.state, verdict.word) == (State.RUNNING, "Running") and play.evidence.snapshot.percentage == 40.0
