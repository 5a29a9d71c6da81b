"""A person's phone number, as a type that masks itself.

Its text is masked unless the request being answered belongs to somebody who may see numbers (`numbers_shown_to`, said
once by the guard). So a page, a fragment, a JSON answer, an error or a log that prints one without a thought prints it
masked. The digits are told to the few places that send, compare or store them, through `digits`.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Any

_shown: ContextVar[bool] = ContextVar("numbers_shown", default=False)
_texts_masked: ContextVar[bool] = ContextVar("texts_masked", default=False)
_TWO_DIGITS = frozenset({20, 27, *range(30, 35), 36, 39, 40, 41, *range(43, 50), *range(51, 59), *range(60, 67), 81, 82,
                         84, 86, *range(90, 96), 98})
HIDDEN = 5
_LAST = 3
# What looks like a number in a text: seven digits or more, with the signs people put between them.
# A date is none.
_IN_TEXT = re.compile(r"(?<!\d)(?!\d{4}-\d\d-\d\d(?!\d))\+?\d(?:[\s().\-/]{0,2}\d){6,}")


class Phone:
    """Digits with the country code and without `+`, as Meta and the database have them."""

    __slots__ = ("_digits",)

    def __init__(self, digits: str) -> None:
        self._digits = digits.lstrip("+")

    @property
    def digits(self) -> str:
        """The number itself. Call it where it leaves for its one destination, never to show it."""
        return self._digits

    @property
    def masked(self) -> str:
        """The country and the last three digits, at least five hidden; how many there are is not told."""
        country = country_code(self._digits)
        last = max(0, min(_LAST, len(self._digits) - len(country) - HIDDEN))
        return f"+{country} ••••• ••{self._digits[-last:] if last else ''}"

    @property
    def is_shown(self) -> bool:
        """Whether the reader of this request sees it whole."""
        return _shown.get()

    def __str__(self) -> str:
        return f"+{self._digits}" if _shown.get() else self.masked

    def __repr__(self) -> str:
        return f"Phone({self.masked})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Phone) and other._digits == self._digits

    def __hash__(self) -> int:
        return hash(self._digits)


def country_code(digits: str) -> str:
    """The calling code a number begins with (E.164: one digit for zones 1 and 7, else two or three)."""
    if digits[:1] in ("1", "7"):
        return digits[:1]
    return digits[:2] if digits[:2].isdecimal() and int(digits[:2]) in _TWO_DIGITS else digits[:3]


def numbers_shown_to(may_see: bool, *, masks_texts: bool = False) -> None:
    """Say for the rest of this request whether its reader sees whole numbers, and whether what looks like one is
    masked in messages too. Without a word nobody sees any."""
    _shown.set(may_see)
    _texts_masked.set(masks_texts)


def texts_are_masked() -> bool:
    """Whether this request's reader gets texts with the numbers in them masked."""
    return _texts_masked.get()


def shown_text(text: str) -> str:
    """A customer's or colleague's words as this request's reader may read them."""
    return masked_in(text) if _texts_masked.get() else text


def shown_content(value: Any) -> Any:
    """The same for everything inside a message's content."""
    if not _texts_masked.get():
        return value
    if isinstance(value, dict):
        return {name: shown_content(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shown_content(inner) for inner in value]
    return masked_in(value) if isinstance(value, str) else value


def shown_wamids(value: Any) -> Any:
    """Meta's id of a message, or what holds some, as this request's reader may read it: such an id is made of the
    customer's number, in base64, so who may not see that gets null."""
    if _shown.get():
        return value
    if isinstance(value, dict):
        return {name: shown_wamids(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shown_wamids(inner) for inner in value]
    return None if isinstance(value, str) and value.startswith("wamid.") else value


def masked_in(text: str) -> str:
    """A text with everything in it that looks like a phone number masked."""
    return _IN_TEXT.sub(lambda found: Phone("".join(filter(str.isdigit, found.group(0)))).masked, text)


def from_column(kind: type, value: object) -> object:
    """A column of a row as the type its field asks for (msgspec's `dec_hook`)."""
    if kind is Phone and isinstance(value, str):
        return Phone(value)
    raise NotImplementedError
