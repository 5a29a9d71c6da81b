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
from tests.support.examples import yet_to_come
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
            example = yet_to_come(operation.request_example) if operation else None
            found += [Way(handler.handler_name, method.value if hasattr(method, "value") else str(method),
                          re.sub(r"{(\w+):\w+}", r"{\1}", path), handler.opt["permission"], example)
                      for path in handler.paths for method in handler.http_methods]
    return sorted(found, key=lambda way: (way.name in LAST, way.method != "GET", way.path))


def granted(name: str, role: Role) -> frozenset[Permission]:
    """Alice made the installation, so she operates it as well."""
    return frozenset(GRANTS[role]) | (frozenset(OPERATES) if name == "alice" else frozenset())


async def parked(talk: Talk) -> str:
    """A delivery that is nobody's: every operator may see it, so only Acme's estate has one."""
    world = talk.world
    if talk.tenant is not world.acme:
        return Ids().new(world.clock.now())
    await world.webhook({"object": "whatsapp_business_account", "entry": [{"id": "0", "changes": [
        {"field": "messages", "value": {"metadata": {"phone_number_id": f"9{int(talk.id, 36) % 10**9}"}}}]}]})
    found: str = await world.services.control.db.value("SELECT id FROM parked_delivery ORDER BY id DESC LIMIT 1")
    return found


async def support_request(talk: Talk) -> str:
    """Olga, an operator and nobody's member, asks to be let in."""
    async with talk.world.services.control.ingest("test") as tx:
        await tx.execute("INSERT INTO user (id, email, name, password_hash, is_operator, created_at) VALUES "
                         "('of-support', 'support@example.com', 'Olga', '', 1, 1) ON CONFLICT DO NOTHING")
        grant_id = tx.new_id()
        await tx.execute("INSERT INTO support_grant (id, workspace_id, operator_id, reason, modules, minutes, "
                         "requested_at) VALUES (?, ?, 'of-support', 'to help', 'inbox', 60, ?)", grant_id,
                         talk.tenant.workspace_id, tx.audited_at)
    return grant_id


async def things(talk: Talk) -> dict[str, str]:
    """An id of each kind that a path may name, those of the inbox all of one conversation."""
    message = await talk.says({"type": "image", "image": {}})
    assert message.media is not None
    async with talk.world.workspace(talk.tenant) as workspace, workspace.ingest("test") as tx:
        made = {name: tx.new_id() for name in ("tag_id", "rejected_id", "approval_id", "erasure_id", "reply_id",
                                               "file_id", "note_id", "scheduled_id", "reminder_id", "view_id",
                                               "thread_tag_id", "bulk_id", "reason_id", "tag_change_id", "calendar_id",
                                               "card_id", "absence_id", "query_id", "field_id")}
        await tx.execute("INSERT INTO tag (id, name, created_at) VALUES (?, ?, ?)", made["tag_id"], f"of {talk.id}",
                         tx.now)
        await tx.execute("INSERT INTO contact_tag VALUES (?, ?, ?)", talk.contact_id, made["tag_id"], tx.now)
        await tx.execute("INSERT INTO rejected_event (id, journal_id, body_key, path, reason, at) "
                         "VALUES (?, 1, randomblob(32), '', 'X: Y', ?)", made["rejected_id"], tx.now)
        await tx.execute("INSERT INTO approval (id, kind, job, permission, decided_by, parameters_json, digest, "
                         "person_id, requester_name, needs, state, requested_at, earliest_at, expires_at) VALUES "
                         "(?, 'export', 'exports.run', 'contacts:export', 'approvals:decide', '{}', x'00', 'nobody', "
                         "'X', 'person', 'expired', 0, 0, 0)", made["approval_id"])
        await tx.execute("INSERT INTO quick_reply (id, code, title, words, scope, created_at, updated_at) "
                         "VALUES (?1, ?1, 'x', 'x', 'everyone', 0, 0)", made["reply_id"])
        await tx.execute("INSERT INTO quick_reply_file (id, reply_id, position, kind, mime_type, filename, size, "
                         "sha256, created_at) VALUES (?, ?, 1, 'image', 'image/png', 'x', 1, '', 0)", made["file_id"],
                         made["reply_id"])
        await tx.execute("INSERT INTO note (id, conversation_id, author_name, text, at) VALUES (?, ?, 'X', 'x', 0)",
                         made["note_id"], talk.id)
        await tx.execute("INSERT INTO scheduled_message (id, conversation_id, send_at, type, text, content_json, "
                         "origin, author_kind, author_name, created_at, asked_at) VALUES (?, ?, ?, 'text', 'x', "
                         "'{\"type\":\"text\",\"text\":{\"body\":\"x\"}}', 'agent', 'user', 'X', 0, 0)",
                         made["scheduled_id"], talk.id, tx.now + 3_600_000)
        await tx.execute("INSERT INTO reminder (id, conversation_id, user_id, user_name, text, due_at, created_at) "
                         "VALUES (?, ?, 'nobody', 'X', 'x', ?, 0)", made["reminder_id"], talk.id, tx.now + 3_600_000)
        await tx.execute("INSERT INTO saved_view (id, name, filter, scope, position, created_at, updated_at) "
                         "VALUES (?, 'x', 'v=all', 'everyone', 1, 0, 0)", made["view_id"])
        await tx.execute("INSERT INTO thread_tag (id, name, created_at) VALUES (?1, ?1, 0)", made["thread_tag_id"])
        await tx.execute("INSERT INTO tag_change (id, subject, tag_id, name, by_name, at) VALUES (?1, 'contact', ?1, "
                         "?1, 'X', ?2)", made["tag_change_id"], tx.now)
        await tx.execute("INSERT INTO resolve_reason (id, name, position, created_at) VALUES (?1, ?1, 1, 0)",
                         made["reason_id"])
        await tx.execute("INSERT INTO bulk_change (id, act, value_json, person_name, state, total, created_at, "
                         "ended_at) VALUES (?, 'read', '{\"act\": \"read\"}', 'X', 'done', 0, 0, ?)",
                         made["bulk_id"], 2**60)
        await tx.execute("INSERT INTO erasure (id, contact_id, begun_at) VALUES (?, 'gone', 0)", made["erasure_id"])
        await tx.execute("INSERT INTO calendar (id, name, time_zone, week_json, created_at, updated_at) "
                         "VALUES (?, 'x', 'UTC', '[[],[],[],[],[],[],[]]', 0, 0)", made["calendar_id"])
        await tx.execute("INSERT INTO rate_card (id, currency, valid_from, kind, name, created_at) "
                         "VALUES (?, 'USD', '2026-10-01', 'hand', '', 0)", made["card_id"])
        await tx.execute("INSERT INTO absence (id, user_id, first_day, last_day, starts_at, ends_at, created_at) "
                         "VALUES (?, 'nobody', '2026-12-01', '2026-12-01', 0, 0, 0)", made["absence_id"])
        await tx.execute("INSERT INTO data_query (id, name, sql, is_shared, owner_id, owner_name, created_at, "
                         "updated_at) VALUES (?1, ?1, 'SELECT 1', 1, 'nobody', 'X', 0, 0)", made["query_id"])
        await tx.execute("INSERT INTO custom_field (id, subject, key, label, kind, position, created_at) "
                         "VALUES (?1, 'contact', ?1, 'x', 'text', 1, 0)", made["field_id"])
    return {"slug": talk.tenant.slug, "workspace_id": talk.tenant.workspace_id, "token": "x" * 43,
            "conversation_id": talk.id, "message_id": message.id, "media_id": message.media.id,
            "contact_id": talk.contact_id, "channel_id": talk.tenant.channel_id, "place_id": talk.tenant.channel_id,
            "waba_id": talk.tenant.number.waba_id, "place": "0", "topic_key": "queues",
            "kind": "location", "sequence": "1", "parked_id": await parked(talk), **made, **await people(talk)}


async def people(talk: Talk) -> dict[str, str]:
    """The same of control.db: somebody who belongs to this workspace alone, and what is theirs."""
    world, workspace_id = talk.world, talk.tenant.workspace_id
    async with world.services.control.ingest("test") as tx:
        made = {name: tx.new_id() for name in ("member_id", "team_id", "role_id", "invitation_id", "key_id",
                                               "grant_id", "rule_id", "session_id", "passkey_id", "device_id",
                                               "copy_id")}
        await tx.execute("INSERT INTO user (id, email, name, password_hash, created_at) VALUES (?, ?, 'Zoe', '', 0)",
                         made["member_id"], f"{made['member_id']}@example.com")
        who, key, invited, copy = made["member_id"], made["key_id"].encode(), made["invitation_id"], made["copy_id"]
        for table, columns, values in (
                ("membership", "workspace_id, user_id, role, created_at", (who, "viewer", 0)),
                ("team", "workspace_id, id, name, created_at", (made["team_id"], made["team_id"], 0)),
                ("custom_role", "workspace_id, id, name, grants_json, created_at",
                 (made["role_id"], made["role_id"], "{}", 0)),
                ("invitation", "workspace_id, id, email, role, token_hash, created_at, expires_at",
                 (invited, f"{invited}@x.example", "viewer", invited.encode(), tx.now, 2**60)),
                ("api_key", "workspace_id, id, name, scopes, secret_hash, last_four, created_at",
                 (made["key_id"], "x", "inbox:read", key, "abcd", 0)),
                ("workspace", "copied_from, id, slug, name, state, created_at, copied_at, as_of",
                 (copy, copy, copy, "restoring", 0, 0, 0)),
                ("group_role", "workspace_id, id, group_name, role, created_at",
                 (made["rule_id"], made["rule_id"], "viewer", 0)),
                ("support_grant", "workspace_id, id, operator_id, reason, modules, minutes, requested_at",
                 (made["grant_id"], who, "x", "inbox", 60, tx.now))):
            marks = ", ".join("?" * (len(values) + 1))
            await tx.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", workspace_id, *values)
    return made


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


# That somebody was refused is written down, with how often; and that somebody looked.
_TRACES = re.compile(r"audit|denial|reading|presence|usage|\.meta$|\.session$|\.last_seen$|\.api_key$|sqlite_")


def assert_unchanged(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert [name for name in before if before[name] != after.get(name) and not _TRACES.search(name)] == []
    assert before.keys() == after.keys()


def test_every_variable_of_a_path_is_known_here() -> None:
    known = {"slug", "conversation_id", "message_id", "media_id", "contact_id", "tag_id", "kind", "rejected_id",
             "parked_id", "channel_id", "sequence", "approval_id", "erasure_id", "member_id", "team_id", "role_id",
             "invitation_id", "key_id", "grant_id", "rule_id", "session_id", "passkey_id", "workspace_id", "token",
             "reply_id", "file_id", "note_id", "device_id", "field_id", "place", "view_id", "thread_tag_id", "bulk_id",
             "place_id", "calendar_id", "absence_id", "scheduled_id", "reminder_id", "topic_key", "reason_id",
             "tag_change_id", "card_id", "waba_id", "query_id", "copy_id"}
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
    assert {name for name, _ in refused} == set(PEOPLE) - {"alice"} and len(refused) > 100
    # What one asked for oneself, a viewer may call off or fetch; their own pins, views and reminders, what they are
    # told of and what they have seen are theirs.
    own = {"create_pin", "delete_pin", "create_sight", "create_saved_view", "update_saved_view", "create_view_removal",
           "create_view_place", "create_presence", "create_reminder", "edit_reminder", "delete_reminder",
           "create_reading", "create_notification_sight"}
    assert all(way.method == "GET" or way.name in own
               or way.permission in (Permission.SESSION, Permission.WORKSPACE_READ)
               for name, _, way in asked if name == "vera" and (name, way) not in refused)
    before = await stored(estate.world)
    for name, way in refused:
        answer = await estate.ask(await estate.world.session(name), way, estate.ours)
        assert answer.status_code == 403, (name, way)
    assert_unchanged(before, await stored(estate.world))


async def test_a_viewer_changes_nothing_by_any_way(estate: Estate) -> None:
    before = await stored(estate.world)
    vera = await estate.world.session("vera")
    for way in ways(api=False):
        if way.method != "GET" and way.permission not in GRANTS[Role.VIEWER]:
            assert (await estate.ask(vera, way, estate.ours)).status_code == 403, way
    assert_unchanged(before, await stored(estate.world))
    page = await vera.get(f"/w/{estate.world.acme.slug}/inbox/{estate.ours['conversation_id']}")
    assert "You can read here, but not reply." in page.text
    for verb in ("/closure", "/assignment", "/messages\"", "/consent", "/tags"):
        assert f'action="/w/acme/inbox/{estate.ours["conversation_id"]}{verb}' not in page.text
        assert f'action="/w/acme/contacts/{estate.ours["contact_id"]}{verb}' not in page.text


def strange(way: Way, estate: Estate) -> Iterator[dict[str, str]]:
    """The ways to name something that is not there: of Globex, of nobody, of no form; each id of the path in turn."""
    for name in way.names:
        if name in ("kind", "topic_key"):  # the same everywhere
            yield estate.ours | {name: "telegram"}
            continue
        if name == "token":
            continue
        if name == "sequence":  # a place in a trail, of which each workspace has its own
            yield estate.ours | {name: "999999999"}
            continue
        for value in (estate.theirs[name], Ids().new(estate.world.clock.now()), "1", "%00", "%F0%9F%98%80", "x" * 300):
            yield estate.ours | {name: value}
    if {"conversation_id", "message_id"} <= set(way.names):
        yield estate.ours | {"message_id": estate.another["message_id"]}
    if len(ids := [name for name in way.names if name not in ("kind", "sequence")]) > 1:
        yield estate.ours | {name: estate.theirs[name] for name in ids}


async def test_an_id_of_another_workspace_is_the_same_as_none(estate: Estate) -> None:
    before = await stored(estate.world)
    alice = await estate.world.session("alice")
    asked = [(way, values) for way in ways(api=False) if not way.path.startswith("/installation/")
             for values in strange(way, estate)]
    wrong = []
    for way, values in asked:
        status = (await estate.ask(alice, way, values)).status_code
        # A form that is wrong in itself is told so, whatever the path names: then the same as for an id of nothing.
        nothing = values | {name: Ids().new(0) for name in way.names if values[name] != estate.ours[name]}
        if status != 404 and (status != 422 or (await estate.ask(alice, way, nothing)).status_code != 422):
            wrong.append((way.method, way.address(values), status))
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
            if not set(way.names) - {"sequence"}:
                continue  # its own trail has that place too, and a proof of it since its checkpoint
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

