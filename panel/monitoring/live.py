"""Operations that are not finished."""

from typing import Any, TypeVar

from panel.domain.observation import Observation

T = TypeVar("T")


def keep_latest(kept: dict[str, T], key: str, value: T, most: int) -> None:
    """Under this key, as the latest; the oldest go when there are more than `most`."""
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > most:
        del kept[next(iter(kept))]


class LiveOperations(dict[str, Observation]):
    """By id. There may be tens of thousands: they are put in order only when one came or went."""

    def __init__(self) -> None:
        super().__init__()
        self._order: list[str] | None = None

    def __setitem__(self, operation_id: str, observation: Observation) -> None:
        if operation_id not in self:
            self._order = None
        super().__setitem__(operation_id, observation)

    def pop(self, operation_id: str, *default: Any) -> Any:
        self._order = None if operation_id in self else self._order
        return super().pop(operation_id, *default)

    def newest_first(self) -> list[Observation]:
        if self._order is None:
            self._order = sorted(self, key=lambda each: self[each].snapshot.created_at or 0, reverse=True)
        return [self[each] for each in self._order]
