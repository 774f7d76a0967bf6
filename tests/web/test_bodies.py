"""Bodies that no program means: refused with the reason, and never an error of the panel's own."""

import json
from collections.abc import Iterator

import pytest

from tests.support.inside import Answer, Inside, inside
from tests.support.pages import KEY, words

LOAD = {"symbol": "EURUSD", "timeframe": "1h"}
SCHEDULE = {"kind": "data_load", "form": LOAD, "days": ["monday"], "at": "18:30", "zone": "UTC"}
TRAINING = {"strategy_name": "swing", "symbols": ["EURUSD"], "timeframes": ["1h"], "confirm": ["insist"]}
HALF = "\ud800"


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("panel"), "http://127.0.0.1:9/api/v1") as here:
        yield here


def send(here: Inside, path: str, body: bytes) -> Answer:
    own = [("host", here.host), ("content-type", "application/json"), ("idempotency-key", "some-key-1")]
    return here.ask("POST", path, [*own, ("content-length", str(len(body)))], body)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/start/data_load", LOAD | {"symbol": HALF}),
        ("/api/start/training", TRAINING | {"strategy_name": f"a{HALF}b"}),
        ("/api/start/training", TRAINING | {HALF: 1}),
        ("/api/schedules", SCHEDULE | {"zone": HALF}),
        ("/api/schedules", SCHEDULE | {"form": LOAD | {HALF: "x"}}),
        ("/api/operations/change", {"do": "star", "ids": [HALF]}),
        ("/api/operations/change", {"do": "star", "match": {"q": HALF}}),
        ("/api/operations/op_a/label", {"note": HALF}),
        ("/api/access/tokens", {"name": HALF, "role": "viewer"}),
        ("/api/nothing", HALF),
    ],
)
def test_half_a_character_is_refused_wherever_it_stands(here, path, body):
    answer = send(here, path, json.dumps(body).encode())
    assert answer.status == 422 and "surrogate" in json.loads(answer.body)["detail"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"symbol": "\xff"}', "not UTF-8"),
        (b'{"symbol": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"symbol": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", "nested too deeply"),
        (b'{"symbol": ' + b"1" * 6000 + b"}", "too many digits"),
    ],
)
def test_what_cannot_be_read_is_told_as_that(here, body, why):
    answer = send(here, "/api/start/data_load", body)
    assert answer.status == 422 and why in json.loads(answer.body)["detail"]


def test_whole_characters_of_any_plane_are_taken(here):
    path = "/api/operations/op_a/label"
    asked = send(here, path, b'{"note": "\\ud83d\\ude00"}'), send(here, path, '{"note": "😀"}'.encode())
    assert {answer.status for answer in asked} == {502}, "they are read; the backend of this panel is away"


def test_a_form_is_read_as_what_the_pages_send(here):
    """Other encodings can hold what no page can be drawn with."""
    part = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    fields = {b"key": KEY.encode(), b"symbol": b"\\ud800", b"timeframe": b"\\ud800"}
    body = b"".join(part % field for field in fields.items()) + b"--x--\r\n"
    own = [("host", here.host), ("sec-fetch-site", "same-origin"), ("content-length", str(len(body)))]

    def form(kind: str) -> Answer:
        return here.ask("POST", "/start/data_load", [*own, ("content-type", kind)], body)

    refused = form("multipart/form-data; boundary=x; charset=unicode_escape")
    assert refused.status == 422 and "has to be sent as UTF-8" in words(refused.text)
    for kind in ("multipart/form-data; boundary=x", "multipart/form-data; boundary=x; charset=UTF-8"):
        assert "is not a symbol" in words(form(kind).text)
