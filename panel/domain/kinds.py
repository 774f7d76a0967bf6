"""The traits of a kind of operation that the panel's rules go by. Pure.

Each adapter declares its kind's traits when `panel.adapters` is imported; a kind without an adapter has none.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Traits:
    """`worker`: the type of worker that does it, "" for none; `hosts`: other types that do it too; `alone`: no other of
    its kind may run; `inside`: the backend does it in its own process, and calls it failed after a minute although it
    goes on; `loads`: it fetches market data, and the stored bars show what came; `learns`: it has epochs and
    checkpoints, and leaves a model; `tries_model`: it tries out one that was saved;
    `has_parts`: other operations are parts of it."""

    worker: str = ""
    hosts: tuple[str, ...] = ()
    alone: bool = False
    inside: bool = False
    loads: bool = False
    learns: bool = False
    tries_model: bool = False
    has_parts: bool = False


_NONE = Traits()
_DECLARED: dict[str, Traits] = {}


def learning() -> list[str]:
    """Kinds that train models."""
    return [kind for kind, traits in _DECLARED.items() if traits.learns]


def declare(kind: str, traits: Traits) -> None:
    _DECLARED[kind] = traits


def traits_of(kind: str) -> Traits:
    """Raises RuntimeError before the adapters are imported: no rule may judge without them."""
    if not _DECLARED:
        raise RuntimeError("No kind is declared: import panel.adapters first.")
    return _DECLARED.get(kind, _NONE)
