"""What a backend answers, and what lies in a folder of strategies."""

import asyncio
import itertools
import json
import os
import random
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tests.attack.world import Result, world
from tests.support.command_line import run
from tests.support.extremes import HOSTILE, VALUES
from tests.support.hostile import heavy, shapeless
from tests.support.panels import panel_process
from tests.support.scripted import Backend, operation, percent

PAGES = (
    "/",
    "/operations",
    "/workers",
    "/strategies",
    "/models",
    "/data",
    "/start/training",
    "/start/data_load",
    "/api/operations",
)


class Extreme(Backend):
    """Its answers may hold what JSON has no words for."""

    def usual(self, method: str, path: str, body: dict[str, Any]) -> Response:
        if method == "GET" and path == "/operations":
            answer: dict[str, Any] = {"success": True, "data": [{"duration_seconds": 1e12}, *self.operations.values()]}
        elif method == "GET" and path.removeprefix("/operations/") in self.operations:
            answer = {"success": True, "data": self.operations[path.removeprefix("/operations/")]}
        elif (method, path) == ("GET", "/workers"):
            return Response(json.dumps(self.workers), media_type="application/json")
        elif (method, path) == ("GET", "/strategies/"):
            answer = {"success": True, "strategies": self.strategies}
        elif (method, path) == ("GET", "/health"):
            answer = {"status": "ok", "version": HOSTILE}
        else:
            return super().usual(method, path, body)
        return Response(json.dumps(answer), media_type="application/json")


def poison() -> Result:
    """One operation for each extreme value in each of its fields, before and after a restart."""
    backend = Extreme()
    fields = (
        *("created_at", "started_at", "completed_at", "error_message"),
        *("progress", "metadata", "result_summary", "metrics"),
    )
    for number, (name, value) in enumerate(itertools.product(fields, VALUES)):
        status = ("running", "completed", "failed")[number % 3]
        backend.operations[f"op_{number}"] = operation(f"op_{number}", status=status) | {name: value}
    found: list[int] = []
    with world(backend) as w:
        w.until(lambda: len(backend.hits) > 5)
        found += [w.status(f"/operations/{name}")[0] for name in list(backend.operations)[::2]]
        found += [w.status(page)[0] for page in PAGES]
        tracebacks = w.log().count("Traceback")
        w.process.terminate()
        w.process.wait(20)
        with panel_process(w.folder, w.here.settings.backend) as (again, process):
            found += [
                again.get(page).status_code for page in (*PAGES, *(f"/operations/op_{n}" for n in range(0, 200, 5)))
            ]
            process.terminate()
        tracebacks = w.log().count("Traceback")
    bad = [status for status in found if status >= 500]
    return Result(
        not bad and not tracebacks, f"{len(found)} pages and answers: {len(bad)} of 5xx, {tracebacks} tracebacks"
    )


def bombs() -> Result:
    """Bodies without end, compressed ones, nesting, and no JSON at all."""
    backend, chance = Backend(), random.Random(1)
    for hit in ("GET /workers", "GET /strategies/", "GET /symbols", "GET /models", "GET /operations/op_x"):
        backend.answers[hit] = lambda _: heavy(chance) if chance.random() < 0.4 else shapeless(chance)
    with world(backend) as w:
        w.status("/")
        before, found = w.megabytes(), []
        for _ in range(8):
            found += [w.status(page)[0] for page in (*PAGES, "/operations/op_x")]
        grown = w.megabytes() - before
        bad = [status for status in found if status >= 500 and status not in (502, 503)]
        return Result(
            not bad and grown < 80 and "Traceback" not in w.log(),
            f"{len(found)} pages: {len(bad)} broken; memory +{grown:.0f} MB; {w.log().count('Traceback')} tracebacks",
        )


def escapes() -> Result:
    """Control characters in every text, read in a terminal and in the command to copy."""
    backend = Extreme()
    backend.workers = [{"worker_id": HOSTILE, "worker_type": HOSTILE, "status": HOSTILE}]
    backend.strategies = [{"name": HOSTILE, "description": HOSTILE}]
    about = {"parameters": {"strategy_name": HOSTILE, "symbols": [HOSTILE]}, "symbol": HOSTILE}
    backend.operations["op_x"] = operation("op_x", progress=percent(5, HOSTILE), metadata=about, error_message=HOSTILE)
    with world(backend) as w:
        texts = [w.text(page) for page in (*PAGES, "/operations/op_x", "/api/operations/op_x")]
        done = run(w.folder, "doctor", backend=w.here.settings.backend)
        texts += [done.stdout, done.stderr, w.log()]
    bad = [char for text in texts for char in text if ord(char) < 32 and char not in "\n\t" or 0x7F <= ord(char) < 0xA0]
    bidi = [char for text in texts for char in text if 0x202A <= ord(char) < 0x202F]
    return Result(not bad and not bidi, f"{len(texts)} texts: {len(bad)} control and {len(bidi)} bidi characters")


def trickle() -> Result:
    """Every answer comes a byte a second."""
    backend = Backend()

    async def drops() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b" "
            await asyncio.sleep(1)

    async def slow(_: Request) -> Any:
        return StreamingResponse(drops(), 200)

    with world(backend) as w:
        w.until(lambda: w.status("/readyz")[0] == 200)
        w.status("/")
        hits = ("operations", "workers", "health", "strategies/", "symbols", "models")
        backend.answers |= {f"GET /{hit}": slow for hit in hits}
        began = time.monotonic()
        pages = [w.status(page, 40) for page in ("/", "/operations", "/workers", "/data")]
        down = w.until(lambda: "Backend unreachable" in w.text("/") or "Backend slow" in w.text("/"), 45)
        noticed = time.monotonic() - began
        backend.answers.clear()
        back = w.until(lambda: "Backend unreachable" not in w.text("/") and "Backend slow" not in w.text("/"), 30)
        slowest = max(took for _, took in pages)
        return Result(
            down and back and slowest < 3 and all(code == 200 for code, _ in pages),
            f"slowest page {slowest * 1000:.0f} ms; called down after {noticed:.0f} s, up again {'yes' if back else 'no'}",
        )


def files() -> Result:
    """A FIFO, aliases that expand to gigabytes, sexagesimal numbers, a link out, and megabytes, among the strategies."""
    aliases = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    backend = Backend()
    with world() as other:
        folder = other.folder / "strategies"
        folder.mkdir()
        os.mkfifo(folder / "fifo.yaml")
        (folder / "aliases.yaml").write_text(aliases)
        (folder / "sexagesimal.yaml").write_text("a: 1" + ":59" * 30_000)
        (folder / "large.yaml").write_text("a: b\n" * 2_000_000)
        (folder / "link.yaml").symlink_to("/etc/passwd")
        (folder / "good.yaml").write_text("name: good\nindicators: {rsi: {type: rsi}}\n")
        with world(backend, KTRDR_STRATEGIES_DIR=str(folder)) as w:
            w.status("/")
            before = w.megabytes()
            cpu = w.cpu()
            pages = [w.status(page, 20) for page in ("/strategies", "/start/training", "/strategies", "/data")]
            names = ("fifo", "aliases", "sexagesimal", "large", "link")
            pages += [w.status(f"/strategies/{name}", 20) for name in names]
            listed, text = w.text("/strategies"), "".join(w.text(f"/strategies/{name}") for name in names)
            grown, used = w.megabytes() - before, w.cpu() - cpu
        slowest = max(took for _, took in pages)
        good = all(0 < code < 500 for code, _ in pages) and slowest < 10 and grown < 60
        return Result(
            good and "good" in listed and "root:" not in text,
            f"slowest page {slowest * 1000:.0f} ms, {used:.1f} s of CPU, memory +{grown:.0f} MB",
        )
