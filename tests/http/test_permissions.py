"""Every route × every role, and every id in a path × somebody else's: computed from the list of routes, so that a route
added tomorrow is asked the same questions. What is refused leaves every file as it was.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from chime.app import FEATURES
from chime.db import Db
from chime.ids import Ids
from chime.security.permissions import GRANTS, OPERATES, Permission, Role
from tests.http.inbox_setup import Talk, indexed, rows, talk
from tests.support.world import PEOPLE, World

# What any of the forms asks for; a form that gets to read it may take it.
FORM = {"type": "text", "text": "hello", "name": "vip", "marketing": "opted_in", "evidence": "said so", "emoji": "👍",
        "theme": "dark", "assignee_id": ""}
# These end what the other requests need.
LAST = ("delete_session",)


@dataclass(frozen=True)
class Way:
    """One route with one method."""

    name: str
    method: str
    path: str
    permission: Permission
    example: Any

    @property
    def names(self) -> list[str]:
        """The path's variables but the workspace's."""
        return [name for name in re.findall(r"{(\w+)}", self.path) if name != "slug"]

    def address(self, values: dict[str, str]) -> str:
        return self.path.format(**values)


def ways(*, api: bool) -> list[Way]:
    found = []
    for _, handlers in FEATURES:
        for handler in handlers:
            if handler.opt.get("public") or bool(handler.opt.get("api")) is not api:
                continue
            operation = handler.opt.get("operation")
            found += [Way(handler.handler_name, method.value if hasattr(method, "value") else str(method),
                          re.sub(r"{(\w+):\w+}", r"{\1}", path), handler.opt["permission"],
                          operation.request_example if operation else None)
                      for path in handler.paths for method in handler.http_methods]
    return sorted(found, key=lambda way: (way.name in LAST, way.method != "GET", way.path))


def granted(name: str, role: Role) -> frozenset[Permission]:
    """Alice made the installation, so she operates it as well."""
    return GRANTS[role] | (OPERATES if name == "alice" else frozenset())


async def parked(talk: Talk) -> str:
    """A delivery that is nobody's: every operator may see it, so only Acme's estate has one."""
    world = talk.world
    if talk.tenant is not world.acme:
        return Ids().new(world.clock.now())
    await world.webhook({"object": "whatsapp_business_account", "entry": [{"id": "0", "changes": [
        {"field": "messages", "value": {"metadata": {"phone_number_id": f"9{int(talk.id, 36) % 10**9}"}}}]}]})
    found: str = await world.services.control.db.value("SELECT id FROM parked_delivery ORDER BY id DESC LIMIT 1")
    return found


async def things(talk: Talk) -> dict[str, str]:
    """An id of each kind that a path may name, all of one conversation."""
    message = await talk.says({"type": "image", "image": {}})
    assert message.media is not None
    async with talk.world.workspace(talk.tenant) as workspace, workspace.ingest("test") as tx:
        tag_id = tx.new_id()
        await tx.execute("INSERT INTO tag (id, name, created_at) VALUES (?, ?, ?)", tag_id, f"of {talk.id}", tx.now)
        await tx.execute("INSERT INTO contact_tag VALUES (?, ?, ?)", talk.contact_id, tag_id, tx.now)
        rejected_id = tx.new_id()
        await tx.execute("INSERT INTO rejected_event (id, journal_id, body_key, path, reason, at) "
                         "VALUES (?, 1, randomblob(32), '', 'X: Y', ?)", rejected_id, tx.now)
    return {"slug": talk.tenant.slug, "conversation_id": talk.id, "message_id": message.id,
            "media_id": message.media.id, "contact_id": talk.contact_id, "tag_id": tag_id, "kind": "location",
            "rejected_id": rejected_id, "parked_id": await parked(talk)}


@dataclass
class Estate:
    """A world with something in both workspaces."""

    world: World
    ours: dict[str, str]
    another: dict[str, str]
    theirs: dict[str, str]

    async def ask(self, client: httpx.AsyncClient, way: Way, values: dict[str, str]) -> httpx.Response:
        """The head of the answer; a stream is not waited for."""
        files = {"file": ("a.txt", b"hello", "text/plain")} if way.name == "create_file_message" else None
        form = None if way.method == "GET" else FORM
        async with client.stream(way.method, way.address(values), data=form, files=files) as answer:
            return answer


@pytest.fixture
async def estate(world: World) -> AsyncIterator[Estate]:
    maya = await talk(world)
    tom = await talk(world, name="Tom Hughes", phone="447700900142")
    jo = await talk(world, tenant=world.globex, name="Jo Park", phone="14155550188")
    for name in (*PEOPLE, "charlie"):
        await world.session(name)
    found = Estate(world, await things(maya), await things(tom), await things(jo))
    for tenant in (world.acme, world.globex):
        await indexed(world, tenant)  # or the search index would follow in the middle of a test
    yield found


async def stored(world: World) -> dict[str, Any]:
    """Everything in every file, and the names of the files."""
    found: dict[str, Any] = {}

    async def dump(name: str, db: Db) -> None:
        for (table,) in await db.rows("SELECT name FROM sqlite_schema WHERE type = 'table'"):
            found[f"{name}.{table}"] = await db.rows(f'SELECT * FROM "{table}"')

    await dump("control", world.services.control.db)
    for tenant in (world.acme, world.globex):
        async with world.workspace(tenant) as workspace:
            await dump(tenant.slug, workspace.db)
            await dump(f"{tenant.slug} journal", workspace.journal_db)
    found["files"] = sorted(str(path) for path in (world.data_dir / "workspaces").rglob("media/*/*"))
    return found


def assert_unchanged(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert [name for name in before if before[name] != after.get(name)] == []
    assert before.keys() == after.keys()


def test_every_variable_of_a_path_is_known_here() -> None:
    known = {"slug", "conversation_id", "message_id", "media_id", "contact_id", "tag_id", "kind", "rejected_id",
             "parked_id"}
    assert {name for api in (True, False) for way in ways(api=api) for name in way.names} <= known
    assert len(ways(api=False)) > 25 and len(ways(api=True)) > 15


async def test_nobody_signed_in_is_led_to_sign_in(estate: Estate) -> None:
    before = await stored(estate.world)
    async with httpx.AsyncClient(base_url=estate.world.base) as nobody:
        for way in ways(api=False):
            answer = await estate.ask(nobody, way, estate.ours)
            assert answer.status_code == 303, way
            location = answer.headers["location"]
            if way.method == "GET" and way.path != "/":
                assert location == f"/sign-in?next={way.address(estate.ours).replace('/', '%2F')}", way
            else:
                assert location == "/sign-in", way
            nobody.headers["Cookie"] = "chime=made-up"
    assert_unchanged(before, await stored(estate.world))


async def test_charlie_finds_nothing_at_acme(estate: Estate) -> None:
    before = await stored(estate.world)
    charlie = await estate.world.session("charlie")
    for way in ways(api=False):
        if "{slug}" not in way.path:
            continue
        assert (await estate.ask(charlie, way, estate.ours)).status_code == 404, way
        nowhere = estate.ours | {"slug": "no-such-workspace"}
        assert (await estate.ask(charlie, way, nowhere)).status_code == 404, way
    assert_unchanged(before, await stored(estate.world))


async def test_each_role_gets_what_it_was_granted_and_nothing_else(estate: Estate) -> None:
    asked = [(name, role, way) for name, role in PEOPLE.items() for way in ways(api=False)]
    refused = [(name, way) for name, role, way in asked if way.permission not in granted(name, role)]
    assert {name for name, _ in refused} == {"vera", "bob", "mo"} and len(refused) > 10
    assert {way.permission for name, way in refused if name == "mo"} == OPERATES
    assert all(way.permission in (Permission.INBOX_READ, Permission.CONTACTS_READ, Permission.SESSION)
               for name, _, way in asked if name == "vera" and (name, way) not in refused)
    before = await stored(estate.world)
    for name, way in refused:
        answer = await estate.ask(await estate.world.session(name), way, estate.ours)
        assert answer.status_code == 403, (name, way)
    assert_unchanged(before, await stored(estate.world))
    for name, _, way in sorted(asked, key=lambda one: one[2].name in LAST):
        if (name, way) not in refused:
            answer = await estate.ask(await estate.world.session(name), way, estate.ours)
            assert answer.status_code < 500 and answer.status_code not in (401, 403, 404, 405), (name, way, answer)
            assert way.name in LAST or not answer.headers.get("location", "").startswith("/sign-in"), (name, way)


async def test_a_viewer_changes_nothing_by_any_way(estate: Estate) -> None:
    before = await stored(estate.world)
    vera = await estate.world.session("vera")
    own = [way for way in ways(api=False) if way.permission is Permission.SESSION]
    for way in ways(api=False):
        if way.method != "GET" and way not in own:
            assert (await estate.ask(vera, way, estate.ours)).status_code == 403, way
            assert "{slug}" in way.path, way
    assert_unchanged(before, await stored(estate.world))
    page = await vera.get(f"/w/{estate.world.acme.slug}/inbox/{estate.ours['conversation_id']}")
    assert "You can read here, but not reply." in page.text
    for verb in ("/closure", "/assignment", "/messages\"", "/consent", "/tags"):
        assert f'action="/w/acme/inbox/{estate.ours["conversation_id"]}{verb}' not in page.text
        assert f'action="/w/acme/contacts/{estate.ours["contact_id"]}{verb}' not in page.text


def strange(way: Way, estate: Estate) -> Iterator[dict[str, str]]:
    """The ways to name something that is not there: of Globex, of nobody, of no form; each id of the path in turn."""
    for name in way.names:
        if name == "kind":
            yield estate.ours | {name: "telegram"}
            continue
        for value in (estate.theirs[name], Ids().new(estate.world.clock.now()), "1", "%00", "%F0%9F%98%80", "x" * 300):
            yield estate.ours | {name: value}
    if {"conversation_id", "message_id"} <= set(way.names):
        yield estate.ours | {"message_id": estate.another["message_id"]}
    ids = [name for name in way.names if name != "kind"]
    if len(ids) > 1:
        yield estate.ours | {name: estate.theirs[name] for name in ids}


async def test_an_id_of_another_workspace_is_the_same_as_none(estate: Estate) -> None:
    before = await stored(estate.world)
    alice = await estate.world.session("alice")
    asked = [(way, values) for way in ways(api=False) for values in strange(way, estate)]
    wrong = [(way.method, way.address(values), status) for way, values in asked
             if (status := (await estate.ask(alice, way, values)).status_code) != 404]
    assert len(asked) > 100 and wrong == []
    await estate.world.settle()
    assert_unchanged(before, await stored(estate.world))


async def test_an_id_of_another_workspace_is_none_for_scripts(estate: Estate) -> None:
    world = estate.world
    ours, theirs = await world.key(world.acme), await world.key(world.globex)
    before = await stored(world)
    del before["control.api_key"]
    async with world.client(ours) as acme, world.client(theirs) as globex:
        for way in ways(api=True):
            if not way.names:
                continue
            for values in strange(way, estate):
                world.clock.pass_time(2_000)
                answer = await acme.request(way.method, way.address(values), json=way.example)
                assert answer.status_code == 404, (way, values, answer.text)
            world.clock.pass_time(2_000)
            answer = await globex.request(way.method, way.address(estate.ours), json=way.example)
            assert answer.status_code == 404, (way, answer.text)
            assert answer.headers["content-type"] == "application/problem+json", way
    after = await stored(world)
    del after["control.api_key"]
    assert_unchanged(before, after)


async def test_a_session_opens_no_api_and_a_key_opens_no_page(estate: Estate) -> None:
    world = estate.world
    before = await stored(world)
    alice = await world.session("alice")
    for way in ways(api=True):
        answer = await alice.request(way.method, way.address(estate.ours), json=way.example)
        assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Bearer"), way
    assert_unchanged(before, await stored(world))
    async with world.client(await world.key(world.acme)) as script:
        for way in ways(api=False):
            assert (await estate.ask(script, way, estate.ours)).status_code == 303, way


async def test_whoever_leaves_a_workspace_is_out_at_once(world: World) -> None:
    bob, maya = await world.session("bob"), await talk(world)
    assert (await bob.get(maya.base)).status_code == 200
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET role = 'viewer' WHERE user_id = (SELECT id FROM user "
                         "WHERE email = 'bob@example.com')")
    assert (await bob.post(f"{maya.base}/closure")).status_code == 403, "rights are those of this very moment"
    async with world.services.control.ingest("test") as tx:
        await tx.execute("DELETE FROM membership WHERE user_id = (SELECT id FROM user WHERE email = 'bob@example.com')")
    assert (await bob.get(maya.base)).status_code == 404
    home = await bob.get("/")
    assert home.status_code == 422 and "ask an owner to invite you" in home.text
    assert await rows(world, world.acme, "SELECT state FROM conversation") == [("open",)]


async def test_a_conversation_cannot_be_given_to_a_stranger(world: World) -> None:
    alice, maya = await world.session("alice"), await talk(world)
    charlie = await world.services.control.db.value("SELECT id FROM user WHERE name = 'Charlie'")
    for assignee in (charlie, "1", Ids().new(0)):
        answer = await alice.post(f"{maya.base}/assignment", data={"assignee_id": assignee})
        assert answer.status_code == 422 and "not a member" in answer.text
    assert await rows(world, world.acme, "SELECT assignee_id FROM conversation") == [(None,)]

