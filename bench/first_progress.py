"""Seconds from a start at the embedded backend to its first progress, with and without a process that was kept ready.

    python -m bench.first_progress [--quick]

The backend is asked every 10 ms, in this process. Wanted: 0.7 s to the first per cent of a training, 0.3 s to that of a
load.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from bench.stage import speed
from panel.embedded import EmbeddedBackend

LOAD = {"symbol": "EURUSD", "timeframe": "1h", "mode": "tail", "start_date": "2021-01-01"}
STARTS = (
    ("load", 0.3, "/data/acquire/download", LOAD),
    ("training", 0.7, "/trainings/start", {"strategy_name": "rsi_swing"}),
)


async def until(http: httpx.AsyncClient, operation_id: str, reached: Any) -> None:
    while not reached((await http.get(f"/operations/{operation_id}")).json()["data"]):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def cpu(pid: int) -> int:
    """Hundredths of a second so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def ready(backend: EmbeddedBackend, http: httpx.AsyncClient) -> None:
    """A process is kept ready, and waits: it spends no CPU any more."""
    await http.post("/workers/prepare")
    process, _ = backend._backend.processes._ready  # type: ignore[misc]
    spent, before = -1, -2
    while spent != before or spent < 20:
        await asyncio.sleep(0.5)
        spent, before = cpu(process.pid), spent


async def first_progress(http: httpx.AsyncClient, path: str, body: dict[str, str]) -> float:
    began = time.perf_counter()
    answer = (await http.post(path, json=body)).json()
    operation_id = answer.get("task_id") or answer["operation_id"]
    await until(http, operation_id, lambda now: now["progress"]["percentage"] > 0)
    took = time.perf_counter() - began
    await http.request("DELETE", f"/operations/{operation_id}", json={"reason": "measured"})
    await until(http, operation_id, lambda now: now["completed_at"])
    return took


async def measure(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        backend = EmbeddedBackend(Path(folder))
        await backend.start()
        transport = httpx.ASGITransport(app=backend.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://embedded/api/v1", timeout=60) as http:
            answer = (await http.post("/data/acquire/download", json=LOAD)).json()
            await until(http, answer["operation_id"], lambda now: now["completed_at"])
            for name, wanted, path, body in STARTS:
                cold, warm = [], []
                for _ in range(rounds):
                    cold.append(await first_progress(http, path, body))
                    await ready(backend, http)
                    warm.append(await first_progress(http, path, body))
                ratio = median(now / before for now, before in zip(warm, cold, strict=True))
                print(f"  {name}: {median(warm):.2f} s, without {median(cold):.2f} s ({ratio:.2f}); wanted {wanted} s")
        await backend.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2 rounds instead of 7")
    print(speed())
    asyncio.run(measure(2 if parser.parse_args().quick else 7))


if __name__ == "__main__":
    main()
