"""A research by KTRDR's agent: offered where there is one, started once, and shown with all that belongs to it."""

import time

from panel.domain.requests import Start, StartState
from panel.domain.snapshot import Snapshot, Status
from panel.workflows.reconciliation import fits
from tests.support.pages import KEY, words
from tests.support.panels import stream
from tests.support.scripted import operation, percent, stamp

AGENT = {
    "status": "idle",
    "budget": {"remaining": 3.1, "daily_limit": 20.0},
    "capacity": {"active": 2, "limit": 2},
    "workers": {"agent_design": {"busy": 0, "total": 1}, "agent_assessment": {"busy": 0, "total": 0}},
}
FORM = {"key": KEY, "brief": "A calm one.\r\nFew trades.", "model": "haiku"}


def test_it_is_not_offered_by_a_backend_that_has_no_agent(here, backend):
    assert "/start/agent_research" not in here.get("/").text
    assert here.get("/start/agent_research").status_code == 404
    refused = here.post("/start/agent_research", FORM)
    assert refused.status_code == 404 and "this backend does not have it" in words(refused.text)
    assert backend.hits["POST /agent/trigger"] == 0
    assert "Research" not in words(here.get("/schedules").text)


def test_it_is_started_once_from_a_form_that_shows_budget_and_places(here, backend):
    backend.agent = AGENT
    form = words(here.get("/start/agent_research").text)
    assert "$3.10 of $20.00" in form and "All places are taken" in form and "No worker assesses" in form
    assert 'href="/start/agent_research"' in here.get("/").text, "known from now on"
    both = here.post("/start/agent_research", FORM | {"strategy_name": "swing"})
    assert both.status_code == 422 and "give one of the two" in words(both.text)
    started = [here.post("/start/agent_research", FORM) for _ in range(2)]
    assert len({answer.headers["location"] for answer in started}) == 1
    assert backend.bodies == [("POST /agent/trigger", {"brief": "A calm one.\nFew trades.", "model": "haiku"})]
    refusal = {"triggered": False, "reason": "budget_exhausted", "message": "Daily budget exhausted: $0.10 remaining"}
    backend.answers["POST /agent/trigger"] = 409, refusal
    refused = here.post("/start/agent_research", FORM | {"key": KEY + "2"})
    assert "Daily budget exhausted: $0.10 remaining" in words(refused.text) and "A calm one." in refused.text
    again = here.get(f"/start/agent_research?again={started[0].headers['location'].rpartition('/')[2]}").text
    assert "Few trades.</textarea>" in again and 'value="haiku" selected' in again


def test_a_cancel_reaches_what_runs_for_it(here, backend):
    """As any operation, KTRDR would end the research and leave its training running."""
    backend.operations["op_r"] = operation("op_r", "agent_research")
    here.read("op_r")
    phases = {"success": False, "reason": "not_cancellable", "message": "Cannot cancel completed operation"}
    backend.answers["DELETE /agent/cancel/op_r"] = 409, {"detail": "Another cancel is under way"}
    inline = here.post("/operations/op_r/cancel", {"inline": "1"}, **{"hx-request": "true"})
    assert "The cancel was not accepted. Another cancel is under way" in words(inline.text)
    assert "The run that it is at is cancelled with it" in words(here.get("/operations/op_r/cancel").text)
    done = {"success": True, "operation_id": "op_r", "child_cancelled": "op_t", "message": "Research cancelled"}
    backend.answers["DELETE /agent/cancel/op_r"] = 200, done
    here.post("/operations/op_r/cancel")
    assert backend.hits["DELETE /agent/cancel/op_r"] == 2 and backend.hits["DELETE /operations/op_r"] == 0
    assert "not delivered" not in words(here.get("/operations/op_r").text)

    def completes(_):
        backend.operations["op_r"] = operation("op_r", "agent_research", "completed")
        return 409, phases

    backend.answers["DELETE /agent/cancel/op_r"] = completes
    inline = here.post("/operations/op_r/cancel", {"inline": "1"}, **{"hx-request": "true"})
    assert "It had already finished" in words(inline.text)


def test_a_lost_answer_is_matched_by_its_brief():
    now = time.time()
    start = Start(KEY, "agent_research", {"brief": "A calm one. " * 50}, StartState.SENDING, None, "", now, "somebody")

    def snapshot_with(brief: str) -> Snapshot:
        parameters = {"brief": brief} if brief else {}
        return Snapshot("op_r", "agent_research", Status.RUNNING, "", now, created_at=now, parameters=parameters)

    assert fits(start, snapshot_with("A calm one.\n" * 50))
    assert not fits(start, snapshot_with("Another one.")) and not fits(start, snapshot_with(""))


def test_its_phases_go_on_by_themselves_after_its_own_end(here, backend, quick_rounds):
    about = {"phase": "assessing", "training_op_id": "op_t", "assessment_op_id": "op_s", "strategy_name": "calm_rsi"}
    about["design_complete"] = True  # a strategy was given
    more = {"metadata": {"parameters": about | {"brief": "A calm one.", "phase_start_time": 1.5}}}
    backend.operations["op_r"] = operation(
        "op_r", "agent_research", progress=percent(90, "Assessing results..."), **more
    )
    backend.operations["op_t"] = operation("op_t", status="completed", completed_at=stamp())
    backend.operations["op_s"] = operation("op_s", "agent_assessment", progress=percent(59))
    page = words(here.get("/operations/op_r").text)
    assert "Design left out Training Completed Backtest left out Assessment Running, 59 %" in page, page
    assert "Phase start time" not in page.partition("The backend's answer")[0]
    with stream(here, "op_r") as reader:
        ended = {"completed_at": stamp(), "result_summary": {"verdict": "promising", "strategy_name": "calm_rsi"}}
        backend.operations["op_r"] = operation("op_r", "agent_research", "completed", **more, **ended)
        reader.until(lambda stream: "Promising" in stream.places.get("outcome", ""))
        conclusion = {"verdict": "promising", "strengths": ["<b>Few</b> trades."], "suggestions": 7, "cost_usd": 0.07}
        conclusion["hypotheses"] = [{"text": "A longer period."}, None]
        backend.operations["op_s"] = operation(
            "op_s", "agent_assessment", "completed", result_summary=conclusion, completed_at=stamp()
        )
        reader.until(lambda stream: "&lt;b&gt;Few&lt;/b&gt; trades." in stream.places.get("study", ""))
        study = words(reader.places["study"])
    assert "To be tried next A longer period. The language model has cost $0.07" in study and "Suggestions" not in study


def test_its_phases_are_remembered_when_the_backend_drops_them_at_its_end(here, backend, quick_rounds):
    """KTRDR keeps the ids of a research's operations in its own memory only: at the end "phase" is "idle"."""
    brief, idle = {"brief": "A calm one."}, {"phase": "idle"}
    phases = {"phase": "assessing", "training_op_id": "op_t", "backtest_op_id": "op_b"}
    running = {"metadata": {"parameters": brief | phases}, "progress": percent(90, "Assessing results...")}
    backend.operations["op_r"] = operation("op_r", "agent_research", **running)
    for name, kind in (("op_t", "training"), ("op_b", "backtesting")):
        backend.operations[name] = operation(name, kind, "completed", completed_at=stamp())
    assert "Training Completed Backtest Completed" in words(here.get("/operations/op_r").text)
    ended = {"metadata": {"parameters": brief | idle}, "result_summary": {"verdict": "promising"}}
    backend.operations["op_r"] = operation("op_r", "agent_research", "completed", completed_at=stamp(), **ended)
    page = words(here.until("/operations/op_r", lambda text: "Promising" in text))
    known = "Training Completed Backtest Completed Assessment ended; the backend names no operation of it"
    assert f"Design ended; the backend names no operation of it {known}" in page, page
    assert 'href="/operations/op_r"' in here.get("/operations/op_t").text, "it leads back"


def test_what_a_research_that_was_never_watched_consisted_of_is_not_known(here, backend):
    ended = {"metadata": {"parameters": {"phase": "idle"}}, "completed_at": stamp()}
    for name, status in (("op_r", "completed"), ("op_f", "failed")):
        backend.operations[name] = operation(name, "agent_research", status, **ended)
        page = words(here.get(f"/operations/{name}").text)
        assert "Training not known" in page and "not reached" not in page, page


def test_a_research_that_broke_off_says_where(here, backend, quick_rounds):
    phases = {"phase": "training", "design_op_id": "op_d", "training_op_id": "op_t"}
    backend.operations["op_r"] = operation("op_r", "agent_research", metadata={"parameters": phases})
    backend.operations["op_d"] = operation("op_d", "agent_design", "completed", completed_at=stamp())
    backend.operations["op_t"] = operation("op_t", status="cancelled", completed_at=stamp())
    assert "Design Completed Training Cancelled Backtest to come" in words(here.get("/operations/op_r").text)
    ended = {"metadata": {"parameters": {"phase": "idle"}}, "completed_at": stamp()}
    backend.operations["op_r"] = operation("op_r", "agent_research", "cancelled", **ended)
    page = words(here.until("/operations/op_r", lambda text: "not reached" in text))
    assert "Design Completed Training Cancelled Backtest not reached Assessment not reached" in page, page
