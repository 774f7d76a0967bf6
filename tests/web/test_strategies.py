"""Strategies looked at, changed and kept, as a browser without scripts does it."""

import html
import os
import re
from pathlib import Path

import httpx

from panel.domain.strategy_content import FuzzySet, Membership
from panel.views import strategies as views
from tests.support.batches import seed_batch
from tests.support.history import ended, seed
from tests.support.pages import KEY, until, words
from tests.support.panels import panel
from tests.support.scripted import served, stamp
from tests.support.small_strategy import STRATEGY
from tests.support.workers import worker

STARTER = Path(__file__).parents[2] / "panel" / "embedded" / "starters" / "rsi_swing.yaml"


def typed(page: str) -> dict[str, str]:
    """The editor's form as it stands on the page."""
    fields = dict(re.findall(r'name="(opened|opened_name|name)" value="([^"]*)"', page))
    area = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert area
    return {**fields, "text": html.unescape(area[1])}


def test_from_a_starter_to_a_changed_file_and_back(tmp_path):
    with panel(tmp_path) as here:
        seen = here.get("/strategies/rsi_swing").text
        read = words(seen)
        assert "rsi, period 14" in read and "Batch size 32" in read and "oversold trapezoidal 0, 0, 25, 40" in read
        assert seen.count('<path class="run-') >= 3 and '<span class="y-nt">name</span>' in seen
        assert "/strategies/rsi_swing/delete" not in seen, "a starter is not theirs"
        assert here.get("/strategies/rsi_swing/delete").status_code == 409

        copy = typed(here.get("/strategies/rsi_swing/edit?copy=1").text)
        assert copy["name"] == "rsi_swing_copy" and "name: rsi_swing_copy\n" in copy["text"]
        broken = copy | {"text": copy["text"].replace("period: 14", "period: x")}
        remarks = here.post("/strategies-check", broken).text
        assert 'data-line="12"' in remarks and "Not valid yet." in remarks
        refused = here.post("/strategies/rsi_swing/edit", broken)
        assert refused.status_code == 422 and typed(refused.text)["text"] == broken["text"]
        assert here.get("/strategies/rsi_swing_copy").status_code == 404

        saved = here.post("/strategies/rsi_swing/edit", copy | {"text": copy["text"].replace("\n", "\r\n")})
        assert saved.headers["location"] == "/strategies/rsi_swing_copy"
        file = tmp_path / "embedded" / "strategies" / "rsi_swing_copy.yaml"
        assert file.read_text() == copy["text"], "with the line ends of a file"

        first = typed(here.get("/strategies/rsi_swing_copy/edit").text)
        second = dict(first)
        first["text"] = first["text"].replace("period: 14", "period: 21")
        second["text"] = second["text"].replace("epochs: 50", "epochs: 20")
        assert here.post("/strategies/rsi_swing_copy/edit", first).status_code == 303
        conflict = here.post("/strategies/rsi_swing_copy/edit", second)
        again = typed(conflict.text)
        assert conflict.status_code == 409 and again["text"] == second["text"] and "period: 21" in words(conflict.text)
        assert "period: 21" in file.read_text()
        assert here.post("/strategies/rsi_swing_copy/edit", again).status_code == 303
        assert "epochs: 20" in file.read_text()

        seen = here.get("/strategies/rsi_swing_copy").text
        versions = re.findall(r'href="([^"]*/restore\?version=[^"]*)"', seen)
        assert len(versions) == 2 and "period: 21" in typed(here.get(versions[0]).text)["text"]
        changes = re.findall(r'href="(/strategies-compare[^"]*)"', seen)
        assert "period: 21" in words(here.get(html.unescape(changes[0])).text)
        loaded = here.get("/strategies/rsi_swing_copy/download")
        assert loaded.text == file.read_text() and "rsi_swing_copy.yaml" in loaded.headers["content-disposition"]

        assert '/delete"' in seen and 'name="opened"' not in seen, "it is asked first"
        asked = here.get("/strategies/rsi_swing_copy/delete").text
        assert "Nothing that is still to start" in words(asked) and "0 models were made with it" in words(asked)
        opened = re.search(r'/delete"><input type="hidden" name="opened" value="([0-9a-f]{64})"', asked)
        assert opened and here.post("/strategies/rsi_swing_copy/delete", {"opened": "0"}).status_code == 409
        gone = here.post("/strategies/rsi_swing_copy/delete", {"opened": opened[1]})
        assert not file.exists()
        listed = here.get(gone.headers["location"]).text
        version = re.search(r'name="version" value="([^"]*)"', listed)
        assert version and here.post("/strategies/rsi_swing_copy/undelete", {"version": version[1]}).status_code == 303
        assert "epochs: 20" in file.read_text()


def test_a_file_that_cannot_be_trained_offers_to_be_edited(tmp_path):
    """Whoever comes to the form with its name reads why."""
    folder = tmp_path / "embedded" / "strategies"
    folder.mkdir(parents=True)
    (folder / "endless.yaml").write_text(STRATEGY.format(name="endless", epochs=20_000))
    (folder / "small.yaml").write_text(STRATEGY.format(name="small", epochs=2))
    train = "/start/training?strategy_name={}"
    with panel(tmp_path) as here:
        seen = here.get("/strategies/endless").text
        assert "20000" in words(seen) and train.format("endless") not in seen
        assert re.search(r'<a class="button small primary" href="/strategies/endless/edit">', seen)
        assert train.format("small") in here.get("/strategies/small").text
        form = words(here.get(train.format("endless")).text)
        assert re.search(r"endless cannot be used: [^.]*20000.* Look at it", form)
        assert "Look at it" not in words(here.get(train.format("small")).text)


def test_an_uploaded_file_is_seen_before_it_is_saved(tmp_path):
    with panel(tmp_path) as here:

        def upload(name, content):
            sent = {"file": (name, content)}
            return httpx.post(f"{here.address}/strategies", files=sent, headers={"sec-fetch-site": "same-origin"})

        long = STARTER.read_bytes() + b"# " + b"x" * 200_000
        seen = upload("..\\..\\big.yaml", long)
        assert seen.status_code == 200 and typed(seen.text)["name"] == "big"
        assert here.post("/strategies/big/edit", typed(seen.text)).status_code == 303
        assert upload("a.yaml", b"\xff\xfe").status_code == 422
        assert upload("a.yaml", b"x" * 300_000).status_code == 422
        assert "&lt;script&gt;" in upload("a.yaml", b"<script>").text


def test_the_strategy_of_a_start_is_kept_as_it_was(backend, tmp_path):
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "swing.yaml").write_text(STARTER.read_text().replace("name: rsi_swing", "name: swing"))
    with served(backend.app) as address, panel(tmp_path, address + "/api/v1", strategies_folder=folder) as here:
        sent = {"strategy_name": "swing", "symbols": "EURUSD", "timeframes": "1h", "insist": "1", "key": KEY}
        run = here.post("/start/training", sent).headers["location"]
        (folder / "swing.yaml").write_text((folder / "swing.yaml").read_text().replace("period: 14", "period: 99"))
        read = words(here.get(f"{run}/strategy").text)
        assert "swing as it was" in read and "Changes since then" in read and "period: 99" in read
        assert f"{run}/strategy" in here.get(run).text
        spec = f"old=run:{run.rpartition('/')[2]}&new=file:swing"
        assert "period: 99" in words(here.get(f"/strategies-compare?{spec}").text)


def test_a_ktrdr_checks_a_draft_in_its_folder_and_says_what_is_wrong(backend, tmp_path):
    folder = tmp_path / "strategies"
    folder.mkdir()
    text = STARTER.read_text()
    seen = []

    def judge(name):
        seen.append((folder / f"{name}.yaml").read_text())
        issue = {"severity": "error", "category": "x", "message": "No.", "details": {"location": "model.type"}}
        return {"success": True, "valid": False, "issues": [issue]}

    backend.judge = judge
    with served(backend.app) as address, panel(tmp_path, address + "/api/v1", strategies_folder=folder) as here:
        read = here.post("/strategies-check", {"name": "a", "text": text}).text
        assert 'data-line="25"' in read and "No." in read, read
        assert seen == [text] and os.listdir(folder) == []


HOSTILE = [
    ("name: rsi_swing", "name: rsi\u202eswing", "It calls itself “rsiswing”"),
    ("rsi_14:", "<img src=x onerror=a()>:", "&lt;img src=x"),
    ("name: rsi_swing", "name: !!python/object/apply:os.system ['id']", "Not valid yet."),
    ("epochs: 50", "epochs: 1e300", "epochs is text for YAML; write 1000"),
    ("name: rsi_swing", "a: &a [*a]", "Not valid yet."),
    ("name: rsi_swing", "a: " + "[" * 3000, "Not valid yet."),
    ("name: rsi_swing", "a: \x1b]52;c;aGk=\x07", "Not valid yet."),
]


def test_hostile_texts_do_nothing_but_get_a_remark(tmp_path):
    with panel(tmp_path) as here:
        for was, now, message in HOSTILE:
            answer = here.post("/strategies-check", {"name": "x", "text": STARTER.read_text().replace(was, now)})
            assert answer.status_code == 200 and message in answer.text, answer.text
            assert not re.search("[\u202e\x1b\x07]|<img", answer.text) and len(answer.text) < 6000


def test_without_a_folder_the_page_says_so_and_offers_the_file(backend, here, tmp_path):
    read = words(here.get("/strategies/swing").text)
    assert "Its file is not at hand" in read and "KTRDR_STRATEGIES_DIR" in read
    assert here.get("/strategies/swing/edit").status_code == 404
    offered = here.post("/strategies-text", {"name": "a/../b", "text": "x: 1\n"})
    assert offered.text == "x: 1\n" and 'filename="a_.._b.yaml"' in offered.headers["content-disposition"]
    refused = here.post("/strategies/swing/edit", {"name": "swing", "text": STARTER.read_text(), "opened": ""})
    assert refused.status_code == 422 and "Nothing can be saved here" in words(refused.text)


def test_a_name_with_a_dot_that_a_ktrdr_refuses_is_told_before_a_start(address, tmp_path):
    """Its own check of the file finds nothing wrong."""
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "swing.v2.yaml").write_text(STARTER.read_text())
    with panel(tmp_path, address, strategies_folder=folder) as here:
        for page in (here.get("/strategies"), here.get("/strategies/swing.v2")):
            assert "KTRDR refuses to train it: its name needs letters, digits" in words(page.text)
        look = words(here.post("/start/training/look", {"strategy_name": "swing.v2"}).text)
        assert "swing.v2 is valid, and cannot be trained here. KTRDR refuses to train it" in look
        assert 'name="name" value="swing_v2_copy"' in here.get("/strategies/swing.v2/edit?copy=1").text
        new = {"name": "a.b", "text": STARTER.read_text(), "opened": ""}
        assert "and no dot" in words(here.post("/strategies/new/edit", new).text)
    with panel(tmp_path) as here:
        (tmp_path / "embedded" / "strategies").mkdir(parents=True, exist_ok=True)
        (tmp_path / "embedded" / "strategies" / "swing.v2.yaml").write_text(STARTER.read_text())
        assert "KTRDR refuses" not in here.get("/strategies/swing.v2").text
        look = words(here.post("/start/training/look", {"strategy_name": "swing.v2"}).text)
        assert "cannot be trained" not in look and "swing.v2 is valid" in look


def test_drawings_of_odd_memberships():
    odd = [("triangular", (0, 0, 0)), ("gaussian", (0, 0)), ("trapezoidal", (-1e300, 0, 0, 1e300)), ("other", (1,))]
    for shape, parameters in odd:
        assert views.drawing(FuzzySet("a", "b", (Membership("c", shape, parameters),))).low == ""
    found = views.drawing(FuzzySet("a", "b", (Membership("c", "triangular", (0, 0, 10)),)))
    assert found.curves[0].path == "M0.0 76.0L0.0 4.0L300.0 76.0", "it jumps up at its left end"
    assert views.difference("x\n" * 7000, "y\n") is None


def test_before_a_file_is_deleted_the_page_names_what_depends_on_it(backend, tmp_path):
    folder = tmp_path / "strategies"
    folder.mkdir()
    for name in ("swing", "other"):
        (folder / f"{name}.yaml").write_text(STARTER.read_text().replace("name: rsi_swing", f"name: {name}"))
    backend.workers = [worker("w1", "busy", "op_else", last_healthy_at=stamp())]
    with served(backend.app) as address:
        url = f"{address}/api/v1"
        seed_batch(tmp_path, url, 0.45, None, key="b" * 22)
        seed(tmp_path, url, ended("op_a", "training", "completed", 900, name="swing"))
        with panel(tmp_path, url, strategies_folder=folder) as here:
            when = {"kind": "training", "at": "18:30", "zone": "UTC", "day": "0"}
            assert here.post("/schedules", when | {"key": KEY, "strategy_name": "swing"}).status_code == 303
            until(
                lambda: "No worker is free" in words(here.post("/start/training/look", {"strategy_name": "swing"}).text)
            )
            waits = {"key": "w" * 22, "strategy_name": "swing", "insist": "1", "wait": "1"}
            assert here.post("/start/training", waits).status_code == 303
            read = words(here.get("/strategies/swing/delete").text)
            assert "Delete swing?" in read and "A schedule starts it every Monday at 18:30 UTC." in read
            assert "1 start of it waits in the queue." in read
            assert "The batch 2 × swing has 1 run that is not through." in read
            assert "1 run of it is remembered." in read and (folder / "swing.yaml").exists()
            read = words(here.get("/strategies/other/delete").text)
            assert "Nothing that is still to start" in read and "0 runs of it are remembered." in read
