"""Which feature each event goes to: the whole fan-out, in one `match`.

Everything is either applied by a feature or recorded raw in `webhook_event`; nothing is dropped.
"""

from __future__ import annotations

from typing import assert_never

import msgspec

from chime import channels, contacts, inbox, message_templates, routing, service_level
from chime.whatsapp import Event, event_key
from chime.whatsapp.events import (
    AccountChanged,
    AccountErrors,
    CallReceived,
    ContactSynced,
    FieldReceived,
    HandoverChanged,
    HistoryReceived,
    IdentityChanged,
    LinkClicked,
    MessageEchoed,
    MessageEdited,
    MessageReacted,
    MessageReceived,
    MessageRevoked,
    NumberChanged,
    PaymentStatusReceived,
    PreferenceChanged,
    StandbyReceived,
    StatusReceived,
    TemplateChanged,
    Unreadable,
)
from chime.workspaces import Transaction

Keyless = (MessageReacted | MessageEdited | MessageRevoked | MessageEchoed | IdentityChanged | CallReceived
           | PreferenceChanged | ContactSynced)


class NoChannel(Exception):
    """The number of this event is not (any more) one of this workspace's."""


class CannotRead(Exception):
    """The parser set this item aside; it goes to the rejected ones with its reason."""


async def dispatch(tx: Transaction, callback_key: bytes, event: Event) -> bool:
    """Apply one event; False when it was in effect already. Raises NoChannel, CannotRead, or what a feature raised;
    the caller sets the event aside."""
    match event:
        case MessageReceived():
            return await _received(tx, event)
        case StatusReceived():
            return await inbox.record(tx, await _channel(tx, event), callback_key, event)
        case StandbyReceived():
            return await _standby(tx, callback_key, event)
        case HistoryReceived():
            new = await inbox.history(tx, await _channel(tx, event), event)
            # With errors the owner declined, or Meta could not read the phone.
            return (bool(event.errors) and await _record(tx, event)) or new > 0
        case TemplateChanged() | NumberChanged():
            return await _recorded_and_heeded(tx, event)
        case PreferenceChanged() if _wish(event) is None:
            return await _record(tx, event)
        case (AccountChanged() | HandoverChanged() | LinkClicked() | PaymentStatusReceived() | AccountErrors()
              | FieldReceived()):
            return await _record(tx, event)
        case Unreadable():
            raise CannotRead(event.reason)
        case _:
            return await _once(tx, event)


async def _received(tx: Transaction, event: MessageReceived) -> bool:
    """A customer's message. One that only rates how it was asks nothing of the team."""
    channel_id = await _channel(tx, event)
    rating = await service_level.rating_of(tx, channel_id, event)
    new = await inbox.receive(tx, channel_id, event, asks_nothing=rating is not None)
    if new:
        await service_level.hear(tx, channel_id, event, rating)
        await routing.customer_wrote(tx)
    return new


async def _once(tx: Transaction, event: Keyless) -> bool:
    """The events whose effect has no natural key of its own: the first copy acts, the others are known by theirs."""
    channel_id = "" if isinstance(event, PreferenceChanged | ContactSynced) else await _channel(tx, event)
    if not await _first(tx, event):
        return False
    match event:
        case MessageReacted():
            await inbox.react(tx, channel_id, event)
        case MessageEdited():
            await inbox.edit(tx, channel_id, event)
        case MessageRevoked():
            await inbox.revoke(tx, channel_id, event)
        case MessageEchoed():
            await inbox.echo(tx, channel_id, event)
        case IdentityChanged():
            await inbox.change_identity(tx, channel_id, event)
        case CallReceived():
            await inbox.call(tx, channel_id, event)
        case PreferenceChanged():
            await _preference(tx, event)
        case ContactSynced():
            await _sync(tx, event)
        case _:
            assert_never(event)
    return True


async def _recorded_and_heeded(tx: Transaction, event: TemplateChanged | NumberChanged) -> bool:
    if not await _record(tx, event):
        return False
    if isinstance(event, TemplateChanged):
        await message_templates.apply_change(tx, event)
    else:
        await _number(tx, event)
    return True


async def _channel(tx: Transaction, event: Event) -> str:
    found = await channels.channel_by_number(tx, event.phone_number_id) if event.phone_number_id else None
    if found is None:
        raise NoChannel("the number is not connected to this workspace")
    return found.id


async def _first(tx: Transaction, event: Event) -> bool:
    """Whether this event is new; for those whose effect has no natural key of its own."""
    key = event_key(event)
    return not key or bool(await tx.execute("INSERT OR IGNORE INTO applied_event (key, at) VALUES (?, ?)",
                                            key, tx.now))


async def _record(tx: Transaction, event: Event) -> bool:
    """Keep it raw, once. Whether it is new."""
    if not await _first(tx, event):
        return False
    field = event.field if isinstance(event, FieldReceived) else type(event).__name__
    await tx.execute("INSERT INTO webhook_event (id, field, phone_number_id, waba_id, at, value_json, received_at) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?)", tx.new_id(), field, event.phone_number_id, event.waba_id,
                     event.at, msgspec.json.encode(event).decode(), tx.now)
    return True


async def _standby(tx: Transaction, callback_key: bytes, event: StandbyReceived) -> bool:
    """Another app or Meta's agent has this thread: shown, so the team sees what is said; no machine answers it."""
    new = await _record(tx, event)
    return await dispatch(tx, callback_key, event.event) or new


async def _preference(tx: Transaction, event: PreferenceChanged) -> None:
    """The customer told WhatsApp itself to stop or resume marketing."""
    wish = _wish(event)
    if wish is None or not event.person.is_known:
        return
    contact_id = await inbox.recognise(tx, event.person, event.at)
    await contacts.record_consent(tx, contact_id, wish, source="WhatsApp",
                                  evidence=f"user_preferences: {event.value}", at=event.at)


def _wish(event: PreferenceChanged) -> contacts.Consent | None:
    """What it says about marketing; None for a word that Meta invented since, or an agreement to something else: nobody
    is written to because of a word that nobody here knows."""
    if event.value == "stop":
        return contacts.Consent.OPTED_OUT
    agrees = event.value in ("resume", "signup") and event.category in (None, "marketing_messages")
    return contacts.Consent.OPTED_IN if agrees else None


async def _sync(tx: Transaction, event: ContactSynced) -> None:
    """An entry of the phone's address book names a person, unless the team gave a name already."""
    if event.action != "add" or not event.person.is_known:
        return
    contact_id = await inbox.recognise(tx, event.person, event.at)
    await tx.execute("UPDATE contact SET name = ? WHERE id = ? AND name = ''",
                     event.full_name or event.first_name or "", contact_id)


async def _number(tx: Transaction, event: NumberChanged) -> None:
    """Meta upgraded a number's throughput, or judged its quality: remembered at the channel."""
    shown = "".join(character for character in event.display_phone_number or "" if character.isdigit())
    for channel in await channels.channels(tx):
        if shown and "".join(filter(str.isdigit, channel.display_phone)) == shown:
            faster = 900 if event.kind == "quality" and event.event == "THROUGHPUT_UPGRADE" else None
            await channels.record_quality(tx, channel.id, messages_per_second=faster)
            if event.kind == "quality":
                channels.ask_anew(tx, channel.id)
