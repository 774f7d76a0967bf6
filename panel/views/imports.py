"""What the pages of imports show. Pure: values in, typed views out."""

from collections.abc import Iterable
from dataclasses import dataclass

from panel.files.names import LENGTHS
from panel.files.summary import Summary
from panel.files.uploads import ImportedFile, Upload
from panel.files.values import Count, Question

CHART = (1000, 160)  # width and height, in units of the drawing
TIMEFRAMES = tuple(LENGTHS)
_SIGNS = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "bar", " ": "space", ".": "point"}
_NEEDS = {
    "zone": "zone of its times",
    "dates": "order of day and month",
    "decimals": "what the comma stands for",
    "symbol": "a symbol",
    "timeframe": "a timeframe",
    "leave_out": "lines that cannot be read",
    "bad_bars": "bars that cannot be true",
    "existing": "bars that are stored already",
}


@dataclass(frozen=True, slots=True)
class QuestionView:
    """A question, answered or not. `chosen`: the option's value; `other`: a zone that is none of the options."""

    question: Question
    field: str
    chosen: str
    other: str
    open: bool


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Lines or bars of one kind, and where the first of them are."""

    count: int
    reason: str
    lines: str


@dataclass(frozen=True, slots=True)
class ImportView:
    """One file. `target`: whether it can be stored; `source`: of what is stored already, as in Range; `needs`: what has
    to be decided yet, in words; `about`: how the file is written, as label and value; `written`: the same in short."""

    upload: str
    number: int
    several: bool
    file: ImportedFile
    questions: list[QuestionView]
    about: list[tuple[str, str]]
    written: str
    points: str
    low: float
    high: float
    left_out: list[LeftOut]
    faults: list[LeftOut]
    needs: list[str]
    target: bool
    embedded: bool
    source: str
    timeframes: tuple[str, ...] = TIMEFRAMES


@dataclass(frozen=True, slots=True)
class UploadView:
    """All files of one upload. `open_questions`: each that some file asks, once; `ready`: how many could be stored."""

    upload: Upload
    files: list[ImportView]
    open_questions: list[Question]
    ready: int
    busy: bool
    target: bool


def import_view(upload: Upload, number: int, *, target: bool, embedded: bool, source: str) -> ImportView:
    file = upload.files[number]
    summary = file.summary
    low, high, points = _drawn(summary)
    return ImportView(
        upload.id, number, len(upload.files) > 1 or bool(upload.refused), file,
        [_question(file, question) for question in file.asked.values()],
        _about(summary) if summary else [], _written(summary) if summary else "", points, low, high,
        [_left(count) for count in summary.left_out] if summary else [],
        [_left(count) for count in summary.faults] if summary else [],
        needs(file), target, embedded, source,
    )  # fmt: skip


def upload_view(upload: Upload, *, target: bool, embedded: bool) -> UploadView:
    files = [
        import_view(upload, number, target=target, embedded=embedded, source="") for number in range(len(upload.files))
    ]
    asked = {q.key: q for file in upload.files if file.summary and not file.stored for q in file.summary.questions}
    ready = sum(file.ready for file in upload.files)
    return UploadView(
        upload, files, list(asked.values()), ready, upload.busy, target
    )  # fmt: skip


def needs(file: ImportedFile) -> list[str]:
    return [_NEEDS.get(key, "which column is meant") for key in file.undecided]


def _question(file: ImportedFile, question: Question) -> QuestionView:
    answered = file.decisions.answers.answered(question.key)
    known = [option.value for option in question.options]
    chosen = answered if answered in known else "" if answered else question.proposed
    is_open = file.summary is not None and question.key in [each.key for each in file.summary.questions]
    return QuestionView(
        question, question.key.replace(":", "-"), chosen, "" if answered in known else answered, is_open
    )


def _about(summary: Summary) -> list[tuple[str, str]]:
    dialect = summary.dialect
    written = [
        ("Program", dialect.form),
        ("Times", f"{dialect.time_format}, {dialect.zone}"),
        ("Columns", ", ".join(f"{role} “{name}”" for role, name in dialect.columns)),
        ("Separator", _SIGNS.get(dialect.delimiter, dialect.delimiter)),
        ("Decimals", _SIGNS.get(dialect.decimal, dialect.decimal)),
        ("Encoding", dialect.encoding),
        ("Header", f"line {dialect.header}" if dialect.header else "none"),
        ("Order", dialect.order),
        ("Bars lie", f"{summary.spacing} apart" if summary.spacing else ""),
    ]
    return [(label, value) for label, value in written if value]


def _written(summary: Summary) -> str:
    dialect = summary.dialect
    parts = [dialect.form and f"As {dialect.form} writes it", f"times like {dialect.time_format}, {dialect.zone}"]
    parts += [dialect.encoding if dialect.encoding != "UTF-8" else "", dialect.order]
    text = ", ".join(filter(None, parts))
    return f"{text[:1].upper()}{text[1:]}."


def _left(count: Count) -> LeftOut:
    return LeftOut(count.count, count.reason, _lines(count.lines, count.count))


def _lines(lines: Iterable[int], count: int) -> str:
    named = [f"{line:,}" for line in lines]
    return f"{'line' if count == 1 else 'lines'} {', '.join(named)}{' …' if count > len(named) else ''}"


def _drawn(summary: Summary | None) -> tuple[float, float, str]:
    """The lowest and the highest close, and a line through all of them."""
    if summary is None or len(summary.chart) < 2:
        return 0.0, 0.0, ""
    width, height = CHART
    closes = [close for _, close in summary.chart]
    low, high = min(closes), max(closes)
    start, end = summary.chart[0][0], summary.chart[-1][0]
    across, up = max(end - start, 1), (high - low) or 1.0
    places = [
        f"{(at - start) / across * width:.1f},{(1 - (close - low) / up) * (height - 8) + 4:.1f}"
        for at, close in summary.chart
    ]
    return low, high, " ".join(places)
