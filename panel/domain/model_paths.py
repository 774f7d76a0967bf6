"""By which path a backtest asks for a model. Pure.

Where KTRDR's models folder is an absolute path, a training names its model by that, and a worker of backtests looks for
it in the folder of its container instead. By a path that begins with models/ it finds the same one.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace

from panel.domain.causes import model_elsewhere
from panel.domain.models import Model, model_key
from panel.domain.snapshot import Snapshot
from panel.domain.values import text


def path_to_try(failed: Snapshot) -> str:
    """Where a backtest's model may be found that its worker looked for at another path than the one that was sent; ""
    for any other operation."""
    sent = _sent(failed)
    return short_path(sent) if folder_elsewhere(failed) else ""


def folder_elsewhere(failed: Snapshot) -> str:
    """The folder of the models of which that holds: every backtest of one would fail."""
    sent, key = _sent(failed), model_key(_sent(failed))
    if failed.succeeded or not sent.endswith(f"/models/{key}") or model_elsewhere(failed.error, sent) is None:
        return ""
    return sent.removesuffix(key)


def short_path(path: str) -> str:
    return f"models/{model_key(path)}"


def as_asked_for(model: Model, folders: Collection[str]) -> Model:
    """With the path by which a backtest finds it. `folders`: those that workers look for elsewhere."""
    if not _lies_in(model.path, folders):
        return model
    return replace(model, path=short_path(model.path), saved_at=model.path)


def named(models: Iterable[Model], path: str) -> Model | None:
    """The model that is asked for by this path, or was saved at it."""
    listed = list(models)
    found = next((model for model in listed if model.path == path), None)
    return found or next((model for model in listed if model.saved_at and model.saved_at == path), None)


def _lies_in(path: str, folders: Collection[str]) -> bool:
    return any(path == f"{folder}{model_key(path)}" for folder in folders)


def _sent(backtest: Snapshot) -> str:
    return text(backtest.parameters.get("model_path")).rstrip("/")
