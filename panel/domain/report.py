"""One operation as plain text, to paste into a message or an issue. Pure."""

import json
from collections.abc import Sequence

from panel.domain.formatting import per_cent
from panel.domain.snapshot import Snapshot
from panel.domain.state import Verdict
from panel.domain.timeline import Moment
from panel.domain.values import utc

LAST = 20  # lines of the timeline


def report(
    snapshot: Snapshot,
    verdict: Verdict,
    moments: Sequence[Moment],
    *,
    title: str,
    took: str,
    commands: Sequence[str],
    versions: Sequence[str],
) -> str:
    """What, when, its outcome, how that is known, the backend's own message, its parameters. `took`: a duration in
    words, "" where that is not known."""
    lines = [
        f"{title}: {verdict.word}",
        verdict.headline,
        *([f"To do: {verdict.advice}"] if verdict.advice else []),
        "",
        f"Operation  {snapshot.id} ({snapshot.kind})",
        f"Created    {_at(snapshot.created_at)}",
        f"Ended      {_at(snapshot.completed_at)}",
        f"Reached    {per_cent(snapshot.percentage)}{f', {snapshot.step}' if snapshot.step else ''}",
    ]
    if took:
        lines.append(f"Took       {took}")
    lines += _part("How the panel knows", verdict.evidence)
    lines += _part(
        "The backend’s words", [f"status: {snapshot.backend_status or 'none'}", *filter(None, [snapshot.error])]
    )
    parameters = {name: value for name, value in snapshot.parameters.items() if name != "strategy_yaml"}
    lines += _part("Parameters", [f"{name}: {_plain(value)}" for name, value in parameters.items()])
    lines += _part("The same from a command line", commands)
    shown = [f"{_at(m.at)}  {m.text}{f': {m.detail}' if m.detail else ''}" for m in moments[-LAST:]]
    lines += _part("What was observed", shown)
    lines += _part("Versions", versions)
    return "\n".join(lines) + "\n"


def _part(heading: str, lines: Sequence[str]) -> list[str]:
    return ["", heading, *(f"  {' '.join(line.splitlines())}" for line in lines)] if lines else []


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _at(at: float | None) -> str:
    moment = utc(at)
    return "not known" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
