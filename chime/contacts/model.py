"""Who a contact is, and the rules for numbers and names."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum
from typing import Any

import msgspec

from chime.errors import Invalid
from chime.phone import Phone

# Meta: two letters, a dot, perhaps `ENT.`, then up to 128 alphanumerics. Nothing else may be read out of it.
USER_ID = re.compile(r"^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$")


class Consent(StrEnum):
    """Whether a person agreed to marketing messages."""

    UNKNOWN = "unknown"
    OPTED_IN = "opted_in"
    OPTED_OUT = "opted_out"


class Tag(msgspec.Struct, frozen=True):
    id: str
    name: str


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """`user_id` is Meta's business-scoped user id; `owner_id` the member who looks after them."""

    id: str
    name: str
    profile_name: str
    username: str
    phone: Phone | None
    user_id: str | None
    fields: dict[str, Any]
    marketing_consent: Consent
    consent_at: int | None
    created_at: int
    updated_at: int
    tags: tuple[Tag, ...] = ()
    blocked_at: int | None = None
    blocked_by: str = ""
    owner_id: str | None = None

    @property
    def title(self) -> str:
        """What to call the person; the order is that of ui.md 7.11, and it is never empty."""
        if self.name or self.profile_name:
            return self.name or self.profile_name
        if self.username:
            return f"@{self.username}"
        return str(self.phone) if self.phone else "WhatsApp user"


class NewContact(msgspec.Struct, frozen=True, kw_only=True):
    """What a person or a script gives to make a contact."""

    name: str = ""
    phone: str | None = None
    user_id: str | None = None
    fields: dict[str, Any] = {}
    tags: tuple[str, ...] = ()


def normalise_phone(text: str, *, field: str = "phone") -> str:
    """Digits of an international number as people write it (`+1 (415) 555-0123`). Raises Invalid naming `field`.

    A business-scoped user id is refused: its digits are no number (whatsapp-messaging.md 11, trap 13).
    """
    if USER_ID.match(text.strip()):
        raise Invalid.field(field, "This is a WhatsApp user id, not a phone number.")
    import phonenumbers  # 10 MB of memory that a process which takes no typed number need not have

    try:
        number = phonenumbers.parse(text.strip(), None)
    except phonenumbers.NumberParseException as error:
        raise Invalid.field(field, "Write the number with + and the country code, as in +14155550123.") from error
    if not phonenumbers.is_possible_number(number):
        raise Invalid.field(field, "This is not a phone number: too many or too few digits.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).lstrip("+")


def check_user_id(text: str, *, field: str = "user_id") -> str:
    """A business-scoped user id as it is. Raises Invalid."""
    if not USER_ID.fullmatch(text):
        raise Invalid.field(field, "A WhatsApp user id looks like US.7Hq2mZ90.")
    return text


MOST_FIELD_VALUES = 100


def check_fields(fields: dict[str, Any], *, lists: Collection[str] = ()) -> dict[str, Any]:
    """Values of custom fields: at most 100 names with short values; only those named in `lists` hold several texts.
    Raises Invalid naming the field."""
    if len(fields) > MOST_FIELD_VALUES:
        raise Invalid.field("fields", "A contact has at most 100 fields.")
    for name, value in fields.items():
        if not 1 <= len(name) <= 60:
            raise Invalid.field("fields", "The name of a field has 1 to 60 characters.")
        if name in lists and isinstance(value, list):
            continue
        if not isinstance(value, str | int | float | bool) and value is not None:
            raise Invalid.field(f"fields.{name}", "The value is text, a number, true, false or null.")
        if isinstance(value, str) and len(value) > 1000:
            raise Invalid.field(f"fields.{name}", "The value has at most 1,000 characters.")
    return fields
