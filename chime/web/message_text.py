"""A message's text as HTML: WhatsApp's marks drawn, addresses as links.

Promise: nobody's words become markup. They are escaped before a mark or a link is made of them.
"""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from chime.text_marks import MARKS, may_have_marks

_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]']")
_ANCHOR = Markup('<a href="{0}" target="_blank" rel="noopener noreferrer nofollow">{0}</a>')


def whatsapp_text(text: str) -> Markup:
    """A message's text with WhatsApp's marks and links."""
    if "://" not in text:
        return _marked(text)
    drawn = Markup()
    position = 0
    for link in _LINK.finditer(text):
        drawn += _marked(text[position:link.start()]) + _ANCHOR.format(link.group(0))
        position = link.end()
    return drawn + _marked(text[position:])


def _marked(text: str) -> Markup:
    escaped = escape(text)
    if not may_have_marks(text):
        return escaped
    html = str(escaped)  # a Markup would escape the tags that are put into it
    for tag, mark in MARKS:
        html = mark.sub(rf"<{tag}>\1</{tag}>", html)
    return Markup(html)
