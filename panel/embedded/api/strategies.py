"""Strategies: listed, described, checked."""

from fastapi import APIRouter, HTTPException

from panel.embedded import strategy
from panel.embedded.backend import Backend
from panel.embedded.indicators import INDICATORS
from panel.embedded.ledger import Row


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
        valid = found.plan is not None
        message = f"Strategy '{found.stem}' is {'valid' if valid else 'not valid'}"
        told = {"valid": valid, "strategy_name": found.stem, "issues": list(found.issues), "message": message}
        return {"success": True, "available_indicators": sorted(INDICATORS), **told}

    @api.get("/{name}/features")
    def features(name: str) -> Row:
        found = by_file(name)
        if found.plan is None:
            raise HTTPException(400, f"Strategy '{found.stem}' is not valid: {found.issues[0]['message']}")
        listed = found.plan.features(list(found.plan.training_data.timeframes))
        return {"success": True, "strategy_name": found.stem, "features": listed, "count": len(listed)}

    return api


def _strategy_info(home: Backend, found: strategy.Strategy) -> Row:
    versions = sorted(path.name for path in (home.folder / "models" / found.stem).glob("*_v*"))
    told: Row = {"name": found.stem, "file": found.stem, "description": "", "symbol": "", "timeframe": ""}
    told |= {"indicators": [], "fuzzy_config": {}, "training_status": "trained" if versions else "untrained"}
    told |= {"available_versions": versions, "latest_version": versions[-1] if versions else None}
    told |= {"latest_training_date": None, "latest_metrics": None}
    if found.plan is None:
        return told | {"problem": found.issues[0]["message"]}
    data = found.plan.training_data
    told |= {"name": found.plan.name or found.stem, "description": found.plan.description}
    told |= {"symbol": data.symbols[0], "timeframe": data.timeframes[0], "history_required": data.history_required}
    told |= {"symbols": list(data.symbols), "timeframes": list(data.timeframes)}
    told |= {"indicators": [{"name": name, "type": used.type} for name, used in found.plan.indicators.items()]}
    return told | {"fuzzy_config": {name: list(fuzzy.labels) for name, fuzzy in found.plan.fuzzy_sets.items()}}
