"""The queue from the command line. It works over the memory that a panel shares; the panel does the starting."""

import asyncio
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager

import click
from rich.markup import escape
from rich.table import Table

from panel.adapters import KINDS, Kind
from panel.cli.doctor import running_panel
from panel.cli.terminal import Terminal, say, say_json
from panel.domain.queueing import MAX_ENTRIES
from panel.domain.requests import Entry, EntryState, Request
from panel.domain.schedules import repeat_text, shown
from panel.domain.values import utc
from panel.settings import Settings
from panel.storage.store import Storage
from panel.views.queue import title_of
from panel.views.schedules import name_of

SHOWN = 8  # characters of a key: enough to name an entry


def add(settings: Settings, made: Kind, form: Mapping[str, str]) -> int:
    """Queue a start; returns the exit code."""
    request = Request(secrets.token_hex(12), made.kind, dict(form))
    with _memory(settings) as store:
        entries = store.queue.add([request], "the command line")
        place = [entry.key for entry in store.queue.open() if entry.waiting].index(request.key) + 1 if entries else 0
    if not entries:
        raise click.ClickException(f"The queue is full: {MAX_ENTRIES:,} starts wait in it already.")
    say(f"{made.title} {_name(entries[0])} is in the queue, place {place}: {request.key[:SHOWN]}")
    if asyncio.run(running_panel(settings)) is None:
        say(f"No panel answers on port {settings.port}. It starts when one runs with this memory.", err=True)
    return 0


def queue_command(settings_of: Callable[..., Settings]) -> click.Group:
    """`settings_of`: as `settings_or_exit`, called when a command runs."""

    @click.group("queue", invoke_without_command=True)
    @click.option("--backend", help="Address of KTRDR's REST API; without one the embedded backend works.")
    @click.option("--json", "as_json", is_flag=True, help="For programs.")
    @click.pass_context
    def queue(context: click.Context, backend: str | None, as_json: bool) -> None:
        """Show the starts that wait or run, in order."""
        context.obj = settings_of(backend=backend)
        if context.invoked_subcommand is None:
            with _memory(context.obj) as store:
                entries = store.queue.open()
            _print_json(entries) if as_json else _print(entries)

    @queue.command(context_settings={"ignore_unknown_options": True})  # a key may begin with "-"
    @click.argument("keys", nargs=-1, metavar="[KEY]...")
    @click.option("--all", "everything", is_flag=True, help="All that wait.")
    @click.pass_obj
    def cancel(settings: Settings, keys: tuple[str, ...], everything: bool) -> None:
        """Take starts that wait out of the queue; the list shows their keys."""
        if bool(keys) == everything:
            raise click.UsageError("Name the keys, or give --all.")
        with _memory(settings) as store:
            entries = store.queue.open()
            chosen = [each for each in entries if each.waiting] if everything else [_one(entries, key) for key in keys]
            failed = [entry for entry in chosen if not _withdrawn(store, entry)]
        for entry in chosen:
            if entry not in failed:
                say(f"Removed {_name(entry)}.")
        for entry in failed:
            what = f"operations/{entry.operation_id}" if entry.operation_id else "queue"
            say(f"{_name(entry)} does not wait any more. See {settings.address}/{what}", err=True)
        raise SystemExit(int(bool(failed)))

    return queue


def schedules_command(settings_of: Callable[..., Settings]) -> click.Command:
    """As `queue_command`."""

    @click.command("schedules")
    @click.option("--backend", help="Address of KTRDR's REST API; without one the embedded backend works.")
    def schedules(backend: str | None) -> None:
        """Show the starts that are repeated by the clock."""
        with _memory(settings_of(backend=backend)) as store:
            found = [(each, store.schedules.last_run(each.key)) for each in store.schedules.all()]
        if not found:
            say("Nothing is repeated.")
            return
        table = Table("Start", "When", "Next", "Last", box=None, pad_edge=False)
        for each, last in found:
            title = f"{name_of(each)} {' '.join(filter(None, title_of(each.kind, each.form)))}"
            upcoming = shown(each.next_at, each.zone) if each.next_at is not None else "off"
            before = " ".join(filter(None, (shown(last.due, each.zone), last.note))) if last else ""
            table.add_row(escape(title), f"{repeat_text(each.days, each.at)}, {each.zone}", upcoming, before)
        Terminal().print(table, highlight=False)

    return schedules


@contextmanager
def _memory(settings: Settings) -> Iterator[Storage]:
    try:
        with closing(Storage(settings.memory_file)) as store:
            yield store
    except (sqlite3.Error, OSError) as exc:
        raise click.ClickException(f"The panel's memory in {settings.data_folder} cannot be used: {exc}") from exc


def _one(entries: list[Entry], key: str) -> Entry:
    found = [entry for entry in entries if key and entry.key.startswith(key)]
    if len(found) != 1:
        what = "More than one entry's key begins" if found else "No entry's key begins"
        raise click.UsageError(f"{what} with {key!r}.")
    return found[0]


def _withdrawn(store: Storage, entry: Entry) -> bool:
    """A start that is being sent is cancelled by the panel as soon as it is known what it began."""
    return entry.state in (EntryState.WAITING, EntryState.STARTING) and store.queue.withdraw(entry.key, None)


def _name(entry: Entry) -> str:
    return " ".join(filter(None, title_of(entry.kind, entry.form)))


def _print(entries: list[Entry]) -> None:
    if not entries:
        say("Nothing waits.")
        return
    table = Table(box=None, pad_edge=False)
    for title in ("Key", "Place", "Start", "State", "Operation"):
        table.add_column(title, no_wrap=title == "Key")
    place = 0
    for entry in entries:
        place += entry.waiting
        state = "held" if entry.held and entry.waiting else str(entry.state)
        name = f"{KINDS[entry.kind].title} {_name(entry)}"
        where = str(place) if entry.waiting else ""
        table.add_row(entry.key[:SHOWN], where, escape(name), state, entry.operation_id or "")
    Terminal().print(table, highlight=False)


def _print_json(entries: list[Entry]) -> None:
    shown = [
        {
            "key": entry.key,
            "kind": entry.kind,
            "state": entry.state,
            "held": entry.held,
            "form": {name: value for name, value in entry.form.items() if value},
            "operation_id": entry.operation_id,
            "asked_at": asked.isoformat() if (asked := utc(entry.asked_at)) else None,
        }
        for entry in entries
    ]
    say_json({"entries": shown})
