"""A real Firefox, driven over its own Marionette protocol: JSON with its length before it, on a socket.

Playwright brings a Firefox of its own, which a test machine does not have; Debian's answers this protocol without
another program. The console is read in the browser's own process: scripts' messages, errors and policy violations.
"""

import base64
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

TIMEOUT = 240.0  # seconds; a busy machine is no failure
PREFERENCES = {
    "marionette.port": 0,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.disabledForTesting": True,
    "browser.safebrowsing.update.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "devtools.console.stdout.content": True,
    "toolkit.telemetry.enabled": False,
    "ui.prefersReducedMotion": 1,
    "layout.css.devPixelsPerPx": "1.0",
}
COMPLAINTS = """
  return Services.console.getMessageArray().filter((each) => each instanceof Ci.nsIScriptError)
    .filter((each) => each.sourceName.startsWith(arguments[0]) || each.errorMessage.includes(arguments[0]))
    .map((each) => each.errorMessage);
"""


class Firefox:
    """One window. Everything is asked from the outside, as often as a test wants. `log` is what the process prints."""

    def __init__(self, port: int, log: Path) -> None:
        self._log = log
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self._stream = self._socket.makefile("rb")
        self._number = 0
        self._receive()  # its greeting
        self.command("WebDriver:NewSession", {})
        self.command("WebDriver:SetWindowRect", {"width": 1280, "height": 900})

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def command(self, name: str, parameters: dict[str, Any]) -> Any:
        self._number += 1
        message = json.dumps([0, self._number, name, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self._receive()
        assert error is None, error
        return result["value"] if result and set(result) == {"value"} else result

    def _receive(self) -> Any:
        length = b""
        while (byte := self._stream.read(1)) != b":":
            assert byte, "Firefox has gone"
            length += byte
        return json.loads(self._stream.read(int(length)))

    def open(self, address: str) -> None:
        self.command("WebDriver:Navigate", {"url": address})

    def run(self, script: str, *given: Any) -> Any:
        """What the function body returns."""
        return self.command("WebDriver:ExecuteScript", {"script": script, "args": list(given)})

    def click(self, selector: str) -> None:
        found = self.command("WebDriver:FindElement", {"using": "css selector", "value": selector})
        self.command("WebDriver:ElementClick", {"id": next(iter(found.values()))})

    def until(self, script: str, *given: Any) -> Any:
        """What the function body returns as soon as that is something; a page may go away meanwhile."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            with suppress(AssertionError):
                if found := self.run(script, *given):
                    return found
            time.sleep(0.05)
        raise AssertionError(f"never so: {script} {given}: {self.run('return document.body.innerText')}")

    def until_text(self, selector: str, text: str) -> None:
        self.until("return document.querySelector(arguments[0])?.innerText.includes(arguments[1])", selector, text)

    def picture(self, selector: str) -> Image.Image:
        found = self.command("WebDriver:FindElement", {"using": "css selector", "value": selector})
        raw = self.command("WebDriver:TakeScreenshot", {"id": next(iter(found.values())), "full": False})
        return Image.open(BytesIO(base64.b64decode(raw))).convert("RGB")

    def complaints(self, address: str) -> list[str]:
        """Errors and warnings so far: of the browser about pages of this address, and of scripts."""
        self.command("Marionette:SetContext", {"value": "chrome"})
        try:
            found: list[str] = self.run(COMPLAINTS, address)
        finally:
            self.command("Marionette:SetContext", {"value": "content"})
        logged = self._log.read_text("utf-8", "replace")
        return found + re.findall(r"^console\.(?:error|warn): (?!\w+: ?$)(.*)$", logged, re.MULTILINE)


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    """With a profile of its own in this folder."""
    profile = folder / "firefox"
    profile.mkdir()
    written = "".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items())
    (profile / "user.js").write_text(written)
    program = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)
    assert program, "These tests need Firefox: apt install firefox-esr"
    options = ["--headless", "--no-remote", "--marionette", "--remote-allow-system-access", "--profile", str(profile)]
    with (
        (folder / "firefox.log").open("wb") as log,
        subprocess.Popen([program, *options], stdout=log, stderr=log) as process,
    ):
        try:
            with closing(Firefox(_port(profile), folder / "firefox.log")) as opened:
                yield opened
        finally:
            process.terminate()


def _port(profile: Path) -> int:
    """Which Firefox writes down once it listens."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        with suppress(OSError, ValueError):
            return int((profile / "MarionetteActivePort").read_text())
        time.sleep(0.05)
    raise AssertionError("Firefox does not listen")
