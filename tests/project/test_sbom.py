"""The bill of materials is that of the lock files, and has everything."""

import json
import re

from docs.sbom import FILE, ROOT, sbom


def test_it_is_the_one_of_the_lock_files():
    assert json.loads(FILE.read_text("utf-8")) == sbom(), "python -m docs.sbom writes it anew"


def test_everything_that_is_installed_or_served_is_in_it():
    found = {(each["name"], each["version"], each["scope"]) for each in sbom()["components"]}
    locks = {name: (ROOT / "requirements" / name).read_text("utf-8") for name in ("run.txt", "panel.txt")}
    locked = {name: set(re.findall(r"^(\S+)==([^\s;]+)", text, re.M)) for name, text in locks.items()}
    assert locked["panel.txt"] < locked["run.txt"] <= {(name, version) for name, version, _ in found}
    assert locked["panel.txt"] <= {(name, version) for name, version, scope in found if scope == "required"}
    places = [each.get("evidence", {}).get("occurrences", []) for each in sbom()["components"]]
    assert {place["location"] for found in places for place in found} == {
        f"static/vendor/{file.name}" for file in (ROOT / "static" / "vendor").glob("*.min.*s")
    }
    assert all(each["purl"].startswith(("pkg:pypi/", "pkg:npm/")) for each in sbom()["components"])
    assert len({each["bom-ref"] for each in sbom()["components"]}) == len(sbom()["components"])
