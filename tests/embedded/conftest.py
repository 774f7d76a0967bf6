import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from panel.embedded import EmbeddedBackend, market
from panel.embedded.bars import Bars
from panel.embedded.job import Job
from panel.embedded.ledger import Ledger, stamp
from panel.embedded.training import train
from tests.support.small_strategy import STRATEGY

BASE = "http://embedded/api/v1"


class Wire:
    """What a client of the backend sees."""

    def __init__(self, backend: EmbeddedBackend) -> None:
        transport = httpx.ASGITransport(app=backend.app)
        self.http = httpx.AsyncClient(transport=transport, base_url=BASE, timeout=240)

    async def ask(self, method: str, path: str, json: Any = None, **more: Any) -> tuple[int, Any]:
        answer = await self.http.request(method, path, json=json, **more)
        return answer.status_code, answer.json()

    async def get(self, path: str, **more: Any) -> Any:
        status, body = await self.ask("GET", path, **more)
        assert status == 200, body
        return body

    async def post(self, path: str, json: Any = None) -> Any:
        status, body = await self.ask("POST", path, json)
        assert status == 200, body
        return body

    async def operation(self, operation_id: str) -> Any:
        return (await self.get(f"/operations/{operation_id}"))["data"]

    async def until(self, operation_id: str, reached: Any, timeout: float = 240) -> Any:
        """The operation as soon as `reached` says so; its status when it ends before."""
        for _ in range(int(timeout / 0.05)):
            operation = await self.operation(operation_id)
            if reached(operation):
                return operation
            assert operation["status"] in ("pending", "running", "resuming"), operation
            await asyncio.sleep(0.05)
        raise AssertionError(f"not reached: {operation}")

    async def end(self, operation_id: str) -> Any:
        return await self.until(operation_id, lambda operation: operation["completed_at"] and ended(operation))

    async def load(self, symbol: str = "EURUSD", timeframe: str = "1h", mode: str = "tail", **dates: str) -> Any:
        body = {"symbol": symbol, "timeframe": timeframe, "mode": mode, **dates}
        return await self.end((await self.post("/data/acquire/download", body))["operation_id"])


def job(folder: Path, operation_id: str, kind: str, request: Any) -> Job:
    """A new operation as its work sees it, in this process."""
    ledger = Ledger(folder / "operations.db")
    ledger.create()
    assert ledger.add(operation_id, kind, {}, request)
    row = ledger.operation(operation_id)
    assert row is not None
    return Job(folder, row, threading.Event())


def seed(folder: Path, name: str = "small") -> None:
    """A year of bars, and a model that was trained on them just now by the operation op_training_seed."""
    start, end = (int(pd.Timestamp(day, tz="UTC").timestamp()) for day in ("2025-01-01", "2026-01-01"))
    Bars(folder / "data").add("EURUSD", "1h", market.bars("EURUSD", "1h", start, end))
    (folder / "strategies").mkdir(exist_ok=True)
    (folder / "strategies" / f"{name}.yaml").write_text(STRATEGY.format(name=name, epochs=3))
    request = {"strategy_name": name, "symbols": ["EURUSD"], "timeframes": ["1h"]}
    training = job(folder, "op_training_seed", "training", request | {"folders": [str(folder / "strategies")]})
    result = train(training)
    assert result["model_path"] == f"models/{name}/1h_v1"
    about = {"symbol": "EURUSD", "timeframe": "1h", "mode": "training", "parameters": request}
    training.ledger.update(
        training.id, status="completed", percentage=100.0, result=result, completed_at=stamp(), metadata=about
    )


def slow(text: str, batch: int = 1) -> str:
    """A strategy whose training is cancelled, or killed, before it is through: smaller batches are more steps."""
    return text.replace("batch_size: 200", f"batch_size: {batch}")


def ended(operation: Any) -> bool:
    return operation["status"] in ("completed", "failed", "cancelled")


def trained(epochs: int) -> Any:
    """Whether an operation has as many epochs behind it."""
    return lambda operation: (operation["metrics"] or {"epochs": [[]]})["epochs"][0][epochs - 1 :] != []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "small.yaml").write_text(STRATEGY.format(name="small", epochs=5))
    (tmp_path / "strategies" / "long.yaml").write_text(slow(STRATEGY.format(name="long", epochs=2000)))
    return tmp_path


@pytest.fixture
async def home(folder: Path) -> AsyncIterator[EmbeddedBackend]:
    backend = EmbeddedBackend(folder)
    await backend.start()
    yield backend
    await backend.stop()


@pytest.fixture
async def wire(home: EmbeddedBackend) -> AsyncIterator[Wire]:
    wire = Wire(home)
    yield wire
    await wire.http.aclose()
