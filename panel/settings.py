"""What can be set, from the environment; anything unsafe or senseless is refused before a port is opened.

Every setting is a field here, with its variable and meaning in `metadata`; the operator's table in the
documentation is checked against it.
"""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import platformdirs

from panel.errors import UnsafeSettings

BASE_URL = "KTRDR_API_CLIENT_BASE_URL"  # the variable that KTRDR's own clients read
DEFAULT_BASE_URL = "http://localhost:8000/api/v1"  # KTRDR's own default
DANGEROUS = "KTRDR_PANEL_DANGEROUSLY_NO_AUTH"

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _setting(default: Any, variable: str, meaning: str) -> Any:
    return field(default=default, metadata={"variable": variable, "meaning": meaning})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. Build with `from_environ`, which checks them."""

    backend: str = _setting(
        "", BASE_URL, "Address of KTRDR's REST API, ending in /api/v1. Empty: the embedded backend."
    )
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
    allowed_hosts: tuple[str, ...] = _setting(
        (), "KTRDR_PANEL_ALLOWED_HOSTS", "Further host names the panel answers to, separated by commas."
    )
    in_container: bool = _setting(
        False, "KTRDR_PANEL_IN_CONTAINER", "1 inside a container, where listening on 0.0.0.0 is the only way out."
    )
    dangerously_no_auth: bool = _setting(
        False, DANGEROUS, "1 lets the panel listen beyond this machine although it has no password."
    )
    log_level: str = _setting("info", "KTRDR_PANEL_LOG_LEVEL", "debug, info, warning or error.")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Self:
        """Settings from variables, `overrides` (of the command line) on top; raises UnsafeSettings."""
        environ = os.environ if environ is None else environ
        read: dict[str, Any] = {}
        for setting in fields(cls):
            given = environ.get(setting.metadata["variable"], "").strip()
            if given:
                read[setting.name] = _read(setting.name, setting.metadata["variable"], given)
        read |= {name: value for name, value in overrides.items() if value is not None}
        if read.get("backend") and urlsplit(read["backend"]).path in ("", "/"):
            read["backend"] = read["backend"].rstrip("/") + "/api/v1"  # the address of the server was given
        settings = replace(cls(), **read)
        settings.check()
        return settings

    def check(self) -> None:
        if self.backend and not self.backend.startswith(("http://", "https://")):
            raise UnsafeSettings(f"{BASE_URL} has to start with http:// or https://, not “{self.backend}”.")
        if not 0 < self.port < 65536:
            raise UnsafeSettings(f"KTRDR_PANEL_PORT has to be between 1 and 65535, not {self.port}.")
        if self.log_level not in ("debug", "info", "warning", "error"):
            raise UnsafeSettings("KTRDR_PANEL_LOG_LEVEL has to be debug, info, warning or error.")
        for host in self.allowed_hosts:
            if "*" in host or "/" in host or " " in host:
                raise UnsafeSettings(f"KTRDR_PANEL_ALLOWED_HOSTS takes exact names, not “{host}”.")
        if self.exposed and not self.dangerously_no_auth:
            raise UnsafeSettings(
                "The panel has no password, and like this others than you could reach it: "
                f"host {self.host}, allowed hosts {', '.join(self.allowed_hosts) or 'none'}. "
                f"Listen on 127.0.0.1, or set {DANGEROUS}=1 if everyone who can reach it may use it."
            )

    @property
    def exposed(self) -> bool:
        """Others than this machine's users could reach the panel. A container's published port decides that
        outside of it; a further host name always means that the panel is meant to be reached from elsewhere."""
        return (not is_loopback(self.host) and not self.in_container) or not all(map(is_loopback, self.allowed_hosts))

    @property
    def hosts(self) -> frozenset[str]:
        """Exact values of the Host header that are answered, with and without the port."""
        names = {*_LOOPBACK, *self.allowed_hosts}
        if self.host not in ("0.0.0.0", "::"):  # noqa: S104  every address is not a name to be called by
            names.add(self.host)
        bracketed = {f"[{name}]" if ":" in name and not name.startswith("[") else name for name in names}
        return frozenset(bracketed | {f"{name}:{self.port}" for name in bracketed})


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _read(name: str, variable: str, given: str) -> Any:
    match name:
        case "port":
            if not given.isdecimal():
                raise UnsafeSettings(f"{variable} has to be a number, not “{given}”.")
            return int(given)
        case "data_folder" | "strategies_folder":
            return Path(given).expanduser()
        case "allowed_hosts":
            return tuple(host.strip() for host in given.split(",") if host.strip())
        case "in_container" | "dangerously_no_auth":
            if given not in ("0", "1"):
                raise UnsafeSettings(f"{variable} has to be 1 or 0, not “{given}”.")
            return given == "1"
    return given
