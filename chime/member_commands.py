"""`chime user invite` and `remove`: people of a workspace from the shell, beside the running appliance.

The operator at the shell acts with an owner's rights and stands behind no membership, so what they invite does not end
with one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chime.accounts import invitations, member_queries, membership
from chime.accounts.invitation_letters import invitation_mail
from chime.accounts.invitations import NewInvitation
from chime.clock import Clock, rfc3339
from chime.config import Config
from chime.db import Db
from chime.errors import Invalid, NotFound
from chime.ids import Ids
from chime.security.permissions import OPERATOR, Role
from chime.setup import named_workspace, opened
from chime.web.mail import Mailer


class Invited(msgspec.Struct, frozen=True, kw_only=True):
    """`link` is empty when it was mailed: then nobody needs to see it."""

    id: str
    mailed: bool
    link: str
    expires_at: str


async def invite(config: Config, workspace: str, *, email: str, role: str, teams: Sequence[str]) -> Invited:
    """Raises NotFound, Invalid, Conflict."""
    async with opened(config) as (control, _):
        record = await named_workspace(control, workspace)
        new = NewInvitation(email=email, role=await _role(control.db, record.id, role),
                            teams=await _teams(control.db, record.id, teams))
        mailer = Mailer(control, Clock(), config)
        async with control.write(OPERATOR) as tx:
            made = await invitations.invite(tx, Ids(), record.id, new)
            if mailer.configured:
                await mailer.send(made.email, *invitation_mail(
                    mailer.link(f"/invitations/{made.token}"), record.name, "The operator"), tx=tx)
    base = config.public_url or f"http://{config.bind_host}:{config.bind_port}"
    return Invited(id=made.id, mailed=mailer.configured, expires_at=rfc3339(made.expires_at),
                   link="" if mailer.configured else f"{base}/invitations/{made.token}")


async def remove(config: Config, workspace: str, email: str) -> str:
    """Out of the workspace, at once; the id of the person. Raises NotFound, Conflict."""
    async with opened(config) as (control, _):
        record = await named_workspace(control, workspace)
        user_id: str | None = await control.db.value(
            "SELECT user.id FROM membership JOIN user ON user.id = membership.user_id "
            "WHERE membership.workspace_id = ? AND user.email = ?", record.id, email.strip())
        if user_id is None:
            raise NotFound(f"nobody with this address is a member of {record.name}")
        async with control.write(OPERATOR) as tx:
            await membership.remove(tx, record.id, user_id)
    return user_id


async def _role(db: Db, workspace_id: str, name: str) -> str:
    """A built-in role, or one of the workspace's own by its name."""
    if name.lower() in set(Role):
        return name.lower()
    for role in await member_queries.custom_roles(db, workspace_id):
        if name.lower() == role.name.lower():
            return role.id
    raise Invalid.field("role", f"there is no role {name!r}")


async def _teams(db: Db, workspace_id: str, names: Sequence[str]) -> tuple[str, ...]:
    known = {team.name.lower(): team.id for team in await member_queries.teams(db, workspace_id)}
    missing = [name for name in names if name.lower() not in known]
    if missing:
        raise Invalid.field("team", f"there is no team {missing[0]!r}")
    return tuple(known[name.lower()] for name in names)
