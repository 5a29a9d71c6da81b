"""The parts events are made of: people, files, errors, prices as WhatsApp names them."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Person(Struct, frozen=True, kw_only=True):
    """A WhatsApp user as one payload names them. Any part may be missing; `is_known` tells whether one identifies."""

    phone: str | None = None
    user_id: str | None = None
    parent_user_id: str | None = None
    name: str | None = None
    username: str | None = None
    identity_key_hash: str | None = None

    @property
    def is_known(self) -> bool:
        return bool(self.phone or self.user_id or self.parent_user_id)


class MetaError(Struct, frozen=True, kw_only=True):
    """One error object. `whatsapp.errors.explain(code)` has the words for people."""

    code: int
    title: str = ""
    details: str = ""
    href: str | None = None


class MediaReference(Struct, frozen=True, kw_only=True):
    """A file at Meta. Its id lives seven days, its url five minutes; `sha256` is hex."""

    id: str
    mime_type: str
    sha256: str | None = None
    filename: str | None = None
    voice: bool = False
    animated: bool = False
    url: str | None = None


class Context(Struct, frozen=True, kw_only=True):
    """What a message refers to. `wamid` may be unknown here (sent from a phone, erased), or be a call's id."""

    wamid: str | None = None
    sender_phone: str | None = None
    forwarded: bool = False
    frequently_forwarded: bool = False
    referred_product: dict[str, Any] | None = None


class Pricing(Struct, frozen=True, kw_only=True):
    """What a message costs, in Meta's words. `type` decides (`regular`, `free_…`); `billable` is being retired."""

    billable: bool | None = None
    model: str | None = None
    type: str | None = None
    category: str | None = None
