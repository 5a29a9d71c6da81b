"""What the thread pane shows: the conversation, its messages with day lines and events between, window, people."""

from __future__ import annotations

import msgspec

from chime import accounts, audit, channels, contacts, message_templates
from chime.accounts import Member
from chime.audit import Reading
from chime.channels import Channel
from chime.errors import Invalid, NotFound
from chime.inbox import (
    answered,
    carried_tags,
    conversation_queries,
    costs,
    handover,
    message_pins,
    notes,
    panel,
    pins,
    queries,
    reminders,
    resolving,
    scheduled,
    stretch,
    undo,
)
from chime.inbox.carried_tags import ThreadTag
from chime.inbox.costs import Costs
from chime.inbox.message_pins import PinnedMessage
from chime.inbox.model import Conversation, ConversationEvent, Message, Window
from chime.inbox.notes import Mentionable, Note
from chime.inbox.panel import ContactView
from chime.inbox.reminders import Reminder
from chime.inbox.resolving import Asked
from chime.inbox.scheduled import Scheduled
from chime.inbox.stretch import Stretch
from chime.message_templates import MessageTemplate, Parameter
from chime.phone import Phone, country_code, shown_text
from chime.security.permissions import Permission
from chime.security.scope import IN_HAND, viewer
from chime.web.here import Here
from chime.web.language import zone

FIRST_LINES = 3
INDIA = "91"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a thread. `kind`: day, message, event or note."""

    kind: str
    day_at: int = 0
    message: Message | None = None
    event: ConversationEvent | None = None
    note: Note | None = None


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one open conversation; of one in the queue that the reader has not taken, the first lines.

    `teams`: those the reader may give it to, by id; `leaves_team`: whether they may take it out of the one it is in.
    """

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
    has_templates: bool
    other_conversations: tuple[Conversation, ...]
    in_queue: bool = False
    team_name: str = ""
    teams: dict[str, str] = {}
    leaves_team: bool = False
    is_pinned: bool = False
    is_called: bool = False
    mentionable: tuple[str, ...] = ()
    pinned_messages: tuple[PinnedMessage, ...] = ()
    newest_id: str = ""
    scheduled: tuple[Scheduled, ...] = ()
    reminders: tuple[Reminder, ...] = ()
    undo_seconds: int = 0
    tags: tuple[ThreadTag, ...] = ()
    resolving: Asked = Asked()
    asks: tuple[str, ...] = ()
    costs: Costs | None = None


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


async def everybody(here: Here) -> list[Mentionable]:
    """The people and teams of the workspace, as a note may name them."""
    people = [Mentionable(member.name, (member.id,)) for member in (await members(here)).values()]
    return people + [Mentionable(team.name, team.members)
                     for team in await accounts.all_teams(here.services.control.db, here.record.id)]


async def conversation_or_404(here: Here, conversation_id: str) -> Conversation:
    found = await conversation_queries.conversation(here.db, conversation_id)
    if found is None:
        raise NotFound("There is no such conversation.")
    return found


async def load(here: Here, conversation_id: str, *, before: str | None = None, after: str | None = None,
               around: str | None = None, day: str | None = None, with_items: bool = True) -> Thread:
    """A conversation's pane with its newest messages, or those `before` or `after` a place, or `around` a message or
    the first one of a `day` (of which `shown_id` tells, if it is there). Raises NotFound, Invalid (cursor, day)."""
    conversation = await conversation_or_404(here, conversation_id)
    contact = await contacts.contact(here.db, conversation.contact_id)
    channel = await channels.channel(here.db, conversation.channel_id)
    in_queue = not await in_hand(here, conversation_id)
    if in_queue:
        before, after, around, day = None, None, None, None
    shown = (await _stretch(here, conversation_id, before, after, around, day)) if with_items else stretch.NOTHING
    if in_queue:
        shown = _first_lines(shown)
    templates = await message_templates.categories(here.db, channel.waba_id) if channel else {}
    people, teams = await members(here), await accounts.team_names(here.services.control.db, here.record.id)
    others = await conversation_queries.conversations_of_contact(here.db, here.viewer, conversation.contact_id)
    audit.read(here, Reading.CONVERSATION, conversation_id)
    audit.read(here, Reading.CONTACT, conversation.contact_id)
    return Thread(
        conversation=conversation,
        contact=(await panel.contact_view(here, contact, None if in_queue else conversation_id) if contact
                 else panel.gone(conversation)),
        items=await _items(here, conversation_id, shown), has_older=shown.has_older,
        oldest_cursor=shown.cursor(0) if shown.has_older else "", has_newer=shown.has_newer,
        newest_cursor=shown.cursor(-1) if shown.has_newer else "", shown_id=shown.shown_id,
        window=Window(conversation.window_expires_at, here.now),
        channel=channel or _removed(conversation), members=people, has_templates=bool(templates),
        other_conversations=tuple(other for other in others if other.id != conversation_id), in_queue=in_queue,
        team_name=teams.get(conversation.team_id or "", ""), teams=handover.choices(here.actor, teams),
        leaves_team=handover.reaches_every_team(here.actor),
        is_called=await notes.is_called(here.db, conversation_id, here.actor.id or ""),
        pinned_messages=() if in_queue else tuple(await message_pins.pinned_messages(here.db, conversation_id)),
        is_pinned=await pins.is_pinned(here.db, conversation_id, here.actor.id or ""),
        mentionable=() if in_queue else (*(member.name for member in people.values()), *teams.values()),
        newest_id=await answered.newest(here.db, conversation_id),
        scheduled=() if in_queue else tuple(await scheduled.of_conversation(here.db, conversation_id)),
        reminders=tuple(await reminders.of_conversation(here.db, conversation_id, here.actor.id or "")),
        tags=(await carried_tags.carried(here.db, [conversation_id])).get(conversation_id, ()),
        asks=_asks(channel, contact.phone if contact else None),
        costs=None if in_queue else await costs.costs(
            here.db, conversation_id, channel, contact.phone if contact else None, now=here.now,
            zone_name=here.record.time_zone, window_expires_at=conversation.window_expires_at, categories=templates),
        resolving=Asked() if in_queue else await resolving.asked(here.db),
        undo_seconds=await undo.seconds(here.db, here.actor.id or ""))


def _asks(channel: Channel | None, phone: Phone | None) -> tuple[str, ...]:
    """What one can ask of the customer's phone: the number of somebody who has not shared theirs, and an address, which
    WhatsApp knows how to ask in India only."""
    ours, theirs = "".join(filter(str.isdigit, channel.display_phone)) if channel else "", phone.digits if phone else ""
    found = ["ask_location"] + ([] if phone else ["ask_phone"])
    return (*found, "ask_address") if country_code(ours) == country_code(theirs) == INDIA else tuple(found)


async def in_hand(here: Here, conversation_id: str) -> bool:
    """Whether the reader may read it whole and answer it, not only see that it waits in the queue."""
    seen = viewer(here.actor, Permission.INBOX_READ)
    return not seen.is_limited or bool(await here.db.value(IN_HAND[seen.sight], conversation_id, *seen.held_values))


def _first_lines(found: Stretch) -> Stretch:
    """What tells somebody whether the conversation is for them; the rest is for who takes it."""
    return Stretch(messages=found.messages[-FIRST_LINES:], since=found.until, until=found.until)


def _removed(conversation: Conversation) -> Channel:
    return Channel(id=conversation.channel_id, phone_number_id="", waba_id="", meta_app_id="", display_phone="",
                   verified_name="", quality="", messages_per_second=1, state="removed",
                   trouble="The number of this conversation is not connected any more; it can be read only.",
                   paused_until=None, created_at=0)


async def _stretch(here: Here, conversation_id: str, before: str | None, after: str | None, around: str | None,
                   day: str | None) -> Stretch:
    if around:
        found = await stretch.around(here.db, conversation_id, around)
        if found is not None:
            return found
    if day:
        return await stretch.around_moment(here.db, conversation_id, _begin_of(here, day))
    if after:
        place = await stretch.place_of(here.db, conversation_id, after)
        return await stretch.after(here.db, conversation_id, place or (0, ""))
    return await stretch.newest(here.db, conversation_id, await stretch.place_of(here.db, conversation_id, before))


def _begin_of(here: Here, day: str) -> int:
    """The moment a day (2026-11-03) begins for the reader. Raises Invalid."""
    from datetime import datetime

    try:
        return int(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=zone(zone_of(here))).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise Invalid.field("day", "Choose a day.") from error


async def _items(here: Here, conversation_id: str, shown: Stretch) -> tuple[Item, ...]:
    happened = await queries.events(here.db, conversation_id, newer_than=shown.since, older_than=shown.until)
    lines: list[Item] = [Item(kind="message", message=message) for message in shown.messages]
    lines += [Item(kind="event", event=event) for event in happened]
    said = await notes.notes(here.db, conversation_id, newer_than=shown.since, older_than=shown.until)
    lines += [Item(kind="note", note=shown_note(here, note)) for note in said]
    lines.sort(key=_at)
    return tuple(_with_days(here, lines))


def shown_note(here: Here, note: Note) -> Note:
    """A note as the reader may read it. Their own stays whole: it is what they change."""
    return note if note.author_id == here.actor.id else msgspec.structs.replace(note, text=shown_text(note.text))


def _at(item: Item) -> int:
    line = item.message or item.event or item.note
    return line.at if line is not None else item.day_at


def zone_of(here: Here) -> str:
    """The name of the reader's time zone: what they chose, else their browser's, else the workspace's."""
    return here.identity.time_zone or here.request.cookies.get("zone", "") or here.record.time_zone


def _with_days(here: Here, lines: list[Item]) -> list[Item]:
    """A day line before the first line of each day, by the reader's calendar."""
    from datetime import datetime

    name = zone_of(here)
    found: list[Item] = []
    day = None
    for line in lines:
        current = datetime.fromtimestamp(_at(line) / 1000, zone(name)).date()
        if current != day:
            found.append(Item(kind="day", day_at=_at(line)))
            day = current
        found.append(line)
    return found
