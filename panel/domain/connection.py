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
    error: str = ""  # that error
    listed: bool = False  # what runs there has been told, in this panel's life
    message: str = ""

    @property
    def contact(self) -> tuple[bool, ...]:
        """Whether it is silent, was never heard, is late, and answers with errors: what home says of it."""
        return self.failing_since is not None, self.answered_at is None, self.slow_since is not None, bool(self.error)

    def answered(self, now: float, slow: bool | None, error: str = "") -> bool:
        """It has answered; returns whether that is news. `slow`: whether late, or about what runs only with this
        `error`; None where that was not seen."""
        news = self.failing_since is not None or self.answered_at is None
        self.up_since = now if news else self.up_since
        self.answered_at, self.failing_since, self.message = now, None, ""
        was_slow = self.slow_since is not None
        if slow is not None:
            self.slow_since = (self.slow_since or now) if slow else None
            self.error = (self.error or error) if slow else ""
        return news or was_slow != (self.slow_since is not None)

    def told(self) -> bool:
        """It has told what runs there; returns whether that is news."""
        was, self.listed = self.listed, True
        return not was

    def late(self, now: float, error: str = "") -> bool:
        """Nothing came in time, or this error, while other questions are answered; returns whether that is news."""
        news = self.slow_since is None or (bool(error) and not self.error)
        self.slow_since, self.error = self.slow_since or now, self.error or error  # until all is well again
        return news

    def failed(self, message: str, now: float) -> bool:
        """Nobody was there; returns whether that is news."""
        news = self.failing_since is None
        self.failing_since, self.message = self.failing_since or now, message
        return news
