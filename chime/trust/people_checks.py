"""Self-checks of who may do what: owners, the operator's rights, support access, hidden numbers."""

from __future__ import annotations

import contextvars

from chime.clock import SECOND
from chime.phone import Phone, masked_in, numbers_shown_to
from chime.security.permissions import GRANTS, OPERATES, OWNERS_ONLY, RESERVED, Permission, Role
from chime.security.support import EMERGENCY_LASTS, LONGEST, READS, support_grants
from chime.trust.ground import Ground
from chime.trust.model import Broken

_KEEPERS = frozenset({"membership_keeps_an_owner_update", "membership_keeps_an_owner_delete"})
_NEVER_SUPPORTS = frozenset({
    Permission.INBOX_EXPORT, Permission.CONTACTS_EXPORT, Permission.DATA_EXPORT, Permission.AUDIT_EXPORT,
    Permission.DATA_ERASE, Permission.NUMBERS_REVEAL, Permission.CHANNELS_CONNECT, Permission.API_KEYS_EDIT,
    Permission.APPROVALS_DECIDE, Permission.SUPPORT_APPROVE, Permission.SUPPORT_END, Permission.MEMBERS_READ,
    Permission.MEMBERS_INVITE, Permission.MEMBERS_EDIT, Permission.ROLES_EDIT, Permission.SECURITY_EDIT}) | RESERVED
_LATE = 5 * SECOND


async def owners(ground: Ground) -> str:
    """Every workspace has an owner, and the database itself refuses to lose the last one."""
    db = ground.control.db
    ownerless = await db.value(
        "SELECT count(*) FROM workspace WHERE state = 'active' AND NOT EXISTS (SELECT 1 FROM membership "
        "WHERE workspace_id = workspace.id AND role = 'owner' AND state = 'active')")
    if ownerless:
        raise Broken(f"{ownerless} workspaces have no owner")
    kept = {row[0] for row in await db.rows("SELECT name FROM sqlite_schema WHERE type = 'trigger'")}
    if not kept >= _KEEPERS:
        raise Broken("the database would let the last owner go")
    return f"{await db.value('SELECT count(*) FROM workspace')} workspaces"


async def matrix(ground: Ground) -> str:
    """The table of permissions: operators hold no right of a workspace, none but owners what is an owner's, none but
    owners and admins what else is reserved, agents and viewers see no whole numbers."""
    if set(OPERATES) != {Permission.INSTALLATION}:
        raise Broken("operators hold rights of workspaces")
    for role in Role:
        reserved = set(GRANTS[role]) & (OWNERS_ONLY if role is Role.ADMIN else RESERVED - {Permission.SESSION})
        if role is not Role.OWNER and reserved:
            raise Broken(f"{role.value} holds {', '.join(sorted(reserved))}")
    for role in (Role.AGENT, Role.ANALYST, Role.VIEWER):
        if {Permission.NUMBERS_READ, Permission.NUMBERS_REVEAL} & set(GRANTS[role]):
            raise Broken(f"{role.value} sees whole numbers")
    known = {permission.value for permission in Permission}
    stored = await ground.control.db.rows(
        "SELECT DISTINCT json_each.key FROM custom_role, json_each(custom_role.grants_json) LIMIT 1000")
    high = {name for (name,) in stored if name in known and Permission(name) in RESERVED - {Permission.SESSION}}
    if high:
        raise Broken(f"a custom role holds {', '.join(sorted(high))}")
    return f"{len(Role)} roles, {len(known)} permissions"


async def support(ground: Ground) -> str:
    """Whoever of support is inside was let in by somebody else who may, for no longer than allowed, and what is over is
    over."""
    given = set(support_grants(READS, writes=True, masked=False))
    if given & _NEVER_SUPPORTS:
        raise Broken(f"support can be given {', '.join(sorted(given & _NEVER_SUPPORTS))}")
    db, now = ground.control.db, ground.clock.real_now()
    wrong = await db.value(
        "SELECT count(*) FROM support_grant WHERE state = 'active' AND (decided_by IS NULL OR decided_by = operator_id "
        "OR ends_at - decided_at > iif(is_emergency, ?, ?) OR (is_emergency AND (writes OR NOT masked)))",
        EMERGENCY_LASTS, LONGEST)
    if wrong:
        raise Broken(f"{wrong} accesses were not let in as they must be")
    late = await db.value("SELECT count(*) FROM support_grant WHERE state = 'active' AND ends_at < ?", now - _LATE)
    if late and ground.app is not None:
        raise Broken(f"{late} accesses were not ended in time")
    inside = await db.value("SELECT count(*) FROM support_open WHERE ends_at > ?", now)
    return f"{inside} inside now"


async def masking(ground: Ground) -> str:
    """A number prints itself masked for whoever may not see it, and for a reader nobody said anything of."""
    number = Phone("15550100200")

    def printed(may_see: bool | None) -> str:
        if may_see is not None:
            numbers_shown_to(may_see)
        return f"{number} {number!r}"

    # In a context of their own: what is tried here is nobody's request.
    unsaid, hidden = (contextvars.Context().run(printed, value) for value in (None, False))
    for text in (unsaid, hidden, masked_in("call +1 555 010 0200 now")):
        if "0100" in text or "010 0" in text:
            raise Broken("a number was printed whole for somebody who may not see it")
    if "15550100200" not in contextvars.Context().run(printed, True):
        raise Broken("a number is not shown to somebody who may see it")
    return "masked by default, when hidden, and in texts"
