"""A small town of people and workspaces in a real control.db, and everything that may happen to them at random.

The town keeps its own book of what must be true, in plain sets, and reads the file after each step. What it proves is
written where it is asked: `check` after each step, `allowed` before it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from chime import accounts
from chime.accounts import custom_roles, invitations, membership, ownership, queries, teams
from chime.accounts.authority import covers, member_actor, role_grants
from chime.accounts.custom_roles import RoleWish
from chime.accounts.invitations import NewInvitation
from chime.clock import HOUR, Clock
from chime.errors import ChimeError
from chime.ids import Ids
from chime.security.permissions import MODULES, OPERATOR, Actor, Permission, Reach, Role, rank
from chime.workspaces import Control, create_control, create_workspace, open_keys

KEY = bytes(range(32))
PEOPLE = 12
WORKSPACES = 3
ROLES = [role.value for role in Role]


class TownClock(Clock):
    """Passes when it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0

    def now(self) -> int:
        return super().now() + self.passed

    def real_now(self) -> int:
        return super().real_now() + self.passed


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation as its bearer knows it."""

    id: str
    workspace_id: str
    email: str
    role: str
    expires_at: int
    made_by: str


@dataclass
class Town:
    control: Control
    clock: TownClock
    chance: random.Random
    workspaces: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    tokens: dict[str, Live] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    known: dict[tuple[str, str], Actor] = field(default_factory=dict)
    picked: tuple[str, Live] | None = None
    teams_before: frozenset[str] = frozenset()
    done: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)

    # What may happen. Each picks at random and may well ask for something that is not allowed.

    async def invite(self, actor: Actor, workspace_id: str) -> None:
        """Somebody, as anything, into any teams."""
        role = await self._some_role(workspace_id)
        inside = {row[0] for row in await self.control.db.rows("SELECT user_id FROM membership WHERE workspace_id = ?",
                                                               workspace_id)}
        outside = [one for one in self.people if one not in inside]
        whom = self.chance.choice(outside if outside and self.chance.random() < 0.9 else self.people)
        new = NewInvitation(email=await self._email(whom), role=role,
                            teams=tuple(await self._some_teams(workspace_id)))
        async with self.control.write(actor) as tx:
            made = await invitations.invite(tx, Ids(), workspace_id, new)
        self.tokens[made.token] = Live(id=made.id, workspace_id=workspace_id, email=made.email, role=role,
                                       expires_at=made.expires_at, made_by=actor.id or "")

    async def resend(self, actor: Actor, workspace_id: str) -> None:
        """The old token is dead, the new one lives."""
        _, live = self._some_token(workspace_id)
        async with self.control.write(actor) as tx:
            made = await invitations.resend(tx, Ids(), workspace_id, live.id)
        assert live.workspace_id == workspace_id, "an invitation of another workspace"
        for old in [old for old, known in self.tokens.items() if known.id == live.id]:
            self.used.add(old)
        self.tokens[made.token] = msgspec.structs.replace(live, expires_at=made.expires_at, made_by=actor.id or "")

    async def revoke(self, actor: Actor, workspace_id: str) -> None:
        _, live = self._some_token(workspace_id)
        async with self.control.write(actor) as tx:
            await invitations.revoke(tx, workspace_id, live.id)
        assert live.workspace_id == workspace_id, "an invitation of another workspace"
        self.used |= {old for old, known in self.tokens.items() if known.id == live.id}

    async def accept(self, actor: Actor, workspace_id: str) -> None:
        """With any token, as whoever acts."""
        token, live = self.picked or self._some_token()
        self.picked = None
        user = await queries.user(self.control.db, actor.id or "")
        assert user
        async with self.control.write(actor) as tx:
            accepted = await invitations.accept(tx, token, user)
        assert token not in self.used, "a link was good twice, or after it was revoked"
        assert user.email == live.email and accepted.workspace_id == live.workspace_id, "another's invitation"
        assert self.clock.now() < live.expires_at, "after three days"
        rows = await self.control.db.rows("SELECT role, state FROM membership WHERE workspace_id = ? AND user_id = ?",
                                          live.workspace_id, user.id)
        assert rows == [(live.role, "unconfirmed" if live.role == "owner" else "active")]
        maker = self.known.get((live.workspace_id, live.made_by))
        assert maker and maker.may(Permission.MEMBERS_INVITE), "who invited is gone, or may not any more"
        grants = await role_grants(self.control.db, live.workspace_id, live.role)
        assert covers(maker, grants), "more than who invited holds"
        assert rank(live.role) < rank(maker.role) or not maker.grant(Permission.MEMBERS_INVITE).below
        self.used |= {old for old, known in self.tokens.items() if known.id == live.id}

    async def change_role(self, actor: Actor, workspace_id: str) -> None:
        role = await self._some_role(workspace_id)
        async with self.control.write(actor) as tx:
            await membership.change_role(tx, workspace_id, await self._someone(workspace_id), role)

    async def limit(self, actor: Actor, workspace_id: str) -> None:
        off = [module for module in MODULES if self.chance.random() < 0.2]
        async with self.control.write(actor) as tx:
            await membership.limit(tx, workspace_id, await self._someone(workspace_id), modules_off=off,
                                   channels=self.chance.choice([None, ()]), masked=self.chance.random() < 0.3)

    async def suspend(self, actor: Actor, workspace_id: str) -> None:
        async with self.control.write(actor) as tx:
            await membership.suspend(tx, workspace_id, await self._someone(workspace_id))

    async def resume(self, actor: Actor, workspace_id: str) -> None:
        async with self.control.write(actor) as tx:
            await membership.resume(tx, workspace_id, await self._someone(workspace_id))

    async def remove(self, actor: Actor, workspace_id: str) -> None:
        gone = await self._someone(workspace_id)
        async with self.control.write(actor) as tx:
            await membership.remove(tx, workspace_id, gone)
        self.used |= {token for token, live in self.tokens.items()
                      if (live.workspace_id, live.made_by) == (workspace_id, gone)}

    async def confirm(self, actor: Actor, workspace_id: str) -> None:
        async with self.control.write(actor) as tx:
            waiting = await tx.value("SELECT user_id FROM membership WHERE workspace_id = ? AND state = 'unconfirmed'",
                                     workspace_id)
            await membership.confirm(tx, workspace_id, waiting or await self._someone(workspace_id))

    async def offer(self, actor: Actor, workspace_id: str) -> None:
        async with self.control.write(actor) as tx:
            await ownership.offer(tx, workspace_id, await self._someone(workspace_id),
                                  keeps_ownership=self.chance.random() < 0.5)

    async def take_over(self, actor: Actor, workspace_id: str) -> None:
        verb = self.chance.choice([ownership.accept, ownership.accept, ownership.decline])
        async with self.control.write(actor) as tx:
            await verb(tx, workspace_id)

    async def make_role(self, actor: Actor, workspace_id: str) -> None:
        """A role of random grants, new or in the place of another."""
        mine = self.known.get((workspace_id, actor.id or ""))
        choices = list(custom_roles.offered(mine)) if mine and self.chance.random() < 0.8 else list(Permission)
        reaches = {permission: self.chance.choice([Reach.ALL, Reach.ALL, Reach.ALL, Reach.TEAM, Reach.OWN])
                   for permission in self.chance.sample(choices, min(len(choices), self.chance.randint(1, 4)))}
        wish = RoleWish(name=f"role {self.chance.randint(0, 10**9)}", reaches=reaches,
                        masked=self.chance.random() < 0.5)
        known = await self._own_roles(workspace_id)
        async with self.control.write(actor) as tx:
            if known and self.chance.random() < 0.5:
                await custom_roles.edit(tx, workspace_id, self.chance.choice(known), wish)
            else:
                await custom_roles.create(tx, workspace_id, wish)

    async def drop_role(self, actor: Actor, workspace_id: str) -> None:
        known = await self._own_roles(workspace_id)
        async with self.control.write(actor) as tx:
            await custom_roles.delete(tx, workspace_id, self.chance.choice(known))

    async def team(self, actor: Actor, workspace_id: str) -> None:
        """Make, fill or delete a team."""
        known = await self._teams(workspace_id)
        async with self.control.write(actor) as tx:
            if len(known) < 3:
                await teams.create(tx, workspace_id, f"team {self.chance.randint(0, 10**9)}")
            elif self.chance.random() < 0.1:
                await teams.delete(tx, workspace_id, self.chance.choice(known))
            else:
                await teams.set_teams(tx, workspace_id, await self._someone(workspace_id),
                                      await self._some_teams(workspace_id))

    VERBS = ("invite", "invite", "invite", "invite", "resend", "revoke", "accept", "accept", "accept", "accept",
             "accept", "change_role", "change_role", "change_role", "change_role", "limit", "suspend", "resume",
             "resume", "remove", "confirm", "offer", "take_over", "make_role", "make_role", "drop_role", "team", "team")

    # One step, and what must hold.

    async def step(self) -> None:
        """Something happens. Whoever acts is picked before; what they may do is read by the verb itself."""
        verb, workspace_id = self.chance.choice(self.VERBS), self.chance.choice(self.workspaces)
        if self.chance.random() < 0.01:
            self.clock.passed += 25 * HOUR
        before = self.known = await self.holdings()
        self.teams_before = frozenset(await self._teams(workspace_id))
        user_id = await self._fitting(verb, workspace_id)
        acting = Actor(kind="user", id=user_id, name="somebody",
                       grants=dict.fromkeys(Permission))  # type: ignore[arg-type]  # what a stale guard might have said
        try:
            await getattr(self, verb)(acting, workspace_id)
        except (ChimeError, LookupError) as error:
            self.refused[verb] = self.refused.get(verb, 0) + 1
            assert not isinstance(error, LookupError) or verb in ("resend", "revoke", "accept", "drop_role")
            assert await self.holdings() == before, "refused, and changed all the same"
            return
        self.done[verb] = self.done.get(verb, 0) + 1
        await self.check(verb, user_id, workspace_id, before)

    async def holdings(self) -> dict[tuple[str, str], Actor]:
        """Everybody's rights in every workspace, as a request would read them now."""
        found = {}
        for workspace_id in self.workspaces:
            for user_id in self.people:
                actor = await member_actor(self.control.db, workspace_id, user_id)
                if actor is not None:
                    found[workspace_id, user_id] = actor
        return found

    async def check(self, verb: str, user_id: str, workspace_id: str, before: dict[tuple[str, str], Actor]) -> None:
        after = await self.holdings()
        for each in self.workspaces:
            owners = [key for key, actor in after.items() if key[0] == each and actor.role == Role.OWNER]
            assert owners, f"{verb} took the last owner"
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        if verb == "accept":
            assert all(key[1] == user_id for key in changed) and len(changed) <= 1
            return
        assert all(key[0] == workspace_id for key in changed), f"{verb} reached into another workspace"
        actor = before.get((workspace_id, user_id))
        assert actor is not None, f"{verb} by somebody who is no active member"
        await self.stood_below(verb, actor, changed, before, after)
        for key in changed & after.keys():
            became = after[key].role == Role.OWNER and (key not in before or before[key].role != Role.OWNER)
            assert not became or verb in ("take_over", "confirm", "resume"), f"an owner by {verb}"
            self.gained_within(verb, actor, before.get(key), after[key])

    async def stood_below(self, verb: str, actor: Actor, changed: set[tuple[str, str]],
                          before: dict[tuple[str, str], Actor], after: dict[tuple[str, str], Actor]) -> None:
        """Those whose membership somebody changed stood below them, before and after; or, for who is not bound to
        that, held no more than they do. A role is edited by who holds all of it."""
        edits = verb in ("change_role", "limit", "suspend", "resume", "remove")
        for key in changed:
            for found in (before.get(key), after.get(key)):
                if found is not None and edits and actor.grant(Permission.MEMBERS_EDIT).below:
                    assert rank(found.role) < rank(actor.role), f"{verb}: {found.role} by {actor.role}"
                elif found is not None and (edits or verb == "make_role"):
                    mine = found.id == actor.id and found is after.get(key)
                    assert mine or covers(actor, found.grants), f"{verb}: who holds more, by {actor.role}"

    def gained_within(self, verb: str, actor: Actor, before: Actor | None, after: Actor) -> None:
        """What somebody holds now and did not hold before, the one who acts held."""
        if verb == "take_over" or (verb == "confirm" and actor.role == Role.OWNER):
            return  # given by an owner, and confirmed
        gained = {permission: grant for permission, grant in after.grants.items()
                  if before is None or before.grants.get(permission) != grant}
        assert covers(actor, gained), (verb, actor.role, set(gained) - set(actor.grants))
        everywhere = all(actor.grant(permission).reach is Reach.ALL
                         for permission in (Permission.TEAMS_EDIT, Permission.INBOX_READ))
        if verb == "team" and not everywhere and before is not None:
            moved = (after.teams ^ before.teams) & self.teams_before
            assert moved <= actor.teams, "sight of a team that the actor had not"

    # Picking: mostly somebody for whom it might go well, else nothing would ever happen.

    async def _fitting(self, verb: str, workspace_id: str) -> str:
        """Who acts."""
        if verb == "accept" and self.tokens and self.chance.random() < 0.7:
            good = [pair for pair in self.tokens.items() if pair[0] not in self.used
                    and pair[1].expires_at > self.clock.now()]
            doubtful = [pair for pair in good if (pair[1].workspace_id, pair[1].made_by) not in self.known
                        or not self.known[pair[1].workspace_id, pair[1].made_by].may(Permission.MEMBERS_INVITE)]
            some = doubtful if doubtful and self.chance.random() < 0.3 else good
            self.picked = self.chance.choice(some or list(self.tokens.items()))
            return str(await self.control.db.value("SELECT id FROM user WHERE email = ?", self.picked[1].email))
        if verb == "take_over" and self.chance.random() < 0.7:
            asked = await self.control.db.value("SELECT to_user_id FROM ownership_offer WHERE workspace_id = ?",
                                                workspace_id)
            return str(asked or self.people[0])
        permissions = {"invite": Permission.MEMBERS_INVITE, "offer": Permission.WORKSPACE_TRANSFER,
                       "confirm": Permission.WORKSPACE_TRANSFER, "make_role": Permission.ROLES_EDIT,
                       "drop_role": Permission.ROLES_EDIT, "team": Permission.TEAMS_EDIT,
                       "resend": Permission.MEMBERS_INVITE, "revoke": Permission.MEMBERS_INVITE}
        needed = permissions.get(verb, Permission.MEMBERS_EDIT)
        able = [key[1] for key, actor in self.known.items() if key[0] == workspace_id and actor.may(needed)]
        return self.chance.choice(able if able and self.chance.random() < 0.7 else self.people)

    async def _someone(self, workspace_id: str) -> str:
        """Somebody to whom it is done."""
        rows = await self.control.db.rows("SELECT user_id FROM membership WHERE workspace_id = ? ORDER BY user_id",
                                          workspace_id)
        return self.chance.choice([row[0] for row in rows] if self.chance.random() < 0.8 else self.people)

    def _some_token(self, workspace_id: str = "") -> tuple[str, Live]:
        """A recent one, mostly of this workspace."""
        known = list(self.tokens.items())[-12:]
        ours = [pair for pair in known if pair[1].workspace_id == workspace_id]
        return self.chance.choice(ours if ours and self.chance.random() < 0.8 else known)

    async def _email(self, user_id: str) -> str:
        return str(await self.control.db.value("SELECT email FROM user WHERE id = ?", user_id))

    async def _own_roles(self, workspace_id: str) -> list[str]:
        return [row[0] for row in await self.control.db.rows("SELECT id FROM custom_role WHERE workspace_id = ? "
                                                             "ORDER BY id", workspace_id)]

    async def _some_role(self, workspace_id: str) -> str:
        if self.chance.random() < 0.05:  # of another workspace
            workspace_id = self.chance.choice(self.workspaces)
        own = await self._own_roles(workspace_id)
        return self.chance.choice(own) if own and self.chance.random() < 0.4 else self.chance.choice(ROLES)

    async def _teams(self, workspace_id: str) -> list[str]:
        return [row[0] for row in await self.control.db.rows("SELECT id FROM team WHERE workspace_id = ? ORDER BY id",
                                                             workspace_id)]

    async def _some_teams(self, workspace_id: str) -> list[str]:
        return [team for team in await self._teams(workspace_id) if self.chance.random() < 0.4]


async def settled(folder: Path, seed: int) -> Town:
    """Three workspaces, each with an owner, an admin and a manager."""
    keys, clock, ids = open_keys(folder, KEY, create=True), TownClock(), Ids()
    create_control(folder, keys)
    control = await Control.open(folder, keys, clock, ids)
    town = Town(control, clock, random.Random(seed))
    for number in range(PEOPLE):
        async with control.write(OPERATOR) as tx:
            town.people.append(await accounts.create_user(tx, email=f"p{number}@example.com", name=f"P{number}",
                                                          password_hash="none"))
    for number in range(WORKSPACES):
        async with control.write(OPERATOR) as tx:
            record = await create_workspace(tx, folder, keys, ids, name=f"Workspace {number}")
            for place, role in enumerate((Role.OWNER, Role.ADMIN, Role.MANAGER)):
                await accounts.add_member(tx, workspace_id=record.id, role=role,
                                          user_id=town.people[(number + 3 * place) % PEOPLE])
        town.workspaces.append(record.id)
    return town
