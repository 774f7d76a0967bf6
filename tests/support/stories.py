"""Recorded courses of operations."""

from panel.backend.entities import snapshot_of
from panel.domain.observation import observed
from panel.domain.verdict import judge
from panel.settings import Settings
from panel.storage.store import Storage
from tests.support.scripted import operation, percent, stamp

AGO = 200  # seconds before now at which the remembered run began


def remember(folder, address, operation_id, readings, began):
    """A panel that ran before kept these: (seconds after the beginning, what the backend said)."""
    store, observation = Storage(Settings.from_environ({}, backend=address, data_folder=folder).memory_file), None
    for at, fields in readings:
        answer = operation(operation_id, **{"created_at": stamp(began), **fields})
        observation = observed(observation, snapshot_of(answer, began + at))
        store.memory.remember(observation, judge(observation, began + at), began + at)
    store.close()


def steady(upto: int, epochs: int = 100) -> list[tuple[float, dict]]:
    """An epoch in two seconds: half a per cent a second, if there are a hundred."""
    return [
        (n * 2, {"progress": percent(n * 100 / epochs, f"Epoch {n}/{epochs}", steps_total=epochs, steps_completed=n)})
        for n in range(upto)
    ]
