"""Whether the machine's clock may be believed: a wrong one may come for moments, after sleep or at boot. Pure.

The other clock, which only counts seconds, tells when this one leaps. A machine that slept looks the same, as the other
clock stood still meanwhile: its leap is believed too, once the clock has held for a while.
"""

LEAP = 180.0  # seconds by which the clocks differ at once; less is put down to a clock that was put right
HELD = 180.0  # seconds that the clock goes on from a leap before that is believed


class ClockWatch:
    """Times are Unix seconds; `counted` is monotonic."""

    def __init__(self, now: float, counted: float) -> None:
        self.began = now
        self._offset = now - counted  # of the clock as it is believed
        self._leapt: float | None = None  # its offset since a leap that is not believed yet
        self._since = counted  # when it last leapt, or was first read
        self._last = now  # its last reading that was believed
        self._over = (now, now)  # what it last leapt over, as far as that is believed

    def believes(self, now: float, counted: float) -> bool:
        """Take this reading; whether it is believed."""
        offset = now - counted
        if abs(offset - self._offset) <= LEAP:
            self._offset, self._leapt, self._last = offset, None, now
            return True
        if self._leapt is None or abs(offset - self._leapt) > LEAP:
            self._leapt, self._since = offset, counted
        elif counted - self._since >= HELD:
            self._over = (self._last, self._since + offset)
            self._offset, self._leapt, self._last = offset, None, now
            return True
        return False

    def has_held(self, counted: float) -> bool:
        """Whether it has gone on without a leap for a while."""
        return counted - self._since >= HELD

    def leapt_over(self, at: float) -> bool:
        first, last = self._over
        return first < at <= last
