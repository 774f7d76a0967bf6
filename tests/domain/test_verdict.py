"""What a user reads, for each of the backend's ways of not saying what is so."""

import dataclasses

import pytest

from panel.backend.entities import snapshot_of
from panel.domain.gaps import NOTHING_STORED
from panel.domain.load_outcomes import not_looked_through
from panel.domain.observation import Cancel, Observation
from panel.domain.state import State
from panel.domain.verdict import judge
from tests.support.scripted import RESULT, operation, percent

NOW = 1_800_000_000.0


def observation(**changes) -> Observation:
    own = {name: changes.pop(name) for name in ("failing_since", "forgotten", "cancel", "cancel_at") if name in changes}
    kind, status = changes.pop("kind", "training"), changes.pop("status", "running")
    return Observation(snapshot_of(operation("op_a", kind, status, **changes), NOW), NOW, **own)


def test_a_running_training_says_its_step():
    verdict = judge(observation(progress=percent(3.9, "Epoch 4/100 · Batch 180/205")), NOW)
    assert (verdict.state, verdict.headline, verdict.live) == (State.RUNNING, "Epoch 4/100 · Batch 180/205", True)


@pytest.mark.parametrize(
    ("status", "state"), [("pending", State.QUEUED), ("resuming", State.STARTING), ("paused", State.RUNNING)]
)
def test_what_is_not_an_end_stays_live(status, state):
    verdict = judge(observation(status=status), NOW)
    assert verdict.state is state and verdict.live


def test_an_unknown_word_is_quoted():
    assert "“paused”" in judge(observation(status="paused"), NOW).headline


def test_a_load_marked_failed_after_a_minute_is_in_doubt_and_live():
    error = "Operation was RUNNING but no worker claimed it"
    verdict = judge(observation(kind="data_load", status="failed", error_message=error, progress=percent(40)), NOW)
    assert (verdict.state, verdict.live) == (State.DOUBTFUL, True)
    assert verdict.word == "Running, marked failed" and "keeps watching" in verdict.advice


def test_a_success_that_the_backend_marks_failed_is_a_success():
    verdict = judge(observation(status="failed", error_message="worker lost", result_summary=RESULT), NOW)
    assert (verdict.state, verdict.live) == (State.COMPLETED, False)
    assert "succeeded" in verdict.headline and "marked it failed" in verdict.headline


def test_a_load_that_brought_nothing_although_bars_were_missing_is_a_problem():
    result = {"mode": "tail", "gaps_filled": 3, "rows_downloaded": 0}
    verdict = judge(observation(kind="data_load", status="completed", result_summary=result), NOW)
    assert verdict.state is State.PROBLEMS and "not one bar came" in verdict.headline


def test_a_training_says_after_how_many_epochs_it_ended():
    assert judge(observation(status="completed", result_summary=RESULT), NOW).headline == "Finished after 2 epochs."


def test_a_loads_step_is_words():
    step = percent(40, "⚡ Downloading 12 segments from IB: ✅ Loaded 362 bars from segment 2/12")
    headline = judge(observation(kind="data_load", progress=step), NOW).headline
    assert headline == "Downloading 12 segments from IB: Loaded 362 bars from segment 2/12"


@pytest.mark.parametrize(("rows", "words"), [(0, "Nothing was missing"), (362, "362 bars"), (12345, "12,345 bars")])
def test_a_load_says_what_came(rows, words):
    result = {"gaps_filled": int(rows > 0), "rows_downloaded": rows}
    assert words in judge(observation(kind="data_load", status="completed", result_summary=result), NOW).headline


UNKNOWN_ROWS = [
    None,
    {},
    {"mode": "tail", "symbol": "EURUSD", "timeframe": "1h", "gaps_filled": 3},
    {"rows_downloaded": "362"},
    {"rows_downloaded": None},
    {"rows_downloaded": True},
    {"rows_downloaded": -5},
    {"rows_downloaded": [362]},
]


@pytest.mark.parametrize("result", UNKNOWN_ROWS)
def test_a_load_that_does_not_say_what_came_is_looked_through_before_it_is_called_completed(result):
    just = observation(kind="data_load", status="completed", result_summary=result)
    assert not_looked_through(just)
    verdict = judge(just, NOW)
    assert (verdict.word, verdict.live) == ("Checking", True) and "how many bars came is not known" in verdict.headline
    verdict = judge(just, NOW + 60)
    assert (verdict.state, verdict.word) == (State.UNCHECKED, "Completed, not checked")
    assert verdict.headline == "How many bars came, and whether that is all it was to fetch, is not known."
    verdict = judge(dataclasses.replace(just, gaps_left=2), NOW)
    assert verdict.state is State.PROBLEMS
    assert verdict.headline == "How many bars came is not known, and 2 gaps are still missing."
    verdict = judge(dataclasses.replace(just, fell=True), NOW + 60)
    assert verdict.state is State.PROBLEMS and verdict.headline.startswith("Some segments did not come")
    verdict = judge(dataclasses.replace(just, gaps_left=0), NOW)
    assert verdict.state is State.COMPLETED and verdict.headline.startswith("It left no gap.")


@pytest.mark.parametrize(
    ("rows", "headline"),
    [
        (1944, "1,944 bars came, and none is stored."),
        (None, "How many bars came is not known, and none is stored."),
        (0, "No bars came, and none is stored."),
    ],
)
def test_a_load_of_which_nothing_is_stored_is_no_plain_success(rows, headline):
    just = observation(kind="data_load", status="completed", result_summary={"rows_downloaded": rows})
    verdict = judge(dataclasses.replace(just, gaps_left=NOTHING_STORED), NOW)
    assert (verdict.state, verdict.headline) == (State.PROBLEMS, headline)


def test_what_needs_no_look_through():
    """Nothing was missing; the list's entry tells nothing of its period; it is no load."""
    nothing = observation(kind="data_load", status="completed", result_summary={"rows_downloaded": 0})
    assert not not_looked_through(nothing) and judge(nothing, NOW).headline == "Nothing was missing: no new bars."
    listed = dataclasses.replace(nothing, snapshot=dataclasses.replace(nothing.snapshot, full=False, result=None))
    assert not not_looked_through(listed)
    training = observation(status="completed", result_summary=None)
    assert not not_looked_through(training) and judge(training, NOW).headline == "Finished."


def test_a_silent_backend_is_not_an_end():
    assert judge(observation(failing_since=NOW - 2), NOW).state is State.RUNNING
    verdict = judge(observation(failing_since=NOW - 30), NOW)
    assert (verdict.state, verdict.live) == (State.SILENT, True) and "last known state" in verdict.headline


def test_a_forgotten_operation_is_neither_completed_nor_failed():
    verdict = judge(observation(forgotten=True), NOW)
    assert (verdict.state, verdict.live) == (State.FORGOTTEN, False)
    assert "no longer knows" in verdict.headline and "Whether it finished is not known" in verdict.advice


def test_what_had_ended_before_it_was_forgotten_keeps_its_end():
    assert judge(observation(status="completed", forgotten=True), NOW).state is State.COMPLETED


@pytest.mark.parametrize(
    ("cancel", "word"),
    [(Cancel.ASKED, "Cancel asked"), (Cancel.ACKNOWLEDGED, "Stopping"), (Cancel.UNDELIVERED, "Cancel not delivered")],
)
def test_the_stages_of_a_cancel(cancel, word):
    verdict = judge(observation(cancel=cancel, cancel_at=NOW), NOW)
    assert (verdict.state, verdict.word, verdict.live) == (State.CANCELLING, word, True)


def test_a_cancel_that_takes_long_says_so():
    assert "unusually long" in judge(observation(cancel=Cancel.ACKNOWLEDGED, cancel_at=NOW - 60), NOW).advice


def test_a_training_whose_cancel_was_not_delivered_may_go_on():
    verdict = judge(observation(status="cancelled", cancel=Cancel.UNDELIVERED, cancel_at=NOW), NOW)
    assert verdict.state is State.CANCELLED and "may go on" in verdict.advice


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("No data found in cache for NOSUCH 1h", "Load this data first"),
        (
            "Host service connection failed: HTTP error for POST /data/validate",
            "host service, the program between KTRDR and the Gateway, does not answer",
        ),
        ("Symbol NOSUCH not found", "does not know this symbol"),
        ("Symbol NOSUCH not found. The sample market has EURUSD.", "does not know this symbol"),
        ("Something new", ""),
    ],
)
def test_a_failure_says_what_to_do_where_that_is_known(error, advice):
    verdict = judge(observation(status="failed", error_message=error), NOW)
    assert verdict.state is State.FAILED and advice in verdict.advice
    assert error in (verdict.headline, verdict.evidence and verdict.evidence[0].removeprefix("The backend's words: "))


EPOCHS = [{"epoch": 0, "train_loss": 0.9, "val_loss": 1.1, "train_accuracy": 0.5, "val_accuracy": 0.5}]
STOPPED = (
    "The panel that ran this operation stopped.",
    "The panel that ran this operation stopped at Epoch 4/100. It can be resumed from its checkpoint.",
    "The process of this operation ended without a word: killed, or out of memory.",
    "Operation orphaned by backend restart",
    "Worker shutdown",
)


@pytest.mark.parametrize("error", STOPPED)
def test_only_a_training_that_finished_an_epoch_is_to_be_resumed(error):
    for kind in ("dummy", "data_load", "backtesting", "training", "agent_research"):
        shot = observation(kind=kind, status="failed", error_message=error)
        assert judge(shot, NOW).advice == "Start it again.", kind
    learned = observation(status="failed", error_message=error, metrics={"epochs": [EPOCHS, 1]})
    assert judge(learned, NOW).advice == "Resume it where that is offered, or start it again."


@pytest.mark.parametrize(
    ("kind", "error", "advice"),
    [
        ("data_load", "GBPUSD60.csv: line 2: Which zone's clock? Nothing was changed.", "Import the file on the page"),
        ("data_load", "EURUSD 1h holds data of your own.", "Nothing was changed. Import newer or older bars instead"),
        ("data_load", "No data available for EURUSD 1h", "see that it runs and is logged in, then load again"),
        ("data_load", "[Errno 111] Connection refused", "see that it runs and is logged in, then load again"),
        ("training", "[Errno 111] Connection refused", "See on the page Workers"),
        ("training", "Input contains NaN", "Try a smaller learning rate"),
        ("backtesting", "Input contains NaN", "Look for empty or extreme values in its bars"),
    ],
)
def test_an_advice_is_one_that_this_kind_can_follow(kind, error, advice):
    assert advice in judge(observation(kind=kind, status="failed", error_message=error), NOW).advice


@pytest.mark.parametrize(
    ("asked", "timeframe", "meaning", "advice"),
    [
        ({"start_date": "2025-06-30", "end_date": "2024-06-30"}, "1h", "The dates are not a period.", "before the end"),
        (
            {"start_date": "2031-01-01", "end_date": "2032-01-05"},
            "1h",
            "Its period begins in the future, 2031-01-01: there is no market data for it yet.",
            "Choose an earlier start",
        ),
        ({"start_date": "2024-01-01", "end_date": "2024-06-30"}, "9q", "There is no timeframe 9q.", "1h, 2h"),
        ({"timeframes": ["5m", "9q"]}, "5m", "There is no timeframe 9q.", "1h, 2h"),
        ({"timeframes": None}, "9q", "There is no timeframe 9q.", "1h, 2h"),
    ],
)
def test_no_load_is_advised_for_bars_that_never_were(asked, timeframe, meaning, advice):
    """KTRDR starts with any dates and timeframes, and says only that it found no data: recorded."""
    words = f"No data found in cache for EURUSD {timeframe}"
    about = {"symbol": "EURUSD", "timeframe": "", "parameters": {"symbols": ["EURUSD"]} | asked}
    verdict = judge(observation(status="failed", error_message=words, metadata=about), NOW)
    assert verdict.headline == meaning and advice in verdict.advice and "Load" not in verdict.advice
    assert verdict.evidence == (f"The backend's words: {words}",)


def test_a_load_is_advised_for_bars_that_may_exist():
    about = {"symbol": "EURUSD", "timeframe": "5m", "parameters": {"start_date": "2024-01-01", "timeframes": ["5m"]}}
    verdict = judge(observation(status="failed", error_message="No data found in cache", metadata=about), NOW)
    assert verdict.advice == "Load this data first, then start again."


def test_a_load_that_failed_for_its_sources_own_reason_says_where_to_look():
    verdict = judge(observation(kind="data_load", status="failed", error_message="HMDS query returned no data"), NOW)
    assert verdict.headline == "HMDS query returned no data" and "Gateway" in verdict.advice


def test_a_cancel_that_lost_the_race_shows_the_end():
    assert judge(observation(status="completed", cancel=Cancel.ASKED), NOW).state is State.COMPLETED


def test_evidence_is_not_changed_by_being_judged():
    evidence = observation()
    before = dataclasses.replace(evidence)
    judge(evidence, NOW)
    assert evidence == before
