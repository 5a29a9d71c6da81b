"""Whether an approval still stands, asked again when it runs and when its file is fetched: the one who asked and the
one who agreed are both active members with their rights, and the row is what they agreed to.

Also what a request will need: another person, or a day's delay where there is none.
"""

from __future__ import annotations

from collections.abc import Sequence

from chime import accounts
from chime.accounts import Holder, Requester
from chime.approvals import actions
from chime.approvals.model import Approval, Ending, Needs, State
from chime.db import Db
from chime.errors import ChimeError
from chime.security.permissions import SYSTEM, Actor, Permission
from chime.workspaces import Workspace


class StandsNoMore(ChimeError):
    """Somebody who asked or agreed may not any more, or the row was changed. The approval is ended."""

    status = 409
    title = "This cannot go on"


_WORDS = {
    Ending.REQUESTER_LOST_RIGHT: "Whoever asked for this may not do it any more.",
    Ending.APPROVER_LOST_RIGHT: "Whoever agreed to this may not do that any more; ask again.",
    Ending.CHANGED: "This is not what was asked for and agreed to.",
}


async def others(control: Db, workspace_id: str, permission: Permission, requester: Requester) -> list[Holder]:
    """Who could agree to a request of this person."""
    return [holder for holder in await accounts.holders(control, workspace_id, permission)
            if holder.id != requester.person_id]


def needs(*, second: bool, deciders: Sequence[Holder]) -> Needs:
    """`second`: whether the requester's right asks for another person."""
    if not second:
        return Needs.NOBODY
    return Needs.PERSON if deciders else Needs.DELAY


async def must_stand(control: Db, workspace: Workspace, row: Approval, now: int) -> Actor:
    """The requester with the rights they have now. Raises StandsNoMore, and the approval is ended then."""
    requester = Requester(person_id=row.person_id, key_id=row.key_id, name=row.requester_name)
    actor = await accounts.actor_of_requester(control, workspace.id, requester, now)
    ending = await _why_not(control, workspace.id, row, actor, now)
    if ending is None and actor is not None:
        return actor
    ending = ending or Ending.REQUESTER_LOST_RIGHT
    async with workspace.write(SYSTEM) as tx:
        current = await actions.found(tx, row.id)
        if current.ended_at is None:
            await actions.end(tx, current, State.CANCELLED, ending)
        else:
            await tx.audit("approval.refused", "approval", row.id, why=ending.value)
    raise StandsNoMore(_WORDS[ending])


async def _why_not(control: Db, workspace_id: str, row: Approval, actor: Actor | None, now: int) -> Ending | None:
    if actor is None or not actor.may(Permission(row.permission)):
        return Ending.REQUESTER_LOST_RIGHT
    if not row.is_whole:
        return Ending.CHANGED
    if row.needs is Needs.PERSON:
        if row.approver_id is None or row.approver_id == row.person_id or row.approved_digest is None:
            return Ending.CHANGED
        agreed = Requester(person_id=row.approver_id, key_id=None, name=row.approver_name)
        decider = await accounts.actor_of_requester(control, workspace_id, agreed, now)
        if decider is None or not decider.may(Permission(row.decided_by)):
            return Ending.APPROVER_LOST_RIGHT
    return None
