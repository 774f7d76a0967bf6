"""The command line: `serve`, and one sub-command for each kind of operation."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import click
import uvicorn
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from panel import __version__, logs
from panel.adapters import KINDS, Field, OperationAdapter
from panel.app import create_app
from panel.client import AsyncCLIClient
from panel.connect import check, connect
from panel.errors import CLIClientError, InvalidForm, UnsafeSettings
from panel.operations import Snapshot
from panel.password import SHORTEST, hashed
from panel.settings import Settings
from panel.verdict import Evidence, State, judge

OK, FAILED, INTERRUPTED = 0, 1, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ktrdr-panel")
def main() -> None:
    """A face for KTRDR: trainings and data loads in the browser, or from here."""


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
def serve(backend: str | None, host: str | None, port: int | None) -> None:
    """Open the panel for browsers."""
    settings = settings_or_exit(backend=backend, host=host, port=port)
    logs.install(settings.log_level)
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    Console(stderr=True).print(
        f"ktrdr-panel {__version__} on [bold]http://{shown}:{settings.port}[/bold]", highlight=False
    )
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,  # its lines go through ours
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=3,
    )


@main.command("hash-password")
@click.password_option("--password", help="Asked for when it is not given here, where others may read it.")
def hash_password(password: str) -> None:
    """Print the hash of a password, to be set instead of the password itself."""
    if len(password) < SHORTEST:
        raise click.ClickException(f"It is too short: it needs {SHORTEST} characters.")
    click.echo(hashed(password))


def _command(adapter: type[OperationAdapter]) -> click.Command:
    """The sub-command of one kind, made from its fields."""

    def run(backend: str | None, **given: Any) -> None:
        settings = settings_or_exit(backend=backend)
        typed = {name: _as_typed(value) for name, value in given.items()}
        try:
            made = adapter.from_form(typed)
        except InvalidForm as exc:
            raise click.UsageError(" ".join(exc.errors.values())) from exc
        raise SystemExit(asyncio.run(_run(settings, adapter, made)))

    parameters: list[click.Parameter] = [_parameter(field) for field in adapter.fields]
    parameters.append(
        click.Option(["--backend"], help="Address of KTRDR's REST API; without one the embedded backend works.")
    )
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


async def _run(settings: Settings, adapter: type[OperationAdapter], made: OperationAdapter) -> int:
    """Health check, bar, result; returns the exit code. Ctrl-C cancels what was started."""
    console = Console()
    async with connect(settings) as client:
        if not await client.health_check():
            console.print(f"Could not connect to API at {client.address}. Is the API server running?", style="red")
            return FAILED
        bar = Progress(
            TextColumn("[bold]{task.fields[title]}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=console,
        )
        work = asyncio.current_task()
        assert work is not None  # noqa: S101
        interrupted = _on_interrupt(work.cancel)
        try:
            if adapter.kind == "data_load":
                await _turn(client, console)
            with bar:
                line = bar.add_task("", total=100, title=adapter.title)

                def on_progress(percentage: int, message: str) -> None:
                    bar.update(line, completed=percentage, description=message)

                result = await client.execute_operation(made, on_progress=on_progress, poll_interval=0.5)
        except CLIClientError as exc:
            console.print(f"{adapter.title}: {escape(exc.message)}", style="red", highlight=False)
            return FAILED
        finally:
            interrupted()
    return _report(console, adapter, result)


async def _turn(client: AsyncCLIClient, console: Console) -> None:
    """Wait until no other load runs: two at once disturb each other at the backend."""
    told = 0
    while True:
        asked = {"operation_type": "data_load", "active_only": "true", "limit": 50}
        answer = await client.get("/operations", params=asked)
        before = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(before, list) or not before:
            return
        if len(before) != told:
            told = len(before)
            first = before[0] if isinstance(before[0], dict) else {}
            what = f"{first.get('symbol') or ''} {first.get('operation_id') or ''}".strip()
            loads = "1 load" if told == 1 else f"{told} loads"
            console.print(f"Waiting: {loads} before this one ({escape(what)}).", style="dim")
        await asyncio.sleep(1.0)


def _on_interrupt(act: Callable[[], Any]) -> Callable[[], Any]:
    """Call `act` at the first Ctrl-C or TERM; returns what undoes that."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for each in signals:
        loop.add_signal_handler(each, act)
    return lambda: [loop.remove_signal_handler(each) for each in signals]


def _report(console: Console, adapter: type[OperationAdapter], result: dict[str, Any]) -> int:
    operation_id = result.get("operation_id") or ""
    if result["status"] == "cancelled":
        console.print(
            f"{adapter.title} cancelled. {escape(result.get('note', ''))} {operation_id}".rstrip(), style="yellow"
        )
        return INTERRUPTED
    snapshot = Snapshot.from_json(result, 0.0)
    if result["status"] != "completed":
        console.print(
            f"{adapter.title} failed: {escape(snapshot.error or 'the backend gave no reason')}",
            style="red",
            highlight=False,
        )
        console.print(operation_id, style="dim", highlight=False)
        return FAILED
    verdict = judge(Evidence(snapshot, 0.0), 0.0)
    problem = verdict.state is State.PROBLEMS
    console.print(
        f"{adapter.title} {'finished with problems' if problem else 'completed'}. [dim]{operation_id}[/dim]",
        style="yellow" if problem else "green",
        highlight=False,
    )
    if problem or adapter.kind == "data_load":
        console.print(f"  {escape(verdict.headline)} {escape(verdict.advice)}".rstrip(), highlight=False)
    for figure in adapter.figures(snapshot):
        note = f"  [dim]{escape(figure.note)}[/dim]" if figure.note else ""
        console.print(f"  {escape(figure.label):<26}{escape(figure.value):>12}{note}", highlight=False)
    return FAILED if problem else OK


for _adapter in KINDS.values():
    main.add_command(_command(_adapter))
