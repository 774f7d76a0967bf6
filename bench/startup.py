"""From the start of the process to its first page, and the memory it then holds: idle, and with many streams.

    python -m bench.startup [--quick]

An external backend (scripted, in a process of its own) is configured, as for most users. Wanted: 1.5 s.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.stage import ROOT, free_port, speed

WANTED = 1.5  # seconds


def first_page(port: int, timeout: float = 30) -> None:
    """Return when the home page was answered in full."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout) as line:
                line.sendall(b"GET / HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nconnection: close\r\n\r\n" % port)
                answer = b"".join(iter(lambda: line.recv(65536), b""))
                if answer.startswith(b"HTTP/1.1 200") and b"</html>" in answer:
                    return
                raise SystemExit(answer[:300].decode())
        except ConnectionError:
            time.sleep(0.005)
    raise SystemExit("no page came")


def start(backend: int, folder: str) -> tuple[subprocess.Popen[bytes], int, float, float]:
    """The panel in a process, its port, and the seconds to its first page, by the clock and of CPU."""
    port = free_port()
    variables = {
        "PATH": os.environ["PATH"],
        "KTRDR_PANEL_DATA_DIR": folder,
        "KTRDR_PANEL_PORT": str(port),
        "KTRDR_API_CLIENT_BASE_URL": f"http://127.0.0.1:{backend}/api/v1",
    }
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "panel", "serve"], cwd=ROOT, env=variables, stderr=subprocess.DEVNULL
    )
    first_page(port)
    seconds = time.perf_counter() - began
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return process, port, seconds, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise SystemExit("the panel is gone")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three starts and 200 streams")
    quick = parser.parse_args().quick
    print(speed())
    starts, streams = (3, 200) if quick else (10, 1000)
    port = free_port()
    backend = subprocess.Popen([sys.executable, "-m", "bench.backend", str(port)], cwd=ROOT, stderr=subprocess.DEVNULL)
    took, cpu = [], []
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except ConnectionError:
                time.sleep(0.05)
        with tempfile.TemporaryDirectory() as folder:
            for left in reversed(range(starts)):
                process, at, seconds, worked = start(port, folder)
                took.append(seconds)
                cpu.append(worked)
                if left:
                    process.terminate()
                    process.wait()
            time.sleep(2)
            idle = resident(process.pid)
            lines = []
            for _ in range(streams):
                line = socket.create_connection(("127.0.0.1", at))
                line.sendall(b"GET /stream/home HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n\r\n" % at)
                line.recv(65536)
                lines.append(line)
            time.sleep(2)
            full = resident(process.pid)
            for line in lines:
                line.close()
            process.terminate()
            process.wait()
    finally:
        backend.terminate()
        backend.wait()
    middle = statistics.median(took)
    print(f"start to first page: median {middle:.2f} s of {starts}, slowest {max(took):.2f} s; wanted {WANTED} s")
    worked = statistics.median(cpu)
    print(
        f"  ratio to what is wanted {middle / WANTED:.2f}; of CPU {worked:.2f} s, which a busy machine does not change"
    )
    each = (full - idle) * 1024 / streams
    print(f"resident, idle: {idle:.0f} MB; with {streams} streams: {full:.0f} MB, {each:.0f} kB each")


if __name__ == "__main__":
    main()
