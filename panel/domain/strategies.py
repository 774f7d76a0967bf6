"""Strategies that can be trained, and the backend's findings. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Strategy:
    """What is known of a strategy. `name` is what starts it: the stem of its file."""

    name: str
    title: str = ""
    description: str = ""
    symbols: tuple[str, ...] = ()
    timeframes: tuple[str, ...] = ()
    indicators: tuple[str, ...] = ()
    history_required: int | None = None  # bars
    problem: str = ""
    needs_ktrdr: bool = False  # valid, and more than the embedded backend can do


@dataclass(frozen=True, slots=True)
class Check:
    """The backend's check of a strategy. `trainable` is False too for a valid one that this backend cannot train;
    `problems` then say why. `features` is None when it gave none; `unknown`: there is no strategy of this name."""

    valid: bool
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    features: int | None = None
    trainable: bool = True
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Issue:
    """What the backend finds in a text. `place`: the keys down to it, joined by dots, or ""."""

    message: str
    place: str = ""
    error: bool = True
