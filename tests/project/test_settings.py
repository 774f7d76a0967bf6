"""Settings come from the environment; what is unsafe is refused with the way to mend it."""

from dataclasses import fields

import pytest

from panel.errors import UnsafeSettings
from panel.settings import BASE_URL, Settings, without_userinfo
from tests.support.passwords import HASH

SENSELESS_NAMES = (
    *(
        "*",
        "*.example.com",
        "http://panel.lan",
        "panel.lan/x",
        "a b",
        "user@panel.lan",
        "panel.lan:",
        "panel.lan:x",
        "[::1]x",
    ),
    *("pänel.lan", "panel..lan", ".lan", "lan.", ":80", "panel.lan:80:80"),
)


def test_defaults_listen_on_this_machine_only_and_use_the_embedded_backend():
    settings = Settings.from_environ({})
    assert (settings.host, settings.port, settings.backend, settings.exposed) == ("127.0.0.1", 8321, "", False)


def test_variables_and_overrides():
    environ = {"KTRDR_API_CLIENT_BASE_URL": "http://backend:8000/api/v1", "KTRDR_PANEL_PORT": "9000"}
    settings = Settings.from_environ(environ, port=9001, host=None)
    assert (settings.backend, settings.port, settings.host) == ("http://backend:8000/api/v1", 9001, "127.0.0.1")


def test_every_variable_is_read(tmp_path):
    given = {
        "KTRDR_PANEL_DATA_DIR": (str(tmp_path), tmp_path),
        "KTRDR_STRATEGIES_DIR": (str(tmp_path), tmp_path),
        "KTRDR_DATA_DIR": (str(tmp_path), tmp_path),
        "KTRDR_PANEL_KEEP_DAYS": ("30", 30),
        "KTRDR_PANEL_LOG_LEVEL": ("warning", "warning"),
        "KTRDR_PANEL_LOG_FORMAT": ("json", "json"),
        "KTRDR_PANEL_IN_CONTAINER": ("1", True),
        "KTRDR_PANEL_PASSWORD": (HASH, HASH),
    }
    settings = Settings.from_environ({variable: text for variable, (text, _) in given.items()})
    by_variable = {field.metadata["variable"]: getattr(settings, field.name) for field in fields(Settings)}
    assert {variable: by_variable[variable] for variable in given} == {
        name: value for name, (_, value) in given.items()
    }
    assert Settings.from_environ({}).keep_days == 730


def test_a_server_without_its_path_gets_it():
    assert Settings.from_environ({}, backend="http://localhost:8000").backend == "http://localhost:8000/api/v1"


@pytest.mark.parametrize(
    "environ",
    [
        {"KTRDR_API_CLIENT_BASE_URL": "ftp://x"},
        {"KTRDR_PANEL_PORT": "http"},
        {"KTRDR_PANEL_PORT": "0"},
        {"KTRDR_PANEL_LOG_LEVEL": "loud"},
        {"KTRDR_PANEL_LOG_FORMAT": "xml"},
        {"KTRDR_PANEL_ALLOWED_HOSTS": "*.example.com"},
        {"KTRDR_PANEL_IN_CONTAINER": "yes"},
        {"KTRDR_PANEL_HOST": "0.0.0.0"},
        {"KTRDR_PANEL_HOST": "192.168.1.5"},
        {"KTRDR_PANEL_ALLOWED_HOSTS": "panel.example.com"},
        {"KTRDR_PANEL_ALLOWED_HOSTS": "panel.example.com", "KTRDR_PANEL_IN_CONTAINER": "1"},
        {"KTRDR_PANEL_ALLOWED_HOSTS": "localhost,panel.example.com:443"},
        *(
            {"KTRDR_PANEL_HOST": host}
            for host in ("::", "0", "127.1", "localhost.evil.com", "127.0.0.1.evil.com", "[::]")
        ),
        *({"KTRDR_PANEL_ALLOWED_HOSTS": host, "KTRDR_PANEL_PASSWORD": "long enough"} for host in SENSELESS_NAMES),
        *(
            {BASE_URL: url}
            for url in ("http://", "http://[::1", "http://a:b/", "http://a:99999", "http://a:0", "http:///x")
        ),
        {"KTRDR_PANEL_PASSWORD": "short"},
        {"KTRDR_PANEL_PASSWORD": "scrypt:15:8:3:no:hash"},
        {"KTRDR_PANEL_PASSWORD_FILE": "/nowhere/at/all"},
        {"KTRDR_PANEL_DANGEROUSLY_NO_AUTH": "true"},
    ],
)
def test_what_is_unsafe_or_senseless_is_refused(environ):
    with pytest.raises(UnsafeSettings):
        Settings.from_environ(environ)


def test_the_override_is_loud():
    settings = Settings.from_environ({"KTRDR_PANEL_HOST": "0.0.0.0", "KTRDR_PANEL_DANGEROUSLY_NO_AUTH": "1"})
    assert settings.exposed


def test_a_container_may_listen_everywhere_and_answers_to_local_names_only():
    settings = Settings.from_environ({"KTRDR_PANEL_HOST": "0.0.0.0", "KTRDR_PANEL_IN_CONTAINER": "1"})
    assert not settings.exposed
    assert "localhost:8321" in settings.hosts
    assert not any(host.startswith("0.0.0.0") for host in settings.hosts)


def test_an_empty_host_is_every_address():
    with pytest.raises(UnsafeSettings):
        Settings.from_environ({}, host="")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_this_machine_needs_no_password(host):
    settings = Settings.from_environ({}, host=host)
    assert not settings.exposed and not settings.unprotected


@pytest.mark.parametrize(
    "environ",
    [
        {"KTRDR_PANEL_HOST": "0.0.0.0"},
        {"KTRDR_PANEL_HOST": "192.168.1.5", "KTRDR_PANEL_ALLOWED_HOSTS": "Panel.Example.com:443, localhost:9000"},
    ],
)
def test_with_a_password_others_may_reach_it(environ):
    settings = Settings.from_environ(environ | {"KTRDR_PANEL_PASSWORD": "long enough"})
    assert settings.exposed and not settings.unprotected
    assert Settings.from_environ(environ | {"KTRDR_PANEL_DANGEROUSLY_NO_AUTH": "1"}).unprotected


def test_the_hosts_that_are_answered():
    given = "Panel.Example.com, panel.lan:443, [fd00::1]:9000, fd00::2, localhost:9000"
    settings = Settings.from_environ({"KTRDR_PANEL_ALLOWED_HOSTS": given, "KTRDR_PANEL_PASSWORD": "long enough"})
    both = ("localhost", "127.0.0.1", "[::1]", "panel.example.com", "[fd00::2]")
    assert settings.hosts == {
        *both, *(f"{name}:8321" for name in both), "panel.lan:443", "[fd00::1]:9000", "localhost:9000"
    }  # fmt: skip
    assert (
        "192.168.1.5:8321"
        in Settings.from_environ({"KTRDR_PANEL_HOST": "192.168.1.5", "KTRDR_PANEL_PASSWORD": "long enough"}).hosts
    )


def test_another_port_of_this_machine_is_no_other_machine():
    """What a container's published port is, seen from outside."""
    for name in ("localhost:9000", "127.0.0.1:9000", "[::1]:9000"):
        settings = Settings.from_environ({"KTRDR_PANEL_ALLOWED_HOSTS": name})
        assert not settings.exposed and name in settings.hosts


def test_the_password_may_be_in_a_file(tmp_path):
    file = tmp_path / "secret"
    file.write_text("long enough\n")
    environ = {"KTRDR_PANEL_PASSWORD_FILE": str(file)}
    assert Settings.from_environ(environ).password == "long enough"
    with pytest.raises(UnsafeSettings, match="not both"):
        Settings.from_environ(environ | {"KTRDR_PANEL_PASSWORD": "long enough"})
    for senseless in (b"\n", b"", b"\xff" * 9, b"short"):
        file.write_bytes(senseless)
        with pytest.raises(UnsafeSettings):
            Settings.from_environ(environ)


def test_no_secret_is_shown():
    secrets = {"KTRDR_PANEL_PASSWORD": "long enough", "KTRDR_API_CLIENT_BASE_URL": "http://me:canary@backend:8000"}
    assert "long enough" not in repr(Settings.from_environ(secrets)) and "canary" not in repr(
        Settings.from_environ(secrets)
    )
    for url in (
        "ftp://me:canary@x/",
        "me:canary@backend:8000",
        "//me:canary@x",
        "ftp://[me:canary@x",
        "http://me:canary@[x",
    ):
        with pytest.raises(UnsafeSettings) as raised:
            Settings.from_environ({"KTRDR_API_CLIENT_BASE_URL": url})
        assert "canary" not in str(raised.value)
    with pytest.raises(UnsafeSettings) as raised:
        Settings.from_environ({"KTRDR_PANEL_PASSWORD": "canary"})
    assert "canary" not in str(raised.value)


def test_an_address_is_shown_without_its_name_and_password():
    for shown in ("http://backend:8000/api/v1", "https://[::1]:1/x", "backend"):
        assert without_userinfo(shown) == shown
    assert without_userinfo("https://me:x@[::1]:1/x") == "https://[::1]:1/x"
