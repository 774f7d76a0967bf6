"""Resume: refused wherever it would do harm, and sent once where it would not."""

import re
import threading
import time
from dataclasses import dataclass, replace
from html import unescape

import httpx
import pytest

from panel.backend.entities import snapshot_of
from panel.backend.ktrdr import Ktrdr
from panel.client import AsyncCLIClient
from panel.domain.checkpoints import Checkpoint
from panel.domain.observation import Observation
from panel.domain.state import State, Verdict
from panel.domain.workers import Worker, WorkerList
from panel.errors import BackendConnectionError
from panel.workflows.resuming import own, refusal
from tests.support.pages import KEY, words
from tests.support.panels import Panel, panel, stream
from tests.support.scripted import Backend, epochs, operation, percent, served, stamp

NOW = 1_800_000_000.0
ENDED = Verdict(State.CANCELLED, "Cancelled", "Stopped.")
SAVED = Checkpoint("op_a", "cancellation", NOW + 60, 9, None, None, None)
THERE = WorkerList((Worker("w", "training", "available"),), heard_at=NOW + 70)

HUNG = Worker("h", "training", "temporarily_unavailable", "op_a")


def observation(count: int = 10, kind: str = "training") -> Observation:
    reading = operation("op_a", kind, "cancelled", created_at=stamp(NOW), metrics={"epochs": [epochs(count)]})
    return Observation(snapshot_of(reading, NOW + 65), NOW + 65)


def test_a_cancelled_or_failed_training_with_its_own_checkpoint_may_be_resumed():
    assert refusal(observation(), ENDED, SAVED, THERE) == ""
    assert refusal(observation(), replace(ENDED, state=State.FAILED), SAVED, THERE) == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"seen": observation(kind="data_load")}, "Only trainings"),
        ({"verdict": Verdict(State.COMPLETED, "Completed", "")}, "this is completed"),
        ({"verdict": Verdict(State.STRAY, "Cancelled, still worked on", "")}, "still worked on"),
        ({"verdict": Verdict(State.RUNNING, "Running", "")}, "this is running"),
        ({"verdict": Verdict(State.DOUBTFUL, "Running, marked failed", "")}, "marked failed"),
        ({"seen": observation(0)}, "an earlier run"),
        ({"checkpoint": None}, "no checkpoint"),
        ({"checkpoint": replace(SAVED, epoch=0)}, "no finished epoch"),
        ({"checkpoint": replace(SAVED, created_at=NOW - 1)}, "older than it is"),
        ({"workers": WorkerList()}, "not known yet"),
        ({"workers": WorkerList((Worker("b", "backtesting", "available"),), heard_at=NOW)}, "No training worker"),
        ({"workers": WorkerList((HUNG,), heard_at=NOW + 70)}, "none that answers"),
        ({"workers": WorkerList((HUNG, *THERE.workers), heard_at=NOW + 70)}, "may wake and go on with it"),
    ],
)
def test_it_is_refused_where_it_would_do_harm(change, why):
    given = {"seen": observation(), "verdict": ENDED, "checkpoint": SAVED, "workers": THERE} | change
    assert why in refusal(given["seen"], given["verdict"], given["checkpoint"], given["workers"])


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer",
    [None, [], {}, {"data": []}, {"data": {"state": {}}}, {"data": {"state": {"epoch": "x"}, "created_at": stamp()}},
     {"data": {"state": {"epoch": -1}, "created_at": stamp()}}, {"data": {"state": {"epoch": 3}, "created_at": 5}}],
)  # fmt: skip
async def test_what_is_no_checkpoint_is_none(backend, address, answer):
    backend.answers["GET /checkpoints/op_a"] = (200, answer)
    async with AsyncCLIClient(address) as client:
        assert await Ktrdr(client).checkpoint("op_a") is None


def test_a_checkpoint_of_an_earlier_run_is_not_its_own():
    assert own(SAVED, observation()) is SAVED
    assert own(replace(SAVED, created_at=NOW - 1), observation()) is None and own(None, observation()) is None


def checkpoint(epoch: int = 9, at: float | None = None) -> tuple[int, dict]:
    state = {"epoch": epoch, "val_loss": 0.4, "training_history": {"val_loss": [0.4] * 10}}
    listed = {"operation_id": "op_a", "checkpoint_type": "cancellation", "created_at": stamp(at), "state": state}
    return 200, {"success": True, "data": listed}


def worker(status: str = "available", operation_id: str | None = None) -> dict:
    listed = {"worker_id": "w", "worker_type": "training", "status": status, "current_operation_id": operation_id}
    return listed | {"last_healthy_at": stamp(), "capabilities": {}}


@dataclass
class Ended:
    """A cancelled training with ten epochs behind it, on a panel that knows the workers."""

    here: Panel
    backend: Backend
    id: str

    def __post_init__(self) -> None:
        self.page, self.post = f"/operations/{self.id}", f"POST /operations/{self.id}/resume"
        self.saved, self.began = f"GET /checkpoints/{self.id}", stamp(time.time() - 300)
        self.turn("cancelled", completed_at=stamp(time.time() - 60), metrics={"epochs": [epochs(10), 10]})
        self.backend.answers[self.saved] = checkpoint()
        self.backend.answers[self.post] = self._resumed
        self.backend.answers["GET /workers"] = lambda request: (200, [worker()])

    def turn(self, status: str, **more) -> None:
        self.backend.operations[self.id] = operation(self.id, status=status, created_at=self.began, **more)

    def _resumed(self, request) -> tuple[int, dict]:
        self.turn("resuming")
        return 200, {"success": True, "data": {"operation_id": self.id, "status": "resuming"}}

    def offered(self) -> str:
        return self.here.until(self.page, lambda text: "Resume after epoch 10" in text)

    def press(self, **headers):
        return self.here.post(f"{self.page}/resume", **headers)

    @property
    def sent(self) -> int:
        return self.backend.hits[self.post]


@pytest.fixture(scope="module")
def panel_for_all(tmp_path_factory):
    """One for the whole file: it takes a round of discovery until the workers are known."""
    backend = Backend()
    with served(backend.app) as address, panel(tmp_path_factory.mktemp("panel"), address + "/api/v1") as here:
        yield here, backend


@pytest.fixture
def ended(panel_for_all, request) -> Ended:
    return Ended(*panel_for_all, f"op_{abs(hash(request.node.name)):x}")


def test_it_is_offered_with_its_epoch_and_sent_once(ended):
    assert f'action="{ended.page}/resume"' in ended.offered()
    for _ in range(2):
        assert ended.press().status_code == 303
    assert ended.sent == 1
    read = words(ended.here.get(ended.page).text)
    assert "Resuming" in read and "Resume after" not in read
    assert "Resume asked by a browser at 127.0.0.1 The backend took it." in read


def test_a_program_that_repeats_its_resume_gets_the_training(ended):
    """Also from a panel that was started since, which knows it by its memory alone."""
    ended.offered()
    url = f"{ended.here.address}/api/operations/{ended.id}/resume"
    for _ in range(2):
        answer = httpx.post(url, headers={"Idempotency-Key": "a-key-of-mine"}, timeout=120)
        assert answer.status_code == 202 and answer.json()["live"]
    ended.here.inside.panel.resume._attempts.clear()
    assert httpx.post(url, headers={"Idempotency-Key": "a-key-of-mine"}, timeout=120).status_code == 202
    assert ended.sent == 1


def test_the_result_of_a_resumed_training_counts_the_epochs_before_it_too(ended):
    """KTRDR's own counts them from the resume on."""
    ended.offered()
    ended.press()
    training = {"epochs_trained": 30, "history": {"train_loss": [0.123] * 30}}
    result = {"test_metrics": {"test_accuracy": 0.7}, "training_metrics": training}
    ended.turn("failed", error_message="no worker claimed it", completed_at=stamp(), result_summary=result)
    page = ended.here.until(ended.page, lambda text: "the full result is there" in words(text))
    assert "Epochs 40 passes over the training data" in words(page)


def test_times_that_count_from_a_resume_say_so(ended):
    """KTRDR puts the time of the resume in place of the start."""
    assert re.search(r" Took \d.* Started \d", words(ended.offered()))
    ended.press()
    read = words(ended.here.get(ended.page).text)
    assert "Elapsed since resume" in read and "Resumed 20" in read


def test_a_worker_that_is_still_busy_is_waited_for(ended):
    """After a cancel the backend calls the worker busy for some seconds; a resume then would overwrite times."""
    while_busy, free = [], threading.Event()

    def workers(request):
        if free.is_set():
            return 200, [worker()]
        while_busy.append(ended.sent)
        return 200, [worker("busy", ended.id)]

    ended.offered()
    ended.backend.answers["GET /workers"] = workers
    answer = ended.press(**{"hx-request": "true"})
    assert "Waiting until a training worker is free" in answer.text and ended.sent == 0
    ended.press(**{"hx-request": "true"})  # pressed again
    free.set()
    ended.here.until(ended.page, lambda text: "Resuming" in words(text))
    assert ended.sent == 1 and set(while_busy) == {0}


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({"saved": (404, {"detail": "Checkpoint not found"})}, "no checkpoint"),
        ({"saved": (500, {"detail": "Out of order"})}, "Out of order"),
        ({"saved": checkpoint(at=NOW - 1e9)}, "older than it is"),
        ({"workers": []}, "No training worker is registered"),
        ({"workers": [worker() | {"worker_type": "backtesting"}]}, "No training worker is registered"),
        ({"status": "completed"}, "this is completed"),
    ],
)
def test_what_turned_out_otherwise_since_it_was_offered_is_not_sent(ended, answers, why):
    ended.offered()
    ended.backend.answers[ended.saved] = answers.get("saved", checkpoint())
    ended.backend.answers["GET /workers"] = 200, answers.get("workers", [worker()])
    if "status" in answers:
        ended.turn(answers["status"], completed_at=stamp())
    answer = ended.press()
    assert answer.status_code == 409 and why in words(answer.text) and ended.sent == 0


def test_it_is_not_offered_without_a_checkpoint_and_the_list_of_all_is_never_asked_for(ended):
    ended.offered()
    ended.backend.answers[ended.saved] = 404, {"detail": "Checkpoint not found"}
    assert "Resume after" not in ended.here.get(ended.page).text
    assert not ended.backend.hits["GET /checkpoints"]  # 192 kB


def test_no_checkpoint_is_looked_for_without_an_epoch(ended):
    ended.turn("failed", error_message="no", completed_at=stamp())
    assert "Resume after" not in ended.here.get(ended.page).text and not ended.backend.hits[ended.saved]


def test_a_resume_that_is_refused_says_so_in_the_backends_words_and_is_not_repeated(ended):
    ended.backend.answers[ended.post] = 409, {"detail": "Operation is already running"}
    ended.offered()
    answer = ended.press()
    assert answer.status_code == 409 and "already running" in words(answer.text) and ended.sent == 1
    read = words(ended.here.get(ended.page).text)
    assert "Resume asked by a browser at 127.0.0.1 Operation is already running" in read


@pytest.mark.parametrize(("status", "ending"), [("cancelled", "was cancelled"), ("failed", "failed")])
def test_an_end_that_the_backends_database_does_not_know_is_explained_and_not_offered_again(ended, status, ending):
    """The database did not answer at the end: KTRDR keeps that in its memory, and resumes by its database."""
    ended.offered()
    ended.backend.answers[ended.post] = 409, {"detail": f"Cannot resume operation {ended.id} from status {status}"}
    with stream(ended.here, ended.id) as reader:
        reader.until(lambda stream: "Resume after epoch 10" in stream.places.get("status", ""))
        answer = unescape(words(ended.press().text))
        assert f"The backend's database does not know yet that it {ending}" in answer
        assert "Restart the backend" in answer and "Cannot resume" not in answer
        reader.until(lambda stream: "Resume after epoch" not in stream.places["status"])
    assert "Resume after epoch" not in ended.here.get(ended.page).text
    ended.here.inside.call(ended.here.inside.panel.monitor.failed, BackendConnectionError("It is restarted."))
    ended.backend.answers[ended.post] = ended._resumed
    ended.offered()
    assert ended.press().status_code == 303 and ended.sent == 2


def test_a_resume_without_an_answer_is_not_sent_a_second_time(ended):
    ended.backend.answers[ended.post] = 500, {"detail": "All connection attempts failed"}
    ended.offered()
    assert ended.press().status_code == 409
    again = ended.press()
    assert again.status_code == 409 and "not asked a second time" in words(again.text) and ended.sent == 1


def running(backend, **more):
    reading = {"created_at": stamp(time.time() - 600), "progress": percent(29, "Epoch 30/100", steps_total=100)}
    backend.operations["op_a"] = operation("op_a", metrics={"epochs": [epochs(29), 29]}, **reading | more)


def test_the_question_before_a_cancel_says_what_would_be_lost(here, backend):
    running(backend)
    backend.answers["GET /checkpoints/op_a"] = checkpoint(27, time.time() - 241)
    read = words(here.get("/operations/op_a/cancel").text)
    assert "Checkpoint at epoch 28 of 100, written 4 min" in read and "about 4 min" in read
    assert not backend.hits["DELETE /operations/op_a"] and not backend.hits["GET /checkpoints"]


@pytest.mark.parametrize("answer", [(404, {"detail": "no"}), (500, {}), (200, {"data": 3}), checkpoint(at=NOW - 1e9)])
def test_without_a_checkpoint_the_question_says_what_is_known(here, backend, answer):
    running(backend)
    backend.answers["GET /checkpoints/op_a"] = answer
    read = words(here.get("/operations/op_a/cancel").text)
    assert "No checkpoint of it is known" in read and "29 epochs, 10 min" in read


def test_a_cancel_asked_in_place_is_answered_in_place(here, backend):
    running(backend)
    form = here.get("/operations/op_a/cancel", headers={"hx-request": "true"}).text
    assert 'name="inline" value="1"' in form
    answer = here.post("/operations/op_a/cancel", {"inline": "1"}, **{"hx-request": "true"})
    assert answer.status_code == 200 and "hx-redirect" not in answer.headers
    assert backend.hits["DELETE /operations/op_a"] == 1


def completes(backend):
    backend.operations["op_a"] = operation("op_a", "training", "completed", completed_at=stamp())
    return 400, {"detail": "Operation op_a cannot be cancelled (status: OperationStatus.COMPLETED)"}


def test_a_cancel_that_the_backend_does_not_take_now_is_told_in_its_words(here, backend):
    """It answers 400 to that too."""
    running(backend)
    here.read("op_a")
    backend.answers["DELETE /operations/op_a"] = (400, {"detail": "Worker is starting up, try later"})
    answer = here.post("/operations/op_a/cancel", {"inline": "1"}, **{"hx-request": "true"})
    assert "The cancel was not accepted. Worker is starting up, try later" in words(answer.text)
    by_program = httpx.post(f"{here.address}/api/operations/op_a/cancel", headers={"Idempotency-Key": KEY})
    assert by_program.status_code == 409 and by_program.json()["detail"] == "Worker is starting up, try later"


def test_a_cancel_that_lost_the_race_says_that_it_had_finished(here, backend):
    running(backend)
    here.read("op_a")
    backend.answers["DELETE /operations/op_a"] = lambda _: completes(backend)
    answer = here.post("/operations/op_a/cancel", {"inline": "1"}, **{"hx-request": "true"})
    assert "It had already finished" in words(answer.text)


def test_the_form_as_a_command_line_as_it_is_typed(here, backend):
    typed = {"strategy_name": "it's", "symbols": "EURUSD", "key": "x"}
    answer = here.post("/start/training/command", typed)
    assert (
        f"""ktrdr-panel train &#39;it&#39;&#34;&#39;&#34;&#39;s&#39; --symbols EURUSD --backend {here.settings.backend}"""
        in answer.text
    )
    assert "once the form can be sent" in words(here.post("/start/training/command", {"strategy_name": ""}).text)
    assert "ktrdr-panel train swing" in here.get("/start/training?strategy_name=swing").text
    assert not backend.hits["POST /trainings/start"]
