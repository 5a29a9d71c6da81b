"""Fields a workspace defines for its contacts and conversations: what a value may be, and how one is read.

Values stand in `fields_json` under the field's key, so what scripts wrote before a field was defined stays readable.
A key never changes; a field that is switched off keeps its values and is asked for no more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any

import msgspec

from chime.clock import from_rfc3339, rfc3339
from chime.contacts.model import normalise_phone
from chime.errors import Invalid, Sentence
from chime.phone import Phone

MOST_FIELDS = 50
MOST_OPTIONS = 50
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s.]{2,63}")
_NUMBER = re.compile(r"\+\d{7,15}")
_URL = re.compile(r"https?://[^\s<>\"]{1,990}")


class FieldSubject(StrEnum):
    CONTACT = "contact"
    CONVERSATION = "conversation"


class FieldKind(StrEnum):
    """What a value may be."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    NUMBER = "number"
    EMAIL = "email"
    SELECT = "select"
    MULTI_SELECT = "multi_select"
    DATE = "date"
    DATE_TIME = "date_time"
    SWITCH = "switch"
    PHONE = "phone"
    URL = "url"


CHOOSES = frozenset({FieldKind.SELECT, FieldKind.MULTI_SELECT})


class CustomField(msgspec.Struct, frozen=True, kw_only=True):
    """One definition. `options` are the choices of a list."""

    id: str
    subject: FieldSubject
    key: str
    label: str
    hint: str
    kind: FieldKind
    options: tuple[str, ...]
    is_required: bool
    is_on: bool
    position: int


class NewField(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for. The key is made of the label once."""

    subject: FieldSubject = FieldSubject.CONTACT
    label: str = ""
    hint: str = ""
    kind: FieldKind = FieldKind.TEXT
    options: tuple[str, ...] = ()
    is_required: bool = False
    is_on: bool = True


def checked_field(new: NewField) -> NewField:
    """Without stray spaces. Raises Invalid naming each field that is wrong."""
    label, hint = " ".join(new.label.split()), " ".join(new.hint.split())
    options = tuple(dict.fromkeys(text for option in new.options if (text := " ".join(option.split()))))
    wrong = []
    if not 1 <= len(label) <= 60:
        wrong.append(("label", "A label has 1 to 60 characters."))
    if len(hint) > 200:
        wrong.append(("hint", "A hint has at most 200 characters."))
    if new.kind in CHOOSES and not options:
        wrong.append(("options", "Give at least one choice, each on a line of its own."))
    if len(options) > MOST_OPTIONS or any(len(option) > 80 for option in options):
        wrong.append(("options", Sentence("At most %(most)s choices of at most 80 characters.", most=MOST_OPTIONS)))
    if wrong:
        raise Invalid(wrong)
    return msgspec.structs.replace(new, label=label, hint=hint, options=options if new.kind in CHOOSES else ())


def with_chosen(field: CustomField, value: Any) -> CustomField:
    """The field with what was chosen once and is on its list no more."""
    chosen = [value] if isinstance(value, str) else value
    if field.kind not in CHOOSES or not isinstance(chosen, list | tuple):
        return field
    return msgspec.structs.replace(field, options=tuple(dict.fromkeys([*field.options, *chosen])))


def key_of(label: str) -> str:
    """The name under which values are kept and scripts find them."""
    return re.sub(r"[^\w]+", "_", label.casefold()).strip("_")[:50] or "field"


def checked_value(field: CustomField, value: Any) -> Any:
    """The value as it is kept, None for none. Raises Invalid naming `fields.<key>`."""
    if isinstance(value, str):
        value = value.strip() if field.kind is FieldKind.LONG_TEXT else " ".join(value.split())
    if value is None or value == "" or value == []:
        if field.is_required:
            raise _wrong(field, "This field is needed.")
        return None
    return _CHECKS[field.kind](field, value)


def checked_values(fields: Iterable[CustomField], given: Mapping[str, Any],
                   before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Those of the given values that belong to a field which is on, checked; the others as they are. `before` is what
    stands there: a choice that was made may stay, even where it was taken off the list since. Raises Invalid naming
    every one that does not fit."""
    known = {field.key: with_chosen(field, (before or {}).get(field.key)) for field in fields if field.is_on}
    found: dict[str, Any] = {}
    wrong: list[tuple[str, str]] = []
    for key, value in given.items():
        try:
            found[key] = checked_value(known[key], value) if key in known else value
        except Invalid as error:
            wrong += [(problem.field, problem.message) for problem in error.errors]
    if wrong:
        raise Invalid(wrong)
    return found


def shown_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the reader of this request may see them: what is a whole number of a person, defined as one or
    not, is masked like any other."""
    return {key: str(Phone(value)) if is_number(value) else value for key, value in values.items()}


def is_number(value: Any) -> bool:
    """Whether a value is a whole number of a person."""
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None


def _wrong(field: CustomField, words: str) -> Invalid:
    return Invalid.field(f"fields.{field.key}", words)


def _text(field: CustomField, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(field, "The value is text.")
    if len(value) > 1000:
        raise _wrong(field, "The value has at most 1,000 characters.")
    return value


def _quantity(field: CustomField, value: Any) -> int | float:
    try:
        found = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found) or abs(found) > 1e15:
        raise _wrong(field, "The value is a number, such as 12 or 4.5.")
    return int(found) if found.is_integer() else found


def _email(field: CustomField, value: Any) -> str:
    if not isinstance(value, str) or len(value) > 254 or not _EMAIL.fullmatch(value):
        raise _wrong(field, "Write an email address, such as maya@example.com.")
    return value


def _select(field: CustomField, value: Any) -> str:
    if not isinstance(value, str) or value not in field.options:
        raise _wrong(field, "Choose one of the list.")
    return value


def _multi_select(field: CustomField, value: Any) -> list[str]:
    chosen = [value] if isinstance(value, str) else value
    if not isinstance(chosen, list | tuple) or any(one not in field.options for one in chosen):
        raise _wrong(field, "Choose from the list.")
    return [option for option in field.options if option in chosen]


def _date(field: CustomField, value: Any) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise _wrong(field, "Write a date as 2026-11-23.") from None


def _date_time(field: CustomField, value: Any) -> str:
    try:
        return rfc3339(from_rfc3339(value))
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise _wrong(field, "Choose a day and a time.") from None


def _switch(field: CustomField, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    named = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}
    if not isinstance(value, str) or value.casefold() not in named:
        raise _wrong(field, "Say true or false.")
    return named[value.casefold()]


def _phone(field: CustomField, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(field, "Write the number with + and the country code, as in +14155550123.")
    return "+" + normalise_phone(value, field=f"fields.{field.key}")


def _url(field: CustomField, value: Any) -> str:
    if not isinstance(value, str) or not _URL.fullmatch(value):
        raise _wrong(field, "Write an address that begins with https:// or http://.")
    return value


_CHECKS: dict[FieldKind, Callable[[CustomField, Any], Any]] = {
    FieldKind.TEXT: _text, FieldKind.LONG_TEXT: _text, FieldKind.NUMBER: _quantity, FieldKind.EMAIL: _email,
    FieldKind.SELECT: _select, FieldKind.MULTI_SELECT: _multi_select, FieldKind.DATE: _date,
    FieldKind.DATE_TIME: _date_time, FieldKind.SWITCH: _switch, FieldKind.PHONE: _phone, FieldKind.URL: _url,
}
