"""Dockerfile and compose files, read: what they promise about who gets in and what is in the image."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSES = ("compose.yaml", "compose.ktrdr.yaml")


def steps() -> list[tuple[str, str, str]]:
    """(stage, instruction, rest) of the Dockerfile; a stage inherits nothing here."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text("utf-8"))
    found, stage = [], ""
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            word, _, rest = line.strip().partition(" ")
            if word == "FROM":
                stage = rest.rpartition(" AS ")[2]
            found.append((stage, word, rest.strip()))
    return found


STEPS = steps()


def of(word: str, *stages: str) -> list[str]:
    return [rest for stage, each, rest in STEPS if each == word and (not stages or stage in stages)]


def test_two_targets_are_made_on_one_clean_base():
    parents = {rest.rpartition(" AS ")[2]: rest.split()[0] for rest in of("FROM")}
    assert parents["panel"] == parents["embedded"] == "runtime" and parents["runtime"] == "${BASE}"
    assert of("FROM")[-1].endswith(" AS embedded"), "a build without a target is the one that works by itself"
    assert re.fullmatch(r"BASE=python:3\.\d+-slim-\w+", of("ARG")[0])
    for target in ("panel", "embedded"):
        assert not of("RUN", target), "only finished folders come into an image"
        assert {rest.split()[0] for rest in of("COPY", target)} == {
            "--from=app",
            "--from=libraries",
        } or target != "panel"
        assert of("USER", target) == ["10001:10001"] and STEPS[-1][1] == "USER"


def test_everything_installed_comes_from_a_lock_file_by_its_hash():
    installs = [part for rest in of("RUN") for part in rest.split("&&") if " install " in part and "pip" in part]
    assert len(installs) == 4
    for install in installs:
        if "/build/dist/" in install:
            assert "--no-deps" in install and "--no-index" in install
        else:
            assert "--require-hashes" in install and "--only-binary :all:" in install
        assert "--no-cache-dir" in install
    assert not re.search(r"apt-get|apk |gcc|build-essential|curl|wget", " ".join(of("RUN")))


def test_libraries_are_layers_below_the_source():
    """A change of the source must not install everything anew."""
    for stage in ("libraries", "libraries-embedded"):
        assert all(rest.startswith("requirements/") for rest in of("COPY", stage))
    app = [(word, rest) for stage, word, rest in STEPS if stage == "app"]
    first_install = next(n for n, (word, rest) in enumerate(app) if word == "RUN")
    assert [rest for word, rest in app[:first_install] if word == "COPY"] == ["requirements/wheel.txt /build/"]


def test_signals_health_and_memory():
    assert json.loads(of("ENTRYPOINT")[0]) == ["ktrdr-panel"] and json.loads(of("CMD", "runtime")[0]) == ["serve"]
    health = of("HEALTHCHECK")[0]
    command = json.loads(health.partition("CMD ")[2])
    assert command[:2] == ["python", "-c"] and "/healthz" in command[2]
    compile(command[2], "healthcheck", "exec")
    assert of("VOLUME") == ["/var/lib/ktrdr-panel"]
    variables = " ".join(of("ENV"))
    for setting in (
        "KTRDR_PANEL_IN_CONTAINER=1",
        "KTRDR_PANEL_HOST=0.0.0.0",
        "KTRDR_PANEL_DATA_DIR=/var/lib/ktrdr-panel",
        "PYTHONDONTWRITEBYTECODE=1",
    ):
        assert setting in variables
    assert "NO_AUTH" not in variables and "PASSWORD" not in variables


def test_all_that_is_copied_is_there_and_nothing_else_reaches_the_build():
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert ignored[1] == "*"
    let_in = {line[1:].rstrip("/") for line in ignored if line.startswith("!")}
    copied = {part for rest in of("COPY") if "--from" not in rest for part in rest.split()[:-1]}
    assert {part.split("/")[0] for part in copied} == let_in
    assert all((ROOT / part).exists() for part in copied)


def service(name: str) -> dict[str, Any]:
    (found,) = yaml.safe_load((ROOT / name).read_text("utf-8"))["services"].values()
    return found


@pytest.mark.parametrize("name", COMPOSES)
def test_compose_publishes_on_this_machine_only(name):
    (port,) = service(name)["ports"]
    assert port.startswith("127.0.0.1:")
    inner, outer = re.findall(r"\$\{KTRDR_PANEL_PORT:-8321\}", port)
    assert inner == outer == service(name)["environment"]["KTRDR_PANEL_PORT"]
    assert "network_mode" not in service(name)


@pytest.mark.parametrize("name", COMPOSES)
def test_compose_gives_away_nothing_that_is_not_needed(name):
    panel = service(name)
    assert panel["cap_drop"] == ["ALL"] and "cap_add" not in panel and "privileged" not in panel
    assert panel["security_opt"] == ["no-new-privileges:true"]
    assert panel["read_only"] is True and panel["tmpfs"] == ["/tmp"]
    writable = [volume for volume in panel["volumes"] if not volume.endswith(":ro")]
    assert writable == ["memory:/var/lib/ktrdr-panel"]
    assert "docker.sock" not in str(panel)
    assert not re.search(r"password|secret|token|no_auth|allowed_hosts", (ROOT / name).read_text("utf-8"), re.I)


def test_compose_targets_exist():
    stages = {stage for stage, _, _ in STEPS}
    assert {service(name)["build"]["target"] for name in COMPOSES} == {"panel", "embedded"} <= stages
    assert "KTRDR_API_CLIENT_BASE_URL" not in service("compose.yaml")["environment"]


def test_beside_a_ktrdr_it_joins_its_network_and_reads_its_strategies():
    whole = yaml.safe_load((ROOT / "compose.ktrdr.yaml").read_text("utf-8"))
    panel = whole["services"]["panel"]
    assert panel["environment"]["KTRDR_API_CLIENT_BASE_URL"] == "http://backend:8000/api/v1"
    (network,) = whole["networks"].values()
    assert panel["networks"] == list(whole["networks"])
    assert network["external"] is True and re.fullmatch(r"\$\{KTRDR_NETWORK:-[a-z_-]+\}", network["name"])
    (strategies,) = [volume for volume in panel["volumes"] if volume.endswith(":ro")]
    assert strategies.startswith("${KTRDR_STRATEGIES_DIR:?")
    assert strategies.endswith(f":{panel['environment']['KTRDR_STRATEGIES_DIR']}:ro")


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text("utf-8")
    assert text.count("--hash=sha256:") >= len(re.findall(r"^\S+==", text, re.M)) > 0
    return dict(re.findall(r"^([a-z0-9-]+)==([^ \\;]+)", text, re.M))


def test_the_images_lock_files_agree_with_the_others():
    """One version of everything, in checkouts, tests and images."""
    run, panel, wheel = pins("run.txt"), pins("panel.txt"), pins("wheel.txt")
    assert panel.items() <= run.items() and wheel.items() <= run.items()
    project = (ROOT / "pyproject.toml").read_text("utf-8").partition("dependencies = [")[2].partition("]")[0]
    wanted = set(re.findall(r'"([a-z0-9-]+)>=', project))
    assert wanted <= panel.keys() and not {"numpy", "pandas", "polars", "ta-lib"} & panel.keys()
