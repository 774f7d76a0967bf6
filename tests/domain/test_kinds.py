"""What rules know of a kind comes from its adapter."""

import subprocess
import sys

import pytest

from panel.adapters import KINDS
from panel.domain.kinds import Traits, learning, traits_of
from panel.domain.workers import Worker


def test_traits_are_those_that_the_adapter_declares():
    assert all(traits_of(kind) is adapter.traits for kind, adapter in KINDS.items())
    assert traits_of("fuzzy_analysis") == Traits(), "a kind without an adapter has none"
    assert learning() == ["training"]


def test_without_the_adapters_nothing_is_judged():
    asked = "from panel.domain.kinds import traits_of; traits_of('training')"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "import panel.adapters first" in done.stderr


@pytest.mark.parametrize(
    ("worker_type", "kinds"),
    [
        ("training", ["training"]),
        ("gpu_host", ["training"]),
        ("backtesting", ["backtesting"]),
        ("agent_design", []),
        ("", []),
    ],
)
def test_a_worker_does_what_names_its_type(worker_type, kinds):
    worker = Worker("w", worker_type, "available")
    assert [kind for kind in KINDS if worker.does(kind)] == kinds
