"""Stored bars as a file, from the data folder or asked for piece by piece."""

import io

import polars as pl
import pytest

from panel.embedded import market
from panel.embedded.bars import Bars
from panel.files.names import Named, named
from panel.files.reading import read
from panel.web.routes import export
from tests.support.bars import hours
from tests.support.imports import importing
from tests.support.inside import inside
from tests.support.market_files import bars, ktrdr
from tests.support.pages import until
from tests.support.scripted import Backend, served


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    with importing(tmp_path_factory.mktemp("panel")) as here:
        (here.settings.ktrdr_data_folder / "EURUSD_1h.csv").write_text(ktrdr(bars(100)))
        yield here


def test_all_of_it_or_a_period_comes_as_it_is_stored(here):
    whole = here.get("/data/EURUSD/1h/export")
    assert whole.text == ktrdr(bars(100)).replace(".0\n", "\n")
    assert whole.header("content-disposition") == 'attachment; filename="EURUSD_1h.csv"'
    part = here.get("/data/EURUSD/1h/export?start=2024-01-02&end=2024-01-03")
    assert len(part.text.splitlines()) == 49 and part.text.splitlines()[1].startswith("2024-01-02T00:00:00Z")
    assert '"EURUSD_1h_2024-01-02_2024-01-03.csv"' in part.header("content-disposition")
    assert not list((here.settings.data_folder / "panel").glob("*.imports/export-*"))


def test_parquet(here):
    answer = here.get("/data/EURUSD/1h/export?format=parquet&start=2024-01-05")
    frame = pl.read_parquet(io.BytesIO(answer.body))
    assert len(frame) == 4 and str(frame["time"][0]) == "2024-01-05 00:00:00+00:00"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("/data/EURUSD/1h/export?start=2030-01-01", 404),
        ("/data/NONE/1h/export", 404),
        ("/data/EURUSD/7x/export", 404),
        ("/data/EURUSD/1h/export?start=x", 422),
        ("/data/EURUSD/1h/export?end=0001-01-01", 422),
        ("/data/EURUSD/1h/export?format=xls", 422),
    ],
)
def test_what_is_not_there_or_makes_no_sense_is_refused(here, query, status):
    assert here.get(query).status == status
    assert not list((here.settings.data_folder / "panel").glob("*.imports/export-*"))


def test_without_the_folder_it_is_asked_for_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "READ_AT_ONCE", 40)
    backend = Backend()
    backend.bars = {("EURUSD", "1h"): hours(2)}
    with served(backend.app) as address, inside(tmp_path, address + "/api/v1") as here:
        assert here.get("/data/EURUSD/1h/export").status == 409
        here.post("/data/look", {})
        until(lambda: here.get("/data/EURUSD/1h/export").status == 200)
        answer = here.get("/data/EURUSD/1h/export")
        assert len(answer.text.splitlines()) == len(hours(2)) + 1, "each bar once"
        found = read(answer.body, "EURUSD_1h.csv").bars
        assert found.times.tolist() == hours(2) and set(found.close.tolist()) == {1.1}
        assert backend.hits["GET /data/EURUSD/1h"] > 3
        day = here.get("/data/EURUSD/1h/export?start=2024-01-02&end=2024-01-02").text.splitlines()
        assert len(day) == 25 and day[-1] == "2024-01-02T23:00:00Z,1,1.2,0.9,1.1,5"
        assert here.get("/data/EURUSD/1h/export?format=parquet").status == 422
        assert here.get("/data/EURUSD/1h/export?start=2030-01-01").status == 404


def test_bars_that_no_market_made_say_so_in_the_name_of_their_file(tmp_path):
    stored = Bars(tmp_path / "embedded" / "data")
    stored.folder.mkdir(parents=True)
    first, last = 1_704_067_200, 1_706_659_200  # January 2024
    stored.add("EURUSD", "1h", market.bars("EURUSD", "1h", first, last))
    stored.add("EURUSD", "4h", market.bars("EURUSD", "4h", first, last))
    with stored.file("EURUSD", "4h").open("a") as file:
        file.writelines(f"2030-01-{day:02}T00:00:00Z,1.1,1.2,1.0,1.1,5\n" for day in range(1, 31))
    stored.file("MINE", "1h").write_text(ktrdr(bars(100)))
    with inside(tmp_path, "") as here:

        def name(path: str) -> str:
            answer = here.get(path)
            assert answer.status == 200, answer.text
            return answer.header("content-disposition").partition("filename=")[2]

        assert name("/data/EURUSD/1h/export") == '"EURUSD_1h_sample.csv"'
        assert name("/data/EURUSD/1h/export?start=2024-01-03") == '"EURUSD_1h_2024-01-03_now_sample.csv"'
        assert name("/data/EURUSD/4h/export") == '"EURUSD_4h_partly-sample.csv"'
        assert name("/data/MINE/1h/export") == '"MINE_1h.csv"'
        assert here.get("/data/NONE/1h/export").status == 404
    assert named("EURUSD_1h_sample.csv") == named("EURUSD_1h_partly-sample.csv") == Named("EURUSD", "1h")
