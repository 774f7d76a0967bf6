"""The command lines that start an operation."""

import shlex
from collections.abc import Mapping

from panel.adapters.base import Kind
from panel.domain.requests import Start
from panel.domain.snapshot import Snapshot
from panel.domain.strategies import Strategy
from panel.errors import InvalidForm


def commands_of(
    adapter: type[Kind] | None, snapshot: Snapshot, start: Start | None, address: str, own: Strategy | None
) -> list[str]:
    """Command lines that start the same thing again; [] when what was asked for is not known."""
    if adapter is None:
        return []
    known = snapshot.parameters | {"strategy_name": snapshot.strategy}
    return commands_for(adapter, start.form if start else adapter.typed(known), address, own)


def commands_for(adapter: type[Kind], form: Mapping[str, str], address: str, own: Strategy | None = None) -> list[str]:
    """[] when the form cannot be sent as it is."""
    try:
        return commands(adapter.from_form(form), address, own)
    except InvalidForm:
        return []


def commands(made: Kind, address: str, own: Strategy | None = None) -> list[str]:
    """Safe to paste into a shell, whatever was typed. `address`: of the backend, "" for the embedded one; `own`: the
    strategy, where it is known."""
    line = [*made.argv(), *(["--backend", address] if address else [])]
    if "--" in line:  # options come before it
        line = [*line[:2], "--backend", address, *line[2:-2]] if address else line
    return [shlex.join(words) for words in (line, made.ktrdr_argv(own)) if words]
