"""Writes bars as KTRDR's CSV: whole or not at all, and never over a file that was not expected."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from panel.files.drafts import draft_of
from panel.files.names import SYMBOL, canonical
from panel.files.regular import Stamp, stamp
from panel.files.roles import PRICES
from panel.files.values import Array, Bars, Overlap, Progress, Refused

HEADER = b",open,high,low,close,volume\n"
TIME = "%Y-%m-%dT%H:%M:%SZ"
CHUNK = 250_000  # bars between two reports of progress


def frame(bars: Bars) -> pl.DataFrame:
    """Columns time (UTC), open, high, low, close, volume; unknown volumes are null, whole ones integers."""
    volume = pl.Series("volume", bars.volume).fill_nan(None)
    known = bars.volume[~np.isnan(bars.volume)]
    if (np.isfinite(known) & (np.abs(known) < 2**53) & (np.floor(known) == known)).all():
        volume = volume.cast(pl.Int64)
    moments = pl.Series("time", bars.times * 1000).cast(pl.Datetime("ms", "UTC"))
    return pl.DataFrame([moments, *(pl.Series(role, getattr(bars, role)) for role in PRICES), volume])


def write(
    file: Path, bars: Bars, expected: Stamp | None, *, backup: bool, progress: Progress | None = None
) -> Path | None:
    """Replace `file`. `expected` is what was there when the bars were made: raises Refused when something
    else is there now. Returns where the old file is kept, if `backup` and there was one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with draft_of(file) as draft:
        with draft.open("xb") as out:
            out.write(HEADER)
            whole = frame(bars)
            for at in range(0, len(bars), CHUNK):
                whole.slice(at, CHUNK).write_csv(out, include_header=False, datetime_format=TIME)
                if progress:
                    progress(at / len(bars), f"Writing {file.name}")
            out.flush()
            os.fsync(out.fileno())
        if stamp(file) != expected:
            raise Refused(f"{file.name} has changed meanwhile. Nothing was stored.")
        if file.is_symlink() or file.exists() and not file.is_file():
            raise Refused(f"{file.name} is no regular file. Nothing was stored.")
        return keep(file) if backup and expected else None


def keep(file: Path) -> Path:
    """A second name for the file as it is: EURUSD_1h.csv.20240131-090000.bak."""
    moment = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    for suffix in ("", *(f"-{number}" for number in range(2, 1000))):
        kept = file.with_name(f"{file.name}.{moment}{suffix}.bak")
        try:
            os.link(file, kept)
        except FileExistsError:
            continue
        except OSError:  # a file system without links
            shutil.copy2(file, kept)
        return kept
    raise Refused(f"There are too many copies of {file.name} of this second.")


def target(folder: Path, symbol: str, timeframe: str) -> Path:
    if not SYMBOL.fullmatch(symbol):
        raise Refused(f"“{symbol[:40]}” is no symbol: letters, digits, dots, hyphens and underscores, 20 at most.")
    return folder / canonical(symbol, timeframe)


def overlap(old: Bars, new: Bars) -> Overlap:
    _, mine, theirs = np.intersect1d(old.times, new.times, assume_unique=True, return_indices=True)
    differing = np.zeros(len(mine), bool)
    for role in PRICES:
        differing |= getattr(old, role)[mine] != getattr(new, role)[theirs]
    return Overlap(len(old), len(new), len(mine), int(differing.sum()))


def merged(old: Bars, new: Bars) -> Bars:
    """All bars of both; of two with one time the stored one."""
    fresh = new.take(~np.isin(new.times, old.times, assume_unique=True))
    order = np.argsort(np.concatenate([old.times, fresh.times]), kind="stable")

    def both(name: str) -> Array:
        return np.concatenate([getattr(old, name), getattr(fresh, name)])[order]

    return Bars(
        both("times"), both("open"), both("high"), both("low"),
        both("close"), both("volume"), both("lines"), both("fault"),
    )  # fmt: skip


def export(bars: Bars, kind: str, into: Path) -> None:
    """As a file; `kind` is "csv" (KTRDR's) or "parquet"."""
    with into.open("wb") as out:
        if kind == "parquet":
            frame(bars).write_parquet(out)
        else:
            out.write(HEADER)
            frame(bars).write_csv(out, include_header=False, datetime_format=TIME)
