"""Translations of Chime's texts: `chime/locale/<language>.po`, compiled to `.mo` beside it.

    python tools/translations.py missing LANGUAGE [COUNT]   what has no translation yet, as JSON {text: [texts]}; of a
                                                            text with several senses {"sense\\u0004text": [texts]}
    python tools/translations.py take LANGUAGE FILE         put the translations of such a JSON into the catalogue
    python tools/translations.py compile [--check]          bring every .po up to chime.pot and write every .mo

A text whose placeholders or marks differ from the English is refused with the reason: a page would show it broken. What
is not translated is shown in English.
"""

from __future__ import annotations

import io
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

LOCALE = Path(__file__).resolve().parents[1] / "chime" / "locale"
TEMPLATE = LOCALE / "chime.pot"
_NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)
_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w*\}|%%")
_TAG = re.compile(r"</?[a-z]+[^>]*>")


def catalogue(language: str) -> Catalog:
    """The language's catalogue with exactly the texts there are now; what is gone goes."""
    file = LOCALE / f"{language}.po"
    found = read_po(io.BytesIO(file.read_bytes()), locale=language) if file.exists() else Catalog(locale=language)
    # The date of writing is no part of a translation: the same texts give the same files.
    current = Catalog(locale=language, project="Chime", charset="utf-8", fuzzy=False, creation_date=_NO_DATE,
                      revision_date=_NO_DATE, version="", msgid_bugs_address="", last_translator="",
                      language_team="")
    current.header_comment = f"# Texts of Chime in {language}. Written by tools/translations.py."
    for message in read_po(io.BytesIO(TEMPLATE.read_bytes())):
        if not message.id:
            continue
        known = found.get(_key(message), context=message.context)
        usable = known is not None and known.string and not problems(message, texts(known), found)
        text = known.string if known is not None and usable else None
        current.add(message.id, text or ("" if isinstance(message.id, str) else [""] * current.num_plurals),
                    context=message.context, flags=message.flags)
    return current


def _key(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def _name(message: Message) -> str:
    """The text, after its sense where it has several: as gettext itself keeps it."""
    return f"{message.context}\x04{_key(message)}" if message.context else _key(message)


def texts(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


def problems(message: Message, given: list[str], of: Catalog) -> list[str]:
    """Why these texts cannot stand for the message."""
    plural = not isinstance(message.id, str)
    if len(given) != (of.num_plurals if plural else 1):
        return [f"{of.num_plurals if plural else 1} texts are needed, {len(given)} given"]
    english = list(message.id) if plural else [message.id]
    allowed = {frozenset(_PLACEHOLDER.findall(text)) for text in english}
    most = frozenset().union(*allowed)
    found = []
    for text in given:
        named = frozenset(_PLACEHOLDER.findall(text))
        if not text.strip():
            found.append("a text is empty")
        elif (named - most) if plural else named not in allowed:
            found.append(f"placeholders {sorted(named)} instead of {sorted(most)}")
        elif sorted(_TAG.findall(text)) != sorted(_TAG.findall(english[0])) and not plural:
            found.append("other HTML tags than the English")
        elif any(text.startswith(" ") != one.startswith(" ") or text.endswith(" ") != one.endswith(" ")
                 for one in english[:1]):
            found.append("space at the beginning or end unlike the English")
    return found


def missing(language: str, count: int) -> dict[str, list[str]]:
    current = catalogue(language)
    found: dict[str, list[str]] = {}
    for message in current:
        if message.id and not all(texts(message)) and len(found) < count:
            found[_name(message)] = [""] * (1 if isinstance(message.id, str) else current.num_plurals)
    return found


def take(language: str, given: dict[str, list[str] | str]) -> list[str]:
    """Put translations in; what was refused, with the reason."""
    current = catalogue(language)
    refused = []
    for text, translated in given.items():
        sense, _, plain = text.rpartition("\x04")
        message = current.get(plain, context=sense or None)
        found = [translated] if isinstance(translated, str) else translated
        if message is None:
            refused.append(f"{text!r}: there is no such text (any more)")
            continue
        wrong = problems(message, found, current)
        if wrong:
            refused.append(f"{text!r}: {'; '.join(wrong)}")
            continue
        message.string = found[0] if isinstance(message.id, str) else found
    (LOCALE / f"{language}.po").write_bytes(as_po(current))
    return refused


def as_po(current: Catalog) -> bytes:
    written = io.BytesIO()
    write_po(written, current, width=120, no_location=True, omit_header=False, sort_output=True)
    kept = [line for line in written.getvalue().decode().splitlines()
            if not line.startswith(('"POT-Creation-Date', '"PO-Revision-Date', '"Generated-By'))]
    return ("\n".join(kept) + "\n").encode()


def as_mo(current: Catalog) -> bytes:
    written = io.BytesIO()
    write_mo(written, current)
    return written.getvalue()


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["missing"] and len(arguments) in (2, 3):
        found = missing(arguments[1], int(arguments[2]) if len(arguments) == 3 else 10_000)
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return 0
    if arguments[:1] == ["take"] and len(arguments) == 3:
        refused = take(arguments[1], json.loads(Path(arguments[2]).read_text("utf-8")))
        print("\n".join(refused), file=sys.stderr)
        return 1 if refused else 0
    if arguments[:1] == ["compile"]:
        return compile_all(check="--check" in arguments)
    print(__doc__, file=sys.stderr)
    return 2


def compile_all(*, check: bool) -> int:
    stale = []
    for file in sorted(LOCALE.glob("*.po")):
        current = catalogue(file.stem)
        for target, content in ((file, as_po(current)), (file.with_suffix(".mo"), as_mo(current))):
            if target.exists() and target.read_bytes() == content:
                continue
            stale.append(target.name)
            if not check:
                target.write_bytes(content)
    if check and stale:
        print(f"not what the texts are now: {', '.join(stale)}; run tools/translations.py compile", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
