from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browsers import Watched, chromium, watched_page


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One for all tests of this folder. Beside it nothing else can run a loop of asyncio in their thread."""
    with chromium() as opened:
        yield opened


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    with watched_page(browser) as page:
        yield page
