"""A panel with only its own libraries: those of the embedded backend cannot be imported."""

import sys

import pytest

import panel.files


def take_away(patch: pytest.MonkeyPatch) -> None:
    for name in ("numpy", "pandas", "polars", "exchange_calendars"):
        patch.setitem(sys.modules, name, None)
    patch.delitem(sys.modules, "panel.files.calendars", raising=False)
    patch.delattr(panel.files, "calendars", raising=False)
