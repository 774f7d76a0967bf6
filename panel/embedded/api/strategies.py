"""Strategies: listed, described, checked."""

from typing import Annotated

from fastapi import APIRouter, Body, HTTPException

from panel.embedded import strategy
from panel.embedded.backend import Backend
from panel.embedded.indicators import INDICATORS
from panel.embedded.ledger import Row
from panel.files.strategy_yaml import MAX_BYTES


def routes(home: Backend) -> APIRouter:
    api = APIRouter(prefix="/strategies")

    def by_file(name: str) -> strategy.Strategy:
        found = strategy.find(name, home.strategy_folders)
        if found is None:
            raise HTTPException(404, f"Strategy file not found: {name[:100]}.yaml")
        return found

    @api.get("/")
    def strategies() -> Row:
        listed = [_strategy_info(home, found) for found in strategy.all_in(home.strategy_folders)]
        return {"success": True, "strategies": listed}

    @api.get("/{name}")
    def one(name: str) -> Row:
        for found in strategy.all_in(home.strategy_folders):
            if name in (found.stem, found.plan.name if found.plan else ""):
                return _strategy_info(home, found)
        raise HTTPException(404, f"Strategy '{name[:100]}' not found")

    @api.post("/validate/{name}")
    def validate(name: str) -> Row:
        found = by_file(name)
        message = f"Strategy '{found.stem}' is {'valid' if found.valid else 'not valid'}"
        if found.valid and not found.trainable:
            limitation = "needs a KTRDR" if found.needs_ktrdr else "cannot be trained"
            message = f"Strategy '{found.stem}' is valid, but {limitation}"
        return {
            "success": True,
            "valid": found.valid,
            "trainable": found.trainable,
            "needs_ktrdr": found.needs_ktrdr,
            "strategy_name": found.stem,
            "issues": [issue.as_dict() for issue in found.issues],
            "available_indicators": sorted(INDICATORS),
            "message": message,
        }

    @api.get("/{name}/file")
    def file(name: str) -> Row:
        return {"success": True, "strategy_name": name, "text": by_file(name).text}

    @api.post("/check")
    def check(text: Annotated[str, Body(embed=True, max_length=MAX_BYTES)]) -> Row:
        """The result of `validate` for a file with this text."""
        found = strategy.of_text("", text)
        return {"success": True, "valid": found.valid, "issues": [issue.as_dict() for issue in found.issues]}

    @api.get("/{name}/features")
    def features(name: str) -> Row:
        found = by_file(name)
        if found.plan is None:
            raise HTTPException(400, f"Strategy '{found.stem}' has no list of inputs: {found.problem}")
        listed = found.plan.features(list(found.plan.data.timeframes))
        return {"success": True, "strategy_name": found.stem, "features": listed, "count": len(listed)}

    return api


def _strategy_info(home: Backend, found: strategy.Strategy) -> Row:
    versions = sorted(path.name for path in (home.folder / "models" / found.stem).glob("*_v*"))
    answer: Row = {"name": found.stem, "file": found.stem, "description": "", "symbol": "", "timeframe": ""}
    answer |= {"indicators": [], "fuzzy_config": {}, "training_status": "trained" if versions else "untrained"}
    answer |= {"available_versions": versions, "latest_version": versions[-1] if versions else None}
    answer |= {"latest_training_date": None, "latest_metrics": None}
    answer |= {"valid": found.valid, "trainable": found.trainable, "needs_ktrdr": found.needs_ktrdr}
    answer |= {"problem": found.problem} if found.problem else {}
    if found.plan is None:
        return answer
    data = found.plan.data
    answer |= {"name": found.plan.name or found.stem, "description": found.plan.description}
    answer |= {"symbol": next(iter(data.symbols), ""), "timeframe": next(iter(data.timeframes), "")}
    answer |= {"history_required": data.history_required}
    answer |= {"symbols": list(data.symbols), "timeframes": list(data.timeframes)}
    answer |= {"indicators": [{"name": name, "type": used.kind} for name, used in found.plan.indicators.items()]}
    return answer | {"fuzzy_config": {name: list(fuzzy.labels) for name, fuzzy in found.plan.fuzzy_sets.items()}}
