"""TLS: the certificate and its key, checked before anything starts, and a limit on handshakes."""

import ssl
from pathlib import Path
from typing import Any

from panel.errors import UnsafeSettings
from panel.live.protocol import Connection
from panel.settings import Settings

try:
    from uvloop import Loop as _Loop
except ImportError:  # Windows has none
    from asyncio import ProactorEventLoop as _Loop  # type: ignore[attr-defined,no-redef]

_MISMATCH = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")  # the last: of another type

LOOP = "panel.cli.tls:TLSLoop"  # for uvicorn's `loop=`


def context_of(settings: Settings) -> ssl.SSLContext | None:
    """What uvicorn needs, None without a certificate. Raises UnsafeSettings when the files are of no use."""
    if settings.tls_cert is None:
        return None
    cert, key = settings.tls_cert, settings.tls_key or settings.tls_cert
    for what, file in (("certificate", cert), ("key", key)):
        _check(what, file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # TLS 1.2 or newer
    try:
        context.load_cert_chain(cert, key, password=lambda: b"")  # else OpenSSL would ask on the terminal
    except ssl.SSLError as exc:
        if exc.reason in _MISMATCH:
            raise UnsafeSettings(f"The TLS key {key} does not belong to the certificate {cert}.") from exc
        raise UnsafeSettings(f"The TLS certificate {cert} and key {key} cannot be used: {exc.reason or exc}.") from exc
    context.set_alpn_protocols(["http/1.1"])
    return context


def _check(what: str, file: Path) -> None:
    """Check that this file has such a part, in PEM and without a passphrase."""
    try:
        text = file.read_bytes()
    except OSError as exc:
        raise UnsafeSettings(f"The TLS {what} {file} cannot be read: {(exc.strerror or 'failed').lower()}.") from exc
    begins = (b"-----BEGIN CERTIFICATE-----",) if what == "certificate" else (b"PRIVATE KEY-----",)
    if not any(begin in text for begin in begins):
        raise UnsafeSettings(f"The TLS {what} {file} holds no {what} in PEM form.")
    if what == "key" and (b"ENCRYPTED PRIVATE KEY" in text or b"Proc-Type: 4,ENCRYPTED" in text):
        raise UnsafeSettings(
            f"The TLS key {file} has a passphrase. Take it off: openssl pkey -in {file} -out new.pem, "
            "readable by the panel's user only."
        )


class TLSLoop(_Loop):
    """Cuts off who does not finish a handshake as soon as who does not finish a request's headers. uvicorn passes no
    such limit on, and 60 seconds are usual."""

    async def create_server(self, *args: Any, **more: Any) -> Any:
        if more.get("ssl") is not None:
            more["ssl_handshake_timeout"] = Connection.head_seconds
        return await super().create_server(*args, **more)
