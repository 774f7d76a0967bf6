"""Sorting tables whose headings a phone does not show."""

import re
from urllib.parse import urlencode

import pytest

from tests.support.batches import seed_batch
from tests.support.pages import KEY
from tests.support.panels import panel


@pytest.mark.parametrize("path", ["/operations", "/models", f"/batches/{KEY}"])
def test_what_is_sorted_by_its_headings_can_be_sorted_where_these_have_no_room(tmp_path, backend, address, path):
    """A plain form, so it works without scripts; phones show it."""
    seed_batch(tmp_path, address, 0.5, 0.6)
    models = [{"model_path": f"models/s{n}/1h_v1", "symbol": "EURUSD", "timeframe": "1h"} for n in range(2)]
    backend.answers["GET /models"] = 200, {"success": True, "models": models}
    with panel(tmp_path, address) as here:
        page = here.get(path).text
        form = page.partition('<form class="sorting"')[2].partition("</form>")[0]
        ways = re.findall(r'<option value="([^"]*)"( selected)?>', form)
        head = page.partition("<thead>")[2].partition("</thead>")[0]
        assert f'action="{path}"' in form and len(ways) == head.count("<a ") > 1
        assert sum(bool(chosen) for _, chosen in ways) == 1
        other = next(value for value, chosen in ways if not chosen)
        sorted_ = here.get(f"{path}?{urlencode({'sort': other})}").text
        assert f'<option value="{other}" selected>' in sorted_
        assert "aria-sort" in sorted_.partition("<thead>")[2].partition("</thead>")[0]
