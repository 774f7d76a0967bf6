"""Random bars in random dialects come back as they were, or the right question is asked."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from panel.files.reading import read
from panel.files.values import Answers, Reading

ZONES = ("UTC", "America/New_York", "Etc/GMT+5", "Asia/Kolkata")
# a name, how a time is written, and which questions it may leave open
TIMES = {
    "iso": ("%Y-%m-%dT%H:%M:%SZ", ()),
    "iso without a zone": ("%Y-%m-%d %H:%M:%S", ("zone",)),
    "dots": ("%Y.%m.%d %H:%M", ("zone",)),
    "german": ("%d.%m.%Y %H:%M:%S", ("zone",)),
    "british": ("%d/%m/%Y %H:%M", ("zone", "dates")),
    "american": ("%m/%d/%Y %I:%M %p", ("zone", "dates")),
    "digits": ("%Y%m%d %H%M%S", ("zone",)),
    "month name": ("%d-%b-%Y %H:%M", ("zone",)),
}
COUNTED = {"seconds": 1, "milliseconds": 1000, "microseconds": 1_000_000}
HEADERS = (
    ("time", "open", "high", "low", "close", "volume"),
    ("Date", "Open", "High", "Low", "Close", "Volume"),
    ("<DATE>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>"),
    ("Datum", "Eröffnung", "Hoch", "Tief", "Schluss", "Volumen"),
)


@st.composite
def files(draw):
    """A file's bytes, its bars, the answers that it may need, and what may be asked."""
    step = draw(st.sampled_from([60, 300, 3600, 14_400, 86_400]))
    start = draw(st.integers(-83_000, 400_000)) * 7200 // step * step
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))  # from 1951 on: before that zones changed by odd seconds
    places = sorted(draw(st.sets(st.integers(0, 60), min_size=4, max_size=30)) | {0, 1, 2, 3})
    price = draw(st.sampled_from([0.0123, 1.1, 95.5, 2345.5, 65_432.1]))
    changes = draw(st.lists(st.floats(-0.01, 0.01), min_size=len(places), max_size=len(places)))
    closes = np.round(price * np.cumprod(1 + np.array(changes)), 5)
    opens = np.append(np.round(price, 5), closes[:-1])
    highs = np.round(np.maximum(opens, closes) * 1.001, 5)
    lows = np.round(np.minimum(opens, closes) * 0.999, 5)
    volumes = draw(st.lists(st.integers(0, 10**9), min_size=len(places), max_size=len(places)))
    times = [start + place * step for place in places]

    # Times that begin in the second of an hour that came twice read as those of the first: nothing in them tells.
    assume(datetime.fromtimestamp(start, zone).fold == 0)

    # Within three years of 1970 a count may be of seconds or of milliseconds.
    how = draw(st.sampled_from([*TIMES, *COUNTED] if abs(start) > 110_000_000 else [*TIMES]))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    comma = draw(st.booleans())
    quoted = draw(st.booleans()) or (comma and delimiter == ",")
    header = draw(st.sampled_from([None, *HEADERS]))
    last_end = draw(st.booleans())

    def number(value):
        text = f"{value:.5f}"
        return text.replace(".", ",") if comma else text

    def moment(at):
        if how in COUNTED:
            return str(at * COUNTED[how])
        return datetime.fromtimestamp(at, UTC).astimezone(zone if how != "iso" else UTC).strftime(TIMES[how][0])

    def row(fields):
        return delimiter.join(f'"{field}"' for field in fields) if quoted else delimiter.join(fields)

    lines = [
        row([moment(at), *map(number, prices), str(volume)])
        for at, *prices, volume in zip(times, opens, highs, lows, closes, volumes, strict=True)
    ]
    if draw(st.booleans()):
        lines.reverse()
    lines = ([row(header)] if header else []) + lines
    end = draw(st.sampled_from(["\n", "\r\n"]))
    text = end.join(lines) + (end if last_end else "")
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]))
    rows = list(zip(times, opens, highs, lows, closes, volumes, strict=True))
    allowed = () if how in COUNTED else TIMES[how][1]
    dates = "month-first" if how == "american" else "day-first"
    answers = Answers(zone=zone.key if "zone" in allowed else "", dates=dates if "dates" in allowed else "")
    return text.encode(encoding), rows, answers, allowed


def same(reading: Reading, rows) -> bool:
    found = reading.bars
    columns = (found.times, found.open, found.high, found.low, found.close, found.volume)
    return len(found) == len(rows) and all(
        (np.asarray(column) == np.array([row[place] for row in rows])).all() for place, column in enumerate(columns)
    )


@settings(max_examples=80)
@given(files())
def test_the_same_bars_come_back_or_the_right_question_is_asked(file):
    data, rows, answers, allowed = file
    asked = read(data, "prices.csv")
    assert {question.key for question in asked.questions} <= {*allowed}
    if not asked.questions and not answers.zone and not answers.dates:
        assert same(asked, rows)
    reading = read(data, "prices.csv", answers)
    assert not reading.questions and not reading.left_out
    assert same(reading, rows)


def test_the_check_can_fail():
    data = b"time,open,high,low,close,volume\n2024-01-01T00:00:00Z,1,2,1,1,5\n2024-01-02T00:00:00Z,1,2,1,1,5\n"
    rows = [
        (int((datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day)).timestamp()), 1, 2, 1, 1, 5) for day in (0, 1)
    ]
    assert same(read(data, "x.csv"), rows)
    assert not same(read(data.replace(b",5\n", b",6\n", 1), "x.csv"), rows)
