"""Whoever is removed, or loses the number, the team, the role or the conversation itself, loses it everywhere within
two seconds: list, thread, search, scripts, notifications, live stream and push; also what is open already.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from chime import member_commands
from chime.notifications import Kind, notify
from chime.security.permissions import SYSTEM, Role
from tests.http.inbox_setup import Stream, Talk, indexed, listening, talk, until
from tests.http.people_setup import id_of, person
from tests.http.test_push import Yard, _yard
from tests.support.push_service import Browser
from tests.support.world import World

SETTINGS = "/w/acme/settings"
WITHIN = 2.0
EVERY_MODULE = ["inbox", "contacts", "channels", "templates", "members", "api_keys", "audit", "data", "delivery"]


@dataclass
class Loser:
    """Somebody who has the conversation in front of them, and is about to lose it."""

    world: World
    user_id: str
    client: httpx.AsyncClient
    phone: Browser
    said: Talk

    async def member(self, verb: str, **data: object) -> None:
        """The owner changes what they are."""
        alice = await self.world.session("alice")
        answer = await alice.post(f"{SETTINGS}/members/{self.user_id}/{verb}", data=data)
        assert answer.status_code == 303, answer.text

    async def sees(self) -> set[str]:
        """Where the conversation is still to be found, by every way of reading."""
        page = {"list": "/w/acme/inbox/list?v=all", "inbox": "/w/acme/inbox?v=all", "thread": self.said.base,
                "state": f"{self.said.base}/state", "messages": f"{self.said.base}/messages",
                "search": "/w/acme/inbox/list?q=walnut", "people": "/w/acme/inbox/list?q=maya",
                "notifications": "/w/acme/notifications", "palette": "/w/acme/palette?q=maya"}
        found = set()
        for name, path in page.items():
            answer = await self.client.get(path)
            assert answer.status_code in (200, 403, 404), (name, answer.status_code)
            if self.said.id in answer.text or "Maya" in answer.text:
                found.add(name)
        return found


@pytest.fixture
async def yard(installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Yard]:
    async with _yard(installation, tmp_path, monkeypatch) as found:
        yield found


async def team_of(world: World, user_id: str) -> str:
    """A team with them in it."""
    async with world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES ('north', ?, 'North', 0)",
                         world.acme.workspace_id)
        await tx.execute("INSERT INTO team_member (team_id, user_id) VALUES ('north', ?)", user_id)
    return "north"


async def lose_membership(loser: Loser) -> None:
    await loser.member("removal")


async def lose_membership_for_a_while(loser: Loser) -> None:
    await loser.member("suspension")


async def lose_it_at_the_shell(loser: Loser) -> None:
    """Another process: nobody tells this one."""
    await member_commands.remove(loser.world.services.config, "Acme", "ada@example.com")


async def lose_number(loser: Loser) -> None:
    await loser.member("limits", module=EVERY_MODULE, numbers="some")


async def lose_module(loser: Loser) -> None:
    off = [name for name in EVERY_MODULE if name not in ("inbox", "contacts")]
    await loser.member("limits", module=off, numbers="all")


async def lose_team(loser: Loser) -> None:
    await loser.member("teams", team=[])


async def lose_role(loser: Loser) -> None:
    """An agent sees what is theirs and the queue; this is neither."""
    await loser.member("role", role="agent")


async def lose_every_word(loser: Loser) -> None:
    await loser.member("role", role="analyst")


async def lose_the_conversation(loser: Loser) -> None:
    """It goes to a team that is not theirs."""
    alice = await loser.world.session("alice")
    async with loser.world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES ('south', ?, 'South', 0)",
                         loser.world.acme.workspace_id)
    assert (await alice.post(f"{loser.said.base}/assignment", data={"team_id": "south"})).status_code in (200, 303)


WAYS: dict[str, tuple[Role, Callable[[Loser], Awaitable[None]]]] = {
    "removed": (Role.MEMBER, lose_membership), "suspended": (Role.MEMBER, lose_membership_for_a_while),
    "removed-at-the-shell": (Role.MEMBER, lose_it_at_the_shell), "number": (Role.MEMBER, lose_number),
    "module": (Role.MEMBER, lose_module), "team": (Role.MEMBER, lose_team),
    "from-everything-to-own": (Role.MANAGER, lose_role), "analyst": (Role.ADMIN, lose_every_word),
    "conversation": (Role.MEMBER, lose_the_conversation),
}


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_lost_is_gone_everywhere_within_two_seconds(yard: Yard, way: str) -> None:
    role, lose = WAYS[way]
    world = yard.world
    user_id = await person(world, "ada", role)
    loser = Loser(world, user_id, await world.session("ada"), await yard.subscribe("ada"),
                  await talk(world, "Do you have walnut shelves?"))
    team_id = await team_of(world, user_id)
    alice = await world.session("alice")
    assert (await alice.post(f"{loser.said.base}/assignment", data={"team_id": team_id})).status_code in (200, 303)
    mo = await id_of(world, "mo")
    assert (await alice.post(f"{loser.said.base}/assignment", data={"assignee_id": mo})).status_code in (200, 303)
    await indexed(world)
    await tell(loser)
    await loser.phone.rung()
    everything = {"list", "inbox", "thread", "state", "messages", "search", "people", "notifications", "palette"}
    assert await loser.sees() == everything, "or the test proves nothing"
    async with listening(loser.client, world.acme) as stream:
        await loser.said.says("Is the walnut real?")
        await until(lambda: ("conversation", loser.said.id) in stream.nudges)
        rung, begun = len(loser.phone.pushes()), time.monotonic()
        await lose(loser)
        assert await loser.sees() == set(), way
        await until(lambda: "inbox" in {topic for topic, _ in stream.nudges}, WITHIN - (time.monotonic() - begun))
        await asyncio.sleep(max(0.0, begun + WITHIN - time.monotonic()))
        heard = len(stream.nudges)
        await loser.said.says("And the walnut oil?")
        await tell(loser)
        await world.settle()
        assert about(stream, loser.said, heard) == [] and len(loser.phone.pushes()) == rung
    assert await loser.sees() == set()
    again = await comes_back(loser)
    assert again == []


async def tell(loser: Loser) -> None:
    """Something of the conversation that would ring them."""
    async with loser.world.workspace(loser.world.acme) as workspace, workspace.write(SYSTEM) as tx:
        await notify(tx, [loser.user_id], Kind.REMINDER, conversation_id=loser.said.id)
        await tx.audit("test.made", "test", "test")
    await loser.world.settle()


def about(stream: Stream, said: Talk, since: int) -> list[tuple[str, str]]:
    """What a stream told of the conversation after its first `since` nudges."""
    told = stream.named("nudge")[since:]
    return [(data["topic"], data["id"]) for data in told if said.id in (data["id"], data.get("conversation"))]


async def comes_back(loser: Loser) -> list[tuple[str, str]]:
    """A browser that asks for all it missed since the very beginning; what it is told of the conversation."""
    beginning = f"{loser.world.services.hub.boot}.0"
    answer = await loser.client.send(loser.client.build_request(
        "GET", "/w/acme/events", headers={"Last-Event-ID": beginning}), stream=True)
    status = answer.status_code
    await answer.aclose()
    if status != 200:
        assert status in (403, 404)
        return []
    async with listening(loser.client, loser.world.acme, after=beginning) as stream:
        await asyncio.sleep(0.2)
        return about(stream, loser.said, 0)
