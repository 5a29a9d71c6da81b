"""Blanks in a quick reply: `{{contact.first_name}}`, with words for when there is nothing: `{{contact.name|there}}`.

Pure text in, pure text out. A blank that nothing fills and that has no such words stays in the text as it is written,
and is told by its name, so that whoever sends it sees it before the customer does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

# What can be asked for, in the order in which pages show it. `contact.fields.…` names a field of the contact.
NAMES = ("contact.name", "contact.first_name", "contact.phone", "contact.username", "agent.name", "agent.first_name",
         "workspace.name", "channel.name")
FIELDS = "contact.fields."
_BLANK = re.compile(r"\{\{\s*([^{}|]*?)\s*(?:\|([^{}]*))?\}\}")
_LONGEST_FIELD = 60


class Filled(msgspec.Struct, frozen=True):
    """A text with its blanks filled, and the names of those that nothing filled."""

    text: str
    missing: tuple[str, ...]


def fill(text: str, values: Mapping[str, str]) -> Filled:
    """Each blank by its value, or by the words after its bar. What is put in is not looked through for blanks."""
    missing: dict[str, None] = {}

    def put(blank: re.Match[str]) -> str:
        name, otherwise = blank[1], (blank[2] or "").strip()
        value = values.get(name, "").strip() or otherwise
        if not value:
            missing[name] = None
        # Written as the composer looks for it, whatever spaces stood there.
        return value or "{{" + name + "}}"

    return Filled(_BLANK.sub(put, text), tuple(missing))


def check_variables(text: str) -> list[str]:
    """What is wrong with the blanks of a text, a sentence for each."""
    names = dict.fromkeys(blank[1] for blank in _BLANK.finditer(text))
    problems = [f"There is no {{{{{name}}}}}: use one of the names below." for name in names if not _is_known(name)]
    rest = _BLANK.sub("", text)
    if "{{" in rest or "}}" in rest:
        problems.append("A name in double braces is not closed: write it like {{contact.name}}.")
    return problems


def _is_known(name: str) -> bool:
    return name in NAMES or (name.startswith(FIELDS) and 0 < len(name) - len(FIELDS) <= _LONGEST_FIELD)


def first_name(name: str) -> str:
    """The first of somebody's names; all of it when there is one."""
    return name.split()[0] if name.split() else ""
