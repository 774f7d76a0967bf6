"""A scripted backend in a process of its own, in which things run.

    python -m bench.backend PORT [EPOCHS] [OPERATIONS] [LIFE]

`op_0` and its like are trainings with a history of EPOCHS epochs that say something new at every reading. With a LIFE
each ends after so many readings, and another begins in its place. On stdin: `hits` is answered with how often each path
was asked for, `readings` with when each reading of `op_0` was answered.
"""

import itertools
import json
import sys
import threading
import time
from typing import Any

import uvicorn

from tests.support.scripted import RESULT, Backend, corrupt, operation, percent, stamp


class Busy(Backend):
    def __init__(self, epochs: int, operations: int, life: int) -> None:
        super().__init__()
        self._metrics = {"epochs": corrupt(epochs)} if epochs else None
        self._numbers, self._life = itertools.count(), life
        self.answered: dict[int, float] = {}
        for _ in range(operations):
            self.begin()

    def begin(self) -> None:
        name = f"op_{next(self._numbers)}"
        worker = {"worker_id": f"of {name}", "worker_type": "training", "status": "busy", "current_operation_id": name}
        self.workers.append(worker)

        def read(count: int) -> dict[str, Any]:
            if count == self._life:
                self.workers.remove(worker)
                self.begin()
            if self._life and count >= self._life:
                return operation(name, status="completed", result_summary=RESULT, completed_at=stamp())
            if name == "op_0":
                self.answered[count] = time.monotonic()
            return operation(name, progress=percent(count % 99, f"Epoch {count}/99999"), metrics=self._metrics)

        self.operations[name] = read


def main() -> None:
    port, epochs, operations, life = map(int, [*sys.argv[1:], "0", "0", "0"][:4])
    backend = Busy(epochs, operations, life)

    def listen() -> None:
        for line in sys.stdin:
            print(json.dumps(backend.hits if line.strip() == "hits" else backend.answered), flush=True)

    threading.Thread(target=listen, daemon=True).start()
    uvicorn.run(backend.app, port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
