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


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/start/training", TRAINING | {"symbols": [1]}, "symbols"),
        ("/api/operations/change", {"do": "star", "ids": ["op_a", 5]}, "ids"),
        ("/api/operations/change", {"do": "star", "match": {"state": ["nope"]}}, "state"),
        ("/api/schedules", SCHEDULE | {"form": {"symbol": ["x"]}}, "symbol"),
        ("/api/batches", {"strategy_name": "swing", "settings": {"training.epochs": [None]}}, "training.epochs"),
        ("/api/operations/change", [], "body"),
    ],
)
def test_a_refusal_names_a_field_and_never_a_position(here, path, body, field):
    answer = json.loads(send(here, path, json.dumps(body).encode()).body)
    assert answer["status"] == 422 and [each["field"] for each in answer["errors"]] == [field]


def test_what_is_wrong_in_an_address_or_no_json_is_named_too(here):
    wrong = json.loads(here.get("/api/operations?state=nope&limit=0").body)
    assert {each["field"] for each in wrong["errors"]} == {"state", "limit"}
    broken = json.loads(send(here, "/api/start/training", b'{"a": }').body)
    assert broken["errors"][0]["field"] == "body" and "no JSON from character 6 on" in broken["detail"]


def test_a_post_without_a_key_is_told_which_header_is_missing(here):
    own = [("host", here.host), ("content-type", "application/json"), ("content-length", "2")]
    missing = here.ask("POST", "/api/start/training", own, b"{}")
    assert missing.status == 403 and "Idempotency-Key" in json.loads(missing.body)["detail"]
    chunked = [("host", here.host), ("idempotency-key", "some-key-1"), ("transfer-encoding", "chunked")]
    refused = here.ask("POST", "/api/start/training", chunked, b"{}")
    assert refused.status == 411 and "Content-Length" in json.loads(refused.body)["detail"]


def test_too_many_fields_are_not_a_wrong_address(here):
    many = here.post("/start/data_load", {f"field_{n}": "x" for n in range(60)})
    assert many.status == 400 and "Too many fields" in words(many.text)


def test_every_answer_of_the_description_is_a_problem(here):
    """As FastAPI would describe them, those to wrong parameters have another form."""
    for path, ways in json.loads(here.get("/api/openapi.json").body)["paths"].items():
        for method, way in ways.items():
            wrong = {status: answer for status, answer in way["responses"].items() if status >= "400"}
            assert {"401", "421", "422", "429"} | ({"403"} if method == "post" else set()) <= wrong.keys(), path
            assert {tuple(answer["content"]) for answer in wrong.values()} == {("application/problem+json",)}, path
