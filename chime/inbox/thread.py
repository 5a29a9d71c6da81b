"""What the thread pane shows: the conversation, its messages with day lines and events between, window, people."""

from __future__ import annotations

from typing import Any

import msgspec

from chime import accounts, channels, contacts, message_templates
from chime.accounts import Member
from chime.channels import Channel
from chime.contacts import Contact
from chime.db import Db
from chime.errors import NotFound
from chime.inbox import queries
from chime.inbox.model import Conversation, ConversationEvent, Message, Window
from chime.message_templates import MessageTemplate, Parameter
from chime.web.here import Here
from chime.web.language import zone
from chime.web.listing import decode_cursor, encode_cursor


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a thread. `kind`: day, message or event."""

    kind: str
    day_at: int = 0
    message: Message | None = None
    event: ConversationEvent | None = None


class ContactView(msgspec.Struct, frozen=True, kw_only=True):
    """A contact as the panel draws it; `tags` are (id, name) pairs."""

    id: str
    name: str
    profile_name: str
    username: str
    phone: str | None
    user_id: str | None
    title: str
    tags: tuple[tuple[str, str], ...]
    fields: dict[str, Any]
    marketing_consent: str
    consent_at: int | None
    created_at: int

    @classmethod
    def of(cls, contact: Contact) -> ContactView:
        same = {name: getattr(contact, name) for name in cls.__struct_fields__
                if name not in ("tags", "marketing_consent")}
        return cls(**same, tags=tuple((tag.id, tag.name) for tag in contact.tags),
                   marketing_consent=contact.marketing_consent.value)


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one open conversation."""

    conversation: Conversation
    contact: ContactView
    items: tuple[Item, ...]
    has_older: bool
    oldest_cursor: str
    has_newer: bool
    newest_cursor: str
    shown_id: str
    window: Window
    channel: Channel
    members: dict[str, Member]
    templates_count: int
    other_conversations: tuple[Conversation, ...]


class TemplatePreview(msgspec.Struct, frozen=True, kw_only=True):
    header_kind: str
    header_text: str
    body: str
    footer: str
    buttons: tuple[tuple[str, str], ...]


class TemplateChoice(msgspec.Struct, frozen=True, kw_only=True):
    """A template in the picker: how it looks and what it asks for."""

    name: str
    language: str
    category: str
    preview: TemplatePreview
    parameters: tuple[Parameter, ...]

    @classmethod
    def of(cls, template: MessageTemplate) -> TemplateChoice:
        header = template.component("HEADER") or {}
        preview = TemplatePreview(
            header_kind=str(header.get("format", "")).lower(), header_text=str(header.get("text", "")),
            body=template.body, footer=str((template.component("FOOTER") or {}).get("text", "")),
            buttons=tuple((str(button.get("type", "")), str(button.get("text", ""))) for button in template.buttons))
        return cls(name=template.name, language=template.language, category=template.category.lower(),
                   preview=preview, parameters=tuple(message_templates.parameters(template)))


async def members(here: Here) -> dict[str, Member]:
    """The team by id."""
    return {member.id: member for member in await accounts.members(here.services.control.db, here.record.id)}


async def conversation_or_404(here: Here, conversation_id: str) -> Conversation:
    found = await queries.conversation(here.db, conversation_id)
    if found is None:
        raise NotFound("There is no such conversation.")
    return found


async def load(here: Here, conversation_id: str, *, before: str | None = None, after: str | None = None,
               around: str | None = None, with_items: bool = True) -> Thread:
    """A conversation's pane with its newest messages, or those `before` or `after` a cursor, or `around` a message (of
    which `shown_id` tells, if it is still there). Raises NotFound, Invalid (cursor)."""
    conversation = await conversation_or_404(here, conversation_id)
    contact = await contacts.contact(here.db, conversation.contact_id)
    channel = await channels.channel(here.db, conversation.channel_id)
    stretch = await _stretch(here.db, conversation_id, before, after, around) if with_items else _NONE
    templates = await message_templates.approved(here.db, channel.waba_id) if channel else []
    others = await queries.conversations_of_contact(here.db, conversation.contact_id)
    return Thread(
        conversation=conversation,
        contact=ContactView.of(contact) if contact else _gone(conversation),
        items=await _items(here, conversation_id, stretch), has_older=stretch.has_older,
        oldest_cursor=stretch.cursor(0) if stretch.has_older else "", has_newer=stretch.has_newer,
        newest_cursor=stretch.cursor(-1) if stretch.has_newer else "", shown_id=stretch.shown_id,
        window=Window(conversation.window_expires_at, here.now),
        channel=channel or _removed(conversation), members=await members(here), templates_count=len(templates),
        other_conversations=tuple(other for other in others if other.id != conversation_id))


def _gone(conversation: Conversation) -> ContactView:
    """A deleted contact's thread stays readable."""
    return ContactView(id=conversation.contact_id, name=conversation.contact_name,
                       profile_name=conversation.contact_profile_name, username=conversation.contact_username,
                       phone=None, user_id=None, title=conversation.title, tags=(), fields={},
                       marketing_consent="unknown", consent_at=None, created_at=conversation.created_at)


def _removed(conversation: Conversation) -> Channel:
    return Channel(id=conversation.channel_id, phone_number_id="", waba_id="", meta_app_id="", display_phone="",
                   verified_name="", quality="", messages_per_second=1, state="removed",
                   trouble="The number of this conversation is not connected any more; it can be read only.",
                   paused_until=None, created_at=0)


class _Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Messages that follow each other, oldest first, and the time they cover: from `since` to before `until`."""

    messages: tuple[Message, ...]
    since: int
    until: int
    has_older: bool = False
    has_newer: bool = False
    shown_id: str = ""

    def cursor(self, place: int) -> str:
        return encode_cursor(self.messages[place].at, self.messages[place].id)


_NONE = _Stretch(messages=(), since=0, until=0)


async def _stretch(db: Db, conversation_id: str, before: str | None, after: str | None, around: str | None
                   ) -> _Stretch:
    if around:
        shown = await queries.message(db, around)
        if shown is not None and shown.conversation_id == conversation_id and shown.type != "reaction":
            return await _around(db, shown)
    if after:
        return await _after(db, conversation_id, decode_cursor(after) or (0, ""))
    place = decode_cursor(before) or queries.NEWEST
    page = await queries.messages(db, conversation_id, before=place, limit=queries.THREAD_PAGE + 1)
    older = len(page) > queries.THREAD_PAGE
    found = tuple(reversed(page[:queries.THREAD_PAGE]))
    return _Stretch(messages=found, since=found[0].at if older else 0, until=place[0], has_older=older)


async def _after(db: Db, conversation_id: str, place: tuple[int, str]) -> _Stretch:
    page = await queries.messages_after(db, conversation_id, after=place, limit=queries.THREAD_PAGE + 1)
    newer = len(page) > queries.THREAD_PAGE
    found = tuple(page[:queries.THREAD_PAGE])
    return _Stretch(messages=found, since=place[0], until=found[-1].at if newer else queries.NEWEST[0],
                    has_newer=newer)


async def _around(db: Db, shown: Message) -> _Stretch:
    """Half a page on either side."""
    half, place = queries.THREAD_PAGE // 2, (shown.at, shown.id)
    earlier = await queries.messages(db, shown.conversation_id, before=place, limit=half + 1)
    later = await queries.messages_after(db, shown.conversation_id, after=place, limit=half + 1)
    older, newer = len(earlier) > half, len(later) > half
    found = (*reversed(earlier[:half]), shown, *later[:half])
    return _Stretch(messages=found, since=found[0].at if older else 0,
                    until=found[-1].at if newer else queries.NEWEST[0], has_older=older, has_newer=newer,
                    shown_id=shown.id)


async def _items(here: Here, conversation_id: str, stretch: _Stretch) -> tuple[Item, ...]:
    happened = await queries.events(here.db, conversation_id, newer_than=stretch.since, older_than=stretch.until)
    lines: list[Item] = [Item(kind="message", message=message) for message in stretch.messages]
    lines += [Item(kind="event", event=event) for event in happened]
    lines.sort(key=_at)
    return tuple(_with_days(here, lines))


def _at(item: Item) -> int:
    if item.message is not None:
        return item.message.at
    return item.event.at if item.event is not None else item.day_at


def _with_days(here: Here, lines: list[Item]) -> list[Item]:
    """A day line before the first line of each day, by the reader's calendar."""
    from datetime import datetime

    name = here.identity.time_zone or here.request.cookies.get("zone", "") or here.record.time_zone
    found: list[Item] = []
    day = None
    for line in lines:
        current = datetime.fromtimestamp(_at(line) / 1000, zone(name)).date()
        if current != day:
            found.append(Item(kind="day", day_at=_at(line)))
            day = current
        found.append(line)
    return found
