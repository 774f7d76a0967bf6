"""What a page with a refused form says of its fields."""

from html.parser import HTMLParser

VOID = {"input", "meta", "link", "br", "hr", "wbr", "path", "img", "polyline", "circle", "rect", "line"}


class Refused(HTMLParser):
    """`fields`: the ids of what is called wrong in the refused part of a page, or by it; `texts`: the page's, by id."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[dict[str, str]] = []
        self.parts: list[dict[str, str]] = []
        self.fields: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        if "data-refused" in given:
            self.parts.append(given)
        within = "data-refused" in given or any("data-refused" in each for each in self.open)
        named = given.get("id") in [each["data-refused"] for each in self.parts]
        if given.get("aria-invalid") == "true" and (within or named):
            name = given.get("id") or given.get("name") or given["aria-describedby"].removesuffix("-error")
            self.fields[name] = given["aria-describedby"]
        if tag not in VOID:
            self.open.append(given)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data):
        for each in self.open:
            if each.get("id"):
                self.texts[each["id"]] = self.texts.get(each["id"], "") + data.strip()


def assert_marked(page: str, fields: set[str]) -> None:
    found = Refused(page)
    assert len(found.parts) == 1, "one part of the page was refused"
    assert set(found.fields) == fields
    for described in found.fields.values():
        assert any(found.texts.get(each) for each in described.split()), described
