"""What follows a missed target: a line in the thread, a word to who has it and to who is in charge, and where somebody
wants it so, another place in the queue. Once for each target and run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chime import inbox, notifications, working_time
from chime.errors import NotFound
from chime.working_time import OnMiss, Terms
from chime.workspaces import Transaction


async def miss(tx: Transaction, conversation_id: str, *, managers: Sequence[str], teams: Mapping[str, str]) -> None:
    """Of this conversation whatever is past its moment. `managers` hear of it besides the assignee; `teams` are those
    there are, by id. Raises NotFound."""
    rows = await tx.rows("SELECT channel_id, team_id, assignee_id FROM conversation WHERE id = ?", conversation_id)
    if not rows:
        raise NotFound("There is no such conversation.")
    channel_id, team_id, assignee_id = rows[0]
    missed = await tx.rows("UPDATE service_clock SET missed_at = ?1 WHERE conversation_id = ?2 AND missed_at IS NULL "
                           "AND due_at <= ?1 RETURNING kind, minutes, due_at", tx.now, conversation_id)
    for kind, minutes, due_at in missed:
        await inbox.add_event(tx, conversation_id, "target_missed", target=kind, minutes=minutes)
        await tx.audit("conversation.target_missed", "conversation", conversation_id, target=kind, minutes=minutes,
                       due_at=due_at)
    if not missed:
        return
    await notifications.notify(tx, {assignee_id or "", *managers}, notifications.Kind.WAITING_TOO_LONG,
                               conversation_id=conversation_id)
    await _reassign(tx, conversation_id, await working_time.terms(tx, channel_id=channel_id, team_id=team_id), teams)


async def _reassign(tx: Transaction, conversation_id: str, terms: Terms, teams: Mapping[str, str]) -> None:
    if terms.on_miss is OnMiss.KEEP:
        return
    if terms.on_miss is OnMiss.TEAM and terms.miss_team_id in teams:
        await inbox.give_to_team(tx, conversation_id, terms.miss_team_id, teams=dict(teams))
    await inbox.assign(tx, conversation_id, assignee_id=None, assignee_name="")
