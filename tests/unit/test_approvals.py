"""APPR-1: random requests, decisions, runs, fetches, changes of roles and passing time, against a plain model. Whatever
order they come in, a file was fetched only with the agreement of another person, who had the right at that moment, to
exactly what was asked for, by whoever asked, who had it too, within a day and once.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlcipher3 import dbapi2

from chime import approvals
from chime.accounts import Requester
from chime.approvals import Needs, StandsNoMore, State, Wanted
from chime.clock import HOUR, Clock
from chime.db import DatabaseFile, Key, Kind
from chime.db.migrate import migrate
from chime.errors import ChimeError, Conflict, Forbidden, TooMany
from chime.ids import Ids
from chime.security.permissions import SYSTEM, Actor
from chime.workspaces.transaction import Writes

PEOPLE = ("alice", "kim", "mo", "bob")
ROLES = ("owner", "admin", "manager", "member", "viewer")
ASKS = frozenset({"owner", "admin", "manager"})
DECIDES = frozenset({"owner", "admin"})
WORKSPACE = "0" * 26


class MovedClock(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.at = 1_763_719_200_000

    def real_now(self) -> int:
        return self.at


class Small:
    """One workspace file and one control file, with four people and nothing else."""

    def __init__(self, db: DatabaseFile, control: DatabaseFile, clock: MovedClock) -> None:
        self.clock, self.control = clock, control
        writes = Writes(db, clock, Ids(), lambda committed: None)
        self.workspace: Any = SimpleNamespace(id=WORKSPACE, db=db, write=writes.write, ingest=writes.ingest)
        self.roles: dict[str, str | None] = dict.fromkeys(PEOPLE, "viewer")

    async def role(self, name: str, role: str | None) -> None:
        self.roles[name] = role
        async with self.control.transaction() as tx:
            await tx.execute("DROP TRIGGER IF EXISTS membership_keeps_an_owner_update")
            await tx.execute("DROP TRIGGER IF EXISTS membership_keeps_an_owner_delete")
            await tx.execute("UPDATE membership SET role = ?, state = ? WHERE user_id = ?", role or "viewer",
                             "active" if role else "suspended", name)


@asynccontextmanager
async def small(folder: Path) -> AsyncIterator[Small]:
    key = Key(bytes(32))
    migrate(folder / "workspace.db", key, Kind.WORKSPACE)
    migrate(folder / "control.db", key, Kind.CONTROL)
    db = await DatabaseFile.open(folder / "workspace.db", key)
    control = await DatabaseFile.open(folder / "control.db", key)
    async with control.transaction() as tx:
        await tx.execute("INSERT INTO workspace (id, slug, name, created_at) VALUES (?, 'w', 'W', 0)", WORKSPACE)
        for name in PEOPLE:
            await tx.execute("INSERT INTO user (id, email, name, password_hash, created_at) "
                             "VALUES (?1, ?1 || '@x', ?1, '', 0)", name)
            await tx.execute("INSERT INTO membership (workspace_id, user_id, role, created_at) "
                             "VALUES (?, ?, 'viewer', 0)", WORKSPACE, name)
    try:
        yield Small(db, control, MovedClock())
    finally:
        await db.close()
        await control.close()


class Machine:
    """Does one random thing after the other and knows what must come of it."""

    def __init__(self, world: Small, seed: int) -> None:
        self.world, self.chance = world, random.Random(seed)
        self.asked: dict[str, dict[str, Any]] = {}
        self.fetched = 0
        self.refused = 0

    async def step(self) -> None:
        steps = (self.ask, self.ask, self.decide, self.decide, self.run, self.run, self.fetch, self.fetch, self.cancel,
                 self.change_role, self.pass_time, self.swap, self.expire)
        await self.chance.choice(steps)()

    def _one(self, *states: str) -> dict[str, Any] | None:
        found = [one for one in self.asked.values() if not states or one["state"] in states]
        return self.chance.choice(found[-30:]) if found else None

    def _mostly(self, state: str) -> dict[str, Any] | None:
        """One that the step is meant for, or any: what is refused is asked for too."""
        return (self._one(state) if self.chance.random() < 0.7 else None) or self._one()

    def _who(self) -> str:
        return self.chance.choice(PEOPLE)

    def _holds(self, name: str, roles: frozenset[str]) -> bool:
        return self.world.roles[name] in roles

    async def ask(self) -> None:
        name = self._who()
        if not self._holds(name, ASKS):
            return
        requester = Requester(person_id=name, key_id=None, name=name)
        deciders = await approvals.others(self.world.control, WORKSPACE, approvals_decide(), requester)
        assert {one.id for one in deciders} == {one for one in PEOPLE if one != name and self._holds(one, DECIDES)}
        wanted = Wanted(kind="contacts_export", job="exports.run", permission="contacts:export",
                        decided_by="approvals:decide", parameters={"rows": self.chance.randrange(100)})
        try:
            async with self.world.workspace.write(actor(name)) as tx:
                row = await approvals.request(tx, wanted, requester=requester,
                                              needs=approvals.needs(second=True, deciders=deciders))
        except TooMany:
            return
        self.asked[row.id] = {"id": row.id, "by": name, "state": "requested", "needs": row.needs, "at": self.now,
                              "approver": None, "until": row.expires_at, "fingerprint": row.fingerprint}

    @property
    def now(self) -> int:
        return self.world.clock.at

    async def decide(self) -> None:
        one, name = self._mostly("requested"), self._who()
        if one is None or not self._holds(name, DECIDES):
            return
        agrees = self.chance.random() < 0.8
        decider = Requester(person_id=name, key_id=None, name=name)
        fits = self.chance.random() < 0.9
        allowed = (one["needs"] is Needs.PERSON and one["by"] != name and one["state"] == "requested" and fits
                   and self.now < one["until"])
        try:
            async with self.world.workspace.write(actor(name)) as tx:
                if agrees:
                    await approvals.approve(tx, one["id"], decider=decider,
                                            fingerprint=one["fingerprint"] if fits else "0" * 16)
                else:
                    await approvals.reject(tx, one["id"], decider=decider)
        except (Conflict, Forbidden):
            self.refused += 1
            assert not (agrees and allowed)
            return
        if agrees:
            assert allowed
            one |= {"state": "approved", "approver": name, "until": self.now + 24 * HOUR}
        else:
            assert one["state"] in ("requested", "approved") and (one["by"] != name or one["needs"] is Needs.DELAY)
            one["state"] = "ended"

    async def run(self) -> None:
        one = self._one("requested", "approved")
        if one is None:
            return
        may = self.now < one["until"] and (one["state"] == "approved" or (
            one["needs"] is Needs.DELAY and self.now >= one["at"] + 24 * HOUR))
        async with self.world.workspace.write(SYSTEM) as tx:
            row = await approvals.begin(tx, one["id"])
            await tx.audit("test.run", "approval", one["id"])
        assert (row is not None) == may
        if row is None:
            return
        if not await self._stands(one, row):
            return
        async with self.world.workspace.write(SYSTEM) as tx:
            assert await approvals.finish(tx, one["id"], with_file=True, done=1)
        one |= {"state": "ready", "until": self.now + 24 * HOUR}

    async def _stands(self, one: dict[str, Any], row: Any) -> bool:
        right = self._holds(one["by"], ASKS) and (
            one["needs"] is Needs.DELAY or self._holds(one["approver"], DECIDES))
        try:
            await approvals.must_stand(self.world.control, self.world.workspace, row, self.now)
        except StandsNoMore:
            assert not right
            one["state"] = "ended"
            return False
        assert right
        return True

    async def fetch(self) -> None:
        one = self._mostly("ready")
        if one is None:
            return
        row = await approvals.approval(self.world.workspace.db, one["id"])
        assert row is not None
        if row.state is State.READY and not await self._stands(one, row):
            return
        try:
            async with self.world.workspace.write(actor(one["by"])) as tx:
                row = await approvals.take(tx, one["id"])
        except Conflict:
            assert one["state"] != "ready" or self.now >= one["until"]
            return
        assert one["state"] == "ready" and self.now < one["until"]
        if one["needs"] is Needs.PERSON:
            assert row.approver_id == one["approver"] != one["by"] and row.approved_digest == row.digest
            assert self._holds(one["approver"], DECIDES)
        assert self._holds(one["by"], ASKS) and row.is_whole
        one["state"] = "ended"
        self.fetched += 1

    async def cancel(self) -> None:
        one, name = self._one(), self._who()
        if one is None or self.chance.random() < 0.7:
            return
        try:
            async with self.world.workspace.write(actor(name)) as tx:
                await approvals.cancel(tx, one["id"], asker=Requester(person_id=name, key_id=None, name=name))
        except Conflict:
            assert one["by"] != name or one["state"] == "ended"
            return
        assert one["by"] == name and one["state"] != "ended"
        one["state"] = "ended"

    async def change_role(self) -> None:
        await self.world.role(self._who(), self.chance.choice((*ROLES, None, "owner", "admin", "manager")))

    async def pass_time(self) -> None:
        self.world.clock.at += self.chance.choice((1, 60_000, HOUR, 3 * HOUR))

    async def expire(self) -> None:
        one = self._one()
        if one is None:
            return
        async with self.world.workspace.write(SYSTEM) as tx:
            await approvals.expire(tx, one["id"])
            await tx.audit("test.expired", "approval", one["id"])
        if one["state"] != "ended" and self.now >= one["until"]:
            one["state"] = "ended"

    async def swap(self) -> None:
        """Somebody who can write to the file tries to change what was agreed to, or who agreed."""
        one = self._one()
        if one is None:
            return
        sql = self.chance.choice((
            "UPDATE approval SET parameters_json = '{\"rows\":999999}' WHERE id = ?",
            "UPDATE approval SET digest = x'00' WHERE id = ?", "UPDATE approval SET person_id = 'bob' WHERE id = ?",
            "UPDATE approval SET approver_id = person_id, state = 'approved' WHERE id = ?",
            "UPDATE approval SET needs = 'nobody' WHERE id = ?",
            "UPDATE approval SET state = 'ready', approver_id = NULL WHERE id = ? AND needs = 'person'"))
        before = await approvals.approval(self.world.workspace.db, one["id"])
        assert before is not None
        try:
            async with self.world.workspace.ingest("test") as tx:
                changed = await tx.execute(sql, one["id"])
        except (dbapi2.IntegrityError, ChimeError):
            changed = 0
        assert changed == 0, sql


def actor(name: str) -> Actor:
    return Actor(kind="user", id=name, name=name)


def approvals_decide() -> Any:
    from chime.security.permissions import Permission

    return Permission.APPROVALS_DECIDE


async def _machine(folder: Path, steps: int, seed: int) -> None:
    async with small(folder) as world:
        for name, role in zip(PEOPLE, ("owner", "admin", "manager", "viewer"), strict=True):
            await world.role(name, role)
        machine = Machine(world, seed)
        for _ in range(steps):
            await machine.step()
        # Fewer a step the longer it lasts: once twenty requests of somebody are open, they ask for nothing new.
        assert machine.fetched >= steps // 250 and machine.refused, "the walk meets both"
        rows = await world.workspace.db.rows(
            "SELECT count(*) FROM audit_event WHERE action = 'approval.downloaded'")
        assert rows[0][0] == machine.fetched


async def test_no_file_leaves_without_another_persons_agreement(tmp_path: Path) -> None:
    await _machine(tmp_path, 1_500, 7)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
async def test_no_file_leaves_on_a_very_long_walk(tmp_path: Path) -> None:
    await _machine(tmp_path, 50_000, 11)
