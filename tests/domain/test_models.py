"""Which models can be tried out, what each has seen, and what a backtest's form makes of it."""

from dataclasses import replace
from datetime import date

import pytest

from panel.backend.entities import model_of, snapshot_of
from panel.domain.models import Model, gathered, with_makers
from panel.domain.observation import observed
from panel.domain.values import moment
from tests.support.bars import hours
from tests.support.pages import KEY, words
from tests.support.scripted import RESULT, operation, stamp

USED = {"symbols": ["EURUSD"], "timeframes": ["1h"], "start_date": "2024-01-01", "end_date": "2025-06-30"}
TRAINED = RESULT | {"model_path": "models/swing/1h_v4", "data_summary": USED}
TYPED = {
    "key": KEY,
    "model_path": "models/swing/1h_v4",
    "strategy_name": "swing",
    "symbol": "EURUSD",
    "timeframe": "1h",
    "start_date": "2025-07-01",
    "end_date": "2025-12-31",
}


def trained(result: object = TRAINED, operation_id: str = "op_a", **more: object) -> dict:
    made = operation(operation_id, status="completed", result_summary=result, completed_at=stamp(), **more)
    made["metadata"]["parameters"] |= {"start_date": "2024-01-01", "end_date": "2025-06-30"}
    return made


def model(**used: object) -> Model:
    snapshot = snapshot_of(trained(TRAINED | {"data_summary": USED | used}), 0.0)
    found = Model.from_training(snapshot)
    assert found is not None
    return found


def test_a_model_whose_training_was_started_without_dates_names_none(here, backend):
    """KTRDR then tells defaults of its own, which say nothing of the bars that there were."""

    def answer(_):
        backend.operations["op_a"] = trained()
        return 200, {"success": True, "task_id": "op_a", "status": "training_started"}

    backend.answers["POST /trainings/start"] = answer
    here.post("/start/training", {"key": KEY, "strategy_name": "swing", "insist": "1"})
    here.until("/operations/op_a", lambda text: "Backtest this model" in text)
    here.until("/start/backtesting", lambda text: TYPED["model_path"] in text)  # written down too
    page = words(here.get("/operations/op_a").text).partition("Parameters")[2].partition("Timeline")[0]
    assert "2024-01-01" not in page and "2025-06-30" not in page
    made = {"model_id": "", "symbol": "EURUSD", "timeframe": "1h", "created_at": stamp()}  # as KTRDR lists it
    backend.answers["GET /models"] = 200, {"success": True, "models": [made]}
    here.until("/models", lambda text: "no dates were chosen: what was stored until 2025-06-30" in words(text))
    assert "has seen what was stored of EURUSD until 2025-06-30: its training was started without dates." in look(here)
    assert "all days" in look(here, start_date="2025-01-01", end_date="2025-02-01")


def test_what_a_model_has_seen():
    """Without a word about its test part all of it counts as seen; with one, only what came before."""
    assert model().unseen_from == moment("2025-07-01")
    assert model(test_start_date="2025-05-01").unseen_from == moment("2025-05-01")
    assert (model().strategy, model().symbol, model().timeframe) == ("swing", "EURUSD", "1h")
    assert model(timeframes=["1h", "4h"]).timeframe == "", "on which it decides was not told"
    assert model(timeframes=["1h", "4h"], base_timeframe="1h").timeframe == "1h"


def test_a_form_begins_where_the_model_has_seen_nothing():
    filled = model().fill(date(2026, 3, 1))
    assert (filled["start_date"], filled["end_date"]) == ("2025-07-01", "2026-03-01")
    assert filled["model_path"] == "models/swing/1h_v4"
    # It has seen all there is: half a year, and the page says what that is worth.
    assert model().fill(date(2025, 7, 3))["start_date"] == "2025-01-02"


@pytest.mark.parametrize(
    ("start", "end", "symbol", "days"),
    [
        ("2025-07-01", "2025-12-31", "EURUSD", 0),
        ("2025-06-21", "2025-12-31", "EURUSD", 10),
        ("2024-03-01", "2024-03-11", "eurusd", 10),
        ("2020-01-01", "2020-12-31", "EURUSD", 0),
        ("2024-03-01", "2024-03-11", "GBPUSD", 0),
    ],
)
def test_how_much_of_a_period_it_has_seen(start, end, symbol, days):
    assert model().overlap(moment(start), moment(end), symbol) == days


@pytest.mark.parametrize("result", [{}, {"model_path": ""}, {"model_path": None}, {"model_path": ["x"]}])
def test_a_training_that_saved_nothing_has_no_model(result):
    assert Model.from_training(snapshot_of(trained(result), 0.0)) is None


@pytest.mark.parametrize("item", [{}, {"model_id": "", "model_name": "", "symbol": "EURUSD"}])
def test_a_listed_model_without_a_place_is_not_offered(item):
    assert gathered([], [model_of(item)]) == []


def test_each_model_once_and_the_newest_first():
    listed = {"model_path": "models/swing/1h_v4", "model_name": "", "created_at": "2020-01-01T00:00:00"}
    other = {"model_path": "models/other/1h_v1", "created_at": "2021-01-01T00:00:00", "data_summary": "nonsense"}
    found = gathered([model(), None], [model_of(listed), model_of(other)])
    assert [(one.path, one.strategy) for one in found] == [
        ("models/swing/1h_v4", "swing"),
        ("models/other/1h_v1", "other"),
    ]
    assert found[0].accuracy == TRAINED["test_metrics"]["test_accuracy"], "what the training told is more"


def look(here, **typed: str) -> str:
    return words(here.post("/start/backtesting/look", TYPED | typed).text)


def test_the_form_is_filled_from_a_training_that_the_panel_remembers(here, backend):
    """Its start names the strategy by its file; the backend knows it by the name in there."""
    page = here.get("/start/backtesting").text
    assert "No finished training is known." in page and 'type="radio"' not in page
    start = here.post("/start/training", {"key": KEY, "strategy_name": "swing_file", "insist": "1"})
    operation_id = start.headers["location"].rpartition("/")[2]
    backend.operations[operation_id] = trained(operation_id=operation_id)
    page = here.until(f"/operations/{operation_id}", lambda text: "Backtest this model" in text)
    assert 'href="/start/backtesting?model_path=models%2Fswing%2F1h_v4"' in page
    page = here.get("/start/backtesting?model_path=models%2Fswing%2F1h_v4").text
    assert 'value="models/swing/1h_v4"' in page and "checked" in page
    for name, value in (("strategy_name", "swing_file"), ("symbol", "EURUSD"), ("start_date", "2025-07-01")):
        assert f'name="{name}" type="{"date" if "date" in name else "text"}" value="{value}"' in page


def test_the_check_before_a_backtest(here, backend):
    backend.operations["op_a"] = trained()
    here.until("/operations/op_a", lambda text: "Backtest this model" in text)
    here.until("/start/backtesting", lambda text: TYPED["model_path"] in text)  # written down too
    assert "has seen EURUSD from 2024-01-01 to 2025-06-30" in look(here) and "flatters" not in look(here)
    assert "The period has been seen in training: 30 of 214 days. That flatters the result." in look(
        here, start_date="2025-06-01"
    )
    assert "all days" in look(here, start_date="2025-01-01", end_date="2025-02-01")
    assert "was trained with swing, not with other" in look(here, strategy_name="other")
    assert "models/x/1h_v1 is not known to the panel." in look(here, other_model="models/x/1h_v1")
    assert "To is needed." in look(here, end_date="")
    backend.bars = {("GBPUSD", "1h"): hours(60)}
    read = look(here, symbol="AUDUSD")
    assert "AUDUSD 1h no data stored, so the backtest would fail. Load AUDUSD 1h" in read
    assert "None lies in this period, so the backtest would fail." in look(
        here, symbol="GBPUSD", start_date="2010-01-01", end_date="2010-02-01"
    )
    assert here.post("/start/dummy/look").status_code == 404


def test_a_start_sends_what_was_chosen_and_what_the_model_says(here, backend):
    """As without scripts: only the choice and the dates."""
    backend.operations["op_a"] = trained()
    here.until("/operations/op_a", lambda text: "Backtest this model" in text)
    here.until("/start/backtesting", lambda text: TYPED["model_path"] in text)  # written down too
    form = {name: TYPED[name] for name in ("key", "model_path", "start_date", "end_date")}
    answer = here.post("/start/backtesting", form | {"commission": "0", "slippage": "0.02%"})
    assert answer.status_code == 303
    assert backend.bodies[-1] == (
        "POST /backtests/start",
        {name: TYPED[name] for name in TYPED if name != "key"}
        | {"initial_capital": 100000.0, "commission": 0.0, "slippage": 0.0002},
    )
    again = here.get(f"/start/backtesting?again={answer.headers['location'].rpartition('/')[2]}").text
    assert 'name="slippage" type="text" value="0.02%"' in again
    other = here.post("/start/backtesting", form | {"key": KEY + "2", "other_model": "models/mine/1h_v1"})
    assert other.status_code == 422 and "Strategy is needed." in words(other.text)
    assert 'value="models/mine/1h_v1"' in other.text, "what was typed is still there"


def test_costs_of_a_run_from_elsewhere_are_shown_in_per_cent(here, backend):
    parameters = {"strategy_name": "swing", "commission": 0.001, "slippage": 0.0005, "initial_capital": 5000.0}
    backend.operations["op_b"] = operation(
        "op_b", "backtesting", "failed", error_message="no", metadata={"symbol": "EURUSD", "parameters": parameters}
    )
    here.read("op_b")
    page = here.get("/start/backtesting?again=op_b").text
    assert 'name="commission" type="text" value="0.1"' in page and 'name="slippage" type="text" value="0.05"' in page


def test_the_form_as_a_command_line_has_the_model_that_would_be_sent(here, backend):
    backend.operations["op_a"] = trained()
    here.until("/operations/op_a", lambda text: "Backtest this model" in text)
    here.until("/start/backtesting", lambda text: TYPED["model_path"] in text)  # written down too
    form = {name: TYPED[name] for name in ("model_path", "start_date", "end_date")} | {"commission": "0.2"}
    lines = words(here.post("/start/backtesting/command", form).text)
    assert "backtest swing" in lines and "--model models/swing/1h_v4" in lines and "--commission 0.2" in lines
    lines = words(
        here.post("/start/backtesting/command", form | {"other_model": "models/x/1h_v1", "strategy_name": "x"}).text
    )
    assert "backtest x" in lines and "--model models/x/1h_v1" in lines


def unnamed(at: str, **more: object) -> Model:
    """As KTRDR lists a model: neither id nor path, and 0.0 for every accuracy."""
    listed = {"model_id": "", "symbol": "EURUSD", "timeframe": "1h", "created_at": at, "test_accuracy": 0.0}
    found = model_of(listed | more)
    assert found is not None
    return found


def test_a_model_without_a_path_was_made_by_the_training_that_ended_when_it_appeared():
    made = [
        observed(None, snapshot_of(trained(TRAINED | {"model_path": f"models/swing/{name}"}, name) | ended, 0.0))
        for name, ended in (
            ("op_a", {"completed_at": "2026-11-20T10:00:00Z"}),
            ("op_b", {"completed_at": "2026-11-20T10:00:40Z"}),
        )
    ]
    listed = [unnamed("2026-11-20T10:00:39"), unnamed("2026-11-20T10:00:01"), unnamed("2026-11-20T12:00:00")]
    listed.append(unnamed("2026-11-20T10:00:00", symbol="GBPUSD"))
    found = with_makers(listed, made)
    assert [maker and maker.snapshot.id for _, maker in found] == ["op_b", "op_a", None, None]
    assert [model.path for model, _ in found] == ["models/swing/op_b", "models/swing/op_a", "", ""]
    assert [model.accuracy for model, _ in found] == [0.872, 0.872, None, None], "unknown is not 0.0 %"
    concluded = replace(
        made[0], model_at=moment("2026-11-20T11:59:53"), snapshot=replace(made[0].snapshot, result=None)
    )
    assert with_makers([unnamed("2026-11-20T11:59:53")], [concluded])[0][1] is concluded
    assert with_makers([unnamed("2026-11-20T12:00:00")], [concluded])[0][1] is None, "its own model is not listed here"
    named = unnamed("2026-11-20T12:00:00", model_path="/app/models/swing/op_a")
    assert with_makers([named], made)[0][1] is made[0], "its path says more than its time"
