"""Asking how it was after a resolved conversation, and hearing the answer.

Each time it is either asked, once, or the thread says why not. The answer is a tap on our own list, or a bare digit as
the next message within a day; it asks nothing of the team and reopens nothing. The next words within an hour are the
comment, and an ordinary message all the same.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from chime import inbox, message_templates
from chime.clock import DAY, HOUR, SECOND
from chime.contacts import Consent
from chime.errors import Refused
from chime.inbox import Draft, Origin, Window
from chime.service_level import queries
from chime.service_level.model import SCORES, STARS, NotAsked, Rating, Setting
from chime.whatsapp import OutboundMessage, parse_message
from chime.whatsapp.events import MessageReceived
from chime.workspaces import Transaction

_TAPPED = re.compile(r"csat:([0-9a-z]{1,40}):([1-5])")
_DIGIT = re.compile(r"\s*([1-5])\s*(?:/\s*5)?\s*[★☆⭐️]*[.!]?\s*")
_BUTTON = "★ 1–5"
MAY_CHANGE_FOR = DAY


class _Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that was resolved, with what decides whether to ask."""

    channel_id: str
    contact_id: str
    team_id: str | None
    assignee_id: str | None
    closed_at: int
    window_expires_at: int | None
    marketing_consent: Consent
    waba_id: str
    last_asked_at: int | None


_RESOLVED = (
    "SELECT conversation.channel_id, conversation.contact_id, conversation.team_id, conversation.assignee_id, "
    "conversation.closed_at, conversation.window_expires_at, contact.marketing_consent, channel.waba_id, "
    "(SELECT max(satisfaction.asked_at) FROM satisfaction JOIN conversation AS other "
    "ON other.id = satisfaction.conversation_id WHERE other.contact_id = contact.id) AS last_asked_at "
    "FROM conversation JOIN contact ON contact.id = conversation.contact_id "
    "JOIN channel ON channel.id = conversation.channel_id WHERE conversation.id = ? AND conversation.state = 'closed'")


async def ask(tx: Transaction, conversation_id: str) -> None:
    """Ask, or keep why not; nothing when it was opened again or this was done."""
    found = await tx.one(_Resolved, _RESOLVED, conversation_id)
    if found is None or found.closed_at > tx.now - inbox.AFTERWARDS:
        return
    if await tx.value("SELECT 1 FROM satisfaction WHERE conversation_id = ? AND closed_at = ?", conversation_id,
                      found.closed_at):
        return
    setting = await queries.setting(tx, found.channel_id)
    if not setting.is_on:
        return
    satisfaction_id = tx.new_id()
    reason, details = _why_not(found, setting, tx.now)
    if reason is None:
        reason = await _send(tx, conversation_id, found, setting, satisfaction_id)
    await tx.execute(
        "INSERT INTO satisfaction (id, conversation_id, channel_id, team_id, agent_id, closed_at, reason, asked_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)", satisfaction_id, conversation_id, found.channel_id, found.team_id,
        found.assignee_id, found.closed_at, reason or "", None if reason else tx.now)
    if reason is not None:
        await inbox.add_event(tx, conversation_id, "satisfaction_not_asked", reason=reason.value, **details)
    await tx.audit("satisfaction.not_asked" if reason else "satisfaction.asked", "conversation", conversation_id,
                   reason=reason.value if reason else "")


def _why_not(found: _Resolved, setting: Setting, now: int) -> tuple[NotAsked | None, dict[str, Any]]:
    if found.marketing_consent is Consent.OPTED_OUT:
        return NotAsked.OPTED_OUT, {}
    if found.last_asked_at is not None and now - found.last_asked_at < setting.every_days * DAY:
        return NotAsked.RECENT, {"days": (now - found.last_asked_at) // DAY}
    if not Window(found.window_expires_at, now).is_open and not setting.template_name:
        return NotAsked.WINDOW_CLOSED, {}
    return None, {}


async def _send(tx: Transaction, conversation_id: str, found: _Resolved, setting: Setting,
                satisfaction_id: str) -> NotAsked | None:
    """Through the one door; why it did not go."""
    if Window(found.window_expires_at, tx.now).is_open:
        message = _question(setting.question, satisfaction_id)
    else:
        template = await message_templates.template(tx, found.waba_id, setting.template_name,
                                                    setting.template_language)
        if template is None or template.status != "APPROVED" or message_templates.parameters(template):
            return NotAsked.TEMPLATE_GONE
        message = parse_message({"type": "template", "template": {
            "name": template.name, "language": {"code": template.language}}})
    try:
        await tx.savepoint(lambda: inbox.queue_message(
            tx, conversation_id, Draft(message=message, origin=Origin.AUTOMATIC)))
    except Refused:
        return NotAsked.REFUSED
    return None


def _question(words: str, satisfaction_id: str) -> OutboundMessage:
    """A list, because buttons are three at most. Its rows need no language."""
    rows = [{"id": f"csat:{satisfaction_id}:{score}", "title": f"{score}  {STARS[score]}"} for score in SCORES]
    return parse_message({"type": "interactive", "interactive": {
        "type": "list", "body": {"text": words}, "action": {"button": _BUTTON, "sections": [{"rows": rows}]}}})


_OF_SENDER = (
    "SELECT satisfaction.id FROM satisfaction JOIN conversation ON conversation.id = satisfaction.conversation_id "
    "JOIN contact_identity ON contact_identity.contact_id = conversation.contact_id "
    "WHERE satisfaction.channel_id = ?1 AND ((contact_identity.kind = 'phone' AND contact_identity.value = ?2) "
    "OR (contact_identity.kind = 'user_id' AND contact_identity.value = ?3)) ")
_BY_TAP = _OF_SENDER + ("AND satisfaction.id = ?4 AND satisfaction.asked_at IS NOT NULL "
                        "AND (satisfaction.answered_at IS NULL OR satisfaction.answered_at > ?5) LIMIT 1")
# A digit answers only as the next thing they say.
_BY_DIGIT = _OF_SENDER + (
    "AND satisfaction.asked_at > ?4 AND satisfaction.answered_at IS NULL AND NOT EXISTS (SELECT 1 FROM message "
    "WHERE message.conversation_id = satisfaction.conversation_id AND message.direction = 'in' "
    "AND message.created_at > satisfaction.asked_at) ORDER BY satisfaction.asked_at DESC LIMIT 1")
# The message itself, ?5, is among the received ones by then.
_BY_WORDS = _OF_SENDER + (
    "AND satisfaction.answered_at > ?4 AND satisfaction.comment_id IS NULL AND NOT EXISTS (SELECT 1 FROM message "
    "WHERE message.conversation_id = satisfaction.conversation_id AND message.direction = 'in' "
    "AND message.created_at > satisfaction.answered_at AND message.wamid <> ?5) "
    "ORDER BY satisfaction.answered_at DESC LIMIT 1")


async def rating_of(tx: Transaction, channel_id: str, event: MessageReceived) -> Rating | None:
    """Whether a message that is about to be received is nothing but an answer to our question. Asked before it is
    received, because such a one reopens nothing."""
    if event.group_id:
        return None
    who = (channel_id, event.sender.phone or "", event.sender.user_id or "")
    tapped = _TAPPED.fullmatch(str(event.content.get("id", ""))) if event.type == "interactive" else None
    if tapped:
        known = await tx.value(_BY_TAP, *who, tapped[1], tx.now - MAY_CHANGE_FOR)
        return Rating(known, int(tapped[2])) if known else None
    typed = _DIGIT.fullmatch(event.text or "") if event.type in ("text", "button") else None
    if typed is None:
        return None
    known = await tx.value(_BY_DIGIT, *who, tx.now - DAY)
    return Rating(known, int(typed[1])) if known else None


async def hear(tx: Transaction, channel_id: str, event: MessageReceived, rating: Rating | None) -> None:
    """The message is received: keep the rating it was, or the comment it may be."""
    if rating is not None:
        await _rate(tx, rating)
    elif event.type == "text" and event.text and not event.group_id and await tx.value(
            "SELECT 1 FROM satisfaction WHERE answered_at > ? LIMIT 1", tx.now - HOUR):
        await _comment(tx, channel_id, event)


async def _rate(tx: Transaction, rating: Rating) -> None:
    rows = await tx.rows("SELECT conversation_id, channel_id, answered_at FROM satisfaction WHERE id = ?",
                         rating.satisfaction_id)
    conversation_id, channel_id, answered_at = rows[0]
    await tx.execute("UPDATE satisfaction SET score = ?, answered_at = ? WHERE id = ?", rating.score, tx.now,
                     rating.satisfaction_id)
    # Meta tells whole seconds: a message stands at the end of its own, and what it led to after it.
    await inbox.add_event(tx, conversation_id, "rated", at=tx.now - tx.now % SECOND + SECOND, score=rating.score)
    await tx.audit("conversation.rated", "conversation", conversation_id, score=rating.score)
    thanks = (await queries.setting(tx, channel_id)).thanks
    if thanks and answered_at is None:
        try:
            await tx.savepoint(lambda: inbox.queue_message(tx, conversation_id, Draft(
                message=parse_message({"type": "text", "text": {"body": thanks}}), origin=Origin.AUTOMATIC)))
        except Refused:
            # Nobody misses a thank-you: the rating is kept, and the number's trouble is shown where it belongs.
            return


async def _comment(tx: Transaction, channel_id: str, event: MessageReceived) -> None:
    known = await tx.value(_BY_WORDS, channel_id, event.sender.phone or "", event.sender.user_id or "", tx.now - HOUR,
                           event.wamid)
    if known:
        await tx.execute("UPDATE satisfaction SET comment_id = (SELECT id FROM message WHERE channel_id = ? "
                         "AND wamid = ?) WHERE id = ?", channel_id, event.wamid, known)
        conversation_id = await tx.value("SELECT conversation_id FROM satisfaction WHERE id = ?", known)
        await tx.audit("satisfaction.commented", "conversation", conversation_id)
