"""Row scope (T22, AUTHZ-3): what each reading returns is what plain Python says the reader may see, for random teams,
numbers and people; and what the pages of an agent's queue show and don't.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from chime.contacts import contacts_page
from chime.inbox import conversation_queries as queries
from chime.inbox import doubt_queries
from chime.inbox.model import ConversationState, View
from chime.inbox.search_filter import SearchFilter
from chime.inbox.search_queries import messages, people
from chime.inbox.search_sifting import Wanted
from chime.inbox.search_words import understood
from chime.security.permissions import GRANTS, Actor, Grant, Permission, Reach, Role
from chime.security.scope import HELD, IN_HAND, IN_SIGHT, viewer
from chime.workspaces import Workspace
from tests.http.inbox_setup import indexed, talk
from tests.support.world import World

ROUNDS, NIGHTLY_ROUNDS = 40, 2_000
CONVERSATIONS = 60

TEXTS = SearchFilter(kind=("text",))


@dataclass(frozen=True)
class Row:
    id: str
    contact_id: str
    channel_id: str
    team_id: str | None
    assignee_id: str | None
    state: str
    unread: int


def seen(row: Row, actor: Actor) -> bool:
    """The rule in plain words: numbers first, then whose it is."""
    if actor.channels is not None and row.channel_id not in actor.channels:
        return False
    reach = actor.grant(Permission.INBOX_READ).reach
    of_mine = row.team_id is None or row.team_id in actor.teams
    if reach is Reach.ALL or (row.assignee_id == actor.id and reach is not Reach.NONE):
        return True
    if reach is Reach.TEAM:
        return of_mine
    return reach is Reach.OWN and row.assignee_id is None and of_mine


def held(row: Row, actor: Actor) -> bool:
    """What one may read whole and answer: of the queue nothing."""
    own = actor.grant(Permission.INBOX_READ).reach is Reach.OWN
    return seen(row, actor) and (not own or row.assignee_id == actor.id)


async def organisation(workspace: Workspace, chance: random.Random) -> list[Row]:
    """Conversations of random numbers, teams and people, each with a contact and a message."""
    rows = []
    async with workspace.ingest("test") as tx:
        for number in range(3):
            await tx.execute(
                "INSERT INTO channel (id, phone_number_id, waba_id, meta_app_id, display_phone, access_token_sealed, "
                "access_token_last_four, created_at) VALUES (?, ?, 'w', 'm', '', x'', '', 0)",
                f"channel{number}", f"9{number}")
        for number in range(CONVERSATIONS):
            row = Row(f"conversation{number:03d}", f"contact{number:03d}", f"channel{chance.randrange(3)}",
                      chance.choice([None, "red", "green", "blue"]), chance.choice([None, "ana", "ben", "cy"]),
                      chance.choice(["open", "open", "closed"]), chance.randrange(2))
            rows.append(row)
            await tx.execute("INSERT INTO contact (id, profile_name, phone, created_at, updated_at) "
                             "VALUES (?, ?, ?, ?, 0)", row.contact_id, f"Person{number:03d}", f"1415555{number:04d}",
                             number)
            await tx.execute("INSERT INTO conversation (id, channel_id, contact_id, state, team_id, assignee_id, "
                             "unread_count, last_message_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)", row.id,
                             row.channel_id, row.contact_id, row.state, row.team_id, row.assignee_id, row.unread,
                             number)
            await tx.execute("INSERT INTO message (id, conversation_id, channel_id, direction, origin, type, status, "
                             "text, at, created_at, claimed_at) VALUES (?, ?, ?, 'out', 'agent', 'text', "
                             "'unconfirmed', 'walnut', ?, 0, 5)", f"message{number:03d}", row.id, row.channel_id,
                             number)
    return rows


def somebody(chance: random.Random) -> Actor:
    """A person of any built-in role, or of a custom one, with random teams and numbers."""
    role = chance.choice(list(Role))
    grants = dict(GRANTS[role])
    if chance.random() < 0.3:
        reach = chance.choice(list(Reach))
        grants = {Permission.INBOX_READ: Grant(reach), Permission.CONTACTS_READ: Grant(reach)}
    teams = frozenset(chance.sample(["red", "green", "blue"], chance.randrange(4)))
    limited = None if chance.random() < 0.5 else frozenset(
        chance.sample(["channel0", "channel1", "channel2"], chance.randrange(4)))
    return Actor(kind="user", id=chance.choice(["ana", "ben", "cy"]), name="X", grants=grants, role=role.value,
                 teams=teams, channels=limited)


async def check(workspace: Workspace, rows: list[Row], actor: Actor) -> int:
    """Every reading path against the rule; how many were asked."""
    db, reads = workspace.db, workspace.db.long_reads
    eye = viewer(actor, Permission.INBOX_READ)
    expected = {row.id for row in rows if seen(row, actor)}
    whole = {row.id for row in rows if held(row, actor)}
    tests = {
        View.ALL: lambda row: row.state == "open", View.CLOSED: lambda row: row.state == "closed",
        View.MINE: lambda row: row.state == "open" and row.assignee_id == actor.id,
        View.UNASSIGNED: lambda row: row.state == "open" and row.assignee_id is None,
    }
    counts = await queries.counts(db, eye, user_id=actor.id or "")
    assert {View.MINE.value, View.UNASSIGNED.value} <= counts.keys()
    for view, fits in tests.items():
        listed = {row.id for row in await queries.conversations(db, eye, view, user_id=actor.id or "", limit=200)}
        assert listed == {row.id for row in rows if fits(row)} & expected, (view, actor)
        assert counts.get(view.value, len(listed)) == len(listed)
    unread = {row.id for row in rows if row.unread and row.state == "open"} & expected
    assert await queries.unread(db, eye) == len(unread)
    for state in ConversationState:
        found = {row.id for row in await queries.conversations_in(db, eye, state, limit=200)}
        assert found == {row.id for row in rows if row.state == state} & expected
    ids = [row.id for row in rows]
    assert {row.id for row in await queries.conversations_by_id(db, eye, ids)} == expected
    assert await queries.in_sight(db, eye, ids) == expected
    assert {doubt.conversation_id for doubt in await doubt_queries.conversations_asking(db, eye, 10**12, limit=200)
            } == whole
    assert await doubt_queries.count_asking(db, eye, 10**12) == len(whole)
    assert {doubt.conversation_id for doubt in await doubt_queries.unconfirmed(db, eye, limit=200)} == whole
    for words, narrowed in (("walnut", SearchFilter()), ("walnut", TEXTS), ("", TEXTS)):
        hits = await messages(reads, eye, understood(words), wanted=Wanted(filter=narrowed), limit=200)
        assert {hit.conversation_id for hit in hits.found} == whole, (words, narrowed)
    named = {row.contact_id for row in rows if row.id in expected}
    assert set(await people(reads, eye, "person", by_number=False)) == named
    book = viewer(actor, Permission.CONTACTS_READ)
    assert {row.id for row in await contacts_page(db, book, after=None, limit=200)} == named, actor
    for row in rows:
        for name, value, is_held in (("conversation_id", row.id, False), ("contact_id", row.contact_id, False),
                                     ("message_id", f"message{row.id[-3:]}", True)):
            values = eye.held_values if is_held else eye.values
            there = await db.value(IN_SIGHT[name][eye.sight], value, *values)
            assert bool(there) == (row.id in (whole if is_held else expected)), (name, row, actor)
        assert bool(await db.value(IN_HAND[eye.sight], row.id, *eye.held_values)) == (row.id in whole)
    assert HELD.keys() == IN_HAND.keys()
    return 15 + 4 * len(rows)


async def people_and_teams(world: World) -> None:
    """They are there: the conversations of somebody who is not would go back to the queue."""
    async with world.services.control.ingest("test") as tx:
        for name in ("ana", "ben", "cy"):
            await tx.execute("INSERT INTO user (id, email, name, password_hash, created_at) "
                             "VALUES (?1, ?1, ?1, '', 0)", name)
            await tx.execute("INSERT INTO membership (workspace_id, user_id, role, created_at) "
                             "VALUES (?, ?, 'agent', 0)", world.globex.workspace_id, name)
        for name in ("red", "green", "blue"):
            await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES (?1, ?2, ?1, 0)",
                             name, world.globex.workspace_id)


async def machine(world: World, seed: int, rounds: int) -> int:
    chance = random.Random(seed)
    await people_and_teams(world)
    async with world.workspace(world.globex) as workspace:
        rows = await organisation(workspace, chance)
        await indexed(world, world.globex)
        return sum([await check(workspace, rows, somebody(chance)) for _ in range(rounds)])


async def test_every_reading_sees_what_the_rule_says(world: World) -> None:
    assert await machine(world, 20261121, ROUNDS) > 9_000


@pytest.mark.nightly
async def test_every_reading_sees_what_the_rule_says_very_often(world: World) -> None:
    assert await machine(world, 7, NIGHTLY_ROUNDS) > 100_000


async def test_an_agent_sees_the_first_lines_of_the_queue_and_takes_what_is_theirs(world: World) -> None:
    maya = await talk(world, "the very first line")
    for number in range(4):
        await maya.says(f"line {number}")
    await indexed(world)
    bob = await world.session("bob")
    listed = (await bob.get(f"{maya.workspace_base}/inbox?v=unassigned")).text
    assert maya.id in listed
    waiting = (await bob.get(maya.base)).text
    assert "line 3" in waiting and "the very first line" not in waiting and "Take it" in waiting
    assert "line 3" not in (await bob.get(f"{maya.workspace_base}/inbox?q=line")).text, "search shows what is in hand"
    for path, data in (("messages", {"type": "text", "text": "hi"}), ("closure", {}), ("read", {})):
        assert (await bob.post(f"{maya.base}/{path}", data=data)).status_code == 404, path
    older = (await bob.get(f"{maya.base}/messages?before=")).text
    assert "the very first line" not in older
    me = await world.services.control.db.value("SELECT id FROM user WHERE email = 'bob@example.com'")
    assert (await bob.post(f"{maya.base}/assignment", data={"assignee_id": me})).status_code in (200, 303)
    mine = (await bob.get(maya.base)).text
    assert "the very first line" in mine and "Take it" not in mine
    assert (await maya.reply(bob, "I have it")).text == "I have it"


async def test_what_a_colleague_took_is_gone_for_an_agent(world: World) -> None:
    maya, bob, alice = await talk(world), await world.session("bob"), await world.session("alice")
    own = await world.services.control.db.value("SELECT id FROM user WHERE email = 'alice@example.com'")
    assert (await bob.get(maya.base)).status_code == 200
    assert (await alice.post(f"{maya.base}/assignment", data={"assignee_id": own})).status_code == 303
    assert (await bob.get(maya.base)).status_code == 404
    assert maya.id not in (await bob.get(f"{maya.workspace_base}/inbox")).text
    assert (await bob.get(f"{maya.base}/messages")).status_code == 404
    assert (await bob.post(f"{maya.workspace_base}/contacts/{maya.contact_id}", data={"name": "x"})).status_code == 404
