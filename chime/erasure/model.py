"""An erasure, what it removed, and who is meant by it. Pure."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.contacts import Identity, mark
from chime.whatsapp import Person

KIND = "erasure"
JOB = "erasure.run"
# What a certificate counts, in the order in which it tells.
COUNTED = ("contacts", "identities", "conversations", "messages", "files", "consents", "tags", "deliveries", "records",
           "exports", "questions", "mentions")


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """`again`: the person came back with a restore and was removed once more."""

    id: str
    contact_id: str
    again: bool
    begun_at: int
    rows_gone_at: int | None
    journal_upto: int
    finished_at: int | None
    counts: dict[str, int]
    requester_name: str
    approver_name: str


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure would remove, as far as it can be counted quickly; `deliveries` is at least so many."""

    contacts: int
    identities: int
    conversations: int
    messages: int
    files: int
    consents: int
    tags: int
    exports: int
    deliveries: int
    deliveries_whole: bool
    opted_out: bool


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """One id of somebody who was forgotten, as the journal and control.db keep it."""

    erasure_id: str
    contact_id: str
    mark: bytes
    opted_out: bool
    at: int


class Meant:
    """Whom an erasure means: the ids they are known by, or only the hashes of those, and Meta's ids of what was said.

    By hashes alone a text can't be searched for a number; that is for journals that come from a backup.
    """

    def __init__(self, identities: Collection[Identity], wamids: Collection[str] = (), *,
                 marks: Collection[bytes] = (), key: bytes = b"") -> None:
        self.phones = frozenset(one.value for one in identities if one.kind == "phone")
        self.user_ids = frozenset(one.value for one in identities if one.kind == "user_id")
        self.wamids = set(wamids)
        self._marks = frozenset(marks)
        self._key = key
        self._texts = tuple(one.encode() for one in (*self.phones, *self.user_ids))

    def is_person(self, person: Person | None) -> bool:
        return person is not None and (self.is_phone(person.phone) or self.is_user_id(person.user_id)
                                       or self.is_user_id(person.parent_user_id))

    def is_phone(self, phone: str | None) -> bool:
        return bool(phone) and (phone in self.phones or self._is_marked("phone", phone))

    def is_user_id(self, user_id: str | None) -> bool:
        return bool(user_id) and (user_id in self.user_ids or self._is_marked("user_id", user_id))

    def _is_marked(self, kind: str, value: str | None) -> bool:
        return bool(self._marks and value) and mark(self._key, Identity(kind, value or "")) in self._marks

    def is_said(self, wamid: str | None) -> bool:
        return wamid in self.wamids

    @property
    def has_marks(self) -> bool:
        return bool(self._marks)

    def is_in(self, text: bytes) -> bool:
        """Whether a number or id stands in these bytes as it is."""
        return any(one in text for one in self._texts)
