"""One operation's page: how it is known, how long it takes, what its curves say, what happened."""

import html
import json
import re
import sqlite3
from contextlib import closing

from panel.storage.store import Storage
from panel.views.operation import EstimateView
from tests.support.pages import until, words
from tests.support.panels import stream
from tests.support.scripted import RESULT, epochs, operation, percent, stamp
from tests.support.stories import steady


def test_how_the_panel_knows_is_under_the_headline(here, backend):
    result = {"mode": "tail", "gaps_filled": 3, "rows_downloaded": 0}
    backend.operations["op_a"] = operation(
        "op_a", "data_load", "completed", result_summary=result, completed_at=stamp()
    )
    page = here.get("/operations/op_a").text
    assert 'aria-label="How the panel knows"><li>0 bars came, 3 gaps worked on.</li>' in page


def test_what_took_less_than_half_a_second_did_not_take_nothing(here, backend):
    began, ended = stamp(1_800_000_000.0), stamp(1_800_000_000.3)
    backend.operations["op_a"] = operation(
        "op_a", "training", "completed", created_at=began, started_at=began, completed_at=ended
    )
    assert "Took under 1 s Ended" in words(here.until("/operations/op_a", lambda text: "Completed" in text))


def test_a_resumed_run_has_no_unknown_numbers(here, backend):
    backend.operations["op_a"] = operation("op_a", status="resuming")
    page = here.get("/operations/op_a").text
    assert '<p class="share">–</p>' in page
    assert re.search(r'<progress max="100" class="none" aria-label="Progress of op_a">', page)


def test_a_last_known_number_is_called_so(remembering, backend):
    """The backend was restarted: it tells 0 %, and a worker is busy with it."""
    backend.workers = [{"worker_id": "w", "worker_type": "training", "status": "busy", "current_operation_id": "op_a"}]
    here = remembering("op_a", [*steady(60), (150, {"progress": percent(0.0)})], {"progress": percent(0.0)})
    page = here.until("/operations/op_a", lambda text: "Working, unreported" in text)
    assert "59 % last known" in words(page) and 'class="last" aria-label="Last known progress of op_a"' in page


def test_an_estimate_is_a_range_with_its_reasons_and_is_written_down(remembering):
    here = remembering("op_a", steady(99, 500), {"progress": percent(19.8, "Epoch 99/500", steps_total=500)})
    read = words(here.until("/operations/op_a", lambda text: "Estimate" in words(text)))
    assert re.search(r"Estimate (under |about )?[\d–]+ (s|min) left", read), read
    assert "The estimate is from this run’s pace." in read
    store = Storage(here.settings.memory_file)
    until(lambda: here.post("/look-now") and store.estimates.promised("op_a"))  # with the next reading at the latest
    store.close()


def test_drawing_writes_nothing(remembering):
    """Drawn again where a reading of the backend was written meanwhile."""
    here = remembering("op_a", steady(99, 500), {"progress": percent(19.8, "Epoch 99/500", steps_total=500)})
    here.until("/operations/op_a", lambda text: "Estimate" in words(text))

    def draws() -> EstimateView | None:
        reader = here.inside.panel.reader
        view = reader.operation(reader.monitor.known("op_a"), estimated=True)
        details, _ = reader.details(view), (reader.home(), reader.timeline(view), reader.stored(), reader.queue())
        return details.estimate

    def nothing_was_written() -> bool:
        db.execute("DELETE FROM promises")  # a first estimate could be recorded again
        db.commit()
        seen = []
        for draw in (lambda: None, draws):
            drawn = here.inside.call(draw)
            here.inside.write_all()
            seen.append(db.execute("PRAGMA data_version").fetchone()[0])
        assert drawn is not None
        return seen[0] == seen[1]

    with closing(sqlite3.connect(here.settings.memory_file, check_same_thread=False)) as db:
        until(nothing_was_written)


def test_no_estimate_before_it_is_honest(here, backend):
    backend.operations["op_a"] = operation("op_a", progress=percent(40, "Epoch 40/100"))
    assert "Estimate" not in words(here.get("/operations/op_a").text)


def test_notes_on_learning_are_on_the_page_and_in_its_stream(here, backend):
    flat = [epoch | {"train_loss": 1.0, "val_loss": 1.0, "val_accuracy": 0.5} for epoch in epochs(20)]
    backend.operations["op_a"] = operation("op_a", progress=percent(20), metrics={"epochs": [flat, 20]})
    read = words(here.get("/operations/op_a").text)
    assert "Not learning since epoch 1 Validation accuracy has been exactly 50.0 % since epoch 1" in read
    with stream(here, "op_a") as page_stream:
        page_stream.until(lambda s: "exactly 50.0 %" in s.places.get("notes", ""))


def test_a_run_that_ended_can_be_gone_back_to(remembering):
    end = {"status": "failed", "error_message": "out of memory", "completed_at": stamp()}
    here = remembering("op_a", [*steady(80), (190, end)], end)
    page = here.get("/operations/op_a").text
    points = json.loads(html.unescape(page.partition('data-points="')[2].partition('"')[0]))
    assert len(points) == 81 and points[10][1] == 10 and points[10][2] == "Epoch 10/100"
    assert points[-1][3] == "Failed" and points[-1][6] == "failed"
    read = words(page)
    assert "50 % Epoch 50/100" in read and "75 % Epoch 75/100" in read


def test_a_running_one_has_a_list_and_no_slider(here, backend):
    backend.operations["op_a"] = operation("op_a", progress=percent(10))
    page = here.get("/operations/op_a").text
    assert "data-points" not in page and "Created at the backend" in page


def test_a_failure_has_a_report_to_copy_and_its_text_is_only_text(here, backend):
    evil = '"><img src=x onerror=alert(1)> something new'
    backend.operations["op_a"] = operation("op_a", status="failed", error_message=evil, completed_at=stamp())
    page = here.get("/operations/op_a").text
    report = html.unescape(page.partition('<pre id="report" hx-ignore>')[2].partition("</pre>")[0])
    assert f"status: failed\n  {evil}\n" in report and "ktrdr-panel train swing" in report
    assert "<img" not in page and "does not know this cause" in words(page)
    backend.operations["op_b"] = operation("op_b", status="completed", result_summary=RESULT, completed_at=stamp())
    assert 'id="report"' not in here.get("/operations/op_b").text


def test_the_command_line_is_that_of_the_form_it_was_started_with(here, backend):
    here.post("/start/training", {"key": "k" * 22, "strategy_name": "swing", "symbols": "EURUSD GBPUSD"})
    (operation_id,) = backend.operations
    page = html.unescape(here.get(f"/operations/{operation_id}").text)
    assert f"ktrdr-panel train swing --symbols EURUSD,GBPUSD --backend {here.settings.backend}" in page


def test_the_raw_answer_has_its_time_and_is_renewed(quick_rounds, here, backend):
    backend.operations["op_a"] = operation("op_a", progress=percent(10))
    page = here.until("/operations/op_a", lambda text: "The backend's answer, raw" in text)
    raw = html.unescape(page.partition('id="raw"')[2].partition("</details>")[0])
    assert '"status": "running"' in raw and re.search(r"Read .* ago", words(raw))
    assert 'hx-get="/operations/op_a/answer" hx-trigger="toggle, ended from:document"' in raw
    backend.operations["op_a"] = operation("op_a", status="completed", result_summary=RESULT, completed_at=stamp())
    until(lambda: '"status": "completed"' in html.unescape(here.get("/operations/op_a/answer").text))
    assert re.search(r"Read .* ago", words(here.get("/operations/op_a/answer").text))


def test_what_a_load_brought_does_not_contradict_its_segments(here, backend):
    result = {"mode": "full", "gaps_filled": 1, "rows_downloaded": 12_205}
    load = {"status": "completed", "completed_at": stamp()}
    sample = result | {"source": "sample market generator"}
    backend.operations["op_k"] = operation("op_k", "data_load", result_summary=result, **load)
    backend.operations["op_e"] = operation("op_e", "data_load", result_summary=sample, **load)
    assert "12,205 1 gap worked on" in words(here.get("/operations/op_k").text)
    assert "12,205 in 1 stretch" in words(here.get("/operations/op_e").text)
    assert "asked for" not in words(here.get("/operations/op_e").text)
