"""How SQLite answers what Chime asks: along an index, never by reading a table that grows.

A day in the inbox is lived through over HTTP on a file with many rows, and the hourly self-checks look at what it left;
every statement that reaches the workspace's two files and control.db is written down by SQLite itself, and each one's
plan is looked at, with and without the statistics of ANALYZE.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from chime.clock import MINUTE
from chime.db import DatabaseFile, LongReads
from chime.inbox.jobs import forget_claims
from chime.simulator import write
from tests.http.inbox_setup import Talk, indexed, stock_templates, talk, text
from tests.http.test_inbox_pages import door
from tests.support.world import World

HTMX = {"HX-Request": "true"}
PEOPLE, MESSAGES = 2_000, 20_000
GROWING = ("message", "conversation", "contact", "media", "message_status", "contact_identity", "conversation_event",
           "reaction", "applied_event", "applied_body", "early_change", "webhook_event", "idempotent_answer",
           "consent_event", "audit_event", "indexed_contact", "contact_tag", "conversation_tag", "bulk_item",
           "contact_field_value", "note", "send_event", "parked_delivery", "outgoing_mail", "notice", "session",
           "erased_subject", "workspace_usage_day")
# Fewer statements than these, and something was not heard.
A_WHOLE_DAY = {"workspace.db": 250, "journal.db": 8, "control.db": 70}
# Indexes that hold only what is under way or unread: to read one from end to end is to read little.
UNDER_WAY = ("message_queued", "message_unsent", "message_unsettled", "media_due", "media_uncounted", "media_unsent",
             "conversation_unread", "conversation_waiting", "conversation_due")
# A part of the statement -> why its plan may be so.
MAY_SCAN = {
    "FROM audit_event ORDER BY sequence DESC LIMIT": "the last row of the table, read from its end",
    "FROM applied_body ORDER BY journal_id DESC LIMIT": "the same",
    "DELETE FROM session WHERE expires_at <": "a person has at most 10 sessions, and it is asked at a sign-in",
    "FROM session WHERE length(secret_hash)": "the same, hourly, of an index that holds the hashes alone",
    "FROM indexed_contact WHERE words LIKE": "one or two letters, which no index knows; beside the loop, and timed",
}
# What the tests themselves ask, in inbox_setup.
OF_TESTS = re.compile(r"SELECT id FROM message WHERE conversation_id = \? AND .* ORDER BY at, id")
MAY_SORT = {
    "WHERE conversation.contact_id = ? ORDER BY": "the conversations of one contact, one for each of our numbers",
    "INTO contact_words": "a batch of at most 500, beside the loop",
    "INTO indexed_contact": "the same",
    "FROM reaction WHERE message_id IN": "the reactions on one page of messages",
    "FROM early_change WHERE": "the changes of one message, one of each kind",
    "FROM contact_tag JOIN tag": "the tags of one contact",
    "FROM quick_reply WHERE deleted_at": "the quick replies of a workspace are at most 2,000",
    "FROM custom_field": "the fields of contacts and of conversations are at most 50 each",
    "FROM saved_view WHERE": "the saved views of a workspace are at most 1,000",
    "FROM channel ": "the numbers of a workspace are few",
    "GROUP BY assignee_id": "of who waits, one line for each member, from an index that holds all it asks for",
    "coalesce(team_id, channel_id), count(*)": "of what is overdue, one line for each number and team, the same way",
    "message INDEXED BY message_kind": "of several kinds, those of at most 50,000 numbers, beside the loop, and timed",
    "message INDEXED BY message_by_machine": "the same, of several senders",
    "FROM session WHERE user_id = ? ORDER BY": "the sessions of one person, at most 10",
    "FROM push_subscription WHERE user_id = ?": "the browsers of one person",
    "FROM membership JOIN workspace": "the workspaces of one person",
    "FROM membership JOIN user": "the members of one workspace",
    "FROM support_open WHERE workspace_id = ?": "support that is let into one workspace now",
    "FROM restore WHERE finished_at IS NULL": "restores under way are few",
    "FROM key_purpose WHERE target IS NOT NULL": "keys that are being changed",
    "FROM audit_key ORDER BY": "the keys that ever signed the trail are few",
}
SEARCHES = ("type:image", "type:image type:document", "type:text", "type:voice", "has:file", "from:me", "from:customer",
            "from:bot", "from:bot from:api", "from:me from:customer", "from:me type:image", "type:note from:me",
            "since:2026-01-01 until:2026-12-31", 'in:"Acme" type:image', "from:team on:today")


async def fill(world: World) -> None:
    """Many rows as the inbox leaves them, in one transaction."""
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        connection, channel, now = tx._connection, world.acme.channel_id, tx.now

        def insert(table: str, *columns: tuple[Any, ...], names: str) -> None:
            marks = ", ".join("?" * len(columns[0]))
            connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", columns)

        insert("contact", *((f"p{n:025d}", f"Person {n}", f"1555{n:07d}", n, n) for n in range(PEOPLE)),
               names="id, name, phone, created_at, updated_at")
        insert("contact_identity", *(("phone", f"1555{n:07d}", f"p{n:025d}", n) for n in range(PEOPLE)),
               names="kind, value, contact_id, created_at")
        insert("conversation", *((f"c{n:025d}", channel, f"p{n:025d}", "closed" if n % 5 == 0 else "open",
                                  f"u{n % 7}" if n % 2 else None, now - n * MINUTE, n) for n in range(PEOPLE)),
               names="id, channel_id, contact_id, state, assignee_id, last_message_at, created_at")
        insert("media", *((f"f{n:025d}", channel, "in", "image", "image/png", "ready", n) for n in range(PEOPLE)),
               names="id, channel_id, direction, kind, mime_type, state, created_at")
        insert("message", *((f"m{n:025d}", f"c{n % PEOPLE:025d}", channel, "in", "customer", "text", "received",
                             f"wamid.{n}", f"words number {n}", f"f{n:025d}" if n < PEOPLE else None, now - n * MINUTE,
                             now) for n in range(MESSAGES)),
               names="id, conversation_id, channel_id, direction, origin, type, status, wamid, text, media_id, at, "
                     "created_at")
        insert("reaction", *((f"m{n:025d}", "in", "x", "", n) for n in range(PEOPLE)),
               names="message_id, side, emoji, author_name, at")
        insert("message_status", *((f"k{n}", channel, f"m{n:025d}", f"wamid.{n}", "read", n, "{}", n)
                                   for n in range(MESSAGES)),
               names="key, channel_id, message_id, wamid, status, at, details_json, received_at")
        insert("conversation_event", *((f"e{n}", f"c{n:025d}", "resolved", "Al", "{}", n) for n in range(PEOPLE)),
               names="id, conversation_id, kind, actor_name, details_json, at")
    await indexed(world)


async def files(world: World) -> dict[str, DatabaseFile]:
    """The workspace's two files and control.db, each with its writer open."""
    async with world.workspace(world.acme) as workspace:
        found = {"workspace.db": workspace.db, "journal.db": workspace.journal_db,
                 "control.db": world.services.control.db}
        for file in found.values():
            async with file.transaction():
                pass
    return found


async def listen(world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Every statement of each file from now on; what the journal is told in group commits is inserts only."""
    opened = LongReads._open
    open_files = await files(world)
    heard: dict[str, set[str]] = {name: set() for name in open_files}
    ears = {file.path: heard[name].add for name, file in open_files.items()}

    def traced(self: LongReads) -> None:
        opened(self)
        self._connection.set_trace_callback(ears.get(self._path))

    monkeypatch.setattr(LongReads, "_open", traced)
    for file in open_files.values():
        await file.long_reads.let_go()
        for connection in (file._connection, file._raw_writer):
            connection.set_trace_callback(ears[file.path])
    return heard


async def live_a_day(world: World, maya: Talk) -> None:
    alice, base = await world.session("alice"), f"/w/{world.acme.slug}/inbox"
    async with world.workspace(world.acme) as workspace:
        await forget_claims(workspace, world.clock)
    await stock_templates(world)
    newcomer = world.simulator.world.add_customer(name="Newcomer", phone="14155550999")
    write(world.simulator, newcomer, text("somebody new"), number=world.acme.number)
    await world.settle()
    for view in ("mine", "unassigned", "all", "closed", "doubt"):
        page = (await alice.get(f"{base}?v={view}")).text
        more = door(page, "more-rows")
        assert more is not None or view in ("mine", "doubt")
        if more is not None:
            await alice.get(more)
    for narrowed in ("tag=x&contact_tag=x&state=open&state=closed", "assignee=u1&sort=oldest", "team=x&unread=1",
                     "owner=u1&owner=none",
                     "assignee=u1&assignee=none&has=image", "v=mine&sort=waiting&since=2001-01-01", "sort=due",
                     "v=mentions&sort=oldest", "v=pinned&unread=1"):
        assert (await alice.get(f"{base}/list?{narrowed}")).status_code == 200, narrowed
    assert (await alice.post(f"{base}/bulk", data={"act": "unread", "id": maya.id}, headers=HTMX)).status_code == 200
    assert (await alice.get(f"/w/{world.acme.slug}/floor")).status_code == 200
    for words in ("words number", "pers", "555", "pe", "5", '"words number 12"', *SEARCHES,
                  *(f"words {narrowed}" for narrowed in SEARCHES)):
        assert (await alice.get(f"{base}/list", params={"q": words})).status_code == 200
    await read_threads(world, base)
    await write_and_answer(maya)
    for path in ("conversations", "conversations?assignee=none&state=open", f"conversations/{maya.id}/messages",
                 "messages?status=unconfirmed", f"messages?status=unconfirmed&conversation_id={maya.id}",
                 "messages?search=words", f"messages?search=words&conversation_id={maya.id}", "contacts",
                 f"contacts/{maya.contact_id}", "contacts?phone=15550000007", "templates", "channels", "tags"):
        async with world.client(await world.key(world.acme)) as script:
            assert (await script.get(f"/api/v1/{path}")).status_code == 200, path
    async with world.client(await world.key(world.acme)) as script:
        answer = await script.post("/api/v1/messages", headers={"Idempotency-Key": "one"}, json={
            "to": "+14155550101", "type": "text", "text": {"body": "by script"}})
        assert answer.status_code == 202, answer.text
        await world.settle()
        await script.delete("/api/v1/contacts/p" + "7".zfill(25))
    await have_some_given(world)
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()
    await indexed(world)
    await world.app.state.trust.look()


async def have_some_given(world: World) -> None:
    """Alice takes what waits longest, and looks who would be next."""
    alice, page = await world.session("alice"), f"/w/{world.acme.slug}/settings/assignment"
    rule = {"method": "least_busy", "previous_days": "7", "who": "everybody"}
    await alice.post(f"/w/{world.acme.slug}/availability", data={"status": "available"})
    assert (await alice.post(f"{page}/places/{world.acme.channel_id}", data=rule)).status_code == 303
    await world.settle()
    for path in (page, f"{page}/places/{world.acme.channel_id}/next", f"/w/{world.acme.slug}/availability/people"):
        assert (await alice.get(path)).status_code == 200, path


async def read_threads(world: World, base: str) -> None:
    alice = await world.session("alice")
    crowded = f"{base}/c{7:025d}"
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE message SET conversation_id = ? WHERE sequence < 400", f"c{7:025d}")
    page = (await alice.get(crowded)).text
    older = door(page, "older")
    assert older is not None
    await alice.get(older)
    around = (await alice.get(crowded, params={"at": f"m{200:025d}"})).text
    newer = door(around, "newer")
    assert newer is not None
    for path in (newer, f"{crowded}/messages?ids=m{201:025d}", f"{crowded}/state"):
        assert (await alice.get(path, headers=HTMX)).status_code == 200, path


async def write_and_answer(maya: Talk) -> None:
    world = maya.world
    alice = await world.session("alice")
    sent = await maya.reply(alice, "an answer", client_id="made-by-a-page")
    said = await maya.says("more words")
    await maya.reply(alice, "quoting", quoted_id=said.id)
    picture = world.simulator.world.add_media(maya.tenant.number.phone_number_id, b"\x89PNG", "image/png")
    await maya.says({"type": "image", "image": {"id": picture.media_id}})
    for change in ({"type": "edit", "edit": {"original_message_id": said.wamid, "message": text("other words")}},
                   {"type": "reaction", "reaction": {"message_id": sent.wamid, "emoji": "x"}},
                   {"type": "revoke", "revoke": {"original_message_id": said.wamid}}):
        write(world.simulator, maya.customer, change, number=maya.tenant.number)
        await world.settle()
    for switches in ({"error_next": 1, "error_code": 131026}, {"answer_500": 1}):
        world.simulator.set_switches(switches)
        failed = await maya.reply(alice, "this one fails")
        assert (await alice.post(f"{maya.base}/messages/{failed.id}/retry")).status_code == 200
        await world.settle()
    for said in ("sent", "failed", "resend"):
        world.simulator.set_switches({"answer_500": 1})
        doubtful = await maya.reply(alice, "this one is in doubt")
        assert (await alice.post(f"{maya.base}/messages/{doubtful.id}/settlement", data={"as": said})).status_code < 400
        await world.settle()
    for verb, data in (("read", {}), ("typing", {}), ("assignment", {"assignee_id": ""}), ("closure", {})):
        assert (await alice.post(f"{maya.base}/{verb}", data=data)).status_code < 400, verb
    await alice.post(f"{maya.workspace_base}/contacts/{maya.contact_id}", data={"name": "Anna"})
    await maya.says("opened again")


def plain(statement: str) -> str:
    """The statement without its values."""
    return re.sub(r"'(?:[^']|'')*'|\b\d+\b", "?", re.sub(r"\s+", " ", statement)).strip()


async def plans(world: World, heard: dict[str, set[str]]) -> dict[str, dict[str, list[str]]]:
    """By file, the plan of each kind of statement."""
    found = {}
    for name, file in (await files(world)).items():
        kinds = {plain(statement): statement for statement in sorted(heard[name])
                 if re.match(r"\s*(SELECT|UPDATE|DELETE|INSERT|WITH)\b", statement) and "_words_" not in statement
                 and not OF_TESTS.fullmatch(plain(statement))}
        explain = file._raw_writer.execute
        found[name] = {kind: [row[3] for row in explain(f"EXPLAIN QUERY PLAN {statement}")]
                       for kind, statement in kinds.items()}
    return found


def faults(found: dict[str, dict[str, list[str]]]) -> list[str]:
    grow = re.compile(rf"SCAN ({'|'.join(GROWING)}|last|quoted|other)\b(?! VIRTUAL)"
                      rf"(?! USING (COVERING )?INDEX ({'|'.join(UNDER_WAY)}))")
    wrong = []
    for name, of_file in found.items():
        for statement, plan in of_file.items():
            lines = [line for line in plan if grow.match(line)] if not excused(statement, MAY_SCAN) else []
            lines += [line for line in plan if "TEMP B-TREE FOR ORDER" in line and not excused(statement, MAY_SORT)]
            wrong += [f"{name}: {line}\n    {statement}" for line in lines]
    return wrong


def excused(statement: str, reasons: dict[str, str]) -> bool:
    return any(part in statement for part in reasons)


@pytest.mark.timeout(180)
async def test_everything_is_answered_along_an_index(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(world)
    maya = await talk(world, "the first words")
    heard = await listen(world, monkeypatch)
    await live_a_day(world, maya)
    found = await plans(world, heard)
    assert all(len(found[name]) >= least for name, least in A_WHOLE_DAY.items()), "the day was a whole one"
    assert not faults(found), "\n".join(faults(found))
    asked = [statement for of_file in found.values() for statement in of_file]
    for part in (*MAY_SCAN, *MAY_SORT):
        assert any(part in statement for statement in asked), f"nothing needs the exception {part!r} any more"
    # Of a file with few rows statistics say that it is best read whole; many were put into this one.
    (await files(world))["workspace.db"]._raw_writer.execute("ANALYZE")
    known = await plans(world, heard)
    assert not faults(known), "with statistics:\n" + "\n".join(faults(known))
