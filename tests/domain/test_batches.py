"""What a batch consists of, and what chance alone does among many tries."""

import math
import random
import re
from datetime import date

import pytest

from panel.domain.batches import (
    Batch,
    BatchRun,
    Role,
    by_test_data,
    combinations,
    joined_return,
    lead_by_chance,
    originals,
    sampled,
    short_names,
    size,
    variant_name,
    variant_names,
    windows,
)

GRID = {"period": ("7", "14", "21"), "empty": (), "symbol": ("EURUSD", "GBPUSD")}


def test_a_grid_is_every_combination_in_order():
    found = combinations(GRID)
    assert len(found) == size(GRID) == 6
    assert found[0] == {"period": "7", "symbol": "EURUSD"} and found[1] == {"period": "7", "symbol": "GBPUSD"}


@pytest.mark.parametrize("wanted", [1, 3, 6, 50])
def test_a_sample_is_a_part_of_the_grid_without_repeats(wanted):
    found = sampled(GRID, wanted, seed=5)
    assert len(found) == min(wanted, 6) and found == sampled(GRID, wanted, seed=5)
    whole = combinations(GRID)
    assert sorted(map(whole.index, found)) == [whole.index(each) for each in found], "in the grid's order, none twice"


def test_a_sample_of_a_huge_grid_is_made_without_the_grid():
    huge = {str(n): tuple(map(str, range(50))) for n in range(9)}
    assert size(huge) == 50**9 and len({tuple(each.values()) for each in sampled(huge, 20, seed=1)}) == 20


def test_tests_of_a_walk_forward_lie_side_by_side_after_their_trainings():
    found = windows(date(2025, 1, 1), date(2025, 12, 31), 120, 60)
    assert [each.train_from for each in found] == ["2025-01-01", "2025-03-02", "2025-05-01", "2025-06-30"]
    for each in found:
        days = [date.fromisoformat(day) for day in (each.train_from, each.train_to, each.test_from, each.test_to)]
        assert (days[1] - days[0]).days == 119 and (days[2] - days[1]).days == 1 and (days[3] - days[2]).days == 59
    for before, after in zip(found, found[1:], strict=False):
        assert (date.fromisoformat(after.test_from) - date.fromisoformat(before.test_to)).days == 1
    assert found[-1].test_to <= "2025-12-31"


def test_the_last_day_counts():
    assert len(windows(date(2025, 1, 1), date(2025, 1, 3), 2, 1)) == 1
    assert windows(date(2025, 1, 1), date(2025, 1, 2), 2, 1) == []


def test_names_of_variants_are_plain_and_distinguish_settings():
    changes = {"indicators.rsi.period": "21", "indicators.macd.period": "9"}
    assert variant_name("swing", changes) == "swing-rsi_period_21-macd_period_9"
    assert variant_name("swing", {"training.epochs": "5"}) == "swing-epochs_5"
    assert variant_name("swing", {}) == "swing"
    assert variant_name("swing", {"a b/c": "../x"}) == "swing-a_b_c__x" and variant_name("s" * 99, changes) == ""
    assert variant_name("swing.v2", {"training.rate": "0.001"}) == "swing_v2-rate_0p001"
    assert short_names(["a.period", "b.a.period"]) == {"a.period": "a.period", "b.a.period": "b.a.period"}


def test_no_two_variants_have_one_name():
    variants = [{"a.b": value} for value in ("0.5", "0p5", "0p5_2", "x+y", "x.y", "0.50")]
    names = variant_names("swing", variants)
    assert names[:2] == ["swing-b_0p5", "swing-b_0p5_2"] and len(set(names)) == len(variants)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name) for name in names)
    assert variant_names("s" * 97, variants[:2]) == ["", ""]
    assert variant_names("s" * 93, variants[:2]) == ["s" * 93 + "-b_0p5", ""]
    assert variant_names("swing", [{}, {}]) == ["swing", "swing"]


@pytest.mark.parametrize("tries", [2, 5, 30])
def test_the_lead_of_chance_is_what_a_simulation_finds(tries):
    draw, share, samples = random.Random(1), 0.4, 400
    spread = math.sqrt(share * (1 - share) / samples)
    best = [max(draw.gauss(0, spread) for _ in range(tries)) for _ in range(4000)]
    assert lead_by_chance(tries, share, samples) == pytest.approx(sum(best) / len(best), rel=0.08)


@pytest.mark.parametrize(("tries", "share", "samples"), [(1, 0.4, 100), (5, 0.0, 100), (5, 1.0, 100), (5, 0.4, 0)])
def test_where_chance_says_nothing_it_says_so(tries, share, samples):
    assert lead_by_chance(tries, share, samples) is None


def test_runs_are_by_test_data_on_the_same_market_and_days_with_the_same_labels():
    form = {"setting_1": "indicators.rsi.period", "setting_2": "training.labels.zigzag_threshold"}
    batch = Batch("k", "a batch", form, 0.0, "a test")

    def run(symbol: str, start: str, period: str, threshold: str) -> BatchRun:
        given = {"symbols": symbol, "start_date": start, "end_date": "2024-12-31"}
        settings = {"period": period, "zigzag_threshold": threshold}
        return BatchRun(f"{symbol}{start}{settings}", "k", 1, Role.TRAINING, "training", given, settings)

    runs = [run("A", "2024-01-01", "7", "0.1"), run("A", "2024-01-01", "14", "0.1"), run("B", "2024-01-01", "7", "0.1")]
    assert {of: len(there) for of, there in by_test_data(batch, runs).items()} == {"A": 2, "B": 1}
    assert list(by_test_data(batch, runs[:2])) == [""]
    runs = [run("A", "2024-01-01", "7", "0.1"), run("A", "2023-01-01", "7", "0.1"), run("A", "2023-01-01", "7", "0.2")]
    assert list(by_test_data(batch, runs)) == [
        "2024-01-01 to 2024-12-31 zigzag_threshold 0.1",
        "2023-01-01 to 2024-12-31 zigzag_threshold 0.1",
        "2023-01-01 to 2024-12-31 zigzag_threshold 0.2",
    ]


def test_returns_are_joined_one_after_the_other():
    assert joined_return([0.1, -0.1]) == pytest.approx(-0.01) and joined_return([]) == 0


def test_a_variant_is_known_by_its_name_beside_its_original():
    made = [variant_name("swing", {"rsi.period": value, "training.rate": "0.01"}) for value in ("7", "14")]
    again = variant_name(made[0], {"training.epochs": "5"})
    names = ["swing", "swing-fast", "other-period_7", *made, again]
    assert originals(names) == {made[0]: "swing", made[1]: "swing", again: "swing"}
    assert originals(made) == {} and originals([made[0], again]) == {again: made[0]}
    assert originals(["a.b", "a_b-rate_0p1", "a.b-rate_0.1"]) == dict.fromkeys(["a_b-rate_0p1", "a.b-rate_0.1"], "a.b")
