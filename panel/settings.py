"""What can be set, from the environment; anything unsafe or senseless is refused before a port is opened.

Every setting is a field here, with its variable and meaning in `metadata`; the operator's table in the
documentation is checked against it.
"""

import hashlib
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import platformdirs

from panel.accounts import password
from panel.accounts.file import AccountFile, Unreadable
from panel.errors import UnsafeSettings

BASE_URL = "KTRDR_API_CLIENT_BASE_URL"  # the variable that KTRDR's own clients read
DEFAULT_BASE_URL = "http://localhost:8000/api/v1"  # KTRDR's own default
DANGEROUS = "KTRDR_PANEL_DANGEROUSLY_NO_AUTH"

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")  # a host's, or an IPv4 address
_ROOT_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _setting(default: Any, variable: str, meaning: str, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"variable": variable, "meaning": meaning})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. Build with `from_environ`, which checks them."""

    backend: str = _setting(
        "", BASE_URL, "Address of KTRDR's REST API, ending in /api/v1. Empty: the embedded backend.", secret=True
    )  # it may contain a name and password
    host: str = _setting("127.0.0.1", "KTRDR_PANEL_HOST", "Address to listen on.")
    port: int = _setting(8321, "KTRDR_PANEL_PORT", "Port to listen on.")
    data_folder: Path = _setting(
        Path(platformdirs.user_data_dir("ktrdr-panel", appauthor=False)),
        "KTRDR_PANEL_DATA_DIR",
        "Folder for the panel's memory and the embedded backend's data, models and strategies.",
    )
    strategies_folder: Path | None = _setting(
        None, "KTRDR_STRATEGIES_DIR", "KTRDR's folder of strategy files, read for names the backend does not list."
    )
    ktrdr_data_folder: Path | None = _setting(
        None, "KTRDR_DATA_DIR", "KTRDR's folder of market data, where it can be reached: imported files are put there."
    )
    keep_days: int = _setting(
        730, "KTRDR_PANEL_KEEP_DAYS", "Days after its end that an operation is remembered; 0 keeps all of them."
    )
    audit_days: int = _setting(
        365, "KTRDR_PANEL_AUDIT_DAYS", "Days that an entry of the audit trail is kept; 0 keeps the newest 200,000."
    )
    allowed_hosts: tuple[str, ...] = _setting(
        (), "KTRDR_PANEL_ALLOWED_HOSTS", "Further host names the panel answers to, separated by commas."
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        "KTRDR_PANEL_TRUSTED_PROXIES",
        "Addresses or networks of reverse proxies whose `X-Forwarded-` headers are believed, separated by commas.",
    )
    root_path: str = _setting(
        "", "KTRDR_PANEL_ROOT_PATH", "Path below which a reverse proxy offers the panel, such as /panel."
    )
    tls_cert: Path | None = _setting(
        None, "KTRDR_PANEL_TLS_CERT", "File with the certificate (PEM, with its chain) to answer by https."
    )
    tls_key: Path | None = _setting(None, "KTRDR_PANEL_TLS_KEY", "File with the certificate's private key (PEM).")
    password: str = _setting(
        "",
        "KTRDR_PANEL_PASSWORD",
        "Password of the panel's operator, or its hash as `ktrdr-panel hash-password` prints it.",
        secret=True,
    )
    password_file: Path | None = _setting(
        None, "KTRDR_PANEL_PASSWORD_FILE", "A file that holds the password, or its hash, instead."
    )
    in_container: bool = _setting(
        False, "KTRDR_PANEL_IN_CONTAINER", "1 inside a container, where listening on 0.0.0.0 is the only way out."
    )
    dangerously_no_auth: bool = _setting(
        False, DANGEROUS, "1 lets the panel listen beyond this machine although it has no password."
    )
    notify: tuple[str, ...] = _setting(
        (), "KTRDR_PANEL_NOTIFY", "Notification channels, as Apprise writes them, separated by spaces.", secret=True
    )
    log_level: str = _setting("info", "KTRDR_PANEL_LOG_LEVEL", "debug, info, warning or error.")
    log_format: str = _setting("text", "KTRDR_PANEL_LOG_FORMAT", "text, or json for one object in each line.")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None, *, serves: bool = True, **overrides: Any) -> Self:
        """Settings from variables, `overrides` (of the command line) on top; raises UnsafeSettings. `serves`: False for
        a command that opens no port, so that the first user can be added before others may reach the panel."""
        read: dict[str, Any] = {}
        for setting in fields(cls):
            given = (os.environ if environ is None else environ).get(setting.metadata["variable"], "").strip()
            if given:
                read[setting.name] = _read(setting.name, setting.metadata["variable"], given)
        read |= {name: value for name, value in overrides.items() if value is not None}
        if read.get("backend") and _path_of(read["backend"]) in ("", "/"):
            read["backend"] = read["backend"].rstrip("/") + "/api/v1"  # the address of the server was given
        read["root_path"] = read.get("root_path", "").rstrip("/")
        if read.get("password_file"):
            read["password"] = _word_in(read["password_file"], read.get("password", ""))
        settings = replace(cls(), **read)
        settings.check(serves=serves)
        return settings

    def check(self, *, serves: bool = True) -> None:
        if self.backend and (not self.backend.startswith(("http://", "https://")) or _path_of(self.backend) is None):
            shown = without_userinfo(self.backend)
            raise UnsafeSettings(f"{BASE_URL} has to be an http:// or https:// address, not “{shown}”.")
        if not 0 < self.port < 65536:
            raise UnsafeSettings(f"KTRDR_PANEL_PORT has to be between 1 and 65535, not {self.port}.")
        if self.log_level not in ("debug", "info", "warning", "error"):
            raise UnsafeSettings("KTRDR_PANEL_LOG_LEVEL has to be debug, info, warning or error.")
        if self.log_format not in ("text", "json"):
            raise UnsafeSettings("KTRDR_PANEL_LOG_FORMAT has to be text or json.")
        for host in self.allowed_hosts:
            name, port = _name_and_port(host)
            if not (_is_address(name) or _NAME.fullmatch(name)) or not (port == "" or port.isdecimal()):
                raise UnsafeSettings(f"KTRDR_PANEL_ALLOWED_HOSTS takes exact names, not “{host}”.")
        for proxy in self.trusted_proxies:
            if _network(proxy) is None:
                raise UnsafeSettings(
                    f"KTRDR_PANEL_TRUSTED_PROXIES takes addresses, or networks such as 172.16.0.0/12, not “{proxy}”."
                )
        if not _ROOT_PATH.fullmatch(self.root_path):
            raise UnsafeSettings(f"The root path has to be a path such as /panel, not “{self.root_path}”.")
        if self.tls_key and not self.tls_cert:
            raise UnsafeSettings("A TLS key is named, and no certificate: set KTRDR_PANEL_TLS_CERT too.")
        if self.password.startswith(password.MARK):
            if not password.is_hash(self.password):
                raise UnsafeSettings("The password looks like a hash, but is none that `hash-password` prints.")
        elif 0 < len(self.password) < password.SHORTEST:
            raise UnsafeSettings(f"The password is too short: it needs {password.SHORTEST} characters.")
        if serves and self.exposed and not self.password and not self.dangerously_no_auth and not self._has_users():
            raise UnsafeSettings(
                "The panel has no password and would be reachable from other machines: "
                f"host {self.host}, allowed hosts {', '.join(self.allowed_hosts) or 'none'}, "
                f"trusted proxies {', '.join(self.trusted_proxies) or 'none'}. "
                "Listen on 127.0.0.1, set KTRDR_PANEL_PASSWORD, or add a user with `ktrdr-panel user add`; "
                f"{DANGEROUS}=1 if everyone who can reach it may use it."
            )

    @property
    def memory_file(self) -> Path:
        """The panel's memory of this backend: operations of one are not another's."""
        backend = without_userinfo(self.backend)
        readable = re.sub(r"[^a-z0-9]+", "-", backend.lower()).strip("-")[:60]
        name = f"{readable}-{hashlib.sha256(backend.encode()).hexdigest()[:8]}" if backend else "embedded"
        return self.data_folder / "panel" / f"{name}.db"

    @property
    def market_data(self) -> Path | None:
        """The folder of stored market data; None when the backend's cannot be reached."""
        return self.ktrdr_data_folder if self.backend else self.data_folder / "embedded" / "data"

    @property
    def account_file(self) -> AccountFile:
        """Users and tokens: one file for all panels of this folder."""
        return AccountFile(self.data_folder / "panel" / "access.json")

    def _has_users(self) -> bool:
        try:
            return bool(self.account_file.read().users)
        except Unreadable as exc:
            raise UnsafeSettings(str(exc)) from exc

    @property
    def exposed(self) -> bool:
        """Others than this machine's users could reach the panel. A container's published port decides that
        outside of it; a further host name or a proxy always means that it is meant to be reached from elsewhere."""
        listens = not is_loopback(self.host) and not self.in_container
        return listens or bool(self.trusted_proxies) or not all(map(is_loopback, self.allowed_hosts))

    @property
    def address(self) -> str:
        """The panel's URL on this machine."""
        host = "localhost" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104
        scheme, host = "https" if self.tls_cert else "http", f"[{host}]" if ":" in host else host
        return f"{scheme}://{host}:{self.port}"

    @property
    def public_address(self) -> str:
        """Where others find it, for links in notifications: under the first further host name, if there is one. A proxy
        is taken to speak https at its usual port."""
        if not self.allowed_hosts:
            return self.address + self.root_path
        host, scheme = self.allowed_hosts[0], "https" if self.tls_cert or self.trusted_proxies else "http"
        name, port = _name_and_port(host)
        shown, port = f"[{name}]" if ":" in name else name, port or ("" if self.trusted_proxies else str(self.port))
        return f"{scheme}://{shown}{f':{port}' if port else ''}{self.root_path}"

    @property
    def proxies(self) -> tuple[Network, ...]:
        """Of the trusted proxies; empty when forwarded headers are ignored."""
        return tuple(network for network in map(_network, self.trusted_proxies) if network)

    @property
    def unprotected(self) -> bool:
        """Whether others could reach it without a login."""
        return self.exposed and not self.password and not self._has_users()

    @property
    def hosts(self) -> frozenset[str]:
        """Exact values of the Host header that are answered, with and without the port."""
        names = {*_LOOPBACK, *self.allowed_hosts}
        if self.host not in ("0.0.0.0", "::"):  # noqa: S104  every address is not a name to be called by
            names.add(self.host.lower())
        answered = set()
        for name, port in map(_name_and_port, names):
            shown = f"[{name}]" if ":" in name else name
            answered |= {f"{shown}:{port}"} if port else {shown, f"{shown}:{self.port}"}
        return frozenset(answered)


def is_loopback(host: str) -> bool:
    name, _ = _name_and_port(host)
    return name == "localhost" or (_is_address(name) and ipaddress.ip_address(name).is_loopback)


def without_userinfo(url: str) -> str:
    """The URL as it may be shown and logged: without a name and password in front of the host."""
    before, _, shown = url.rpartition("@")  # not a URL parser: the URL may be invalid
    scheme, mark, _ = before.partition("://")
    return scheme + mark + shown if mark else shown


def _path_of(url: str) -> str | None:
    """None when it is no URL."""
    try:
        parts = urlsplit(url)
        return parts.path if parts.hostname and (parts.port is None or parts.port) else None
    except ValueError:
        return None


def _name_and_port(host: str) -> tuple[str, str]:
    """localhost:9000, [::1]:9000 and ::1, each as name and port; the port is "" when none is given."""
    if _is_address(host.removeprefix("[").removesuffix("]")):
        return host.removeprefix("[").removesuffix("]"), ""
    name, _, port = host.rpartition(":")
    return (name.removeprefix("[").removesuffix("]"), port) if name and port else (host, "")


def _network(given: str) -> Network | None:
    try:
        return ipaddress.ip_network(given, strict=False)
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _word_in(file: Path, given: str) -> str:
    if given:
        raise UnsafeSettings("Set either KTRDR_PANEL_PASSWORD or KTRDR_PANEL_PASSWORD_FILE, not both.")
    try:
        word = file.read_text("utf-8").strip()
    except (OSError, UnicodeError) as exc:
        raise UnsafeSettings(f"The password's file {file} cannot be read.") from exc
    if not word:  # an empty password does not mean "no password"
        raise UnsafeSettings(f"The password's file {file} is empty.")
    return word


def _read(name: str, variable: str, given: str) -> Any:
    match name:
        case "port" | "keep_days" | "audit_days":
            if not given.isdecimal():
                raise UnsafeSettings(f"{variable} has to be a number, not “{given}”.")
            return int(given)
        case "data_folder" | "strategies_folder" | "ktrdr_data_folder" | "password_file" | "tls_cert" | "tls_key":
            return Path(given).expanduser()
        case "notify":
            return tuple(given.split())
        case "allowed_hosts" | "trusted_proxies":
            return tuple(host.strip().lower() for host in given.split(",") if host.strip())
        case "in_container" | "dangerously_no_auth":
            if given not in ("0", "1"):
                raise UnsafeSettings(f"{variable} has to be 1 or 0, not “{given}”.")
            return given == "1"
    return given
