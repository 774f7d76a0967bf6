"""The command line: `serve`, and one sub-command for each kind of operation."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from panel import __version__
from panel.accounts.password import SHORTEST, hashed
from panel.adapters import KINDS, Field, Kind
from panel.backend.connect import check, source_of
from panel.cli import backup_command
from panel.cli import run_operation as command
from panel.cli.access_commands import audit, token, user
from panel.cli.doctor import Finding, Grade, examine
from panel.cli.import_command import import_command
from panel.cli.queue_command import add, queue_command, schedules_command
from panel.cli.terminal import Terminal, clean_errors, say, say_json
from panel.errors import InvalidForm, UnsafeSettings
from panel.settings import Settings

_FILE = click.Path(path_type=Path)


class Commands(click.Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for given in args:
            try:
                given.encode()
            except UnicodeEncodeError as exc:
                shown = given.encode(errors="backslashreplace").decode()
                raise click.UsageError(f"An argument is not valid UTF-8: {shown}", ctx) from exc
        with clean_errors():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with clean_errors():
                return super().invoke(ctx)
        except KeyboardInterrupt:  # before a command handles signals itself
            raise SystemExit(command.INTERRUPTED) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ktrdr-panel")
def main() -> None:
    """A web panel for KTRDR. Starts, follows and compares trainings, backtests and data loads."""


def settings_or_exit(**overrides: Any) -> Settings:
    try:
        settings = Settings.from_environ(**overrides)
        check(settings)
    except UnsafeSettings as exc:
        raise click.ClickException(str(exc)) from exc
    return settings


@main.command()
@click.option("--backend", help="Address of KTRDR's REST API; without one the embedded backend works.")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on.")
@click.option("--root-path", metavar="PATH", help="Path below which a reverse proxy offers the panel, such as /panel.")
@click.option("--tls-cert", metavar="FILE", type=_FILE, help="Certificate (PEM, with its chain) to answer by https.")
@click.option("--tls-key", metavar="FILE", type=_FILE, help="The certificate's private key (PEM).")
def serve(**given: Any) -> None:
    """Open the panel for browsers."""
    from panel.cli import serving  # the web app takes longer to import than all other commands take to run

    serving.serve(settings_or_exit(**given))


@main.command()
@click.option("--backend", help="Address of KTRDR's REST API; without one the embedded backend works.")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(backend: str | None, host: str | None, port: int | None, as_json: bool) -> None:
    """Check settings, disk, backend and workers; exits with 1 when something has to be fixed."""
    try:
        settings = Settings.from_environ(backend=backend, host=host, port=port)
        found = asyncio.run(examine(settings))
    except UnsafeSettings as exc:
        found = [Finding("settings", Grade.FAIL, str(exc), "docs/settings.md has every setting.")]
    bad = any(each.grade is Grade.FAIL for each in found)
    if as_json:
        say_json({"ok": not bad, "checks": [asdict(each) for each in found]})
    else:
        colours = {Grade.OK: "green", Grade.WARN: "yellow", Grade.FAIL: "red"}
        for each in found:
            shown = f"[{colours[each.grade]}]{each.grade:<5}[/] {each.what:<11} {escape(each.message)}"
            Terminal().print(shown, highlight=False, emoji=False, soft_wrap=True)
            if each.advice:
                say(f"{'':<17} {each.advice}")
    raise SystemExit(int(bad))


@main.command("hash-password")
@click.password_option("--password", help="Asked for when it is not given here, where others may read it.")
def hash_password(password: str) -> None:
    """Print the hash of a password, to be set instead of the password itself."""
    if len(password) < SHORTEST:
        raise click.ClickException(f"It is too short: it needs {SHORTEST} characters.")
    say(hashed(password))


def _command(adapter: type[Kind]) -> click.Command:
    """The sub-command of one kind, made from its fields."""

    def run(backend: str | None, queue: bool = False, **given: Any) -> None:
        settings = settings_or_exit(backend=backend)
        typed = {name: _as_typed(value) for name, value in given.items()}
        try:
            made = adapter.from_form(typed)
        except InvalidForm as exc:
            raise click.UsageError(" ".join(exc.errors.values())) from exc
        if queue:
            raise SystemExit(add(settings, made, typed))
        raise SystemExit(asyncio.run(command.run(settings, made, typed)))

    parameters: list[click.Parameter] = [_parameter(field) for field in adapter.fields]
    parameters.append(
        click.Option(["--backend"], help="Address of KTRDR's REST API; without one the embedded backend works.")
    )
    if adapter.traits.worker or adapter.traits.alone:
        parameters.append(click.Option(["--queue"], is_flag=True, help="Leave it to the panel's queue, and return."))
    return click.Command(adapter.command, params=parameters, callback=run, help=adapter.summary)


def _parameter(field: Field) -> click.Parameter:
    if not field.option:
        return click.Argument([field.name], metavar=field.label.upper())
    if field.type == "switch":
        return click.Option([field.option, field.name], is_flag=True, help=field.help)
    choices = ", ".join(value for value, _ in field.choices)
    text = field.help or (f"One of {choices}." if choices else field.label)
    return click.Option([field.option, field.name], help=text, default=field.default or None, required=field.required)


def _as_typed(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else ""
    return "" if value is None else str(value)


for _adapter in KINDS.values():
    main.add_command(_command(_adapter))


def _market_data() -> Path:
    settings = settings_or_exit()
    if settings.market_data is None:
        raise click.ClickException(
            "KTRDR takes data only from its own source. Where its data folder can be reached, name it: --into FOLDER, "
            "or KTRDR_DATA_DIR."
        )
    return settings.market_data


def _stored_source(symbol: str, timeframe: str) -> str:
    return source_of(settings_or_exit(), symbol, timeframe)


main.add_command(import_command(_market_data, _stored_source))
for _command_of_backups in backup_command.commands(lambda backend: settings_or_exit(backend=backend)):
    main.add_command(_command_of_backups)
for _each in (user, token, audit, queue_command(settings_or_exit), schedules_command(settings_or_exit)):
    main.add_command(_each)
