"""Standing in: a customer writes to somebody who is away, and a colleague was named for that.

Where the absence says so the conversation goes to the colleague as soon as they take it; otherwise they are told of it,
once for each conversation, if they may see it. Nothing goes to who is away themselves, full, or without access.
"""

from __future__ import annotations

from collections.abc import Sequence

from chime import inbox, notifications
from chime.accounts import QUEUE
from chime.routing import queries
from chime.routing import shift_queries as absences
from chime.routing.model import Because, Rule, Verdict, Waiting, standing
from chime.security.permissions import Actor, Permission
from chime.security.scope import CONVERSATIONS, viewer
from chime.working_time import Absence
from chime.workspaces import Transaction

STAND_IN = "routing.stand_in"


async def customer_wrote(tx: Transaction) -> None:
    """Somebody may have written to a colleague who is away: looked at after this transaction."""
    if await absences.is_anybody_stood_in_for(tx, tx.audited_at):
        tx.enqueue(STAND_IN, QUEUE)


async def stand_in(tx: Transaction, one: Absence, team: Sequence[Actor]) -> int:
    """For how many conversations of one absence something was done."""
    known = {actor.id: actor for actor in team}
    helper, absent = known.get(one.stand_in_id), known.get(one.user_id)
    if helper is None or absent is None:
        return 0
    agent, settings, done = (await queries.agents(tx, [helper]))[0], await queries.settings(tx), 0
    for waiting in await absences.called_on(tx, one):
        if not one.hands_over:
            done += await _tell(tx, one, waiting, helper, absent)
            continue
        now = standing(agent, Rule(place_id=waiting.place_id), waiting, settings, tx.audited_at)
        if now.verdict is Verdict.TAKES:
            await inbox.assign(tx, waiting.id, assignee_id=agent.id, assignee_name=helper.name, told_as="routed",
                               because=Because.STAND_IN.value, absent_name=absent.name, open=now.open,
                               capacity=now.capacity)
            agent.open, done = agent.open + 1, done + 1
    return done


async def _tell(tx: Transaction, one: Absence, waiting: Waiting, helper: Actor, absent: Actor) -> bool:
    """Whether they may see it, and so hear of it."""
    seen = viewer(helper, Permission.INBOX_READ)
    if not helper.may(Permission.INBOX_REPLY) or not await tx.value(
            "SELECT 1 FROM conversation WHERE conversation.id = ?" + CONVERSATIONS[seen.sight], waiting.id,
            *seen.values):
        return False
    await tx.execute("INSERT INTO absence_offer (absence_id, conversation_id, at) VALUES (?, ?, ?)", one.id, waiting.id,
                     tx.now)
    await inbox.add_event(tx, waiting.id, "stand_in_told", absent_name=absent.name, name=helper.name)
    await notifications.notify(tx, [helper.id or ""], notifications.Kind.STAND_IN, conversation_id=waiting.id)
    await tx.audit("conversation.stand_in_told", "conversation", waiting.id, absence_id=one.id, user_id=helper.id)
    return True
