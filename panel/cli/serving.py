"""The panel's server: its memory, port, certificate and settings are checked before anything is printed."""

import logging
import os
import socket
import sqlite3
import sys
import threading
from contextlib import suppress
from pathlib import Path

import click
import uvicorn

from panel import __version__
from panel.accounts.file import Unreadable
from panel.app import create_app
from panel.cli import renewal, tls
from panel.cli.terminal import Terminal
from panel.domain.memory import damaged, remedy
from panel.errors import UnsafeSettings
from panel.live.protocol import Connection
from panel.observability import garbage, logs
from panel.settings import Settings
from panel.storage import integrity
from panel.storage.store import Storage
from panel.views.templating import compile_templates

FILES_NEEDED = Connection.max_connections + 200  # descriptors, for every connection and the panel's own files


def serve(settings: Settings) -> None:
    """Serves until it is stopped. Raises ClickException for what keeps it from starting."""
    try:
        app, context = create_app(settings), tls.context_of(settings)
    except UnsafeSettings as exc:
        raise click.ClickException(str(exc)) from exc
    _check_memory(settings.memory_file)
    try:
        settings.account_file.read()
    except Unreadable as exc:
        raise click.ClickException(str(exc)) from exc
    listener = _listener(settings)
    _raise_file_limit()
    logs.install(settings.log_level, settings.log_format)
    address = settings.address
    if settings.log_format == "json":
        logging.getLogger(__name__).info("ktrdr-panel %s", __version__, extra={"address": address})
    else:
        Terminal(stderr=True).print(f"ktrdr-panel {__version__} on [bold]{address}[/bold]", highlight=False)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,  # its lines go through the panel's logging
        http=Connection,
        loop=tls.LOOP if context else "auto",
        ssl_context_factory=(lambda _, __: context) if context else None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=3,
    )
    garbage.keep_short()
    # In a thread: the first page is there at once, and no page waits for its templates.
    threading.Thread(target=compile_templates, args=(0.002,), daemon=True).start()
    server = renewal.Server(config, renewal.Certificate(context, settings) if context else None)
    with suppress(KeyboardInterrupt):  # raised again by the server once it has stopped
        server.run(sockets=[listener])
    if not server.started:
        raise SystemExit(1)


def _check_memory(file: Path) -> None:
    """Checked here for a one-line message; the app opens it again."""
    try:
        # First, because opening it may write to it.
        why = integrity.damage(file, integrity.AT_START) if file.exists() else ""
        if not why:
            Storage(file).close()
    except (sqlite3.Error, OSError) as exc:
        why = str(exc)
    if why:
        advice = remedy(why) if damaged(why) else "KTRDR_PANEL_DATA_DIR names another folder."
        raise click.ClickException(f"The panel's memory {file} cannot be used: {why}. {advice}")


def _listener(settings: Settings) -> socket.socket:
    """Opened before anything is printed: a port in use is one sentence."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as exc:
        known = os.strerror(exc.errno) if exc.errno and exc.errno > 0 else exc.strerror  # a name's look-up is below 0
        reason = (known or "it cannot be listened on").lower()
        raise click.ClickException(
            f"{settings.host}:{settings.port}: {reason}. --port or KTRDR_PANEL_PORT chooses another one; "
            "ktrdr-panel doctor says whether a panel runs there."
        ) from exc


def _raise_file_limit() -> None:
    """Many systems allow 1,024 open files, fewer than the connections that may be open."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = FILES_NEEDED if hard == resource.RLIM_INFINITY else min(FILES_NEEDED, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
