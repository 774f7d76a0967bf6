"""The command line, in a process of its own: what it prints and how it exits."""

import json
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.embedded.conftest import slow
from tests.support.bars import hours, without
from tests.support.command_line import environment, run
from tests.support.panels import COMMAND, free_port, panel, stream
from tests.support.scripted import RESULT, operation, percent, stamp
from tests.support.small_strategy import STRATEGY


def test_unreachable_is_one_clear_sentence(tmp_path):
    address = f"http://127.0.0.1:{free_port()}/api/v1"
    done = run(tmp_path, "train", "swing", backend=address)
    assert done.returncode == 1
    assert " ".join(done.stdout.split()) == f"Could not connect to API at {address}. Is the API server running?"
    assert done.stderr == ""


def test_a_memory_that_cannot_be_used_is_one_clear_sentence(tmp_path):
    (tmp_path / "file").touch()
    done = run(tmp_path / "file" / "below", "serve", "--port", str(free_port()))
    assert done.returncode == 1
    assert "cannot be used" in done.stderr and "KTRDR_PANEL_DATA_DIR names another" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_training_that_completes(tmp_path, address, backend):
    def answer(request):
        backend.operations["op_t"] = operation(
            "op_t", status="completed", progress=percent(100), result_summary=RESULT, completed_at=stamp()
        )
        return 200, {"success": True, "task_id": "op_t", "status": "training_started"}

    backend.answers["POST /trainings/start"] = answer
    done = run(tmp_path, "train", "swing", "--symbols", "eurusd", "--start", "2024-01-01", backend=address)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Training completed." in done.stdout and "op_t" in done.stdout
    assert "Test accuracy" in done.stdout and "87.2 %" in done.stdout
    ((hit, sent),) = backend.bodies
    chosen = sent.pop("task_id")
    assert hit == "POST /trainings/start" and chosen.startswith("op_training_")
    assert sent.pop("detailed_analytics") is False  # sent as KTRDR's client sends it
    assert sent == {"strategy_name": "swing", "symbols": ["EURUSD"], "start_date": "2024-01-01"}
    with panel(tmp_path, address) as here:  # of the same memory: it says who asked
        assert "Start asked by the command line" in here.get("/operations/op_t").text
        entry = json.loads(here.get("/api/audit").text)
    assert (entry["via"], entry["what"], entry["subject"], entry["detail"]) == (
        "command line",
        "start",
        "training swing eurusd",
        "op_t",
    )


def test_an_operation_that_fails_exits_1(tmp_path, address, backend):
    def answer(request):
        backend.operations["op_l"] = operation(
            "op_l", "data_load", "failed", error_message="Symbol NOSUCH [x] not found"
        )
        return 200, {"success": True, "operation_id": "op_l", "status": "started"}

    backend.answers["POST /data/acquire/download"] = answer
    done = run(tmp_path, "load", "NOSUCH", "1h", "--mode", "full", backend=address)
    assert done.returncode == 1 and "Data load failed: Symbol NOSUCH [x] not found" in done.stdout
    assert backend.bodies[0][1] == {"symbol": "NOSUCH", "timeframe": "1h", "mode": "full"}


def test_a_load_that_brought_nothing_although_bars_were_missing_exits_1(tmp_path, address, backend):
    def answer(request):
        result = {"mode": "tail", "gaps_filled": 3, "rows_downloaded": 0}
        backend.operations["op_l"] = operation("op_l", "data_load", "completed", result_summary=result)
        return 200, {"success": True, "operation_id": "op_l", "status": "started"}

    backend.answers["POST /data/acquire/download"] = answer
    done = run(tmp_path, "load", "EURUSD", "1h", backend=address)
    assert done.returncode == 1 and "finished with problems" in done.stdout
    assert "not one bar came although bars were missing" in done.stdout and "3 gaps worked on" in done.stdout


def test_a_load_that_left_gaps_exits_1(tmp_path, address, backend):
    """The backend calls it completed and does not say which segments failed; the stored bars do. Thirty hours in the
    middle of a week are no rest of currencies."""

    def answer(request):
        backend.bars["EURUSD", "1h"] = without(hours(30), 71, 1.25)
        result = {"mode": "full", "gaps_filled": 1, "rows_downloaded": 2000}
        backend.operations["op_l"] = operation("op_l", "data_load", "completed", result_summary=result)
        return 200, {"success": True, "operation_id": "op_l", "status": "started"}

    backend.answers["POST /data/acquire/download"] = answer
    done = run(tmp_path, "load", "EURUSD", "1h", "--mode", "full", backend=address)
    assert done.returncode == 1 and "finished with problems" in done.stdout
    assert "2,000 bars came, but 1 gap is still missing." in " ".join(done.stdout.split())


def test_a_load_that_ended_short_says_after_which_day(tmp_path, address, backend):
    def answer(request):
        about = {"symbol": "EURUSD", "timeframe": "1h", "mode": "full", "parameters": {"mode": "full"}}
        result = {"mode": "full", "gaps_filled": 1, "rows_downloaded": 2000}
        loaded = operation("op_l", "data_load", "completed", result_summary=result, metadata=about)
        backend.bars["EURUSD", "1h"], backend.operations["op_l"] = hours(30), loaded
        return 200, {"success": True, "operation_id": "op_l", "status": "started"}

    backend.answers["POST /data/acquire/download"] = answer
    done = run(tmp_path, "load", "EURUSD", "1h", "--mode", "full", backend=address)
    said = " ".join(done.stdout.split())
    assert done.returncode == 1 and "2,000 bars came, but none is stored after 2024-07-26." in said
    assert "gap is" not in said


def test_a_load_of_which_nothing_is_stored_exits_1(tmp_path, address, backend):
    def answer(request):
        result = {"mode": "full", "gaps_filled": 1, "rows_downloaded": 1944}
        backend.operations["op_l"] = operation("op_l", "data_load", "completed", result_summary=result)
        return 200, {"success": True, "operation_id": "op_l", "status": "started"}

    backend.answers["POST /data/acquire/download"] = answer
    backend.answers["POST /data/range"] = 404, {"detail": "Data not found for EURUSD (1h)"}
    done = run(tmp_path, "load", "EURUSD", "1h", "--mode", "full", backend=address)
    assert done.returncode == 1 and "1,944 bars came, and none is stored." in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("bars", "code", "said"),
    [
        (without(hours(30), 70, 20), 1, "finished with problems"),
        (hours(30), 0, "It left no gap."),
        ([], 0, "completed, not checked"),
    ],
)
def test_a_load_that_does_not_say_what_came_is_looked_through(tmp_path, address, backend, bars, code, said):
    def answer(request):
        backend.bars["EURUSD", "1h"] = bars
        backend.operations["op_l"] = operation("op_l", "data_load", "completed", result_summary=None)
        if not bars:
            backend.answers["POST /data/range"] = 500, {"detail": "no answer"}
        return 200, {"success": True, "operation_id": "op_l", "status": "started"}

    backend.answers["POST /data/acquire/download"] = answer
    done = run(tmp_path, "load", "EURUSD", "1h", "--mode", "full", backend=address)
    assert done.returncode == code and said in done.stdout


def test_a_load_waits_for_those_before_it(tmp_path, address, backend):
    asked = iter(range(100))

    def others(request):
        left = 2 - next(asked)
        items = [{"operation_id": f"op_{n}", "symbol": "TSLA", "status": "running"} for n in range(left)]
        return 200, {"success": True, "data": items}

    def answer(request):
        result = {"mode": "tail", "gaps_filled": 1, "rows_downloaded": 362}
        backend.operations["op_l"] = operation("op_l", "data_load", "completed", result_summary=result)
        return 200, {"success": True, "operation_id": "op_l", "status": "started"}

    backend.answers["GET /operations"], backend.answers["POST /data/acquire/download"] = others, answer
    done = run(tmp_path, "load", "EURUSD", "1h", backend=address)
    assert done.returncode == 0 and "362 bars fetched." in done.stdout
    # The stored bars end long ago: without a first day KTRDR would leave a hole after them.
    assert [body["start_date"] for _, body in backend.bodies if body and body.get("mode") == "tail"] == ["2023-01-01"]
    assert "Waiting: 2 loads before this one (TSLA op_0)." in done.stdout and "Waiting: 1 load before" in done.stdout


def test_a_start_that_is_refused_exits_1(tmp_path, address, backend):
    backend.answers["POST /trainings/start"] = (400, {"detail": "Strategy file not found: nope.yaml"})
    done = run(tmp_path, "train", "nope", backend=address)
    assert done.returncode == 1 and "Strategy file not found: nope.yaml" in done.stdout
    assert backend.hits["POST /trainings/start"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train"], "Missing argument 'STRATEGY'"),
        (["train", "swing", "--start", "soon"], "is not a date"),
        (["load", "../x", "1h"], "is not a symbol"),
        (["load", "EURUSD", "7h"], "Choose one of"),
        (["serve", "--port", "0"], "between 1 and 65535"),
        (["serve", "--host", "0.0.0.0"], "has no password"),
    ],
)
def test_what_is_typed_wrong_is_said_before_anything_is_sent(tmp_path, address, backend, arguments, words):
    done = run(tmp_path, *arguments, backend=address)
    assert done.returncode in (1, 2) and words in done.stderr
    assert backend.hits.total() == 0


def test_ctrl_c_cancels_and_exits_130(tmp_path, address, backend):
    backend.operations["op_t"] = operation("op_t", progress=percent(12, "Epoch 1/9"))
    backend.answers["POST /trainings/start"] = (200, {"success": True, "task_id": "op_t"})
    process = subprocess.Popen(
        [*COMMAND, "train", "swing"], env=environment(tmp_path, address), stdout=subprocess.PIPE, text=True
    )
    with process:
        while backend.hits["GET /operations/op_t"] < 2:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 130 and "cancelled" in out
    assert backend.hits["DELETE /operations/op_t"] == 1


def test_a_hang_up_cancels_too_and_changes_come_as_lines(tmp_path, address, backend):
    backend.operations["op_t"] = operation("op_t", progress=percent(12, "Epoch 1/9"))
    backend.answers["POST /trainings/start"] = (200, {"success": True, "task_id": "op_t"})
    process = subprocess.Popen(
        [*COMMAND, "train", "swing"],
        env=environment(tmp_path, address),
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # also where nohup runs the tests
    )
    with process:
        assert process.stdout is not None
        assert "Training: 12 %  Epoch 1/9" in process.stdout.readline(), "long before its end"
        backend.operations["op_t"] = operation("op_t", progress=percent(60, "Epoch 5/9"))
        assert "Training: 60 %  Epoch 5/9" in process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 130 and out == "", "nobody is there to read it"
    assert backend.hits["DELETE /operations/op_t"] == 1


@pytest.mark.parametrize("full", [False, True], ids=["a pipe whose reader has left", "a full disk"])
def test_where_nothing_can_be_written_it_follows_on(tmp_path, address, backend, full):
    backend.operations["op_t"] = operation("op_t", progress=percent(12, "Epoch 1/9"))
    backend.answers["POST /trainings/start"] = (200, {"success": True, "task_id": "op_t"})
    with open("/dev/full", "w") as disk:
        process = subprocess.Popen(
            [*COMMAND, "train", "swing"],
            env=environment(tmp_path, address),
            stdout=disk if full else subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    with process:
        assert process.stderr is not None
        if process.stdout is not None:
            assert "Epoch 1/9" in process.stdout.readline()
            process.stdout.close()
            backend.operations["op_t"] = operation("op_t", progress=percent(60, "Epoch 5/9"))
        assert "Nothing can be written any more" in process.stderr.readline()
        backend.operations["op_t"] = operation("op_t", status="completed", result_summary=RESULT)
        assert process.stderr.read() == "" and process.wait(120) == 0
    assert not any(hit.startswith("DELETE") for hit in backend.hits)


@pytest.mark.parametrize("command", [["doctor", "--json"], ["doctor"], ["queue"]])
def test_a_list_that_cannot_be_written_is_one_sentence(tmp_path, address, command):
    with open("/dev/full", "w") as disk:
        done = subprocess.run(
            [*COMMAND, *command],
            env=environment(tmp_path, address),
            stdout=disk,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "Error: The output cannot be written: No space left on device.\n")


def test_an_argument_that_is_no_utf_8_is_one_sentence(tmp_path):
    done = run(tmp_path, "train", b"sw\xffing")
    assert done.returncode == 2 and "An argument is not valid UTF-8: sw\\udcffing" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_while_it_begins_exits_130_without_a_traceback(tmp_path):
    """In the middle of its imports, and once they are done."""
    for module in ("asyncio", "panel.backend.http", "panel.cli.doctor"):
        code = f"""
import signal, sys
from panel.cli.entry import main
class Interrupt:
    def find_spec(self, name, *more):
        if name == {module!r}:
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
sys.argv = ["ktrdr-panel", "--help"]
main()
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(tmp_path))
        assert (done.returncode, done.stderr, done.stdout) == (130, "", ""), module


def test_a_port_in_use_is_one_sentence_and_no_address(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(tmp_path, "serve", "--port", str(port))
    assert done.returncode == 1 and "on http" not in done.stderr
    assert done.stderr.startswith(f"Error: 127.0.0.1:{port}: address already in use. --port")


def test_help_names_every_option():
    done = subprocess.run([*COMMAND, "train", "--help"], capture_output=True, text=True, check=True)
    for option in ("--start", "--end", "--symbols", "--timeframes", "--detailed-analytics", "--backend"):
        assert option in done.stdout
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
    assert {"serve", "train", "load", "backtest", "dummy"} <= set(done.stdout.split())


def test_the_embedded_backend_and_an_open_panel_share_what_runs(tmp_path):
    """A training from the command line shows up live on the panel's page, and is cancelled from there."""
    strategies = tmp_path / "embedded" / "strategies"
    strategies.mkdir(parents=True)
    (strategies / "long.yaml").write_text(slow(STRATEGY.format(name="long", epochs=5000)))
    loaded = run(tmp_path, "load", "EURUSD", "1h", "--start", "2026-01-01")
    assert loaded.returncode == 0 and "Bars fetched" in loaded.stdout, loaded.stdout + loaded.stderr
    with panel(tmp_path) as here, stream(here, "home", 30) as at_home:
        at_home.until(lambda stream: "lists" in stream.places)
        process = subprocess.Popen(
            [*COMMAND, "train", "long"], env=environment(tmp_path), stdout=subprocess.PIPE, text=True
        )
        with process:
            at_home.until(lambda stream: "card-op_training" in stream.places["lists"])
            operation_id = at_home.places["lists"].partition('id="card-')[2].partition('"')[0]
            with stream(here, operation_id) as on_its_page:
                on_its_page.until(lambda stream: stream.epochs()[1:])
                assert here.post(f"/operations/{operation_id}/cancel").status_code == 303
                on_its_page.until(lambda stream: "Cancelled" in stream.places["status"])
            out, _ = process.communicate(timeout=120)
        assert process.returncode == 130 and "cancelled" in out
        at_home.until(lambda stream: f"row-{operation_id}" in stream.places["lists"])
