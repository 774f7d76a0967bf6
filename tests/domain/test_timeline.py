"""What happened, in order; what a page can go back to; and all of it as a text to pass on."""

from panel.backend.entities import snapshot_of
from panel.domain.history import ActionRecord, RecordedReading
from panel.domain.report import report
from panel.domain.snapshot import Snapshot
from panel.domain.state import State, Verdict
from panel.domain.timeline import POINTS, points, timeline
from tests.support.scripted import operation, stamp

NOW = 1_800_000_000.0


def reading(
    at: float, percentage: float, state: str = "running", word: str = "Running", epochs: int = 0
) -> RecordedReading:
    return RecordedReading(NOW + at, state, word, f"{word}.", percentage, f"Epoch {int(percentage)}/100", epochs)


def snapshot(**more) -> Snapshot:
    return snapshot_of(operation("op_a", created_at=stamp(NOW), **more), NOW)


def texts(*args) -> list[str]:
    return [f"{moment.at - NOW:.0f} {moment.text}" for moment in timeline(*args)]


def test_changes_milestones_requests_and_absences_in_order():
    readings = [
        reading(1, 0, "queued", "Queued"),
        reading(5, 1),
        reading(9, 3, epochs=1),
        reading(60, 52, epochs=50),
        reading(90, 51, epochs=51),
        reading(95, 53, epochs=52),
        reading(9000, 53, "cancelling", "Stopping"),
        reading(9002, 53, "cancelled", "Cancelled"),
    ]
    requests = [ActionRecord(NOW + 8999, "cancel", "a browser at 127.0.0.1", "taken")]
    assert texts(snapshot(), readings, requests, [(NOW + 100, NOW + 8000), (NOW + 8010, NOW + 8020)]) == [
        "0 Created at the backend",
        "1 Queued",
        "5 Running",
        "9 First epoch done",
        "60 52 %",
        "8000 Not observed for 2 h 12 min",
        "8999 Cancel asked by a browser at 127.0.0.1",
        "9000 Stopping",
        "9002 Cancelled",
    ]


def test_what_was_passed_before_the_panel_looked_has_no_moment():
    assert texts(snapshot(), [reading(600, 60, epochs=60), reading(700, 76, epochs=76)]) == [
        "0 Created at the backend",
        "600 First seen by the panel, at 60 %",
        "600 Running",
        "700 76 %",
    ]


def test_an_operation_without_readings_has_a_timeline_too():
    assert texts(snapshot(), []) == ["0 Created at the backend"]
    assert points([]) == []


def test_points_are_bounded_and_keep_ends_and_changes_of_state():
    few = [reading(n, n) for n in range(40)]
    assert len(points(few)) == 40
    many = [reading(n, n / 100) for n in range(9999)]
    many[5003] = reading(5003, 50, "stalled", "Stalled")
    found = points([*many, reading(10_000, 100, "completed", "Completed")])
    assert len(found) <= POINTS and found[0][0] == NOW and found[-1][3] == "Completed"
    assert [point[6] for point in found].count("stalled") == 1
    flapping = [reading(n, 1, "silent" if n % 2 else "running") for n in range(5000)]
    assert len(points(flapping)) <= POINTS


def test_a_report_says_it_all_in_plain_text():
    failed = snapshot(status="failed", error_message="No data\nfound", completed_at=stamp(NOW + 65))
    verdict = Verdict(State.FAILED, "Failed", "No data was there.", "Load it.", ("It was read twice.",))
    moments = timeline(failed, [reading(1, 0), reading(65, 0, "failed", "Failed")])
    text = report(
        failed,
        verdict,
        moments,
        title="swing",
        took="1 min 5 s",
        commands=["ktrdr-panel train swing"],
        versions=["ktrdr-panel 1"],
    )
    for line in (
        "swing: Failed\nNo data was there.\nTo do: Load it.\n",
        "Operation  op_a (training)",
        "Took       1 min 5 s",
        "How the panel knows\n  It was read twice.",
        "The backend’s words\n  status: failed\n  No data found\n",
        '  symbols: ["EURUSD"]',
        "  ktrdr-panel train swing",
        "2027-01-15 08:01:05 UTC  Failed: Failed.",
        "Versions\n  ktrdr-panel 1\n",
    ):
        assert line in text, text


def test_a_first_reading_that_brings_progress_begins_with_its_state_and_an_end_is_last():
    first = reading(10, 0.0, "queued", "Queued")
    assert texts(snapshot(), [first, reading(12, 48.0, epochs=24), reading(14, 60.0, "completed", "Completed", 50)])[
        1:
    ] == [
        "10 Queued",
        "12 Running",
        "12 24 epochs done",
        "12 48 %",
        "14 60 %",
        "14 Completed",
    ]
