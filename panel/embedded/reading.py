"""From the content of a strategy's file to a plan: whatever KTRDR's loader and engines take is taken the same way."""

from typing import Any

from panel.embedded.findings import Findings, shown
from panel.embedded.plan import Plan
from panel.embedded.reading_data import context_sources, read_data
from panel.embedded.reading_inputs import read_fuzzy_sets, read_indicators, read_inputs, unused_indicators
from panel.embedded.reading_labels import read_labels
from panel.embedded.reading_training import read_decisions, read_layers, read_learning, read_split, section

Section = dict[Any, Any]

_DESCRIBES = ("name", "description", "version", "hypothesis", "scope", "deployment")
_PARTS = ("training_data", "context_data", "indicators", "fuzzy_sets", "nn_inputs", "model", "decisions", "training")


def read_plan(content: Any, findings: Findings) -> Plan | None:
    """None when KTRDR would refuse the file too; the reasons are in the findings."""
    if not isinstance(content, dict) or not content:
        findings.error("", "This file is not a strategy: it has no keys.")
        return None
    if _is_ensemble(content):
        findings.needs_ktrdr("composition", "trains and tests single models, and this file is an ensemble of models")
        return None
    if not _is_v3(content, findings):
        return None
    findings.text_keys("", content)
    findings.leave_out("", content, (*_DESCRIBES, *_PARTS))
    _identity(content, findings)
    data = read_data(content.get("training_data"), findings)
    sources = context_sources(content.get("context_data"), findings)
    indicators = read_indicators(content["indicators"], sources, findings)
    fuzzy_sets = read_fuzzy_sets(content.get("fuzzy_sets"), content["indicators"], findings)
    inputs = read_inputs(content["nn_inputs"], content["indicators"], content.get("fuzzy_sets"), data, findings)
    unused_indicators(indicators, fuzzy_sets, inputs, findings)
    model, decisions, training = (_required(content, name, findings) for name in ("model", "decisions", "training"))
    regression = _is_regression(decisions, training, findings)
    plan = Plan(
        _line(content.get("name")),
        _line(content.get("description")),
        data,
        indicators,
        fuzzy_sets,
        inputs,
        read_layers(model, findings),
        read_learning(model, training, regression, findings),
        read_labels(section(training, "labels", "training", findings), regression, findings),
        read_split(training, findings),
        read_decisions(decisions, regression, findings),
    )
    return None if any(issue.severity == "error" for issue in findings.issues) else plan


def _line(value: Any) -> str:
    return shown(" ".join(value.split()), 2000) if isinstance(value, str) else ""


def _is_ensemble(content: Section) -> bool:
    named = isinstance(content.get("models"), dict) and isinstance(content.get("composition"), dict)
    return named and "nn_inputs" not in content


def _is_v3(content: Section, findings: Findings) -> bool:
    indicators = content.get("indicators")
    if isinstance(indicators, dict) and "nn_inputs" in content:
        return True
    if isinstance(indicators, list):
        text = "This is a v2 strategy: its indicators are a list. KTRDR makes a v3 file of it: ktrdr migrate <file>."
    elif isinstance(indicators, dict):
        text = "nn_inputs is missing, so this is no v3 strategy. KTRDR makes one of older files: ktrdr migrate <file>."
    else:
        text = "This file is not a strategy: it has no indicators."
    findings.error("", text)
    return False


def _identity(content: Section, findings: Findings) -> None:
    if not isinstance(content.get("name"), str):
        findings.error("name", "a strategy needs a name, and it has to be text (in quotes when it is a number)")
    if not isinstance(content.get("version", ""), str):
        findings.error("version", f'it has to be text: "{shown(content["version"])}", in quotes')
    if not isinstance(content.get("description"), str | None):
        findings.error("description", "it has to be text")
    _deployment(content.get("deployment"), findings)


def _deployment(given: Any, findings: Findings) -> None:
    """It says nothing to the embedded backend; KTRDR refuses the file when it is not well formed."""
    if given is None:
        return
    modes = {
        "target_symbols": ("universal", "group_restricted", "training_only"),
        "target_timeframes": ("single", "multi_timeframe"),
    }
    for name, known in modes.items():
        part = given.get(name) if isinstance(given, dict) else None
        mode = part.get("mode") if isinstance(part, dict) else None
        if mode not in known:
            findings.error(f"deployment.{name}.mode", f"it has to be one of {', '.join(known)}")
        supported = part.get("supported") if isinstance(part, dict) and name == "target_timeframes" else None
        if supported is not None and not (isinstance(supported, list) and all(isinstance(x, str) for x in supported)):
            findings.error("deployment.target_timeframes.supported", "it has to be a list of texts")
        elif mode == "multi_timeframe" and isinstance(part, dict) and not part.get("supported", ["any"]):
            findings.error("deployment.target_timeframes.supported", "it names no timeframe")


def _required(content: Section, name: str, findings: Findings) -> Section:
    if not isinstance(content.get(name), dict):
        findings.error(name, "this section is missing, and KTRDR refuses a strategy without it")
        return {}
    found: Section = content[name]
    findings.text_keys(name, found)
    return found


def _is_regression(decisions: Section, training: Section, findings: Findings) -> bool:
    output = decisions.get("output_format", "classification")
    if output not in ("classification", "regression"):
        findings.error("decisions.output_format", f"it is classification or regression, not {shown(output)}")
    if output != "regression":
        return False
    costs = decisions.get("cost_model")
    for name in ("round_trip_cost", "min_edge_multiplier"):
        value = costs.get(name) if isinstance(costs, dict) else None
        if not isinstance(value, int | float) or not value > 0:
            findings.error(f"decisions.cost_model.{name}", "a regression needs it, as a number above 0")
    if training.get("loss") not in (None, "huber", "mse"):
        findings.error("training.loss", "a regression's is huber or mse")
    return True
