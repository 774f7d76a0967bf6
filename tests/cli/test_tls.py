"""By https: pages, streams past ASGI, readers that take nothing, half-open connections, and files that are of no use."""

import asyncio
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from panel.app import create_app
from panel.backend.blocking import SyncCLIClient
from panel.backend.http import HTTPClient
from panel.cli.doctor import Grade, examine
from panel.cli.main import main
from panel.cli.renewal import Certificate
from panel.cli.tls import LOOP, context_of
from panel.errors import BackendConnectionError, UnsafeSettings
from panel.live.hub import frame
from panel.live.protocol import Connection
from panel.settings import Settings
from tests.support.command_line import environment
from tests.support.pages import until
from tests.support.panels import COMMAND, Inside, Panel, RawReader, free_port
from tests.support.passwords import HASH, WORD
from tests.support.scripted import served


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine with its key, and what is none."""
    folder = tmp_path_factory.mktemp("tls")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", folder / "key.pem")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2")
    openssl("req", "-x509", *key, *names, "-out", folder / "cert.pem")
    openssl("genpkey", "-algorithm", "ed25519", "-out", folder / "other.pem")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / "same.pem")
    openssl("pkey", "-in", folder / "key.pem", "-aes128", "-passout", "pass:secret", "-out", folder / "locked.pem")
    key = (*key[:-1], folder / "renewed-key.pem")
    openssl("req", "-x509", *key, *names, "-out", folder / "renewed.pem")
    (folder / "both.pem").write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    (folder / "empty.pem").touch()
    (folder / "torn.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    return folder


@pytest.fixture(scope="module")
def trusts(files: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=files / "cert.pem")


@pytest.fixture
def here(files: Path, tmp_path: Path) -> Iterator[Panel]:
    pair = {"tls_cert": files / "cert.pem", "tls_key": files / "key.pem"}
    port, away = free_port(), "http://127.0.0.1:1/api/v1"
    settings = Settings.from_environ({}, backend=away, port=port, data_folder=tmp_path, password=HASH, **pair)
    inside, context = Inside(create_app(settings)), context_of(settings)
    with served(inside, port, http=Connection, loop=LOOP, ssl_context_factory=lambda *_: context):
        yield Panel(settings.address, settings, inside)


def logged_in(here: Panel, trusts: ssl.SSLContext) -> str:
    """The header of somebody who is."""
    with httpx.Client(base_url=here.address, verify=trusts, timeout=120) as browser:
        entered = browser.post("/login", data={"password": WORD}, headers={"origin": here.address})
        assert entered.status_code == 303 and "Secure" in entered.headers["set-cookie"]
        assert browser.get("/operations").status_code == 200, "the cookie comes back"
        return f"Cookie: {entered.headers['set-cookie'].partition(';')[0]}\r\n"


def test_streams_go_past_asgi_and_through_tls(here, trusts):
    assert here.address == f"https://127.0.0.1:{here.settings.port}"
    head, publish = logged_in(here, trusts), here.inside.fanout.publish
    with RawReader(here, "home", head=head, tls=trusts) as reader:
        reader.until(b"event: beat")
        for n in range(5):
            here.inside.call(publish, "home", "card-x", frame(f"reading {n};"))
            reader.until(b"reading %d;" % n)
        here.inside.call(publish, "home", "card-x", frame("x" * 2_000_000 + "end;"))
        reader.until(b"end;")
        assert here.inside.sent["/stream/home"] <= 3


def test_a_reader_that_takes_nothing_is_dropped_and_others_are_not_disturbed(here, trusts):
    head, fanout = logged_in(here, trusts), here.inside.fanout
    fanout.reader_timeout = 600.0  # a slow machine is not a reader that takes nothing for too long
    with RawReader(here, "home", head=head, tls=trusts) as good:
        good.until(b"event: beat")
        fanout.reader_timeout = 0.5  # for those who come from now on
        with RawReader(here, "home", head=head, tls=trusts, room=4096):
            until(lambda: fanout.streams == 2)
            here.inside.call(fanout.publish, "home", "card-x", frame("x" * 8_000_000))
            until(lambda: fanout.streams == 1 and fanout.dropped == 1)
        here.inside.call(fanout.publish, "home", "card-x", frame("still here"))
        good.until(b"still here")


def test_doctor_finds_it(here, files, monkeypatch):
    monkeypatch.setattr("panel.cli.doctor.OWN_ANSWER", 60.0)  # seconds on a busy machine
    found = {each.what: each for each in asyncio.run(examine(here.settings))}
    assert found["tls"].grade is Grade.OK and "A panel, version" in found["port"].message
    wrong = replace(here.settings, tls_key=files / "other.pem", trusted_proxies=("10.0.0.1",))
    found = {each.what: each for each in asyncio.run(examine(wrong))}
    assert found["tls"].grade is Grade.FAIL and "10.0.0.1" in found["proxies"].message


@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
def test_a_client_refuses_an_untrusted_certificate(here, scheme):
    address = f"{scheme}://127.0.0.1:{here.settings.port}"

    async def healthy(**more: bool) -> bool:
        async with HTTPClient(address, timeout=120, max_retries=0, **more) as client:
            return bool(await client.get("/healthz"))

    with pytest.raises(BackendConnectionError):
        asyncio.run(healthy())
    with pytest.raises(BackendConnectionError), SyncCLIClient(address, timeout=120, max_retries=0) as client:
        client.get("/healthz")
    assert asyncio.run(healthy(verify=False)), "it is the certificate that is refused"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """For panels that start after it: a handshake has less time than a busy machine may need."""
    monkeypatch.setattr(Connection, "head_seconds", 0.4)


def test_half_a_handshake_is_cut_off(hasty, here):
    """Who says nothing, who speaks plain http, and who stops after the first bytes of a handshake."""
    for sent in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00"):
        with socket.create_connection(("127.0.0.1", here.settings.port), timeout=60) as end:
            end.sendall(sent)
            with suppress(ConnectionResetError):
                while end.recv(4096):
                    pass


def copied(to: Path, cert: Path, key: Path) -> None:
    for name, source in (("cert.pem", cert), ("key.pem", key)):
        (to / name).write_bytes(source.read_bytes())


def test_a_renewed_certificate_is_taken_over_once_its_key_is_there_too(files, tmp_path, caplog):
    copied(tmp_path, files / "cert.pem", files / "key.pem")
    pair = {"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"}
    settings = Settings.from_environ({}, data_folder=tmp_path, **pair)
    context = context_of(settings)
    certificate = Certificate(context, settings)
    assert not certificate.look()
    copied(tmp_path, files / "renewed.pem", files / "key.pem")
    assert not certificate.look() and not certificate.look() and len(caplog.records) == 1
    assert "does not belong to" in caplog.text

    async def serial() -> bytes:
        """As openssl is shown it in a new connection."""
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
        async with server:
            return await asyncio.to_thread(shown_by_openssl, server.sockets[0].getsockname()[1])

    before = asyncio.run(serial())
    copied(tmp_path, files / "renewed.pem", files / "renewed-key.pem")
    assert certificate.look() and not certificate.look()
    assert asyncio.run(serial()) != before
    certificate.ask()
    assert certificate.look(), "asked for, although nothing is another"


def shown_by_openssl(port: int) -> bytes:
    """The certificate of whoever listens there, in PEM."""
    command = ("openssl", "s_client", "-connect", f"127.0.0.1:{port}")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=300)
    return done.stdout[done.stdout.index(b"-----BEGIN") : done.stdout.index(b"-----END")]


def test_serve_answers_by_https_takes_a_renewed_certificate_over_and_stops(files, trusts, tmp_path):
    address = f"https://127.0.0.1:{(port := free_port())}"
    here = Panel(address, Settings.from_environ({}, port=port))
    both = tmp_path / "both.pem"
    both.write_bytes((files / "both.pem").read_bytes())
    given = ("--port", str(port), "--tls-cert", str(both))
    variables = environment(tmp_path, "http://127.0.0.1:1/api/v1")

    def answers() -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{address}/healthz", verify=trusts, timeout=120).status_code == 200
        return False

    pipes = {"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen([*COMMAND, "serve", *given], env=variables, **pipes) as process:
        try:
            until(answers)
            with RawReader(here, "line", tls=trusts) as reader:
                reader.until(b"event: beat")
                before = shown_by_openssl(port)
                both.write_bytes((files / "renewed-key.pem").read_bytes() + (files / "renewed.pem").read_bytes())
                process.send_signal(signal.SIGHUP)
                until(lambda: shown_by_openssl(port) != before)
                process.terminate()
                _, errors = process.communicate(timeout=120)
        finally:
            process.kill()
    assert address in errors.decode() and "Traceback" not in errors.decode()


@pytest.mark.parametrize(
    ("cert", "key", "reason"),
    [
        ("none.pem", "key.pem", "certificate .*none.pem cannot be read: no such file"),
        ("cert.pem", "none.pem", "key .*none.pem cannot be read: no such file"),
        (".", "key.pem", "certificate .* cannot be read: is a directory"),
        ("key.pem", "key.pem", "holds no certificate in PEM form"),
        ("cert.pem", "cert.pem", "holds no key in PEM form"),
        ("cert.pem", None, "holds no key in PEM form"),
        ("empty.pem", "key.pem", "holds no certificate"),
        ("torn.pem", "key.pem", "certificate .*torn.pem and key .* cannot be used: "),
        ("cert.pem", "other.pem", "key .*other.pem does not belong to the certificate .*cert.pem"),
        ("cert.pem", "same.pem", "key .*same.pem does not belong to the certificate .*cert.pem"),
        ("cert.pem", "locked.pem", "locked.pem has a passphrase. Take it off: openssl pkey"),
    ],
)
def test_files_of_no_use_are_named(files, cert, key, reason):
    settings = Settings(tls_cert=files / cert, tls_key=key and files / key)
    with pytest.raises(UnsafeSettings, match=reason):
        context_of(settings)


def test_serve_says_it_in_a_sentence_before_anything_starts(files, tmp_path):
    pair = ["--tls-cert", str(files / "cert.pem"), "--tls-key", str(files / "other.pem")]
    for given, sent in ((pair, "Error: The TLS key"), (["--root-path", "/data"], "Error: The root path")):
        variables = {"KTRDR_PANEL_DATA_DIR": str(tmp_path)}
        done = CliRunner().invoke(main, ["serve", "--port", str(free_port()), *given], env=variables)
        assert done.exit_code == 1 and done.output.startswith(sent)
    assert not (tmp_path / "panel").exists()
