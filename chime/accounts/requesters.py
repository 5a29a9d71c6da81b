"""Who asked for something that runs later, and what they may do by then; and who could agree to it.

A request outlives the session or key it came through. When it runs and when its file is fetched, whoever asked must
still be an active member with the right, and the key, if it came through one, must still be alive.
"""

from __future__ import annotations

import msgspec

from chime.accounts import member_queries
from chime.accounts.authenticate import key_actor
from chime.accounts.authority import member_actor
from chime.db import Db
from chime.security.permissions import Actor, Permission

MOST_ASKED = 1_000


class Requester(msgspec.Struct, frozen=True, kw_only=True):
    """`person_id` is None for a key that was made at the shell: nobody stands behind it."""

    person_id: str | None
    key_id: str | None
    name: str


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A member who holds a permission."""

    id: str
    name: str
    email: str


async def requester_of(db: Db, actor: Actor) -> Requester:
    """The person, or the key and the person who made it. `db` is control.db."""
    if actor.kind != "api_key":
        return Requester(person_id=actor.id, key_id=None, name=actor.name)
    made_by: str | None = await db.value("SELECT made_by FROM api_key WHERE id = ?", actor.id)
    return Requester(person_id=made_by, key_id=actor.id, name=actor.name)


async def actor_of_requester(db: Db, workspace_id: str, requester: Requester, now: int) -> Actor | None:
    """What the requester may do at this moment; None once they are no active member, or their key is not alive."""
    if requester.key_id is not None:
        return await key_actor(db, workspace_id, requester.key_id, now)
    return await member_actor(db, workspace_id, requester.person_id) if requester.person_id else None


async def holders(db: Db, workspace_id: str, permission: Permission) -> list[Holder]:
    """The active members who hold this permission now."""
    found = []
    for user_id, name, email in await db.rows(
            "SELECT user.id, user.name, user.email FROM membership JOIN user ON user.id = membership.user_id "
            "WHERE membership.workspace_id = ? AND membership.state = 'active' AND user.disabled_at IS NULL "
            "ORDER BY user.name LIMIT ?", workspace_id, MOST_ASKED):
        actor = await member_actor(db, workspace_id, user_id)
        if actor is not None and actor.may(permission):
            found.append(Holder(id=user_id, name=name, email=email))
    return found


async def exports_need_approval(db: Db, workspace_id: str) -> bool:
    """The workspace's policy; approval is asked for where nobody decided otherwise."""
    return (await member_queries.saved_policy(db, workspace_id)).policy.exports_need_approval
