"""Addresses of static files that may be kept forever, and what is compressed on its way to a browser."""

import gzip
import re
from urllib.parse import urljoin

import pytest

from panel.views.templating import ASSETS, STATIC, _version
from panel.web.static_files import packed as brotli_of
from tests.support.inside import Answer, Inside, inside
from tests.support.scripted import Backend, operation, percent, served

GZIP = ("accept-encoding", "gzip, deflate, br, zstd")
STREAMS = ["/stream", "/stream/home", "/stream/op_x", "/stream/operations?id=op_x", "/api/operations/op_x/events"]
PAGES = ["/", "/operations", "/operations/op_x", "/start/training", "/data", "/strategies", "/models", "/workers"]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    backend = Backend()
    backend.operations["op_x"] = operation("op_x", progress=percent(12, "Epoch 1/9"))
    with served(backend.app) as address, inside(tmp_path_factory.mktemp("panel"), address + "/api/v1") as here:
        yield here


def unpacked(answer: Answer) -> bytes:
    return gzip.decompress(answer.body) if answer.header("content-encoding") == "gzip" else answer.body


def needed(here: Inside, page: str) -> dict[str, Answer]:
    """All files of the panel that a browser fetches for a page, by address, as they are sent."""
    found: dict[str, Answer] = {}
    left = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', unpacked(here.get(page, GZIP)).decode()))
    while left:
        address = left.pop()
        found[address] = here.get(address, GZIP)
        if address.endswith(".js") and "/vendor/" not in address:
            imported = re.findall(r'^import [^;]*?"(\./[^"]+)";', unpacked(found[address]).decode(), re.M)
            left |= {urljoin(address, name) for name in imported} - found.keys()
    return found


@pytest.mark.parametrize("page", PAGES)
def test_everything_that_a_page_needs_is_kept_for_a_year(here, page):
    files = needed(here, page)
    assert {f"{STATIC}/panel.css", f"{STATIC}/main.js"} <= files.keys()
    for address, answer in files.items():
        assert answer.status == 200 and address.startswith(f"{STATIC}/"), address
        assert answer.header("cache-control") == "public, max-age=31536000, immutable", address
        if "/vendor/" in address:
            file = ASSETS / "static" / address.removeprefix(f"{STATIC}/")
            assert answer.header("content-encoding") == "br" and answer.body == brotli_of(file).read_bytes()
            assert gzip.decompress(here.get(address, ("accept-encoding", "gzip")).body) == file.read_bytes()
            assert here.get(address).body == file.read_bytes()


@pytest.mark.parametrize(("page", "most"), [("/", 38), ("/operations", 39), ("/data", 38), ("/operations/op_x", 63)])
def test_a_first_visit_takes_no_more_than_it_has_to_and_a_second_12_kb(here, page, most):
    first, files = here.get(page, GZIP), needed(here, page)
    assert len(first.body) <= 12_000
    assert len(first.body) + sum(len(answer.body) for answer in files.values()) <= most * 1000


def test_an_address_without_the_current_version_is_asked_for_again(here):
    plain = here.get("/static/panel.css")
    assert plain.header("cache-control") == "no-cache" and plain.header("vary") == "Accept-Encoding"
    tag = plain.header("etag")
    assert here.get("/static/panel.css", ("if-none-match", tag)).status == 304
    packed = here.get("/static/panel.css", GZIP)
    assert packed.header("etag") != tag and unpacked(packed) == plain.body
    assert here.get("/static/panel.css", GZIP, ("if-none-match", tag)).status == 200, "another representation"
    for path in (
        "/static/0123456789ab/panel.css",
        f"{STATIC}",
        f"{STATIC}/",
        f"{STATIC}/../app.py",
        f"{STATIC}/vendor",
    ):
        assert here.get(path).status == 404, path
    head = here.ask("HEAD", f"{STATIC}/panel.css", [("host", here.host)])
    assert (head.status, head.body, head.header("content-length")) == (200, b"", str(len(plain.body)))


def test_a_changed_renamed_or_added_file_changes_the_version(tmp_path):
    (tmp_path / "a.js").write_text("1")
    versions = [_version(tmp_path)]
    (tmp_path / "a.js").write_text("2")
    versions.append(_version(tmp_path))
    (tmp_path / "a.js").rename(tmp_path / "b.js")
    versions.append(_version(tmp_path))
    (tmp_path / "c.js").touch()
    versions.append(_version(tmp_path))
    assert len(set(versions)) == 4 and versions[-1] == _version(tmp_path)


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_compressed_for_those_who_can_read_it(here, page):
    packed, plain = here.get(page, GZIP), here.get(page)
    assert packed.header("content-encoding") == "gzip" and "Accept-Encoding" in packed.header("vary")
    assert int(packed.header("content-length")) == len(packed.body) < len(plain.body) / 2
    assert not plain.header("content-encoding") and unpacked(packed)[:15] == b"<!doctype html>"


@pytest.mark.parametrize("stream", STREAMS)
def test_streams_are_never_compressed(here, stream):
    answer = here.get(stream, GZIP)
    assert answer.header("content-type").startswith("text/event-stream")
    assert not answer.header("content-encoding") and answer.body


def test_what_another_site_linked_to_is_not_compressed(here):
    """It could have put its guesses into the query, and learn from the size whether they are right."""
    for site, packed in (("none", "gzip"), ("same-origin", "gzip"), ("same-site", ""), ("cross-site", "")):
        link = [("sec-fetch-site", site), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]
        assert here.get("/operations?q=guess", GZIP, *link).header("content-encoding") == packed, site
