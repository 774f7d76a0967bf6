"""The doctor over a scripted backend: what it finds, how it says to mend it, and how it exits."""

import json
import socket
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from panel.cli.doctor import Grade, examine
from panel.settings import Settings
from panel.storage.store import Storage
from tests.support.command_line import run
from tests.support.libraries import take_away
from tests.support.panels import free_port, panel
from tests.support.scripted import Backend, served

pytestmark = pytest.mark.anyio

WORKER = {"worker_id": "w", "worker_type": "training", "status": "available"}


async def look(folder: Path, backend: str = "", **more) -> dict[str, tuple[Grade, str, str]]:
    settings = Settings.from_environ(
        {}, backend=backend, port=more.pop("port", free_port()), data_folder=folder, **more
    )
    return {found.what: (found.grade, found.message, found.advice) for found in await examine(settings)}


@pytest.fixture
def strategies(tmp_path) -> Path:
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "new.yaml").write_text("name: new\nindicators: {rsi: {type: rsi}}\n")
    (folder / "old.yaml").write_text("name: old\nindicators: [{name: rsi}]\n")
    (folder / "bad.yaml").write_text("name: [")
    return folder


async def test_all_is_well(tmp_path, address, backend, strategies):
    backend.workers = [WORKER]
    found = await look(tmp_path, address, strategies_folder=strategies)
    assert {grade for grade, _, _ in found.values()} == {Grade.OK}, found
    assert found["backend"][1].startswith(address) and "version scripted" in found["backend"][1]
    assert found["workers"][1] == "Workers: 1 for training."
    assert found["strategies"][1].endswith("1 v3, 1 v2, 1 unreadable.")
    assert "agrees" in found["clock"][1] and "is free" in found["port"][1] and "GB free" in found["disk"][1]
    assert list(tmp_path.iterdir()) == [strategies], "it leaves nothing behind"


async def test_which_calendars_are_known(tmp_path, address, monkeypatch):
    assert "gaps" not in await look(tmp_path), "the embedded backend has them all"
    assert (await look(tmp_path, address))["gaps"][1].startswith("The calendars of exchanges")
    take_away(monkeypatch)
    grade, finding, _ = (await look(tmp_path, address))["gaps"]
    assert grade is Grade.OK and finding.startswith("Sessions of exchanges are not known") and "[embedded]" in finding


async def test_a_backend_that_is_away(tmp_path):
    found = await look(tmp_path, f"http://me:canary@127.0.0.1:{free_port()}/api/v1")
    grade, finding, mend = found["backend"]
    assert grade is Grade.FAIL and "Could not connect" in finding and "KTRDR_API_CLIENT_BASE_URL" in mend
    assert "canary" not in str(found) and "workers" not in found


async def test_workers_that_are_missing_or_lost(tmp_path, address, backend):
    assert (await look(tmp_path, address))["workers"][:2] == (Grade.WARN, "Workers: none can be reached.")
    backend.workers = [WORKER, WORKER | {"worker_id": "v", "status": "temporarily_unavailable"}]
    assert (await look(tmp_path, address))["workers"][:2] == (Grade.WARN, "Workers: 1 for training; 1 not reachable.")
    backend.answers["GET /workers"] = (500, {"detail": "broken"})
    assert (await look(tmp_path, address))["workers"][:2] == (Grade.WARN, "broken")


@pytest.mark.parametrize(
    ("date", "finding"),
    [
        ("Sun, 22 Nov 2015 12:00:00 GMT", "behind."),
        ("Sun, 22 Nov 2099 12:00:00 GMT", "ahead."),
        ("soon", "answers have no date."),
    ],
)
async def test_a_clock_that_differs(tmp_path, date, finding):
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response_only(200)
            self.send_header("Date", date)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}" if self.path.endswith("health") else b"[]")

        def log_message(self, *_): ...

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            found = await look(tmp_path, f"http://127.0.0.1:{server.server_port}/api/v1")
        finally:
            server.shutdown()
            thread.join()
    assert found["clock"][0] is Grade.WARN and found["clock"][1].endswith(finding) and found["clock"][2]


async def test_a_port_that_is_taken(tmp_path, address, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = await look(tmp_path, address, port=taken.getsockname()[1])
    assert found["port"][0] is Grade.FAIL and "in use" in found["port"][1] and "KTRDR_PANEL_PORT" in found["port"][2]
    other = Starlette(routes=[Route("/healthz", lambda _: JSONResponse({"status": "ok"}))])
    with served(other) as somewhere:
        assert (await look(tmp_path, address, port=int(somewhere.rpartition(":")[2])))["port"][0] is Grade.FAIL
    monkeypatch.setattr("panel.cli.doctor.OWN_ANSWER", 60.0)  # seconds on a busy machine
    with panel(tmp_path, address, password="a long password") as here:
        found = await look(tmp_path, address, port=here.settings.port)
    assert found["port"][0] is Grade.OK and "A panel, version" in found["port"][1]


async def test_folders_that_are_not_there_or_not_writable(tmp_path, address):
    (tmp_path / "file").write_text("")
    found = await look(tmp_path / "file", address, strategies_folder=tmp_path / "nowhere")
    assert found["memory"][0] is Grade.FAIL and "not a directory" in found["memory"][1]
    assert found["strategies"][0] is Grade.FAIL and "no such file" in found["strategies"][1]
    (tmp_path / "empty").mkdir()
    found = await look(tmp_path / "new", address, strategies_folder=tmp_path / "empty")
    assert found["memory"][0] is Grade.OK and not (tmp_path / "new").exists()
    assert found["strategies"][0] is Grade.WARN and "0 v3, 0 v2" in found["strategies"][1]
    assert (await look(tmp_path, address))["strategies"][0] is Grade.WARN


async def test_who_may_reach_it(tmp_path, address):
    assert (await look(tmp_path, address))["password"][0] is Grade.OK
    open_to_all = await look(tmp_path, address, host="0.0.0.0", dangerously_no_auth=True)
    assert open_to_all["password"][0] is Grade.WARN and "KTRDR_PANEL_PASSWORD" in open_to_all["password"][2]
    named = await look(tmp_path, address, allowed_hosts=("panel.lan",), password="a long password")
    assert "panel.lan:" in named["hosts"][1] and "hash-password" in named["password"][2]


async def test_the_embedded_backend(tmp_path):
    found = await look(tmp_path)
    assert found["backend"][0] is Grade.OK and not {"clock", "workers"} & found.keys()


def test_the_command(tmp_path, address, backend: Backend):
    backend.workers = [WORKER]
    done = run(tmp_path, "doctor", backend=address)
    assert done.returncode == 0 and "Traceback" not in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[1] == "backend" and any(line.startswith("warn") for line in lines)
    assert "KTRDR_STRATEGIES_DIR=" in done.stdout
    away = run(tmp_path, "doctor", "--json", backend=f"http://127.0.0.1:{free_port()}/api/v1")
    report = json.loads(away.stdout)
    assert away.returncode == 1 and report["ok"] is False
    assert (
        report["checks"][0]["what"] == "backend"
        and report["checks"][0]["grade"] == "fail"
        and report["checks"][0]["advice"]
    )


def test_settings_that_are_refused_are_a_finding(tmp_path, address):
    done = run(tmp_path, "doctor", "--host", "0.0.0.0", "--json", backend=address)
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert [(each["what"], each["grade"]) for each in report["checks"]] == [("settings", "fail")]
    assert "has no password" in report["checks"][0]["message"]


async def test_the_embedded_backends_own_folders(tmp_path):
    found = await look(tmp_path)
    assert found["strategies"][1].startswith("None yet") and found["data"][1].startswith("None yet")
    home = tmp_path / "embedded"
    for name in ("strategies", "data"):
        (home / name).mkdir(parents=True)
    (home / "strategies" / "old.yaml").write_text("name: old\nindicators: [{name: rsi}]\n")
    (home / "data" / "EURUSD_1h.csv").write_text("this is\nno market data\n")
    found = await look(tmp_path)
    assert found["strategies"][0] is Grade.WARN and "0 v3, 1 v2" in found["strategies"][1]
    assert found["data"][0] is Grade.WARN and "1 of 1 cannot be used. EURUSD_1h.csv: " in found["data"][1]


async def test_a_damaged_memory_is_read_to_its_end(tmp_path):
    file = Settings.from_environ({}, data_folder=tmp_path).memory_file
    Storage(file).close()
    assert (await look(tmp_path))["memory"][:2] == (Grade.OK, f"{file} is undamaged and can be written to.")
    with file.open("r+b") as out:
        out.seek(-4096, 2)
        out.write(b"\xa5" * 4096)
    grade, finding, mend = (await look(tmp_path))["memory"]
    assert grade is Grade.FAIL and "damaged" in finding and "`ktrdr-panel restore`" in mend
