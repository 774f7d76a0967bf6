"""The panel's own scripts and styles as they are sent: in fewer files, without comments and indentation.

There is no build step. Both are written for it, and a test holds them to that: a comment has lines of its own or
follows code after ` // `, which no text contains; no text runs over several lines; and every import and export is one
statement of the forms below.
"""

import re
from pathlib import Path

_IMPORT = re.compile(r'^import (?:\{([^}]*)\} from )?"\./([^"/]+\.js)";\n', re.M)  # of one of our own modules
_ELSEWHERE = re.compile(r'^import [^;]*? from "\./vendor/[^"]+";\n', re.M)
_EXPORT = re.compile(r"^export (const|class) (\w+)", re.M)
_COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*\*.*?\*/[ \t]*)\n", re.M | re.S)


def script(path: Path) -> str:
    """A module with all of ours that it imports, each once and before the first that imports it.

    Each has a scope of its own, so that names do not meet. A name that two modules export is a `ValueError`. Imports of
    vendored modules stay.
    """
    parts: dict[Path, str] = {}
    exported: set[str] = set()
    elsewhere: list[str] = []

    def take(file: Path) -> None:
        if file in parts:
            return
        parts[file] = ""  # an import cycle ends here
        text = _COMMENT.sub("", file.read_text("utf-8"))
        for found in _IMPORT.finditer(text):
            take(file.parent / found[2])
        elsewhere.extend(_ELSEWHERE.findall(text))
        names = [found[2] for found in _EXPORT.finditer(text)]
        if twice := exported.intersection(names):
            raise ValueError(f"{file.name} exports {', '.join(sorted(twice))}, which another module does")
        exported.update(names)
        code = _EXPORT.sub(r"\1 \2", _ELSEWHERE.sub("", _IMPORT.sub("", text)))
        code = re.sub(r"^\s+|\s+// .*$", "", code, flags=re.M)
        given = f"const {{ {', '.join(names)} }} = (() => {{\n" if names else "{\n"
        back = f"\nreturn {{ {', '.join(names)} }};\n}})();\n" if names else "\n}\n"
        del parts[file]  # those that it imports were put in before it
        parts[file] = given + code.strip() + back

    take(path)
    own = [found[2] for found in _EXPORT.finditer(path.read_text("utf-8"))]
    last = f"export {{ {', '.join(own)} }};\n" if own else ""
    return "".join([*elsewhere, *parts.values(), last])


def style(text: str) -> str:
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return re.sub(r" ?([{};]) ?", r"\1", re.sub(r"\s*\n\s*", "", text))
