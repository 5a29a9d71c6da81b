"""Messages that may have been sent: WhatsApp's word is waited for, then a person is asked.

A send whose answer was lost is `unconfirmed`. Whoever made it, an agent, a script or one day a campaign, Chime never
repeats it by itself: Meta has no idempotency key, so only a person can say that a second copy does no harm. What they
say is `settle`d once, by whoever comes first; a status of WhatsApp's that was here before them wins.
"""

from __future__ import annotations

import msgspec

from chime.errors import Conflict, NotFound, Refused
from chime.inbox import sending, statuses, waiting_again
from chime.inbox.actions import add_event
from chime.inbox.model import Settlement, Status
from chime.security.permissions import SYSTEM
from chime.workspaces import Transaction

# Why there is nothing to settle: how the message stands by now.
_SETTLED = {
    Status.RECEIVED: "This message came from the customer; there is nothing to settle.",
    Status.QUEUED: "This message is no longer in doubt: it is waiting to be sent.",
    Status.SENDING: "This message is no longer in doubt: it is being sent.",
    Status.UNCONFIRMED: "This message was sent again and is in doubt once more. Look at it again before you decide.",
    Status.SENT: "This message is no longer in doubt: it was sent.",
    Status.DELIVERED: "This message is no longer in doubt: WhatsApp has delivered it.",
    Status.READ: "This message is no longer in doubt: the customer has read it.",
    Status.PLAYED: "This message is no longer in doubt: the customer has played it.",
    Status.FAILED: "This message is no longer in doubt: it was not sent.",
}
_GIVEN_UP = "It may have arrived all the same. If WhatsApp says so later, it will show here."
_EVENTS = {Settlement.SENT: "doubt_confirmed", Settlement.FAILED: "doubt_given_up",
           Settlement.RESEND: "doubt_sent_again"}


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    conversation_id: str
    status: Status
    claimed_at: int | None
    settled_as: Settlement | None


async def settle(tx: Transaction, message_id: str, settlement: Settlement, *, doubted_at: int | None = None) -> None:
    """What a person says of a message in doubt. Said twice, it counts once.

    `doubted_at` is the doubt they were shown: once the message was sent again, their word on the former one must not
    fall on the new. Raises NotFound; Conflict, telling how it stands, when it is settled already or in doubt anew;
    Refused when it may not be sent again, or when no person or script asked.
    """
    row = await tx.one(_Row, "SELECT conversation_id, status, claimed_at, settled_as FROM message WHERE id = ?",
                       message_id)
    if row is None:
        raise NotFound("There is no such message.")
    if tx.actor.kind == SYSTEM.kind:
        raise Refused("Only a person decides about a message that may have been sent.", code="nobody_asked")
    if row.status is not Status.UNCONFIRMED or doubted_at not in (None, row.claimed_at):
        if row.settled_as is settlement:
            return
        raise Conflict(_SETTLED[row.status])
    if settlement is Settlement.RESEND:
        await sending.retry(tx, message_id)
    else:
        await _end(tx, message_id, settlement)
    await tx.execute("UPDATE message SET settled_as = ?, settled_by = ?, settled_at = ? WHERE id = ?",
                     settlement.value, tx.actor.name, tx.now, message_id)
    await add_event(tx, row.conversation_id, _EVENTS[settlement], actor_name=tx.actor.name)
    tx.publish("message", message_id, conversation_id=row.conversation_id)


async def _end(tx: Transaction, message_id: str, settlement: Settlement) -> None:
    """`sent` or `failed`, by a person's word. Meta's id stays unknown, so that its own word can still come."""
    if settlement is Settlement.SENT:
        await tx.execute("UPDATE message SET status = 'sent', next_attempt_at = NULL, error_code = NULL, "
                         "error_title = NULL, error_what_to_do = NULL WHERE id = ?", message_id)
    else:
        await tx.execute("UPDATE message SET status = 'failed', next_attempt_at = NULL, error_code = NULL, "
                         "error_title = ?, error_what_to_do = ? WHERE id = ?",
                         f"Not confirmed; given up by {tx.actor.name}", _GIVEN_UP, message_id)
        await statuses.remove_reaction_of(tx, message_id)
        await waiting_again.failed(tx, message_id)
    await tx.audit("message.doubt_settled", "message", message_id, settled_as=settlement.value)


async def send_again(tx: Transaction, message_id: str) -> None:
    """A person sends a message again, whether it failed or is in doubt. Raises NotFound, Conflict, Refused."""
    status = await tx.value("SELECT status FROM message WHERE id = ?", message_id)
    if status == Status.UNCONFIRMED:
        await settle(tx, message_id, Settlement.RESEND)
    else:
        await sending.retry(tx, message_id)
