"""A backend that sends what it likes: every page stays a page, and nothing that it sends comes to life.

KTRDR_PANEL_TEST_HOSTILE sets the number of generated backends (8 unless it is set); two hundred take three minutes.
"""

import asyncio
import os
import random
import re
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from panel.settings import Settings
from tests.support.hostile import STARTS, Hostile
from tests.support.inside import Answer
from tests.support.lives import Life
from tests.support.virtual import virtual_time
from tests.support.wires import Line

BACKENDS = int(os.environ.get("KTRDR_PANEL_TEST_HOSTILE", "8"))
LIVE = re.compile(
    r"<img src=x|<div hx-post=/x|<script>alert|<iframe|hx-trigger=load>"
    r"|(?:href|src|action|hx-[a-z:-]+)\s*=\s*[\"']?\s*javascript:"
    r"|href=\"(?:https?:)?//evil",
    re.IGNORECASE,
)


def visit(life: Life, ids: list[str]) -> None:
    """Everything a person could open or press."""
    pages = ["/", "/data", "/data/EURUSD/1h", "/data/EURUSD/1h/bars", "/data/EURUSD/1h/bars?start=1&end=1700000000"]
    pages += [f"/start/{kind}" for kind in STARTS]
    pages += [path for name in ids for path in (f"/operations/{name}", f"/operations/{name}/cancel")]
    pages += ["/stream/home", "/stream/stored", *(f"/stream/{name}" for name in ids), *others(life)]
    for path in pages:
        check(path, life.inside.get(path))
    for kind, form in STARTS.items():
        key = f"key-{random.getrandbits(60):016x}"
        check(kind, life.inside.post(f"/start/{kind}", {"key": key, **form}))
        check(key, life.inside.get(f"/starts/{key}"))
    check("look", life.inside.post("/start/training/look", {"strategy_name": "swing"}))
    check("data look", life.inside.post("/data/look", {"again": "1"}))
    for name in ids:
        check(f"cancel {name}", life.inside.post(f"/operations/{name}/cancel", {}))


def others(life: Life) -> list[str]:
    """Pages without parameters that are not named above."""
    routes = life.routed.routes
    plain = [
        route.path for route in routes if "GET" in (getattr(route, "methods", None) or ()) and "{" not in route.path
    ]
    return sorted({*plain} - {"/", "/data", "/stream"})


def check(what: str, answer: Answer) -> None:
    # 502 says, in a page of ours, that the backend cannot be asked; 503 that the panel is not ready.
    assert answer.status < 500 or answer.status == 502 or what == "/readyz", f"{what}: {answer.status}\n{answer.text}"
    assert answer.error is None, what
    html = markup(answer)
    found = LIVE.search(html)
    assert not found, f"{what}: {html[max(found.start() - 200, 0) : found.end() + 200]}"


def markup(answer: Answer) -> str:
    """What a browser would read as HTML: pages, and the partials of a stream. Named events are JSON."""
    kind = answer.header("content-type")
    if "event-stream" in kind:
        return "\n\n".join(event for event in answer.text.split("\n\n") if not event.startswith("event:"))
    return answer.text if "html" in kind else ""


@contextmanager
def hostile_panel() -> Iterator[tuple[Hostile, Life, list[str]]]:
    """A panel that knows an operation of each kind, some of them ended, before the backend turns hostile."""
    with virtual_time() as runner, tempfile.TemporaryDirectory() as folder:
        backend = Hostile(lasts=30.0)
        backend.bars["EURUSD", "1h"] = [1_700_000_000.0 + 3600 * n for n in range(50)]
        line = Line(backend.app)
        with line.laid():
            settings = Settings.from_environ({}, backend="http://backend/api/v1", data_folder=Path(folder))
            life = Life(runner, line, settings)
            for kind, form in STARTS.items():
                life.post(f"/start/{kind}", {"key": f"first-{kind:>12}".replace(" ", "-"), **form}, 1, 3.0)
            runner.run(asyncio.sleep(40))
            for kind, form in STARTS.items():
                life.post(f"/start/{kind}", {"key": f"second-{kind:>12}".replace(" ", "-"), **form}, 1, 3.0)
            ids = list(backend.rows)
            assert len(ids) == 8
            try:
                yield backend, life, ids
            finally:
                life.kill()


def test_no_answer_makes_a_page_fail_or_comes_to_life(caplog: pytest.LogCaptureFixture) -> None:
    seed = int(os.environ.get("KTRDR_PANEL_TEST_SEED", "1"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with hostile_panel() as (backend, life, ids):
        for number in range(BACKENDS):
            backend.seed = seed + number
            backend.share = (0.02, 0.1, 0.4)[number % 3]
            try:
                visit(life, ids)
                life.runner.run(asyncio.sleep(12))
                broken = [record for record in caplog.records if record.exc_info]
                assert not broken, f"something broke off: {broken[0].exc_info[1]!r}"
            except AssertionError as exc:
                raise AssertionError(
                    f"KTRDR_PANEL_TEST_SEED={seed + number} KTRDR_PANEL_TEST_HOSTILE=1: {exc}"
                ) from exc
        backend.seed = None
        life.runner.run(asyncio.sleep(60))
        visit(life, ids)
        assert "Backend unreachable" not in life.inside.get("/").text
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{BACKENDS} backends, {backend.hits.total()} answers, {grown:.0f} MB more memory at the most")
    assert grown < 250, f"{grown:.0f} MB"
