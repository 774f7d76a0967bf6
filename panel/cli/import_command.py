"""`ktrdr-panel import`: a file of market data into the data folder, after a look at it.

Exit codes: 0 stored, or checked only; 1 the file is refused; 2 something has to be decided first.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from panel.cli.terminal import Terminal, say
from panel.domain.values import without_controls

if TYPE_CHECKING:  # its libraries are the `embedded` extra's, and take a moment to load
    from panel.files.importing import Preview
    from panel.files.values import Answers, Question

UNDECIDED = 2


SourceOf = Callable[[str, str], str]


def _unknown(symbol: str, timeframe: str) -> str:
    return ""


def import_command(folder_of: Callable[[], Path], source_of: SourceOf = _unknown) -> click.Command:
    """`folder_of`: the data folder, asked for when the command runs; raises ClickException without one. `source_of`:
    whether what is stored there of a symbol and timeframe is "sample" data, or "mixed" with it."""

    @click.command("import")
    @click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--symbol", default="", help="Store under this symbol; else what name and file say.")
    @click.option("--timeframe", default="", help="Store as this timeframe; else what the bars' spacing says.")
    @click.option(
        "--timezone", "zone", default="", help="The zone of the file's times: UTC, Europe/Athens, Etc/GMT+5 …"
    )
    @click.option("--dates", type=click.Choice(["day-first", "month-first"]), help="How to read 03/04/2024.")
    @click.option("--decimals", type=click.Choice([".", ","]), help="How to read 1,234.")
    @click.option("--column", "columns", multiple=True, metavar="ROLE=NUMBER", help="Which of two columns: open=2.")
    @click.option("--leave-out", is_flag=True, help="Leave out lines that cannot be read and bars that cannot be true.")
    @click.option("--keep-bad", is_flag=True, help="Store bars that cannot be true as they are.")
    @click.option("--existing", type=click.Choice(["merge", "replace"]), help="What to do with stored bars.")
    @click.option(
        "--into",
        type=click.Path(file_okay=False, exists=True, path_type=Path),
        help="The data folder of a KTRDR on this machine; else the embedded backend's.",
    )
    @click.option("--dry-run", is_flag=True, help="Only look.")
    def run(
        file: Path,
        zone: str,
        dates: str | None,
        decimals: str | None,
        columns: tuple[str, ...],
        into: Path | None,
        **more: Any,
    ) -> None:
        """Import a CSV file, or a zip archive of several, as KTRDR's CSV.

        Format, columns, times and zone are recognised. What is ambiguous is asked. What is stored is never
        overwritten without --existing; the old file is kept beside the new one.
        """
        try:
            from panel.files.importing import Answers, unpacked
            from panel.files.regular import regular
            from panel.files.values import Refused
        except ImportError as exc:
            raise click.ClickException(f"This needs the libraries of ktrdr-panel[embedded]: {exc.name}.") from exc
        given = Answers(zone=zone, dates=dates or "", decimals=decimals or "", columns=_columns(columns))
        folder, worst = into or folder_of(), 0
        try:
            members = unpacked(regular(file.resolve()), file.name)
        except Refused as exc:
            raise click.ClickException(f"{file.name}: {exc}") from exc
        for name, data in members:
            try:
                _one(data, name, given, folder, source_of if into is None else _unknown, **more)
            except Refused as exc:
                say(f"{name}: {exc} Nothing was stored.", err=True)
                worst = max(worst, 1)
            except _Undecided as exc:
                say(f"{name}: {exc} Nothing was stored.", err=True)
                worst = UNDECIDED
        sys.exit(worst)

    return run


class _Undecided(Exception):
    """Something has to be decided, and there is no terminal to ask at; the text says by which option."""


def _columns(given: tuple[str, ...]) -> dict[str, int]:
    found = {}
    for item in given:
        role, _, place = item.partition("=")
        if not place.isdigit() or int(place) < 1:
            raise click.BadParameter(f"“{item}”: ROLE=NUMBER, as in open=2", param_hint="--column")
        found[role] = int(place) - 1
    return found


def _one(
    data: bytes, name: str, answers: "Answers", folder: Path, source_of: SourceOf, symbol: str, timeframe: str,
    leave_out: bool, keep_bad: bool, existing: Any, dry_run: bool,
) -> None:  # fmt: skip
    from panel.files import importing

    console = Terminal()
    with _progress() as bar:
        task = bar.add_task("Reading", total=1.0)
        progress = lambda share, step: bar.update(task, completed=share, description=step)  # noqa: E731
        found = importing.preview(data, name, answers, folder, symbol, timeframe, progress)
    _show(console, found)
    if dry_run:
        return
    for question in found.reading.questions:
        answers = _answered(console, question, answers)
    if found.reading.questions:
        found = importing.preview(data, name, answers, folder, symbol, timeframe)
        _show(console, found)
    if found.reading.conflict and not timeframe:
        timeframe = found.reading.timeframe
        if not _yes(f"{found.reading.conflict} Store them as {timeframe}?", f"Say --timeframe {timeframe}."):
            return
    symbol, timeframe = symbol or found.reading.symbol, timeframe or found.reading.timeframe
    if not symbol or not timeframe:
        raise _Undecided("Name --symbol and --timeframe.")
    bad = sum(count.count for count in (*found.reading.unread, *found.reading.faults))
    if bad and not (leave_out or keep_bad):
        leave_out = _yes(f"Leave out {bad:,} lines?", "Say --leave-out or --keep-bad.")
    if found.stored is not None and existing != "replace" and source_of(symbol, timeframe) in ("sample", "mixed"):
        say(
            f"{symbol} {timeframe} is sample data. Merged, your bars are mixed with it, and no load adds to them.",
            err=True,
        )
    if found.stored is not None and existing is None:
        existing = (
            "merge" if _yes("Merge with what is stored?", "Say --existing merge or --existing replace.") else None
        )
    with _progress() as bar:
        task = bar.add_task("Writing", total=1.0)
        progress = lambda share, step: bar.update(task, completed=share, description=step)  # noqa: E731
        done = importing.store(
            found.reading, folder, symbol, timeframe,
            leave_out=leave_out, keep_bad=keep_bad, existing=existing or "refuse", progress=progress,
        )  # fmt: skip
    console.print(f"Stored {done.bars:,} bars, {done.added:,} of them new: {escape(str(done.file))}", highlight=False)
    if done.kept:
        console.print(f"The old file is kept: {escape(done.kept.name)}", highlight=False)


def _progress() -> Progress:
    console = Terminal(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def _show(console: Terminal, found: "Preview") -> None:
    from panel.files.importing import rows_of
    from panel.files.values import printable

    reading = found.reading
    dialect, bars = reading.dialect, reading.bars
    first, last = (f"{datetime.fromtimestamp(int(bars.times[at]), UTC):%Y-%m-%d %H:%M}" for at in (0, -1))
    lines = [
        f"{printable(reading.file)}: {len(bars):,} bars of {reading.symbol or '?'} {reading.timeframe or '?'}, "
        f"{first} to {last} UTC",
        ", ".join(filter(None, (dialect.form, dialect.time_format, dialect.zone, dialect.encoding, dialect.order))),
    ]
    for count in (*reading.left_out, *reading.faults):
        named = ", ".join(map(str, count.lines)) + (" …" if count.count > len(count.lines) else "")
        lines.append(f"{count.count:,} × {count.reason} (line {named})")
    lines += [*reading.warnings, *([reading.conflict] if reading.conflict else [])]
    if found.overlap:
        both = found.overlap
        lines.append(
            f"Stored are {both.stored:,} bars; {both.common:,} times are in both, {both.differing:,} with other prices."
        )
    for line in lines:
        console.print(escape(line), highlight=False)
    table = Table("time (UTC)", "open", "high", "low", "close", "volume")
    for row in rows_of(bars.take(slice(0, 3))):
        table.add_row(*row)
    console.print(table)
    for question in reading.questions:
        _ask(console, question)


def _ask(console: Terminal, question: "Question") -> None:
    console.print(escape(question.text), highlight=False)
    for option in question.options:
        mark = " (proposed)" if option.value == question.proposed else ""
        console.print(f"  {escape(option.value)}: {escape(option.label)}{mark}", highlight=False)
        for row in option.rows[:2]:
            console.print(f"      {escape('  '.join(row))}", highlight=False)


def _answered(console: Terminal, question: "Question", answers: "Answers") -> "Answers":
    if not sys.stdin.isatty():
        options = {"zone": "--timezone", "dates": "--dates", "decimals": "--decimals"}
        flag = options.get(question.key, "--column")
        value = (
            f"{question.key.partition(':')[2]}={int(question.proposed) + 1}"
            if flag == "--column"
            else question.proposed
        )
        raise _Undecided(f"{question.text} Say {flag}, for example {flag} {value}.")
    choice = None if question.key == "zone" else click.Choice([option.value for option in question.options])
    value = click.prompt(without_controls(question.text), default=question.proposed, type=choice)
    if question.key.startswith("column:"):
        return replace(answers, columns={**answers.columns, question.key.partition(":")[2]: int(value)})
    return replace(
        answers,
        zone=value if question.key == "zone" else answers.zone,
        dates=value if question.key == "dates" else answers.dates,
        decimals=value if question.key == "decimals" else answers.decimals,
    )


def _yes(text: str, otherwise: str) -> bool:
    if not sys.stdin.isatty():
        raise _Undecided(otherwise)
    return click.confirm(without_controls(text))
