"""`ktrdr-panel import`: looks, asks by options where there is no terminal, stores."""

import os
import pty
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from panel.cli.import_command import import_command
from panel.cli.main import main
from panel.embedded import market
from panel.embedded.bars import Bars
from tests.support.market_files import bars, ktrdr, written

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path):
    """Run it on a file of this name and text; returns exit code, output and complaints."""

    def ran(name, text, *options):
        file = tmp_path / "from" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        result = CliRunner().invoke(import_command(lambda: tmp_path / "data"), [str(file), *options])
        return result.exit_code, result.stdout, result.stderr

    return ran


def test_a_good_file_is_shown_and_stored(run, tmp_path):
    code, shown, _ = run("EURUSD_60.csv", ktrdr(bars()))
    assert code == 0 and "120 bars of EURUSD 1h, 2024-01-01 00:00 to 2024-01-05 23:00 UTC" in shown
    assert "Stored 120 bars, 120 of them new" in shown
    assert len((tmp_path / "data" / "EURUSD_1h.csv").read_text().splitlines()) == 121


def test_a_dry_run_only_looks(run, tmp_path):
    code, shown, _ = run("EURUSD60.csv", written(bars(), "", lambda at: f"{at:%Y.%m.%d,%H:%M}"), "--dry-run")
    assert code == 0 and "MetaTrader 4" in shown and "Europe/Athens: Eastern Europe" in shown and "(proposed)" in shown
    assert not (tmp_path / "data").exists()


DAYS_FIRST = written(bars(11), "Date,Open,High,Low,Close,Volume", lambda at: f"{at.hour + 1:02}/01/2024")
BAD_LINE = ktrdr(bars()).replace("2024-01-03T21", "garbage")


@pytest.mark.parametrize(
    ("name", "text", "complaint", "options"),
    [
        ("EURUSD60.csv", written(bars(), "", lambda at: f"{at:%Y.%m.%d,%H:%M}"), "--timezone Europe/Athens", ["--timezone", "UTC"]),
        ("X_1d.csv", DAYS_FIRST, "--dates day-first", ["--dates", "day-first"]),
        ("X_1h.csv", BAD_LINE, "--leave-out or --keep-bad", ["--leave-out"]),
        ("X_1d.csv", ktrdr(bars()), "--timeframe 1h", ["--timeframe", "1h"]),
        ("123.csv", ktrdr(bars()), "--symbol and --timeframe", ["--symbol", "X"]),
        ("X_1h.csv", ktrdr(bars()).replace(",volume", ",open"), "--column open=2", ["--column", "open=2"]),
    ],
)  # fmt: skip
def test_without_a_terminal_the_option_that_decides_is_named(run, tmp_path, name, text, complaint, options):
    code, _, errors = run(name, text)
    assert code == 2 and complaint in errors and errors.endswith("Nothing was stored.\n")
    assert not (tmp_path / "data").exists()
    assert run(name, text, *options)[0] == 0
    assert len(list((tmp_path / "data").glob("*.csv"))) == 1


def test_merging_into_sample_data_says_what_it_does(tmp_path):
    """Before it is asked, or where an option has answered; not where the sample data goes away."""
    start = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
    sample = market.bars("EURUSD", "1h", start, start + 20 * 86_400)
    Bars(tmp_path / "home" / "embedded" / "data").add("EURUSD", "1h", sample)
    (tmp_path / "EURUSD_1h.csv").write_text(ktrdr(bars()))
    environ = {"KTRDR_PANEL_DATA_DIR": str(tmp_path / "home"), "KTRDR_API_CLIENT_BASE_URL": ""}

    def imported(*options):
        result = CliRunner().invoke(main, ["import", str(tmp_path / "EURUSD_1h.csv"), *options], env=environ)
        return result.exit_code, " ".join(result.stderr.split())

    words = "EURUSD 1h is sample data. Merged, your bars are mixed with it, and no load adds to them."
    asked, asked_words = imported()
    assert asked == 2 and words in asked_words
    code, said = imported("--existing", "merge")
    assert code == 0 and words in said
    code, said = imported("--existing", "replace")
    assert code == 0 and words not in said


def test_stored_bars_are_merged_only_on_request(run, tmp_path):
    run("EURUSD_1h.csv", ktrdr(bars(50)))
    before = (tmp_path / "data" / "EURUSD_1h.csv").read_bytes()
    code, shown, errors = run("EURUSD_1h.csv", ktrdr(bars(60)))
    assert code == 2 and "Stored are 50 bars; 50 times are in both, 0 with other prices." in shown
    assert "--existing merge" in errors and (tmp_path / "data" / "EURUSD_1h.csv").read_bytes() == before
    code, shown, _ = run("EURUSD_1h.csv", ktrdr(bars(60)), "--existing", "merge")
    assert code == 0 and "Stored 60 bars, 10 of them new" in shown and "The old file is kept" in shown


def test_it_belongs_to_the_command_line_and_goes_where_the_backend_reads(tmp_path):
    file, theirs = tmp_path / "EURUSD_1h.csv", tmp_path / "theirs"
    file.write_text(ktrdr(bars()))
    theirs.mkdir()

    def imported(*options, **environ):
        environ = {"KTRDR_PANEL_DATA_DIR": str(tmp_path / "home"), "KTRDR_API_CLIENT_BASE_URL": "", **environ}
        return CliRunner().invoke(main, ["import", str(file), *options], env=environ)

    assert imported().exit_code == 0
    stored = tmp_path / "home" / "embedded" / "data" / "EURUSD_1h.csv"
    assert len(stored.read_text().splitlines()) == 121
    ktrdrs = {"KTRDR_API_CLIENT_BASE_URL": "http://127.0.0.1:9/api/v1"}
    refused = imported(**ktrdrs)
    assert refused.exit_code == 1 and "--into FOLDER, or KTRDR_DATA_DIR" in refused.output
    for options, more in ((["--into", str(theirs)], {}), ([], {"KTRDR_DATA_DIR": str(theirs)})):
        assert imported(*options, **ktrdrs, **more).exit_code == 0
        assert (theirs / "EURUSD_1h.csv").read_bytes() == stored.read_bytes()
        (theirs / "EURUSD_1h.csv").unlink()


def test_what_cannot_be_read_is_refused_in_a_sentence(run):
    code, shown, errors = run("EURUSD_1h.csv", "<html><body>404</body></html>")
    assert code == 1 and shown == "" and errors.startswith("EURUSD_1h.csv: line 1: This is a web page")
    assert run("EURUSD_1h.csv", "")[2].startswith("EURUSD_1h.csv: line 1: The file is empty.")


def test_an_archive_is_imported_file_by_file(run, tmp_path):
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("EURUSD_1h.csv", ktrdr(bars()))
        archive.writestr("BAD_1h.csv", "x\n")
        archive.writestr("GBPUSD_1h.csv", ktrdr(bars(50)))
    code, _, errors = run("some.zip", (tmp_path / "some.zip").read_bytes())
    assert code == 1 and errors.startswith("BAD_1h.csv: line 1:")
    assert sorted(path.name for path in (tmp_path / "data").glob("*")) == ["EURUSD_1h.csv", "GBPUSD_1h.csv"]


def test_what_a_file_says_never_reaches_the_terminal_as_it_is(run):
    _, shown, errors = run("X_1h.csv", "\x1b]0;owned\x07,\x1b[31mred\n1,2\n")
    assert "\x1b" not in shown + errors and "\x07" not in shown + errors


def test_at_a_terminal_it_asks(tmp_path):
    """With answers typed in: the zone proposed, by return."""
    file = tmp_path / "EURUSD60.csv"
    file.write_text(written(bars(), "", lambda at: f"{at:%Y.%m.%d,%H:%M}"))
    program = (
        "from pathlib import Path; from panel.cli.import_command import import_command; "
        f"import_command(lambda: Path({str(tmp_path / 'data')!r}))()"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(file)], stdin=theirs, stdout=subprocess.DEVNULL, cwd=ROOT
    )
    os.close(theirs)
    os.write(ours, b"\n")
    try:
        assert process.wait(240) == 0
    finally:
        process.kill()
        os.close(ours)
    stored = (tmp_path / "data" / "EURUSD_1h.csv").read_text().splitlines()
    assert stored[1].startswith("2023-12-31T22:00:00Z")
