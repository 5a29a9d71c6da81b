"""A workspace that is full, and somebody whose group at the sign-in provider would let them in.

Promises: the operator's limit of members holds for groups as it does for invitations; whoever is kept out reads why;
those who look after the workspace hear of it, of one person once a day. `tx` is control's.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.accounts.member_actors import member_actors
from chime.accounts.notify import notify
from chime.clock import DAY
from chime.db import Db
from chime.errors import Refused
from chime.security.permissions import Permission
from chime.web.services import Services
from chime.workspaces import Transaction, quotas

FOR_ADMINS, FOR_THE_PERSON = "workspace_full", "no_place_for_you"
WORDS = ("Your groups lead to a workspace that has as many members as it may have. Those who look after it are told. "
         "Sign in again when they have made room.")


async def is_full(db: Db, workspace_id: str, now: int) -> bool:
    """Whether nobody more may become a member. `db` is control.db."""
    try:
        await quotas.need_member(db, workspace_id, now)
    except Refused:
        return True
    return False


async def tell(services: Services, tx: Transaction, workspace_ids: Collection[str], *, person: str,
               user_id: str = "") -> None:
    """Those who look after the members of these workspaces; and the person, once they have an account."""
    for workspace_id in workspace_ids:
        slug, name = (await tx.rows("SELECT slug, name FROM workspace WHERE id = ?", workspace_id))[0]
        await tx.audit("member.refused", "user", user_id, workspace_id=workspace_id, by_group=True, reason="full")
        for one in await member_actors(tx, workspace_id):
            if one.may(Permission.MEMBERS_EDIT):
                await _once_a_day(services, tx, one.id or "", FOR_ADMINS, path=f"/w/{slug}/settings/members",
                                  workspace=name, person=person)
        if user_id:
            await _once_a_day(services, tx, user_id, FOR_THE_PERSON, path="/me/security", workspace=name)


async def _once_a_day(services: Services, tx: Transaction, user_id: str, kind: str, *, path: str,
                      **details: str) -> None:
    since = services.clock.real_now() - DAY
    if not await tx.value("SELECT 1 FROM notice WHERE user_id = ? AND kind = ? AND at > ? AND details_json = ?",
                          user_id, kind, since, msgspec.json.encode(details).decode()):
        await notify(services, tx, user_id, kind, path=path, **details)
