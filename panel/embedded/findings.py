"""Findings in a strategy's file: errors, warnings, and what prevents training here."""

from dataclasses import dataclass, field
from typing import Any

NEEDS_KTRDR = "needs_ktrdr"  # KTRDR can train it, the embedded backend cannot
CANNOT_TRAIN = "cannot_train"  # its file is valid, but no backend can train it
NOT_USED = "not_used"
DIFFERS = "differs"  # used here, and not at a KTRDR

_MAX_SHOWN = 20  # errors: a longer list does not help


@dataclass(frozen=True, slots=True)
class Issue:
    severity: str  # error, warning
    category: str
    message: str
    place: str = ""

    def as_dict(self) -> dict[str, Any]:
        details = {"location": self.place} if self.place else {}
        return {"severity": self.severity, "category": self.category, "message": self.message, "details": details}


@dataclass(slots=True)
class Findings:
    issues: list[Issue] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)  # keys that change nothing here

    def error(self, place: str, message: str) -> None:
        self._add(Issue("error", "strategy", f"{place}: {message}." if place else message, place))

    def warn(self, category: str, place: str, message: str) -> None:
        self._add(Issue("warning", category, f"{place}: {message}." if place else message, place))

    def needs_ktrdr(self, place: str, what: str) -> None:
        """`what` follows "the embedded backend"."""
        self._add(Issue("warning", NEEDS_KTRDR, f"This strategy needs a KTRDR: the embedded backend {what}.", place))

    def cannot_train(self, place: str, what: str) -> None:
        self._add(Issue("warning", CANNOT_TRAIN, f"This strategy cannot be trained: {what}.", place))

    def leave_out(self, section: str, given: dict[Any, Any], known: tuple[str, ...]) -> None:
        """Remember the keys of a section that are not among the `known` ones."""
        prefix = f"{section}." if section else ""
        self.unused += [prefix + shown(key) for key in given if key not in known]

    def text_keys(self, section: str, given: dict[Any, Any]) -> None:
        """KTRDR takes no other keys; YAML reads yes, no, on, off and numbers as something else than text."""
        for key in given:
            if not isinstance(key, str):
                self.error(section, f"the key {shown(key)} is not text; put it in quotes")

    def all(self) -> tuple[Issue, ...]:
        errors = [issue for issue in self.issues if issue.severity == "error"][:_MAX_SHOWN]
        others = [issue for issue in self.issues if issue.severity != "error"][:_MAX_SHOWN]
        if self.unused:
            named = ", ".join(self.unused[:_MAX_SHOWN]) + (" …" if len(self.unused) > _MAX_SHOWN else "")
            others.append(Issue("warning", NOT_USED, f"Not used here: {named}.", self.unused[0]))
        return (*errors, *others)

    def _add(self, issue: Issue) -> None:
        if issue not in self.issues:
            self.issues.append(issue)


def shown(value: Any, most: int = 60) -> str:
    """A value of a file, quoted for a sentence: short, on one line, without control characters."""
    text = "nothing" if value is None else str(value)
    short = text if len(text) <= most else text[: most - 1] + "…"
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in short)


def whole(value: Any) -> int | None:
    """As KTRDR reads whole numbers outside of indicators: 100, 100.0 and "100" are the same."""
    number = real(value)
    return int(number) if number is not None and number == number // 1 and abs(number) < 1e15 else None


def real(value: Any) -> float | None:
    """A number, or the text of one: YAML reads 1e-3 as text."""
    if not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
