"""Templates, and how numbers, times and durations are written in them.

Everything is escaped, always: what comes from the backend is text, also where it looks like markup.
"""

import hashlib
import json
import re
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from panel import __version__
from panel.adapters import KINDS
from panel.adapters.base import percent
from panel.domain.formatting import ago, day, duration, minute, rough, volume
from panel.domain.gaps import DAY
from panel.domain.results import Figure
from panel.domain.snapshot import Snapshot
from panel.domain.values import moment, text, utc
from panel.views.addresses import placed_html

MAX_DECIMALS = 10  # that prices are padded to
_DECIMAL = re.compile(r"\d+(\.\d+)?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"(?<![\w:.-])(?<!, )(?:(\d{4}-\d\d-\d\d) (?:at )?)?(\d\d:\d\d(?::\d\d)?) UTC\b")
_QUOTED = "The backend's words:"
_PER_CENT = re.compile(r"(?<=\d) %")
_ROOT = Path(__file__).resolve().parents[2]
_INSTALLED = Path(__file__).resolve().parents[1] / "_assets"
ASSETS = _INSTALLED if _INSTALLED.is_dir() else _ROOT  # in a wheel, or in a checkout


def _version(folder: Path) -> str:
    """A hash of every file's name and content. In the addresses of static files: a changed file has a new address, and
    modules that import each other by relative paths stay together."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


STATIC_VERSION = _version(ASSETS / "static")
STATIC = f"/static/{STATIC_VERSION}"  # the folder of static files in pages

FIRST = ("base", "macros", "home", "fragments/")  # templates of the first page

_MODES = {kind: dict(each.choices) for kind, adapter in KINDS.items() for each in adapter.fields if each.name == "mode"}

_SALT = secrets.token_hex(8)  # of this run of the panel

environment = Environment(
    loader=FileSystemLoader(ASSETS / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,  # or every drawing asks the disk for every file's time
    cache_size=-1,  # all of them
)


def compile_templates(pause: float = 0.0) -> None:
    """All of them, those of the home page first, so that no request waits. From a thread, `pause` is what others get
    between two (seconds)."""
    for name in sorted(environment.list_templates(), key=lambda each: (not each.startswith(FIRST), each)):
        environment.get_template(name)
        time.sleep(pause)


def draw(template: str, *views: Any, **values: Any) -> str:
    """The template as text. Its variables are the fields of the views (dataclasses), and `values`."""
    for view in views:
        values = variables(view) | values
    return placed_html(environment.get_template(template).render(values))


def variables(view: Any) -> dict[str, Any]:
    """A dataclass's fields by name, as they are."""
    return {field.name: getattr(view, field.name) for field in fields(view)}


def when(at: float | None, show: str = "local") -> Markup:
    """A moment as `<time>`: in UTC until the page's script writes it in the reader's own zone. `show`: local, or
    exact with its seconds."""
    known = utc(at)
    if known is None:
        return Markup("–")
    shown = f"{known:%Y-%m-%d %H:%M:%S} UTC" if show == "exact" else f"{known:%Y-%m-%d %H:%M} UTC"
    return _time(known.isoformat(), f'data-show="{show}" title="{shown}"', shown)


def age(at: float | None, now: float) -> Markup:
    """How long ago, as `<time>` that the page's script keeps counting."""
    if at is None:
        return Markup("never")
    return _time(iso(at), 'data-show="age"', ago(at, now))


def _time(at: str, attributes: str, shown: str) -> Markup:
    """Of words of our own alone: escaping them would be a sixth of a list's time."""
    return Markup(f'<time datetime="{at}" {attributes}>{shown}</time>')  # noqa: S704


def iso(at: float) -> str:
    known = utc(at)
    return "" if known is None else known.isoformat()


def breakable(name: str) -> Markup:
    """A name that may go on in the next line after each of its underscores."""
    return escape(name).replace("_", Markup("_<wbr>"))


def unbroken(text: str) -> Markup:
    """Whose dates do not go on in the next line after a hyphen, nor numbers before their per cent."""
    return Markup(_DAY.sub(r'<span class="day">\g<0></span>', _glued(text)))  # noqa: S704  escaped before


def timed(text: str, now: float, state: str = "") -> Markup:
    """A sentence whose moments in UTC are `<time>`, which the page's script writes in the reader's own zone. Those
    without a day are the last before `now`, when the sentence was made. What a backend said stays as it is: it has
    times of its own. `state`: of the verdict whose headline it is; of a failure that may be the backend's."""
    own, mark, words = text.partition(_QUOTED)
    if state == "failed":
        own, mark, words = "", "", text

    def shown(found: re.Match[str]) -> str:
        at = moment(f"{found[1] or day(now)}T{found[2]}")
        if at is None:
            return found[0]
        at -= DAY if not found[1] and at > now + DAY / 2 else 0
        return _time(iso(at), 'data-show="clock"', found[0])

    return Markup(_MOMENT.sub(shown, _glued(own)) + _glued(mark + words))  # noqa: S704  escaped before


def _glued(text: str) -> str:
    """Escaped, with numbers and their per cent in one line."""
    return _PER_CENT.sub("\N{NO-BREAK SPACE}%", str(escape(text)))


def plain(value: Any) -> str:
    """A parameter as a person would write it."""
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def aligned(rows: Iterable[Sequence[str]]) -> list[list[str]]:
    """Bars as texts, with as many decimals in each of their four prices."""
    bars = [list(row) for row in rows]
    prices = [price for bar in bars for price in bar[1:5]]
    most = max((len(price.partition(".")[2]) for price in prices), default=0)
    if most <= MAX_DECIMALS and all(map(_DECIMAL.fullmatch, prices)):
        for bar in bars:
            bar[1:5] = [f"{Decimal(price):.{most}f}" for price in bar[1:5]]
    return bars


def leading(figures: Iterable[Figure]) -> list[Figure]:
    return [figure for figure in figures if figure.lead]


def market(snapshot: Snapshot, title: str) -> str:
    """What an operation worked on, beside its title: “EURUSD 1h · tail”, of a trial its days and its model too."""
    asked = snapshot.parameters
    told = [" ".join(filter(None, (snapshot.symbol if snapshot.symbol != title else "", snapshot.timeframe)))]
    if "mode" in asked and (modes := _MODES.get(snapshot.kind)):
        told.append(modes.get(text(asked["mode"]), text(asked["mode"])).partition(":")[0][:200].lower())
    if snapshot.traits.tries_model:
        if "start_date" in asked and "end_date" in asked:
            told.append(f"{str(asked['start_date'])[:10]} to {str(asked['end_date'])[:10]}")
        if "model_path" in asked:
            told.append(f"model {last_part(str(asked['model_path']))}")
    return " · ".join(filter(None, told))


def last_part(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def readable(name: str) -> str:
    """`start_date` -> Start date."""
    return name.replace("_", " ").capitalize()


def rounded(values: Iterable[float | None]) -> list[float | None]:
    """Six digits are more than a screen shows, and half of what they weigh."""
    return [None if value is None else float(f"{value:.6g}") for value in values]


def keyed(seed: str) -> str:
    """A start's one-time key for a button that is drawn again and again: the same until `seed` changes, so
    that two clicks, in two tabs even, start one thing."""
    return hashlib.sha256(f"{_SALT}{seed}".encode()).hexdigest()[:32]


SECTIONS = (
    ("/", "Home"),
    ("/operations", "Runs"),
    ("/data", "Data"),
    ("/strategies", "Strategies"),
    ("/models", "Models"),
)
_PARTS = {  # pages of a section that lie elsewhere
    "/operations": ("/start", "/starts", "/queue", "/batches", "/schedules", "/plans"),
    "/models": ("/checkpoints",),
}


def section_of(path: str) -> str:
    """The section of the header to which a page belongs; "" for none."""
    first = "/" + path.split("/")[1]
    return next((to for to, _ in SECTIONS[1:] if first in (to, *_PARTS.get(to, ()))), "")


environment.filters |= {
    "keyed": keyed,
    "tojson_text": lambda value: json.dumps(value, separators=(",", ":")),  # escaped like any text: for an attribute
    "minute": minute,
    "query": lambda form: urlencode({name: value for name, value in form.items() if value}),
    "when": when,
    "age": age,
    "iso": iso,
    "day": day,
    "ago": ago,
    "duration": duration,
    "rough": rough,
    "plain": plain,
    "breakable": breakable,
    "unbroken": unbroken,
    "timed": timed,
    "readable": readable,
    "percent": lambda share: _PER_CENT.sub("\N{NO-BREAK SPACE}%", percent(share)),
    "as_json": lambda value: json.dumps(value, separators=(",", ":")),
    "last_part": last_part,
    "leading": leading,
    "aligned": aligned,
    "volume": volume,
}
environment.globals |= {
    "KINDS": KINDS,
    "market": market,
    "version": __version__,
    "static": STATIC,
    "SECTIONS": SECTIONS,
    "section_of": section_of,
}
