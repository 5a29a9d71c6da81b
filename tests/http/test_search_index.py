"""The index behind the search: nothing stays in its file that was taken back, and it survives what files go through."""

from __future__ import annotations

import importlib
from pathlib import Path

from sqlite_utils import Database, Migrations

from chime.db import Key, Kind, LongReads, open_connection
from chime.db.migrate import migrate, names
from chime.simulator import write
from tests.http.inbox_setup import indexed, rows, talk, text
from tests.http.test_search import found, people, says_many, searched
from tests.support.world import World

KEY = Key(bytes(range(32)))
EVERY_BYTE = ("SELECT block FROM message_words_data UNION ALL SELECT term FROM message_words_idx "
              "UNION ALL SELECT block FROM contact_words_data")


async def bytes_of_the_index(world: World) -> bytes:
    return b" ".join(part if isinstance(part, bytes) else str(part).encode()
                     for (part,) in await rows(world, world.acme, EVERY_BYTE))


async def check_whole(world: World) -> None:
    """SQLite compares the index with what it was made of, and raises when they differ."""
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("INSERT INTO message_words (message_words, rank) VALUES ('integrity-check', 1)")
        await tx.execute("INSERT INTO contact_words (contact_words, rank) VALUES ('integrity-check', 1)")


async def test_the_words_of_what_was_taken_back_leave_the_file(world: World) -> None:
    maya = await talk(world, "my card is fourfivesixseven")
    await says_many(maya, [f"filler number {n}" for n in range(30)])
    await indexed(world)
    card = (await maya.messages("text LIKE 'my card%'"))[0]
    assert b"ourfivesixseven" in await bytes_of_the_index(world), "the same look finds it while it is there"
    write(world.simulator, maya.customer, {"type": "revoke", "revoke": {"original_message_id": card.wamid}},
          number=maya.tenant.number)
    await world.settle()
    assert found(await searched(world, "fourfivesixseven")) == []
    assert b"ourfivesixseven" not in await bytes_of_the_index(world)
    await check_whole(world)


async def test_everything_that_happens_leaves_the_index_whole(world: World) -> None:
    alice, maya = await world.session("alice"), await talk(world, "one two three")
    ids = await says_many(maya, [f"number {n} of many" for n in range(12)])
    world.simulator.set_switches({"error_next": 1, "error_code": 131026})
    failed = await maya.reply(alice, "this fails")
    await indexed(world)
    waits = await maya.says("edited before it is indexed")
    for message_id, body in ((ids[0], "other words"), (waits.id, "edited too")):
        wamid = (await maya.messages("id = ?", message_id))[0].wamid
        write(world.simulator, maya.customer, {"type": "edit", "edit": {
            "original_message_id": wamid, "message": text(body)}}, number=maya.tenant.number)
    await alice.post(f"{maya.base}/messages/{failed.id}/discard")
    await alice.post(f"{maya.workspace_base}/contacts/{maya.contact_id}", data={"name": "Anna"})
    await world.settle()
    await indexed(world)
    await check_whole(world)
    assert found(await searched(world, "edited too")) == [waits.id]


async def test_numbers_stay_when_the_file_is_compacted(world: World) -> None:
    maya = await talk(world, "the first walnut")
    ids = await says_many(maya, [f"walnut {n}" for n in range(6)])
    await indexed(world)
    async with world.workspace(world.acme) as workspace:
        async with workspace.ingest("test") as tx:
            await tx.execute("UPDATE conversation SET last_message_id = NULL")
            await tx.execute("DELETE FROM message WHERE id IN (?, ?)", ids[0], ids[3])
        workspace.db._raw_writer.execute("VACUUM")
    await maya.says("a walnut after it")
    await indexed(world)
    expected = [row[0] for row in await rows(world, world.acme, "SELECT id FROM message WHERE text LIKE '%walnut%' "
                                             "ORDER BY sequence DESC")]
    assert found(await searched(world, "walnut")) == expected and len(expected) == 6
    await check_whole(world)


def test_messages_of_before_the_search_get_their_numbers(tmp_path: Path) -> None:
    path, before = tmp_path / "workspace.db", names(Kind.WORKSPACE).index("m0011_search")
    connection = open_connection(path, KEY, writes=True, create=True)
    steps = Migrations("workspace")
    for name in names(Kind.WORKSPACE)[:before]:
        steps(name=name)(importlib.import_module(f"migrations.workspace.{name}").apply)
    steps.apply(Database(connection))
    connection.executescript("""
        INSERT INTO contact (id, name, created_at, updated_at) VALUES ('p', 'Maya', 1, 1);
        INSERT INTO channel (id, phone_number_id, waba_id, meta_app_id, display_phone, access_token_sealed,
            access_token_last_four, created_at) VALUES ('n', '1', '1', '1', '1', x'', '', 1);
        INSERT INTO conversation (id, channel_id, contact_id, last_message_at, created_at) VALUES ('c', 'n', 'p', 1, 1);
        INSERT INTO message (id, conversation_id, channel_id, direction, origin, type, status, text, at, created_at)
            VALUES ('b', 'c', 'n', 'in', 'customer', 'text', 'received', 'second', 2, 2),
                   ('a', 'c', 'n', 'in', 'customer', 'text', 'received', 'first', 1, 1);
        INSERT INTO reaction VALUES ('b', 'in', '👍', 'Maya', 3);
    """)
    indexes = connection.execute("SELECT name FROM sqlite_schema WHERE tbl_name = 'message' AND type = 'index' "
                                 "AND sql IS NOT NULL ORDER BY name").fetchall()
    connection.execute(f"PRAGMA user_version = {before}")
    connection.close()
    assert migrate(path, KEY, Kind.WORKSPACE) == len(names(Kind.WORKSPACE)) - before
    connection = open_connection(path, KEY, writes=True)
    try:
        assert connection.execute("SELECT sequence, id, text FROM message ORDER BY 1").fetchall() == [
            (1, "a", "first"), (2, "b", "second")]
        assert connection.execute("SELECT message_id, emoji FROM reaction").fetchall() == [("b", "👍")]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        left = connection.execute("SELECT name FROM sqlite_schema WHERE tbl_name = 'message' AND type = 'index' "
                                  "AND sql IS NOT NULL ORDER BY name").fetchall()
        assert set(indexes) <= set(left)
        assert connection.execute("SELECT contact_id FROM unindexed_contact").fetchall() == [("p",)]
    finally:
        connection.close()


async def test_a_read_that_takes_too_long_ends_with_what_it_found(tmp_path: Path) -> None:
    path = tmp_path / "workspace.db"
    migrate(path, KEY, Kind.WORKSPACE)
    reads = LongReads(path, KEY)
    try:
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 4 OR i < 0"
        rows_found, complete = await reads.rows(endless, seconds=0.1)
        assert rows_found[:2] == [(1,), (2,)] and not complete
        assert await reads.rows("SELECT ?", 7, seconds=0.1) == ([(7,)], True), "the next one is not disturbed"
    finally:
        await reads.close()


async def test_people_are_not_lost_between_batches(world: World) -> None:
    maya = await talk(world, "?")
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        for number in range(1200):
            await tx.execute("INSERT INTO contact (id, name, created_at, updated_at) VALUES (?, ?, 1, 1)",
                             f"made{number:022d}", f"Madeup {number}")
    await indexed(world)
    assert len(await rows(world, world.acme, "SELECT * FROM indexed_contact")) == 1201
    assert await rows(world, world.acme, "SELECT * FROM unindexed_contact") == []
    assert people(await searched(world, "maya")) == [maya.id]
    await check_whole(world)
