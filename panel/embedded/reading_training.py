"""A strategy's network, training and decision sections."""

from typing import Any

from panel.embedded.findings import DIFFERS, Findings, real, shown
from panel.embedded.plan import DataSplit, Decisions, EarlyStopping, Layers, Learning

Section = dict[Any, Any]

# What both this backend and KTRDR read: the most that is taken here, and whether it is a whole number.
_LEARNING = {"epochs": (5000, True), "batch_size": (10**9, True), "learning_rate": (10, False)}


def section(given: Section, name: str, parent: str, findings: Findings) -> Section:
    value = given.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        findings.cannot_train(f"{parent}.{name}", f"{parent}.{name} has to be a mapping")
        return {}
    return value


def read_layers(model: Section, findings: Findings) -> Layers:
    kind = shown(model.get("type", "mlp")).lower()
    findings.leave_out("model", model, ("type", "architecture", "training"))
    architecture = section(model, "architecture", "model", findings)
    if kind in ("lstm", "gru"):
        findings.needs_ktrdr("model.type", f"has no models of the type {kind}")
        return Layers()
    if kind != "mlp":
        findings.cannot_train("model.type", f"model.type is {kind}, and KTRDR knows mlp, lstm and gru")
        return Layers()
    findings.leave_out(
        "model.architecture", {k: v for k, v in architecture.items() if v}, ("hidden_layers", "activation")
    )
    hidden, activation = architecture.get("hidden_layers"), shown(architecture.get("activation", "relu")).lower()
    if hidden is None:
        findings.warn(DIFFERS, "model.architecture.hidden_layers", "32 and 16 here; a KTRDR cannot train without it")
        hidden = Layers().hidden
    if not isinstance(hidden, list | tuple) or not all(type(each) is int and each > 0 for each in hidden):
        findings.cannot_train("model.architecture", "model.architecture.hidden_layers is a list of whole numbers")
        hidden = Layers().hidden
    if len(hidden) > 10 or max(hidden, default=1) > 1024:
        findings.needs_ktrdr("model.architecture", "has at most 10 hidden layers of 1,024 neurons")
    if activation == "leaky_relu":
        findings.needs_ktrdr("model.architecture.activation", "has no leaky_relu")
    elif activation not in ("relu", "tanh", "sigmoid"):
        findings.unused.append(f"model.architecture.activation {activation} (it is not known; relu is used)")
    return Layers(tuple(hidden), activation if activation in ("tanh", "sigmoid") else "relu")


def read_learning(model: Section, training: Section, regression: bool, findings: Findings) -> Learning:
    """KTRDR reads the top-level section. What is only in `model.training` is used here, with a warning."""
    known = ("method", "labels", "data_split", "random_seed", *_LEARNING)
    findings.leave_out("training", training, (*known, "loss", "huber_delta") if regression else known)
    nested = section(model, "training", "model", findings)
    findings.leave_out("model.training", nested, (*_LEARNING, "optimizer", "early_stopping", "random_seed"))
    usual, found, only_here = Learning(), {}, []
    for name, (high, whole_only) in _LEARNING.items():
        value = training[name] if training.get(name) is not None else nested.get(name)
        found[name] = _number(value, getattr(usual, name), 0, high, name, findings, whole_only=whole_only)
        if training.get(name) is None and found[name] != getattr(usual, name):
            only_here.append(f"{name} {found[name]:g}")
    stopping = _early_stopping(nested, findings)
    optimizer = "sgd" if shown(nested.get("optimizer")).lower() == "sgd" else "adam"
    only_here += ["optimizer sgd"] if optimizer == "sgd" else []
    only_here += ["early stopping"] if stopping.enabled else []
    if only_here:
        ktrdr = "a KTRDR does not read it: it takes epochs, batch_size and learning_rate from the top-level training"
        findings.warn(DIFFERS, "model.training", f"{', '.join(only_here)} counts here; {ktrdr} (else 100, 32, 0.001)")
    seed = training.get("random_seed", nested.get("random_seed"))
    return Learning(
        int(found["epochs"]),
        int(found["batch_size"]),
        found["learning_rate"],
        optimizer,
        stopping,
        int(_number(seed, usual.random_seed, -1, 2**32 - 1, "random_seed", findings, whole_only=True)),
        str(training.get("loss") or usual.loss),
        _number(training.get("huber_delta"), usual.huber_delta, 0, 1e9, "huber_delta", findings),
    )


def _early_stopping(nested: Section, findings: Findings) -> EarlyStopping:
    given = section(nested, "early_stopping", "model.training", findings)
    patience = _number(given.get("patience"), 10, 1, 1e6, "early_stopping.patience", findings, whole_only=True)
    delta = real(given.get("min_delta"))
    return EarlyStopping(given.get("enabled") is True, int(patience), max(delta or 0.0, 0.0))


def _number(
    value: Any, usual: float, low: float, high: float, name: str, findings: Findings, *, whole_only: bool = False
) -> float:
    """A number of a training, above `low`; `usual` where it is missing or cannot be used."""
    if value is None:
        return usual
    kinds = (int,) if whole_only else (int, float)
    if type(value) in kinds and low < value <= high:
        return float(value) if not whole_only else int(value)
    if isinstance(value, str) and real(value) is not None:
        findings.cannot_train(
            f"training.{name}", f"{name} is text for YAML; write {shown(f'{real(value):.10f}'.rstrip('0'))}"
        )
    else:
        kind = "a whole number" if whole_only else "a number"
        what = f"{name} is {kind} above {low:g} and up to {high:,.0f}, not {shown(value)}"
        findings.cannot_train(f"training.{name}", what)
    return usual


def read_split(training: Section, findings: Findings) -> DataSplit:
    given = section(training, "data_split", "training", findings)
    shares = [real(given.get(name, usual)) for name, usual in (("train", 0.7), ("validation", 0.15), ("test", 0.15))]
    train, validation, test = (share if share is not None else -1.0 for share in shares)
    left = 1 - train - validation
    if not (0.05 <= train <= 0.9 and 0.05 <= validation <= 0.9 and left >= 0.0499):
        what = "training.data_split leaves training, validation or test less than 0.05 of the bars"
        findings.cannot_train("training.data_split", what)
        return DataSplit()
    if abs(left - test) > 0.01:
        message = f"train, validation and test do not add up to 1; {left:.2g} is left for the test"
        findings.warn("strategy", "training.data_split", message)
    return DataSplit(train, validation)


def read_decisions(given: Section, regression: bool, findings: Findings) -> Decisions:
    findings.leave_out("decisions", given, ("output_format", "cost_model" if regression else "confidence_threshold"))
    if regression:
        costs = section(given, "cost_model", "decisions", findings)
        cost, edge = (real(costs.get(name)) for name in ("round_trip_cost", "min_edge_multiplier"))
        return Decisions(trade_threshold=(cost or 0) * (edge or 0))
    usual = Decisions()
    threshold = real(given.get("confidence_threshold", usual.confidence_threshold))
    if threshold is None or not 0 <= threshold <= 1:
        findings.cannot_train("decisions", "decisions.confidence_threshold is a number from 0 to 1")
        return usual
    return Decisions(confidence_threshold=threshold)
