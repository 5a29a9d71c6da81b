"""WhatsApp's marks in a text: *bold*, _italic_, ~struck~ and ```monospace```, understood as its own clients do.

Promise: what is not between two marks stays as it is. `chime/web/message_text.py` draws them.
"""

from __future__ import annotations

import re

MARKS = (
    ("code", re.compile(r"```(.+?)```", re.S)),
    ("strong", re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])")),
    ("em", re.compile(r"(?<![\w_])_(?=\S)([^_\n]+?)(?<=\S)_(?![\w_])")),
    ("s", re.compile(r"(?<![\w~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\w~])")),
)
"""HTML's word for each, and the marked words as its first group."""
_ANY = re.compile(r"[`*_~]")


def may_have_marks(text: str) -> bool:
    """False for nearly every message."""
    return _ANY.search(text) is not None


def plain(text: str) -> str:
    """The words alone, for a line in a list, a found place or a notification."""
    if may_have_marks(text):
        for _, mark in MARKS:
            text = mark.sub(r"\1", text)
    return text
