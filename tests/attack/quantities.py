"""More of everything than any backend should have."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
from starlette.responses import JSONResponse, Response

from panel.domain.requests import Request
from panel.settings import Settings
from panel.storage.store import Storage
from tests.attack.world import Result, World, world
from tests.support.history import seed
from tests.support.scripted import Backend, operation, percent, stamp

CORE = 0.7  # of one core, that a crowd may take


class Crowd(Backend):
    """`count` operations in one state, listed in pages as KTRDR does."""

    def __init__(self, count: int, status: str) -> None:
        super().__init__()
        self.count, self.status, self.asked = count, status, 0
        self.at = time.time() - 86_400

    def usual(self, method: str, path: str, body: dict[str, Any]) -> Response:
        match method, path.split("/")[1:]:
            case "GET", ["operations", operation_id] if operation_id.startswith("op_crowd_"):
                self.asked += 1
                return JSONResponse({"success": True, "data": self.one(int(operation_id.rpartition("_")[2]))})
        return super().usual(method, path, body)

    async def _answer(self, request: Any) -> Response:
        if request.url.path.endswith("/operations") and request.method == "GET":
            self.hits["GET /operations"] += 1
            first, limit = (
                int(request.query_params.get(name, other)) for name, other in (("offset", 0), ("limit", 100))
            )
            data = [self.one(n) for n in range(first, min(first + limit, self.count))]
            return JSONResponse({"success": True, "data": data, "total_count": self.count, "active_count": 0})
        return await super()._answer(request)

    def one(self, n: int) -> dict[str, Any]:
        at = stamp(self.at - n)
        done = {"completed_at": stamp(self.at - n + 0.5)} if self.status == "completed" else {}
        return operation(
            f"op_crowd_{n}",
            status=self.status,
            created_at=at,
            started_at=at,
            progress=percent(50, "Epoch 5/10"),
            **done,
        )


def _sampled(w: World, seconds: float, pages: Sequence[str]) -> tuple[float, dict[str, tuple[int, float]]]:
    """(slowest /healthz, each page's worst status and time) over so many seconds."""
    slowest, found = 0.0, dict.fromkeys(pages, (0, 0.0))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for page in pages:
            code, took = w.status(page)
            found[page] = max(found[page], (code, took))
            slowest = max(slowest, w.status("/healthz")[1])
    return slowest, found


def twenty_thousand_running() -> Result:
    """All of them remembered from an earlier run, and in the backend's list."""
    backend = Crowd(20_000, "running")

    def remembered(folder: Path, address: str) -> None:
        seed(folder, address, *map(backend.one, range(backend.count)))  # an earlier panel over this backend read them

    with world(backend, prepare=remembered) as w:
        w.until(lambda: w.status("/readyz")[0] == 200)
        before = w.stalls_so_far()
        cpu, asked, began = w.cpu(), backend.asked, time.monotonic()
        with httpx.stream("GET", w.here.address + "/stream/home", timeout=60) as opened:
            head = next(opened.iter_raw())
            slowest, pages = _sampled(w, 10, ("/", "/operations", "/operations/op_crowd_0", "/workers"))
        seconds = time.monotonic() - began
        share, rate = (w.cpu() - cpu) / seconds, (backend.asked - asked) / seconds
        size, known = len(w.here.get("/").content), w.measure("ktrdr_panel_operations", "training", "running")
        good = all(code == 200 for code, _ in pages.values()) and known == 20_000 and size < 1_000_000
        return Result(
            good and share < CORE and rate < 40 and w.stalls() == before[1],
            f"{known:.0f} known; {share:.0%} of a core, {rate:.0f} requests/s to the backend; home {size / 1e3:.0f} kB, its "
            f"stream begins with {len(head) / 1e3:.0f} kB; slowest page {max(t for _, t in pages.values()) * 1000:.0f} ms, "
            f"/healthz {slowest * 1000:.0f} ms; {w.stalled(before)}; {w.megabytes():.0f} MB",
        )


def forty_thousand_ended() -> Result:
    """They come in by the list, and become known one page after the other: followed for half a minute, not to the end
    (all are known after one to two)."""
    backend = Crowd(0, "completed")
    with world(backend) as w:
        w.until(lambda: w.status("/readyz")[0] == 200)
        w.status("/"), w.status("/operations")
        before, began = w.stalls_so_far(), time.monotonic()
        backend.count, known, slowest, worst = 40_000, 0.0, 0.0, (0, 0.0)
        with httpx.stream("GET", w.here.address + "/stream/home", timeout=60) as opened:
            next(opened.iter_raw())
            while known < backend.count and time.monotonic() - began < 30:
                health, pages = _sampled(w, 2, ("/", "/operations", "/operations?page=20"))
                slowest, worst = max(slowest, health), max(worst, *pages.values())
                known = w.measure("ktrdr_panel_operations", "training", "completed")
        took = time.monotonic() - began
        return Result(
            worst[0] == 200 and w.stalls() == before[1] and known > 5_000,
            f"{known:.0f} known after {took:.0f} s; /healthz at most {slowest * 1000:.0f} ms, slowest page "
            f"{worst[1] * 1000:.0f} ms; {w.stalled(before)}; {w.megabytes():.0f} MB",
        )


def three_thousand_unknown() -> Result:
    """Streams of ids that nobody knows, each opened twice."""
    with world() as w:
        w.until(lambda: w.status("/readyz")[0] == 200)
        w.status("/")
        before = w.stalls_so_far()

        def opened(part: int) -> None:
            with httpx.Client(base_url=w.here.address, timeout=60) as client:
                for n in range(part * 300, part * 300 + 300):
                    for _ in range(2):
                        with client.stream("GET", f"/stream/op_nobody_{n}") as answer:
                            next(answer.iter_raw())

        with ThreadPoolExecutor(10) as pool:
            list(pool.map(opened, range(10)))
        asked = {hit: count for hit, count in w.backend.hits.items() if "nobody" in hit}
        return Result(
            max(asked.values(), default=0) <= 1 and w.stalls() == before[1],
            f"6,000 streams opened of 3,000 ids: {sum(asked.values())} requests to the backend, one id at most "
            f"{max(asked.values(), default=0)} times; {w.stalled(before)}",
        )


def many_queued() -> Result:
    """4,800 data loads that somebody queues, as far as the queue takes them."""
    taken: list[int] = []

    def remembered(folder: Path, address: str) -> None:
        with closing(Storage(Settings.from_environ({}, backend=address, data_folder=folder).memory_file)) as store:
            form = {"symbol": "EURUSD", "timeframe": "1h", "start_date": "2024-01-01", "end_date": "2024-02-01"}
            wanted = ([Request(f"{n:022}", "data_load", form)] for n in range(4800))
            taken.append(sum(store.queue.add(each) is not None for each in wanted))

    backend = Backend()
    backend.answers["POST /data/acquire/download"] = (503, {"detail": "busy"})
    with world(backend, prepare=remembered) as w:
        w.until(lambda: w.status("/readyz")[0] == 200)
        before = w.stalls_so_far()
        slowest, pages = _sampled(w, 5, ("/", "/data", "/queue"))
        sizes = {page: len(w.here.get(page).content) for page in pages}
        return Result(
            all(code == 200 for code, _ in pages.values()) and max(sizes.values()) < 1_000_000,
            f"{taken[0]} taken; largest page {max(sizes.values()) / 1e3:.0f} kB, slowest {max(t for _, t in pages.values()) * 1000:.0f} ms; "
            f"{w.stalled(before)}",
        )
