"""What people say of runs and models, and views that they keep. A change can be undone for a minute."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from panel.domain.labels import Label, LabelChange, ModelLabel, Shelf, spaced
from panel.storage.facets import Facets
from panel.storage.transactions import Part, as_json, at_once

UNDO = 60.0  # seconds for which a change can be undone
GRACE = 15.0  # more seconds that are granted to an answer that was on its way
MAX_VIEWS = 100

_COLUMNS = "version, name, note, tags, star, shelf, changed_at, actor"
_ONE, _SEVERAL = "operation_id = ?", "operation_id IN (SELECT value FROM json_each(?))"


class LabelStore(Part):
    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__(db)
        self._facets = Facets(db)

    def of(self, operation_id: str) -> Label:
        row = self._db.execute(f"SELECT {_COLUMNS} FROM labels WHERE {_ONE}", (operation_id,)).fetchone()
        return _label(row) if row else Label()

    def of_several(self, ids: Iterable[str]) -> dict[str, Label]:
        """By the operation's id, an empty one where nothing was said of it."""
        wanted = list(ids)
        rows = self._db.execute(f"SELECT {_COLUMNS}, operation_id FROM labels WHERE {_SEVERAL}", (as_json(wanted),))
        return dict.fromkeys(wanted, Label()) | {operation_id: _label(row) for *row, operation_id in rows}

    def deleted(self, operation_id: str) -> bool:
        """Whether this operation was deleted from the panel's memory."""
        return self.of(operation_id).shelf is Shelf.DELETED

    def edit(self, operation_id: str, wanted: Label, actor: str, at: float) -> tuple[Label, bool]:
        """Replace a label whose version is `wanted.version`; returns it as it is now, and whether that was done:
        another person may have changed it first."""
        with at_once(self._db):
            now = self.of(operation_id)
            if now.version != wanted.version and not now.says_the_same(wanted):
                return now, False
            return self._put(operation_id, now, replace(wanted, shelf=now.shelf), actor, at), True

    def change(
        self, ids: Sequence[str], change: LabelChange, actor: str, at: float, undo: str = "", what: str = ""
    ) -> list[str]:
        """Change many labels, once for each `undo` key, which can take it back; returns the ids of those that are
        different now. `what` names the change for the undo."""
        with at_once(self._db):
            if undo and self._db.execute("SELECT 1 FROM undos WHERE key = ?", (undo,)).fetchone():
                return []
            before = {operation_id: self.of(operation_id) for operation_id in ids}
            done = [each for each in before if not change.of(before[each]).says_the_same(before[each])]
            for each in done:
                self._put(each, before[each], change.of(before[each]), actor, at)
            if undo:
                kept = as_json([(each, before[each]) for each in done])
                self._db.execute("DELETE FROM undos WHERE made_at < ?", (at - 3600,))
                insert = "INSERT INTO undos (key, made_at, what, before) VALUES (?, ?, ?, ?)"
                self._db.execute(insert, (undo, at, what, kept))
        return done

    def undoable(self, key: str, now: float) -> tuple[str, int]:
        """What a change was, and of how many labels; ("", 0) when it cannot be undone any more."""
        row = self._db.execute("SELECT made_at, what, before FROM undos WHERE key = ?", (key,)).fetchone()
        if row is None or now - row[0] > UNDO:
            return "", 0
        return row[1], len(msgspec.json.decode(row[2]))

    def undo(self, key: str, actor: str, now: float) -> list[str] | None:
        """Undo a change where the label has not changed since; returns the ids, None when it is too late."""
        with at_once(self._db):
            row = self._db.execute("SELECT made_at, before FROM undos WHERE key = ?", (key,)).fetchone()
            if row is None or now - row[0] > UNDO + GRACE:
                return None
            back = []
            for operation_id, was in msgspec.json.decode(row[1], type=list[tuple[str, Label]]):
                label = self.of(operation_id)
                if label.version == was.version + 1:
                    self._put(operation_id, label, was, actor, now)
                    back.append(operation_id)
            self._db.execute("DELETE FROM undos WHERE key = ?", (key,))
        return back

    def expired(self, now: float, limit: int) -> list[str]:
        """Deleted operations whose deletion can no longer be undone."""
        rows = self._db.execute(
            "SELECT operation_id FROM labels JOIN operations ON id = operation_id WHERE shelf = ? AND changed_at < ?"
            " LIMIT ?",
            (Shelf.DELETED, now - UNDO - 2 * GRACE, limit),
        )
        return [row[0] for row in rows]

    def forget(self, ids: Sequence[str]) -> None:
        """These operations are remembered no more. That one was deleted is kept: the backend may list it again."""
        asked = as_json(list(ids))
        self._db.execute(f"DELETE FROM labels WHERE {_SEVERAL} AND shelf != {int(Shelf.DELETED)}", (asked,))
        self._db.execute(f"UPDATE labels SET name = '', note = '', tags = '', star = 0 WHERE {_SEVERAL}", (asked,))

    def _put(self, operation_id: str, before: Label, wanted: Label, actor: str, at: float) -> Label:
        label = replace(wanted, version=before.version + 1, changed_at=at, actor=actor)
        values = (label.name, label.note, spaced(label.tags), int(label.star), int(label.shelf))
        self._db.execute(
            f"INSERT OR REPLACE INTO labels (operation_id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (operation_id, label.version, *values, at, actor),
        )
        self._facets.relabel(operation_id, label)
        return label

    # Views of the list

    def views(self) -> list[tuple[str, str]]:
        """(name, query of its address), in order."""
        return list(self._db.execute("SELECT name, query FROM views ORDER BY lower(name)"))

    def keep_view(self, name: str, query: str, at: float) -> bool:
        """Under this name, in place of what had it; False when there are too many."""
        if len(self.views()) >= MAX_VIEWS and not any(name == each for each, _ in self.views()):
            return False
        self._db.execute("INSERT OR REPLACE INTO views (name, query, made_at) VALUES (?, ?, ?)", (name, query, at))
        return True

    def drop_view(self, name: str) -> None:
        self._db.execute("DELETE FROM views WHERE name = ?", (name,))

    # Models

    def of_models(self) -> dict[str, ModelLabel]:
        """By the model's key, only those that have one."""
        rows = self._db.execute("SELECT model, note, retired, version, changed_at, actor FROM model_labels")
        return {row[0]: ModelLabel(row[1], bool(row[2]), *row[3:]) for row in rows}

    def edit_model(
        self, model: str, change: Callable[[ModelLabel], ModelLabel | None], actor: str, at: float
    ) -> tuple[ModelLabel, bool]:
        """`change` returns None where the label is not as it was thought to be. Returns the label as it is now, and
        whether that was done."""
        now = self.of_models().get(model, ModelLabel())
        wanted = change(now)
        if wanted is None:
            return now, False
        label = replace(wanted, version=now.version + 1, changed_at=at, actor=actor)
        self._db.execute(
            "INSERT OR REPLACE INTO model_labels (model, version, note, retired, changed_at, actor)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (model, label.version, label.note, int(label.retired), at, actor),
        )
        return label, True


def _label(row: Sequence[Any]) -> Label:
    version, name, note, tags, star, shelf, changed_at, actor = row
    return Label(name, note, tuple(tags.split()), bool(star), Shelf(shelf), version, changed_at, actor)
