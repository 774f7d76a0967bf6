"""Finds pages of the listing and counts it, in milliseconds with 100,000 operations.

A query first chooses facets: few rows, each with its number of runs. When many runs match, the wanted order's index
is walked until the page is full; when few do, these alone are sorted.
"""

from collections.abc import Collection
from dataclasses import replace
from itertools import groupby
from typing import Any, NamedTuple

from panel.domain.history import SORTS, OperationQuery
from panel.domain.state import State
from panel.storage.facets import shown
from panel.storage.transactions import Part, as_json

NAMES = 500  # strategies, symbols that are offered to filter by
BY_ID = 1000  # operations that match by their ids alone; more are not searched
_WALKED, _SORTED = 0.15, 0.8  # microseconds: a row of an index that is walked, one that is sorted
_IN_IDS = "SELECT id FROM operations WHERE {} LIMIT ?"

_COLUMNS = {"created": "created_at", "ended": "ended_at", "took": "seconds"}
_RANKS = "CASE state " + " ".join(f"WHEN '{state}' THEN {rank}" for rank, state in enumerate(State)) + " END"
_NAMES = "lower(coalesce(nullif(name, ''), nullif(strategy, ''), symbol))"


class _Facet(NamedTuple):
    id: int
    runs: int
    key: Any  # what it is sorted by, where that is its name or state


class Finder(Part):
    """Operations are named by their numbers in the listing."""

    def page(self, wanted: OperationQuery) -> list[int]:
        """One page of what is wanted, in its order."""
        if wanted.sort in ("name", "state"):
            return self.find(wanted)[0]
        facets = self._facets(wanted)
        return self._ordered(facets, self._by_id(wanted, facets), wanted, wanted.limit, wanted.offset)

    def count(self, wanted: OperationQuery) -> int:
        """How many there are of what is wanted, on all pages."""
        if _text_terms(wanted) or wanted.since is not None or wanted.until is not None:
            return self.find(replace(wanted, limit=0))[1]
        tests, values = _tests(wanted)
        (count,) = self._firsts(f"SELECT coalesce(sum(runs), 0) FROM facets WHERE {' AND '.join(tests)}", *values)
        return int(count)

    def find(self, wanted: OperationQuery) -> tuple[list[int], int]:
        """One page, and how many there are on all pages."""
        facets = self._within_period(self._facets(wanted), wanted)
        others = self._by_id(wanted, facets)
        count = sum(facet.runs for facet in facets) + len(others)
        limit = max(min(wanted.limit, count - wanted.offset), 0)
        if wanted.sort not in ("name", "state"):
            return self._ordered(facets, others, wanted, limit, wanted.offset, count), count
        if others:
            return self._by_facet(facets, others, wanted, limit), count
        ranked = sorted(facets, key=lambda facet: facet.key, reverse=not wanted.ascending)
        found: list[int] = []
        offset = wanted.offset
        for _, group in groupby(ranked, key=lambda facet: facet.key):
            block = list(group)
            runs = sum(facet.runs for facet in block)
            if offset < runs and len(found) < limit:
                part = min(limit - len(found), runs - offset)
                found += self._ordered(block, (), wanted, part, offset, runs)
            offset = max(offset - runs, 0)
        return found, count

    def names(self) -> tuple[list[str], list[str], list[str]]:
        """The kinds, strategies and symbols that there are to filter by, in order."""
        rows = self._db.execute("SELECT DISTINCT kind, strategy, symbol FROM facets").fetchall()
        kinds, strategies, symbols = ({row[at] for row in rows} - {""} for at in range(3))
        return sorted(kinds)[:NAMES], sorted(strategies)[:NAMES], sorted(symbols)[:NAMES]

    def tags(self) -> list[str]:
        """Those in use, in order."""
        rows = self._db.execute("SELECT DISTINCT tags FROM facets WHERE tags != '' AND shelf IN (0, 1)")
        return sorted({tag for (tags,) in rows for tag in tags.split()})[:NAMES]

    def counts(self) -> dict[tuple[str, str], int]:
        """(kind, state) -> how many are remembered."""
        rows = self._db.execute("SELECT kind, state, sum(runs) FROM facets GROUP BY kind, state")
        return {(kind, state): count for kind, state, count in rows}

    def _facets(self, wanted: OperationQuery) -> list[_Facet]:
        tests, values = _tests(wanted)
        terms = _text_terms(wanted)
        tests += ["instr(words, ?) > 0"] * len(terms)
        key = {"name": _NAMES, "state": _RANKS}.get(wanted.sort, "0")
        rows = self._db.execute(f"SELECT id, runs, {key} FROM facets WHERE {' AND '.join(tests)}", (*values, *terms))
        return list(map(_Facet._make, rows))

    def _within_period(self, facets: list[_Facet], wanted: OperationQuery) -> list[_Facet]:
        """With how many runs each has in the wanted period."""
        if wanted.since is None and wanted.until is None:
            return facets
        period, bounds = _period(wanted)
        counted = dict(
            self._db.execute(
                f"SELECT facet, count(*) FROM listing INDEXED BY listing_created WHERE {period} GROUP BY facet", bounds
            ).fetchall()
        )
        return [_Facet(facet.id, counted[facet.id], facet.key) for facet in facets if facet.id in counted]

    def _by_id(self, wanted: OperationQuery, facets: Collection[_Facet]) -> tuple[int, ...]:
        """Those that only their ids make match, the newest first. Ids are looked through for words that look like a
        part of one, or when nothing else has the words."""
        terms = _text_terms(wanted)
        looked_for = [term for term in terms if not facets or any(sign.isdigit() or sign in "_-" for sign in term)]
        if not looked_for:
            return ()
        any_of = " OR ".join(["instr(operations.id, ?) > 0"] * len(looked_for))
        ids = self._firsts(_IN_IDS.format(any_of), *looked_for, BY_ID + 1)
        newest, source, inside, given = "", "operations", "id IN (SELECT value FROM json_each(?))", [as_json(ids)]
        if len(ids) > BY_ID:  # so many that the newest of them are met soon
            newest = f" ORDER BY created_at DESC, number DESC LIMIT {BY_ID}"
            source, inside, given = "listing AS operations INDEXED BY listing_created", f"({any_of})", looked_for
        tests, values = _tests(wanted)
        period, bounds = _period(wanted)
        among = "SELECT id FROM facets WHERE"
        either = [f"(instr(id, ?) > 0 OR facet IN ({among} instr(words, ?) > 0))"] * len(terms)
        found = self._firsts(
            f"SELECT number FROM listing WHERE number IN (SELECT number FROM {source} WHERE {inside}{newest})"
            f" AND {' AND '.join([*either, period])} AND facet IN ({among} {' AND '.join(tests)})"
            " AND facet NOT IN (SELECT value FROM json_each(?)) ORDER BY created_at DESC, number DESC LIMIT ?",
            *(*given, *(term for each in terms for term in (each, each)), *bounds, *values, _ids(facets), BY_ID),
        )
        return tuple(found)

    def _ordered(
        self,
        facets: Collection[_Facet],
        others: Collection[int],
        wanted: OperationQuery,
        limit: int,
        offset: int,
        count: int | None = None,
    ) -> list[int]:
        """So many of the runs of these facets, and of the others by number. `count`: how many there are at all, where
        that is known; then there are enough."""
        runs = sum(facet.runs for facet in facets) + len(others)
        if limit < 1:
            return []
        if wanted.sort not in SORTS:
            return self._by_result(facets, others, wanted, limit, offset)
        period, bounds = _period(wanted)
        among, values = _among(facets, others)
        if runs == self._total():
            among, values = "1", []
        ascending = wanted.ascending and wanted.sort in _COLUMNS  # within a name or state the newest come first
        backwards = count is not None and offset > count / 2  # then the way from the other end is shorter
        if backwards:
            offset = (count or 0) - offset - limit
        direction = "ASC" if ascending != backwards else "DESC"
        column = _COLUMNS.get(wanted.sort, "created_at")
        index = {"ended_at": "listing_ended", "seconds": "listing_took"}.get(column, "listing_created")
        if self._walk_costs(runs, limit + offset) > runs * _SORTED and not others:
            index = "listing_facet"
        found = self._firsts(
            f"SELECT number FROM listing INDEXED BY {index} WHERE {among} AND {period}"
            f" ORDER BY {column} {direction}, number {direction} LIMIT ? OFFSET ?",
            *(*values, *bounds, limit, offset),
        )
        return found[::-1] if backwards else found

    def _by_facet(
        self, facets: Collection[_Facet], others: Collection[int], wanted: OperationQuery, limit: int
    ) -> list[int]:
        """By name or state, all of them sorted; for few."""
        period, bounds = _period(wanted)
        among, values = _among(facets, others)
        key = {"name": _NAMES, "state": _RANKS}[wanted.sort]
        return self._firsts(
            f"SELECT number FROM listing JOIN facets ON facets.id = facet WHERE {among} AND {period}"
            f" ORDER BY {key} {'ASC' if wanted.ascending else 'DESC'}, created_at DESC, number DESC LIMIT ? OFFSET ?",
            *(*values, *bounds, limit, wanted.offset),
        )

    def _by_result(
        self, facets: Collection[_Facet], others: Collection[int], wanted: OperationQuery, limit: int, offset: int
    ) -> list[int]:
        """By a measure; runs without it come last, the newest first."""
        row = self._db.execute("SELECT id FROM measures WHERE name = ?", (wanted.sort,)).fetchone()
        measure = row[0] if row else 0
        period, bounds = _period(wanted)
        among, values = _among(facets, others)
        direction = "ASC" if wanted.ascending else "DESC"
        table = "results INDEXED BY results_by_value"
        if bounds:
            table += " CROSS JOIN listing USING (number, facet)"
        where = f"FROM {table} WHERE measure = ? AND {among} AND {period}"
        found = self._firsts(
            f"SELECT number {where} ORDER BY value {direction}, number {direction} LIMIT ? OFFSET ?",
            *(measure, *values, *bounds, limit, offset),
        )
        if len(found) == limit:
            return found
        measured = len(found)
        if offset:
            measured = self._db.execute(f"SELECT count(*) {where}", (measure, *values, *bounds)).fetchone()[0]
        none = "NOT EXISTS (SELECT 1 FROM results WHERE results.number = listing.number AND measure = ?)"
        return found + self._firsts(
            f"SELECT number FROM listing INDEXED BY listing_created WHERE {among} AND {period} AND {none}"
            " ORDER BY created_at DESC, number DESC LIMIT ? OFFSET ?",
            *(*values, *bounds, measure, limit - len(found), max(offset - measured, 0)),
        )

    def _firsts(self, query: str, *values: Any) -> list[Any]:
        """The first column of each row."""
        return [row[0] for row in self._db.execute(query, values)]

    def _walk_costs(self, runs: int, until: int) -> float:
        """Microseconds to walk an index until so many of these runs were met."""
        return min(until / max(runs, 1), 1.0) * self._total() * _WALKED

    def _total(self) -> int:
        return int(self._db.execute("SELECT coalesce(sum(runs), 0) FROM facets").fetchone()[0])


def _tests(wanted: OperationQuery) -> tuple[list[str], list[Any]]:
    """Conditions of a facet, all but the words that are searched for."""
    shelves = shown(wanted.archived)
    tests, values = [f"shelf IN ({', '.join(map(str, map(int, shelves)))})"], list[Any]()
    for column in ("kind", "strategy", "symbol", "timeframe"):
        if given := getattr(wanted, column):
            tests.append(f"{column} = ?")
            values.append(given)
    if wanted.states:
        tests.append(f"state IN ({', '.join('?' * len(wanted.states))})")
        values += [state.value for state in wanted.states]
    if wanted.starred:
        tests.append("star = 1")
    for tag in (term[4:] for term in _terms(wanted) if term.startswith("tag:")):
        tests.append("instr(tags, ?) > 0")
        values.append(f" {tag} " if tag else " ")
    return tests, values


def _terms(wanted: OperationQuery) -> list[str]:
    return wanted.search.lower().split()


def _text_terms(wanted: OperationQuery) -> list[str]:
    return [term for term in _terms(wanted) if not term.startswith("tag:")]


def _period(wanted: OperationQuery) -> tuple[str, list[float]]:
    tests, values = ["1"], list[float]()
    if wanted.since is not None:
        tests.append("created_at >= ?")
        values.append(wanted.since)
    if wanted.until is not None:
        tests.append("created_at < ?")
        values.append(wanted.until)
    return " AND ".join(tests), values


def _among(facets: Collection[_Facet], others: Collection[int]) -> tuple[str, list[str]]:
    inside = "facet IN (SELECT value FROM json_each(?))"
    if not others:
        return inside, [_ids(facets)]
    return f"({inside} OR number IN (SELECT value FROM json_each(?)))", [_ids(facets), as_json(list(others))]


def _ids(facets: Collection[_Facet]) -> str:
    return as_json([facet.id for facet in facets])
