"""Requests for many runs at once, stored once for each key."""

import hashlib
from collections.abc import Sequence

import msgspec

from panel.domain.bulk import Action, BulkRequest, Job, Result
from panel.storage.transactions import Part, as_json, durably


class BulkStore(Part):
    def job(self, key: str) -> Job | None:
        row = self._db.execute(
            "SELECT key, digest, action, ids, results, done_at FROM bulk WHERE key = ?", (key,)
        ).fetchone()
        if row is None:
            return None
        key, digest, action, ids, results, done_at = row
        kept = None if results is None else msgspec.json.decode(results, type=tuple[Result, ...])
        return Job(key, digest, Action(action), msgspec.json.decode(ids, type=tuple[str, ...]), kept, done_at)

    def claim(self, key: str, request: BulkRequest, at: float) -> Job:
        """The job of this key: this one, or the one that was there before."""
        with durably(self._db):
            self._db.execute(
                "INSERT OR IGNORE INTO bulk (key, digest, action, ids, made_at) VALUES (?, ?, ?, ?, ?)",
                (key, digest_of(request.text), request.action, as_json(request.ids), at),
            )
        job = self.job(key)
        assert job is not None  # noqa: S101  it was just written, or was there before
        return job

    def finish(self, key: str, results: Sequence[Result], at: float) -> None:
        self._db.execute(
            "UPDATE bulk SET results = ?, done_at = ? WHERE key = ? AND results IS NULL",
            (as_json(results), at, key),
        )


def digest_of(text: str) -> str:
    """Of a request, as it is kept."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
