"""What Prometheus reads: right in form, right in value, and never more labels than are known beforehand."""

import re
import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import Response

from tests.support.pages import until
from tests.support.panels import free_port, panel, stream
from tests.support.scripted import operation, percent

ROOT = Path(__file__).parents[2]
FAILURES = "ktrdr_panel_backend_failures_total"


def read(here) -> dict[str, dict[tuple[str, ...], float]]:
    """Name of each sample -> its labels' values -> the value."""
    answer = here.get("/metrics")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_operations_streams_and_the_backend(here, backend):
    backend.operations["op_a"] = operation("op_a", progress=percent(12))
    backend.operations["op_b"] = operation("op_b", "data_load", "failed", error_message="Symbol X not found")
    backend.operations["op_c"] = operation("op_c", "made_up_by_the_backend", "failed")
    here.read(*backend.operations)
    with stream(here, "home") as at_home:
        at_home.until(lambda stream: "lists" in stream.places)
        metrics = read(here)
        assert metrics["ktrdr_panel_streams"][()] == 1
    here.inside.call(time.sleep, 0.2)
    metrics |= read(here)
    assert {of: seconds > 0.17 for of, seconds in metrics["ktrdr_panel_longest_stall_seconds"].items()} == {
        ("minute",): True,
        ("start",): True,
    }
    assert metrics["ktrdr_panel_operations"] == {
        ("training", "running"): 1,
        ("data_load", "failed"): 1,
        ("other", "failed"): 1,
    }
    assert metrics["ktrdr_panel_verdicts_total"][("failed",)] == 2
    assert (
        metrics["ktrdr_panel_backend_up"][()] == 1
        and metrics["ktrdr_panel_backend_answered_timestamp_seconds"][()] > 1e9
    )
    asked = metrics["ktrdr_panel_backend_request_seconds_count"]
    assert asked[("operations", "GET")] >= 3
    assert metrics["ktrdr_panel_memory_bytes"][()] > 10_000 and metrics["ktrdr_panel_queue"][()] == 0
    assert metrics["process_resident_memory_bytes"][()] > 1e7
    (info,) = metrics["ktrdr_panel_info"]
    assert "ktrdr" in info


def test_failures_by_kind(tmp_path, backend, address):
    backend.answers |= {
        "GET /operations/op_4": (404, {"detail": "Operation not found"}),
        "GET /operations/op_5": (503, {"detail": "No"}),
        "GET /operations/op_x": lambda _: Response("<html>", 200),
        "GET /operations/op_n": (200, {"success": False, "message": "no"}),
    }
    with panel(tmp_path, address) as here:
        for name in ("op_4", "op_5", "op_x", "op_n"):
            here.get(f"/operations/{name}")
        until(lambda: sum(read(here).get(FAILURES, {}).values()) >= 4)  # a page waits for the backend only shortly
        failed = read(here)[FAILURES]
    assert failed == {("operations", kind): 1 for kind in ("4xx", "5xx", "unreadable", "refused")}
    with panel(tmp_path, f"http://127.0.0.1:{free_port()}/api/v1") as here:
        until(lambda: ("operations", "connection") in read(here).get(FAILURES, {}))
        here.until("/", lambda text: "Backend unreachable" in text)
        metrics = read(here)
    assert metrics["ktrdr_panel_backend_up"][()] == 0


def test_no_text_from_elsewhere_becomes_a_label(here, backend):
    for n in range(5):
        backend.operations[f"op_{n}"] = operation(f"op_{n}", f"kind_{n}", f"status_{n}")
        here.get(f"/operations/op_{n}")
        here.get(f"/nothing/{n}")
    text = here.get("/metrics").text
    assert "op_" not in text and "kind_" not in text and "status_" not in text and "/nothing" not in text


def test_every_measure_is_documented(here):
    """The operators' table, and what is really told."""
    manual = (ROOT / "docs" / "operating.md").read_text("utf-8")
    listed = dict(re.findall(r"^\| `(ktrdr_panel_\w+)` \| (.+?) \|", manual, re.M))
    families = list(text_string_to_metric_families(here.get("/metrics").text))
    metrics = {}
    for family in families:
        ending = {"counter": "_total", "info": "_info"}.get(family.type, "")
        if family.name.startswith("ktrdr_panel"):
            metrics[family.name.removesuffix(ending) + ending] = family.documentation
    assert listed == metrics
