"""In virtual time: an end is on every page within three seconds, and home's lists take a tenth of the loop at most."""

import asyncio
import time

import pytest

from panel.live.hub import Mailbox
from tests.support.lasting import Lasting
from tests.support.lives import living
from tests.support.parts import panel_of
from tests.support.scripted import RESULT, Backend, operation, percent, stamp

PAGES = {
    "line": lambda shown, name: name in shown.get("ended", ""),  # any page, also in a hidden tab
    "home": lambda shown, name: f"row-{name}" in shown.get("lists", ""),
    "{}": lambda shown, name: "Completed" in shown.get("status", ""),
    "operations?id={}": lambda shown, name: "Completed" in shown.get(f"row-{name}", ""),
    "operations?id={}&columns=state,kind": lambda shown, name: "Completed" in shown.get(f"row-{name}", ""),
}


@pytest.mark.parametrize("page", PAGES)
def test_an_end_is_on_every_page_within_three_seconds(page):
    """Also of what said nothing new for a while, whenever between two readings it ends."""
    backend, names, took = Backend(), [f"op_{number}" for number in range(8)], list[float]()
    for name in names:
        backend.operations[name] = operation(name, progress=percent(50, "Epoch 5/10"))
    with living(backend) as life:
        for name in names:
            life.inside.get(f"/operations/{name}")
            life.open(page.format(name))
        life.runner.run(asyncio.sleep(60))
        for name in names:
            ended = {"status": "completed", "result_summary": RESULT, "completed_at": stamp()}
            shown, began = life.streams[page.format(name)], time.monotonic()
            assert not PAGES[page](shown, name)
            backend.operations[name] = backend.operations[name] | ended
            while not PAGES[page](shown, name) and time.monotonic() < began + 20:
                life.runner.run(asyncio.sleep(0.05))
            took.append(time.monotonic() - began)
            life.runner.run(asyncio.sleep(5.9))
    assert max(took) < 3.0, took


def test_home_is_drawn_for_a_tenth_of_the_time_at_most():
    """On a disk that takes 20 ms for every statement, with five starts a second."""
    backend = Lasting(lasts=600.0)
    with living(backend) as life:
        here, loop, box, drawn = panel_of(life.app), life.runner.get_loop(), Mailbox(), list[tuple[float, bytes]]()

        def slow(_: str) -> None:
            loop._virtual.elapsed += 0.02

        def came(chunk: bytes) -> None:
            if b'hx-target="#lists"' in chunk:
                drawn.append((time.monotonic(), chunk))

        def start(number: int) -> None:
            life.post("/start/dummy", {"key": f"key-{number:012}"}, 1, 0.2)

        with here.hub.open(box, "home"):
            box.open(came)
            start(0)
            start(1)
            assert len(drawn) >= 2, "on a quick disk each change is drawn at once"
            here.storage._db.set_trace_callback(slow)
            began = time.monotonic()
            here.reader.home()
            takes = time.monotonic() - began
            assert takes > 0.05
            drawn.clear()
            for number in range(2, 102):
                start(number)
            pauses = [later - earlier for (earlier, _), (later, _) in zip(drawn, drawn[1:], strict=False)]
            assert len(pauses) >= 3 and min(pauses) >= 9 * takes
            life.runner.run(asyncio.sleep(60))
            here.storage._db.set_trace_callback(None)
            assert all(name.encode() in drawn[-1][1] for name in list(backend.rows)[-3:]), "the last one is shown"
