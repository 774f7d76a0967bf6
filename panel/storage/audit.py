"""The audit trail, and the last use of each token."""

from collections.abc import Mapping, Sequence

from panel.domain.audit import AuditEntry, AuditQuery, Outcome
from panel.storage.transactions import Part, at_once

MAX_ENTRIES = 200_000  # entries; the oldest go first
MAX_LOGINS = 20_000  # of these, logins: who guesses passwords cannot push everything else out
TRIM = 5_000  # entries that are dropped in one transaction

_COLUMNS = "at, who, via, address, what, subject, outcome, detail, request"


class AuditStore(Part):
    def add(self, entries: Sequence[AuditEntry], uses: Mapping[str, tuple[float, str]] | None = None) -> None:
        """In one transaction, with the last uses of tokens: digest -> (Unix seconds, address)."""
        with at_once(self._db):
            self._db.executemany(
                f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(e.at, e.who, e.via, e.address, e.what, e.subject, e.outcome, e.detail, e.request) for e in entries],
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO token_uses (digest, used_at, address) VALUES (?, ?, ?)",
                [(digest, *use) for digest, use in (uses or {}).items()],
            )

    def find(self, query: AuditQuery) -> list[AuditEntry]:
        """The newest first; with `after`, those that follow it, the oldest first."""
        where, given = ["at >= ?"], list[str | float]([query.since])
        if query.after is not None:
            where, given = [*where, "number > ?"], [*given, query.after]
        if query.before:
            where, given = [*where, "number < ?"], [*given, query.before]
        if query.who:
            where, given = [*where, "who = ?"], [*given, query.who]
        if query.what:  # the word itself, or the word and a space: nothing else is below its "!"
            where, given = [*where, "what >= ?", "what < ?"], [*given, query.what, f"{query.what}!"]
        order = "DESC" if query.after is None else "ASC"
        rows = self._db.execute(
            f"SELECT {_COLUMNS}, number FROM audit WHERE {' AND '.join(where)} ORDER BY number {order} LIMIT ?",
            (*given, query.limit),
        )
        return [_entry(row) for row in rows]

    def people(self) -> list[str]:
        """Every name in it; one step in the index for each."""
        rows = self._db.execute(
            "WITH RECURSIVE each(who) AS (SELECT min(who) FROM audit UNION ALL"
            " SELECT (SELECT min(who) FROM audit WHERE who > each.who) FROM each WHERE each.who IS NOT NULL)"
            " SELECT who FROM each WHERE who IS NOT NULL LIMIT 500"
        )
        return [who for (who,) in rows]

    def trim(self, before: float) -> int:
        """Delete some entries that are older than that (Unix seconds), or too many; returns how many."""
        with at_once(self._db):
            for what, most in (("what = 'login'", MAX_LOGINS), ("1", MAX_ENTRIES)):
                beyond = f"SELECT number FROM audit WHERE {what} ORDER BY number DESC LIMIT 1 OFFSET ?"
                chosen = f"SELECT number FROM audit WHERE {what} AND number <= ({beyond}) ORDER BY number LIMIT ?"
                done = self._db.execute(f"DELETE FROM audit WHERE number IN ({chosen})", (most, TRIM)).rowcount
                if done:
                    return done
            old = "SELECT number FROM audit WHERE at < ? ORDER BY number LIMIT ?"
            return self._db.execute(f"DELETE FROM audit WHERE number IN ({old})", (before, TRIM)).rowcount

    def token_uses(self) -> dict[str, tuple[float, str]]:
        """When each token was last used, and from where, by its digest."""
        rows = self._db.execute("SELECT digest, used_at, address FROM token_uses")
        return {digest: (used_at, address) for digest, used_at, address in rows}


def _entry(row: tuple[float, str, str, str, str, str, str, str, str, int]) -> AuditEntry:
    at, who, via, address, what, subject, outcome, detail, request, number = row
    return AuditEntry(at, who, via, address, what, subject, Outcome(outcome), detail, request, number)
