"""Labels of runs: a name, a note, tags, a star, and whether they are archived. Pure."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

LONGEST_NAME, LONGEST_NOTE, LONGEST_TAG, MAX_TAGS = 100, 4000, 30, 12


class Shelf(IntEnum):
    """Where a run is kept."""

    SHOWN = 0
    ARCHIVED = 1  # left out of lists unless requested
    DELETED = 2  # deleted from the panel's memory, for good after a minute; the backend may still know it


@dataclass(frozen=True, slots=True)
class Label:
    """`version` counts the changes; `changed_at` (Unix seconds) and `actor` are of the last one."""

    name: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    star: bool = False
    shelf: Shelf = Shelf.SHOWN
    version: int = 0
    changed_at: float = 0.0
    actor: str = ""

    def says_the_same(self, other: "Label") -> bool:
        return _content(self) == _content(other)


@dataclass(frozen=True, slots=True)
class ModelLabel:
    """`retired`: it is not offered in forms."""

    note: str = ""
    retired: bool = False
    version: int = 0
    changed_at: float = 0.0
    actor: str = ""


@dataclass(frozen=True, slots=True)
class LabelChange:
    """A change of many labels at once; None and () leave a field as it is."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    star: bool | None = None
    shelf: Shelf | None = None

    def of(self, label: Label) -> Label:
        tags = tuple(dict.fromkeys((*label.tags, *self.add)))[:MAX_TAGS]
        return replace(
            label,
            tags=tuple(tag for tag in tags if tag not in self.remove),
            star=label.star if self.star is None else self.star,
            shelf=label.shelf if self.shelf is None else self.shelf,
        )


def typed_name(text: str) -> str:
    """One line."""
    return " ".join(_clean(text).split())[:LONGEST_NAME].strip()


def typed_note(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(_clean(line).rstrip() for line in lines).strip()[:LONGEST_NOTE]


def typed_tags(text: str) -> tuple[str, ...]:
    """Words parted by spaces or commas, in small letters; each once."""
    found = (word.lstrip("#")[:LONGEST_TAG] for word in _clean(text).replace(",", " ").lower().split())
    return tuple(dict.fromkeys(word for word in found if word))[:MAX_TAGS]


def spaced(tags: Iterable[str]) -> str:
    """As tags are stored: each between spaces, "" for none."""
    joined = " ".join(tags)
    return f" {joined} " if joined else ""


def _clean(text: str) -> str:
    """Without control characters and marks that turn the direction of text around."""
    return "".join(sign if unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Co", "Cn") else " " for sign in text)


def _content(label: Label) -> tuple[object, ...]:
    return (label.name, label.note, label.tags, label.star, label.shelf)
