"""The verdicts on data loads that the backend calls completed. Pure.

It does not say which segments failed, and sometimes not how many bars came; the stored bars tell.
"""

from panel.domain.formatting import many
from panel.domain.observation import Observation
from panel.domain.snapshot import Snapshot
from panel.domain.state import State, Verdict
from panel.domain.values import number

CHECKED_WITHIN = 30.0  # seconds in which the stored bars are looked through after a load


def completed_load(observation: Observation, now: float) -> Verdict:
    return _being_checked(observation, now) or _loaded(observation)


def _being_checked(observation: Observation, now: float) -> Verdict | None:
    """A load that has just ended: the backend does not say which segments failed, the stored bars do."""
    rows = number((observation.snapshot.result or {}).get("rows_downloaded"))
    looked_through = observation.gaps_left is not None
    ended = observation.changed_at if observation.moved_at is None else observation.snapshot.read_at
    if not rows or looked_through or not 0 <= now - ended < CHECKED_WITHIN:
        return None
    return Verdict(
        State.RUNNING, "Checking", f"{many(int(rows), 'bar')} came. The stored bars are being looked through for gaps."
    )


def not_looked_through(observation: Observation) -> bool:
    """A load that brought bars, whose gaps have not been searched since."""
    snapshot, missing = observation.snapshot, observation.gaps_left
    brought = snapshot.traits.loads and number((snapshot.result or {}).get("rows_downloaded"))
    return bool(brought) and snapshot.succeeded and missing is None


def brought_nothing(load: Snapshot) -> bool:
    """Bars were missing, and not one came, which the backend calls completed."""
    result = load.result or {}
    return number(result.get("rows_downloaded")) == 0 and bool(number(result.get("gaps_filled")))


def _loaded(observation: Observation) -> Verdict:
    result = observation.snapshot.result or {}
    rows, gaps = number(result.get("rows_downloaded")), number(result.get("gaps_filled")) or 0
    if brought_nothing(observation.snapshot):
        return Verdict(
            State.PROBLEMS,
            "Finished with problems",
            "The backend calls this completed, but not one bar came although bars were missing.",
            "Check the data source, then load again.",
            (f"0 bars came, {many(int(gaps), 'gap')} worked on.",),
        )
    missing = observation.gaps_left
    if missing:
        came = f"{many(int(rows), 'bar')} came, but" if rows else "No new bars came, and"
        return Verdict(
            State.PROBLEMS,
            "Finished with problems",
            f"{came} {many(missing, 'gap')} {'is' if missing == 1 else 'are'} still missing.",
            "Fill them from this load’s page or the page Data.",
            ("The stored bars were looked through after its end. The backend does not say which segments failed.",),
        )
    if rows and observation.fell and missing is None:
        return Verdict(
            State.PROBLEMS,
            "Finished with problems",
            f"{many(int(rows), 'bar')} came, but some segments did not: bars are probably still missing.",
            "Look at the gaps of what is stored now, then load again.",
            ("Its progress went backwards on the way. It does when segments fail, of which the backend says nothing.",),
        )
    if rows == 0:
        return Verdict(State.COMPLETED, "Completed", "Nothing was missing: no new bars.")
    if rows and missing is None:
        return Verdict(
            State.UNCHECKED,
            "Completed, not checked",
            f"{many(int(rows), 'bar')} came. Whether that is all it was to fetch is not known.",
            "Look at the gaps on the page Data.",
            ("The stored bars were not looked through after its end. The backend does not say which segments failed.",),
        )
    if rows:
        return Verdict(State.COMPLETED, "Completed", f"{many(int(rows), 'bar')} fetched.")
    return Verdict(State.COMPLETED, "Completed", "Finished.")
