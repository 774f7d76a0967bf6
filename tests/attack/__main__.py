"""Attack a running panel in every way of the table, and say for each whether it held.

    python -m tests.attack [ROW …]      all rows, or those whose names contain one of the words

Exits with 1 when one did not. Three minutes on an idle machine with two cores; it starts its own panels and backends.
"""

import sys
import time
import traceback
from collections.abc import Callable

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


def main() -> int:
    words, failed, began = sys.argv[1:], 0, time.monotonic()
    for name, row in ROWS.items():
        if words and not any(word in name for word in words):
            continue
        started = time.monotonic()
        try:
            result = row()
        except Exception:
            result = Result(False, "the attack itself broke off: " + traceback.format_exc().strip().splitlines()[-1])
        failed += not result.good
        took = time.monotonic() - started
        print(f"{'held  ' if result.good else 'FAILED'} {name:<26} {took:5.1f} s  {result.figures}", flush=True)
    print(f"{failed} failed, in {time.monotonic() - began:.0f} s.")
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
