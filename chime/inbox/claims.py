"""The steps of a send: claimed, accepted, refused, not sent, in doubt.

`claim` commits `sending` before the first byte, with every rule asked again. A send whose answer was lost becomes
`unconfirmed` and is never repeated by itself, because Meta has no idempotency key. Each step's end is journalled with
it, so that neither a crash nor a restore forgets that a message has left.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chime import channels
from chime.clock import SECOND
from chime.errors import Invalid, NotFound, Refused
from chime.inbox import callback, changes, echoes, queries, rules, statuses, waiting_again
from chime.message_templates import SYNC
from chime.whatsapp import Failure, OutboundMessage, Recipient, Verdict, explain, graph_body, parse_message
from chime.workspaces import Transaction
from chime.workspaces.workspace import SEND_EVENT

MOST_ATTEMPTS = 8
UPLOADS_AGAIN_IN = 15 * SECOND
# Meta's code for a file it could not take, whose words fit as well when it does not say so.
FILE_NOT_TAKEN = 131053
# While Meta cannot be reached at all each message waits its turn to be the one that is tried (see `jobs.Lane`).
LONGEST_PAUSE = 60


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is ours to send now: `sending` is committed, the body is ready."""

    message_id: str
    conversation_id: str
    channel_id: str
    phone_number_id: str
    meta_app_id: str
    access_token_sealed: bytes
    attempt: int
    body: dict[str, Any]


class _Queued(msgspec.Struct, frozen=True, kw_only=True):
    conversation_id: str
    type: str
    content: dict[str, Any]
    media_id: str | None
    quoted_wamid: str | None
    attempts: int


_QUEUED = ("SELECT conversation_id, type, content_json, media_id, quoted_wamid, attempts FROM message WHERE id = ? "
           "AND status = 'queued'")


async def claim(tx: Transaction, message_id: str, callback_key: bytes) -> Claim | None:
    """`queued` → `sending`, with every rule asked again. None when it is not due, not ours, or was refused now."""
    row = await tx.one(_Queued, _QUEUED + " AND next_attempt_at <= ?", message_id, tx.now)
    if row is None:
        return None
    try:
        found = await _allowed(tx, row)
        recipient = Recipient(phone=found.phone, user_id=found.user_id)
        message = await _with_media(tx, parse_message(row.content), row.media_id)
    except (Refused, NotFound, Invalid) as refusal:
        # Invalid: stored by an older Chime, or a file without Meta's id. It can't go, and trying again won't help.
        await _give_up(tx, message_id, row.conversation_id, None, str(refusal), "")
        return None
    if found.paused_until is not None and channels.holds_back(found.paused_until, tx.now):
        await put_back(tx, message_id, at=found.paused_until)
        return None
    attempt = row.attempts + 1
    claimed = await tx.execute("UPDATE message SET status = 'sending', attempts = ?, claimed_at = ? "
                               "WHERE id = ? AND status = 'queued'", attempt, tx.now, message_id)
    if claimed != 1:
        return None
    body = graph_body(message, recipient, callback.make(callback_key, message_id, attempt),
                      None if row.type == "reaction" else row.quoted_wamid)
    return Claim(message_id=message_id, conversation_id=row.conversation_id, channel_id=found.channel_id,
                 phone_number_id=found.phone_number_id, meta_app_id=found.meta_app_id,
                 access_token_sealed=found.access_token_sealed, attempt=attempt, body=body)


async def _allowed(tx: Transaction, row: _Queued) -> rules.Circumstances:
    """Raises Refused, NotFound."""
    found = await rules.circumstances(tx, row.conversation_id)
    rules.check(found, row.type, await rules.template_of(tx, found.waba_id, row.content), tx.now)
    return found


async def _with_media(tx: Transaction, message: OutboundMessage, media_id: str | None) -> OutboundMessage:
    """The message with Meta's id of the uploaded file in place of ours, wherever in it the file stands."""
    if media_id is None:
        return message
    stored = await queries.media(tx, media_id)
    meta_media_id = (stored.meta_media_id if stored else None) or ""
    return parse_message(_renamed(msgspec.to_builtins(message), media_id, meta_media_id))


def _renamed(content: Any, ours: str, theirs: str) -> Any:
    if isinstance(content, list | tuple):
        return [_renamed(item, ours, theirs) for item in content]
    if not isinstance(content, dict):
        return content
    return {key: theirs if key == "id" and value == ours else _renamed(value, ours, theirs)
            for key, value in content.items()}


async def put_back(tx: Transaction, message_id: str, *, at: int) -> None:
    """Not now: queued again, due at that moment. The caller has the sender look again."""
    # When it was put off stays known too: a clock that goes back later would make a moment a year.
    await tx.execute("UPDATE message SET status = 'queued', next_attempt_at = ?, claimed_at = ? "
                     "WHERE id = ? AND status IN ('queued', 'sending')", at, tx.now, message_id)


def _ended(tx: Transaction, claim: Claim, outcome: str, wamid: str | None = None) -> None:
    tx.journal(SEND_EVENT, claim.message_id, claim.attempt, "ended", outcome, wamid, tx.now)


async def accepted(tx: Transaction, claim: Claim, wamid: str) -> None:
    """Meta took it: from here its id leads, and statuses that came before this answer are applied."""
    _ended(tx, claim, "accepted", wamid)
    await confirm(tx, claim.message_id, claim.channel_id, wamid)
    _tell(tx, claim)


async def confirm(tx: Transaction, message_id: str, channel_id: str, wamid: str) -> None:
    """Meta's id of a message is known: it is `sent`, unless a status has moved it on already."""
    await echoes.take_over(tx, message_id, channel_id, wamid)
    # A status may have named it already through the callback data, and moved it on, perhaps to `failed` with a reason.
    await tx.execute("UPDATE message SET wamid = coalesce(wamid, ?), sent_at = coalesce(sent_at, ?) WHERE id = ?",
                     wamid, tx.now, message_id)
    await tx.execute("UPDATE message SET status = 'sent', next_attempt_at = NULL, error_code = NULL, "
                     "error_title = NULL, error_what_to_do = NULL WHERE id = ? AND status IN ('sending', "
                     "'unconfirmed')", message_id)
    await statuses.apply_waiting(tx, channel_id, message_id, wamid)
    await changes.apply_waiting(tx, channel_id, wamid)


async def refused(tx: Transaction, claim: Claim, failure: Failure) -> None:
    """Meta said no in so many words: again at a time, doubt, or the end with a reason and what to do."""
    if failure.verdict is Verdict.DOUBT:
        await doubtful(tx, claim)
    else:
        _ended(tx, claim, "refused")
        await _again_or_never(tx, claim, failure)
    await statuses.heed(tx, failure.effect, channel_id=claim.channel_id, conversation_id=claim.conversation_id,
                        words=failure.title, at=tx.now)
    if failure.effect == "resync_template":
        tx.enqueue(SYNC, await tx.value("SELECT waba_id FROM channel WHERE id = ?", claim.channel_id))
    _tell(tx, claim)


async def _again_or_never(tx: Transaction, claim: Claim, failure: Failure) -> None:
    # Attempts count on when a person sends the message again: the callback data tells them apart.
    if failure.verdict in (Verdict.RETRY, Verdict.DELAY) and claim.attempt % MOST_ATTEMPTS != 0:
        await tx.execute("UPDATE message SET error_code = ?, error_title = ?, error_what_to_do = ? WHERE id = ?",
                         failure.code, failure.title, failure.what_to_do, claim.message_id)
        await put_back(tx, claim.message_id, at=tx.now + int((failure.retry_after_seconds or 5) * 1000))
    else:
        await _give_up(tx, claim.message_id, claim.conversation_id, failure.code, failure.title, failure.what_to_do)


async def not_sent(tx: Transaction, claim: Claim) -> None:
    """It certainly never left: queued again with growing pauses."""
    _ended(tx, claim, "not_sent")
    pause = min(2 ** min(claim.attempt, 10), LONGEST_PAUSE) * 1000
    # An attempt that sent nothing must not lead to the last of those that Meta may refuse.
    await tx.execute("UPDATE message SET attempts = attempts + 1 WHERE id = ? AND (attempts + 1) % ? = 0",
                     claim.message_id, MOST_ATTEMPTS)
    await put_back(tx, claim.message_id, at=tx.now + pause)
    _tell(tx, claim)


async def upload_refused(tx: Transaction, message_id: str, failure: Failure) -> None:
    """Meta did not take the message's file. Of an upload there is no doubt that matters: no message left."""
    if failure.verdict is Verdict.DOUBT:
        return await upload_failed(tx, message_id, was_there=True)
    claimed = await tx.execute("UPDATE message SET status = 'sending', attempts = attempts + 1, claimed_at = ? "
                               "WHERE id = ? AND status = 'queued'", tx.now, message_id)
    if claimed != 1:
        return
    rows = await tx.rows("SELECT conversation_id, channel_id, attempts FROM message WHERE id = ?", message_id)
    conversation_id, channel_id, attempt = rows[0]
    claim = Claim(message_id=message_id, conversation_id=conversation_id, channel_id=channel_id, phone_number_id="",
                  meta_app_id="", access_token_sealed=b"", attempt=attempt, body={})
    await refused(tx, claim, failure)


async def upload_failed(tx: Transaction, message_id: str, *, was_there: bool) -> None:
    """Nobody said no to the file, and Meta does not have it. It waits no longer than the rules allow; and what Meta,
    being there, did not take as often as it may refuse a message, it does not take."""
    row = await tx.one(_Queued, _QUEUED, message_id)
    if row is None:
        return
    try:
        await _allowed(tx, row)
    except (Refused, NotFound) as refusal:
        return await _give_up(tx, message_id, row.conversation_id, None, str(refusal), "")
    attempt = row.attempts + was_there
    await tx.execute("UPDATE message SET attempts = ? WHERE id = ?", attempt, message_id)
    if was_there and attempt % MOST_ATTEMPTS == 0:
        rule = explain(FILE_NOT_TAKEN)
        return await _give_up(tx, message_id, row.conversation_id, None, rule.title, rule.what_to_do)
    await put_back(tx, message_id, at=tx.now + UPLOADS_AGAIN_IN)
    tx.publish("message", message_id, conversation_id=row.conversation_id)


async def file_is_gone(tx: Transaction, message_id: str) -> None:
    """The file of a queued message is not stored any more, and Meta has none of it."""
    rows = await tx.rows("SELECT conversation_id FROM message WHERE id = ? AND status = 'queued'", message_id)
    if rows:
        refusal = NotFound("The file of this message is not stored any more. Attach it again.")
        await _give_up(tx, message_id, rows[0][0], None, str(refusal), "")


async def doubtful(tx: Transaction, claim: Claim) -> None:
    """It may have been sent. A status with our callback data settles it; otherwise a person decides."""
    _ended(tx, claim, "doubtful")
    await tx.execute("UPDATE message SET status = 'unconfirmed' WHERE id = ? AND status = 'sending'",
                     claim.message_id)
    _tell(tx, claim)


async def _give_up(tx: Transaction, message_id: str, conversation_id: str, code: int | None, title: str,
                   what_to_do: str) -> None:
    await tx.execute("UPDATE message SET status = 'failed', error_code = ?, error_title = ?, error_what_to_do = ?, "
                     "next_attempt_at = NULL WHERE id = ? AND status IN ('queued', 'sending', 'unconfirmed')",
                     code, title, what_to_do, message_id)
    await statuses.remove_reaction_of(tx, message_id)
    await waiting_again.failed(tx, message_id)
    tx.publish("message", message_id, conversation_id=conversation_id)
    tx.publish("conversation", conversation_id)


def _tell(tx: Transaction, claim: Claim) -> None:
    tx.publish("message", claim.message_id, conversation_id=claim.conversation_id)
    tx.publish("conversation", claim.conversation_id)
