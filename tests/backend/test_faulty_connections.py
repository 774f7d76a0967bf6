"""A bad line between real sockets: what is started over it, from the panel and from the command line."""

import asyncio
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from panel.client import AsyncCLIClient
from panel.errors import Unreadable
from tests.support.command_line import environment
from tests.support.lasting import Lasting
from tests.support.pages import KEY, words
from tests.support.panels import COMMAND, Panel, panel
from tests.support.scripted import served
from tests.support.wires import Proxy, proxied, until


@pytest.fixture
def backend() -> Lasting:
    return Lasting(lasts=2.0)


@pytest.fixture
def line(backend: Lasting) -> Iterator[Proxy]:
    with served(backend.app) as address, proxied(int(address.rpartition(":")[2])) as line:
        yield line


@pytest.fixture
def here(line: Proxy, tmp_path: Path) -> Iterator[Panel]:
    with panel(tmp_path, f"{line.address}/api/v1") as here:
        yield here


def train(here: Panel, key: str = KEY) -> str:
    """Where the browser is sent."""
    return here.post("/start/training", {"key": key, "strategy_name": "swing", "insist": "1"}).headers["location"]


@pytest.mark.parametrize("what", ["lost", "reset", "half", "page", "error", "garbage"])
def test_a_training_whose_answer_is_lost_is_found(here, line, backend, what):
    line.faults.add(what, "POST", "/trainings/start")
    assert train(here).startswith("/operations/op_training_")
    assert len(backend.arrived) == 1 and line.faults.happened[what] == 1


def test_a_training_that_never_arrived_is_not_confirmed_and_not_sent_again(here, line, backend):
    line.faults.add("never", "POST", "/trainings/start")
    assert train(here) == f"/starts/{KEY}"
    assert train(here) == f"/starts/{KEY}" and backend.arrived == []
    page = words(here.get("/").text)
    assert "Starts not confirmed 1" in page and "Training swing" in page and "Check again" in page
    assert here.post(f"/starts/{KEY}/check").headers["location"] == f"/starts/{KEY}"
    assert here.post(f"/starts/{KEY}/dismiss").headers["location"] == "/"
    assert "Starts not confirmed" not in here.get("/").text
    assert "no longer looks for it" in words(here.get(f"/starts/{KEY}").text) and backend.arrived == []


def test_a_silent_backend_is_reported_and_the_form_stays(here, line, backend):
    line.refuse()
    answer = here.post("/start/training", {"key": KEY, "strategy_name": "swing", "insist": "1"})
    assert answer.status_code == 502 and "Nothing was started" in words(answer.text) and 'value="swing"' in answer.text
    line.accept()
    here.until("/", lambda text: "Backend unreachable" not in text)
    assert backend.arrived == []


def test_fifty_identical_submits_at_once_are_one_start(here, line, backend):
    line.faults.add("lost", "POST", "/trainings/start")
    with ThreadPoolExecutor(50) as pool:
        places = set(pool.map(lambda _: train(here), range(50)))
    assert len(backend.arrived) == 1 and len(places) == 1 and places.pop().startswith("/operations/op_training_")


def test_when_two_fit_the_person_says_which(here, line, backend):
    """Two backtests of the same things at the same time, and both answers lost."""
    backend.lasts["backtesting"] = 60.0
    form = {"strategy_name": "swing", "start_date": "2024-01-01", "end_date": "2024-02-01", "model_path": "m"}
    line.faults.add("lost", "POST", "/backtests/start", times=2)
    with ThreadPoolExecutor(2) as pool:
        keys = ["first-" * 4, "second-" * 4]
        list(pool.map(lambda key: here.post("/start/backtesting", {"key": key, **form}), keys))
    ids = list(backend.rows)
    backend.shown.update(ids)  # somebody asked for them
    page = here.until(f"/starts/{keys[0]}", lambda text: text.count("It is this one") == 2)
    assert all(f'value="{name}"' in page for name in ids)
    assert (
        here.post(f"/starts/{keys[0]}/choose", {"operation_id": "op_nobody"}).headers["location"].startswith("/starts")
    )
    chosen = here.post(f"/starts/{keys[0]}/choose", {"operation_id": ids[1]})
    assert chosen.headers["location"] == f"/operations/{ids[1]}"
    # What is left fits only the other, and is found by itself.
    here.until("/", lambda text: "Starts not confirmed" not in text)
    assert here.get(f"/starts/{keys[1]}").headers["location"] == f"/operations/{ids[0]}"
    assert len(backend.arrived) == 2


def test_a_cancel_that_comes_too_late_shows_the_end(here, line, backend):
    place = train(here)
    line.faults.add("slow", "DELETE")  # it is delivered when all is over
    (row,) = backend.rows.values()
    row["lasts"] = time.time() - row["created"]
    assert here.post(f"{place}/cancel").headers["location"] == place
    assert "Completed" in words(here.until(place, lambda text: "Completed" in words(text)))


def test_half_open_slow_and_broken_lines_are_survived_and_the_end_is_shown(here, line, backend):
    backend.lasts["training"] = 4.0
    place = train(here)
    line.faults.add("silent", "GET", times=None)
    until(lambda: line.faults.happened["silent"])
    line.good()
    line.pace = 300
    until(lambda: line.faults.happened["paced"])
    line.refuse()
    here.until("/", lambda text: "Backend unreachable" in text)
    line.good()
    took = until(lambda: "Completed" in words(here.get(place).text))
    here.until("/", lambda text: "Backend unreachable" not in text)
    print(f"the end was shown {took:.1f} s after the line was good; the work itself took four")


@pytest.mark.anyio
async def test_a_body_without_an_end_is_given_up():
    """And the connection with it."""
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        try:
            while sent < 200_000_000:
                writer.write(b" " * 65536)
                await writer.drain()
                sent += 65536
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, AsyncCLIClient(f"http://127.0.0.1:{port}", max_retries=0) as client:
        with pytest.raises(Unreadable, match="more than 8 MB"):
            await client.get("/operations")
        assert sent < 30_000_000


# The command line


def command(folder: Path, line: Proxy, *arguments: str) -> "subprocess.Popen[str]":
    variables = environment(folder, f"{line.address}/api/v1")
    return subprocess.Popen([*COMMAND, *arguments], env=variables, stdout=subprocess.PIPE, text=True)


def ended(process: "subprocess.Popen[str]", timeout: float = 240) -> tuple[int, str]:
    out, _ = process.communicate(timeout=timeout)
    return process.returncode, " ".join(out.split())


def states(folder: Path, line: Proxy) -> list[str]:
    from panel.settings import Settings

    memory = Settings.from_environ({}, backend=f"{line.address}/api/v1", data_folder=folder).memory_file
    if not memory.exists():
        return []
    with closing(sqlite3.connect(memory, timeout=60)) as db:
        return [row[0] for row in db.execute("SELECT state FROM starts")]


def test_the_command_line_looks_for_what_was_not_answered_and_follows_it(line, backend, tmp_path):
    line.faults.add("lost", "POST", "/trainings/start")
    code, out = ended(command(tmp_path, line, "train", "swing"))
    assert code == 0 and "the answer was lost. Looking for it" in out and "Training completed." in out
    assert len(backend.arrived) == 1 and states(tmp_path, line) == ["started"]


def test_ctrl_c_while_the_start_is_on_its_way_cancels_what_it_began(line, backend, tmp_path):
    backend.lasts["training"] = 60.0
    line.faults.add("slow", "POST", "/trainings/start")
    process = command(tmp_path, line, "train", "swing")
    until(lambda: backend.arrived)
    process.send_signal(signal.SIGINT)
    code, out = ended(process)
    assert code == 130 and "Training cancelled." in out
    assert [row["status"] for row in backend.rows.values()] == ["cancelled"]


def test_ctrl_c_before_anything_was_sent_sends_nothing(line, backend, tmp_path):
    line.faults.add("silent", "GET", "/health")
    process = command(tmp_path, line, "train", "swing")
    until(lambda: line.faults.happened["silent"])
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 130 and backend.arrived == []


def test_the_panel_resolves_the_start_of_a_killed_command(line, backend, tmp_path):
    backend.lasts["training"] = 60.0
    line.faults.add("silent", "POST", "/trainings/start")
    with panel(tmp_path, f"{line.address}/api/v1") as here:
        process = command(tmp_path, line, "train", "swing")
        until(lambda: backend.arrived)
        process.kill()
        process.communicate()
        (name,) = backend.rows
        here.until("/", lambda text: f"card-{name}" in text and "Starts not confirmed" not in text)
    assert len(backend.arrived) == 1 and states(tmp_path, line) == ["started"]


def test_the_panel_and_the_command_line_never_load_at_once(line, backend, tmp_path):
    backend.lasts["data_load"] = 0.5
    load = {"symbol": "EURUSD", "timeframe": "1h", "mode": "tail"}
    with panel(tmp_path, f"{line.address}/api/v1") as here:
        processes = [
            command(tmp_path, line, "load", symbol, "1h", "--end", "2025-06-30") for symbol in ("GBPUSD", "AAPL")
        ]
        for number in range(2):
            here.post("/start/data_load", {"key": f"load-number-{number:05}", **load})
        ends = [ended(process) for process in processes]
        assert [code for code, _ in ends] == [0, 0], ends
        until(lambda: len(backend.arrived) == 4)
        here.until("/data", lambda text: "Loads" not in words(text).partition("Stored market data")[2])
    assert backend.together == [] and len(backend.rows) == 4
