"""Importing by the page, as a browser without scripts does it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.inside import Answer, Inside, inside

NOBODY = "http://127.0.0.1:9/api/v1"  # a KTRDR that does not answer: importing needs none
BOUNDARY = "----simple"


@contextmanager
def importing(folder: Path, data: bool = True) -> Iterator[Inside]:
    """A panel in front of a KTRDR whose data folder it can reach, or not; a second one takes up what the first left."""
    market_data = folder / "market_data"
    market_data.mkdir(exist_ok=True)
    with inside(folder / "panel", NOBODY, ktrdr_data_folder=market_data if data else None) as here:
        yield here


def form(*files: tuple[str, bytes], field: str = "file") -> bytes:
    """A multipart body."""
    body = b""
    for name, content in files:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        body += head.encode() + b"Content-Type: text/csv\r\n\r\n" + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


def upload(
    here: Inside, body: bytes, kind: str = f"multipart/form-data; boundary={BOUNDARY}", about: str = ""
) -> Answer:
    own = [("host", here.host), ("sec-fetch-site", "same-origin"), ("content-type", kind)]
    return here.ask("POST", f"/data/import{about}", [*own, ("content-length", str(len(body)))], body)


def drop(here: Inside, *files: tuple[str, bytes]) -> tuple[str, str]:
    """Where the browser is led to, and the page there once everything was looked at."""
    answer = upload(here, form(*files))
    assert answer.status == 303, answer.text
    place = answer.header("location")
    return place, looked(here, place)


def send(here: Inside, place: str, fields: dict[str, str], path: str = "") -> str:
    """The page after the form was sent."""
    answer = here.post(place + path, fields)
    assert answer.status == 303, answer.text
    return looked(here, answer.header("location"))


def looked(here: Inside, place: str) -> str:
    """The page, once nothing is under way."""
    end = time.monotonic() + 120
    while True:
        answer = here.get(place)
        assert answer.status == 200, answer.text
        if "http-equiv" not in answer.text:
            return answer.text
        assert time.monotonic() < end, answer.text
