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

from chime.web import errors as error_pages
from chime.whatsapp.error_table import ERROR_RULES
from chime.whatsapp.errors import every_rule

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "chime" / "locale" / "chime.pot"
SAID_BY = {"Invalid", "field", "Refused", "NotFound", "Conflict", "Forbidden", "NotSignedIn", "TooMany", "BadRequest",
           "NotFromHere", "DiskNearlyFull", "Unavailable", "Sentence", "words", "gettext"}

# What makes something with a name: its `words` and what it says `about` it.
NAMED_BY = {"Section", "Named", "Topic", "_may", "Claim", "Group", "Unclaimed"}


def texts_of_python(path: Path) -> Iterator[tuple[int, str]]:
    """The last fixed text of each call that says something to a person, and what something is called (`words=`)."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef) and "simulator" not in path.parts:
            yield from _title(node)
        if isinstance(node, ast.Tuple) and "simulator" not in path.parts:
            yield from _problem(node)
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        texts = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        # An error's first text may be the name of a field; what is looked up in words is always a text.
        is_half = name == "Sentence" and texts[-1:] and texts[-1][0].islower()  # the wire's: forms say whole ones
        if name in SAID_BY and texts and not is_half and (" " in texts[-1] or name in ("words", "gettext")):
            yield node.lineno, texts[-1]
        for keyword in node.keywords:
            if name in NAMED_BY and keyword.arg in ("words", "about") and isinstance(keyword.value, ast.Constant):
                yield node.lineno, keyword.value.value


def _title(made: ast.ClassDef) -> Iterator[tuple[int, str]]:
    """What the page of an error has as its heading: the `title` of a kind of error."""
    for part in made.body:
        if isinstance(part, ast.Assign) and isinstance(part.value, ast.Constant) and isinstance(part.value.value, str) \
                and any(isinstance(target, ast.Name) and target.id == "title" for target in part.targets):
            yield part.lineno, part.value.value


def _problem(pair: ast.Tuple) -> Iterator[tuple[int, str]]:
    """What is wrong with a field: its name and a sentence, gathered with others for one Invalid."""
    field, said = (*(part.value if isinstance(part, ast.Constant) else "" for part in pair.elts), "", "")[:2]
    if len(pair.elts) == 2 and isinstance(said, str) and " " in said and said.endswith(".") and " " not in str(field):
        yield pair.lineno, said


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
    for rule in [rule for _, rule in every_rule()] + list(ERROR_RULES.values()):
        for text in (rule.title, rule.what_to_do):
            found.add(text, locations=[("chime/whatsapp/error_table.py", 1)])
    for text in error_pages.texts():
        found.add(text, locations=[("chime/web/errors.py", 1)])
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
