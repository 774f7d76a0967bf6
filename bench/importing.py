"""Importing two million one-minute bars, beside pandas.read_csv of the same file; then its first candles and gaps.

    python -m bench.importing [--quick]

Target: reading, checking and storing in at most 2.5 times pandas.read_csv's time; the last 500 bars in at most 0.3 s,
asked over the API in a process that has never seen the file.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.stage import ROOT, speed

RATIO, CANDLES = 2.5, 0.3


def make(file: Path, count: int) -> None:
    """A file as a program would export it: minutes, five digits, no zone to be asked for."""
    import numpy as np
    import polars as pl

    chance = np.random.default_rng(1)
    close = np.round(1.1 * np.exp(np.cumsum(chance.standard_normal(count)) * 2e-5), 5)
    opened = np.append(close[:1], close[:-1])
    moments = pl.Series("Time (UTC)", (1_577_836_800 + 60 * np.arange(count)) * 1000).cast(pl.Datetime("ms"))
    high, low = np.round(np.maximum(opened, close) + 0.0001, 5), np.round(np.minimum(opened, close) - 0.0001, 5)
    volume = chance.integers(1, 900, count)
    table = pl.DataFrame([moments]).with_columns(Open=opened, High=high, Low=low, Close=close, Volume=volume)
    table.write_csv(file, datetime_format="%Y-%m-%d %H:%M:%S")


def imported(file: Path, folder: Path) -> float:
    from panel.files import importing

    began = time.perf_counter()
    reading = importing.read(file.read_bytes(), file.name)
    importing.store(reading, folder, "EURUSD", "1m", existing="replace")
    return time.perf_counter() - began


def by_pandas(file: Path) -> float:
    import pandas as pd

    began = time.perf_counter()
    pd.read_csv(file)
    return time.perf_counter() - began


def peak() -> float:
    """MB that this process has held at most."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


async def asked(home: Path) -> tuple[float, float]:
    """Seconds until the last 500 candles, and until the gaps, have been answered."""
    import httpx

    from panel.embedded import EmbeddedBackend

    backend = EmbeddedBackend(home)
    await backend.start()
    transport = httpx.ASGITransport(app=backend.app)
    took = []
    async with httpx.AsyncClient(transport=transport, base_url="http://embedded/api/v1", timeout=600) as http:
        for path in ("/data/EURUSD/1m?limit=500", "/data/gaps/EURUSD/1m"):
            began = time.perf_counter()
            answer = await http.get(path)
            took.append(time.perf_counter() - began)
            assert answer.status_code == 200, answer.text  # noqa: S101
    await backend.stop()
    return took[0], took[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="200,000 bars, three rounds")
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        candles, gaps = asyncio.run(asked(Path(options.ask)))
        print(f"{candles} {gaps} {peak():.0f}")
        return
    print(speed())
    count, rounds = (200_000, 3) if options.quick else (2_000_000, 5)
    with tempfile.TemporaryDirectory() as folder:
        file, home = Path(folder) / "EURUSD_1m.csv", Path(folder) / "home"
        make(file, count)
        by_pandas(file)  # the libraries are loaded
        imported(file, home / "data")
        pairs = [(by_pandas(file), imported(file, home / "data")) for _ in range(rounds)]
        pandas, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{count:,} bars, {file.stat().st_size / 1e6:.0f} MB, medians of {rounds} rounds, one after the other:")
        ratio = statistics.median(mine / theirs for theirs, mine in pairs)
        print(f"  pandas.read_csv {pandas:.2f} s; read, checked and stored {ours:.2f} s")
        print(f"  ratio {ratio:.2f}; target: at most {RATIO}")
        print(f"  memory at most {peak():.0f} MB")
        command = [sys.executable, "-m", "bench.importing", "--ask", str(home)]
        answers = [
            subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True).stdout.split()
            for _ in range(rounds)
        ]
        candles, gaps, memory = (statistics.median(float(answer[place]) for answer in answers) for place in range(3))
        print(f"in a new process: 500 candles after {candles:.3f} s (target {CANDLES} s), gaps after {gaps:.3f} s,")
        print(f"  memory {memory:.0f} MB")


if __name__ == "__main__":
    main()
