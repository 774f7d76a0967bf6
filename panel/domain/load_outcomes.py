"""The verdicts on data loads that the backend calls completed. Pure.

It does not say which segments failed, and sometimes not how many bars came; the stored bars tell.
"""

from panel.domain.formatting import day, many
from panel.domain.gaps import NOTHING_STORED, Ending, ends_early
from panel.domain.observation import Observation
from panel.domain.snapshot import Snapshot
from panel.domain.state import State, Verdict
from panel.domain.values import number

CHECKED_WITHIN = 30.0  # seconds in which the stored bars are looked through after a load


def completed_load(observation: Observation, now: float) -> Verdict:
    return _being_checked(observation, now) or _loaded(observation)


def _being_checked(observation: Observation, now: float) -> Verdict | None:
    """A load that has just ended: the backend does not say which segments failed, the stored bars do."""
    load = observation.snapshot
    ended = observation.changed_at if observation.moved_at is None else load.read_at
    if not may_have_brought(load) or observation.gaps_left is not None or not 0 <= now - ended < CHECKED_WITHIN:
        return None
    return Verdict(State.RUNNING, "Checking", f"{_came(load)} The stored bars are being looked through for gaps.")


def not_looked_through(observation: Observation) -> bool:
    """A load that brought bars, as far as is known, whose gaps have not been searched since."""
    load = observation.snapshot
    return load.succeeded and load.full and may_have_brought(load) and observation.gaps_left is None


def may_have_brought(load: Snapshot) -> bool:
    """It brought bars, or its result does not say how many."""
    return load.traits.loads and _rows(load) != 0


def _rows(load: Snapshot) -> float | None:
    """How many bars came; None where the result does not say so."""
    rows = number((load.result or {}).get("rows_downloaded"))
    return rows if rows is None or rows >= 0 else None


def _came(load: Snapshot) -> str:
    rows = _rows(load)
    return "It has ended; how many bars came is not known." if rows is None else f"{many(int(rows), 'bar')} came."


def brought_nothing(load: Snapshot) -> bool:
    """Bars were missing, and not one came, which the backend calls completed."""
    return _rows(load) == 0 and bool(number((load.result or {}).get("gaps_filled")))


def _loaded(observation: Observation) -> Verdict:
    load, missing = observation.snapshot, observation.gaps_left
    rows, gaps = _rows(load), number((load.result or {}).get("gaps_filled")) or 0
    if brought_nothing(load):
        return Verdict(
            State.PROBLEMS,
            "Finished with problems",
            "The backend calls this completed, but not one bar came although bars were missing.",
            "Check the data source, then load again.",
            (f"0 bars came, {many(int(gaps), 'gap')} worked on.",),
        )
    if missing == NOTHING_STORED:
        came = "How many bars came is not known" if rows is None else f"{many(int(rows), 'bar')} came"
        return Verdict(
            State.PROBLEMS,
            "Finished with problems",
            f"{came if rows != 0 else 'No bars came'}, and none is stored.",
            "Check the data source, then load again."
            if rows == 0
            else "See that the backend can write to its data folder, then load again.",
            ("The backend calls this completed. Asked for what is stored after its end, it has nothing.",),
        )
    if missing:
        some = f"{many(int(rows), 'bar')} came, but" if rows else "No new bars came, and"
        came = "How many bars came is not known, and" if rows is None else some
        short = observation.none_after is not None and observation.ending is Ending.MISSED  # which is one of them
        inside = missing - short
        lacking = [f"none is stored after {day(observation.none_after)}"] if short else []
        lacking += [f"{many(inside, 'gap')} {'is' if inside == 1 else 'are'} still missing"] if inside else []
        advice = ["Load new bars of it again."] if short else []
        advice += [f"Fill {'it' if inside == 1 else 'them'} from this load’s page or the page Data."] if inside else []
        return Verdict(
            State.PROBLEMS,
            "Finished with problems",
            f"{came} {', and '.join(lacking)}.{_ends_at(observation)}",
            " ".join(advice),
            ("The stored bars were looked through after its end. The backend does not say which segments failed.",),
        )
    if missing == 0 and observation.none_after is not None and observation.ending is Ending.UNKNOWN:
        came = "How many bars came is not known." if rows is None else f"{many(int(rows), 'bar')} came."
        return Verdict(
            State.UNCHECKED,
            "Completed, not checked",
            f"{came}{_ends_at(observation)}",
            "Load new bars of it again if there should be later ones.",
            ("Whether its market had sessions since is not known: the symbol may not be traded any more.",),
        )
    if rows == 0:
        return Verdict(State.COMPLETED, "Completed", "Nothing was missing: no new bars.")
    if missing is None and observation.fell:
        return Verdict(
            State.PROBLEMS,
            "Finished with problems",
            "Some segments did not come: bars are probably still missing."
            if rows is None
            else f"{many(int(rows), 'bar')} came, but some segments did not: bars are probably still missing.",
            "Look at the gaps of what is stored now, then load again.",
            ("Its progress went backwards on the way. It does when segments fail, of which the backend says nothing.",),
        )
    if missing is None:
        unknown = "How many bars came, and whether" if rows is None else f"{many(int(rows), 'bar')} came. Whether"
        return Verdict(
            State.UNCHECKED,
            "Completed, not checked",
            f"{unknown} that is all it was to fetch{',' if rows is None else ''} is not known.",
            "Look at the gaps on the page Data.",
            ("The stored bars were not looked through after its end. The backend does not say which segments failed.",),
        )
    if rows is None:
        headline = f"It left no gap. How many bars came, the backend does not say.{_ends_at(observation)}"
        return Verdict(State.COMPLETED, "Completed", headline)
    return Verdict(
        State.COMPLETED,
        "Completed",
        f"{many(int(rows), 'bar')} fetched.{_none_before(observation)}{_ends_at(observation)}",
    )


def _ends_at(observation: Observation) -> str:
    """Where bars of the end of its period did not come, and nothing says that there are any."""
    if observation.none_after is None or observation.ending is Ending.MISSED:
        return ""
    others = ", as of every other load of its exchange since" if observation.ending is Ending.CLOSED else ""
    return f" The last bar is of {day(observation.none_after)}{others}; later ones did not come."


def _none_before(observation: Observation) -> str:
    """Where its first segment began long before the first stored bar: it failed, or the source has no older ones."""
    first, asked = observation.stored_from, observation.asked_from
    return f" Nothing came before {day(first)}." if first is not None and asked and ends_early(asked, first) else ""
