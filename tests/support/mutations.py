"""A good file of market data after accidents."""

import os
import random

from tests.support.market_files import bars, ktrdr

COUNT = int(os.environ.get("KTRDR_PANEL_TEST_MUTATIONS", "60"))
GOOD = ktrdr(bars(60)).encode()


def mutated(seed: int) -> bytes:
    """The good file after one to five accidents."""
    chance = random.Random(seed)
    data = bytearray(GOOD)
    for _ in range(chance.randint(1, 5)):
        kind = chance.randrange(7)
        at = chance.randrange(len(data)) if data else 0
        lines = bytes(data).split(b"\n")
        if kind == 0 and data:
            data[at] = chance.randrange(256)
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            a, b = chance.randrange(len(lines)), chance.randrange(len(lines))
            lines[a], lines[b] = lines[b], lines[a]
            data = bytearray(b"\n".join(lines))
        elif kind == 3 and len(lines) > 2:
            a = chance.randrange(len(lines) - 1)
            lines[a : a + 2] = [lines[a] + lines[a + 1]]
            data = bytearray(b"\n".join(lines))
        elif kind == 4:
            data[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 40)))
        elif kind == 5:
            del data[at : at + chance.randint(1, 200)]
        else:
            data[at:at] = chance.choice([b'"', b",", b"\0", b"\r", b";", b"\xff\xfe", b"1e999", b"-", "€".encode()])
    return bytes(data)
