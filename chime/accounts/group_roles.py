"""Groups at the sign-in provider, and what their people are in a workspace. `tx` is control's.

Operators write the rules down, and a rule holds once somebody of the workspace agreed who could give that role
themselves: running this server opens no workspace, by this way neither.

Promises: at every sign-in a person is what the rules say, no more and no less; what groups gave, groups take away; the
last owner stays; a membership that a person gave is taken over by a rule for it but never ended by the lack of one, and
an owner made by an owner is never lowered; the operator's limit of members holds for groups too.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from chime.accounts import membership
from chime.accounts.authority import authority, may_give, role_grants
from chime.accounts.full_workspaces import is_full
from chime.db import Db
from chime.errors import Conflict, Forbidden, Invalid, NotFound, Sentence
from chime.security.permissions import Actor, Permission, Role
from chime.workspaces import Transaction

LONGEST_GROUP = 200
MOST_RULES = 500
_HIGHEST_FIRST = tuple(Role)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as it is listed. `agreed_at` None: it waits for somebody of the workspace."""

    id: str
    workspace_id: str
    workspace_name: str
    slug: str
    group_name: str
    role: Role
    maker_name: str
    created_at: int
    agreer_name: str
    agreed_at: int | None


class _Held(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: str
    role: str
    by_group: bool
    state: str


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What changed: ids of workspaces. `left` are those the person is no member of any more, `full` those they would
    have joined had there been room."""

    joined: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    full: tuple[str, ...] = ()


_RULE = """
SELECT group_role.id, group_role.workspace_id, workspace.name AS workspace_name, workspace.slug, group_role.group_name,
    group_role.role, coalesce(maker.name, '') AS maker_name, group_role.created_at,
    coalesce(agreer.name, '') AS agreer_name, group_role.agreed_at
FROM group_role JOIN workspace ON workspace.id = group_role.workspace_id AND workspace.state = 'active'
LEFT JOIN user AS maker ON maker.id = group_role.made_by LEFT JOIN user AS agreer ON agreer.id = group_role.agreed_by
"""


async def rules(db: Db) -> list[Rule]:
    """All of the installation."""
    return await db.all(Rule, f"{_RULE} ORDER BY workspace.name, group_role.group_name LIMIT 1000")


async def rules_of(db: Db, workspace_id: str) -> list[Rule]:
    return await db.all(Rule, f"{_RULE} WHERE group_role.workspace_id = ? ORDER BY group_role.group_name LIMIT 1000",
                        workspace_id)


async def propose(tx: Transaction, *, workspace_id: str, group_name: str, role: str) -> str:
    """A rule by an operator; it waits. Who is of the workspace and could give the role has agreed by writing it.

    Raises Invalid, Conflict."""
    group_name = group_name.strip()
    if not 1 <= len(group_name) <= LONGEST_GROUP or not group_name.isprintable():
        raise Invalid.field("group", Sentence("Write the group as the provider does, at most %(most)s characters.",
                                              most=LONGEST_GROUP))
    if role not in set(Role):
        raise Invalid.field("role", "Choose a role.")
    if not await tx.value("SELECT 1 FROM workspace WHERE id = ? AND state = 'active'", workspace_id):
        raise Invalid.field("workspace_id", "Choose a workspace.")
    if await tx.value("SELECT 1 FROM group_role WHERE workspace_id = ? AND group_name = ?", workspace_id, group_name):
        raise Conflict("There is a rule for this group and workspace already. Delete it first.")
    if int(await tx.value("SELECT count(*) FROM group_role")) >= MOST_RULES:
        raise Conflict(Sentence("There are %(most)s rules already. Delete some.", most=MOST_RULES))
    rule_id = tx.new_id()
    await tx.execute("INSERT INTO group_role (id, workspace_id, group_name, role, made_by, created_at) "
                     "VALUES (?, ?, ?, ?, ?, ?)", rule_id, workspace_id, group_name, role, tx.actor.id, tx.audited_at)
    await tx.audit("group_role.created", "group_role", rule_id, workspace_id=workspace_id, role=role)
    if await _could_give(tx, workspace_id, role):
        await _agreed(tx, workspace_id, rule_id, role)
    return rule_id


async def withdraw(tx: Transaction, rule_id: str) -> None:
    """An operator deletes a rule. What it gave ends at each person's next sign-in. Raises NotFound."""
    if not await tx.execute("DELETE FROM group_role WHERE id = ?", rule_id):
        raise NotFound("There is no such rule.")
    await tx.audit("group_role.deleted", "group_role", rule_id)


async def agree(tx: Transaction, workspace_id: str, rule_id: str) -> None:
    """Somebody of the workspace lets the group in. Raises NotFound, Forbidden."""
    role = await tx.value("SELECT role FROM group_role WHERE id = ? AND workspace_id = ?", rule_id, workspace_id)
    if role is None:
        raise NotFound("There is no such rule.")
    if not await _could_give(tx, workspace_id, role):
        raise Forbidden("You can give no more than you hold yourself, and only roles below your own.")
    await _agreed(tx, workspace_id, rule_id, role)


async def refuse(tx: Transaction, workspace_id: str, rule_id: str) -> None:
    """Somebody of the workspace does not want the rule, or no longer. Raises NotFound, Forbidden."""
    await authority(tx, workspace_id, Permission.MEMBERS_EDIT)
    if not await tx.execute("DELETE FROM group_role WHERE id = ? AND workspace_id = ?", rule_id, workspace_id):
        raise NotFound("There is no such rule.")
    await tx.audit("group_role.refused", "group_role", rule_id, workspace_id=workspace_id)


async def _could_give(tx: Transaction, workspace_id: str, role: str) -> bool:
    try:
        actor = await authority(tx, workspace_id, Permission.MEMBERS_EDIT)
    except Forbidden:
        return False
    return may_give(actor, Permission.MEMBERS_EDIT, role, await role_grants(tx, workspace_id, role))


async def _agreed(tx: Transaction, workspace_id: str, rule_id: str, role: str) -> None:
    await tx.execute("UPDATE group_role SET agreed_by = ?, agreed_at = ? WHERE id = ? AND agreed_at IS NULL",
                     tx.actor.id, tx.audited_at, rule_id)
    await tx.audit("group_role.agreed", "group_role", rule_id, workspace_id=workspace_id, role=role)


async def wanted(db: Db, groups: Collection[str]) -> dict[str, Role]:
    """Workspace by workspace the highest role that these groups give."""
    found = await db.rows(
        "SELECT group_role.workspace_id, group_role.role FROM group_role JOIN workspace "
        "ON workspace.id = group_role.workspace_id AND workspace.state = 'active' "
        "WHERE group_role.agreed_at IS NOT NULL AND group_role.group_name IN (SELECT value FROM json_each(?))",
        msgspec.json.encode(list(groups)).decode())
    highest: dict[str, Role] = {}
    for workspace_id, name in found:
        role = Role(name)
        if workspace_id not in highest or _HIGHEST_FIRST.index(role) < _HIGHEST_FIRST.index(highest[workspace_id]):
            highest[workspace_id] = role
    return highest


def by_groups(provider: str) -> Actor:
    """Who the audit trail says it was: rules that the operator wrote and the workspace agreed to."""
    return Actor(kind="operator", id=None, name=f"groups at {provider}")


async def apply(tx: Transaction, user_id: str, groups: Collection[str]) -> Applied:
    """Make the person what the rules say. `tx` is one of `by_groups`."""
    roles = await wanted(tx, groups)
    held = {row.workspace_id: row for row in await tx.all(
        _Held, "SELECT workspace_id, role, by_group, state FROM membership WHERE user_id = ?", user_id)}
    new = [workspace_id for workspace_id in roles if workspace_id not in held]
    full = [workspace_id for workspace_id in new if await is_full(tx, workspace_id, tx.now)]
    joined = [workspace_id for workspace_id in new if workspace_id not in full]
    for workspace_id in joined:
        await _join(tx, workspace_id, user_id, roles[workspace_id])
    changed = [workspace_id for workspace_id, role in roles.items()
               if workspace_id in held and await _change(tx, user_id, held[workspace_id], role)]
    # Who is suspended stays so, or leaving a group and coming back would lift it.
    gone = [row.workspace_id for row in held.values()
            if row.by_group and row.state != "suspended" and row.workspace_id not in roles]
    left = [workspace_id for workspace_id in gone if await _leave(tx, workspace_id, user_id)]
    return Applied(joined=tuple(joined), changed=tuple(changed), left=tuple(left), full=tuple(full))


async def _join(tx: Transaction, workspace_id: str, user_id: str, role: Role) -> None:
    await tx.execute("INSERT INTO membership (workspace_id, user_id, role, created_at, by_group) "
                     "VALUES (?, ?, ?, ?, 1)", workspace_id, user_id, role.value, tx.now)
    await tx.audit("member.added", "user", user_id, workspace_id=workspace_id, role=role.value, by_group=True)


async def _change(tx: Transaction, user_id: str, held: _Held, role: Role) -> bool:
    if held.role == role and held.by_group:
        return False
    if held.role == Role.OWNER and (not held.by_group or await _is_last_owner(tx, held.workspace_id, user_id)):
        return False
    # An owner has no limits; of anybody else they stay. So does a suspension: a person said it, not a group.
    await tx.execute("UPDATE membership SET role = ?1, by_group = 1, modules_off = iif(?1 = 'owner', '', modules_off), "
                     "channels_json = iif(?1 = 'owner', NULL, channels_json), masked = iif(?1 = 'owner', 0, masked) "
                     "WHERE workspace_id = ?2 AND user_id = ?3", role.value, held.workspace_id, user_id)
    await tx.audit("member.role_changed", "user", user_id, workspace_id=held.workspace_id, by_group=True,
                   before={"role": held.role}, after={"role": role.value})
    return True


async def _leave(tx: Transaction, workspace_id: str, user_id: str) -> bool:
    if await _is_last_owner(tx, workspace_id, user_id):
        return False
    await membership.remove(tx, workspace_id, user_id)
    return True


async def _is_last_owner(tx: Transaction, workspace_id: str, user_id: str) -> bool:
    return bool(await tx.value(
        "SELECT 1 FROM membership WHERE workspace_id = ?1 AND user_id = ?2 AND role = 'owner' AND state = 'active' "
        "AND NOT EXISTS (SELECT 1 FROM membership WHERE workspace_id = ?1 AND user_id <> ?2 AND role = 'owner' "
        "AND state = 'active')", workspace_id, user_id))
