"""Importing on the page: nothing is stored that was not seen and decided, and what was there is kept."""

import io
import json
import os
import zipfile
from datetime import timedelta
from html import unescape

import pytest

from tests.support.accounts import ANNA, log_in, two_users
from tests.support.imports import BOUNDARY, NOBODY, drop, form, importing, looked, send, upload
from tests.support.inside import inside
from tests.support.market_files import bars, ktrdr, written
from tests.support.pages import KEY, words
from tests.support.refused import assert_marked

GOOD = ("EURUSD_1h.csv", ktrdr(bars()).encode())
MT4 = written(bars(), "", lambda at: f"{at:%Y.%m.%d,%H:%M}").encode()


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    with importing(tmp_path_factory.mktemp("panel")) as here:
        yield here


@pytest.fixture
def folder(panel):
    for path in panel.settings.ktrdr_data_folder.iterdir():
        path.unlink()
    return panel.settings.ktrdr_data_folder


def test_the_page_says_where_files_go(panel, folder):
    page = panel.get("/data/import").text
    assert str(folder) in page and 'enctype="multipart/form-data"' in page
    assert 'href="/data/import"' in panel.get("/data").text


def test_a_changed_answer_is_shown_before_anything_is_stored(panel, folder):
    place, page = drop(panel, ("EURUSD60.csv", MT4))
    assert "2023-12-31 22:00 to 2024-01-05 21:00 UTC" in words(page)
    page = send(panel, place, {"act": "look", "zone": "Etc/GMT+5", "symbol": "EURUSD", "timeframe": "1h"})
    assert "2024-01-01 05:00 to" in words(page)
    page = send(panel, place, {"act": "store", "zone-other": "Asia/Tokyo", "symbol": "EURUSD", "timeframe": "1h"})
    assert "Look at it again, then store it." in page and "2023-12-31 15:00 to" in words(page)
    page = send(panel, place, {"act": "store", "zone-other": "Asia/Tokyo", "symbol": "gbpusd", "timeframe": "1h"})
    assert "Look at it again" in page and "120 bars of GBPUSD 1h" in page and not list(folder.iterdir())
    assert "Stored." in send(panel, place, {"act": "store"})
    assert (folder / "GBPUSD_1h.csv").read_text().splitlines()[1].startswith("2023-12-31T15:00:00Z,1.1,")


def test_what_a_file_is_of_can_stand_in_the_address(panel, folder):
    about = "?symbol=gbpusd&timeframe=4h"
    assert 'action="/data/import?symbol=GBPUSD&amp;timeframe=4h"' in panel.get(f"/data/import{about}").text
    answer = upload(panel, form(("EURUSD60.csv", MT4)), about=about)
    page = looked(panel, answer.header("location"))
    assert 'value="GBPUSD"' in page and "120 bars of GBPUSD 4h" in words(page)
    answer = upload(panel, form(("EURUSD60.csv", MT4)), about="?symbol=..&timeframe=7x")
    assert 'value="EURUSD"' in looked(panel, answer.header("location"))


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ({"symbol": "../../x"}, "is no symbol"),
        ({"timeframe": "7x"}, "is none of the timeframes"),
        ({"zone-other": "Mars/Olympus"}, "zone"),
    ],
)
def test_what_makes_no_sense_is_refused_and_can_be_corrected(panel, folder, typed, reason):
    place, _ = drop(panel, ("EURUSD60.csv", MT4))
    page = send(panel, place, {"act": "look", "zone": "UTC", **typed})
    assert reason in words(page).partition("Not stored.")[2] and "Which zone" in unescape(page)
    send(panel, place, {"act": "look", "zone-other": "", "zone": "UTC", "symbol": "EURUSD", "timeframe": "1h"})
    assert "Stored." in send(panel, place, {"act": "store"}) and (folder / "EURUSD_1h.csv").exists()


def test_all_that_makes_no_sense_is_said_at_its_field(panel, folder):
    place, _ = drop(panel, ("EURUSD60.csv", MT4))
    page = panel.post(place, {"act": "look", "symbol": "EURUSD"}, ("hx-request", "true")).text
    assert page.count(" data-focus") == 1 and page.index(" data-focus") > page.index('name="zone"'), "it is asked next"
    assert " data-focus" not in looked(panel, place)
    wrong = {"act": "look", "zone-other": "Mars/Phobos", "symbol": "a b/c", "timeframe": "7x"}
    page = panel.post(place, wrong, ("hx-request", "true"))
    assert page.status == 200 and "120 bars of EURUSD 1h" in words(page.text)
    assert_marked(page.text, {"zone-other", "symbol", "timeframe"})
    for typed in ("Mars/Phobos", "A B/C", "7x"):
        assert f"“{typed}” is" in page.text.partition('<form data-operator class="start"')[2]
    right = {"act": "look", "zone-other": "", "zone": "UTC", "symbol": "EURUSD", "timeframe": "1h"}
    page = panel.post(place, right, ("hx-request", "true")).text
    assert "data-refused" not in page and "aria-invalid" not in page and "data-focus" not in page
    page = panel.post(place, {"act": "store"}, ("hx-request", "true")).text
    assert 'tabindex="-1" data-focus' in page and (folder / "EURUSD_1h.csv").exists()


def test_stored_bars_are_merged_or_replaced_only_on_request(panel, folder):
    old = bars(100)
    (folder / "EURUSD_1h.csv").write_text(ktrdr(old))
    new = [(row[0], 2.0, 2.1, 1.9, 2.0, 5.0) for row in bars(120)]
    place, page = drop(panel, ("EURUSD_1h.csv", ktrdr(new).encode()))
    assert "is stored already" in page and "100 times are in both, 100 of them with other prices" in words(page)
    page = send(panel, place, {"act": "store"})
    assert "something is left to decide" in page and [path.name for path in folder.iterdir()] == ["EURUSD_1h.csv"]
    page = send(panel, place, {"act": "store", "existing": "merge"})
    lines = (folder / "EURUSD_1h.csv").read_text().splitlines()
    assert "120 bars, 20 of them new" in words(page) and lines[1].split(",")[1] == "1.1" and len(lines) == 121
    (kept,) = folder.glob("*.bak")
    assert kept.read_text() == ktrdr(old) and kept.name in page
    place, _ = drop(panel, ("EURUSD_1h.csv", ktrdr(new).encode()))
    send(panel, place, {"act": "store", "existing": "replace"})
    assert (folder / "EURUSD_1h.csv").read_text().splitlines()[1].split(",")[1] == "2.0"
    assert len(list(folder.glob("*.bak"))) == 2


def test_a_file_that_cannot_be_used_is_replaced_from_its_own_copy(panel, folder):
    bad = ktrdr(bars()).replace("2024-01-03T21", "garbage")
    (folder / "EURUSD_1h.csv").write_text(bad)
    answer = panel.post("/data/import-stored", {"file": "EURUSD_1h.csv"})
    place = answer.header("location")
    page = send(panel, place, {"act": "look"})
    assert "EURUSD_1h.csv cannot be used." in page and "line 71" in page
    send(panel, place, {"act": "store", "leave_out": "1", "existing": "replace"})
    assert len((folder / "EURUSD_1h.csv").read_text().splitlines()) == 120
    (kept,) = folder.glob("*.bak")
    assert kept.read_text() == bad


@pytest.mark.parametrize(
    "name", ["", "none.csv", "../panel/x", "/etc/passwd", ".hidden.csv", "link.csv", "pipe.csv", "a\0b"]
)
def test_only_regular_files_of_the_data_folder_are_taken_from_there(panel, folder, name):
    import os

    (folder / ".hidden.csv").write_text("x")
    (folder / "link.csv").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe.csv")
    assert panel.post("/data/import-stored", {"file": name}).status == 404


def test_an_archive_is_looked_at_and_stored_one_file_after_another(panel, folder):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for month in (1, 2, 3):  # of one symbol: each is merged into what came before
            rows = bars(48, start=bars()[0][0] + (month - 1) * timedelta(days=31))
            text = written(rows, "", lambda at: f"{at:%Y.%m.%d,%H:%M}")
            archive.writestr(f"a/EURUSD60-2024-{month:02}.csv", text)
        archive.writestr("b/nothing.csv", "x")
    place, page = drop(panel, ("all.zip", out.getvalue()))
    assert words(page).count("To decide: zone of its times") == 3 and "Line 1: No columns" in words(page)
    page = send(panel, place, {"act": "look", "zone": "UTC", "existing": "merge", "timeframe": "1h"}, "/all")
    assert "Store the 3 files that are ready" in page and not list(folder.iterdir())
    page = send(panel, place, {"act": "store"}, "/all")
    assert words(page).count("Stored") == 3, words(page)
    assert len((folder / "EURUSD_1h.csv").read_text().splitlines()) == 1 + 3 * 48


def test_without_a_data_folder_the_file_is_made_to_be_downloaded(tmp_path):
    with importing(tmp_path, data=False) as here:
        page = words(here.get("/data/import").text)
        assert "KTRDR takes data only from its own source" in page and "KTRDR_DATA_DIR" in page
        place, _ = drop(here, ("EURUSD60.csv", MT4))
        assert here.get(f"{place}/file").status == 404
        send(here, place, {"act": "look", "zone": "UTC"})
        page = send(here, place, {"act": "store"})
        assert "Download EURUSD_1h.csv" in words(page)
        answer = here.get(f"{place}/file")
        assert answer.header("content-disposition") == 'attachment; filename="EURUSD_1h.csv"'
        assert answer.text.splitlines()[0] == ",open,high,low,close,volume" and len(answer.text.splitlines()) == 121
        assert here.post("/data/import-stored", {"file": "x.csv"}).status == 404


def test_an_upload_that_is_discarded_or_unknown_is_gone(panel, folder):
    place, _ = drop(panel, GOOD)
    upload = place.rpartition("/")[0]
    home = panel.settings.data_folder / "panel"
    kept = list(home.glob("*.imports/*"))
    assert panel.post(f"{upload}/forget", {}).header("location") == "/data/import"
    assert len(list(home.glob("*.imports/*"))) == len(kept) - 1
    for path in (place, upload, f"{upload}/99", "/data/import/zzz/0"):
        assert panel.get(path).status == 404


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (form(), None, "No file was chosen"),
        (form(("", b"x")), None, "No file was chosen"),
        (form(GOOD, field="other"), None, "No file was chosen"),
        (form(*([("a.csv", b"x")] * 51)), None, "Up to 50 files"),
        (b"file=x", "application/x-www-form-urlencoded", "not the form of this page"),
        (b"garbage", None, "not the form of this page"),
        (form(GOOD), "multipart/form-data", "not the form of this page"),
        (b"--x\r\n" + b"A" * 5000, "multipart/form-data; boundary=x", "not the form of this page"),
    ],
    ids=["empty", "no name", "another field", "many", "another form", "garbage", "no boundary", "long header"],
)
def test_another_body_than_the_forms_is_refused(panel, body, kind, reason):
    before = list((panel.settings.data_folder / "panel").glob("*.imports/*"))
    answer = upload(panel, body, kind or f"multipart/form-data; boundary={BOUNDARY}")
    assert answer.status == 422 and reason in words(answer.text)
    assert list((panel.settings.data_folder / "panel").glob("*.imports/*")) == before


def test_names_of_files_are_texts(panel, folder):
    place, page = drop(panel, ("..\\..\\x<script>alert(1)\x1b[2J.csv", GOOD[1]))
    assert "<script>alert" not in page and "\x1b" not in page and "x&lt;script&gt;" in page


def test_what_was_brought_and_decided_outlives_a_restart(tmp_path):
    with importing(tmp_path) as here:
        place, _ = drop(here, ("EURUSD60.csv", MT4))
        send(here, place, {"act": "look", "zone": "Etc/GMT+5", "symbol": "GBPUSD", "timeframe": "1h"})
        several, _ = drop(here, GOOD, ("broken.csv", b"a,b\n1,2\n"))
    with importing(tmp_path) as here:
        listed = here.get("/data/import").text
        assert f'href="{place}"' in listed and f'href="{several}"' in listed and "EURUSD_1h.csv and 1 more" in listed
        page = looked(here, place)
        assert "2024-01-01 05:00 to" in words(page) and "120 bars of GBPUSD 1h" in page
        assert "Stored." in send(here, place, {"act": "store"})
        assert "broken.csv" in looked(here, several)
        assert f'href="{place}"' not in here.get("/data/import").text


def test_whatever_the_panel_keeps_its_own_account_alone_can_read(tmp_path):
    """An upload, a start, users and a session, under an account whose files are open to all."""
    before = os.umask(0)
    try:
        with importing(tmp_path) as here:
            place, _ = drop(here, ("EURUSD60.csv", MT4))
            here.post("/start/training", {"key": KEY, "strategy_name": "rsi_swing", "insist": "1"})
        two_users(tmp_path / "panel")
        with importing(tmp_path) as here:
            assert here.get(place, log_in(here, "anna", ANNA)).status == 200
    finally:
        os.umask(before)
    kept = [tmp_path / "panel", *(tmp_path / "panel").rglob("*")]
    assert {"access.json", "sessions-8321.json", "upload.json"} <= {each.name for each in kept}
    assert [str(each) for each in kept if each.stat().st_mode & 0o077] == []


def test_a_file_that_was_not_looked_at_before_the_end_is_looked_at_then(tmp_path):
    with importing(tmp_path) as here:
        place, _ = drop(here, GOOD)
        (record,) = tmp_path.rglob("upload.json")
    kept = json.loads(record.read_text())
    kept["files"][0] |= {"summary": None, "looked_with": None}
    record.write_text(json.dumps(kept))
    with importing(tmp_path) as here:
        assert "120 bars" in words(looked(here, place))


@pytest.mark.parametrize("record", [b"", b"{}", b'{"id": "x"}'])
def test_a_record_that_cannot_be_read_costs_nothing_else(tmp_path, record):
    with importing(tmp_path) as here:
        place, _ = drop(here, GOOD)
        (file,) = tmp_path.rglob("upload.json")
    file.write_bytes(record)
    with importing(tmp_path) as here:
        assert here.get(place).status == 404 and here.get("/data/import").status == 200


def test_uploads_move_with_the_panels_data(tmp_path):
    (tmp_path / "one").mkdir()
    with importing(tmp_path / "one") as here:
        place, _ = drop(here, GOOD)
    (tmp_path / "one").rename(tmp_path / "two")
    with importing(tmp_path / "two") as here:
        looked(here, place)
        assert "Stored." in send(here, place, {"act": "store"})


def test_what_was_stored_in_another_folder_is_not_called_stored(tmp_path):
    (other := tmp_path / "other").mkdir()
    with importing(tmp_path) as here:
        place, _ = drop(here, GOOD)
        assert "Stored." in send(here, place, {"act": "store"})
    for _ in range(2):  # in the second folder nothing is stored; then it is, and a restart knows
        with inside(tmp_path / "panel", NOBODY, ktrdr_data_folder=other) as here:
            page = looked(here, place)
            if not (other / "EURUSD_1h.csv").exists():
                assert "Stored." not in page and "stored in another data folder" in words(page)
                page = send(here, place, {"act": "store"})
            assert "Stored." in page and (other / "EURUSD_1h.csv").exists()
