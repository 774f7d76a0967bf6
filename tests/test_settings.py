"""Settings come from the environment; what is unsafe is refused with the way to mend it."""

import dataclasses
from pathlib import Path

import pytest

from panel.errors import UnsafeSettings
from panel.settings import Settings

ROOT = Path(__file__).parents[1]


def test_defaults_listen_on_this_machine_only_and_use_the_embedded_backend():
    settings = Settings.from_environ({})
    assert (settings.host, settings.port, settings.backend, settings.exposed) == ("127.0.0.1", 8321, "", False)


def test_variables_and_overrides():
    environ = {"KTRDR_API_CLIENT_BASE_URL": "http://backend:8000/api/v1", "KTRDR_PANEL_PORT": "9000"}
    settings = Settings.from_environ(environ, port=9001, host=None)
    assert (settings.backend, settings.port, settings.host) == ("http://backend:8000/api/v1", 9001, "127.0.0.1")


def test_a_server_without_its_path_gets_it():
    assert Settings.from_environ({}, backend="http://localhost:8000").backend == "http://localhost:8000/api/v1"


@pytest.mark.parametrize(
    "environ",
    [
        {"KTRDR_API_CLIENT_BASE_URL": "ftp://x"},
        {"KTRDR_PANEL_PORT": "http"},
        {"KTRDR_PANEL_PORT": "0"},
        {"KTRDR_PANEL_LOG_LEVEL": "loud"},
        {"KTRDR_PANEL_ALLOWED_HOSTS": "*.example.com"},
        {"KTRDR_PANEL_IN_CONTAINER": "yes"},
        {"KTRDR_PANEL_HOST": "0.0.0.0"},
        {"KTRDR_PANEL_HOST": "192.168.1.5"},
        {"KTRDR_PANEL_ALLOWED_HOSTS": "panel.example.com"},
        {"KTRDR_PANEL_ALLOWED_HOSTS": "panel.example.com", "KTRDR_PANEL_IN_CONTAINER": "1"},
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


def test_every_setting_is_documented():
    manual = (ROOT / "docs" / "settings.md").read_text("utf-8")
    for field in dataclasses.fields(Settings):
        assert f"`{field.metadata['variable']}`" in manual, field.name
        assert field.metadata["meaning"] in manual, field.name
