"""A batch that the panel remembers, whose trainings have ended."""

import time
from pathlib import Path

from panel.domain.batches import Batch, BatchRun, Role, RunState
from panel.settings import Settings
from panel.storage.store import Storage
from tests.support.history import ended, seed
from tests.support.pages import KEY
from tests.support.scripted import RESULT


def seed_batch(folder: Path, backend: str, *accuracies: float | None, key: str = KEY) -> None:
    """A grid with a training for each accuracy (None: it waits), above a baseline of 40 %, tested on 900 bars."""
    runs = []
    for number, accuracy in enumerate(accuracies, 1):
        name, symbol = f"op_training_{number}", f"S{number}"
        if accuracy is not None:
            tested = RESULT["test_metrics"] | {"test_accuracy": accuracy, "baseline_accuracy": 0.4}
            used = {"samples": {"test": 900}, "end_date": "2024-12-31T00:00:00"}
            result = RESULT | {"test_metrics": tested, "data_summary": used, "model_path": f"models/{name}"}
            seed(folder, backend, ended(name, "training", "completed", 900 - number, result_summary=result))
        state, made = (RunState.WAITING, None) if accuracy is None else (RunState.DONE, name)
        form = {"strategy_name": "swing", "symbols": symbol, "end_date": "2024-12-31"}
        settings = {"Symbol": symbol}
        runs.append(
            BatchRun(f"{key}-{number}", key, number, Role.TRAINING, "training", form, settings, "", state, "", made)
        )
    form = {"strategy_name": "swing", "way": "grid", "symbols": " ".join(run.form["symbols"] for run in runs)}
    store = Storage(Settings.from_environ({}, backend=backend, data_folder=folder).memory_file)
    store.batches.add(Batch(key, f"{len(runs)} × swing", form, time.time() - 900, "a test"), runs)
    store.close()
