"""Strategies: entries of the backend's list, files in its folder, and the answer of its check."""

import re
from pathlib import Path
from typing import Any

from panel.backend.decoding import count, each, items, line, text
from panel.domain.strategies import Check, Issue, Strategy
from panel.domain.values import mapping
from panel.files.strategy_yaml import Refused, is_plain_name, parse, read_text

MAX_FILES = 1000  # of a strategies folder
# KTRDR puts all that it finds into one message: "Strategy validation failed:\n  - fuzzy_sets.rsi.indicator: 'x' not …"
_PLACED = re.compile(r"^[ \t]*- ([\w.\[\]-]+): (.+)$", re.MULTILINE)


def in_folder(folder: Path) -> dict[str, Strategy]:
    """File stem -> what is known of it, broken files included."""
    found = {}
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    named = [file for file in files if file.suffix.lower() in (".yaml", ".yml") and is_plain_name(file.stem)]
    for file in named[:MAX_FILES]:
        try:
            found[file.stem] = of_file(parse(read_text(file)), file.stem)
        except Refused as exc:
            found[file.stem] = Strategy(file.stem, problem=f"This file cannot be read: {line(str(exc))}.")
    return found


def of_file(content: Any, stem: str) -> Strategy:
    """A parsed strategy file, v3 in all the spellings that occur; what is wrong with it is in `problem`."""
    if not isinstance(content, dict):
        return Strategy(stem, problem="This file is not a strategy.")
    title, description = line(content.get("name")), _one_line(content.get("description"))
    indicators = content.get("indicators")
    if not isinstance(indicators, dict):
        old = "This is a v2 strategy; KTRDR trains v3 files. Its command “ktrdr migrate” makes one of it."
        problem = old if indicators else "It has no indicators."
        return Strategy(stem, title, description, problem=problem)
    data = mapping(content.get("training_data"))
    return Strategy(
        stem,
        title,
        description,
        _listing(data.get("symbols"), "symbols", "symbol"),
        _listing(data.get("timeframes"), "timeframes", "timeframe"),
        tuple(line(name, 100) for name in list(indicators)[:50]),
        count(data.get("history_required")),
    )


def listed(item: Any) -> Strategy | None:
    """From an entry of `GET /strategies/`; None for one without a name."""
    data = mapping(item)
    name = line(data.get("file"), 200) or line(data.get("name"), 200)
    if not name:
        return None
    indicators = [line(mapping(i).get("name") or i, 100) for i in items(data.get("indicators"), 50)]
    return Strategy(
        name,
        line(data.get("name")),
        _one_line(data.get("description")),
        _listing(data.get("symbols") or data.get("symbol"), "symbols", "symbol"),
        _listing(data.get("timeframes") or data.get("timeframe"), "timeframes", "timeframe"),
        tuple(name for name in indicators if name),
        count(data.get("history_required")),
        line(data.get("problem")),
        data.get("needs_ktrdr") is True,
    )


def check_of(answer: Any) -> Check:
    """From `POST /strategies/validate/{name}`, without the number of features."""
    report = mapping(answer)
    issues = each(lambda issue: issue if isinstance(issue, dict) else None, report.get("issues"))
    errors = tuple(line(issue.get("message")) for issue in issues if issue.get("severity") == "error")
    warnings = tuple(line(issue.get("message")) for issue in issues if issue.get("severity") == "warning")
    if report.get("valid") is True and report.get("trainable") is False:
        why = [line(i.get("message")) for i in issues if i.get("category") in ("needs_ktrdr", "cannot_train")]
        return Check(True, tuple(why), tuple(warning for warning in warnings if warning not in why), trainable=False)
    if report.get("valid") is True:
        return Check(True, (), warnings)
    return Check(False, errors or (line(report.get("message")) or "The backend finds it invalid.",), warnings)


def issues_of(answer: Any) -> list[Issue]:
    """From the same answer, with the places that they are about."""
    found: list[Issue] = []
    for issue in items(mapping(answer).get("issues"), 50):
        details, error = mapping(mapping(issue).get("details")), mapping(issue).get("severity") == "error"
        if several := _PLACED.findall(text(mapping(issue).get("message"))):
            found += [Issue(line(message), line(place), error) for place, message in several[:50]]
            continue
        message, place = line(mapping(issue).get("message")), line(details.get("location") or details.get("field"))
        if message:
            found.append(Issue(message, place, error))
    if mapping(answer).get("valid") is not True and not any(issue.error for issue in found):
        found.append(Issue(line(mapping(answer).get("message")) or "The backend finds it invalid."))
    return found


def _listing(value: Any, many: str, one: str) -> tuple[str, ...]:
    """`{symbols: […]}`, `{list: […]}`, `{symbol: X}`, `[…]` and `X` all say the same."""
    if isinstance(value, dict):
        value = value.get(many) or value.get("list") or value.get(one)
    if isinstance(value, str):
        value = [value]
    return tuple(line(item, 100) for item in items(value, 100))


def _one_line(value: Any) -> str:
    return " ".join(text(value).split())
