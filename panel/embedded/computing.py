"""Indicators of bars. TA-Lib computes those that it has; the others follow their published definitions.

Every value is known when its bar closes: nothing here looks ahead.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import talib

from panel.embedded.indicators import INDICATORS, NAMES

Array = np.ndarray[Any, np.dtype[Any]]
_Parameters = dict[str, Any]


class Columns:
    """Open, high, low, close and volume of all bars as float arrays; volume is 0 where none is stored."""

    def __init__(self, bars: pd.DataFrame) -> None:
        self._bars = bars
        self.high, self.low, self.close = (self[name] for name in ("high", "low", "close"))

    def __getitem__(self, name: str) -> Array:
        if name == "volume" and name not in self._bars:
            return np.zeros(len(self._bars))
        return np.asarray(self._bars[name], np.float64)


def indicator(kind: str, parameters: _Parameters, output: str, bars: pd.DataFrame) -> Array:
    """One output of an indicator for every bar; NaN until there are enough of them. `parameters` that are left out
    have KTRDR's defaults; output "" is the first one."""
    name = NAMES[kind]
    known = INDICATORS[name]
    complete = {key: parameter.default for key, parameter in known.parameters.items()} | parameters
    with np.errstate(divide="ignore", invalid="ignore"):
        found = _COMPUTED[name](Columns(bars), complete)
    values = found[known.outputs.index(output) if output else 0]
    return np.where(np.isfinite(values), values, np.nan)


def _sma(values: Array, period: int) -> Array:
    return values if period == 1 else talib.SMA(values, period)


def _ema(values: Array, period: int) -> Array:
    return values if period == 1 else talib.EMA(values, period)


def _smoothed(values: Array, span: int) -> Array:
    """An exponential average that begins with the first value."""
    return np.asarray(pd.Series(values).ewm(span=span, adjust=False, ignore_na=True).mean())


def _earlier(values: Array, bars: int) -> Array:
    return np.concatenate([np.full(min(bars, len(values)), np.nan), values[:-bars]])


def _highest(values: Array, period: int) -> Array:
    return values if period == 1 else talib.MAX(values, period)


def _lowest(values: Array, period: int) -> Array:
    return values if period == 1 else talib.MIN(values, period)


def _middle(bars: Columns, period: int) -> Array:
    return (_highest(bars.high, period) + _lowest(bars.low, period)) / 2


def _average(function: Callable[[Array, int], Array]) -> Callable[[Columns, _Parameters], list[Array]]:
    return lambda bars, given: [function(bars[given["source"]], given["period"])]


def _macd(bars: Columns, given: _Parameters) -> list[Array]:
    fast, slow = given["fast_period"], given["slow_period"]
    lines = talib.MACD(bars[given["source"]], fast, slow, given["signal_period"])
    # TA-Lib exchanges them when the slow period is the shorter one, which turns the sign.
    return list(lines) if fast <= slow else [-line for line in lines]


def _bands(bars: Columns, given: _Parameters) -> list[Array]:
    width = float(given["multiplier"])
    return list(talib.BBANDS(bars[given["source"]], given["period"], width, width))


def _band_width(bars: Columns, given: _Parameters) -> list[Array]:
    """(upper - lower) / middle."""
    upper, middle, lower = _bands(bars, given)
    return [np.where(middle == 0, 0.0, (upper - lower) / middle)]


def _keltner(bars: Columns, given: _Parameters) -> list[Array]:
    """An exponential average of closes, and a multiple of the average true range above and below it."""
    middle = _ema(bars.close, given["period"])
    width = given["multiplier"] * talib.ATR(bars.high, bars.low, bars.close, given["atr_period"])
    return [middle + width, middle, middle - width]


def _donchian(bars: Columns, given: _Parameters) -> list[Array]:
    upper, lower = _highest(bars.high, given["period"]), _lowest(bars.low, given["period"])
    return [upper, (upper + lower) / 2, lower]


def _squeeze(bars: Columns, given: _Parameters) -> list[Array]:
    """How far Bollinger's bands lie inside Keltner's: the narrower of the two margins as a share of Keltner's width,
    0 where they do not."""
    source = {"period": given["bb_period"], "multiplier": given["bb_multiplier"], "source": given["source"]}
    keltner = {"period": given["kc_period"], "multiplier": given["kc_multiplier"]}
    keltner["atr_period"] = INDICATORS["keltnerchannels"].parameters["atr_period"].default
    inner, outer = _bands(bars, source), _keltner(bars, keltner)
    width = outer[0] - outer[2]
    share = np.minimum(outer[0] - inner[0], inner[2] - outer[2]) / width
    return [np.where(width == 0, 0.0, np.maximum(share, 0.0))]


def _supertrend(bars: Columns, given: _Parameters) -> list[Array]:
    """The band that the close has not crossed: the lower one (direction 1) or the upper one (-1). A band only moves
    towards the price, until a close beyond it."""
    width = given["multiplier"] * talib.ATR(bars.high, bars.low, bars.close, given["period"])
    middle, close = (bars.high + bars.low) / 2, bars.close
    trend, direction = np.full(len(close), np.nan), np.full(len(close), np.nan)
    upper = lower = np.nan
    way = 1.0
    for place in np.flatnonzero(np.isfinite(width)):
        above, below, before = middle[place] + width[place], middle[place] - width[place], close[place - 1]
        upper = above if not upper <= above or before > upper else upper
        lower = below if not lower >= below or before < lower else lower
        if way > 0 and close[place] <= lower:
            way = -1.0
        elif way < 0 and close[place] >= upper:
            way = 1.0
        trend[place], direction[place] = (lower if way > 0 else upper), way
    return [trend, direction]


def _stochastic(bars: Columns, given: _Parameters) -> list[Array]:
    periods = {"fastk_period": given["k_period"], "slowk_period": given["smooth_k"], "slowd_period": given["d_period"]}
    return list(talib.STOCH(bars.high, bars.low, bars.close, **periods))


def _vigor(bars: Columns, given: _Parameters) -> list[Array]:
    """Ehlers' relative vigor index: close - open against high - low, each weighted 1, 2, 2, 1 and averaged."""

    def weighted(values: Array) -> Array:
        return np.asarray((values + 2 * _earlier(values, 1) + 2 * _earlier(values, 2) + _earlier(values, 3)) / 6)

    body, reach = bars.close - bars["open"], bars.high - bars.low
    vigor = _sma(weighted(body), given["period"]) / _sma(weighted(reach), given["period"])
    return [vigor, _sma(vigor, given["signal_period"])]


def _fisher(bars: Columns, given: _Parameters) -> list[Array]:
    """Ehlers' Fisher transform of where the middle of the bar lies in the range of the period, smoothed; its signal
    is its value one bar before."""
    highest, lowest = _highest(bars.high, given["period"]), _lowest(bars.low, given["period"])
    width = highest - lowest
    place = np.where(width == 0, 0.0, 2 * ((bars.high + bars.low) / 2 - lowest) / width - 1)
    fisher = _smoothed(np.arctanh(np.clip(place, -0.999, 0.999)), given["smoothing"])
    return [fisher, _earlier(fisher, 1)]


def _aroon(bars: Columns, given: _Parameters) -> list[Array]:
    down, up = talib.AROON(bars.high, bars.low, given["period"])
    return [up, down, up - down]


def _adx(bars: Columns, given: _Parameters) -> list[Array]:
    lines = (talib.ADX, talib.PLUS_DI, talib.MINUS_DI)
    return [line(bars.high, bars.low, bars.close, given["period"]) for line in lines]


def _sar(bars: Columns, given: _Parameters) -> list[Array]:
    steps = (given["initial_af"], given["step_af"], given["max_af"])
    return [np.abs(talib.SAREXT(bars.high, bars.low, 0, 0, *steps, *steps))]  # negative in falling markets


def _ichimoku(bars: Columns, given: _Parameters) -> list[Array]:
    """Each line as it is known at the bar: none is moved ahead or back."""
    tenkan, kijun = _middle(bars, given["tenkan_period"]), _middle(bars, given["kijun_period"])
    return [tenkan, kijun, (tenkan + kijun) / 2, _middle(bars, given["senkou_b_period"]), bars.close]


def _vwap(bars: Columns, given: _Parameters) -> list[Array]:
    price = (bars.high + bars.low + bars.close) / 3 if given["use_typical_price"] else bars.close
    volume = pd.Series(bars["volume"])
    traded = volume * price
    if given["period"] == 0:
        return [(traded.cumsum() / volume.cumsum()).to_numpy()]
    sums = [values.rolling(given["period"], min_periods=1).sum() for values in (traded, volume)]
    return [(sums[0] / sums[1]).to_numpy()]


def _flow(bars: Columns) -> tuple[Array, Array]:
    """Chaikin's money flow multiplier, -1 (close at the low) to 1 (at the high), and that times the volume."""
    reach = bars.high - bars.low
    multiplier = np.where(reach == 0, 0.0, ((bars.close - bars.low) - (bars.high - bars.close)) / reach)
    return multiplier, multiplier * bars["volume"]


def _money_flow(bars: Columns, given: _Parameters) -> list[Array]:
    """Chaikin's money flow: flow against volume over the period; its change in five bars and its average of nine."""
    multiplier, flow = _flow(bars)
    volume = talib.SUM(bars["volume"], given["period"])
    cmf = np.where(volume == 0, 0.0, talib.SUM(flow, given["period"]) / volume)
    signal = _smoothed(cmf, 9)
    sides = [np.where(np.isfinite(cmf), side, np.nan) for side in (cmf > 0, cmf < 0)]
    return [cmf, multiplier, flow, cmf - _earlier(cmf, 5), signal, cmf - signal, *sides]


def _accumulation(bars: Columns, given: _Parameters) -> list[Array]:
    """Chaikin's accumulation/distribution line; its change in 10 bars in %, in 21 bars, and against its average of
    50 bars in %."""
    line = talib.AD(bars.high, bars.low, bars.close, bars["volume"])
    before = _earlier(line, 10)
    average = pd.Series(line).rolling(50, min_periods=20).mean().to_numpy()
    changes = [100 * (line / before - 1), line - _earlier(line, 21), 100 * (line / average - 1)]
    return [line, *_flow(bars), *changes]


def _volume_ratio(bars: Columns, given: _Parameters) -> list[Array]:
    average = _sma(bars["volume"], given["period"])
    return [np.where(average == 0, 1.0, bars["volume"] / average)]


def _distance(bars: Columns, given: _Parameters) -> list[Array]:
    price = bars[given["source"]]
    average = (_sma if given["ma_type"] == "SMA" else _ema)(price, given["period"])
    return [100 * (price - average) / average]


_COMPUTED: dict[str, Callable[[Columns, _Parameters], list[Array]]] = {
    "rsi": _average(talib.RSI),
    "roc": _average(talib.ROC),
    "momentum": _average(talib.MOM),
    "simplemovingaverage": _average(_sma),
    "exponentialmovingaverage": _average(_ema),
    "weightedmovingaverage": _average(talib.WMA),
    "cci": lambda bars, given: [talib.CCI(bars.high, bars.low, bars.close, given["period"])],
    "williamsr": lambda bars, given: [talib.WILLR(bars.high, bars.low, bars.close, given["period"])],
    "atr": lambda bars, given: [talib.ATR(bars.high, bars.low, bars.close, given["period"])],
    "mfi": lambda bars, given: [talib.MFI(bars.high, bars.low, bars.close, bars["volume"], given["period"])],
    "obv": lambda bars, given: [talib.OBV(bars.close, bars["volume"])],
    "macd": _macd,
    "bollingerbands": _bands,
    "bollingerbandwidth": _band_width,
    "keltnerchannels": _keltner,
    "donchianchannels": _donchian,
    "squeezeintensity": _squeeze,
    "supertrend": _supertrend,
    "stochastic": _stochastic,
    "rvi": _vigor,
    "fishertransform": _fisher,
    "aroon": _aroon,
    "adx": _adx,
    "parabolicsar": _sar,
    "ichimoku": _ichimoku,
    "vwap": _vwap,
    "cmf": _money_flow,
    "adline": _accumulation,
    "volumeratio": _volume_ratio,
    "distancefromma": _distance,
}
