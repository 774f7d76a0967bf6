"""nginx with nchan, a push server in C: what is called fast elsewhere.

    python -m bench.nginx PORT

publishes into it from another core, as `bench.servers` does inside its process.
"""

import json
import shutil
import socket
import sys
import time
from pathlib import Path

from bench.servers import BODY
from bench.stage import SERVER, Process, folder

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")

CONFIG = """
load_module {module};
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/pid;
error_log {folder}/error.log error;
events {{ worker_connections 15000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 100000000;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /publish {{ nchan_publisher; nchan_channel_id bench; nchan_message_buffer_length 1; }}
    location /stream/ {{ nchan_subscriber eventsource; nchan_channel_id bench; }}
  }}
}}
"""


def installed() -> bool:
    return MODULE.exists() and shutil.which("nginx") is not None


def nginx(port: int) -> Process:
    place = folder()
    (place / "nginx.conf").write_text(CONFIG.format(module=MODULE, folder=place, port=port))
    return Process(SERVER, "nginx", "-p", str(place), "-c", str(place / "nginx.conf"))


class Publisher:
    def __init__(self, port: int) -> None:
        self._end = socket.create_connection(("127.0.0.1", port))
        self._end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        body = BODY.encode()
        head = f"POST /publish HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._request = head.encode() + body

    def publish(self) -> None:
        self._end.sendall(self._request)
        answer = b""
        while b"last requested:" not in answer:
            more = self._end.recv(65536)
            if not more:
                raise SystemExit(f"nginx closed the connection: {answer!r}")
            answer += more


def main() -> None:
    publisher = Publisher(int(sys.argv[1]))
    for line in sys.stdin:
        command, count, began = line.split(), 0, time.monotonic()
        if command[0] == "full":
            while time.monotonic() < began + float(command[1]):
                publisher.publish()
                count += 1
        else:
            pace, seconds = float(command[1]), float(command[2])
            while count < pace * seconds:
                publisher.publish()
                count += 1
                time.sleep(max(began + count / pace - time.monotonic(), 0))
        print(json.dumps({"published": count}), flush=True)


if __name__ == "__main__":
    main()
