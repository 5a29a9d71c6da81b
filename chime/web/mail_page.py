"""The text of a mail as a page, for who reads mails so: the same words with links to click, no styles."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from chime.web.language import locale

_LINK = re.compile(r"https?://[^\s<>\"]+")


def as_page(text: str, language: str) -> str:
    """Paragraphs are what an empty line parts; nothing of the text becomes markup but its addresses."""
    where = locale(language)
    direction = "rtl" if where.character_order.startswith("right") else "ltr"
    parts = Markup("\n").join(Markup("<p>{}</p>").format(Markup("<br>\n").join(map(_linked, part.splitlines())))
                              for part in text.strip().split("\n\n"))
    return str(Markup('<!doctype html>\n<html lang="{}" dir="{}"><head><meta charset="utf-8"><title>Chime</title>\n'
                      "</head><body>\n{}\n</body></html>").format(str(where).replace("_", "-"), direction, parts))


def _linked(line: str) -> Markup:
    pieces, place = Markup(), 0
    for found in _LINK.finditer(line):
        pieces += escape(line[place:found.start()]) + Markup('<a href="{0}">{0}</a>').format(found.group(0))
        place = found.end()
    return pieces + escape(line[place:].strip() if not place else line[place:])
