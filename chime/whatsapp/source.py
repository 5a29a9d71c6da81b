"""Where an item came from, and who the people of its payload are.

A `Source` is handed down from entry to change to item, so that each event knows its place. `People` completes the
sender of a message with what `contacts[]` says; that array is matched by id, never by position.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from chime.whatsapp import lenient
from chime.whatsapp.parts import MetaError, Person


class Unclear(Exception):
    """An item says too little to be an event. The message names what is missing and quotes nothing."""


class People:
    """The `contacts[]` of one payload, found by either identity."""

    def __init__(self, contacts: Any) -> None:
        self._all = [_contact(contact) for contact in lenient.mappings(contacts)]
        self._by_user_id = {known.user_id: known for known in self._all if known.user_id}
        self._by_phone = {known.phone: known for known in self._all if known.phone}

    def complete(self, named: Person, *, alone: bool = False) -> Person:
        """`named` with name, username and the other identity. `alone`: the payload has one item, so one contact fits
        it even when they share no key (a phone in one, a user id in the other)."""
        known = self._by_user_id.get(named.user_id or "") or self._by_phone.get(named.phone or "")
        if known is None and alone and len(self._all) == 1 and not _contradict(named.phone, self._all[0].phone):
            known = self._all[0]
        if known is None or _contradict(named.user_id, known.user_id):
            return named
        return Person(
            phone=named.phone or known.phone, user_id=named.user_id or known.user_id,
            parent_user_id=named.parent_user_id or known.parent_user_id, name=known.name, username=known.username,
            identity_key_hash=known.identity_key_hash,
        )


def _contradict(one: str | None, other: str | None) -> bool:
    return bool(one and other and one != other)


def person(phone: Any = None, user_id: Any = None, parent_user_id: Any = None) -> Person:
    """The identities at three keys, each put where it belongs: a user id is met in the place of a phone too."""
    number, ordinary, parent = lenient.phone(phone), None, lenient.user_id(parent_user_id)
    for written in (lenient.user_id(user_id), lenient.user_id(phone)):
        if written and lenient.is_parent_user_id(written):
            parent = parent or written
        elif written:
            ordinary = ordinary or written
    return Person(phone=number, user_id=ordinary, parent_user_id=parent)


def _contact(contact: dict[str, Any]) -> Person:
    profile = lenient.mapping(contact.get("profile"))
    named = person(contact.get("wa_id"), contact.get("user_id"), contact.get("parent_user_id"))
    return msgspec.structs.replace(
        named, name=lenient.text(profile.get("name")), username=username(profile.get("username")),
        identity_key_hash=lenient.text(contact.get("identity_key_hash")),
    )


def username(value: Any) -> str | None:
    """A username without the `@` some payloads put before it."""
    return (lenient.text(value) or "").strip().lstrip("@") or None


def errors(value: Any) -> tuple[MetaError, ...]:
    """The error objects of an `errors[]`; codes come as numbers and as strings, legacy ones lack `message`."""
    return tuple(_error(item) for item in lenient.mappings(value))


def _error(item: dict[str, Any]) -> MetaError:
    title, message = lenient.text(item.get("title")), lenient.text(item.get("message"))
    details = lenient.text(lenient.mapping(item.get("error_data")).get("details"))
    return MetaError(
        code=lenient.number(item.get("code")) or 0, title=title or message or "",
        details=details or (message if title and message != title else None) or "", href=lenient.text(item.get("href")),
    )


class Source(Struct, frozen=True, kw_only=True):
    """The place of a change or item in a body. `at` is the entry's time in milliseconds, 0 when it has none."""

    path: str
    field: str = ""
    entry_id: str | None = None
    entry_time: int | None = None
    at: int = 0
    phone_number_id: str | None = None
    waba_id: str | None = None
    display_phone: str | None = None

    def step(self, key: str, index: int) -> Source:
        """The place of one element of an array below this one."""
        return msgspec.structs.replace(self, path=f"{self.path}.{key}.{index}")

    def common(self, timestamp: Any = None) -> dict[str, Any]:
        """The arguments every event takes."""
        return {
            "path": self.path,
            "at": lenient.moment(timestamp) or self.at,
            "phone_number_id": self.phone_number_id,
            "waba_id": self.waba_id,
        }

    def fingerprint(self, item: Any) -> str:
        """The key of an item without an id: a hash of entry, time, field and what it says."""
        return lenient.fingerprint(self.entry_id, self.entry_time, self.field, item)
