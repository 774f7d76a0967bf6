"""`ktrdr-panel backup` and `restore`. Exit codes: 0 done, 1 nothing was done."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import click

from panel.cli.terminal import say
from panel.settings import Settings, without_userinfo
from panel.storage import backup
from panel.storage.presence import InUse

EMBEDDED = ("strategies", "models", "checkpoints", "backtests")  # folders of the embedded backend


def commands(settings_of: Callable[[str | None], Settings]) -> tuple[click.Command, click.Command]:
    """`settings_of` takes the address of a backend; raises ClickException."""
    backend = click.option("--backend", help="Address of KTRDR's REST API whose memory it is.")
    file = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))

    @click.command("backup")
    @file
    @click.option("--with-data", is_flag=True, help="The embedded backend's market data too.")
    @backend
    def back_up(file: Path, with_data: bool, backend: str | None) -> None:
        """Write the memory, and the embedded backend's models and strategies, to FILE. The panel may be running."""
        settings = settings_of(backend)
        try:
            files, size = backup.back_up(parts_of(settings, with_data=with_data), _name(settings), file)
        except (backup.Unusable, sqlite3.Error, OSError) as exc:
            raise click.ClickException(f"No backup was made. {exc}") from exc
        say(f"{file}: {files} files, {size / 1e6:,.1f} MB.")

    @click.command("restore")
    @click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @backend
    def restore(file: Path, backend: str | None) -> None:
        """Replace the present data with FILE, a backup; the old data is kept. Stop the panel first."""
        settings = settings_of(backend)
        try:
            kept = backup.restore(parts_of(settings, with_data=True), _name(settings), file)
        except InUse as exc:
            raise click.ClickException(f"Nothing was restored: {exc}. Stop it first.") from exc
        except (backup.Unusable, sqlite3.Error, OSError) as exc:
            raise click.ClickException(f"Nothing was restored. {exc}") from exc
        say(f"{file} was restored. " + (f"What it replaced is in {kept}." if kept else "It replaced nothing."))
        say("What waited to be started when it was made is not started by itself: look at the queue.")

    return back_up, restore


def parts_of(settings: Settings, *, with_data: bool) -> backup.Parts:
    memory, own = settings.memory_file, settings.data_folder / "embedded"
    databases: tuple[Path, ...] = (memory,)
    folders: tuple[Path, ...] = (memory.with_suffix(".files"),)
    if not settings.backend:
        names = (*EMBEDDED, "data") if with_data else EMBEDDED
        databases, folders = (*databases, own / "operations.db"), (*folders, *(own / name for name in names))
    return backup.Parts(settings.data_folder, memory, databases, folders)


def _name(settings: Settings) -> str:
    return without_userinfo(settings.backend)
