"""Scripts served as one mean what they mean apart."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chime.web import scripts
from chime.web.scripts import TOGETHER, CannotJoin, joined

FOLDER = Path(__file__).resolve().parents[3] / "chime" / "web" / "static" / "js"
SOURCES = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.js")}
PARTS = [(name, part) for name, parts in TOGETHER.items() for part in parts]
_DECLARED = re.compile(r"^(?:export )?(?:async )?(?:const|let|function|class) (?:(\w+)|\{ ([\w, :]+) \})", re.M)


def declared(text: str) -> set[str]:
    """The names at the top of a script."""
    found = set()
    for name, names in _DECLARED.findall(text):
        found |= {name} if name else {one.partition(": ")[2] or one for one in names.split(", ")}
    return found


def bare(text: str) -> str:
    """A script without its comments, texts and imports."""
    text = re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", text, flags=re.DOTALL)
    return re.sub(r"^import .*|'[^'\n]*'", "", text, flags=re.M)


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_a_part_takes_no_name_of_its_script_by_accident(name: str, part: str) -> None:
    others = " ".join(names for names, _ in re.findall(r"^import \{ (.*?) \} from ('.*?');$", SOURCES[part], re.M))
    asked = set(re.findall(r"\w+", others))
    free = declared(SOURCES[name]) - declared(SOURCES[part]) - asked
    # A word that is the name of a member, of a field of something, or declared in a smaller place is none of these.
    used = {word for word in free if re.search(rf"(?<![.\w$/-]){word}\b(?!\s*:)", bare(SOURCES[part]))}
    inside = {word for word in used if re.search(rf"(?:const|let|for \(const|function) (?:[\[{{][^=]*)?\b{word}\b|"
                                                 rf"[({{,] ?{word}\b[^()]*\)? ?(?:=>|\}})", bare(SOURCES[part]))}
    assert not used - inside


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_nobody_imports_from_a_part(name: str, part: str) -> None:
    assert not {other for other, text in SOURCES.items() if re.search(rf"from '\./{part}'|import\('\./{part}'", text)}


def test_each_is_imported_from_once() -> None:
    for name in TOGETHER:
        sources = re.findall(r"^import (?:\{.*\} from )?'\./(.*)';$", joined(name, SOURCES), re.M)
        assert len(sources) == len(set(sources))
        assert not {name, *TOGETHER[name]} & set(sources)


def test_a_part_that_cannot_stand_in_a_block_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(scripts.TOGETHER, "a.js", ("b.js",))
    with pytest.raises(CannotJoin, match=r"b\.js"):
        joined("a.js", {"a.js": "import { x } from './c.js';\n", "b.js": "export const y = 1;\n"})
    apart = {"a.js": "import { x } from './c.js';\nx();\n", "b.js": "import { y } from './c.js';\ny();\n"}
    text = joined("a.js", apart)
    assert text == "import { x, y } from './c.js';\nx();\n{\ny();\n}\n"
