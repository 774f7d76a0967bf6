"""Forms that start something, in a real Chromium: a refusal, a draft, the first run, and where the focus goes."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsers import watched_page
from tests.support.panels import free_port, panel
from tests.support.scripted import RESULT, operation, percent, served, stamp
from tests.support.small_strategy import STRATEGY
from tests.support.workers import worker

FOCUS = "document.activeElement.id || document.activeElement.tagName"


@pytest.fixture
def page(watched) -> Page:
    return watched.page


def test_after_a_refused_start_the_check_lives_and_the_wrong_field_has_the_focus(watched, free_worker, here, backend):
    page = watched.page
    page.goto(f"{here.address}/start/training")
    page.get_by_text("swing", exact=True).click()
    page.get_by_label("Symbols").fill("../x")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("alert")).to_contain_text("Please correct: Symbols.")
    assert page.evaluate(FOCUS) == "symbols"
    before = page.locator("#preflight")
    expect(before).to_contain_text("“../x” is not a symbol")
    page.get_by_label("Symbols").fill("GBPUSD")
    expect(before).to_contain_text("GBPUSD 1h")
    expect(before).not_to_contain_text("is not a symbol")
    assert watched.complaints == []


def test_an_open_form_offers_the_queue_while_the_backend_is_away(watched, tmp_path, backend):
    page, port = watched.page, free_port()
    backend.workers = [worker("w1")]
    with panel(tmp_path, f"http://127.0.0.1:{port}/api/v1") as here:
        with served(backend.app, port):
            here.until("/", lambda text: "All well" in text)
            page.goto(f"{here.address}/start/training")
            page.get_by_text("swing", exact=True).click()
            expect(page.get_by_role("button", name="Start training")).to_be_visible()
            expect(page.locator("#preflight")).to_contain_text("A worker is free.")
            # Without a change it is renewed only every half minute.
            page.evaluate("window.renewed = 0; document.body.addEventListener('look', () => { window.renewed += 1; })")
        expect(page.get_by_role("button", name="Add to the queue")).to_be_visible(timeout=120_000)
        expect(page.locator("#preflight")).to_contain_text("The backend cannot be reached.")
        with served(backend.app, port):
            expect(page.get_by_role("button", name="Start training")).to_be_visible(timeout=120_000)
            expect(page.locator("#preflight")).to_contain_text("A worker is free.")
        assert page.evaluate("window.renewed") >= 2
    assert watched.complaints == []


def test_on_a_phone_the_check_comes_before_the_button(page, here):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{here.address}/start/training")
    tops = [page.locator(each).bounding_box()["y"] for each in ("#strategies", "#preflight", "#start-button")]
    assert tops == sorted(tops)


def test_a_draft_is_announced_cleared_and_only_offered_to_other_windows(browser, here):
    with watched_page(browser) as watched:
        page, address = watched.page, f"{here.address}/start/training"
        page.goto(address)
        expect(page.locator("#draft")).to_be_hidden()
        page.get_by_label("Symbols").fill("EURUSD")
        page.reload()
        expect(page.get_by_label("Symbols")).to_have_value("EURUSD")
        expect(page.locator("#draft")).to_contain_text("filled in again")

        other = page.context.new_page()
        other.goto(address)
        expect(other.locator("#draft")).to_contain_text("You left this form unfinished.")
        expect(other.get_by_label("Symbols")).to_have_value("")
        other.get_by_role("button", name="Fill it in").click()
        expect(other.get_by_label("Symbols")).to_have_value("EURUSD")

        page.get_by_role("button", name="Clear the form").click()
        expect(page.get_by_label("Symbols")).to_have_value("")
        page.reload()
        expect(page.locator("#draft")).to_be_hidden()
        assert watched.complaints == []


def test_a_linked_form_has_a_draft_of_its_own(browser, here):
    """What was typed over a link's values survives a reload, and fills in no other form."""
    with watched_page(browser) as watched:
        page, plain = watched.page, f"{here.address}/start/training"
        linked = f"{plain}?strategy_name=swing&symbols=GBPUSD"
        page.goto(plain)
        page.get_by_label("Symbols").fill("USDJPY")
        page.goto(linked)
        expect(page.get_by_label("Symbols")).to_have_value("GBPUSD")
        page.get_by_label("Symbols").fill("EURUSD")
        page.reload()
        expect(page.get_by_label("Symbols")).to_have_value("EURUSD")
        expect(page.locator("#draft")).to_contain_text("filled in again")

        again = page.context.new_page()
        again.goto(linked)
        expect(again.locator("#draft")).to_contain_text("You left this form unfinished.")
        expect(again.get_by_label("Symbols")).to_have_value("GBPUSD")
        elsewhere = page.context.new_page()
        elsewhere.goto(f"{plain}?strategy_name=swing&symbols=AUDUSD")
        expect(elsewhere.get_by_label("Symbols")).to_have_value("AUDUSD")
        expect(elsewhere.locator("#draft")).to_be_hidden()

        page.get_by_role("button", name="Clear the form").click()
        expect(page.get_by_label("Symbols")).to_have_value("GBPUSD")
        page.goto(plain)
        expect(page.get_by_label("Symbols")).to_have_value("USDJPY")
        assert watched.complaints == []


def test_the_focus_stays_near_when_a_question_is_closed_or_a_run_ends_under_it(watched, here, backend):
    page = watched.page
    backend.operations["op_a"] = operation("op_a", progress=percent(30, "Epoch 3/9"))
    page.goto(f"{here.address}/operations/op_a")
    page.get_by_role("link", name="Cancel…").click()
    page.get_by_role("link", name="Let it run").click()
    expect(page.locator("#ask form")).to_have_count(0)
    assert page.evaluate(FOCUS) == "cancel"
    backend.operations["op_a"] = operation("op_a", status="completed", result_summary=RESULT, completed_at=stamp())
    expect(page.locator("#status")).to_contain_text("Completed")
    assert page.evaluate(FOCUS) == "status"
    assert watched.complaints == []


def test_the_first_result_is_three_clicks_away(watched, tmp_path):
    page = watched.page
    strategies = tmp_path / "embedded" / "strategies"
    strategies.mkdir(parents=True)
    (strategies / "first_try.yaml").write_text(STRATEGY.format(name="first_try", epochs=3))
    with panel(tmp_path) as here:
        page.goto(here.address)
        steps = page.locator("#first .steps > li")
        expect(steps.nth(1)).to_contain_text("Needs EURUSD 1h.")
        expect(steps.nth(2).get_by_role("button")).to_be_disabled()
        page.get_by_role("button", name="Load EURUSD 1h").click()
        expect(steps.nth(0)).to_have_class(re.compile("done"))
        page.get_by_role("radio", name="first_try").click()
        expect(steps.nth(1)).to_have_class(re.compile("done"))
        steps.nth(2).get_by_role("button", name="Train").click()
        page.wait_for_url("**/operations/op_training_*")
        expect(page.locator("#outcome")).to_contain_text("Test accuracy")
        page.goto(here.address)
        expect(page.locator("#first")).to_have_count(0)
    assert watched.complaints == []


def test_back_to_a_refused_form_sends_nothing_again(watched, tmp_path, here):
    page = watched.page
    page.goto(f"{here.address}/schedules/new")
    page.get_by_label("Time zone").fill("Mars/Phobos")
    page.get_by_label("Symbol").fill("EURUSD")
    page.get_by_role("button", name="Repeat it").click()
    expect(page.get_by_role("alert")).to_contain_text("Not saved.")
    expect(page.get_by_label("Time zone")).to_be_focused()
    assert page.url.endswith("/schedules/new")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Runs").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Runs")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Repeat a data load")
    page.goto(f"{here.address}/access")
    page.get_by_label("New token").fill("?")
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_label("New token")).to_be_focused()
    page.get_by_label("New token").fill("ci")
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_role("button", name="Copy")).to_be_visible()
    page.reload()
    expect(page.locator("#token")).to_have_count(0)
    assert watched.complaints == []


def test_a_strategy_that_is_not_saved_is_put_right_in_place(watched, tmp_path):
    page = watched.page
    with panel(tmp_path) as here:
        page.goto(f"{here.address}/strategies/rsi_swing/edit?copy=1")
        address = page.url
        page.get_by_label("Name", exact=True).fill("a b")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text("Not saved: its name needs letters")
        expect(page.get_by_label("Name", exact=True)).to_be_focused()
        page.get_by_label("Name", exact=True).fill("mine")
        page.get_by_role("textbox", name="File").press("Control+End")
        page.keyboard.type("x: [")
        page.keyboard.press("Control+s")
        expect(page.get_by_role("alert")).to_contain_text("it would not be a valid strategy")
        assert page.evaluate(FOCUS) == "text-editor" and page.url == address
        for _ in range(4):
            page.keyboard.press("Backspace")
        page.keyboard.press("Control+s")
        expect(page.get_by_role("heading", level=1)).to_have_text("mine")
    assert watched.complaints == []


def test_what_was_wrong_is_taken_back_once_it_is_changed(watched, free_worker, here):
    page = watched.page
    page.goto(f"{here.address}/start/training")
    page.get_by_label("Symbols").fill("../x")
    page.get_by_role("button", name="Start training").click()
    alert = page.get_by_role("alert").filter(has_text="Please correct: Strategy, Symbols.")
    expect(alert).to_be_visible()
    page.get_by_text("swing", exact=True).click()
    expect(page.get_by_text("Strategy is needed")).to_have_count(0)
    expect(page.locator("fieldset.wrong, [role=radiogroup][aria-invalid]")).to_have_count(0)
    expect(page.get_by_role("alert")).to_contain_text("Please correct: Symbols.")
    page.get_by_label("Symbols").fill("GBPUSD")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("#start-form :is(.wrong, .error, [aria-invalid])")).to_have_count(0)

    page.goto(f"{here.address}/schedules/new")
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"):
        page.get_by_role("checkbox", name=day).uncheck()
    page.get_by_label("Symbol").fill("EURUSD")
    page.get_by_role("button", name="Repeat it").click()
    expect(page.get_by_role("checkbox", name="Monday")).to_be_focused()
    page.get_by_role("checkbox", name="Friday").check()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("[aria-invalid]")).to_have_count(0)
    assert watched.complaints == []


def test_a_batch_and_a_schedule_are_kept_until_they_are_sent(watched, tmp_path):
    page = watched.page
    with panel(tmp_path) as here:
        page.goto(f"{here.address}/batches/new")
        page.get_by_label("Strategy", exact=True).select_option("rsi_swing")
        page.locator("#setting_1").select_option("indicators.rsi_14.period")
        page.get_by_label("Its values").first.fill("7, 14")
        page.get_by_label("Seeds").fill("1 2")
        page.get_by_label("Several periods").fill("2024-01-01 to 2024-06-30")
        for again in (page.reload, lambda: (page.goto(f"{here.address}/queue"), page.go_back())):
            again()
            expect(page.locator("#draft")).to_contain_text("filled in again")
            expect(page.locator("#setting_1")).to_have_value("indicators.rsi_14.period")
            expect(page.get_by_label("Its values").first).to_have_value("7, 14")
            expect(page.get_by_label("Seeds")).to_have_value("1 2")
            expect(page.get_by_label("Several periods")).to_have_value("2024-01-01 to 2024-06-30")
            expect(page.locator("#batch-plan")).to_contain_text("4 trainings")
        page.get_by_role("button", name="Clear the form").click()
        expect(page.get_by_label("Seeds")).to_have_value("")
        expect(page.get_by_label("Strategy", exact=True)).to_have_value("")

        page.goto(f"{here.address}/schedules/new")
        page.get_by_role("checkbox", name="Monday").uncheck()
        page.get_by_role("checkbox", name="Sunday").check()
        page.get_by_label("Symbol").fill("EURUSD")
        page.get_by_label("Timeframe").select_option("1h")
        page.goto(f"{here.address}/schedules/new")
        expect(page.get_by_label("Symbol")).to_have_value("EURUSD")
        expect(page.get_by_role("checkbox", name="Monday")).not_to_be_checked()
        expect(page.get_by_role("checkbox", name="Sunday")).to_be_checked()
        page.get_by_role("button", name="Repeat it").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Schedules")
        page.goto(f"{here.address}/schedules/new")
        expect(page.get_by_label("Symbol")).to_have_value("")
        expect(page.locator("#draft")).to_be_hidden()
    assert watched.complaints == []
