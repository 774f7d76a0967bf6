"""Own scripts and styles as they are sent: in few files, without comments, and still what was written."""

import re

import pytest

from panel.views.templating import ASSETS
from panel.web.smaller import script, style

OWN = sorted((ASSETS / "static").glob("*.js"))


@pytest.fixture
def written(tmp_path):
    def write(**files: str):
        for name, text in files.items():
            (tmp_path / f"{name}.js").write_text(text)
        return tmp_path / f"{next(iter(files))}.js"

    return write


def test_a_module_comes_with_what_it_imports_each_once(written):
    first = written(
        first='// What it is.\nimport { twice } from "./second.js";\nimport "./third.js";\nlet here = twice(2); // of it\n',
        second="/** What is given:\n * a number. */\nexport const twice = (x) => {\n  const y = x;\n  return 2 * y;\n};\n",
        third='import { twice } from "./second.js";\nimport {\n  far,\n} from "./vendor/far.js";\nfar(twice(1), "https://x");\n',
    )
    assert script(first) == (
        'import {\n  far,\n} from "./vendor/far.js";\n'
        "const { twice } = (() => {\nconst twice = (x) => {\nconst y = x;\nreturn 2 * y;\n};\nreturn { twice };\n})();\n"
        '{\nfar(twice(1), "https://x");\n}\n'
        "{\nlet here = twice(2);\n}\n"
    )
    assert script(first.with_name("second.js")).endswith("})();\nexport { twice };\n")


def test_one_name_is_exported_by_one_module(written):
    with pytest.raises(ValueError, match=r"c\.js exports size"):
        script(
            written(a='import "./b.js";\nimport "./c.js";\n', b="export const size = 1;\n", c="export class size {}\n")
        )


@pytest.mark.parametrize("file", OWN, ids=lambda file: file.name)
def test_every_script_is_written_so_that_this_can_be_done(file):
    text = file.read_text("utf-8")
    code = re.sub(r"^[ \t]*//.*\n|\s// .*$|/\*\*[\s\S]*?\*/", "", text, flags=re.M)
    imports = re.findall(r'^import [^;]*?"\./[\w./-]+\.js";$', text, re.M)
    assert all(line.count("`") % 2 == 0 for line in code.splitlines()), "a text over several lines"
    assert len(re.findall(r"^import\b", text, re.M)) == len(imports)
    assert not any(re.search(r"\bas\b", each) for each in imports), "another name"
    assert len(re.findall(r"\bexport\b", code)) == len(re.findall(r"^export (?:const|class) \w+", text, re.M))
    assert not re.search(r"""(["'`])(?:(?!\1).)* // (?:(?!\1).)*\1""", code), "a text with what begins a comment"
    sent = script(file)
    assert "./" not in re.sub(r'^import [^;]*? from "\./vendor/[^"]+";\n|new URL\("\.\./\.\."', "", sent, flags=re.M)
    assert "\n//" not in sent and "/**" not in sent
    for statement in imports:
        code = code.replace(statement, "")
    assert set(re.findall(r"\w{5,}", code)) - {"export"} <= set(re.findall(r"\w+", sent))


def test_a_style_sheet_keeps_all_but_comments_and_white_space():
    assert style('/* a */\na :hover {\n  b: "x  y"; /* c\n d */\n  e: calc(1px + 2px);\n}\n') == (
        'a :hover{b: "x  y";e: calc(1px + 2px);}'
    )
    written = (ASSETS / "static" / "panel.css").read_text("utf-8")
    bare = re.sub(r"\s", "", re.sub(r"/\*.*?\*/", "", written, flags=re.S))
    assert re.sub(r"\s", "", style(written)) == bare
    assert not [text for text in re.findall(r'"([^"\n]*)"', written) if re.search(r"/\*|[{};]", text)], (
        "it would change"
    )
