"""One operation's page in a real browser: going back in time, cancelling, resuming, copying."""

import re
import time

from playwright.sync_api import expect

from tests.support.scripted import epochs, operation, percent, stamp
from tests.support.stories import steady


def test_after_the_end_one_can_go_back_with_the_keyboard(watched, remembering):
    page = watched.page
    end = {"status": "failed", "error_message": "out of memory", "completed_at": stamp(time.time() - 10)}
    learned = [(at, reading | {"metrics": {"epochs": [epochs(int(at / 2)), 1]}}) for at, reading in steady(80)]
    here = remembering("op_a", [*learned, (190, end)], end)
    page.goto(f"{here.address}/operations/op_a#timeline")
    slider = page.get_by_label("Go back to a moment")
    shown = page.locator(".replay output")
    expect(shown).to_contain_text("79 % Failed The worker's machine ran out of memory.")
    expect(page.locator("#moments")).to_have_attribute("open", "")
    whole = page.locator("#curves canvas").first.screenshot()
    slider.focus()
    for _ in range(30):
        page.keyboard.press("ArrowLeft")
    expect(shown).to_contain_text("50 % Running Epoch 50/100")
    expect(slider).to_have_attribute("aria-valuetext", "50 per cent, Running, Epoch 50/100")
    assert page.locator("#curves canvas").first.screenshot() != whole  # the moment is marked in the curves
    page.keyboard.press("End")
    expect(shown).to_contain_text("79 % Failed")
    assert page.locator("#curves canvas").first.screenshot() == whole
    assert watched.complaints == []


def test_charts_that_are_drawn_again_fit_their_places(watched, here, backend):
    page = watched.page
    running = {"created_at": stamp(time.time() - 30), "progress": percent(1, "Epoch 1/100", steps_total=100)}
    backend.operations["op_a"] = operation("op_a", **running, metrics={"epochs": [epochs(12), 12]})
    page.goto(f"{here.address}/operations/op_a")
    charts, places = page.locator("#curves .uplot"), page.locator("#curves .plot")
    expect(charts).to_have_count(2)
    expect(page.get_by_label("Smooth")).to_be_hidden()
    backend.operations["op_a"] = operation("op_a", **running, metrics={"epochs": [epochs(25), 25]})
    expect(page.get_by_label("Smooth")).to_be_visible()  # offered from 20 epochs on: both drawn anew
    for chart, place in zip(charts.all(), places.all(), strict=True):
        expect(chart).to_have_css("width", f"{place.evaluate('place => place.clientWidth')}px")
    assert watched.complaints == []


def test_a_cancelled_run_is_resumed_from_its_page_without_leaving_it(watched, here, backend):
    page = watched.page
    began, learned = stamp(time.time() - 300), {"epochs": [epochs(12), 12]}
    backend.operations["op_a"] = operation(
        "op_a", created_at=began, progress=percent(12, "Epoch 13/100", steps_total=100), metrics=learned
    )
    checkpoint = {"checkpoint_type": "cancellation", "state": {"epoch": 11}, "created_at": stamp(time.time() - 65)}
    backend.answers["GET /checkpoints/op_a"] = 200, {"success": True, "data": checkpoint}
    backend.workers = [{"worker_id": "w", "worker_type": "training", "status": "available"}]

    def cancelled(request):
        ended = {"completed_at": stamp(), "error_message": "Operation cancelled by user"}
        backend.operations["op_a"] = operation("op_a", status="cancelled", created_at=began, **ended)
        return 200, {"success": True, "data": {"status": "cancelled", "remote_cancelled": True}}

    def resumed(request):
        backend.operations["op_a"] = operation("op_a", status="resuming", created_at=began)
        backend.answers["GET /checkpoints/op_a"] = 404, {"detail": "No checkpoint"}  # it would tell the progress again
        return 200, {"success": True, "data": {"operation_id": "op_a", "status": "resuming"}}

    backend.answers["DELETE /operations/op_a"] = cancelled
    backend.answers["POST /operations/op_a/resume"] = resumed
    page.goto(f"{here.address}/operations/op_a")
    page.evaluate("window.same = true")
    page.get_by_role("link", name="Cancel…").click()
    expect(page.locator("#ask")).to_contain_text(re.compile(r"Checkpoint at epoch 12 of 100,\s+written 1 min ago"))
    page.get_by_role("button", name="Cancel this training").click()
    expect(page.locator("#status")).to_contain_text("Cancelled")
    expect(page.locator("#ask form")).to_have_count(0)
    page.get_by_role("button", name="Resume after epoch 12").click()
    expect(page.locator("#status")).to_contain_text("Resuming")
    expect(page.locator("#status progress")).to_have_class("none")
    expect(page.locator("#ask p")).to_have_count(0)
    assert backend.hits["POST /operations/op_a/resume"] == 1
    assert page.evaluate("window.same") and watched.complaints == []


def test_a_button_that_changes_nothing_is_locked_and_unlocked_with_a_reason(watched, here, backend):
    page = watched.page
    backend.operations["op_a"] = operation("op_a", progress=percent(12, "Epoch 13/100"))
    backend.answers["DELETE /operations/op_a"] = 503, {"detail": "Later"}
    page.clock.install()
    page.goto(f"{here.address}/operations/op_a")
    page.get_by_role("link", name="Cancel…").click()
    page.route("**/cancel", lambda route: None)  # no answer comes
    button = page.get_by_role("button", name="Cancel this training")
    button.click()
    expect(button).to_be_disabled()
    expect(button).to_have_attribute("aria-busy", "true")
    page.clock.fast_forward(31_000)
    expect(page.locator("#ask")).to_contain_text("Nothing has changed for 30 s")


def test_escape_closes_what_was_opened_unless_something_was_typed(watched, here, backend):
    page = watched.page
    backend.operations["op_a"] = operation("op_a", progress=percent(12, "Epoch 1/9"))
    page.goto(f"{here.address}/operations/op_a")
    page.get_by_role("link", name="Name, tags, note").press("Enter")
    expect(page.get_by_label("Name", exact=False).first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#label-form")).to_have_count(0)
    expect(page.locator("#edit-label")).to_be_focused()
    page.keyboard.press("Enter")
    page.locator("#label-name").fill("mine")
    page.keyboard.press("Escape")
    expect(page.locator("#label-name")).to_have_value("mine")
    page.locator("#label-form [data-close]").click()
    expect(page.locator("#label-form")).to_have_count(0)
    page.locator("#cancel").press("Enter")
    expect(page.locator("#ask button")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#ask form")).to_have_count(0)
    expect(page.locator("#cancel")).to_be_focused()
    assert watched.complaints == []


def test_a_forms_command_follows_what_is_typed_and_can_be_copied(watched, here):
    page = watched.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{here.address}/start/training")
    page.get_by_text("Command line", exact=True).click()
    expect(page.locator("#commands")).to_contain_text("once the form can be sent")
    page.get_by_text("swing", exact=True).click()
    page.get_by_label("Symbols").fill("EURUSD")
    command = f"ktrdr-panel train swing --symbols EURUSD --backend {here.settings.backend}"
    expect(page.locator("#command-1")).to_have_text(command)
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == command
    assert watched.complaints == []


def test_the_raw_answer_follows_when_it_is_opened_and_at_the_end(watched, here, backend):
    page = watched.page
    running = {"created_at": stamp(time.time() - 30), "progress": percent(1, "Epoch 1/100", steps_total=100)}
    backend.operations["op_a"] = operation("op_a", **running)
    page.goto(f"{here.address}/operations/op_a")
    backend.operations["op_a"] = operation("op_a", **running | {"progress": percent(7, "Epoch 7/100", steps_total=100)})
    expect(page.locator("#status")).to_contain_text("7 %")
    page.get_by_text("The backend's answer, raw").click()
    answer = page.locator("#answer")
    expect(answer).to_contain_text("Epoch 7/100")
    backend.operations["op_a"] = operation("op_a", status="failed", error_message="no", completed_at=stamp())
    expect(answer).to_contain_text('"status": "failed"')
    expect(answer).to_contain_text("ago")
    assert watched.complaints == []
