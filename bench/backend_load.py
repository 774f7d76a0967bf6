"""What the backend has to do for those who watch one running training: requests a second, and how slow it gets.

    python -m bench.backend_load [--quick]

With the panel between, however many watch; and without it, each polling as KTRDR's command line does. The answer time
is that of one more client that asks now and then.
"""

import argparse
import http.client
import time
from contextlib import ExitStack

from bench.stage import READERS, SERVER, Process, ended, free_port, share, speed, wait_for

EPOCHS = 60  # of history in every answer: some 400 kB, as a real backend sends it
POLLERS = 20


def measure(name: str, backend: int, source: Process, seconds: float) -> None:
    probe, took = http.client.HTTPConnection("127.0.0.1", backend), []
    before, cpu, began = sum(source.ask("hits").values()), source.cpu(), time.monotonic()
    while time.monotonic() < began + seconds:
        asked = time.monotonic()
        probe.request("GET", "/api/v1/operations/op_0")
        probe.getresponse().read()
        took.append((time.monotonic() - asked) * 1000)
        time.sleep(0.5)
    spent = time.monotonic() - began
    hits, used = sum(source.ask("hits").values()) - before - len(took), source.cpu() - cpu
    rate = hits / spent
    print(f"{name:34} {rate:>8.2f} {share(took, 0.5):>8.1f} {share(took, 0.99):>8.1f} {used / spent:>7.0%}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run that only shows that everything works")
    quick = parser.parse_args().quick
    print(speed())
    seconds = 4 if quick else 30
    print(f"{'':34} {'hits/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'CPU':>7}")
    for count in (0, 1, 20) if quick else (0, 1, 20, 1000):
        with ExitStack() as stack:
            backend, port = free_port(), free_port()
            source = Process.python(SERVER, "bench.backend", backend, EPOCHS, 1)
            stack.enter_context(ended(source))
            wait_for(backend)
            server = Process.python(READERS, "bench.servers", "panel", port, f"http://127.0.0.1:{backend}/api/v1")
            stack.enter_context(ended(server))
            wait_for(port)
            if count:
                readers = Process.python(READERS, "bench.readers", port, "/stream/op_0", count)
                stack.enter_context(ended(readers))
                readers.hear()
            time.sleep(5)  # what a panel asks at its start
            measure(f"{count} streams of the panel", backend, source, seconds)
    with ExitStack() as stack:
        backend = free_port()
        source = Process.python(SERVER, "bench.backend", backend, EPOCHS, 1)
        stack.enter_context(ended(source))
        wait_for(backend)
        stack.enter_context(ended(Process.python(READERS, "bench.pollers", backend, POLLERS)))
        time.sleep(3)
        measure(f"{POLLERS} clients that poll by themselves", backend, source, seconds)


if __name__ == "__main__":
    main()
