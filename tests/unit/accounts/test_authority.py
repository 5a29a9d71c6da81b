"""Nobody gives more than they hold, and a workspace keeps an owner: by tables, by random roles, by a crowd."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2

from chime.accounts import custom_roles, membership
from chime.accounts.authority import covers, effective, may_give, may_touch, member_actor, role_grants
from chime.accounts.custom_roles import RoleWish, offered
from chime.accounts.model import Policy
from chime.accounts.workspace_settings import weaker_fields
from chime.errors import ChimeError, Conflict, Forbidden, Invalid
from chime.security import networks
from chime.security.permissions import GRANTS, OPERATOR, RESERVED, Actor, Permission, Reach, Role, within
from tests.unit.accounts.machine import Town, settled


def of(role: Role) -> Actor:
    return Actor(kind="user", id=role.value, name=role.value, role=role.value, grants=GRANTS[role])


# Who may make somebody what, by inviting and by a change of role. An owner is made by an owner, another way.
GIVES = {
    Role.OWNER: set(Role), Role.ADMIN: set(Role) - {Role.OWNER, Role.ADMIN},
    Role.MANAGER: {Role.MEMBER, Role.AGENT, Role.ANALYST, Role.VIEWER},
}


def test_who_may_make_somebody_what() -> None:
    for giver in Role:
        for role in Role:
            for permission in (Permission.MEMBERS_INVITE, Permission.MEMBERS_EDIT):
                able = of(giver).may(permission) and may_give(of(giver), permission, role, GRANTS[role])
                expected = role in GIVES.get(giver, set()) and of(giver).may(permission)
                assert able is expected, (giver, role, permission)


def test_who_may_touch_whom() -> None:
    for actor in (Role.OWNER, Role.ADMIN):
        for role in Role:
            able = may_touch(of(actor), Permission.MEMBERS_EDIT, role, GRANTS[role])
            assert able is (role in GIVES[actor]), (actor, role)


def test_switches_only_take_away() -> None:
    for role in Role:
        for modules in ("", "inbox", "inbox,contacts,members", "data,audit,api_keys,delivery,channels,templates"):
            for masked in (False, True):
                assert within(effective(role, GRANTS[role], modules_off=modules, masked=masked), GRANTS[role])


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    found = await settled(tmp_path / "data", seed=1)
    yield found
    await found.control.close()


async def _is(town: Town, workspace_id: str, user_id: str, role: str) -> Actor:
    async with town.control.write(OPERATOR) as tx:
        await tx.execute("UPDATE membership SET role = ? WHERE workspace_id = ? AND user_id = ?", role, workspace_id,
                         user_id)
        await tx.audit("test.done", "user", user_id)
    found = await member_actor(town.control.db, workspace_id, user_id)
    assert found
    return found


async def test_random_roles_grant_no_more_than_their_editors_hold(town: Town) -> None:
    """A chain: each editor is somebody with the role that the one before made, as long as it lets them edit roles."""
    chance, workspace_id = random.Random(7), town.workspaces[0]
    owner, somebody = town.people[0], town.people[3]
    made = refused = 0
    editor = await member_actor(town.control.db, workspace_id, owner)
    for _ in range(300):
        if editor is None or not editor.may(Permission.ROLES_EDIT) or chance.random() < 0.2:
            editor = await member_actor(town.control.db, workspace_id, owner)
            assert editor
        choices = offered(editor) if chance.random() < 0.8 else dict.fromkeys(Permission, tuple(Reach)[1:])
        picked = chance.sample(list(choices), min(len(choices), chance.randint(1, 12)))
        wish = RoleWish(name=f"role {made}", masked=chance.random() < 0.5,
                        reaches={permission: chance.choice(choices[permission]) for permission in picked}
                        | ({Permission.ROLES_EDIT: Reach.ALL} if chance.random() < 0.5 else {}))
        try:
            async with town.control.write(editor) as tx:
                role_id = await custom_roles.create(tx, workspace_id, wish)
        except ChimeError:
            refused += 1
            continue
        grants = await role_grants(town.control.db, workspace_id, role_id)
        assert within(grants, editor.grants), (set(grants) - set(editor.grants), editor.role)
        assert not RESERVED & set(grants)
        if wish.masked:
            assert Permission.NUMBERS_READ not in grants
        holder = await _is(town, workspace_id, somebody, role_id)
        assert covers(editor, holder.grants)
        made, editor = made + 1, holder
        async with town.control.write(OPERATOR) as tx:
            await tx.execute("UPDATE membership SET role = 'viewer' WHERE user_id = ? AND ? % 40 = 0", somebody, made)
            await tx.execute("DELETE FROM custom_role WHERE ? % 40 = 0", made)
            await tx.audit("test.done", "user", somebody)
        if made % 40 == 0:
            editor = None
    assert made > 100 and refused > 30


async def test_nobody_edits_a_role_that_grants_more_than_they_hold(town: Town) -> None:
    workspace_id, (owner, admin) = town.workspaces[0], (town.people[0], town.people[3])
    as_owner, as_admin = [await member_actor(town.control.db, workspace_id, one) for one in (owner, admin)]
    assert as_owner and as_admin and as_admin.role == Role.ADMIN
    async with town.control.write(as_owner) as tx:
        role_id = await custom_roles.create(tx, workspace_id, RoleWish(
            name="People", reaches={Permission.MEMBERS_EDIT: Reach.ALL}))
    less = RoleWish(name="Less", reaches={Permission.TEMPLATES_READ: Reach.ALL})
    with pytest.raises(Forbidden, match="more than you hold"):
        async with town.control.write(as_admin) as tx:
            await custom_roles.edit(tx, workspace_id, role_id, less)
    with pytest.raises(Forbidden, match="more than you hold"):
        async with town.control.write(as_admin) as tx:
            await custom_roles.delete(tx, workspace_id, role_id)
    async with town.control.write(as_owner) as tx:
        await custom_roles.edit(tx, workspace_id, role_id, less)


async def test_a_crowd_of_owners_demotes_itself(town: Town) -> None:
    """RACE-1: a thousand demotions at once, by actors whose rights were read before any of them. One owner is left,
    and each demotion that happened was by somebody who was still an owner then."""
    workspace_id, owners = town.workspaces[0], town.people
    async with town.control.write(OPERATOR) as tx:
        for one in owners:
            await tx.execute("INSERT INTO membership (workspace_id, user_id, role, created_at) "
                             "VALUES (?, ?, 'owner', 0) ON CONFLICT DO UPDATE SET role = 'owner', state = 'active'",
                             workspace_id, one)
        await tx.audit("test.done", "workspace", workspace_id)
    actors = [await member_actor(town.control.db, workspace_id, one) for one in owners]
    chance = random.Random(3)

    async def demote() -> str:
        actor = chance.choice(actors)
        assert actor
        try:
            async with town.control.write(actor) as tx:
                await chance.choice((membership.remove, membership.suspend))(tx, workspace_id, chance.choice(owners))
        except ChimeError as error:
            return type(error).__name__
        return "done"

    results = await asyncio.gather(*(demote() for _ in range(1_000)))
    left = await town.control.db.rows("SELECT user_id FROM membership WHERE workspace_id = ? AND role = 'owner' "
                                      "AND state = 'active'", workspace_id)
    assert len(left) == 1 and results.count("done") >= len(owners) - 1 and results.count("Forbidden") > 100
    assert results.count("Conflict") > 0, "the last one tried to go as well"


async def test_the_file_itself_keeps_an_owner(town: Town) -> None:
    """A trigger stands behind the verbs, for the day one of them is wrong."""
    for statement in ("UPDATE membership SET role = 'admin' WHERE role = 'owner'",
                      "UPDATE membership SET state = 'suspended' WHERE role = 'owner'",
                      "DELETE FROM membership WHERE role = 'owner'"):
        with pytest.raises(dbapi2.IntegrityError, match="the last owner"):
            async with town.control.ingest("test") as tx:
                await tx.execute(statement)


async def test_the_last_owner_is_told_so(town: Town) -> None:
    actor = await member_actor(town.control.db, town.workspaces[0], town.people[0])
    assert actor
    for verb in (membership.remove, membership.suspend):
        with pytest.raises(Conflict, match="the last owner"):
            async with town.control.write(actor) as tx:
                await verb(tx, town.workspaces[0], town.people[0])


@pytest.mark.parametrize(("address", "inside"), [
    ("203.0.113.9", True), ("203.0.114.9", False), ("::ffff:203.0.113.9", True), ("2001:db8::5", True),
    ("2001:db9::5", False), ("198.51.100.7", True), ("198.51.100.8", False), ("", False), ("203.0.113", False),
    ("localhost", False), ("0xcb.0.0x71.9", False)])
def test_addresses(address: str, inside: bool) -> None:
    assert networks.holds(("203.0.113.0/24", "2001:db8::/32", "198.51.100.7"), address) is inside


def test_what_is_weaker_than_the_floor() -> None:
    floor = Policy(second_factor_roles=("admin",), members_masked=True, addresses=("10.0.0.0/8",), idle_minutes=30,
                   support_allowed=False)
    assert weaker_fields(floor, floor) == []
    assert weaker_fields(Policy(), Policy()) == []
    assert set(weaker_fields(Policy(exports_need_approval=False), floor)) == {
        "second_factor_roles", "members_masked", "addresses", "idle_minutes", "exports_need_approval",
        "support_allowed"}
    tighter = Policy(second_factor_roles=("admin", "owner"), members_masked=True, mask_in_text=True, idle_minutes=5,
                     addresses=("10.1.0.0/16", "10.2.3.4"), support_allowed=False)
    assert weaker_fields(tighter, floor) == []
    assert weaker_fields(floor, tighter) == ["second_factor_roles", "mask_in_text", "addresses", "idle_minutes"]


async def test_a_wish_names_only_what_is_there(town: Town) -> None:
    actor = await member_actor(town.control.db, town.workspaces[0], town.people[0])
    assert actor
    for wish in (RoleWish(name="Owner", reaches={Permission.INBOX_READ: Reach.ALL}),
                 RoleWish(name="", reaches={Permission.INBOX_READ: Reach.ALL}), RoleWish(name="Empty", reaches={}),
                 RoleWish(name="Odd", reaches={Permission.TEMPLATES_READ: Reach.OWN})):
        with pytest.raises(Invalid):
            async with town.control.write(actor) as tx:
                await custom_roles.create(tx, town.workspaces[0], wish)
