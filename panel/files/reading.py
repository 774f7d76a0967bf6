"""A file of market data -> its bars, and every remark and question about them. Pure."""

import numpy as np
import polars as pl

from panel.files import faults, forms, layout, names, numbers, rejected, times
from panel.files.rejected import Values
from panel.files.roles import PRICES, Columns
from panel.files.table import Table
from panel.files.text import decoded
from panel.files.times import DAY_FIRST, MONTH_FIRST, Format
from panel.files.values import (
    SHOWN,
    Answers,
    Array,
    Bars,
    Count,
    Dialect,
    Option,
    Progress,
    Question,
    Reading,
    Refused,
)

LEAST_SHARE = 0.5  # of a file's lines that have to be bars
ROWS_SHOWN = 5
_SAMPLED = 500


def read(
    data: bytes, name: str, answers: Answers | None = None, *, trust_iso: bool = False, progress: Progress | None = None
) -> Reading:
    """`name` is the file's. `trust_iso`: times like 2024-01-31 09:00 are UTC, as in KTRDR's own folder; otherwise
    it is asked. Raises Refused."""
    answers, progress = answers or Answers(), progress or (lambda share, step: None)
    progress(0.0, "Looking at the lines")
    text, encoding = decoded(data)
    laid = layout.laid_out(text, quick=True)
    progress(0.2, "Taking the columns apart")
    table = Table.of(laid)
    if table is None:
        laid = layout.laid_out(text)
        table = Table.of(laid)
        assert table is not None  # noqa: S101  of lines that were counted one by one
    questions: list[Question] = []
    columns = _twins(table, laid, answers, questions)
    progress(0.35, "Reading prices")
    mark = _decimal(table, columns, answers, questions)
    values = {role: numbers.parsed(table.column(columns.of(role)), mark) for role in PRICES}
    volume = None if columns.volume is None else numbers.parsed(table.column(columns.volume), mark, scaled=True)
    progress(0.6, "Reading times")
    texts = _time_texts(table, columns)
    how = _format(texts, laid)
    how, seconds, bad_time = _dates(texts, how, answers, questions, values)
    program = forms.form(laid, how)
    seconds, zone, hidden = _zone(seconds, bad_time, laid, how, program, answers, questions, values, trust_iso)
    progress(0.8, "Looking for bars that cannot be true")
    left, keep = rejected.without_rejected(laid.lines, texts, values, volume, bad_time, hidden, table.role(columns))
    if keep.mean() < LEAST_SHARE or not keep.any():
        worst = max(left, key=lambda found: found.count)
        raise Refused(worst.sentence, worst.lines[0])
    bars, repeated, doubled, order = _in_order(seconds, values, volume, laid.lines, keep)
    from_name = names.named(name).symbol
    return _finished(
        name, from_name if trust_iso else names.without_source(from_name),
        bars, (*laid.odd, *left, *repeated), doubled, tuple(questions), table, columns,
        Dialect(
            program, encoding, laid.delimiter, mark, laid.header, _named_roles(laid, columns), how.letters, zone, order
        ),
    )  # fmt: skip


def _sample(texts: pl.Series) -> list[str]:
    """Texts from all over the file."""
    spread = texts.gather_every(max(len(texts) // _SAMPLED, 1))
    return [text for text in spread.to_list() if text and text.strip()]


def _twins(table: Table, laid: layout.Layout, answers: Answers, questions: list[Question]) -> Columns:
    """The columns, where two claim one role by answer or else the fuller one."""
    chosen = {role: getattr(laid.columns, role) for role in Columns.__slots__ if role != "twins"}
    for role, places in laid.columns.twins:
        if role not in (*PRICES, "volume"):
            continue
        filled = {place: int(table.column(place).is_not_null().sum()) for place in places}
        chosen[role] = max(places, key=lambda place: filled[place])
        if (answer := answers.columns.get(role)) in places:
            chosen[role] = answer
            continue
        options = []
        for place in places:
            first = tuple((str(value),) for value in table.column(place).head(ROWS_SHOWN).fill_null("").to_list())
            options.append(
                Option(str(place), f"“{laid.names[place]}”, column {place + 1}: {filled[place]:,} values", first)
            )
        text = f"Two columns are named “{role}”. Which one is it?"
        questions.append(Question(f"column:{role}", text, tuple(options), str(chosen[role])))
    return Columns(**chosen)


def _decimal(table: Table, columns: Columns, answers: Answers, questions: list[Question]) -> str:
    samples = [text for role in PRICES for text in _sample(table.column(columns.of(role)))]
    mark, certain = numbers.decimal(samples)
    if answers.decimals in (".", ","):
        return answers.decimals
    if not certain:
        texts = [table.column(columns.of(role)).head(ROWS_SHOWN) for role in PRICES]
        options = []
        for sign, label in ((".", "thousands: 1,234 is 1234"), (",", "decimals: 1,234 is 1.234")):
            read_as = [numbers.parsed(column, sign)[0] for column in texts]
            rows = tuple(tuple(f"{value:.10g}" for value in row) for row in zip(*read_as, strict=True))
            options.append(Option(sign, label, rows))
        questions.append(Question("decimals", "What does the comma in the prices stand for?", tuple(options), mark))
    return mark


def _time_texts(table: Table, columns: Columns) -> pl.Series:
    texts = table.column(columns.time)
    if columns.clock is None or any(":" in text for text in _sample(texts)[:20]):
        return texts
    clock = table.column(columns.clock).fill_null("")
    return texts.fill_null("") + " " + clock


def _format(texts: pl.Series, laid: layout.Layout) -> Format:
    samples = _sample(texts)
    if not samples:
        raise Refused("The column of times is empty.", int(laid.lines[0]))
    try:
        return times.recognised(samples)
    except Refused as exc:
        raise Refused(exc.sentence, int(laid.lines[0])) from exc


def _dates(
    texts: pl.Series, how: Format, answers: Answers, questions: list[Question], values: Values
) -> tuple[Format, Array, Array]:
    """The format, seconds of the file's clock, and what is no time. Asks when the order of day and month is open."""
    first = (how, *times.parsed(texts, how))
    if not how.swapped:
        return first
    second = (how.other(), *times.parsed(texts, how.other()))
    if answers.dates in (DAY_FIRST, MONTH_FIRST):
        return first if answers.dates == DAY_FIRST else second
    wrong, other_wrong = int(first[2].sum()), int(second[2].sum())
    if abs(wrong - other_wrong) > 0.02 * len(texts):
        return first if wrong < other_wrong else second
    goes_on = [_at_midnight(seconds[~bad]) > 0 for _, seconds, bad in (first, second)]
    if how.timed and goes_on[0] != goes_on[1]:
        return first if goes_on[0] else second
    both = ((DAY_FIRST, "the day comes first", first[1]), (MONTH_FIRST, "the month comes first", second[1]))
    options = tuple(Option(value, label, rows(read_as, values, how.timed)) for value, label, read_as in both)
    text = f"“{_sample(texts)[-1]}”: is it the day or the month that comes first?"
    closer = faults.spacing(np.sort(first[1])) <= faults.spacing(np.sort(second[1]))
    questions.append(Question("dates", text, options, DAY_FIRST if closer else MONTH_FIRST))
    return first if closer else second


def _at_midnight(seconds: Array) -> int:
    """How often bars within days go on from one day to the next without a hole."""
    if len(seconds) < 3:
        return 0
    ascending = np.sort(seconds)
    step = faults.spacing(ascending)
    over = np.diff(ascending // names.DAY) != 0
    return int((over & (np.diff(ascending) == step)).sum()) if 0 < step < names.DAY else 0


def _zone(
    seconds: Array, wrong: Array, laid: layout.Layout, how: Format, program: str, answers: Answers,
    questions: list[Question], values: Values, trust_iso: bool,
) -> tuple[Array, str, Array]:  # fmt: skip
    """Seconds in UTC, the zone, and which times its clock never showed."""
    zone, certain = forms.zone(laid, how, program, seconds[~wrong], trust_iso)
    if answers.zone and not how.zone:
        zone, certain = answers.zone, True
    if not certain:
        options = []
        for name, label in dict([(zone, zone), *forms.ZONES]).items():
            moved, _ = times.in_utc(seconds[:ROWS_SHOWN], name)
            options.append(Option(name, label, rows(moved, values)))
        questions.append(Question("zone", "Which zone's clock are the times of?", tuple(options), zone))
    moved, hidden = times.in_utc(seconds, zone)
    return moved, zone, hidden & ~wrong


def rows(seconds: Array, values: Values, timed: bool = True) -> tuple[tuple[str, ...], ...]:
    """The first bars as texts."""
    found = []
    for place in range(min(len(seconds), ROWS_SHOWN)):
        moment = str(np.datetime64(int(seconds[place]), "s")).replace("T", " ")
        prices = (f"{values[role][0][place]:.10g}" for role in PRICES)
        found.append((moment if timed else moment[:10], *prices))
    return tuple(found)


def _in_order(
    seconds: Array, values: Values, volume: tuple[Array, Array, Array] | None, lines: Array, keep: Array
) -> tuple[Bars, tuple[Count, ...], tuple[Count, ...], str]:
    """Ascending, each time once; what repeats a bar, what contradicts one, and the order the file had."""
    volumes = volume[0] if volume else np.full(len(seconds), np.nan)
    prices = [values[role][0] for role in PRICES]
    whole = Bars(seconds, prices[0], prices[1], prices[2], prices[3], volumes, lines, np.zeros(len(seconds), np.uint8))
    bars = whole if keep.all() else whole.take(keep)
    steps = np.diff(bars.times)
    order = "oldest first" if (steps >= 0).all() else "newest first" if (steps <= 0).all() else "mixed"
    if order != "oldest first":
        bars = bars.take(np.argsort(bars.times, kind="stable"))
    again = np.append(False, np.diff(bars.times) == 0)
    if not again.any():
        return bars, (), (), order
    first = np.maximum.accumulate(np.where(again, 0, np.arange(len(again))))
    differs = again & np.any([getattr(bars, role) != getattr(bars, role)[first] for role in PRICES], axis=0)
    repeats = bars.lines[again & ~differs]
    found = (Count("repeated", "the same bar again", len(repeats), tuple(map(int, repeats[:SHOWN]))),)
    other = np.where(differs, faults.CODES["two of one time"], 0)
    return bars.take(~again), found if len(repeats) else (), faults.counts(other, bars.lines), order


def _finished(
    name: str, symbol: str, bars: Bars, left: tuple[Count, ...], doubled: tuple[Count, ...],
    questions: tuple[Question, ...], table: Table, columns: Columns, dialect: Dialect,
) -> Reading:  # fmt: skip
    from_name = names.named(name)
    timeframe = faults.timeframe_of(bars.times)
    symbol = symbol or _column_symbol(table, columns)
    conflict = faults.conflict(bars.times, from_name.timeframe) if from_name.timeframe else ""
    timeframe = (timeframe if conflict or not from_name.timeframe else from_name.timeframe) or ""
    bars = faults.marked(bars, timeframe)
    warnings = []
    if np.isnan(bars.volume).all():
        warnings.append("The file has no volumes: they stay unknown.")
    if not timeframe and len(bars) > 1:
        apart = names.length_text(faults.spacing(bars.times))
        warnings.append(
            f"The bars are {apart} apart, which is none of KTRDR's timeframes ({', '.join(names.LENGTHS)})."
        )
    if dialect.zone == "UTC" and (sentence := faults.summer_time(bars, timeframe)):
        warnings.append(sentence)
    if dialect.form == "Yahoo" and any("adj" in name.lower() for _, name in dialect.columns):
        warnings.append("The adjusted closes are not used.")
    step = faults.spacing(bars.times)
    found = (*faults.counts(bars.fault, bars.lines), *doubled)
    return Reading(
        name, dialect, bars, left, found, questions, tuple(warnings), symbol, timeframe, step, conflict
    )  # fmt: skip


def _column_symbol(table: Table, columns: Columns) -> str:
    if columns.symbol is None:
        return ""
    found = table.column(columns.symbol).unique().drop_nulls().to_list()
    if len(found) > 1:
        raise Refused(f"The file holds several symbols: {', '.join(sorted(found)[:5])}. Save one file for each.", 1)
    symbol = found[0].strip().upper().removesuffix(".US") if found else ""
    return symbol if names.SYMBOL.fullmatch(symbol) else ""


def _named_roles(laid: layout.Layout, columns: Columns) -> tuple[tuple[str, str], ...]:
    roles = [role for role in ("time", "clock", *PRICES, "volume") if getattr(columns, role) is not None]
    return tuple(
        (role, laid.names[place] if laid.names and place < len(laid.names) else f"column {place + 1}")
        for role in roles
        for place in [columns.of(role)]
    )
