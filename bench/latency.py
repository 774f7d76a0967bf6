"""From a change at the backend to the byte at the reader, beyond the time until the panel asks again.

    python -m bench.latency [--quick]

A training says something new at every reading. The clock starts when the backend makes that answer, and stops when a
stream's bytes hold it: in between are the answer's way, its decoding, the verdict, the panel's memory, the drawing, and
the write to every stream. The readers of one process take their turns, which is part of the time.
"""

import argparse
import time

from bench.stage import READERS, SERVER, Process, ended, free_port, share, speed, wait_for

EPOCHS = 60  # of history in every answer: some 400 kB, as a real backend sends it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run that only shows that everything works")
    quick = parser.parse_args().quick
    print(speed())
    print(f"{'streams':>8} {'readings':>9} {'p50':>8} {'p99':>8} {'most':>8}   ms")
    for count in (1, 20) if quick else (1, 100, 1000):
        backend, port = free_port(), free_port()
        source = Process.python(READERS, "bench.backend", backend, EPOCHS, 1)
        server = Process.python(SERVER, "bench.servers", "panel", port, f"http://127.0.0.1:{backend}/api/v1")
        with ended(source, server):
            wait_for(backend)
            wait_for(port)
            readers = Process.python(READERS, "bench.readers", port, "/stream/op_0", count)
            with ended(readers):
                readers.hear()
                time.sleep(3)
                readers.tell("note")
                time.sleep(6 if quick else 40)
                noted, answered = readers.ask("noted"), source.ask("readings")
        # The first reading that was noted may have been in a stream's beginning: when it came is chance.
        first = min(reading for reading, _ in noted)
        took = [(at - answered[str(reading)]) * 1000 for reading, at in noted if reading > first]
        readings = len({reading for reading, _ in noted}) - 1
        print(
            f"{count:>8} {readings:>9} {share(took, 0.5):>8.1f} {share(took, 0.99):>8.1f} {max(took):>8.1f}", flush=True
        )


if __name__ == "__main__":
    main()
