"""Takes a renewed TLS certificate over while the panel runs: connections that are open keep the one they began with."""

import asyncio
import logging
import signal
import ssl
import sys
from contextlib import suppress
from pathlib import Path

import uvicorn

from panel.cli import server, tls
from panel.errors import UnsafeSettings
from panel.settings import Settings

INTERVAL = 10.0  # seconds between looks at the files

Stamp = tuple[tuple[int, int, int], ...]

log = logging.getLogger(__name__)


class Certificate:
    """The files of these settings, and the context that answers with them."""

    def __init__(self, context: ssl.SSLContext, settings: Settings) -> None:
        self.context = context
        self._settings = settings
        self._asked = asyncio.Event()  # set when the files may have changed
        self._used = self._seen = self._stamp()

    def ask(self) -> None:
        """Reload the files now, even if they look the same."""
        self._used = ()
        self._asked.set()

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(asyncio.TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    await self._asked.wait()
            self._asked.clear()
            self.look()

    def look(self) -> bool:
        """Whether new files are in use. Invalid ones are reported once; the old ones stay in use."""
        now = self._stamp()
        if now == self._used or (now == self._seen and self._used):
            return False
        self._seen = now
        try:
            tls.context_of(self._settings)  # a new context: half of a pair would break the one in use
            self.context.load_cert_chain(*self._files(), password=lambda: b"")
        except (UnsafeSettings, OSError) as exc:
            self._used = self._used or self._seen
            log.warning("the TLS certificate on disk is not used, the one before it is: %s", exc)
            return False
        self._used = now
        log.info("the TLS certificate was renewed", extra={"file": str(self._files()[0])})
        return True

    def _files(self) -> tuple[Path, Path]:
        assert self._settings.tls_cert is not None  # noqa: S101  there is a context
        return self._settings.tls_cert, self._settings.tls_key or self._settings.tls_cert

    def _stamp(self) -> Stamp:
        """The files' identities, which a renewal changes; zeros for a missing one."""
        found = []
        for file in self._files():
            try:
                status = file.stat()
            except OSError:
                found.append((0, 0, 0))
            else:
                found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        return tuple(found)


class Server(server.Server):
    """One which follows the certificate. SIGHUP asks for a look at once, except in a terminal, which sends it
    when it is closed."""

    def __init__(self, config: uvicorn.Config, certificate: Certificate | None) -> None:
        super().__init__(config)
        self._certificate = certificate
        self._following: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets=sockets)  # type: ignore[arg-type]
        if self._certificate is None:
            return
        loop = asyncio.get_running_loop()
        self._following = loop.create_task(self._certificate.follow())
        if hasattr(signal, "SIGHUP") and not (sys.stdin and sys.stdin.isatty()):
            loop.add_signal_handler(signal.SIGHUP, self._certificate.ask)

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        if self._following is not None:
            self._following.cancel()
        await super().shutdown(sockets=sockets)  # type: ignore[arg-type]
