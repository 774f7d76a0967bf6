"""Files that somebody drops on the import page, and models that somebody puts among the embedded backend's."""

import io
import os
import pickle
import socket
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from tests.attack.world import Result, World, world
from tests.embedded.conftest import seed
from tests.support.imports import BOUNDARY, form
from tests.support.market_files import bars, ktrdr
from tests.support.panels import OWN_PAGE, panel_process

NAMES = (
    "../../evil_1h.csv", "/etc/cron.d/evil_1h.csv", "..\\..\\evil_1h.csv", "<img src=x onerror=alert(1)>_1h.csv",
    ".bashrc_1h.csv", "nul\x00_1h.csv", "\x1b[2J_1h.csv", "a" * 300 + "_1h.csv", "CON_1h.csv", "EURUSD_1h.csv/..",
)  # fmt: skip


def _packed(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _dropped(w: World, name: str, content: bytes) -> tuple[int, str]:
    """Status and text of what the browser shows in the end."""
    headers = OWN_PAGE | {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = httpx.post(w.here.address + "/data/import", content=form((name, content)), headers=headers, timeout=60)
    if answer.status_code != 303:
        return answer.status_code, answer.text
    place, end = answer.headers["location"], time.monotonic() + 60
    while "http-equiv" in (page := w.here.get(place)).text and time.monotonic() < end:
        time.sleep(0.1)
    return page.status_code, page.text


def imports() -> Result:
    """Bombs, crowded archives, names that lead elsewhere, and a body that trickles in."""
    good = ktrdr(bars()).encode()
    bombs = {
        "bomb.zip": _packed({"EURUSD_1h.csv": b"0" * 400_000_000}),
        "crowd.zip": _packed({f"S{n}_1h.csv": good for n in range(2000)}),
        "nested.zip": _packed({"inner.zip": _packed({"a.csv": b"1" * 10_000_000})}),
        "names.zip": _packed({name.replace("\x00", ""): good for name in NAMES}),
        "lines.csv": b"," * 30_000_000,
        "line.csv": b"a" * 30_000_000,
    }
    with TemporaryDirectory(prefix="attack-market-") as name, world(KTRDR_DATA_DIR=name) as w:
        w.status("/data/import")
        before, began, answers = w.megabytes(), time.monotonic(), []
        with socket.create_connection(("127.0.0.1", w.here.settings.port)) as slow:
            sent = OWN_PAGE | {
                "content-type": f"multipart/form-data; boundary={BOUNDARY}",
                "content-length": "50000000",
            }
            head = "\r\n".join(f"{k}: {v}" for k, v in sent.items())
            slow.sendall(
                f"POST /data/import HTTP/1.1\r\nhost: 127.0.0.1:{w.here.settings.port}\r\n{head}\r\n\r\n".encode()
            )
            slow.sendall(form(("EURUSD_1h.csv", good))[:300])
            for file, content in bombs.items():
                with suppress(OSError):  # on a slow machine it was cut off already
                    slow.sendall(b"1")
                answers.append(_dropped(w, file, content))
            answers += [_dropped(w, file, good) for file in NAMES]
        took, grown = time.monotonic() - began, w.megabytes() - before
        broken = [status for status, _ in answers if status >= 500]
        markup = [1 for _, text in answers if "<img src=x" in text or "\x1b" in text]
        stored = [file for file in Path(name).rglob("*") if file.is_file()]
        outside = [*w.folder.parent.glob("evil*"), Path("/etc/cron.d/evil_1h.csv")]
        escaped = [file for file in outside if file.exists()]
        return Result(
            not (broken or markup or stored or escaped) and grown < 150,
            f"{len(answers)} files in {took:.0f} s: {len(broken)} broken, {len(markup)} with markup, {len(stored)} stored "
            f"unasked, {len(escaped)} outside the folder; {grown:+.0f} MB",
        )


class _Runs:
    """Opened by pickle it makes the file."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.place, "w")


def planted_models() -> Result:
    """A trained model's arrays are exchanged for a pickle, and a backtest is started with it."""
    with TemporaryDirectory(prefix="attack-") as name:
        folder, ran = Path(name), Path(name) / "ran"
        house = folder / "embedded"
        house.mkdir()
        seed(house)
        model = house / "models" / "small" / "1h_v1"
        (model / "model.npz").write_bytes(pickle.dumps(_Runs(str(ran))))
        (model / "model.joblib").write_bytes(pickle.dumps(_Runs(str(ran))))
        with panel_process(folder) as (here, process):
            asked = {
                "strategy_name": "small", "model_path": "models/small/1h_v1", "symbol": "EURUSD", "timeframe": "1h",
                "start_date": "2025-02-01", "end_date": "2025-03-01",
            }  # fmt: skip
            headers = OWN_PAGE | {"idempotency-key": "planted-" + "0" * 20}
            started = httpx.post(here.address + "/api/start/backtesting", json=asked, headers=headers, timeout=60)
            word, end = "", time.monotonic() + 60
            while word not in ("failed", "completed") and started.is_success and time.monotonic() < end:
                listed = here.get("/api/operations?kind=backtesting").json()
                word = listed["operations"][0]["verdict"]["state"] if listed["operations"] else ""
                time.sleep(0.2)
            process.terminate()
            process.wait(20)
        return Result(
            started.is_success and word == "failed" and not ran.exists(),
            f"the start: {started.status_code}; its end: {word or started.text[:80]}; run: {ran.exists()}; as {os.getuid()}",
        )
