"""Forwarded headers count from trusted proxies only, and then everywhere: hosts, origins, cookies, guesses."""

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest

from panel.errors import UnsafeSettings
from panel.settings import Settings
from panel.web.auth.sessions import FREE
from panel.web.middleware.proxy import ProxyMiddleware
from tests.support.inside import inside
from tests.support.passwords import HASH, WORD
from tests.support.scripted import Backend, served

NETWORKS = tuple(map(ip_network, ("10.0.0.0/8", "fd00::/8", "192.0.2.7")))
Lines = list[tuple[str, str]]


def behind(lines: Lines, client: str | None = "10.0.0.9") -> dict[str, Any]:
    """The scope that the app gets."""
    reached: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.update(scope)

    headers = [(b"host", b"panel:8321"), *((name.encode(), value.encode("latin-1")) for name, value in lines)]
    scope = {"type": "http", "scheme": "http", "headers": headers, "client": client and (client, 1234)}
    asyncio.run(ProxyMiddleware(app, NETWORKS, "", ())(scope, None, None))  # type: ignore[arg-type]
    return reached


def host(scope: dict[str, Any]) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]


ALL = [("x-forwarded-for", "203.0.113.5"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "Panel.lan")]


@pytest.mark.parametrize("client", ["10.0.0.9", "fd12::1", "::ffff:10.0.0.9", "192.0.2.7"])
def test_a_trusted_proxy_is_believed(client):
    scope = behind(ALL, client)
    assert (scope["client"], scope["scheme"], host(scope)) == (("203.0.113.5", 0), "https", ["panel.lan"])


@pytest.mark.parametrize("client", ["203.0.113.9", "127.0.0.1", "::1", "192.0.2.8", "fe80::1%eth0", "", "x", None])
def test_no_other_address_is(client):
    scope = behind([*ALL, ("forwarded", "for=10.0.0.1;proto=https;host=panel.lan")], client)
    assert (scope["client"], scope["scheme"]) == (client and (client, 1234), "http") and host(scope) == ["panel:8321"]


@pytest.mark.parametrize(
    ("chain", "address"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("198.51.100.1, 203.0.113.5", "203.0.113.5"),  # the first one was sent along, to seem another
        ("198.51.100.1, 203.0.113.5, 10.1.2.3, fd00::1", "203.0.113.5"),
        ("10.1.2.3", "10.1.2.3"),
        ("203.0.113.5:4711", "203.0.113.5"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("203.0.113.5, unknown", "10.0.0.9"),
        ("203.0.113.5, unknown, 10.1.2.3", "10.1.2.3"),
        ("", "10.0.0.9"),
        ("<script>", "10.0.0.9"),
        (", ".join(["203.0.113.5", *["10.0.0.1"] * 5000]), "10.0.0.1"),
    ],
)
def test_the_nearest_address_that_is_no_proxys_counts(chain, address):
    assert behind([("x-forwarded-for", chain)])["client"][0] == address
    lines = [("x-forwarded-for", part) for part in chain.split(", ")]
    assert behind(lines)["client"][0] == address, "in a line for each"


def test_only_what_the_nearest_proxy_wrote_counts():
    scope = behind([("x-forwarded-proto", "https, http"), ("x-forwarded-host", "evil.test,panel.lan")])
    assert scope["scheme"] == "http" and host(scope) == ["panel.lan"]
    for proto in ("ftp", "", "HTTPS ", "https,"):
        assert behind([("x-forwarded-proto", proto)])["scheme"] == ("https" if proto == "HTTPS " else "http")
    assert host(behind([("x-forwarded-host", "")])) == ["panel:8321"]
    assert behind([("forwarded", "for=203.0.113.5;proto=https")])["scheme"] == "http", "of another kind of proxy"


def test_hosts_origins_cookies_and_guesses_are_the_browsers(tmp_path):
    settings = {"password": HASH, "trusted_proxies": ("127.0.0.1",), "allowed_hosts": ("panel.lan",)}

    def sent(client: str, origin: str, name: str = "panel.lan") -> Lines:
        proto = origin.partition(":")[0]
        forwarded = [("x-forwarded-for", client), ("x-forwarded-proto", proto), ("x-forwarded-host", name)]
        form = [("content-type", "application/x-www-form-urlencoded"), ("content-length", str(len(body)))]
        return [("host", "127.0.0.1:8321"), ("origin", origin), *forwarded, *form]

    body = f"password={WORD}".replace(" ", "+").encode()
    with served(Backend().app) as address, inside(tmp_path, address + "/api/v1", **settings) as here:
        entered = here.ask("POST", "/login", sent("203.0.113.1", "https://panel.lan"), body)
        assert entered.status == 303 and "Secure" in entered.header("set-cookie")
        plain = here.ask("POST", "/login", sent("203.0.113.1", "http://panel.lan"), body)
        assert plain.status == 303 and "Secure" not in plain.header("set-cookie")
        assert here.ask("POST", "/login", sent("203.0.113.1", "https://evil.test"), body).status == 403
        assert here.ask("POST", "/login", sent("203.0.113.1", "https://evil.test", "evil.test"), body).status == 421
        direct = here.ask("POST", "/login", sent("203.0.113.1", "https://panel.lan"), body, "203.0.113.9")
        assert direct.status == 403, "another address is no proxy"
        body = b"password=wrong+word"
        statuses = [
            here.ask("POST", "/login", sent(client, "https://panel.lan"), body).status
            for client in (*["203.0.113.1"] * (FREE + 1), "203.0.113.2")
        ]
        assert statuses == [403] * FREE + [429, 403], "who guesses makes only himself wait"


def test_a_proxy_means_that_others_reach_it():
    with pytest.raises(UnsafeSettings, match=r"trusted proxies 10\.0\.0\.1"):
        Settings.from_environ({"KTRDR_PANEL_TRUSTED_PROXIES": "10.0.0.1", "KTRDR_PANEL_IN_CONTAINER": "1"})


@pytest.mark.parametrize(
    ("variable", "given"),
    [
        *(("TRUSTED_PROXIES", each) for each in ("*", "proxy", "10.0.0.0/33", "10.0.0.1:80", "10.0.0.1;10.0.0.2")),
        *(
            ("ROOT_PATH", each)
            for each in ("panel", "//a", "/a//b", "/a/../b", "/.", "/a b", "/a?b", "/ä", "/%61", '/"')
        ),
        ("TLS_KEY", "/key.pem"),
    ],
)
def test_what_makes_no_sense_is_refused(variable, given):
    with pytest.raises(UnsafeSettings):
        Settings.from_environ({f"KTRDR_PANEL_{variable}": given, "KTRDR_PANEL_PASSWORD": "long enough"})


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, "http://127.0.0.1:8321"),
        ({"ROOT_PATH": "/panel/"}, "http://127.0.0.1:8321/panel"),
        ({"ALLOWED_HOSTS": "panel.lan,other.lan"}, "http://panel.lan:8321"),
        ({"ALLOWED_HOSTS": "panel.lan:9000"}, "http://panel.lan:9000"),
        ({"ALLOWED_HOSTS": "panel.lan", "TLS_CERT": "x.pem"}, "https://panel.lan:8321"),
        ({"ALLOWED_HOSTS": "panel.lan", "TRUSTED_PROXIES": "10.0.0.1", "ROOT_PATH": "/p"}, "https://panel.lan/p"),
        ({"ALLOWED_HOSTS": "[fd00::1]:8443", "TRUSTED_PROXIES": "::1, 10.0.0.0/8"}, "https://[fd00::1]:8443"),
    ],
)
def test_where_links_in_notifications_lead(given, address):
    variables = {f"KTRDR_PANEL_{name}": text for name, text in given.items()}
    assert Settings.from_environ(variables | {"KTRDR_PANEL_PASSWORD": "long enough"}).public_address == address
