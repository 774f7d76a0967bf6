"""A batch that the panel remembers, whose trainings have ended."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from panel.domain.batches import Batch, BatchRun, Role, RunState
from panel.settings import Settings
from panel.storage.store import Storage
from tests.support.history import ended, seed
from tests.support.pages import KEY
from tests.support.scripted import RESULT


def seed_batch(
    folder: Path,
    backend: str,
    *accuracies: float | None,
    key: str = KEY,
    bars: Mapping[str, int] | None = None,
    used: Mapping[str, Any] | None = None,
    tested: Mapping[str, Any] | None = None,
) -> None:
    """A grid with a training for each accuracy (None: it waits), above a baseline of 40 %. `bars`: the markets in turn,
    with what each is tested on. `used` and `tested`: what their results say more of their data and of the test."""
    more, measured, bars = used or {}, tested or {}, bars or {"EURUSD": 900}
    runs = []
    for number, accuracy in enumerate(accuracies, 1):
        name, symbol = f"op_training_{number}", list(bars)[(number - 1) % len(bars)]
        if accuracy is not None:
            test = RESULT["test_metrics"] | {"test_accuracy": accuracy, "baseline_accuracy": 0.4} | measured
            test["test_loss"] = 1 - accuracy
            data = {"samples": {"test": bars[symbol]}, "end_date": "2024-12-31T00:00:00"} | more
            result = RESULT | {"test_metrics": test, "data_summary": data, "model_path": f"models/{name}"}
            seed(
                folder,
                backend,
                ended(name, "training", "completed", 900 - number, symbol=symbol, result_summary=result),
            )
        state, made = (RunState.WAITING, None) if accuracy is None else (RunState.DONE, name)
        form = {"strategy_name": "swing", "symbols": symbol, "end_date": "2024-12-31"}
        settings = {"Symbol": symbol} if len(bars) > 1 else {"random_seed": str(number)}
        runs.append(
            BatchRun(f"{key}-{number}", key, number, Role.TRAINING, "training", form, settings, "", state, "", made)
        )
    form = {"strategy_name": "swing", "way": "grid", "symbols": " ".join(bars)}
    store = Storage(Settings.from_environ({}, backend=backend, data_folder=folder).memory_file)
    store.batches.add(Batch(key, f"{len(runs)} × swing", form, time.time() - 900, "a test"), runs)
    store.close()
