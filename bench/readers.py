"""Many streams read by one process: raw sockets under epoll. Counts events by the one `~` that each holds.

    python -m bench.readers PORT PATH STREAMS [STALLED]

STALLED of them never read. On stdin: `count` is answered with what was read so far; `note` makes it write down when
each stream's bytes hold "Epoch N/", and `noted` is answered with these N and times.
"""

import json
import re
import select
import socket
import sys
import time

EPOCH = re.compile(rb"Epoch (\d+)/")


def opened(port: int, path: str, stalled: bool = False) -> socket.socket:
    reader = socket.socket()
    if stalled:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(("127.0.0.1", port))
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n"
    reader.sendall(request.encode())
    return reader


def main() -> None:
    port, path, streams, stalled = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int((sys.argv + ["0"])[4])
    asleep = [opened(port, path, stalled=True) for _ in range(stalled)]
    poll, readers, room = select.epoll(), {}, bytearray(1 << 18)
    while len(readers) < streams:  # in groups: a listening socket's queue is short
        group = [opened(port, path) for _ in range(min(100, streams - len(readers)))]
        for reader in group:
            if not reader.recv_into(room):
                raise SystemExit("the server closed a stream")
            readers[reader.fileno()] = reader
            poll.register(reader, select.EPOLLIN)
    poll.register(sys.stdin, select.EPOLLIN)
    print(json.dumps({"open": len(readers) + len(asleep)}), flush=True)

    events, noting, noted = 0, False, []
    while True:
        for end, _ in poll.poll():
            if end == 0:
                line = sys.stdin.readline().split()
                if not line:
                    return
                if line[0] == "count":
                    figures = {"events": events, "cpu": time.process_time(), "open": len(readers) + len(asleep)}
                    print(json.dumps(figures), flush=True)
                elif line[0] == "note":
                    noting, noted = True, []
                elif line[0] == "noted":
                    print(json.dumps(noted), flush=True)
                continue
            size = readers[end].recv_into(room)
            if not size:
                poll.unregister(end)
                readers.pop(end).close()
                continue
            events += room.count(b"~", 0, size)
            if noting and (found := EPOCH.search(room, 0, size)):
                noted.append((int(found[1]), time.monotonic()))


if __name__ == "__main__":
    main()
