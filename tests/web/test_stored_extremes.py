"""What an earlier version stored without limits does not cost a page."""

import time
from dataclasses import replace

import pytest

from panel.backend.entities import snapshot_of
from panel.domain.observation import Observation
from panel.domain.snapshot import Status
from panel.domain.verdict import judge
from panel.settings import Settings
from panel.storage.store import Storage
from tests.support.panels import panel
from tests.support.scripted import RESULT, operation

OK_ID = "op_good"


@pytest.mark.parametrize("far", [1e12, -1e12, 1e30, 1e300])
@pytest.mark.parametrize("status", [Status.RUNNING, Status.COMPLETED, Status.FAILED])
def test_every_page_is_there_with_times_that_no_calendar_has(address, tmp_path, far, status):
    store = Storage(Settings.from_environ({}, backend=address, data_folder=tmp_path).memory_file)
    now = time.time()
    reading = snapshot_of(operation("op_far", status=status.value, result_summary=RESULT), now)
    times = {"created_at": far, "started_at": far, "completed_at": far}
    parameters = {"x": far, "symbols": [far], "date": "9999-12-31T00:00:00"}
    result = RESULT | {"training_metrics": RESULT["training_metrics"] | {"epochs_trained": far, "training_time": far}}
    poisoned = replace(reading, **times, parameters=parameters, result=result, read_at=far, context={"step_total": far})
    for snapshot in (poisoned, replace(snapshot_of(operation(OK_ID, status="completed"), now), completed_at=now)):
        observation = Observation(snapshot, far if snapshot is poisoned else now, rhythm=far, cancel_at=far)
        store.memory.remember(observation, judge(observation, now), now)
    store.close()
    with panel(tmp_path, address, keep_days=0) as here:
        for path in ("/", "/operations", "/operations/op_far", "/api/operations", "/api/operations/op_far"):
            answer = here.get(path)
            assert answer.status_code == 200, f"{path}: {answer.text[:300]}"
        assert OK_ID in here.get("/operations").text
        answer = here.get(f"/operations/compare?id=op_far&id={OK_ID}")
        assert answer.status_code == 200, answer.text
