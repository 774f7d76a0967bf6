"""Who may do what: a viewer on every route, words that were taken back, and connections beside TLS."""

import http.client
import socket
import sqlite3
import ssl
import subprocess
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from panel.accounts.file import Role
from panel.app import create_app
from panel.settings import Settings
from tests.attack.world import Result, World, world
from tests.support.accounts import ANNA, COOKIE, VIC, a_token, account_file, two_users
from tests.support.panels import COMMAND, OWN_PAGE, free_port
from tests.support.routes import routes
from tests.support.scripted import operation

_WISHES = ("starts", "queue", "batches", "schedules")  # tables of what was asked for


def _cookie(w: World, name: str, word: str) -> dict[str, str]:
    form = {"user": name, "password": word, "next": "/"}
    answer = httpx.post(w.here.address + "/login", data=form, headers=OWN_PAGE, timeout=30)
    assert answer.status_code == 303, answer.text
    cookie = COOKIE.replace("8321", str(w.here.settings.port))
    return {"cookie": f"{cookie}={answer.cookies[cookie]}"}


def _changes(w: World) -> int:
    """Requests that may have changed something at the backend."""
    asked = {hit: n for hit, n in w.backend.hits.items() if not hit.startswith("GET") and hit != "POST /data/range"}
    return sum(n for hit, n in asked.items() if "validate" not in hit)


def viewer() -> Result:
    """Every route that changes something, as a viewer: by its session and by a token, with and without a body."""
    tokens: list[tuple[str, str]] = []

    def prepare(folder: Path, _: str) -> None:
        two_users(folder)
        tokens.append(a_token(folder, "reader", Role.VIEWER))

    with world(prepare=prepare) as w:
        w.backend.operations["op_x"] = operation("op_x")
        form = {"strategy_name": "swing", "symbol": "EURUSD", "timeframe": "1h", "key": "k" * 22}
        app = create_app(Settings.from_environ({}, backend="http://127.0.0.1:9/api/v1", data_folder=w.folder / "other"))
        acts = [(method, path) for method, path in routes(app) if method not in ("GET", "HEAD") and "/log" not in path]
        users = account_file(w.folder).read().users
        before, allowed, broken, sent = _changes(w), [], [], 0
        for who in (_cookie(w, "vic", VIC), dict(tokens)):
            for method, path in acts:
                if path.startswith("/account/"):  # the viewer's own password and sessions
                    continue
                keys, body = {"idempotency-key": f"attack-{sent:020}"}, "json" if path.startswith("/api/") else "data"
                answer = httpx.request(
                    method, w.here.address + path, headers=OWN_PAGE | who | keys, timeout=30, **{body: form}
                )
                sent += 1
                if answer.status_code < 400:
                    allowed.append(path)
                if answer.status_code >= 500:
                    broken.append(path)
        changed = _changes(w) - before + (account_file(w.folder).read().users != users)
        with closing(sqlite3.connect(w.here.settings.memory_file)) as db:
            kept = sum(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in _WISHES)
        looks = {"/first", "/look-now", "/strategies-check", "/strategies-text", "/batches/look", "/data/look"}
        acted = [path for path in allowed if path not in looks and not path.endswith(("/look", "/command"))]
        return Result(
            not (acted or broken or changed or kept),
            f"{sent} requests over {len(acts)} routes: {len(acted)} acted, {changed} changes, {kept} starts kept, {len(broken)} broken",
        )


def taken_back() -> Result:
    """A token that is revoked, a session that is ended, a user that is removed: the next request, and open streams."""
    tokens: list[tuple[str, str]] = []

    def prepare(folder: Path, _: str) -> None:
        two_users(folder)
        tokens.append(a_token(folder, "robot", Role.OPERATOR))

    with world(prepare=prepare) as w:
        anna, vic, robot = _cookie(w, "anna", ANNA), _cookie(w, "vic", VIC), dict(tokens)
        took = []
        for who, change in (
            (robot, lambda accounts: accounts.remove_token("robot")),
            (vic, lambda accounts: accounts.remove_user("vic")),
            (anna, lambda accounts: accounts.change_user("anna", Role.VIEWER)),
        ):

            def status(who: dict[str, str] = who) -> int:
                return httpx.get(w.here.address + "/api/operations", headers=who, timeout=30).status_code

            assert status() == 200
            with httpx.stream("GET", w.here.address + "/stream/home", headers=who, timeout=30) as opened:
                frames = opened.iter_raw()
                next(frames)
                account_file(w.folder).change(change)
                began = time.monotonic()
                closed = w.until(lambda status=status: status() == 401, 10)
                for _ in frames:  # it ends by itself
                    if time.monotonic() - began > 20:
                        break
                took.append(time.monotonic() - began)
            if not closed:
                return Result(False, "an old word still opens the panel")
        return Result(max(took) < 10, f"3 taken back, refused and their streams ended after at most {max(took):.1f} s")


def _certificate(folder: Path) -> tuple[Path, Path]:
    cert, key = folder / "cert.pem", folder / "key.pem"
    curve = (
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    )
    names = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    subprocess.run(
        ["openssl", "req", "-x509", *curve, *names, "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


def beside_tls() -> Result:
    """Plain HTTP at a port of TLS, old versions of TLS, handshakes that are never finished, noise."""
    with TemporaryDirectory(prefix="attack-") as name:
        folder, port = Path(name), free_port()
        cert, key = _certificate(folder)
        trusted = ssl.create_default_context(cafile=cert)
        variables = {"KTRDR_PANEL_DATA_DIR": name, "KTRDR_API_CLIENT_BASE_URL": "http://127.0.0.1:9/api/v1"}
        command = [*COMMAND, "serve", "--port", str(port), "--tls-cert", str(cert), "--tls-key", str(key)]
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(command, env=variables, stdout=log, stderr=log) as process,
        ):
            try:
                reached = _reached(port, trusted)
                plain = _plain(port)
                with socket.create_connection(("127.0.0.1", port)) as end:
                    end.sendall(b"\x16\x03\x01" + b"\xff" * 5000)
                    noise = end.recv(100)
                old = _old(port)
                halves = [socket.create_connection(("127.0.0.1", port)) for _ in range(500)]
                meanwhile = _reached(port, trusted)
                for half in halves:
                    half.close()
            finally:
                process.terminate()
        lines = (folder / "log").read_text("utf-8", "replace").count("Traceback")
        return Result(
            reached and meanwhile and not plain and not old and b"HTTP" not in noise and not lines,
            f"plain HTTP answered: {plain}; TLS 1.1 answered: {old}; pages beside 500 open handshakes: {meanwhile}; "
            f"{lines} tracebacks",
        )


def _reached(port: int, trusted: ssl.SSLContext) -> bool:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            return httpx.get(f"https://127.0.0.1:{port}/healthz", verify=trusted, timeout=10).status_code == 200
        except httpx.TransportError:
            time.sleep(0.1)
    return False


def _plain(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _old(port: int) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.minimum_version = ssl.TLSVersion.TLSv1
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as end, context.wrap_socket(end):
            return True
    except OSError:
        return False
