"""The indicators of KTRDR: names, parameters with their bounds and defaults, outputs. Facts, no computation.

What KTRDR refuses is refused here, and what it takes means the same: names, aliases, defaults, and the first output
for a bare name.
"""

from dataclasses import dataclass
from typing import Any

COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Parameter:
    """`kind`: int, float, bool or str. A `strict` float takes no text; ints and bools never do."""

    kind: type
    default: Any
    low: float = 0
    high: float = 0
    open_low: bool = False  # the lower bound itself is not allowed
    open_high: bool = False
    strict: bool = True
    choices: tuple[str, ...] = ()
    least_here: float = 0  # TA-Lib takes no less
    used: bool = True  # here; KTRDR has some that change nothing, or only the first bars


@dataclass(frozen=True, slots=True)
class Indicator:
    parameters: dict[str, Parameter]
    outputs: tuple[str, ...] = ()  # () when it has only one, which has no name; the first is meant by a bare name
    aliases: tuple[str, ...] = ()
    future: bool = False  # its past values change with later bars


def _whole(default: int, low: int, high: int, least_here: int = 0) -> Parameter:
    return Parameter(int, default, low, high, least_here=least_here)


def _factor(default: float, high: float = 10, *, strict: bool = False) -> Parameter:
    return Parameter(float, default, 0, high, open_low=True, strict=strict)


def _acceleration(default: float, low: float, high: float) -> Parameter:
    return Parameter(float, default, low, high, strict=False)


_SOURCE = Parameter(str, "close")
_UNUSED = Parameter(bool, False, used=False)
_BANDS = ("upper", "middle", "lower")

INDICATORS: dict[str, Indicator] = {
    "rsi": Indicator({"period": _whole(14, 2, 100), "source": _SOURCE}),
    "roc": Indicator({"period": _whole(10, 1, 100), "source": _SOURCE}),
    "momentum": Indicator({"period": _whole(10, 1, 100), "source": _SOURCE}),
    "cci": Indicator({"period": _whole(20, 2, 100)}),
    "williamsr": Indicator({"period": _whole(14, 1, 100, 2)}),
    "stochastic": Indicator(
        {"k_period": _whole(14, 1, 100), "d_period": _whole(3, 1, 20), "smooth_k": _whole(3, 1, 20)}, ("k", "d")
    ),
    "rvi": Indicator({"period": _whole(10, 4, 100), "signal_period": _whole(4, 1, 50)}, ("rvi", "signal")),
    "fishertransform": Indicator({"period": _whole(10, 2, 100), "smoothing": _whole(3, 1, 20)}, ("fisher", "signal")),
    "aroon": Indicator({"period": _whole(14, 1, 200, 2), "include_oscillator": _UNUSED}, ("up", "down", "oscillator")),
    "atr": Indicator({"period": _whole(14, 1, 100)}),
    "bollingerbands": Indicator(
        {"period": _whole(20, 2, 200), "multiplier": _factor(2.0), "source": _SOURCE}, _BANDS, ("bbands",)
    ),
    "bollingerbandwidth": Indicator({"period": _whole(20, 2, 200), "multiplier": _factor(2.0), "source": _SOURCE}),
    "keltnerchannels": Indicator(
        {"period": _whole(20, 2, 500), "atr_period": _whole(10, 2, 200), "multiplier": _factor(2.0)}, _BANDS
    ),
    "donchianchannels": Indicator(
        {"period": _whole(20, 2, 500), "include_middle": Parameter(bool, True, strict=False, used=False)}, _BANDS
    ),
    "supertrend": Indicator({"period": _whole(10, 2, 200), "multiplier": _factor(3.0)}, ("trend", "direction")),
    "simplemovingaverage": Indicator({"period": _whole(20, 2, 500), "source": _SOURCE}, aliases=("sma",)),
    "exponentialmovingaverage": Indicator(
        {"period": _whole(20, 1, 500), "source": _SOURCE, "adjust": Parameter(bool, True, used=False)},
        aliases=("ema",),
    ),
    "weightedmovingaverage": Indicator({"period": _whole(20, 2, 500), "source": _SOURCE}, aliases=("wma",)),
    "macd": Indicator(
        {
            "fast_period": _whole(12, 1, 100, 2),
            "slow_period": _whole(26, 1, 200, 2),
            "signal_period": _whole(9, 1, 50),
            "source": _SOURCE,
        },
        ("line", "signal", "histogram"),
    ),
    "adx": Indicator({"period": _whole(14, 2, 200)}, ("adx", "plus_di", "minus_di")),
    "parabolicsar": Indicator(
        {
            "initial_af": _acceleration(0.02, 0.001, 0.1),
            "step_af": _acceleration(0.02, 0.001, 0.1),
            "max_af": _acceleration(0.2, 0.01, 1.0),
        }
    ),
    "ichimoku": Indicator(
        {
            "tenkan_period": _whole(9, 1, 50),
            "kijun_period": _whole(26, 1, 100),
            "senkou_b_period": _whole(52, 1, 200),
            "displacement": Parameter(int, 26, 1, 100, used=False),
        },
        ("tenkan", "kijun", "senkou_a", "senkou_b", "chikou"),
    ),
    "obv": Indicator({}),
    "vwap": Indicator({"period": _whole(20, 0, 200), "use_typical_price": Parameter(bool, True)}),
    "mfi": Indicator({"period": _whole(14, 1, 100, 2)}),
    "cmf": Indicator(
        {"period": _whole(21, 2, 500)},
        ("cmf", "mf_multiplier", "mf_volume", "momentum", "signal", "histogram", "above_zero", "below_zero"),
    ),
    "adline": Indicator(
        {"use_sma_smoothing": _UNUSED, "smoothing_period": Parameter(int, 21, 2, 200, used=False)},
        ("line", "mf_multiplier", "mf_volume", "roc_10", "momentum_21", "relative_strength"),
    ),
    "volumeratio": Indicator({"period": _whole(20, 2, 100)}),
    "distancefromma": Indicator(
        {
            "period": _whole(20, 1, 200),
            "ma_type": Parameter(str, "SMA", choices=("SMA", "EMA")),
            "source": _SOURCE,
        }
    ),
    "squeezeintensity": Indicator(
        {
            "bb_period": _whole(20, 2, 100),
            "bb_multiplier": _factor(2.0, 5, strict=True),
            "kc_period": _whole(20, 2, 100),
            "kc_multiplier": _factor(2.0, 5, strict=True),
            "source": _SOURCE,
        }
    ),
    "zigzag": Indicator(
        {"threshold": Parameter(float, 0.05, 0, 1, open_low=True, open_high=True), "source": _SOURCE}, future=True
    ),
}

_LONG = ("simplemovingaverage", "exponentialmovingaverage", "weightedmovingaverage")

# Every name that a strategy may use, in lower case -> the indicator's own name.
NAMES: dict[str, str] = {name: name for name in INDICATORS}
NAMES |= {alias: name for name, known in INDICATORS.items() for alias in known.aliases}
NAMES |= {f"{name}indicator": name for name in INDICATORS if name not in _LONG}

# Membership function -> how many parameters it has.
MEMBERSHIPS = {"triangular": 3, "trapezoidal": 4, "gaussian": 2}
