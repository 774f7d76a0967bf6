"""A strategy's labels: what its network learns."""

from typing import Any

from panel.embedded.findings import Findings, real, shown
from panel.embedded.plan import ForwardReturn, Labels, TripleBarrier, ZigZag

_MAX_BARS = 5000  # that a label looks ahead
_KEYS = {
    "zigzag": ("zigzag_threshold", "label_lookahead"),
    "triple_barrier": ("pt_multiplier", "sl_multiplier", "max_holding_period", "vol_span", "vol_method"),
    "forward_return": ("horizon",),
}
_ELSEWHERE = ("context", "regime")  # KTRDR's other sources: they serve its ensembles


def read_labels(given: dict[Any, Any], regression: bool, findings: Findings) -> Labels:
    """KTRDR's defaults where the file has none."""
    source = given.get("source", "zigzag")
    if source in _ELSEWHERE:
        findings.needs_ktrdr("training.labels.source", f"has no labels from the source {source}")
        return ZigZag()
    if not isinstance(source, str) or source not in _KEYS:
        known = ", ".join([*_KEYS, *_ELSEWHERE])
        findings.cannot_train("training.labels.source", f"training.labels.source is {shown(source)}; there are {known}")
        return ZigZag()
    options = ("cusum_threshold", "compute_weights") if source == "triple_barrier" else ()
    findings.leave_out("training.labels", given, ("source", *_KEYS[source], *options))
    if regression != (source == "forward_return"):
        other = "forward_return labels need decisions.output_format: regression"
        learns = "a regression learns forward_return labels" if regression else other
        findings.cannot_train("training.labels.source", f"{learns}, and training.labels.source is {source}")
        return ForwardReturn() if regression else ZigZag()
    read = {"zigzag": _zigzag, "triple_barrier": _triple_barrier, "forward_return": _forward_return}
    return read[source](given, findings)


def _zigzag(given: dict[Any, Any], findings: Findings) -> Labels:
    usual = ZigZag()
    threshold = _above_zero(given, "zigzag_threshold", usual.threshold, 1, findings)
    return ZigZag(threshold, _bars(given, "label_lookahead", usual.horizon, findings))


def _forward_return(given: dict[Any, Any], findings: Findings) -> Labels:
    horizon = given.get("horizon")
    if type(horizon) is not int or horizon <= 0:
        findings.error("training.labels.horizon", "forward_return labels need it, as a whole number of bars above 0")
        return ForwardReturn()
    return ForwardReturn(_bars(given, "horizon", horizon, findings))


def _triple_barrier(given: dict[Any, Any], findings: Findings) -> Labels:
    usual = TripleBarrier()
    if given.get("cusum_threshold") is not None:
        findings.needs_ktrdr("training.labels", "does not choose bars by a cusum_threshold")
    if given.get("compute_weights"):
        findings.needs_ktrdr("training.labels", "does not weigh samples by their uniqueness (compute_weights)")
    return TripleBarrier(
        _above_zero(given, "pt_multiplier", usual.take, 1000, findings),
        _above_zero(given, "sl_multiplier", usual.stop, 1000, findings),
        _bars(given, "max_holding_period", usual.horizon, findings),
        _bars(given, "vol_span", usual.span, findings),
        "atr" if given.get("vol_method", "atr") == "atr" else "close",
    )


def _bars(given: dict[Any, Any], name: str, usual: int, findings: Findings) -> int:
    value = given.get(name, usual)
    if type(value) is int and 1 <= value <= _MAX_BARS:
        return value
    what = f"training.labels.{name} is a whole number from 1 to {_MAX_BARS:,}, not {shown(value)}"
    findings.cannot_train(f"training.labels.{name}", what)
    return usual


def _above_zero(given: dict[Any, Any], name: str, usual: float, below: float, findings: Findings) -> float:
    value = given.get(name, usual)
    number = real(value) if not isinstance(value, str) else None
    if number is not None and 0 < number < below:
        return number
    what = f"training.labels.{name} is a number above 0 and below {below:,}, not {shown(value)}"
    findings.cannot_train(f"training.labels.{name}", what)
    return usual
