"""Whether a load can bring bars of a symbol and timeframe. Pure.

Every page, form and answer that offers, sends or refuses a load goes by `no_load`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from panel.domain.formatting import day
from panel.domain.gaps import DataFile, Range


@dataclass(frozen=True, slots=True)
class SampleMarket:
    """What the embedded backend's loads go by: the symbols that it makes up, and the files of its data folder."""

    symbols: Collection[str]
    files: Sequence[DataFile] = ()


@dataclass(frozen=True, slots=True)
class NoLoad:
    """`why` no load of it can work; `imports`: what has to be imported instead; `file`: of which file of the data
    folder, "" where that is another one."""

    why: str
    imports: str
    file: str = ""


def no_load(found: Range, market: SampleMarket | None, *, older: bool = False) -> NoLoad | None:
    """None where a load may be sent. `market`: None of a KTRDR, and while it is not known; `older`: the load is one of
    older bars."""
    if broken := in_the_way(found, market.files if market else ()):
        return NoLoad(unusable(broken), "it", broken.file)
    if not found.takes_loads:
        which, at = ("begins", found.start) if older else ("ends", found.end)
        mixed = "It is partly sample data, to which no load adds more. " if found.source == "mixed" else ""
        file = f"Your own file {which} {day(at)}." if at is not None else "The file is your own."
        return NoLoad(f"{mixed}{file}", "older bars" if older else "newer bars")
    if market is not None and found.symbol not in market.symbols:
        return NoLoad(f"The sample market does not have {found.symbol}.", "a file of it")
    return None


def in_the_way(found: Range, files: Sequence[DataFile]) -> DataFile | None:
    """The file of it that cannot be used, where no other one is: no load writes over it."""
    if found.bars:
        return None
    pair = (found.symbol, found.timeframe)
    return next((file for file in files if file.reason and (file.symbol, file.timeframe) == pair), None)


def unusable(file: DataFile) -> str:
    return f"{file.file} cannot be used: {f'line {file.line:,}: ' if file.line else ''}{file.reason}"
