"""More operations than a page should hold."""

from tests.support.history import seed
from tests.support.inside import inside
from tests.support.pages import words
from tests.support.scripted import operation, stamp


def test_home_shows_the_newest_of_many_that_run_and_links_to_the_others(address, backend, tmp_path):
    many = [operation(f"op_{number:02}", created_at=stamp(1_700_000_000 + number)) for number in range(60)]
    seed(tmp_path, address, *many)
    with inside(tmp_path, address) as here:
        page = here.get("/").text
        assert page.count('id="card-op_') == 50 and 'id="card-op_59"' in page and 'id="card-op_09"' not in page
        assert "Running now 60" in words(page) and '<a href="/operations?state=running">10 more</a>' in page
        stream = here.get("/stream/home").text
        assert stream.count("card-op_59") > 0 and stream.count("card-op_09") == 0
