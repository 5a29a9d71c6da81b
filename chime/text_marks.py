"""WhatsApp's marks in a text: *bold*, _italic_, ~struck~ and ```monospace```, understood as its own clients do.

Promise: what is not between two marks stays as it is; neither way makes markup out of anything but the marks.
"""

from __future__ import annotations

import re

_FORMATS = (
    (re.compile(r"```(.+?)```", re.S), r"<code>\1</code>"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])"), r"<strong>\1</strong>"),
    (re.compile(r"(?<![\w_])_(?=\S)([^_\n]+?)(?<=\S)_(?![\w_])"), r"<em>\1</em>"),
    (re.compile(r"(?<![\w~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\w~])"), r"<s>\1</s>"),
)
_ANY = re.compile(r"[`*_~]")


def drawn(safe: str) -> str:
    """HTML of a text that is escaped already."""
    if _ANY.search(safe) is None:
        return safe  # nearly every message
    for pattern, replacement in _FORMATS:
        safe = pattern.sub(replacement, safe)
    return safe


def plain(text: str) -> str:
    """The words alone, for a line in a list, a found place or a notification."""
    if _ANY.search(text) is None:
        return text
    for pattern, _ in _FORMATS:
        text = pattern.sub(r"\1", text)
    return text
