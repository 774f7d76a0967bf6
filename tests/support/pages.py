"""What tests read from pages and send to forms."""

import re
import time

KEY = "k" * 22  # a form's one-time key


def words(html: str) -> str:
    """What somebody reads."""
    html = re.sub(r"<(script|svg|title).*?</\1>", "", html, flags=re.S).replace("<wbr>", "").replace("&nbsp;", " ")
    html = re.sub(r'<time [^>]*data-show="clock">([^<]*)</time>', r"\1", html)
    html = re.sub(r'<span class="day">([\d-]+)</span>', r"\1", html)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def until(reached, timeout: float = 120) -> None:
    """Wait until `reached()` is true; fails after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.05)
