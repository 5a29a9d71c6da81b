"""Looking through the help: every word typed must begin a word of the topic or of the error.

Promises: what is searched is what is shown, in the reader's language; topics that have the words in their title stand
before those that have them in their text; nothing leaves the process and nothing typed is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from html import unescape

import msgspec

from chime.help.topics import TOPICS, Topic
from chime.web.language import catalogue
from chime.whatsapp.errors import every_rule

MOST = 30
_TAG = re.compile(r"<[^>]+>")
_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def matches(asked: list[str], text: list[str]) -> bool:
    return all(any(word.startswith(one) for word in text) for one in asked)


def find_topics(typed: str, language: str, text_of: Callable[[Topic], str]) -> list[Topic]:
    """`text_of` gives a topic as it is shown, as HTML."""
    asked = words_of(typed)
    if not asked:
        return []
    gettext = catalogue(language).gettext
    titled = {one.key: words_of(f"{gettext(one.words)} {gettext(one.about)}") for one in TOPICS}
    first = [one for one in TOPICS if matches(asked, titled[one.key])]
    rest = [one for one in TOPICS if one not in first
            and matches(asked, titled[one.key] + words_of(unescape(_TAG.sub(" ", text_of(one)))))]
    return (first + rest)[:MOST]


def named(typed: str, language: str) -> list[Topic]:
    """Topics whose title or description has the words."""
    asked, gettext = words_of(typed), catalogue(language).gettext
    return [one for one in TOPICS if asked and matches(asked, words_of(f"{gettext(one.words)} {gettext(one.about)}"))]


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """Errors that mean the same, as the list shows them: `codes` are "10, 200–299"."""

    codes: str
    first: int
    title: str
    what_to_do: str


def find_errors(typed: str, language: str) -> list[Explained]:
    """By the beginning of a code or by words; all of them, by code, when nothing is typed."""
    asked = words_of(typed)
    return [one for one, text in _errors(language) if not asked or matches(asked, text)]


@lru_cache(maxsize=16)
def _errors(language: str) -> list[tuple[Explained, list[str]]]:
    gettext = catalogue(language).gettext
    found = []
    for codes, rule in every_rule():
        one = Explained(codes=spans(codes), first=codes[0], title=gettext(rule.title),
                        what_to_do=gettext(rule.what_to_do))
        found.append((one, words_of(f"{' '.join(map(str, codes))} {one.title} {one.what_to_do}")))
    return sorted(found, key=lambda pair: pair[0].first)


def spans(codes: Iterable[int]) -> str:
    """Neighbours together: 10, 200–299."""
    runs: list[list[int]] = []
    for code in sorted(codes):
        if runs and code == runs[-1][-1] + 1:
            runs[-1].append(code)
        else:
            runs.append([code])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
