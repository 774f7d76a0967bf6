"""Finds the roles of columns: by name where there is a header line, else by their contents."""

import re
from dataclasses import dataclass, replace

PRICES = ("open", "high", "low", "close")

# role -> names, the best first. Names are compared in lower case, without <>, quotes, units and numbers before them.
NAMES: dict[str, tuple[str, ...]] = {
    "time": (
        "timestamp", "unix", "unix timestamp", "epoch", "open time", "opentime", "open_time", "datetime", "date time",
        "date_time", "gmt time", "utc time", "time (utc)", "date (utc)", "utc", "local time", "date", "dtyyyymmdd",
        "trading date", "trade date", "day", "time", "datum", "fecha", "data", "tag", "",
    ),
    "clock": ("time", "hour", "zeit", "uhrzeit", "hora", "ora", "heure", "hhmmss", "hhmm"),
    "open": (
        "open", "o", "open price", "openprice", "bidopen", "open bid", "bid open", "first", "eröffnung", "eroeffnung",
        "erster", "eröffnungskurs", "eröffn.", "ouverture", "ouv", "apertura", "abertura", "öffnung",
    ),
    "high": (
        "high", "h", "high price", "highprice", "bidhigh", "bid high", "max", "hoch", "tageshoch", "plus haut", "haut",
        "máximo", "maximo", "máxima", "massimo", "hi",
    ),
    "low": (
        "low", "l", "low price", "lowprice", "bidlow", "bid low", "min", "tief", "tagestief", "plus bas", "bas",
        "mínimo", "minimo", "mínima", "lo",
    ),
    "close": (
        "close", "c", "close price", "closeprice", "bidclose", "bid close", "close/last", "last", "latest", "price",
        "schluss", "schlusskurs", "zuletzt", "clôture", "cloture", "dernier", "clot", "cierre", "último", "ultimo",
        "chiusura", "fechamento", "ltp",
    ),
    "volume": (
        "tickvol", "tick volume", "tick_volume", "volume", "vol", "vol.", "v", "tickqty",
        "real_volume", "shares traded", "total traded quantity", "no. of shares", "volumen", "stuecke", "stücke",
        "umsatz", "qty", "turnover",
    ),
    "symbol": ("ticker", "symbol", "instrument"),
    "period": ("per", "period", "timeframe", "interval"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Columns:
    """Places from 0. `clock` is the column with the time of day where it is one of its own; `twins` are the
    roles that two columns claim, with all their places."""

    time: int
    open: int
    high: int
    low: int
    close: int
    clock: int | None = None
    volume: int | None = None
    symbol: int | None = None
    period: int | None = None
    twins: tuple[tuple[str, tuple[int, ...]], ...] = ()

    def of(self, role: str) -> int:
        return int(getattr(self, role))

    @property
    def needed(self) -> int:
        """Fields that a line needs to be a bar."""
        return 1 + max(self.time, self.open, self.high, self.low, self.close)

    def within(self, width: int) -> "Columns":
        """Without the columns beyond so many fields: a header may name more than there are."""

        def there(place: int | None) -> int | None:
            return place if place is not None and place < width else None

        return replace(
            self,
            clock=there(self.clock),
            volume=there(self.volume),
            symbol=there(self.symbol),
            period=there(self.period),
            twins=tuple((role, places) for role, places in self.twins if max(places) < width),
        )


def plain(name: str) -> str:
    name = re.sub(r"[<>\"'*#]", "", name).strip().lower()
    name = re.sub(r"^\d+[.a]?\.? ", "", name)  # "1. open"
    return re.sub(r"\s+", " ", name).strip()


def by_name(header: list[str]) -> Columns | None:
    """None when the line does not name a time and four prices."""
    names = [plain(name) for name in header]
    found: dict[str, int] = {}
    twins: list[tuple[str, tuple[int, ...]]] = []
    for role in ("open", "high", "low", "close", "volume", "symbol", "period"):
        places = _places(names, role)
        if places:
            found[role] = places[0]
        if len(places) > 1:
            twins.append((role, tuple(places)))
    if not all(role in found for role in PRICES):
        return None
    taken = set(found.values())
    time = next((p for name in NAMES["time"] for p, n in enumerate(names) if n == name and p not in taken), None)
    if time is None and names[0] == "price" and 0 not in taken:
        time = 0  # yfinance: the name of the header's own first column
    if time is None:
        return None
    clock = next((p for p, n in enumerate(names) if n in NAMES["clock"] and p != time and p not in taken), None)
    return Columns(
        time, found["open"], found["high"], found["low"], found["close"], clock,
        found.get("volume"), found.get("symbol"), found.get("period"), tuple(twins),
    )  # fmt: skip


def _places(names: list[str], role: str) -> list[int]:
    """Columns of the best name that is there; a few exports give volumes in a unit ("volume btc")."""
    for wanted in NAMES[role]:
        places = [place for place, name in enumerate(names) if name == wanted]
        if places:
            return places
    if role == "volume":
        return [place for place, name in enumerate(names) if name.startswith(("volume ", "vol "))][:1]
    return []


def by_place(rows: list[list[str]]) -> Columns | None:
    """Without names: a time, perhaps a time of day, then open, high, low, close, and perhaps volume."""
    if not rows:
        return None
    width = min(map(len, rows))
    clocked = width > 5 and all(re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", row[1].strip()) for row in rows)
    first = 2 if clocked else 1
    if width < first + 4:
        return None
    fits = 0
    for row in rows:
        values = [_magnitude(field) for field in row[first : first + 4]]
        numbers = [value for value in values if value is not None]
        fits += len(numbers) == 4 and numbers[1] >= max(numbers) and numbers[2] <= min(numbers)
    if fits < 0.8 * len(rows):
        return None
    volume = first + 4 if width > first + 4 and _magnitude(rows[0][first + 4]) is not None else None
    return Columns(0, first, first + 1, first + 2, first + 3, 1 if clocked else None, volume)


def _magnitude(field: str) -> float | None:
    """A number as far as its size goes, whatever its decimals."""
    try:
        return float(re.sub(r"[\s'$€£]", "", field).replace(",", "."))
    except ValueError:
        return None
