"""Server time of every page, with 100,000 operations in the panel's memory, and what these weigh.

    python -m bench.pages [--quick]

A scripted backend stands on a socket of its own thread; what is told is the CPU time of the panel's thread, so a
busy machine does not change it, and waiting for the backend is not in it. Wanted: 25 ms for each page, and a file of
less than 1 kB for an operation beside its curves.
"""

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.stage import speed
from tests.support.history import seed
from tests.support.inside import inside
from tests.support.scripted import RESULT, Backend, operation, percent, served, stamp

WANTED = 25.0  # milliseconds
REMEMBERED = 100_000
PATHS = (
    "/",
    "/operations",
    "/operations?page=1000",
    "/operations?state=failed&kind=training&sort=took",
    "/operations?q=nosuch",
    "/operations?q=eurusd+tag:t7",
    "/operations?q=op_9",
    "/operations?star=1",
    "/operations?from=2025-06-01&to=2025-12-31&state=completed",
    "/operations?kind=training&columns=took,test_accuracy,test_loss&sort=test_accuracy",
    "/operations?kind=training&columns=took,test_accuracy,test_loss&sort=test_loss&up=1&page=700",
    "/operations?sort=name&page=999",
    "/operations/news?had=5",
    "/operations/op_99999",
    "/operations/op_run",
    "/operations/op_run/cancel",
    "/operations/compare?id=op_99999&id=op_99998",
    "/start/training",
    "/start/data_load",
    "/start/backtesting",
    "/data",
    "/workers",
    "/strategies",
    "/models",
    "/models/swing/1h_v99999",
    "/checkpoints",
    "/api/operations",
    "/api/operations?limit=200",
    "/api/operations/op_99999?epochs=1",
    "/metrics",
    "/readyz",
)


def remembered(n: int, now: float) -> dict[str, Any]:
    """One of many operations of the last two years: trainings and loads, most of them good."""
    at, kind = stamp(now - (REMEMBERED - n) * 600), "data_load" if n % 4 == 0 else "training"
    more: dict[str, Any] = {
        "created_at": at,
        "started_at": at,
        "completed_at": stamp(now - (REMEMBERED - n) * 600 + 900),
    }
    if n % 10 == 3:
        return operation(f"op_{n:05d}", kind, "failed", error_message="No data found in cache for EURUSD 1h", **more)
    result: dict[str, Any] = {"rows_downloaded": n, "gaps_filled": 1}
    if kind == "training":
        chance = random.Random(n)
        measured = {name: round(chance.uniform(0.3, 0.9), 4) for name in RESULT["test_metrics"]}
        result = RESULT | {
            "test_metrics": measured | {"baseline_accuracy": 0.41},
            "model_path": f"models/swing/1h_v{n}",
        }
    return operation(f"op_{n:05d}", kind, "completed", progress=percent(100), result_summary=result, **more)


def model_of(n: int) -> str:
    return f"models/swing/1h_v{n}"


def fill(folder: Path, address: str, count: int = REMEMBERED) -> None:
    now = time.time()
    labels = {
        f"op_{n:05d}": {
            "name": f"Run {n}",
            "note": "a note of some words",
            "tags": (f"t{n // 1000 % 10}",),
            "star": n % 500 == 0,
        }
        for n in range(0, count, 100)
    }
    seed(folder, address, *(remembered(n, now) for n in range(count)), labels=labels)


def weight(folder: Path) -> tuple[float, float]:
    """Bytes of the memory's file for each operation: in all, and those of its curves."""
    (file,) = (folder / "panel").glob("*.db")
    with closing(sqlite3.connect(file)) as db:
        curves = db.execute("SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name = 'epochs'").fetchone()[0]
    return file.stat().st_size / REMEMBERED, curves / REMEMBERED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5 readings of each page instead of 40")
    rounds = 5 if parser.parse_args().quick else 40
    print(speed())
    backend = Backend()
    backend.operations["op_run"] = operation("op_run", progress=percent(12, "Epoch 12/100"))
    models = [{"model_path": model_of(n), "symbol": "EURUSD", "timeframe": "1h"} for n in range(99_900, 100_000)]
    backend.answers["GET /models"] = (200, {"success": True, "models": models})
    worst = 0.0
    with tempfile.TemporaryDirectory() as name, served(backend.app) as address:
        folder = Path(name)
        fill(folder, address + "/api/v1")
        whole, curves = weight(folder)
        print(f"{whole:.0f} bytes an operation, {curves:.0f} of them its curves; wanted 1,000 beside those")
        with inside(folder, address + "/api/v1") as here:
            print(f"CPU time with {REMEMBERED:,} operations remembered, medians of {rounds}; wanted {WANTED:.0f} ms:")
            for path in PATHS:
                spent = []
                for turn in range(rounds + 2):
                    began = time.thread_time()
                    answer = here.get(path)
                    if turn >= 2:  # templates are compiled, and ranges asked for, by the first ones
                        spent.append((time.thread_time() - began) * 1000)
                if answer.status not in (200, 422):
                    raise SystemExit(f"{path}: {answer.status}")
                middle = statistics.median(spent)
                worst = max(worst, middle)
                print(f"  {middle:7.2f} ms {middle / WANTED:6.2f}  {len(answer.body) / 1000:6.0f} kB  {path}")
    print(f"slowest {worst:.2f} ms, ratio {worst / WANTED:.2f}")


if __name__ == "__main__":
    main()
