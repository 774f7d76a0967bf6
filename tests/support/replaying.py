"""A backend that answers what a real KTRDR was seen to answer, second by second; see `tests/recordings`.

A recording holds what changed: of the operation only the fields that did. Times in it are seconds since its beginning
("@12.5"), and become moments of the clock under which it is replayed.
"""

import json
import re
import time
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.scripted import stamp

FOLDER = Path(__file__).resolve().parents[1] / "recordings"
TIME = re.compile(r"@-?[\d.]+")


class Replayed:
    """The backend of one recording, from now on."""

    def __init__(self, name: str) -> None:
        self.recorded = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        self.began = time.time()
        answers = {
            "/health": lambda _: {"status": "ok", "version": "1.0"},
            "/operations": self._list,
            "/operations/{id}": self._operation,
            "/workers": lambda _: self._latest("workers") or [],
            "/checkpoints/{id}": lambda _: self._checkpoint(),
            "/models": lambda _: {"success": True, "models": self._latest("models") or []},
            "/symbols": lambda _: {"success": True, "data": self.recorded.get("symbols", [])},
            "/data/{symbol}/{timeframe}": lambda _: self._bars(),
            "/strategies/": lambda _: {"success": True, "strategies": []},
        }
        routes = [Route(f"/api/v1{path}", self._answering(answer)) for path, answer in answers.items()]
        routes.insert(0, Route("/api/v1/data/range", self._answering(lambda _: self._range()), methods=["POST"]))
        self.app = Starlette(routes=routes)

    @property
    def id(self) -> str:
        """Of its one operation."""
        return str(self.recorded["operation"][0][1]["operation_id"])

    @property
    def at(self) -> float:
        """Seconds since the beginning."""
        return time.time() - self.began

    @property
    def silent(self) -> bool:
        return any(first <= self.at <= last for first, last in self.recorded["silent"])

    def _latest(self, what: str) -> Any:
        """The last answer until now; None before the first."""
        found = None
        for at, answer in self.recorded[what]:
            if at <= self.at:
                found = answer
        return found

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = {}
        for at, changes in self.recorded["operation"]:
            if at <= self.at:
                state |= changes
        return state

    def _list(self, _: Request) -> Any:
        state = self._state()
        names = ("operation_id", "operation_type", "status", "created_at")
        return {"success": True, "data": [{name: state[name] for name in names}] if state else []}

    def _operation(self, request: Request) -> Any:
        state = self._state()
        if not state or request.path_params["id"] != state["operation_id"]:
            return None
        training = (state.get("result_summary") or {}).get("training_metrics", {})
        if "epochs_trained" in training:
            training["history"] = {"train_loss": [0.4] * training["epochs_trained"]}
        epochs = [{"epoch": n, "train_loss": 0.5, "val_loss": 0.6} for n in range(state.pop("epochs", 0))]
        return {"success": True, "data": state | {"metrics": {"epochs": [epochs, len(epochs)]}}}

    def _checkpoint(self) -> Any:
        found = self._latest("checkpoint")
        return {"success": True, "data": found} if found else None

    def _stored(self) -> list[str]:
        """The days of which there are bars: each weekday of what is stored, told as first and last days."""
        days: list[str] = []
        for first, last in self._latest("stored") or []:
            at, until = date.fromisoformat(first), date.fromisoformat(last)
            each = [at + timedelta(n) for n in range((until - at).days + 1)]
            days += [f"{day}T00:00:00" for day in each if day.weekday() < 5]
        return days

    def _range(self) -> Any:
        days = self._stored()
        found = {"start_date": f"{days[0]}Z", "end_date": f"{days[-1]}Z", "point_count": len(days)} if days else None
        return found and {"success": True, "data": found}

    def _bars(self) -> Any:
        days = self._stored()
        return {"success": True, "data": {"dates": days, "ohlcv": [[1.0, 1.1, 0.9, 1.0, 5.0] for _ in days]}}

    def _moments(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._moments(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._moments(inner) for inner in value]
        return stamp(self.began + float(value[1:])) if isinstance(value, str) and TIME.fullmatch(value) else value

    def _answering(self, answer: Callable[[Request], Any]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            found = answer(request)
            return JSONResponse({"detail": "Not found"}, 404) if found is None else JSONResponse(self._moments(found))

        return endpoint
