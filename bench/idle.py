"""What the panel and a browser use while one tab is open and nothing runs.

    python -m bench.idle [--quick]

The embedded backend, then a KTRDR's answers, each with an empty memory. Wanted: 0.1 % of a core for panel and browser
together, and at most one wake-up of the page's thread a second.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

from bench.stage import READERS, ROOT, Process, ended, folder, free_port, speed, wait_for
from tests.support.browsers import FLAGS

CHROMIUM = next((path for path in ("/usr/bin/chromium", "/usr/bin/google-chrome") if Path(path).exists()), None)
PAGES = ("/", "/operations", "/queue", "/data")


def processes(pid: int) -> list[int]:
    """It, its children, their children …"""
    found = [pid]
    for each in found:
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def spent(pids: list[int]) -> float:
    """Seconds of CPU."""
    return sum(
        int((task / "schedstat").read_text().split()[0]) / 1e9
        for pid in pids
        for task in Path(f"/proc/{pid}/task").iterdir()
    )


def woken(pids: list[int]) -> int:
    """How often a main thread had waited and went on; of a renderer it is the one that runs the page."""
    count = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/task/{pid}/status").read_text().splitlines()
        count += int(next(line for line in lines if line.startswith("voluntary")).split()[1])
    return count


@contextmanager
def panel(backend: str) -> Iterator[tuple[int, int]]:
    """Its port and its process."""
    port = free_port()
    variables = os.environ | {"KTRDR_PANEL_DATA_DIR": str(folder()), "KTRDR_PANEL_PORT": str(port)}
    variables |= {"KTRDR_API_CLIENT_BASE_URL": backend}
    process = subprocess.Popen(
        [sys.executable, "-m", "panel", "serve"], cwd=ROOT, env=variables, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(port)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(10)


def measure(backend: str, seconds: float) -> None:
    with panel(backend) as (port, pid), sync_playwright() as driver:
        profile = folder()
        context = driver.chromium.launch_persistent_context(profile, executable_path=CHROMIUM, args=FLAGS)
        (browser,) = (
            int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _is_of(path, profile)
        )
        for path in ("about:blank", *PAGES):
            context.pages[0].goto(path if path.startswith("about") else f"http://127.0.0.1:{port}{path}")
            time.sleep(30)  # what a page does once is done, and Chromium has tidied up
            of_panel, of_browser, wakes, page_wakes = _window([pid], processes(browser), seconds)
            both = (of_panel + of_browser) / 10
            print(
                f"  {path:12} panel {of_panel:.2f} and browser {of_browser:.2f} ms a second: {both:.2f} % of a core;",
                end="",
            )
            print(f" wake-ups a second: panel {wakes:.1f}, page {page_wakes:.1f}", flush=True)
        context.close()


def _is_of(process: Path, profile: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes()
    except OSError:
        return False
    return f"--user-data-dir={profile}".encode() in words and b"--type=" not in words and b"chrom" in words[:40]


def _window(panel: list[int], browser: list[int], seconds: float) -> tuple[float, float, float, float]:
    """ms of CPU a second of both; wake-ups a second of the panel, and of the threads that run pages."""
    pages = [pid for pid in browser if b"--type=renderer" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def now() -> tuple[float, float, int, int]:
        return spent(panel) * 1000, spent(browser) * 1000, woken(panel), woken(pages)

    before = now()
    time.sleep(seconds)
    one, two, three, four = ((late - early) / seconds for early, late in zip(before, now(), strict=True))
    return one, two, three, four


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    seconds = 10 if parser.parse_args().quick else 60
    print(speed())
    print("embedded backend:")
    measure("", seconds)
    print("a KTRDR:")
    port = free_port()
    with ended(Process.python(READERS, "bench.backend", port)):
        wait_for(port)
        measure(f"http://127.0.0.1:{port}/api/v1", seconds)


if __name__ == "__main__":
    main()
