"""Messages that wait to be sent, and the channels and rules that people chose on the notifications page."""

from dataclasses import dataclass
from enum import StrEnum

from panel.storage.transactions import Part

KEPT = 500  # messages that are remembered


class MessageState(StrEnum):
    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"  # given up
    UNKNOWN = "unknown"  # it left, and whether it arrived is not known; it is not sent again


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one channel. Times are Unix seconds."""

    id: str
    channel: str
    title: str
    body: str
    state: MessageState
    attempts: int
    made_at: float
    due_at: float
    problem: str


_COLUMNS = "id, channel, title, body, state, attempts, made_at, due_at, problem"


class Outbox(Part):
    def add(self, message_id: str, channels: list[str], title: str, body: str, at: float) -> None:
        """For each channel once, however often it is added."""
        self._db.executemany(
            f"INSERT OR IGNORE INTO messages ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, 0, ?, ?, '')",
            [(message_id, channel, title, body, MessageState.WAITING, at, at) for channel in channels],
        )
        self._db.execute(
            "DELETE FROM messages WHERE state NOT IN (?, ?) AND rowid NOT IN"
            " (SELECT rowid FROM messages ORDER BY made_at DESC LIMIT ?)",
            (MessageState.WAITING, MessageState.SENDING, KEPT),
        )

    def due(self, at: float) -> list[Message]:
        """The next message of each channel that has one."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS}, min(made_at) FROM messages WHERE state = ? AND due_at <= ? GROUP BY channel",
            (MessageState.WAITING, at),
        )
        return [_message(row[:-1]) for row in rows]

    def settle(self, message: Message, state: MessageState, problem: str = "", due_at: float = 0.0) -> None:
        """Written before it is sent, and after; `due_at`: when a waiting one is tried again."""
        self._db.execute(
            "UPDATE messages SET state = ?, problem = ?, due_at = ?, attempts = attempts + ?"
            " WHERE id = ? AND channel = ?",
            (state, problem, due_at, state is MessageState.SENDING, message.id, message.channel),
        )

    def interrupted(self) -> None:
        """The panel starts: what was being sent when it stopped may have arrived."""
        self._db.execute(
            "UPDATE messages SET state = ?, problem = 'The panel stopped while it was being sent.' WHERE state = ?",
            (MessageState.UNKNOWN, MessageState.SENDING),
        )

    def recent(self, limit: int) -> list[Message]:
        """The newest first."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM messages ORDER BY made_at DESC, rowid DESC LIMIT ?", (limit,))
        return [_message(row) for row in rows]

    def channels(self) -> list[tuple[str, str]]:
        """(id, address) of those that were added on the page, in that order."""
        return list(self._db.execute("SELECT id, url FROM channels ORDER BY added_at"))

    def add_channel(self, channel: str, url: str, at: float) -> None:
        self._db.execute("INSERT OR IGNORE INTO channels (id, url, added_at) VALUES (?, ?, ?)", (channel, url, at))

    def remove_channel(self, channel: str) -> None:
        """With what waits for it."""
        self._db.execute("DELETE FROM channels WHERE id = ?", (channel,))
        self.drop_waiting(channel)

    def drop_waiting(self, channel: str) -> None:
        self._db.execute("DELETE FROM messages WHERE channel = ? AND state = ?", (channel, MessageState.WAITING))

    def rules(self) -> dict[str, bool]:
        """What was switched on or off on the page."""
        return {rule: bool(on) for rule, on in self._db.execute("SELECT rule, is_on FROM notification_rules")}

    def about(self, rule: str) -> str:
        """What the rule is about beyond being on; "" for nothing."""
        found = self._db.execute("SELECT about FROM notification_rules WHERE rule = ?", (rule,)).fetchone()
        return str(found[0]) if found else ""

    def set_rules(self, rules: dict[str, bool], about: dict[str, str]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO notification_rules (rule, is_on, about) VALUES (?, ?, ?)",
            [(rule, on, about.get(rule, "")) for rule, on in rules.items()],
        )


def _message(row: tuple[str, str, str, str, str, int, float, float, str]) -> Message:
    return Message(*row[:4], MessageState(row[4]), *row[5:])
