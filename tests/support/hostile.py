"""Answers that no backend should give: the real shapes with one thing or many made wrong, and no shape at all."""

import gzip
import json
import random
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tests.support import extremes
from tests.support.lasting import Lasting

# One start of each kind, as its form sends it.
STARTS = {
    "training": {"strategy_name": "swing", "insist": "1"},
    "data_load": {"symbol": "EURUSD", "timeframe": "1h", "mode": "tail"},
    "backtesting": {"strategy_name": "s", "start_date": "2020-01-01", "end_date": "2021-01-01", "model_path": "m"},
    "dummy": {},
}
CANARIES = (
    '"><img src=x onerror=alert(1)>',
    "<div hx-post=/x hx-trigger=load>canary</div>",
    "javascript:alert(1)",
    "'><script>alert(1)</script>",
    "</p></div></main><iframe src=/x></iframe>",
    "{{ 7 * 7 }}{% raise %}",
    "\r\revent: line\rdata: <img src=x>\r\r",
    "\u202egnp.exe\u0000\u0007",
    "A" * 5000,
    "\ud83d\ude00" * 50,
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**400,
    -1e308,
    float("nan"),
    float("inf"),
    "",
    "NaN",
    "9999-99-99T99:99:99Z",
    "0001-01-01T00:00:00+23:59",
    "completed",
    "dancing",
    [],
    {},
    [[]],
    [None, 1, "x", {}],
    {"a": {"b": []}},
    [{"operation_id": "../../etc"}],
    *CANARIES,
    *extremes.VALUES,
)


def spoiled(value: Any, chance: random.Random, share: float) -> Any:
    """The value with about this share of its parts replaced by something else."""
    if chance.random() < share:
        return chance.choice(VALUES)
    if isinstance(value, dict):
        kept = {name: spoiled(inner, chance, share) for name, inner in value.items() if chance.random() > share / 2}
        return kept | ({chance.choice(CANARIES): chance.choice(VALUES)} if chance.random() < share else {})
    if isinstance(value, list):
        return [spoiled(inner, chance, share) for inner in value] * (3 if chance.random() < share else 1)
    return value


def shapeless(chance: random.Random) -> Response:
    """Nothing that is JSON of the right kind, or nothing that is JSON."""
    raw = chance.choice(
        (
            b"",
            b"{",
            b'{"success": true, "data": {"operation_id": "op_',
            b"<html><body><img src=x onerror=alert(1)></body></html>",
            b"\xff\xfe\x00garbage\x80",
            b"[" * 20_000,
            b'{"data":' * 5_000,
            b"NaN",
            b'{"success": true, "data": NaN}',
            b"9" * 5_000,
            b'"just a string"',
            b"[]",
            b"null",
            b"true",
            b'{"success": false}',
            b'{"success": false, "error": null}',
            b'{"detail": [{"loc": [], "msg": 5}, null, "x"]}',
            b'{"data": [' + b"null," * 50_000 + b"null]}",
        )
    )
    status = chance.choice((200, 200, 200, 201, 204, 302, 307, 400, 404, 409, 418, 422, 429, 500, 502, 503, 599))
    headers = chance.choice(({}, {}, {}, {"location": "http://evil.test/"}, {"content-type": "text/html"}))
    if status == 204:
        raw = b""
    return Response(raw, status, headers)


def heavy(chance: random.Random) -> Response:
    if chance.random() < 0.5:
        return Response(gzip.compress(b"\0" * 50_000_000), 200, {"content-encoding": "gzip"})
    return Response(b'{"data": "' + b"x" * 9_000_000 + b'"}', 200)


class Hostile(Lasting):
    """A backend that answers rightly until `seed` is set, and then as that seed decides."""

    seed: int | None = None
    share = 0.1  # of the parts of an answer that are wrong

    async def _answer(self, request: Request) -> Response:
        right = await super()._answer(request)
        if self.seed is None:
            return right
        chance = random.Random(f"{self.seed} {request.method} {request.url.path} {self.hits.total()}")
        kind = chance.random()
        if kind < 0.15:
            return shapeless(chance)
        if kind < 0.155:
            return heavy(chance)
        body = json.dumps(spoiled(json.loads(right.body), chance, self.share)).encode()
        return Response(body, right.status_code if chance.random() > 0.1 else 200, {"content-type": "application/json"})


class Poisoned(Lasting):
    """A backend that is right in every number, and has a canary in every string that it may choose."""

    KEPT = ("operation_id", "task_id", "operation_type", "status", "worker_type", "current_operation_id", "worker_id")

    async def _answer(self, request: Request) -> Response:
        right = await super()._answer(request)
        return Response(json.dumps(self._poison(json.loads(right.body))).encode(), right.status_code)

    def _poison(self, value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: self._poison(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._poison(inner, name) for inner in value]
        dates = name.endswith(("_at", "dates", "_date"))
        if isinstance(value, str) and name not in self.KEPT and not dates:
            return value + "".join(CANARIES[:5])
        return value
