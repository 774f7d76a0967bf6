"""Distinguishes runs of the same name by the settings in which they differ from their neighbours. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from panel.adapters import KINDS
from panel.adapters.fields import per_cent
from panel.domain import comparison
from panel.domain.snapshot import Snapshot
from panel.domain.values import number

SHOWN = 3  # settings of one run
# What every list shows of a run anyway.
_SHOWN_ANYWAY = frozenset({"symbol", "symbols", "timeframe", "timeframes", "strategy_name", "mode", "brief"})
_SHOWN_WITH_MODELS = frozenset({"model_path", "start_date", "end_date"})


_EPOCHS = ("training.epochs", "model.training.epochs")  # shown already


def differences(
    snapshots: Iterable[Snapshot], settings: Callable[[str], Mapping[str, str]] = lambda _: {}
) -> dict[str, str]:
    """Operation -> “epochs 50, rsi_14 period 21, from 2024-01-01”, "" for those that nothing sets apart. Only runs of
    one kind and strategy are neighbours. `settings`: those of the strategy that an operation was started with, by their
    paths in the file; {} where that is not known."""
    groups: defaultdict[tuple[str, str], list[Snapshot]] = defaultdict(list)
    for snapshot in snapshots:
        groups[snapshot.kind, snapshot.strategy].append(snapshot)
    return {operation_id: text for group in groups.values() for operation_id, text in _among(group, settings)}


def _among(group: Sequence[Snapshot], settings: Callable[[str], Mapping[str, str]]) -> Iterable[tuple[str, str]]:
    if len(group) < 2:
        return [(snapshot.id, "") for snapshot in group]
    shown = _SHOWN_ANYWAY | (_SHOWN_WITH_MODELS if group[0].traits.tries_model else frozenset())
    if (adapter := KINDS.get(group[0].kind)) is not None:
        shown |= frozenset(adapter.inner)
    differing = [
        row for row in comparison.parameters(group) if row.differs and row.name not in shown and any(row.values)
    ]
    places = [field.name for field in adapter.fields] if adapter else []
    differing.sort(key=lambda row: places.index(row.name) if row.name in places else len(places))
    epochs = [_epochs(snapshot) for snapshot in group]
    parts: list[list[str]] = [[] for _ in group]
    if len({each for each in epochs if each}) > 1:
        for each, count in zip(parts, epochs, strict=True):
            each += [f"epochs {count}"] if count else []
    for each, texts in zip(parts, _of_files([settings(snapshot.id) for snapshot in group]), strict=True):
        each += texts
    for row in differing:
        for each, value, snapshot in zip(parts, row.values, group, strict=True):
            each += [text] if (text := _setting(snapshot.kind, row.name, value)) else []
    return [(snapshot.id, ", ".join(each[:SHOWN])) for snapshot, each in zip(group, parts, strict=True)]


def _of_files(files: Sequence[Mapping[str, str]]) -> list[list[str]]:
    """What sets each strategy apart from the others that are known: first what all have, with other values."""
    known = [each for each in files if each]
    paths = dict.fromkeys(path for each in known for path in each if path not in _EPOCHS)
    differing = [path for path in paths if len({each.get(path) for each in known}) > 1]
    differing.sort(key=lambda path: any(path not in each for each in known))
    return [[f"{_short(path)} {each[path][:60]}" for path in differing if path in each] for each in files]


def _short(path: str) -> str:
    """`indicators.rsi_14.period` -> “rsi_14 period”, `training.learning_rate` -> “learning rate”."""
    *parents, last = path.split(".")[1:] or [path]
    return " ".join([*parents[-2 if last.isdecimal() else -1 :], last if last.isdecimal() else last.replace("_", " ")])


def _epochs(snapshot: Snapshot) -> int:
    """How many a training was to run; 0 when that is not known. KTRDR says 1 before it has counted them."""
    counted = snapshot.traits.learns and (snapshot.finished or snapshot.steps_total != 1)
    return (snapshot.steps_total or 0) if counted else 0


def _setting(kind: str, name: str, value: str) -> str:
    if value in ("", "no"):
        return ""
    adapter = KINDS.get(kind)
    asked = next((field for field in adapter.fields if field.name == name), None) if adapter else None
    label = (asked.label.removesuffix(" in %") if asked else name.replace("_", " ")).lower()
    if value == "yes":
        return label
    if asked is not None and asked.type == "percent" and (share := number(_float(value))) is not None:
        value = f"{per_cent(share)} %"
    if name == "model_path":
        value = "/".join(value.rstrip("/").split("/")[-2:])
    return f"{label} {value[:60]}"


def _float(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None
