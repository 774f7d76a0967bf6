"""A strategy's data section: symbols, timeframes, and external sources."""

from typing import Any

from panel.embedded.findings import DIFFERS, Findings, shown, whole
from panel.embedded.plan import Data
from panel.embedded.timeframes import TIMEFRAMES

_SYMBOLS, _TIMEFRAMES = 50, 10  # most of each that one training takes


def read_data(given: Any, findings: Findings) -> Data:
    if not isinstance(given, dict):
        findings.error("training_data", "this section is missing; it names symbols and timeframes")
        return Data()
    findings.leave_out("training_data", given, ("symbols", "symbol", "timeframes", "timeframe", "history_required"))
    symbols = _several(given, "symbols", "symbol", ("single", "multi_symbol"), findings)
    timeframes = _several(given, "timeframes", "timeframe", ("single", "multi_timeframe"), findings)
    for name in ("start_date", "end_date"):
        if not isinstance(given.get(name), str | None):
            findings.error(f"training_data.{name}", f'it has to be text: "{shown(given[name])}", in quotes')
    if not timeframes:
        findings.cannot_train("training_data.timeframes", "training_data.timeframes names none")
    for timeframe in timeframes:
        if timeframe not in TIMEFRAMES:
            findings.needs_ktrdr("training_data.timeframes", f"has no bars of the timeframe {shown(timeframe)}")
    if not symbols:
        findings.cannot_train("training_data.symbols", "no symbol is named in training_data.symbols")
    if len(symbols) > _SYMBOLS or len(timeframes) > _TIMEFRAMES:
        findings.needs_ktrdr("training_data", f"takes at most {_SYMBOLS} symbols and {_TIMEFRAMES} timeframes")
    base = given["timeframes"].get("base_timeframe") if isinstance(given.get("timeframes"), dict) else None
    if not isinstance(base, str | None):
        findings.error("training_data.timeframes.base_timeframe", "it has to be text")
    history = whole(given.get("history_required", 200))
    if history is None or history < 50:
        findings.error("training_data.history_required", "it has to be a whole number of at least 50 bars")
    return Data(symbols, timeframes, shown(base) if base else "", history or 200)


def _several(given: dict[Any, Any], many: str, one: str, modes: tuple[str, str], findings: Findings) -> tuple[str, ...]:
    """{mode: single, symbol: X}, {mode: multi_symbol, symbols: […]} or {…, list: […]}. Older spellings occur too: they
    are understood, with a warning that KTRDR refuses them."""
    place, value = f"training_data.{many}", given.get(many, given.get(one))
    if isinstance(value, str | list):
        value = {many: value} if isinstance(value, list) else {one: value}
    if not isinstance(value, dict):
        findings.error(place, f"it is missing: {{mode: single, {one}: …}}")
        return ()
    findings.leave_out(place, value, ("mode", many, one, "list", "base_timeframe"))
    mode, listed, single = value.get("mode"), value.get("list", value.get(many)), value.get(one)
    if "mode" not in value:
        findings.warn(DIFFERS, place, f"understood here, but a KTRDR wants {{mode: single, {one}: …}}, and refuses it")
    elif mode not in modes:
        findings.error(place, f"the mode {shown(mode)} is not known; there are {modes[0]} and {modes[1]}")
    if not isinstance(listed, list | None) or not all(isinstance(each, str) for each in listed or ()):
        findings.error(place, "it has to be a list of texts")
        return ()
    if not isinstance(single, str | None) or (mode == "single" and one in value and not single):
        findings.error(f"{place}.{one}", "it has to be text, and not empty")
    least = 2 if many == "timeframes" else 1
    if mode == modes[1] and listed is not None and len(listed) < least:
        findings.error(place, f"the mode {modes[1]} needs at least {least} of them")
    found = listed if listed is not None else [single] if isinstance(single, str) and single else []
    return tuple(dict.fromkeys(found))


def context_sources(given: Any, findings: Findings) -> set[str]:
    """The names by which indicators may use external data."""
    if given is None:
        return set()
    if not isinstance(given, list):
        findings.error("context_data", "it has to be a list")
        return set()
    sources: set[str] = set()
    for place, entry in enumerate(given):
        if not isinstance(entry, dict) or not isinstance(entry.get("provider"), str):
            findings.error(f"context_data.{place}", "it needs a provider")
            continue
        series = entry.get("series")
        names = [str(each) for each in series] if isinstance(series, list) else [str(series)] if series else []
        sources |= {f"fred_{name}" for name in names} | {str(entry.get("symbol"))}
        sources |= {f"yield_spread_{names[0]}_{names[1]}"} if len(names) > 1 else set()
        sources |= {f"cot_{entry.get('report')}_{what}" for what in ("net_pos", "net_pct")}
    if given:
        findings.needs_ktrdr("context_data", "reads no data from outside (context_data)")
    return sources
