"""Attack a running panel in every way of the table, and say for each whether it held.

    python -m tests.attack [ROW …]      all rows, or those whose names contain one of the words

Exits with 1 when one did not. Three minutes on an idle machine with two cores; it starts its own panels and backends.
"""

import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from tests.attack import access, answers, memory, people, quantities, uploads, wire
from tests.attack.world import Result

ROWS: dict[str, Callable[[], Result]] = {
    "host names": access.hosts,
    "other sites": access.other_sites,
    "paths": access.paths,
    "markup": access.markup,
    "redirects": access.redirects,
    "a viewer acts": people.viewer,
    "words taken back": people.taken_back,
    "beside TLS": people.beside_tls,
    "password guesses": wire.guessing,
    "header flood": wire.header_flood,
    "idle and slow connections": wire.idle_and_slow,
    "poison values": answers.poison,
    "bombs": answers.bombs,
    "terminal escapes": answers.escapes,
    "trickle": answers.trickle,
    "strategy files": answers.files,
    "uploads": uploads.imports,
    "planted models": uploads.planted_models,
    "full disk": memory.full_disk,
    "locked memory": memory.locked,
    "deleted memory": memory.deleted,
    "20,000 running": quantities.twenty_thousand_running,
    "40,000 ended": quantities.forty_thousand_ended,
    "4,800 queued": quantities.many_queued,
    "unknown ids": quantities.three_thousand_unknown,
}


ALONE = ("20,000 running", "40,000 ended", "4,800 queued", "unknown ids")  # they measure stalls and CPU


def attacked(name: str) -> tuple[str, Result, float]:
    """With the seconds that it took."""
    began = time.monotonic()
    try:
        result = ROWS[name]()
    except Exception:
        result = Result(False, "the attack itself broke off: " + traceback.format_exc().strip().splitlines()[-1])
    return name, result, time.monotonic() - began


def main() -> int:
    words, failed, began = sys.argv[1:], 0, time.monotonic()
    wanted = [name for name in ROWS if not words or any(word in name for word in words)]
    with ThreadPoolExecutor(2) as pool:
        together = pool.map(attacked, [name for name in wanted if name not in ALONE])
        for name, result, took in chain(together, map(attacked, [name for name in wanted if name in ALONE])):
            failed += not result.good
            print(f"{'held  ' if result.good else 'FAILED'} {name:<26} {took:5.1f} s  {result.figures}", flush=True)
    print(f"{failed} failed, in {time.monotonic() - began:.0f} s.")
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
