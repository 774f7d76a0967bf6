"""Pages of the listing are what sorting everything would give, whichever way they are found."""

import random
from contextlib import closing
from pathlib import Path

import pytest

from panel.domain.history import OperationQuery
from panel.domain.labels import Label
from panel.domain.state import State
from panel.storage import finding
from panel.storage.facets import LIVE, Facets, Subject
from panel.storage.finding import Finder
from panel.storage.store import Storage

RUNS = 400
SORTS = ("created", "ended", "took", "name", "state", "test_accuracy")
FILTERS = (
    {},
    {"states": (State.COMPLETED,)},
    {"states": (State.FAILED,), "kind": "training"},
    {"strategy": "Trend"},
    {"since": 100.0, "until": 300.0},
    {"search": "swing"},
    {"search": "op_1"},
    {"search": "op"},
    {"states": (State.LOST,)},
)


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """(store, rows): every row as (number, id, kind, state, strategy, created, ended, seconds, accuracy)."""
    chance, rows = random.Random(7), []
    with closing(Storage(Path(tmp_path_factory.mktemp("finding")) / "panel.db")) as store:
        facets = Facets(store._db)
        measure = store.memory._measure("test_accuracy")
        for n in range(RUNS):
            kind, state = chance.choice(["training", "data_load"]), chance.choice(["completed", "failed", "running"])
            strategy = chance.choice(["swing", "Trend", "rsi"]) if kind == "training" else ""
            created, seconds = float(chance.randrange(400)), chance.choice([None, float(chance.randrange(50))])
            ended = None if state == "running" else created + 10
            subject = Subject(kind, state, strategy, "EURUSD", "1h", "no data" if state == "failed" else "")
            number = facets.file(None, f"op_{n}", subject, Label(), (created, ended, seconds))
            store._db.execute(
                "INSERT INTO operations (id, kind, live, state, strategy, symbol, timeframe, created_at, evidence, number)"
                " VALUES (?, ?, 0, ?, ?, '', '', ?, 'null', ?)",
                (f"op_{n}", kind, state, strategy, created, number),
            )
            accuracy = chance.choice([None, chance.random()]) if kind == "training" else None
            if accuracy is not None:
                store._db.execute(
                    "INSERT INTO results VALUES (?, ?, ?, (SELECT facet FROM listing WHERE number = ?))",
                    (number, measure, accuracy, number),
                )
            rows.append((number, f"op_{n}", kind, state, strategy, created, ended or LIVE, seconds, accuracy))
        yield store, rows


def matching(rows: list[tuple], wanted: OperationQuery) -> list[tuple]:
    def matches(row: tuple) -> bool:
        _, operation_id, kind, state, strategy, created, *_ = row
        words = wanted.search.split()
        return (
            (not wanted.kind or kind == wanted.kind)
            and (not wanted.states or state in wanted.states)
            and (not wanted.strategy or strategy == wanted.strategy)
            and (wanted.since is None or created >= wanted.since)
            and (wanted.until is None or created < wanted.until)
            and all(word in operation_id or word in f"{kind} {strategy} eurusd 1h".lower() for word in words)
        )

    return [row for row in rows if matches(row)]


def in_order(rows: list[tuple], wanted: OperationQuery) -> list[int]:
    ranks = {state.value: rank for rank, state in enumerate(State)}
    sign = 1 if wanted.ascending else -1
    newest = sorted(rows, key=lambda row: (-row[5], -row[0]))
    match wanted.sort:
        case "name":
            newest.sort(key=lambda row: (row[4] or "EURUSD").lower(), reverse=not wanted.ascending)
        case "state":
            newest.sort(key=lambda row: ranks[row[3]], reverse=not wanted.ascending)
        case "test_accuracy":
            there = sorted((row for row in newest if row[8] is not None), key=lambda row: sign * row[8])
            newest = there + [row for row in newest if row[8] is None]
        case _:
            at = {"created": 5, "ended": 6, "took": 7}[wanted.sort]
            newest = sorted(rows, key=lambda row: (-1.0 if row[at] is None else row[at], row[0]), reverse=sign < 0)
    return [row[0] for row in newest]


@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("walked", [0.0, 1e9], ids=["walked", "sorted"])
def test_every_page_is_the_one_that_sorting_everything_gives(listed, monkeypatch, sort, ascending, walked):
    monkeypatch.setattr(finding, "_WALKED", walked)
    store, rows = listed
    finder = finding.Finder(store._db)
    for given in FILTERS:
        wanted = OperationQuery(**given, sort=sort, ascending=ascending, limit=30)
        expected = in_order(matching(rows, wanted), wanted)
        for offset in (0, 30, max(len(expected) - 40, 0), len(expected), len(expected) + 9):
            page = OperationQuery(**given, sort=sort, ascending=ascending, limit=30, offset=offset)
            assert finder.find(page) == (expected[offset : offset + 30], len(expected)), page


def test_a_word_in_too_many_ids_gives_a_part_of_them(listed, monkeypatch):
    monkeypatch.setattr(finding, "BY_ID", 20)
    store, rows = listed
    page, count = finding.Finder(store._db).find(OperationQuery(search="op_", limit=50))
    assert count == 20 and page == in_order(rows, OperationQuery())[:20]


@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("sort", ["created", "ended", "took"])
def test_a_page_in_the_middle_is_walked_to_and_nothing_is_sorted_on_the_way(listed, sort, ascending):
    store, _ = listed
    statements: list[str] = []
    store._db.set_trace_callback(statements.append)
    try:
        Finder(store._db).find(OperationQuery(sort=sort, ascending=ascending, limit=10, offset=RUNS // 2 - 20))
    finally:
        store._db.set_trace_callback(None)
    (walk,) = [statement for statement in statements if "OFFSET" in statement]
    plan = store._db.execute(f"EXPLAIN QUERY PLAN {walk}").fetchall()
    assert [row[3] for row in plan if "B-TREE" in row[3]] == []
