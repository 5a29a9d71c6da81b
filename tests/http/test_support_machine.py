"""SUPPORT-1: whatever people do, in whatever order, support reads a page only with an unexpired grant of an active
owner (or of two operators), and every such page is a row in that workspace's trail, with the grant it was on.

A walk of random steps over a running Chime, beside a model in plain Python that knows who may be inside. 1,500 steps
by default, 20,000 at night.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from chime import support
from chime.accounts.model import Policy
from chime.clock import DAY, HOUR, MINUTE
from chime.errors import ChimeError
from chime.security.permissions import OPERATOR, Actor
from chime.security.support import READS
from chime.support import Bounds, Wish
from tests.http.support_setup import operator, trail
from tests.http.test_support_access import set_policy
from tests.support.world import Tenant, World

PAGES = {"inbox": "/inbox", "templates": None, "delivery": "/delivery"}


@dataclass
class Held:
    """A grant as the model knows it."""

    workspace: str
    operator: str
    decider: str
    is_emergency: bool
    modules: set[str]
    ends_at: int
    over: bool = False


@dataclass
class Machine:
    """The world, and what should be true of it."""

    world: World
    random: random.Random
    clients: dict[str, httpx.AsyncClient]
    ids: dict[str, str]
    tenants: dict[str, Tenant]
    requests: dict[str, tuple[str, str, Bounds, bool, int]] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    owners: dict[str, set[str]] = field(default_factory=dict)
    operators: set[str] = field(default_factory=set)
    allowed: dict[str, bool] = field(default_factory=dict)
    viewed: int = 0
    refused: int = 0

    @property
    def now(self) -> int:
        return self.world.clock.real_now()

    def actor(self, name: str) -> Actor:
        return Actor(kind="user", id=self.ids[name], name=name.capitalize())

    def may_enter(self, name: str, workspace: str) -> list[Held]:
        """The oracle."""
        return [held for held in self.held.values() if held.workspace == workspace and held.operator == name
                and not held.over and held.ends_at > self.now and name in self.operators and self.allowed[workspace]
                and held.decider in (self.operators if held.is_emergency else self.owners[workspace])
                and held.decider != name]

    async def attempt(self, name: str, work: Callable[[object], Awaitable[object]]) -> object | None:
        """A verb by somebody; None when it was refused."""
        try:
            async with self.world.services.control.write(self.actor(name)) as tx:
                return await work(tx) or True
        except ChimeError:
            return None

    # The steps

    async def ask(self) -> None:
        name, workspace = self.pick("olga", "otto", "charlie"), self.pick(*self.tenants)
        modules = self.some_modules()
        emergency = self.random.random() < 0.3
        bounds = Bounds(modules=modules, writes=self.random.random() < 0.5, masked=self.random.random() < 0.5,
                        minutes=self.pick(30, 240, 240, 240, 300))
        wish = Wish(reason="because of the test", ticket="", bounds=bounds, is_emergency=emergency)
        made = await self.attempt(name, lambda tx: support.ask(tx, self.tenants[workspace].workspace_id, wish))
        if made is not None:
            assert name in self.operators and self.allowed[workspace] and bounds.minutes <= 240
            self.requests[str(made)] = (workspace, name, bounds, emergency, self.now)

    async def decide(self) -> None:
        if not self.requests:
            return
        grant_id = self.pick(*list(self.requests)[-6:])
        workspace, asker, asked, emergency, since = self.requests[grant_id]
        name = self.pick("alice", "alice", "charlie", "charlie", "olga", "otto", "mo")
        modules = asked.modules if self.random.random() < 0.7 else self.some_modules()
        bounds = Bounds(modules=modules, writes=self.random.random() < 0.1, masked=self.random.random() < 0.9,
                        minutes=self.pick(5, 30, asked.minutes, asked.minutes))
        if self.random.random() < (0.8 if emergency else 0.1):
            granted = await self.attempt(name, lambda tx: support.confirm(tx, grant_id))
            modules = asked.modules
            minutes = min(asked.minutes, 60)
            right = emergency and name in self.operators
        else:
            where = self.pick(workspace, workspace, workspace, *self.tenants)
            granted = await self.attempt(name, lambda tx: support.approve(
                tx, self.tenants[where].workspace_id, grant_id, bounds))
            minutes = bounds.minutes
            right = not emergency and name in self.owners[workspace] and where == workspace
            right = right and set(modules) <= set(asked.modules) and minutes <= asked.minutes
        if granted is not None:
            assert right and name != asker and grant_id not in self.held and self.now - since <= DAY
            del self.requests[grant_id]
            self.held[grant_id] = Held(workspace, asker, name, emergency, set(modules), self.now + minutes * MINUTE)

    async def answer(self) -> None:
        if self.requests:
            grant_id, name = self.pick(*list(self.requests)[-6:]), self.pick("alice", "charlie", "olga", "otto", "mo")
            workspace = self.requests[grant_id][0]
            verb = self.pick(0, 1)
            await self.attempt(name, lambda tx: support.withdraw(tx, grant_id) if verb else support.refuse(
                tx, self.tenants[workspace].workspace_id, grant_id))

    async def end(self) -> None:
        if self.held:
            grant_id, name = self.pick(*list(self.held)[-6:]), self.pick("alice", "olga", "otto")
            if await self.attempt(name, lambda tx: support.end(tx, grant_id)) is not None:
                assert name in self.operators
                self.held[grant_id].over = True

    async def pass_time(self) -> None:
        self.world.clock.pass_time(self.pick(*[MINUTE] * 4, 10 * MINUTE, HOUR, 8 * HOUR))
        async with self.world.services.control.ingest("test") as tx:  # nobody falls asleep over it
            await tx.execute("UPDATE session SET seen_at = ?1, created_at = ?1, expires_at = ?1 + 86400000, "
                             "proved_at = ?1", self.now)

    async def operate(self) -> None:
        """Somebody becomes an operator, or is none any more: what they had open is over for good."""
        name = self.pick("olga", "otto", "charlie")
        name = self.random.choice([one for one in ("olga", "otto") if one not in self.operators] or [name])
        on = name not in self.operators
        await self.change("UPDATE user SET is_operator = ? WHERE id = ?", int(on), self.ids[name])
        (self.operators.add if on else self.operators.discard)(name)

    async def own(self) -> None:
        """Alice owns Globex as well, or not."""
        on = "alice" not in self.owners["globex"]
        sql = ("INSERT INTO membership (workspace_id, user_id, role, created_at) VALUES (?, ?, 'owner', 1)" if on else
               "DELETE FROM membership WHERE workspace_id = ? AND user_id = ?")
        await self.change(sql, self.tenants["globex"].workspace_id, self.ids["alice"])
        (self.owners["globex"].add if on else self.owners["globex"].discard)("alice")

    async def permit(self) -> None:
        """The workspace switches support off, or on again; off is over."""
        workspace = self.pick(*self.tenants)
        self.allowed[workspace] = not self.allowed[workspace]
        await set_policy(self.world, self.tenants[workspace].workspace_id,
                         Policy(support_allowed=self.allowed[workspace]))
        if not self.allowed[workspace]:
            for held in self.held.values():
                held.over = held.over or held.workspace == workspace
            self.requests = {key: one for key, one in self.requests.items() if one[0] != workspace}

    async def look(self) -> None:
        await self.world.app.state.support.look()
        for held in self.held.values():  # what nobody could use at that moment does not come back
            held.over = held.over or held not in self.may_enter(held.operator, held.workspace)

    async def read(self) -> None:
        """The point of it all."""
        name, workspace = self.pick("olga", "otto"), self.pick(*self.tenants)
        page = self.pick(*(path for path in PAGES.values() if path))
        before = len(await self.views(workspace))
        inside = self.may_enter(name, workspace)
        answer = await self.clients[name].get(f"/w/{workspace}{page}")
        module = "inbox" if page == "/inbox" else page.strip("/")
        last = max(inside, key=lambda held: held.ends_at, default=None)
        expected = 404 if last is None else 200 if module in last.modules else 403
        assert answer.status_code == expected, (name, workspace, page, inside)
        after = await self.views(workspace)
        assert len(after) == before + (expected == 200)
        if expected == 200:
            self.viewed += 1
            grant = self.held[after[-1]["on_behalf"].partition(":")[2]]
            assert grant in inside and after[-1]["name"] == f"Support: {name.capitalize()}"
        else:
            self.refused += 1

    async def views(self, workspace: str) -> list[dict[str, object]]:
        return await trail(self.world, self.tenants[workspace], "support.viewed")

    async def change(self, sql: str, *values: object) -> None:
        async with self.world.services.control.ingest("test") as tx:
            await tx.execute(sql, *values)

    def some_modules(self) -> tuple[str, ...]:
        return tuple(module for module in READS if self.random.random() < 0.6) or ("inbox",)

    def pick(self, *choices: Any) -> Any:
        return self.random.choice(choices)


async def set_up(world: World, seed: int) -> Machine:
    clients = {"olga": await operator(world), "otto": await operator(world, "otto")}
    rows = await world.services.control.db.rows("SELECT email, id FROM user")
    ids = {email.partition("@")[0]: user_id for email, user_id in rows}
    machine = Machine(world, random.Random(seed), clients, ids, {"acme": world.acme, "globex": world.globex})
    machine.owners = {"acme": {"alice"}, "globex": {"charlie"}}
    machine.operators = {"alice", "olga", "otto"}
    machine.allowed = dict.fromkeys(machine.tenants, True)
    async with world.services.control.write(OPERATOR) as tx:
        await tx.audit("test.begun", "test", "machine")
    return machine


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("steps", [1_500, pytest.param(20_000, marks=pytest.mark.nightly)])
async def test_support_1_nobody_reads_without_a_grant_and_a_row(world: World, steps: int) -> None:
    machine = await set_up(world, seed=steps)
    weights = {machine.ask: 16, machine.decide: 24, machine.answer: 1, machine.end: 2, machine.pass_time: 8,
               machine.operate: 1, machine.own: 1, machine.permit: 1, machine.look: 4, machine.read: 33}
    for _ in range(steps):
        step = machine.random.choices(list(weights), list(weights.values()))[0]
        if step in (machine.operate, machine.own, machine.permit):
            await machine.look()
            await step()
            await machine.look()
        else:
            await step()
    assert machine.viewed > steps // 100 and machine.refused > steps // 20, (machine.viewed, machine.refused)
    await machine.look()
    control = world.services.control.db
    assert await control.value("SELECT count(*) FROM support_grant WHERE state = 'ended' AND NOT is_end_told") == 0
    for workspace in machine.tenants:
        told = [row["object"] for row in await trail(world, machine.tenants[workspace], "support.ended")]
        assert len(told) == len(set(told)), "each end is told once"
