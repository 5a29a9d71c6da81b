"""What people type into a search field, understood: which words a message must hold, and where they stand in it.

Promise: whatever is typed, no text of a person becomes syntax of SQLite's full-text search, and a message found by the
index is recognised here too, since both cut and fold words alike (`unicode61 remove_diacritics 2`, see m0011_search).
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

import msgspec

from chime.phone import texts_are_masked

MOST_TYPED = 200
MOST_WORDS = 16
SHORTEST_BEGINNING = 2
LEAD = 40  # characters of an excerpt before the first word found
EXCERPT = 160

_TYPED = re.compile(r'"([^"]*)("?)|([^\s"]+)')
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"') | {"\0": " "})
# Chinese, Japanese and Korean are written without spaces: what was typed is the beginning of such a run.
_WITHOUT_SPACES = re.compile("[぀-ヿ㐀-䶿一-鿿가-힯豈-﫿฀-๿\U00020000-\U0003ffff]")
_ACCENTS = re.compile("[\u0300-\u036f]")
# What only colours the emoji before it is no word.
_EMOJI_MARKS = "︎️"

_NUMBERS = re.compile(r"\d{3,}")


def askable(typed: str) -> str:
    """What the reader of this request may search for. Numbers are no words for whoever gets them masked in texts: found
    or not found would tell them."""
    return _NUMBERS.sub(" ", typed).strip() if texts_are_masked() else typed


class Term(msgspec.Struct, frozen=True):
    """Words that follow each other; of the last one perhaps only the `beginning` is known."""

    words: tuple[str, ...]
    beginning: bool = False

    @property
    def expression(self) -> str:
        return f'"{" ".join(self.words)}"{"*" if self.beginning else ""}'

    def stands_at(self, words: list[str], place: int) -> bool:
        """Whether it is found in `words`, folded, from this place on."""
        *whole, last = map(fold, self.words)
        found = words[place:place + len(self.words)]
        return len(found) == len(self.words) and found[:-1] == whole and (
            found[-1].startswith(last) if self.beginning else found[-1] == last)


class Part(msgspec.Struct, frozen=True):
    """A piece of an excerpt; `marked` when it is what was looked for."""

    text: str
    marked: bool = False


class Words(msgspec.Struct, frozen=True):
    """All of `terms` must stand in a message, or in the name of its file."""

    terms: tuple[Term, ...]

    @property
    def expression(self) -> str:
        """For MATCH. Every word stands in quotes and holds none."""
        return " AND ".join(term.expression for term in self.terms)

    def stand_in(self, *texts: str) -> bool:
        """Whether every term is found in one of the texts."""
        together = flat(" ".join(texts))
        if not all(fold(word) in together for term in self.terms for word in term.words):
            return False  # most texts end here, at a tenth of the cost of cutting them
        cut = [[fold(match[0]) for match in words_in(text)] for text in texts]
        return all(any(term.stands_at(words, place) for words in cut for place in range(len(words)))
                   for term in self.terms)

    def excerpt(self, text: str) -> tuple[Part, ...]:
        """The part of a text around the first word found, with all that is found marked. The beginning of the text
        when nothing of it is."""
        spans = self._spans(text)
        begin = max(0, spans[0][0] - LEAD) if spans and spans[0][0] > LEAD * 2 else 0
        end = min(len(text), max(begin + EXCERPT, spans[0][1] if spans else 0))
        begin, end = _at_a_space(text, begin, forward=True), _at_a_space(text, end, forward=False)
        parts = [Part("…")] if begin else []
        place = begin
        for start, stop in spans:
            if start >= begin and stop <= end:
                parts += [Part(text[place:start]), Part(text[start:stop], marked=True)]
                place = stop
        parts += [Part(text[place:end]), Part("…" if end < len(text) else "")]
        return tuple(part for part in parts if part.text)

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """Where the terms stand, in order and not over each other."""
        cut = words_in(text)
        folded = [fold(match[0]) for match in cut]
        found: list[tuple[int, int]] = []
        for place, match in enumerate(cut):
            lengths = [len(term.words) for term in self.terms if term.stands_at(folded, place)]
            if lengths and (not found or match.start() >= found[-1][1]):
                found.append((match.start(), cut[place + max(lengths) - 1].end()))
        return found


def _at_a_space(text: str, place: int, *, forward: bool) -> int:
    """The nearest end of a word, so that an excerpt cuts none; the place itself in a text without spaces."""
    if place in (0, len(text)):
        return place
    found = text.find(" ", place, place + 20) if forward else text.rfind(" ", place - 20, place)
    if found < 0:
        return place
    return found + 1 if forward else found


def understood(typed: str) -> Words:
    """Words must all be there; in quotation marks they follow each other; the last one may still be growing."""
    terms: list[Term] = []
    typed = typed[:MOST_TYPED].translate(_QUOTES)
    for match in _TYPED.finditer(typed):
        phrase, closed, word = match.groups()
        words = tuple(found[0] for found in words_in(word or phrase or ""))
        if not words:
            continue
        last = match.end() == len(typed.rstrip()) and not closed and len(words[-1]) >= SHORTEST_BEGINNING
        terms.append(Term(words, last or (not closed and bool(_WITHOUT_SPACES.match(words[-1])))))
    return Words(tuple(terms[:MOST_WORDS]))


def words_in(text: str) -> list[re.Match[str]]:
    """The words of a text as the index cuts them."""
    return list(_word().finditer(text))


@lru_cache(8192)
def fold(word: str) -> str:
    """Without capitals and accents."""
    return flat(word)


def flat(text: str) -> str:
    """A whole text without capitals and accents."""
    plain = text.lower()
    return plain if plain.isascii() else _ACCENTS.sub("", unicodedata.normalize("NFD", plain))


@cache
def _word() -> re.Pattern[str]:
    """Letters, numbers and the signs that belong to a letter. Python's `\\w` knows the first two; the signs are looked
    up once."""
    signs = [chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code)) in ("Mn", "Mc")]
    return re.compile(f"(?:[^\\W_]|[{''.join(sign for sign in signs if sign not in _EMOJI_MARKS)}])+")
