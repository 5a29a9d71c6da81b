"""Write `chime/locale/chime.pot`: every text people can see, for translators. `python tools/messages.py [--check]`.

Templates are read by Babel; from Python it takes the fixed texts of our errors and of `here.words`, which are looked
up in the reader's catalogue at the border. A translation goes to `chime/locale/<language>.po`, compiled with
`pybabel compile` to `chime/locale/<language>.mo`.
"""

from __future__ import annotations

import ast
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "chime" / "locale" / "chime.pot"
SAID_BY = {"Invalid", "field", "Refused", "NotFound", "Conflict", "Forbidden", "NotSignedIn", "TooMany", "BadRequest",
           "NotFromHere", "DiskNearlyFull", "words", "gettext"}


def texts_of_python(path: Path) -> Iterator[tuple[int, str]]:
    """The last fixed text of each call that says something to a person."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        texts = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        if name in SAID_BY and texts and " " in texts[-1]:
            yield node.lineno, texts[-1]


def catalogue() -> Catalog:
    found = Catalog(project="Chime", charset="utf-8", fuzzy=False)
    found.header_comment = "# Texts of Chime. Written by tools/messages.py."
    extracted = extract_from_dir(str(ROOT / "templates"), method_map=[("**.html", "jinja2")],
                                 options_map={"**.html": {"silent": "false", "trimmed": "true"}})
    for file, line, message, comments, context in extracted:
        found.add(message, locations=[(f"templates/{file}", line)], auto_comments=comments, context=context)
    for path in sorted((ROOT / "chime").rglob("*.py")):
        for line, text in texts_of_python(path):
            found.add(text, locations=[(str(path.relative_to(ROOT)), line)])
    return found


def main() -> int:
    written = io.BytesIO()
    write_po(written, catalogue(), width=120, no_location=True, omit_header=True, sort_output=True)
    if "--check" in sys.argv:
        current = TARGET.read_bytes() if TARGET.exists() else b""
        if current != written.getvalue():
            print("chime/locale/chime.pot is not what the texts are now: run tools/messages.py", file=sys.stderr)
            return 1
        return 0
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(written.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main())
