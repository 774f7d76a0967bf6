"""The embedded backend's answers have the real backend's statuses and shapes."""

import sqlite3

import pytest

pytestmark = pytest.mark.anyio

BACKTEST = {"strategy_name": "small", "start_date": "2024-02-01", "end_date": "2024-12-31"}
LOAD = {"symbol": "EURUSD", "timeframe": "1h", "mode": "tail"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "shape"),
    [
        ("GET", "/operations/op_nope", None, 404, "text"),
        ("DELETE", "/operations/op_nope", None, 404, "text"),
        ("GET", "/operations/op_nope/results", None, 404, "text"),
        ("GET", "/operations/op_nope/metrics", None, 404, "text"),
        ("GET", "/operations/op_nope/children", None, 404, "text"),
        ("POST", "/operations/op_nope/retry", None, 404, "text"),
        ("GET", "/operations?status=bogus", None, 422, "error"),
        ("GET", "/operations?limit=0", None, 422, "error"),
        ("GET", "/trainings/op_nope/performance", None, 404, "text"),
        ("GET", "/checkpoints/op_nope", None, 404, "text"),
        ("DELETE", "/checkpoints/op_nope", None, 404, "text"),
        ("GET", "/strategies/nope", None, 404, "text"),
        ("POST", "/strategies/validate/nope", None, 404, "text"),
        ("GET", "/strategies/nope/features", None, 404, "text"),
        ("POST", "/trainings/start", {}, 422, "error"),
        ("POST", "/trainings/start", {"strategy_name": "nope"}, 400, "text"),
        ("POST", "/trainings/start", {"strategy_name": "broken"}, 400, "dict"),
        ("POST", "/trainings/start", {"strategy_name": "small", "start_date": "soon"}, 422, "text"),
        ("POST", "/trainings/start", {"strategy_name": "small", "start_date": "2199-01-01"}, 422, "text"),
        ("POST", "/trainings/start", {"strategy_name": "small", "timeframes": ["7x"]}, 422, "text"),
        ("POST", "/trainings/start", {"strategy_name": "small", "symbols": ["../x"]}, 422, "text"),
        ("POST", "/trainings/start", {"strategy_name": "small", "task_id": "a/b"}, 422, "error"),
        (
            "POST",
            "/trainings/start",
            {"strategy_name": "small", "start_date": "2024-02-01", "end_date": "2024-01-01"},
            422,
            "text",
        ),
        ("POST", "/backtests/start", {"strategy_name": "small"}, 422, "error"),
        ("POST", "/backtests/start", BACKTEST | {"strategy_name": ""}, 422, "error"),
        ("POST", "/backtests/start", BACKTEST | {"strategy_name": "nope"}, 400, "text"),
        ("POST", "/backtests/start", BACKTEST | {"start_date": "x"}, 422, "error"),
        ("POST", "/backtests/start", BACKTEST | {"end_date": "2024-01-01"}, 422, "text"),
        ("POST", "/backtests/start", BACKTEST | {"initial_capital": -5}, 422, "error"),
        ("POST", "/backtests/start", BACKTEST | {"commission": 1.5}, 422, "error"),
        ("POST", "/backtests/start", BACKTEST | {"symbol": "../x"}, 422, "text"),
        ("POST", "/data/acquire/download", {"symbol": "EURUSD", "timeframe": "1h"}, 422, "error"),
        ("POST", "/data/acquire/download", LOAD | {"mode": "local"}, 422, "error"),
        ("POST", "/data/acquire/download", LOAD | {"symbol": ""}, 422, "error"),
        ("POST", "/data/acquire/download", LOAD | {"symbol": "../x"}, 422, "error"),
        ("POST", "/data/acquire/download", LOAD | {"timeframe": "7x"}, 422, "error"),
        ("POST", "/data/acquire/download", LOAD | {"start_date": "junk"}, 422, "text"),
        ("POST", "/data/range", {"symbol": "NOPE", "timeframe": "1h"}, 404, "text"),
        ("POST", "/data/range", {"symbol": "EURUSD", "timeframe": "7x"}, 400, "error"),
        ("POST", "/data/range", {"symbol": "EURUSD"}, 422, "error"),
        ("GET", "/data/EURUSD/1h?start_date=garbage", None, 400, "error"),
        ("GET", "/data/EURUSD/1h?limit=0", None, 422, "error"),
        ("GET", "/nope", None, 404, "text"),
    ],
)
async def test_what_is_refused(wire, folder, method, path, body, status, shape):
    (folder / "strategies" / "broken.yaml").write_text("indicators: [rsi]")
    got, answer = await wire.ask(method, path, body)
    assert got == status, answer
    match shape:
        case "text":
            assert set(answer) == {"detail"} and isinstance(answer["detail"], str)
        case "dict":
            assert set(answer) == {"detail"} and isinstance(answer["detail"], dict)
        case "error":
            assert answer["success"] is False and set(answer["error"]) == {"code", "message", "details"}
    assert (await wire.get("/operations"))["total_count"] == 0, "nothing was started"


async def test_the_lists_of_an_empty_house(wire):
    assert (await wire.get("/operations")) == {"success": True, "data": [], "total_count": 0, "active_count": 0}
    assert (await wire.get("/checkpoints"))["total_count"] == 0
    assert (await wire.get("/checkpoints/stats"))["total_checkpoints"] == 0
    assert (await wire.get("/models"))["models"] == []
    assert [item["id"] for item in (await wire.get("/timeframes"))["data"]] == [
        "1m",
        "5m",
        "15m",
        "30m",
        "1h",
        "2h",
        "4h",
        "1d",
        "1w",
        "1M",
    ]
    assert (await wire.get("/data/NOPE/1h"))["data"]["dates"] == []
    workers = await wire.get("/workers")
    assert [worker["worker_type"] for worker in workers] == ["training", "backtesting"]
    assert {(worker["status"], worker["current_operation_id"]) for worker in workers} == {("available", None)}
    assert await wire.get("/workers", params={"status": "busy"}) == []


async def test_strategies_are_listed_described_and_checked(wire, folder):
    (folder / "strategies" / "broken.yaml").write_text("indicators: [rsi]")
    listed = {item["name"]: item for item in (await wire.get("/strategies/"))["strategies"]}
    assert set(listed) == {"broken", "small", "long", "rsi_swing", "trend_momentum", "multi_timeframe_trend"}
    assert "v2" in listed["broken"]["problem"]
    assert (listed["small"]["symbols"], listed["small"]["timeframes"]) == (["EURUSD"], ["1h"])
    assert (await wire.get("/strategies/small"))["training_status"] == "untrained"
    good, bad = await wire.post("/strategies/validate/small"), await wire.post("/strategies/validate/broken")
    assert (good["valid"], good["issues"]) == (True, [])
    assert bad["valid"] is False and bad["issues"][0]["severity"] == "error"
    features = await wire.get("/strategies/small/features")
    assert features["count"] == 2 and features["features"][0] == {
        "feature_id": "1h_momentum_low",
        "timeframe": "1h",
        "fuzzy_set": "momentum",
        "membership": "low",
        "indicator_id": "rsi_14",
        "indicator_output": None,
    }


async def test_what_is_left_out_comes_from_the_strategy_and_what_is_given_counts(wire):
    refusal = await wire.post("/trainings/start", {"strategy_name": "small", "symbols": ["gbpusd"], "extra": 1})
    assert (refusal["symbols"], refusal["timeframes"], refusal["status"]) == (["GBPUSD"], ["1h"], "training_started")
    operation = await wire.end(refusal["task_id"])
    assert operation["metadata"]["parameters"]["strategy_name"] == "small"
    assert operation["metadata"]["symbol"] == "GBPUSD"
    assert "No data found in cache for GBPUSD 1h" in operation["error_message"]
    results = await wire.get(f"/operations/{refusal['task_id']}/results")
    assert (results["status"], results["results"]) == ("failed", {})
    again = await wire.post(f"/operations/{refusal['task_id']}/retry")
    assert (await wire.end(again["data"]["operation_id"]))["status"] == "failed", "a retry really runs"


async def test_what_needs_a_ktrdr_is_valid_and_is_not_started(wire, folder):
    text = (folder / "strategies" / "small.yaml").read_text()
    (folder / "strategies" / "deep.v2.yaml").write_text(text.replace("type: mlp", "type: lstm"))
    checked = await wire.post("/strategies/validate/deep.v2")
    assert (checked["valid"], checked["trainable"], checked["needs_ktrdr"]) == (True, False, True)
    assert checked["message"] == "Strategy 'deep.v2' is valid, but needs a KTRDR"
    assert [issue["category"] for issue in checked["issues"]] == ["needs_ktrdr"]
    listed = {item["file"]: item for item in (await wire.get("/strategies/"))["strategies"]}["deep.v2"]
    assert (listed["valid"], listed["trainable"], listed["symbols"]) == (True, False, ["EURUSD"])
    assert listed["problem"].startswith("This strategy needs a KTRDR: ")
    assert (await wire.get("/strategies/deep.v2/features"))["count"] == 2
    status, answer = await wire.ask("POST", "/trainings/start", {"strategy_name": "deep.v2"})
    assert status == 400 and answer["detail"]["error_code"] == "STRATEGY-NeedsKtrdr"
    assert answer["detail"]["message"] == listed["problem"]
    assert (await wire.get("/operations"))["total_count"] == 0, "nothing was started"
    good = await wire.post("/strategies/validate/small")
    assert (good["trainable"], good["needs_ktrdr"]) == (True, False)


async def test_a_file_beside_the_models_hides_none_of_them(wire, folder):
    for name, text in (("broken", "{"), ("foreign", "[1]"), ("half", '{"data_summary": {}, "training_metrics": {}}')):
        (folder / "models" / "x" / name).mkdir(parents=True)
        (folder / "models" / "x" / name / "model.json").write_text(text)
    assert (await wire.get("/models"))["models"] == []


async def test_a_folder_that_cannot_be_used_is_called_what_it_is(wire, folder):
    with sqlite3.connect(folder / "operations.db") as db:
        db.execute("DROP TABLE checkpoints")
    status, body = await wire.ask("GET", "/checkpoints")
    assert status == 500
    assert body["error"]["message"] == "The embedded backend's folder cannot be used: no such table: checkpoints."
