"""An operator inside a workspace that let them in: who they are there, and what everybody in it is told.

The grant is read in the request itself, with everything it stands on (the view `support_open`); `chime.support` writes
it. Times are the machine's.
"""

from __future__ import annotations

import msgspec

from chime.accounts.model import User
from chime.db import Db
from chime.security.permissions import Actor, Origin
from chime.security.support import REQUEST_LASTS, support_grants
from chime.web.identity import SupportShown
from chime.workspaces import WorkspaceRecord

KIND = "support"
_OPEN = "FROM support_open WHERE operator_id = ? AND ends_at > ? AND decided_at <= ? "


class _Grant(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    modules: str
    writes: bool
    masked: bool


async def support_workspace(db: Db, user: User, slug: str, now: int) -> WorkspaceRecord | None:
    """The workspace of this address, if it lets this operator in at this moment."""
    if not user.is_operator:
        return None
    return await db.one(
        WorkspaceRecord, "SELECT id, slug, name, state, time_zone, created_at FROM workspace "
        f"WHERE slug = ? AND id IN (SELECT workspace_id {_OPEN})", slug, user.id, now, now)


async def support_actor(db: Db, user: User, workspace_id: str, now: int, origin: Origin) -> Actor | None:
    """Who the operator is in there: a guest with a name of their own, the grant's rights and none of the operator's.
    Of several grants the one that lasts longest counts."""
    found = await db.one(_Grant, f"SELECT id, modules, writes, masked {_OPEN} AND workspace_id = ? "
                         "ORDER BY ends_at DESC LIMIT 1", user.id, now, now, workspace_id)
    if found is None or not user.is_operator or user.disabled_at is not None:
        return None
    return Actor(kind=KIND, id=user.id, name=f"Support: {user.name}",
                 grants=support_grants(found.modules.split(","), writes=found.writes, masked=found.masked),
                 origin=origin, on_behalf=f"support_grant:{found.id}", masks_texts=found.masked)


async def support_shown(db: Db, workspace_id: str, now: int) -> tuple[SupportShown, ...]:
    """Who of support may be inside now: the banner that all members see."""
    return tuple(await db.all(
        SupportShown, "SELECT id, operator_id, operator_name AS name, ends_at, writes, masked, is_emergency "
        "FROM support_open WHERE workspace_id = ? AND ends_at > ? ORDER BY ends_at LIMIT 20", workspace_id, now))


async def support_waiting(db: Db, workspace_id: str, user_id: str, now: int) -> int:
    """How many requests wait for an answer that this person could give."""
    return int(await db.value(
        "SELECT count(*) FROM support_grant WHERE workspace_id = ? AND state = 'requested' AND NOT is_emergency "
        "AND operator_id <> ? AND requested_at > ?", workspace_id, user_id, now - REQUEST_LASTS))
