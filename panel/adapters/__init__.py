"""The kinds of operation, one file each; a new file in this folder is a new kind.

`KINDS` maps the backend's `operation_type` to the adapter class, in the order in which they are offered.
"""

import importlib
import pkgutil

from panel.adapters.base import Kind
from panel.adapters.fields import Field
from panel.adapters.interface import OperationAdapter
from panel.domain.results import Figure

_OFFERED_FIRST = ("training", "data_load")


def _discover() -> dict[str, type[Kind]]:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    found = {adapter.kind: adapter for adapter in Kind.__subclasses__()}
    order = [*_OFFERED_FIRST, *sorted(found.keys() - set(_OFFERED_FIRST))]
    return {kind: found[kind] for kind in order}


KINDS = _discover()

from panel.adapters.backtest import BacktestingOperationAdapter  # noqa: E402
from panel.adapters.data_load import DataLoadOperationAdapter  # noqa: E402
from panel.adapters.dummy import DummyOperationAdapter  # noqa: E402
from panel.adapters.research import ResearchOperationAdapter  # noqa: E402
from panel.adapters.training import TrainingOperationAdapter  # noqa: E402

__all__ = [
    "KINDS",
    "BacktestingOperationAdapter",
    "DataLoadOperationAdapter",
    "DummyOperationAdapter",
    "Field",
    "Figure",
    "Kind",
    "OperationAdapter",
    "ResearchOperationAdapter",
    "TrainingOperationAdapter",
]
