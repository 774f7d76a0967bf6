"""What strategies may use: indicators, which TA-Lib computes, and membership functions. Names only."""

from typing import NamedTuple


class Indicator(NamedTuple):
    function: str  # TA-Lib's
    parameters: dict[str, str]  # name in strategies -> TA-Lib's
    outputs: tuple[str, ...]  # in TA-Lib's order; the first is meant when none is named


_PERIOD = {"period": "timeperiod"}
_ADX = ("adx", "plus_di", "minus_di")
_STOCHASTIC = Indicator(
    "STOCH", {"k_period": "fastk_period", "smooth_k": "slowk_period", "d_period": "slowd_period"}, ("k", "d")
)
_BANDS = Indicator(
    "BBANDS", {"period": "timeperiod", "multiplier": "nbdevup", "std_dev": "nbdevup"}, ("upper", "middle", "lower")
)

INDICATORS: dict[str, Indicator] = {
    "rsi": Indicator("RSI", _PERIOD, ("rsi",)),
    "sma": Indicator("SMA", _PERIOD, ("sma",)),
    "ema": Indicator("EMA", _PERIOD, ("ema",)),
    "wma": Indicator("WMA", _PERIOD, ("wma",)),
    "macd": Indicator(
        "MACD",
        {"fast_period": "fastperiod", "slow_period": "slowperiod", "signal_period": "signalperiod"},
        ("line", "signal", "histogram"),
    ),
    "bbands": _BANDS,
    "bollingerbands": _BANDS,
    "atr": Indicator("ATR", _PERIOD, ("atr",)),
    "adx": Indicator("ADX", _PERIOD, _ADX),
    "stochastic": _STOCHASTIC,
    "stoch": _STOCHASTIC,
    "williams_r": Indicator("WILLR", _PERIOD, ("williams_r",)),
    "williamsr": Indicator("WILLR", _PERIOD, ("williams_r",)),
    "cci": Indicator("CCI", _PERIOD, ("cci",)),
    "obv": Indicator("OBV", {}, ("obv",)),
    "roc": Indicator("ROC", _PERIOD, ("roc",)),
    "momentum": Indicator("MOM", _PERIOD, ("momentum",)),
    "mfi": Indicator("MFI", _PERIOD, ("mfi",)),
    "aroon": Indicator("AROON", _PERIOD, ("down", "up")),
    "adline": Indicator("AD", {}, ("adline",)),
}

# Membership function -> how many parameters it has.
MEMBERSHIPS = {"triangular": 3, "trapezoidal": 4, "gaussian": 2, "sigmoid": 2}
