"""Writes requirements/sbom.cdx.json: what the panel consists of, as a CycloneDX bill of materials.

    .venv/bin/python -m docs.sbom

It is made of the lock files and of the table of vendored files alone, so it is the same wherever it is made. Scope
`required` is what every panel needs, `optional` what only the embedded backend or the building of a wheel needs.
"""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "requirements" / "sbom.cdx.json"
_LOCKED = re.compile(r"^([a-z0-9-]+)==(\S+)(?: ; (.+?))?(?: \\)?$", re.MULTILINE)


def sbom() -> dict[str, Any]:
    """The whole document, as JSON has it."""
    needed = {name for name, _, _ in _locked("panel.txt")}
    packages = [_package(*each, each[0] in needed) for each in _locked("run.txt")]
    version = re.findall(r'"(.+)"', (ROOT / "panel" / "__init__.py").read_text("utf-8"))[0]
    panel = {
        "type": "application",
        "bom-ref": f"pkg:pypi/ktrdr-panel@{version}",
        "name": "ktrdr-panel",
        "version": version,
        "licenses": [{"license": {"id": "MIT"}}],
        "purl": f"pkg:pypi/ktrdr-panel@{version}",
    }
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": panel},
        "components": [*packages, *_vendored()],
    }


def _locked(lock: str) -> list[tuple[str, str, str]]:
    """Name, version and the condition under which it is installed, "" for always."""
    return _LOCKED.findall((ROOT / "requirements" / lock).read_text("utf-8"))


def _package(name: str, version: str, condition: str, needed: bool) -> dict[str, Any]:
    purl = f"pkg:pypi/{name}@{version}"
    found = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "scope": "required" if needed else "optional",
        "purl": purl,
    }
    if condition:
        found["properties"] = [{"name": "ktrdr-panel:installed-if", "value": condition}]
    return found


def _vendored() -> list[dict[str, Any]]:
    """The files of others in static/vendor/, from the table in SOURCES.md."""
    table = (ROOT / "static" / "vendor" / "SOURCES.md").read_text("utf-8")
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [
        {
            "type": "library",
            "bom-ref": _npm(source, version),
            "name": source.partition(":")[0],
            "version": version,
            "scope": "required",
            "hashes": [{"alg": "SHA-256", "content": digest}],
            "licenses": [{"license": {"id": licence}}],
            "purl": _npm(source, version),
            "evidence": {"occurrences": [{"location": f"static/vendor/{file}"}]},
        }
        for file, source, version, licence, digest in (row for row in rows if len(row) == 5 and len(row[4]) == 64)
    ]


def _npm(source: str, version: str) -> str:
    """The address of a package's file; a scope's @ is not the one before a version."""
    package, _, path = source.partition(": ")
    return f"pkg:npm/{package.replace('@', '%40')}@{version}#{path}"


def main() -> None:
    FILE.write_text(json.dumps(sbom(), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
