"""The log cannot be forged, and nobody's secret is in anything the panel prints or answers."""

import io
import json
import logging
import re
import subprocess

import httpx
import pytest

from panel.observability.logs import Json, Lines
from tests.support.panels import COMMAND, OWN_PAGE, free_port, panel_process
from tests.support.scripted import Backend, operation, served

RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR) [\w.]+ ")


def logged(write, form=Lines) -> list[str]:
    out = io.StringIO()
    to_text = logging.StreamHandler(out)
    to_text.setFormatter(form())
    logger = logging.Logger("panel.test")
    logger.addHandler(to_text)
    write(logger)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x1b[2K\r"])
def test_one_record_is_one_line(end):
    (line,) = logged(
        lambda log: log.warning("cancel operation=%s", f"op_x{end}2026-01-01 00:00:00,000 INFO panel forged")
    )
    assert RECORD.match(line) and "op_x\\" in line and line.isprintable()


def test_no_line_of_a_traceback_looks_like_a_record():
    def write(log: logging.Logger) -> None:
        try:
            raise ValueError("x\n2026-01-01 00:00:00,000 INFO panel forged http://me:canary@host/\x1b[2K")
        except ValueError:
            log.exception("broken")

    first, *rest = logged(write)
    assert RECORD.match(first) and len(rest) >= 4
    assert all(line.startswith("    ") and line.isprintable() and "canary" not in line for line in rest)
    assert any("http://host/" in line for line in rest)


@pytest.mark.parametrize("form", [Lines, Json])
def test_a_name_and_password_in_an_address_are_left_out(form):
    for seen in (
        "http://me:canary@host:1/api",
        "https://canary@host",
        "(http://me:can@canary@host/)",
        "http://me:c/an@x",
    ):
        (line,) = logged(lambda log, seen=seen: log.info("asked %s", seen, extra={"address": seen}), form)
        assert "canary" not in line and line.count("://") == 2
    (line,) = logged(lambda log: log.info("asked http://host/a?b=me@x"), form)
    assert "asked http://host/a?b=me@x" in line


def test_a_password_in_an_error_is_left_out_of_json_too():
    def write(log: logging.Logger) -> None:
        try:
            raise ValueError('no answer of "http://me:canary@host/"')
        except ValueError:
            log.exception("broken")

    (line,) = logged(write, Json)
    assert 'no answer of "http://host/"' in json.loads(line)["exception"] and "canary" not in line


PASSWORD, USER, SECRET, TOKEN = "canary-password-1", "canary-user-2", "canary-secret-3", "canary-cookie-4"


def test_secrets_appear_nowhere(tmp_path):
    """All that a whole panel prints and answers, at its most talkative, while everything goes wrong."""
    backend = Backend()
    backend.operations["op_x"] = operation("op_x", "training", "failed", error_message="it failed\r\nERROR forged")
    backend.answers["POST /trainings/start"] = (500, {"detail": "broken\r\n2026-01-01 00:00:00,000 INFO panel forged"})
    with served(backend.app) as address:
        backend_port = int(address.rpartition(":")[2])
        given = address.replace("://", f"://{USER}:{SECRET}@") + "/api/v1"
        variables = {"KTRDR_PANEL_PASSWORD": PASSWORD, "KTRDR_PANEL_LOG_LEVEL": "debug"}
        with panel_process(tmp_path, given, **variables) as (here, process), stranger(here.address) as client:
            seen = look_everywhere(client)
            seen += client.post("/login", data={"password": TOKEN}).text
            entered = client.post("/login", data={"password": PASSWORD})
            assert entered.status_code == 303
            seen += str(entered.headers["location"]) + look_everywhere(client)
            start = {"key": "k" * 22, "strategy_name": "swing", "insist": "1"}
            seen += client.post("/start/training", data=start, follow_redirects=True).text
            seen += client.post("/operations/op%0d%0aERROR/cancel").text
            backend.answers |= dict.fromkeys(("GET /operations", "GET /workers", "GET /operations/op_x"), (302, {}))
            seen += look_everywhere(client)
            kept = client.cookies
        process.wait(120)
    with (
        panel_process(tmp_path, given, here.settings.port, **variables) as (again, process),
        stranger(again.address, kept) as client,  # and nobody is at the other end
    ):
        seen += look_everywhere(client)
    process.wait(120)
    printed = (tmp_path / "log").read_text()
    for canary in (PASSWORD, USER, SECRET, TOKEN):
        assert canary not in printed and canary not in seen
    assert str(backend_port) in printed and f"127.0.0.1:{backend_port}" in seen, "the address itself is told"
    assert "Traceback" not in printed
    started = printed.index("\n") + 1  # after the line for people
    lines = [line for line in printed[started:].splitlines() if not line.startswith("ktrdr-panel ")]
    assert len(lines) > 5 and all(RECORD.match(line) for line in lines), lines
    assert not any("INFO panel forged" in line and not RECORD.match(line) for line in lines)


def stranger(address: str, cookies: httpx.Cookies | None = None) -> httpx.Client:
    return httpx.Client(base_url=address, timeout=120, headers=OWN_PAGE, cookies=cookies or {"other": TOKEN})


def look_everywhere(client: httpx.Client) -> str:
    """Everything that is answered."""
    seen = ""
    paths = [
        "/",
        "/operations/op_x",
        "/operations/op%0d%0aERROR%20forged",
        "/data",
        "/start/training",
        "/login",
        "/static/theme.js",
    ]
    paths += [
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/operations",
        "/nothing",
        "/data/EURUSD/1h",
        "/data/EURUSD/1h/bars",
    ]
    for path in paths:
        answer = client.get(path)
        seen += answer.text + str(answer.headers)
    with client.stream("GET", "/stream/op_x") as stream:
        seen += next(stream.iter_text())
    return seen


def test_a_command_does_not_log_it_either(tmp_path):
    environ = {"PATH": "/usr/bin", "KTRDR_PANEL_DATA_DIR": str(tmp_path)}
    for port in ("nonsense", str(free_port())):
        address = f"http://{USER}:{SECRET}@127.0.0.1:{port}"
        more = {"KTRDR_API_CLIENT_BASE_URL": address, "KTRDR_PANEL_PASSWORD": PASSWORD}
        done = subprocess.run(
            [*COMMAND, "dummy"], env=environ | more, capture_output=True, text=True, timeout=300, check=False
        )
        printed = done.stdout + done.stderr
        assert done.returncode == 1 and f"127.0.0.1:{port}" in printed and "Traceback" not in printed
        assert not any(canary in printed for canary in (USER, SECRET, PASSWORD))
