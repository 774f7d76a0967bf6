"""What the browser posts itself leads to a page that can be reloaded and come back to. Programs get the page at once."""

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.support.accounts import ANNA, two_users
from tests.support.history import ended, seed
from tests.support.inside import Answer, Inside, inside
from tests.support.pages import KEY, words
from tests.support.refused import assert_marked
from tests.support.scripted import RESULT, operation
from tests.support.small_strategy import STRATEGY

BROWSER = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
LIST = "/operations?kind=training"


@pytest.fixture
def here(address, backend, tmp_path) -> Iterator[Inside]:
    backend.operations["op_live"] = operation("op_live")
    runs = [ended(f"op_{n}", "training", "completed", 900 - n, 60, "swing", result_summary=RESULT) for n in range(30)]
    seed(tmp_path, address, *runs)
    with inside(tmp_path, address) as here:
        assert here.get("/operations/op_live").status == 200
        yield here


def posted(here: Inside, do: str, *ids: str, **more: str) -> Answer:
    form = [("do", do), ("key", KEY), ("back", LIST), *more.items(), *(("id", each) for each in ids)]
    body = urlencode(form).encode()
    own = [("host", here.host), ("sec-fetch-site", "same-origin"), ("content-length", str(len(body)))]
    own.append(("content-type", "application/x-www-form-urlencoded"))
    return here.ask("POST", "/operations/bulk", [*own, BROWSER], body)


def led(here: Inside, answer: Answer) -> Answer:
    """The page that a browser shows then."""
    assert answer.status == 303 and answer.body == b""
    return here.get(answer.header("location"), BROWSER)


@pytest.mark.parametrize(("do", "title"), [("again", "Run again"), ("delete", "Delete")])
def test_the_question_before_an_act_has_an_address(here, do, title):
    ids = [f"op_{n}" for n in range(30)]
    page = led(here, posted(here, do, *ids))
    assert page.status == 200 and f"{title} 30 runs?" in words(page.text)
    assert set(re.findall(r'name="id" value="(op_\d+)"', page.text)) == set(ids)
    every = led(here, posted(here, do, all="1"))
    count = 31 if do == "again" else 30  # what runs is not deleted
    assert f"{title} {count} runs?" in words(every.text) and f'href="{LIST}"' in every.text
    buttons = re.findall(rf'<button[^>]*value="{do}"[^>]*>', here.get(LIST).text)
    assert buttons and 'formaction="/operations/bulk"' in buttons[0] and "post" not in buttons[0]
    assert here.get(LIST).text.count('id="row-') == 31, "asking changes nothing"


def test_of_very_many_runs_the_question_is_the_answer_itself(here):
    """nginx takes headers of 4 to 8 kB, and an address is one of them."""
    unknown = [f"op_training_20261128_{n:06}_0123abcd" for n in range(60)]
    for known, others in ((30, 20), (30, 60)):
        answer = posted(here, "delete", *(f"op_{n}" for n in range(known)), *unknown[:others])
        page = answer if others == 60 else led(here, answer)
        assert page.status == 200 and "Delete 30 runs?" in words(page.text)


def test_what_was_done_has_an_address(here, backend):
    done = posted(here, "cancel", "op_live", sure="1")
    assert done.header("location") == f"/operations/bulk/{KEY}?{urlencode({'back': LIST})}"
    page = led(here, done)
    assert "Cancel: 1 of 1 done" in words(page.text) and f'href="{LIST}"' in page.text
    assert posted(here, "cancel", "op_live", sure="1").header("location") == done.header("location"), "pressed again"
    assert here.get("/operations/bulk/" + "x" * 22).status == 404
    again = led(here, posted(here, "again", "op_0", key="a" * 22, sure="1"))
    assert "Run again: 1 of 1 done" in words(again.text) and "Cancel what was started" in words(again.text)


@pytest.mark.parametrize(
    ("do", "ids", "more", "why"),
    [
        ("cancel", ["op_0"], {}, "None of the chosen runs can be cancelled"),
        ("delete", ["op_live"], {"sure": "1"}, "None of the chosen runs can be deleted"),
        ("star", [], {}, "Choose 1 to 500 runs; none chosen."),
        ("tag", ["op_0"], {"tag": " , "}, "Type a tag first"),
        ("star", ["op_0"], {"key": "short"}, "This page was out of date."),
    ],
)
def test_why_nothing_was_done_has_an_address(here, do, ids, more, why):
    page = led(here, posted(here, do, *ids, **more))
    assert page.status == 422 and "Nothing was done" in words(page.text) and why in words(page.text)
    assert f'href="{LIST}" hx-ignore>Back to the list' in page.text


def test_a_key_of_something_else_is_said_at_an_address(here):
    assert posted(here, "star", "op_0").status == 303
    page = led(here, posted(here, "star", "op_1"))
    assert page.status == 422 and "This page was out of date." in words(page.text)


def test_buttons_of_the_list_are_refused_in_place(here):
    form = {"do": "tag", "key": KEY, "id": "op_0", "tag": ""}
    answer = here.post("/operations/bulk", form, ("hx-request", "true"))
    assert answer.status == 200 and "<html" not in answer.text and 'role="alert"' in answer.text
    assert "Nothing was done. Type a tag first" in words(answer.text) and 'data-refused="bulk-tag"' in answer.text
    page = here.get(LIST).text
    assert 'id="bulk-said"' in page and re.search(r'<input id="bulk-tag"[^>]*aria-describedby="bulk-said"', page)
    for button in re.findall(r'<button[^>]*value="(?:tag|untag|star|archive)"[^>]*>', page):
        assert 'hx-target="#bulk-said"' in button and 'formmethod="post"' in button
    done = here.post("/operations/bulk", form | {"tag": "trial"}, ("hx-request", "true"))
    assert done.status == 204 and done.header("hx-redirect") == f"/operations?done={KEY}"


@pytest.fixture
def locked(address, tmp_path) -> Iterator[Inside]:
    two_users(tmp_path)
    with inside(tmp_path, address) as here:
        yield here


def told(here: Inside, answer: Answer) -> Answer:
    """The login page that follows, with the cookie that it brought."""
    (cookie,) = [value for name, value in answer.lines if name == "set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Max-Age=60" in cookie
    return here.get(answer.header("location"), BROWSER, ("cookie", cookie.partition(";")[0]))


def test_a_refused_login_leads_to_the_form_and_says_why_once(locked):
    form = {"user": "anna", "password": "a wrong guess", "next": "/data"}
    answer = locked.post("/login", form, BROWSER)
    assert answer.status == 303 and answer.header("location") == "/login?next=%2Fdata"
    assert "anna" not in answer.header("location") and "guess" not in str(answer.lines), "both may be passwords"
    page = told(locked, answer)
    assert page.status == 200 and "This is not the password of a user with this name." in words(page.text)
    assert 'name="user" value="anna"' in page.text and 'name="next" value="/data"' in page.text
    assert_marked(page.text, {"password"})
    assert "Max-Age=0" in page.header("set-cookie"), "a reload asks anew"
    assert "This is not" not in locked.get("/login?next=%2Fdata", BROWSER).text
    entered = locked.post("/login", form | {"password": ANNA}, BROWSER)
    assert (entered.status, entered.header("location")) == (303, "/data")


def test_what_is_missing_at_a_login_is_marked(locked):
    answer = told(locked, locked.post("/login", {"user": "", "password": "", "next": "//evil.test"}, BROWSER))
    assert "Type your name and your password." in words(answer.text) and 'name="next" value="/"' in answer.text
    assert_marked(answer.text, {"user"})
    assert_marked(told(locked, locked.post("/login", {"user": "anna", "password": ""}, BROWSER)).text, {"password"})


def test_too_many_logins_wait_in_a_browser_too(locked):
    for _ in range(30):
        answer = locked.post("/login", {"user": "anna", "password": "guess"}, BROWSER)
        page = words(told(locked, answer).text)
        if "Too many wrong passwords" in page:
            break
    assert re.search(r"Too many wrong passwords. Wait \d+ s", page)
    assert locked.post("/login", {"user": "anna", "password": ANNA}, BROWSER).header("location").startswith("/login")
    refused = locked.post("/login", {"user": "anna", "password": ANNA})
    assert refused.status == 429 and int(refused.header("retry-after")) > 0, "a program gets the status"


@pytest.mark.parametrize("cookie", ["often", "oftenx", "%3Cb%3E hi", "often9999999", "missing%20%3Cscript%3E"])
def test_a_cookie_of_somebody_else_writes_no_text_into_the_login(locked, cookie):
    name = f"ktrdr_panel_{locked.settings.port}_refused"
    page = locked.get("/login", BROWSER, ("cookie", f"{name}={cookie}"))
    assert page.status == 200 and "<script>" not in page.text and "<b>" not in page.text


def uploaded(here: Inside, name: str, content: bytes, *headers: tuple[str, str]) -> Answer:
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    body = head + content + b"\r\n--x--\r\n"
    own = [("host", here.host), ("sec-fetch-site", "same-origin"), ("content-length", str(len(body)))]
    return here.ask("POST", "/strategies", [*own, ("content-type", "multipart/form-data; boundary=x"), *headers], body)


def test_an_uploaded_strategy_has_an_address(tmp_path):
    text = STRATEGY.format(name="good", epochs=3)
    with inside(tmp_path, "") as here:
        answer = uploaded(here, "good.yaml", text.encode(), BROWSER)
        assert answer.header("location").startswith("/strategies-uploaded/")
        for _ in range(2):  # a reload
            page = led(here, answer)
            assert page.status == 200 and 'name="name" value="good"' in page.text and "name: good" in page.text
        assert uploaded(here, "good.yaml", text.encode(), BROWSER).header("location") == answer.header("location")
        for n in range(25):
            uploaded(here, f"other{n}.yaml", text.encode(), BROWSER)
        gone = led(here, answer)
        assert gone.status == 404 and "not kept any more. Choose it again" in words(gone.text)
        assert here.get("/strategies-uploaded/..%2F..%2Fpanel").status == 404


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("", b"", "No file was chosen."),
        ("a.yaml", b"x" * 300_000, "This file is larger than 256 kB."),
        ("a.yaml", b"\xff\xfe", "This file is not UTF-8 text."),
    ],
)
def test_why_a_strategy_was_not_opened_stands_at_the_field(tmp_path, name, content, why):
    with inside(tmp_path, "") as here:
        page = led(here, uploaded(here, name, content, BROWSER))
        assert page.status == 200 and why in words(page.text) and "data-refused" in page.text
        assert_marked(page.text, {"file"})
        assert uploaded(here, name, content).status == 422, "a program gets the status"
        assert "<b>" not in here.get("/strategies?refused=<b>").text
