"""Which models can be tried out, and what is known before a backtest of one starts."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime

from panel.adapters import BacktestingOperationAdapter, TrainingOperationAdapter
from panel.backend.catalogue import Catalogue
from panel.domain.formatting import day
from panel.domain.gaps import DAY, LENGTHS
from panel.domain.history import OperationQuery
from panel.domain.model_paths import as_asked_for, folder_elsewhere, named
from panel.domain.models import Model, gathered
from panel.domain.state import State
from panel.errors import CLIClientError
from panel.storage.store import Storage
from panel.workflows.preflight import Period, Preflight, Sources, dates_of, form_lines, room_lines
from panel.workflows.preflight_lines import AMBER, OK, RED, Line

OFFERED = 100
LATEST = 20  # failed backtests that may tell by which path models are found
FILLED = ("strategy_name", "symbol", "timeframe")  # what is left out of these follows from the model


async def known_models(sources: Sources) -> list[Model]:
    """Of the trainings that the panel remembers, and those that the backend lists."""
    wanted = OperationQuery(TrainingOperationAdapter.kind, states=(State.COMPLETED,), archived=None, limit=OFFERED)
    trained = sources.storage.memory.page(wanted)
    try:
        listed = await sources.catalogue.models()
    except CLIClientError:
        listed = []
    starts = sources.storage.starts_of([observation.snapshot.id for observation in trained])
    remembered = []
    for observation in trained:
        start = starts.get(observation.snapshot.id)
        name = start.form.get("strategy_name", "") if start is not None else ""
        remembered.append(Model.from_training(observation.snapshot, name))
    folders = folders_elsewhere(sources.storage)
    known = ([as_asked_for(model, folders) for model in each if model is not None] for each in (remembered, listed))
    return gathered(*known)[:OFFERED]


def folders_elsewhere(storage: Storage) -> set[str]:
    """Folders of models that this backend's workers look for at another path, as far as backtests have failed so."""
    kind = BacktestingOperationAdapter.kind
    wanted = OperationQuery(kind, states=(State.FAILED,), archived=None, sort="ended", limit=LATEST)
    return {folder for each in storage.memory.page(wanted) if (folder := folder_elsewhere(each.snapshot))}


def as_found(storage: Storage, model: Model) -> Model:
    """With the path by which this backend's workers find it."""
    return as_asked_for(model, folders_elsewhere(storage))


def with_model(values: dict[str, str], models: list[Model]) -> dict[str, str]:
    """A form as it is first shown: with the model that was asked for, or else the newest of the strategy."""
    path, strategy = values["model_path"], values["strategy_name"]
    newest = next((model for model in models if strategy in ("", model.strategy)), None)
    model = named(models, path) if path else newest
    return values if model is None else _filled(values | {"model_path": ""}, model.fill(today()))


def completed(values: dict[str, str], given: Mapping[str, str], models: list[Model]) -> dict[str, str]:
    """A form as it was sent: what was typed instead of a choice counts, and what the model says fills what was left
    out, as the page's script does."""
    path = given.get("other_model", "").strip() or values["model_path"]
    values = values | {"model_path": path}
    model = named(models, path)
    if model is None:
        return values
    return _filled(values, {name: value for name, value in model.fill(today()).items() if name in FILLED})


def _filled(values: dict[str, str], fill: dict[str, str]) -> dict[str, str]:
    return values | {name: value for name, value in fill.items() if not values[name]}


def today() -> date:
    return datetime.now(UTC).date()


async def check_backtest(sources: Sources, given: dict[str, str]) -> Preflight:
    """For a form as it is filled in now."""
    path = given.get("other_model", "").strip() or given.get("model_path", "").strip()
    kind, ask = BacktestingOperationAdapter.kind, "Choose a model to see what it needs."
    if not path:
        return Preflight(kind, ask, path)
    models = await known_models(sources)
    model = named(models, path)
    values = {name: given.get(name, "").strip() for name in ("strategy_name", "symbol", "timeframe")}
    asked = completed(values | {"model_path": path}, {}, models)
    try:
        pairs = await _pairs(sources.catalogue, model, asked)
        ranges = await asyncio.gather(*(sources.catalogue.range(*pair) for pair in pairs))
    except CLIClientError as exc:
        return Preflight(kind, ask, path, exc.message)
    dates = dates_of(given)
    lines = [*_of_model(model, asked), *form_lines(kind, given | asked), *_of_overlap(model, asked, dates)]
    counts = await asyncio.gather(*(sources.catalogue.bars_in(found, *dates) for found in ranges))
    stored = [sources.range_line(found, dates, "backtest", 0, n) for found, n in zip(ranges, counts, strict=True)]
    lines += await sources.with_remedies(stored, "backtest")
    lines += await sources.fault_lines(ranges, given, "backtest")
    lines += room_lines(sources, kind)
    return Preflight(kind, ask, path, lines=tuple(lines))


async def _pairs(catalogue: Catalogue, model: Model | None, asked: dict[str, str]) -> list[tuple[str, str]]:
    """The symbol with each timeframe that the model uses; what was not chosen is the strategy's own."""
    listed = {strategy.name: strategy for strategy in await catalogue.strategies()}
    strategy = listed.get(asked["strategy_name"])
    symbol = asked["symbol"].upper() or (strategy.symbols[0] if strategy and strategy.symbols else "")
    looks_at = (model.timeframes if model else ()) or (strategy.timeframes if strategy else ())
    timeframes = dict.fromkeys([*([asked["timeframe"]] if asked["timeframe"] else []), *looks_at])
    return [(symbol, timeframe) for timeframe in timeframes if symbol and timeframe in LENGTHS]


def _of_model(model: Model | None, asked: dict[str, str]) -> list[Line]:
    if model is None:
        return [
            Line(AMBER, asked["model_path"][:100], "is not known to the panel. Whether it exists shows at the start.")
        ]
    if asked["model_path"] == model.saved_at:
        text = f"was looked for at another path when it was asked for like this. The same model is {model.path}."
        return [Line(RED, model.saved_at, text)]
    if asked["strategy_name"] != model.strategy:
        return [Line(RED, model.path, f"was trained with {model.strategy}, not with {asked['strategy_name']}.")]
    if model.unseen_from is None:
        return [Line(OK, model.path, "is known.")]
    until = day(model.unseen_from - DAY)
    if not model.dated:
        text = f"has seen what was stored of {model.symbol} until {until}: its training was started without dates."
        return [Line(OK, model.path, text)]
    return [Line(OK, model.path, f"has seen {model.symbol} from {day(model.learned_from)} to {until}.")]


def _of_overlap(model: Model | None, asked: dict[str, str], dates: Period) -> list[Line]:
    start, end = dates
    if model is None or start is None or end is None:
        return []
    days, whole = model.overlap(start, end + DAY, asked["symbol"] or model.symbol), round((end + DAY - start) / DAY)
    if not days or days > whole:
        return []
    share = "all" if days == whole else f"{days:,} of {whole:,}"
    return [Line(AMBER, "The period", f"has been seen in training: {share} days. That flatters the result.")]
