"""CPU of an embedded training's epochs and of scikit-learn's own (`partial_fit` of the whole set) over the same rows.

    python -m bench.training [--quick]

Both learn 8,400 rows of 3 inputs in batches of 32, in turn, in one process; the figures are medians of CPU seconds.
scikit-learn is there for this only, and no dependency: pip install scikit-learn.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier

from panel.embedded.features import Samples, Split
from panel.embedded.job import Job
from panel.embedded.ledger import Ledger
from panel.embedded.plan import Layers, Learning, Plan
from panel.embedded.training import Run, learn

ROWS, INPUTS, BATCH, HIDDEN = 8400, 3, 32, (32, 16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    rounds, epochs = (2, 5) if parser.parse_args().quick else (7, 20)
    with sklearn.config_context(skip_parameter_validation=True, assume_finite=True):
        pairs = [(_own(epochs), _plain(epochs)) for _ in range(rounds)]
    own, plain = (median(pair[place] for pair in pairs) for place in (0, 1))
    print(f"embedded epoch {own * 1000:.1f} ms, scikit-learn's epoch {plain * 1000:.1f} ms: {own / plain:.2f} times")


def _samples(rows: int) -> Samples:
    chance = np.random.default_rng(1)
    times = np.arange(rows, dtype=np.int64) * 3600
    return Samples(times, times, chance.random((rows, INPUTS)), chance.integers(0, 3, rows))


def _own(epochs: int) -> float:
    """CPU seconds of an epoch: learning, measuring both parts, reporting, checkpoints."""
    plan = Plan(layers=Layers(HIDDEN), learning=Learning(epochs=epochs, batch_size=BATCH))
    parts = Split(_samples(ROWS), _samples(ROWS // 5), _samples(ROWS // 5), (0, 0, 0))
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "operations.db")
        ledger.create()
        ledger.add("op_bench", "training", {}, {"strategy_name": "bench"})
        operation = ledger.operation("op_bench")
        assert operation is not None
        job = Job(Path(folder), operation, threading.Event())
        began = time.process_time()
        learn(job, plan, Run(plan), parts)
        return (time.process_time() - began) / epochs


def _plain(epochs: int) -> float:
    samples = _samples(ROWS)
    estimator = MLPClassifier(hidden_layer_sizes=HIDDEN, batch_size=BATCH, random_state=1)
    began = time.process_time()
    for _ in range(epochs):
        estimator.partial_fit(samples.inputs, samples.labels, classes=range(3))
    return (time.process_time() - began) / epochs


if __name__ == "__main__":
    main()
