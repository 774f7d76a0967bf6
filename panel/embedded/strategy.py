"""Strategy files (v3 YAML): finding and reading them, and their findings."""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from panel.embedded.findings import CANNOT_TRAIN, NEEDS_KTRDR, Findings, Issue
from panel.embedded.plan import Plan
from panel.embedded.reading import read_plan
from panel.files.strategy_yaml import Refused, parse, read_text

STARTERS = Path(__file__).parent / "starters"
_ENDINGS = (".yaml", ".yml")  # in any case; the first one wins where two files have the same name
_MAX_FILES = 2000  # files of one folder


@dataclass(frozen=True, slots=True)
class Strategy:
    """One file. `plan` is None when it is not valid, and for an ensemble; `issues` say why."""

    stem: str
    text: str = ""
    plan: Plan | None = None
    issues: tuple[Issue, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether a KTRDR takes it."""
        return not any(issue.severity == "error" for issue in self.issues)

    @property
    def trainable(self) -> bool:
        """Whether the embedded backend can train it."""
        return self.plan is not None and not self.problem

    @property
    def problem(self) -> str:
        """Why it cannot be trained here; "" when it can."""
        keeps = (issue for issue in self.issues if issue.severity == "error" or issue.category in _KEEP)
        return next((issue.message for issue in keeps), "")

    @property
    def needs_ktrdr(self) -> bool:
        return self.valid and any(issue.category == NEEDS_KTRDR for issue in self.issues)


_KEEP = (NEEDS_KTRDR, CANNOT_TRAIN)


def find(stem: str, folders: list[Path]) -> Strategy | None:
    """The strategy whose file has this stem; an earlier folder comes first."""
    found = (files[stem] for folder in folders if stem in (files := _files(folder)))
    return next((read(file) for file in found), None)


def all_in(folders: list[Path]) -> list[Strategy]:
    files: dict[str, Path] = {}
    for folder in folders:
        files = _files(folder) | files
    return [read(files[stem]) for stem in sorted(files)]


def read(file: Path) -> Strategy:
    """Never raises for a bad file: what is wrong is in its issues."""
    try:
        state = os.stat(file)
    except OSError:
        return _read(file)
    return _kept(file, (state.st_mtime_ns, state.st_ctime_ns, state.st_size, state.st_ino))


def _files(folder: Path) -> dict[str, Path]:
    """The strategy files of a folder by their stems. A stem that cannot be printed is shown with escapes."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.lower().endswith(_ENDINGS)]
    except OSError:
        return {}
    files: dict[str, Path] = {}
    for name in sorted(names, key=lambda name: (name.lower().endswith(_ENDINGS[1]), name.swapcase()))[:_MAX_FILES]:
        if not name.startswith("."):
            files.setdefault(_printable(Path(name).stem), folder / name)
    return files


def _printable(stem: str) -> str:
    return stem if stem.isprintable() else stem.encode("unicode_escape").decode()


@lru_cache(maxsize=256)
def _kept(file: Path, state: tuple[int, ...]) -> Strategy:
    """Cached until the file changes."""
    return _read(file)


def _read(file: Path) -> Strategy:
    stem, findings = _printable(file.stem), Findings()
    if stem != file.stem:
        findings.error("", "The file's name contains characters that cannot be printed; rename it.")
        return Strategy(stem, "", None, findings.all())
    try:
        text = read_text(file)
    except Refused as exc:
        findings.error("", f"{file.name} cannot be read: {exc}.")
        return Strategy(stem, "", None, findings.all())
    return of_text(stem, text, f"{file.name} cannot be read")


def of_text(stem: str, text: str, unread: str = "It cannot be read") -> Strategy:
    """Also for a text that is in no file."""
    findings = Findings()
    try:
        content = parse(text)
    except Refused as exc:
        findings.error("", f"{unread}: {exc}.")
        return Strategy(stem, text, None, findings.all())
    return Strategy(stem, text, read_plan(content, findings), findings.all())
