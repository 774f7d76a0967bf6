"""The connection from the panel to the backend: whether it answers, and since when not. Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class Connection:
    """The connection from the panel to the backend. Times are Unix seconds."""

    address: str
    answered_at: float | None = None
    up_since: float | None = None  # when it answered for the first time, or again
    failing_since: float | None = None
    slow_since: float | None = None  # it answers, but not what takes it longer than READ_TIMEOUT, or with an error
    error: str = ""  # the error of such an answer
    listed: bool = False  # whether it has listed what runs there, since this panel started
    message: str = ""

    @property
    def contact(self) -> tuple[bool, ...]:
        """Whether it is silent, never answered, is late, and answers with errors."""
        return self.failing_since is not None, self.answered_at is None, self.slow_since is not None, bool(self.error)

    def answered(self, now: float, slow: bool | None, error: str = "") -> bool:
        """It has answered; returns whether that is news. `slow`: whether late, or about what runs only with this
        `error`; None where that was not seen."""
        changed = self.failing_since is not None or self.answered_at is None
        self.up_since = now if changed else self.up_since
        self.answered_at, self.failing_since, self.message = now, None, ""
        was_slow = self.slow_since is not None
        if slow is not None:
            self.slow_since = (self.slow_since or now) if slow else None
            self.error = (self.error or error) if slow else ""
        return changed or was_slow != (self.slow_since is not None)

    def mark_listed(self) -> bool:
        """It has listed what runs there; returns whether that is a change."""
        before, self.listed = self.listed, True
        return not before

    def late(self, now: float, error: str = "") -> bool:
        """Nothing came in time, or this error, while other questions are answered; returns whether that is news."""
        changed = self.slow_since is None or (bool(error) and not self.error)
        self.slow_since, self.error = self.slow_since or now, self.error or error  # until all is well again
        return changed

    def failed(self, message: str, now: float) -> bool:
        """It did not answer; returns whether that is a change."""
        changed = self.failing_since is None
        self.failing_since, self.message = self.failing_since or now, message
        return changed
