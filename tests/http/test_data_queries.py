"""Query your own data: what is asked is answered as the views say, and nothing hostile comes through."""

from __future__ import annotations

import html
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from chime.data_queries.asking import answer, views_for
from chime.data_queries.catalogue import CATALOGUE, EXAMPLES
from chime.data_queries.model import Period
from chime.db import Kind as DatabaseKind
from chime.db.connection import Key, open_connection
from chime.db.migrate import migrate
from chime.db.questioned import answer_to
from chime.db.questions import Answer, Asked, Question, Questions
from chime.phone import Phone
from chime.workspaces.presence import lock_of
from tests.http.data_setup import newest
from tests.http.inbox_setup import rows, talk
from tests.http.people_setup import id_of
from tests.support.world import World

PAGE = "/w/acme/settings/queries"
EVER = Period(since="0000", until="9999")


async def put(world: World, sql: str, *, masked: bool = False, seconds: float = 5.0) -> Answer:
    """A question past the page, as who sees everything."""
    async with world.workspace(world.acme) as workspace:
        return await answer(workspace, world.services.control, sql=sql, period=EVER, masked=masked, seconds=seconds)


@asynccontextmanager
async def inside(world: World) -> AsyncIterator[Callable[..., Answer]]:
    """What the child does, without the child: for very many questions."""
    async with world.workspace(world.acme) as workspace:
        def asked(sql: str, *, masked: bool = False) -> Answer:
            question = Question(sql=sql, values=EVER.values, views=views_for(masked=masked), seconds=2.0)
            return answer_to(Asked(path=str(workspace.db.path), key=workspace.db.key.hex(), megabytes=0,
                                   lock=str(lock_of(world.data_dir)), question=question))

        yield asked


async def run(client: httpx.AsyncClient, sql: str, **fields: str) -> httpx.Response:
    return await client.post(f"{PAGE}/answer", data={"sql": sql, **fields})


def cells(page: str) -> list[str]:
    body = page.split("data-sorts>")[1].split("<tbody>")[1].split("</tbody>")[0]
    return [html.unescape(re.sub(r"<[^>]+>", "", cell)) for cell in re.findall(r"<td[^>]*>(.*?)</td>", body, re.S)]


async def test_every_view_and_example_is_as_documented(world: World) -> None:
    said = await talk(world, "where is my parcel?", name="Bea Okoye", phone="14155550190")
    await said.reply(await world.session("alice"), "on its way")
    for view in CATALOGUE:
        found = await put(world, f"SELECT * FROM {view.name}")
        assert not found.problem and found.columns == tuple(column.name for column in view.columns), view.name
    for one in EXAMPLES:
        assert not (await put(world, one.sql)).problem, one.words
    told = await put(world, "SELECT contacts.name, contacts.phone, direction, text, numbers.name, members.name "
                     "FROM messages JOIN conversations ON conversations.id = conversation_id "
                     "JOIN contacts ON contacts.id = contact_id JOIN numbers ON numbers.id = messages.number_id "
                     "LEFT JOIN members ON members.id = author_id ORDER BY at")
    assert [row[1:4] + row[5:] for row in told.rows] == [("14155550190", "in", "where is my parcel?", None),
                                                         ("14155550190", "out", "on its way", "Alice")]
    moment = (await put(world, "SELECT at FROM messages")).rows[0][0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", moment)


async def test_a_question_is_run_on_the_page_and_written_down_without_its_words(world: World) -> None:
    await talk(world, "hello", name="Bea Okoye")
    alice = await world.session("alice")
    page = await run(alice, "SELECT name AS who, 1 + 1 AS two FROM contacts WHERE name <> 'Canary'")
    assert page.status_code == 200 and "2" in cells(page.text), page.text[-3000:]
    trail = await rows(world, world.acme, "SELECT actor_name, details_json FROM audit_event "
                       "WHERE action = 'data_query.asked'")
    assert len(trail) == 1 and trail[0][0] == "Alice" and "Canary" not in trail[0][1] and "sql_sha256" in trail[0][1]
    period = await run(alice, "SELECT :from, :to", first_day="2026-01-01", last_day="2026-01-31")
    assert cells(period.text) == ["2026-01-01", "2026-02-01"]
    wrong = await run(alice, "SELECT 1", first_day="2026-02-01", last_day="2026-01-01")
    assert wrong.status_code == 422 and "before the first day" in wrong.text
    again = await run(alice, "SELECT <script>alert(1)</script>")
    assert again.status_code == 422 and "<script>alert" not in again.text


MISTAKES = (
    ("SELECT name\nFORM contacts x y", "syntax", 2, 6),
    ("SELECT nme FROM contacts", "column", 1, 8),
    ("SELECT name FROM contact", "table", 1, 18),
    ("SELECT (1", "syntax", 1, 10),
    ("", "empty", 0, 0),
    ("SELECT 1; SELECT 2", "many", 0, 0),
    ("SELECT :who", "parameter", 0, 0),
    ("SELECT id FROM conversations JOIN contacts ON 1", "twice", 1, 8),
    ("SELECT shuffle(name) FROM contacts", "function", 1, 8),
)


async def test_mistakes_are_told_with_their_place(world: World) -> None:
    for sql, problem, line, column in MISTAKES:
        found = await put(world, sql)
        assert (found.problem, found.line, found.column) == (problem, line, column), (sql, found)
    alice = await world.session("alice")
    page = await run(alice, "SELECT name\nFROM contacts\nWERE 1 2")
    assert page.status_code == 422 and "Line 3, character" in page.text and "WERE 1 2" in page.text


REFUSALS = frozenset({"table", "column", "function", "name", "denied", "syntax", "many"})
HOSTILE = (
    "DELETE FROM contacts", "DELETE FROM contact", "INSERT INTO tag VALUES ('a', 'b', 1)",
    "UPDATE contact SET name = ''", "DROP TABLE contact", "DROP VIEW contacts", "CREATE TABLE x (y)",
    "CREATE TEMP TABLE x (y)", "ALTER TABLE tag ADD x", "CREATE TEMP VIEW x AS SELECT 1",
    "CREATE TEMP TRIGGER x INSERT ON contact BEGIN SELECT 1; END", "VACUUM", "VACUUM INTO '/tmp/stolen.db'",
    "REINDEX", "ANALYZE", "BEGIN", "COMMIT", "SAVEPOINT x", "ROLLBACK", "ATTACH '/etc/passwd' AS x",
    "ATTACH DATABASE 'file:/tmp/x?mode=rwc' AS x KEY ''", "DETACH main", "PRAGMA key", "PRAGMA table_info(contact)",
    "PRAGMA query_only = OFF", "PRAGMA writable_schema = ON", "PRAGMA cipher_settings",
    "SELECT * FROM pragma_database_list", "SELECT * FROM pragma_table_info('contact')",
    "SELECT count(*) FROM pragma_function_list", "SELECT sqlcipher_export('x')", "SELECT load_extension('x.so')",
    "SELECT readfile('/etc/passwd')", "SELECT writefile('/tmp/x', 'y')", "SELECT fts5(1)", "SELECT edit('x')",
    "SELECT * FROM sqlite_schema", "SELECT * FROM sqlite_master", "SELECT count(*) FROM sqlite_master",
    "SELECT sql FROM main.sqlite_schema", "SELECT * FROM temp.sqlite_master", "SELECT * FROM sqlite_temp_schema",
    "SELECT * FROM sqlite_sequence", "SELECT * FROM sqlite_stat1", "SELECT * FROM dbstat",
    "SELECT * FROM sqlite_stmt", "SELECT * FROM json_each('[1]')", "SELECT * FROM generate_series(1, 10)",
    "SELECT * FROM bytecode('SELECT 1')", "SELECT access_token_sealed FROM channel", "SELECT count(*) FROM channel",
    "SELECT * FROM main.channel", 'SELECT "access_token_sealed" FROM "channel"', "SELECT * FROM 'channel'",
    "SELECT * FROM [channel]", "SELECT * FROM `channel`", "SELECT * FROM CHANNEL", "SELECT * FROM main.contacts",
    "SELECT * FROM 'main'.contacts",
    "WITH contacts AS (SELECT access_token_sealed FROM channel) SELECT * FROM contacts",
    "WITH messages(a) AS (SELECT value FROM meta) SELECT a FROM messages",
    "WITH contacts AS (SELECT * FROM main.channel) SELECT count(*) FROM contacts",
    "SELECT (SELECT access_token_sealed FROM channel) FROM contacts",
    "SELECT * FROM contacts WHERE EXISTS (SELECT 1 FROM audit_event)",
    "SELECT * FROM contacts ORDER BY (SELECT value FROM meta)", "SELECT * FROM contacts NATURAL JOIN contact",
    "SELECT name FROM contacts UNION ALL SELECT value FROM meta", "SELECT key_sealed FROM export_file",
    "VALUES ((SELECT group_concat(value) FROM meta))", "SELECT 1 FROM contacts GROUP BY (SELECT value FROM meta)",
    "SELECT sum((SELECT 1 FROM meta)) OVER () FROM contacts", "SELECT channel.access_token_sealed FROM numbers",
    "SELECT rowid FROM contacts", "SELECT wamid FROM messages", "SELECT content_json FROM messages",
    "SELECT randomblob(1000000000)", "SELECT zeroblob(2000000000)", "SELECT hex(zeroblob(900000000))",
    "EXPLAIN SELECT * FROM contacts", "EXPLAIN QUERY PLAN SELECT 1", "SELECT 1; DELETE FROM contact",
    "SELECT 1;\n--\nATTACH 'x' AS y", "/* x */ DELETE FROM contact", "-- SELECT\nDELETE FROM contact",
    "SELECT * FROM contacts, (SELECT * FROM session)", "SELECT * FROM contact_words",
    "SELECT * FROM message_words_data", "SELECT * FROM message_words('hello')", "SELECT 1 FROM control.user",
    "SELECT sqlite_version()", "SELECT sqlite_compileoption_get(1)", "SELECT * FROM data_query",
    "SELECT match('a', 'b')", "REPLACE INTO tag VALUES (1, 2, 3)", "WITH x AS (SELECT 1) DELETE FROM contact",
    "SELECT last_insert_rowid()", "WITH x AS (DELETE FROM contact RETURNING *) SELECT * FROM x", "SELECT changes()",
    "SELECT random()",
)


async def test_nothing_hostile_comes_through(world: World) -> None:
    await talk(world, "hello")
    before = await rows(world, world.acme, "SELECT (SELECT count(*) FROM contact), "
                        "(SELECT count(*) FROM sqlite_schema)")
    async with inside(world) as asked:
        for sql in HOSTILE:
            for masked in (False, True):
                found = asked(sql, masked=masked)
                assert found.problem in REFUSALS and not found.rows, (sql, found)
    for sql in HOSTILE[::20]:
        assert (await put(world, sql)).problem in REFUSALS, "nor through the child"
    assert before == await rows(world, world.acme, "SELECT (SELECT count(*) FROM contact), "
                                "(SELECT count(*) FROM sqlite_schema)")


async def guess(world: World, count: int, seed: int) -> Counter[str]:
    """Questions put together by chance from what one may write and what one may not; how they ended."""
    chance = random.Random(seed)
    ended: Counter[str] = Counter()
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("UPDATE channel SET access_token_sealed = CAST(? AS BLOB)", CANARY)
        await tx.execute("INSERT INTO meta (key, value) VALUES ('canary', ?)", CANARY)
    async with inside(world) as asked:
        for _ in range(count):
            sql = "SELECT " + " ".join(chance.choice(TOKENS) for _ in range(chance.randint(2, 14)))
            sql = chance.choice(FRAMES).format(sql, chance.choice(NAMES), chance.choice(NAMES))
            found = asked(sql, masked=chance.random() < 0.3)
            ended[found.problem] += 1
            assert CANARY not in str(found.rows), sql
    return ended


CANARY = "the sealed canary"
NAMES = ("contacts", "messages", "numbers", "channel", "meta", "contact", "main.channel", "temp.numbers", '"meta"',
         "[channel]", "`meta`", "'channel'", "sqlite_schema", "x", "json_each('[1]')", "(SELECT * FROM meta)",
         "pragma_table_list", "main.sqlite_master", "message", "export_file")
TOKENS = ("*", ",", "FROM", "name", "value", "access_token_sealed", "key", "count(*)", "(", ")", "WHERE", "1", "'a'",
          "AS", "x", "UNION ALL SELECT", "JOIN", "ON", "channel.access_token_sealed", "meta.value", "max(value)",
          "rowid", "group_concat(value)", ":from", "ORDER BY", "LIMIT 3", "OVER ()", "CASE WHEN", "END", ";", "--",
          "/*", *NAMES)
FRAMES = ("{0}", "{0} FROM {1}", "SELECT * FROM {1}, {2}", "WITH {1} AS ({0}) SELECT * FROM {2}",
          "WITH contacts AS (SELECT * FROM {1}) SELECT * FROM contacts", "SELECT (SELECT value FROM {1}) FROM {2}",
          "SELECT * FROM {1} AS numbers", "SELECT value, access_token_sealed FROM {1} JOIN {2}",
          "SELECT access_token_sealed FROM {1} AS contacts", "WITH x(value) AS (SELECT value FROM {1}) SELECT * FROM x")


async def test_chance_finds_no_way(world: World) -> None:
    ended = await guess(world, 1_500, seed=11)
    assert ended[""] and ended["table"] and ended["syntax"], ended


@pytest.mark.nightly
async def test_much_chance_finds_no_way(world: World) -> None:
    assert sum((await guess(world, 60_000, seed=12)).values()) == 60_000


BOMBS = (
    ("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n", {"time"}),
    ("WITH RECURSIVE n(x) AS (SELECT 'aaaaaaaa' UNION ALL SELECT x || x FROM n) SELECT length(x) FROM n",
     {"memory", "time"}),
    ("SELECT format('%.*c', 2000000000, 'x')", {"memory"}),
    ("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100000000) SELECT x FROM n ORDER BY -x",
     {"memory", "time"}),
    ("SELECT replace(replace(replace(format('%5000c', 'a'), ' ', format('%5000c', 'b')), ' ', format('%5000c', 'c')), "
     "' ', format('%5000c', 'd'))", {"memory", "time"}),
)


@pytest.mark.parametrize("number", range(len(BOMBS)))
async def test_a_bomb_ends_within_its_limits_and_alone(world: World, number: int) -> None:
    sql, problems = BOMBS[number]
    found = await put(world, sql, seconds=1.5)
    assert found.problem in problems, found
    assert (await put(world, "SELECT 1")).rows == ((1,),), "the next one finds everything in order"


async def test_rows_are_limited(world: World) -> None:
    numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT {}) SELECT x FROM n"
    for count, cut in ((9_999, False), (10_000, False), (10_001, True), (50_000, True)):
        found = await put(world, numbers.format(count))
        assert len(found.rows) == min(count, 10_000) and found.is_cut == cut, count
    alice = await world.session("alice")
    page = await run(alice, numbers.format(10_001))
    assert "10,000 at most" in page.text and len(cells(page.text)) == 500


def numbers_of_all_kinds() -> Sequence[str]:
    chance = random.Random(7)
    return [str(chance.choice([1, 7, 20, 30, 33, 44, 49, 91, 98, 210, 212, 351, 358, 972]))
            + "".join(chance.choice("0123456789") for _ in range(chance.randint(2, 12))) for _ in range(300)]


async def test_who_sees_numbers_masked_sees_them_masked_whatever_they_ask(world: World) -> None:
    await talk(world, "call me on 447700900987", name="Bea 447700900987", phone="14155550190")
    kinds = numbers_of_all_kinds()
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        for count, digits in enumerate(kinds):
            await tx.execute("INSERT OR IGNORE INTO contact (id, phone, created_at, updated_at) VALUES (?, ?, 0, 0)",
                             f"kind{count}", digits)
    shown = {row[0]: row[1] for row in (await put(world, "SELECT id, phone FROM contacts", masked=True)).rows}
    whole = {row[0]: row[1] for row in (await put(world, "SELECT id, phone FROM contacts")).rows}
    assert len(whole) > 290 and all(shown[key] == Phone(digits).masked for key, digits in whole.items())
    for sql in ("SELECT substr(phone, 1, 9) FROM contacts", "SELECT group_concat(phone) FROM contacts",
                "SELECT 1 FROM contacts WHERE phone LIKE '%4155550190%'", "SELECT text FROM messages",
                "SELECT count(*) FROM messages WHERE text LIKE '%4477%' HAVING count(*) > 0",
                "SELECT name FROM contacts",
                "SELECT min(phone), max(phone) FROM contacts", "SELECT temp.contacts.phone FROM temp.contacts"):
        found = await put(world, sql, masked=True)
        told = "".join(str(cell) for row in found.rows for cell in row)
        assert "41555501" not in told and "4477009" not in told and "call me" not in told, (sql, told[:200])
    assert not (await put(world, "SELECT 1 FROM contacts WHERE phone = '14155550190'", masked=True)).rows


async def test_a_masked_admin_is_masked_and_a_limited_one_asks_nothing(world: World) -> None:
    await talk(world, "hello", name="Bea", phone="14155550190")
    mo, mo_id = await world.session("mo"), await id_of(world, "mo")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET role = 'admin', masked = 1 WHERE user_id = ?", mo_id)
    page = await run(mo, "SELECT phone FROM contacts")
    assert page.status_code == 200 and "••••• ••190" in page.text and "4155550190" not in page.text
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET channels_json = ? WHERE user_id = ?",
                         f'["{world.acme.channel_id}"]', mo_id)
    saved = await mo.post(PAGE, data={"sql": "x", "name": "x"})
    for answered in (await mo.get(PAGE), await run(mo, "SELECT 1"), saved):
        assert answered.status_code == 403 and "all numbers" in answered.text


async def test_only_owners_and_admins_ask_and_strangers_find_nothing(world: World) -> None:
    for name, status in (("mo", 403), ("kim", 403), ("bob", 403), ("vera", 403), ("charlie", 404)):
        somebody = await world.session(name)
        assert (await somebody.get(PAGE)).status_code == status, name
        for path in ("", "/answer", "/export", f"/{'z' * 26}/deletion"):
            assert (await somebody.post(PAGE + path, data={"sql": "SELECT 1"})).status_code == status, (name, path)
    async with world.client(await world.key(world.acme)) as script:
        assert (await script.get(PAGE)).status_code == 303, "no page is for a key"


async def test_questions_are_saved_shared_changed_and_deleted(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET role = 'admin' WHERE user_id = ?", await id_of(world, "mo"))
    saved = await alice.post(PAGE, data={"sql": "SELECT 1", "name": "Mine"})
    assert saved.status_code == 303
    mine = saved.headers["location"].split("query=")[1].split("&")[0]
    assert "Mine" in (await alice.get(PAGE)).text and "Mine" not in (await mo.get(PAGE)).text
    for path in (f"{PAGE}?query={mine}", f"{PAGE}?query={'z' * 26}"):
        assert (await mo.get(path)).status_code == 404
    assert (await mo.post(f"{PAGE}/{mine}/deletion")).status_code == 404
    assert (await mo.post(PAGE, data={"sql": "SELECT 2", "name": "Theirs", "query_id": mine})).status_code == 404
    twice = await alice.post(PAGE, data={"sql": "SELECT 1", "name": "mine"})
    assert twice.status_code == 422 and "of this name already" in twice.text
    assert (await alice.post(PAGE, data={"sql": "SELECT 3", "name": "Ours", "query_id": mine, "is_shared": "1"})
            ).status_code == 303
    assert "SELECT 3" in (await mo.get(f"{PAGE}?query={mine}")).text
    assert (await mo.post(f"{PAGE}/{mine}/deletion")).status_code == 303
    assert not await rows(world, world.acme, "SELECT 1 FROM data_query")
    trail = [row[0] for row in await rows(world, world.acme, "SELECT action FROM audit_event "
                                          "WHERE action LIKE 'data_query.%' ORDER BY sequence")]
    assert trail == ["data_query.saved", "data_query.edited", "data_query.deleted"]


async def test_an_answer_is_exported_only_with_a_second_person_and_no_cell_is_a_formula(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET role = 'admin' WHERE user_id = ?", await id_of(world, "mo"))
    wrong = await alice.post(f"{PAGE}/export", data={"sql": "SELECT nothing FROM contacts"})
    assert wrong.status_code == 422, "nobody is asked to approve what cannot run"
    asked = await alice.post(f"{PAGE}/export", data={"sql": "SELECT '=1+1' AS sum, '@x' AS at, 7 AS seven",
                                                     "reason": "for the audit"})
    assert asked.status_code == 303
    row = await newest(world)
    assert (await alice.post(f"/w/acme/settings/exports/{row.id}/file")).status_code == 409
    page = (await mo.get("/w/acme/settings/approvals")).text
    assert "&#39;=1+1&#39; AS sum" in page
    decided = await mo.post(f"/w/acme/settings/approvals/{row.id}/decision",
                            data={"fingerprint": row.fingerprint, "decision": "approve"})
    assert decided.status_code == 303, decided.text[:500]
    await world.settle()
    file = await alice.post(f"/w/acme/settings/exports/{row.id}/file")
    assert file.status_code == 200, file.text[:500]
    lines = file.text.splitlines()
    assert lines[0] == '"sum","at","seven","reference"' and lines[1].startswith('"\'=1+1","\'@x","7","')
    assert lines[2].startswith(f'"#chime-export {row.id}"') and "approved by Mo" in lines[2]
    assert (await alice.post(f"/w/acme/settings/exports/{row.id}/file")).status_code == 409, "fetched once"


MANY = (
    "INSERT INTO message (id, conversation_id, channel_id, direction, origin, type, status, text, at, created_at) "
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 1000000) "
    "SELECT printf('m%09d', x), printf('c%d', x % 20000), 'ch', iif(x % 2, 'in', 'out'), 'agent', 'text', "
    "iif(x % 50, 'read', 'failed'), 'a message of ordinary length, such as people write ' || x, "
    "1700000000000 + x * 30000, 1700000000000 + x * 30000 FROM n")


@pytest.mark.nightly
@pytest.mark.timeout(300)
async def test_a_million_messages_are_asked_within_the_limit(tmp_path: Path) -> None:
    path, key = tmp_path / "workspace.db", Key(bytes(32))
    migrate(path, key, DatabaseKind.WORKSPACE)
    made = open_connection(path, key, writes=True)
    for statement in ("PRAGMA foreign_keys = OFF", "BEGIN", MANY, "COMMIT"):
        made.execute(statement)
    made.close()
    for sql in (EXAMPLES[0].sql, EXAMPLES[4].sql, "SELECT count(*) FROM messages",
                "SELECT conversation_id, count(*) AS n FROM messages GROUP BY 1 ORDER BY n DESC LIMIT 20",
                "SELECT * FROM messages WHERE text LIKE '%123456%'", "SELECT text FROM messages ORDER BY text"):
        found = await Questions().ask(path, key, tmp_path / "lock", Question(
            sql=sql, values={"from": "2024-01-01", "to": "2024-03-01"}, views=views_for(masked=False)))
        assert not found.problem and found.rows, (sql, found.problem)
