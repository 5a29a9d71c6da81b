"""Quick replies over HTTP: whose they are, what is refused, what each act leaves, how they are filled, how they go."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from chime.quick_replies.model import UNDO_FOR
from chime.simulator import sample_media
from tests.http.inbox_setup import leaving, rows, talk, until, without_script
from tests.http.people_setup import id_of
from tests.support.world import World

PAGE = "/w/acme/replies"
PAPER = ("a.pdf", b"%PDF", "application/pdf")
PICTURE = ("mug.png", sample_media.product_photo(70, 130, 170), "image/png")


async def team(world: World, name: str, *people: str) -> str:
    """A team of Acme with these people in it; its id."""
    async with world.services.control.ingest("test") as tx:
        team_id = tx.new_id()
        await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES (?, ?, ?, 0)", team_id,
                         world.acme.workspace_id, name)
        for one in people:
            await tx.execute("INSERT INTO team_member (team_id, user_id) VALUES (?, ?)", team_id,
                             await id_of(world, one))
    return team_id


async def save(world: World, name: str, path: str = "", *, files: Any = None, **fields: Any) -> httpx.Response:
    """Somebody sends the form; what it lacks is filled in."""
    client = await world.session(name)
    typed = {"code": "hours", "title": "Opening hours", "text": "Nine to six.", "scope": "everyone", **fields}
    return await client.post(PAGE + path, data=typed, files=files)


async def made(world: World, name: str, **fields: Any) -> str:
    answer = await save(world, name, **fields)
    assert answer.status_code == 303, answer.text
    found = await rows(world, world.acme, "SELECT id FROM quick_reply ORDER BY id DESC LIMIT 1")
    return str(found[0][0])


async def codes(world: World, name: str, query: str = "") -> set[str]:
    """The shortcuts on somebody's page."""
    page = await (await world.session(name)).get(f"{PAGE}?{query}")
    assert page.status_code == 200
    return set(re.findall(r'<code class="ltr">/([\w-]+)</code>', page.text))


async def offered(world: World, name: str, base: str, typed: str = "") -> list[tuple[str, str]]:
    """What the composer offers to somebody: shortcut and text."""
    answer = await (await world.session(name)).get(f"{base}/replies", params={"q": typed})
    assert answer.status_code == 200, answer.text
    return list(zip(re.findall(r'<b class="ltr">/([\w-]+)</b>', answer.text),
                    re.findall(r'data-text="([^"]*)"', answer.text), strict=True))


async def test_each_sees_their_own_their_teams_and_everybodys(world: World) -> None:
    desk, shop = await team(world, "Desk", "mo", "kim"), await team(world, "Shop")
    await made(world, "kim", code="kims", scope="personal")
    await made(world, "mo", code="desks", scope="team", team_id=desk)
    await made(world, "alice", code="shops", scope="team", team_id=shop)
    await made(world, "mo", code="all")
    assert await codes(world, "kim") == {"kims", "desks", "all"}
    assert await codes(world, "mo") == {"desks", "all"}
    assert await codes(world, "alice") == {"desks", "shops", "all"}, "all teams', nobody's own"
    assert await codes(world, "bob") == {"all"}
    assert await codes(world, "kim", "scope=team") == {"desks"} and await codes(world, "kim", "q=KIMS") == {"kims"}
    assert (await (await world.session("vera")).get(PAGE)).status_code == 403
    assert (await (await world.session("kim")).get(f"{PAGE}?scope=nobody")).status_code == 404


async def test_what_a_role_may_not_change_stays(world: World) -> None:
    desk, shop = await team(world, "Desk", "mo", "kim"), await team(world, "Shop")
    ours = await made(world, "mo", code="desks", scope="team", team_id=desk)
    theirs = await made(world, "alice", code="shops", scope="team", team_id=shop)
    own = await made(world, "kim", code="kims", scope="personal")
    before = await rows(world, world.acme, "SELECT * FROM quick_reply ORDER BY id")
    for name, path, fields, status in (
            ("kim", "", {"code": "a"}, 403), ("bob", "", {"code": "a"}, 403),
            ("kim", "", {"code": "a", "scope": "team", "team_id": desk}, 403),
            ("mo", "", {"code": "a", "scope": "team", "team_id": shop}, 403),
            ("mo", "", {"code": "a", "scope": "team", "team_id": "none"}, 422),
            ("mo", "", {"code": "a", "scope": "secret"}, 422),
            ("kim", f"/{ours}", {"code": "mine", "scope": "personal"}, 403), ("kim", f"/{ours}/removal", {}, 403),
            ("mo", f"/{theirs}", {}, 404), ("alice", f"/{own}", {}, 404), ("alice", f"/{own}/removal", {}, 404),
            ("mo", f"/{own}/restoration", {}, 404), ("vera", "", {"scope": "personal"}, 403)):
        assert (await save(world, name, path, **fields)).status_code == status, (name, path, fields)
    assert await rows(world, world.acme, "SELECT * FROM quick_reply ORDER BY id") == before


async def test_a_form_that_does_not_fit_keeps_what_was_typed(world: World) -> None:
    await made(world, "mo", code="taken")
    for fields, part in (({"code": "Taken"}, "with this shortcut already"), ({"code": "a b"}, "no spaces"),
                         ({"title": ""}, "Give it a title"), ({"text": ""}, "Write a text or add a file"),
                         ({"text": "Dear {{contact.nmae}}"}, "There is no {{contact.nmae}}")):
        answer = await save(world, "mo", **{"code": "new", "title": "My title", **fields})
        assert answer.status_code == 422 and part in answer.text, (fields, answer.text)
        assert "title" in fields or 'value="My title"' in answer.text
    assert await codes(world, "mo") == {"taken"}
    await made(world, "kim", code="mine", scope="personal")
    await made(world, "bob", code="mine", scope="personal")
    await made(world, "mo", code="mine", scope="personal")


async def test_each_act_leaves_its_row_and_nothing_else(world: World) -> None:
    maya, mo = await talk(world), await world.session("mo")
    async with leaving(world, mo) as left:
        reply_id = await made(world, "mo")
    assert left.audit == [("quick_reply.created", "quick_reply", reply_id)] and not left.nudges
    for path, action in ((f"/{reply_id}", "edited"), (f"/{reply_id}/removal", "deleted"),
                         (f"/{reply_id}/restoration", "restored")):
        async with leaving(world, mo) as left:
            assert (await save(world, "mo", path)).status_code == 303
        assert left.audit == [(f"quick_reply.{action}", "quick_reply", reply_id)] and not left.nudges
    async with leaving(world, mo) as left:
        assert (await mo.post(f"{maya.base}/replies/{reply_id}/use")).status_code == 204
    assert left.audit == [("quick_reply.used", "quick_reply", reply_id)] and not left.nudges
    assert (await rows(world, world.acme, "SELECT used_count, used_at > 0 FROM quick_reply"))[0] == (1, 1)
    written = await rows(world, world.acme, "SELECT details_json FROM audit_event WHERE action LIKE 'quick_reply.%'")
    assert not [row for row in written if "Nine" in row[0]]


async def test_blanks_are_filled_for_this_customer(world: World) -> None:
    maya = await talk(world)
    await made(world, "mo", code="hello", text="Dear {{contact.first_name}}, {{agent.first_name}} of {{workspace.name}}"
               " ({{channel.name}}) here. {{contact.username|No username}}; {{contact.fields.city}}.")
    assert await offered(world, "alice", maya.base, "hel") == [
        ("hello", "Dear Maya, Alice of Acme (Acme) here. No username; {{contact.fields.city}}.")]
    alice = await world.session("alice")
    opened = "SELECT object_id FROM audit_event WHERE action = 'contact.opened'"
    assert await until(lambda: rows(world, world.acme, opened)) == [(maya.contact_id,)], "a look at somebody is one"
    async with world.client(await world.key(world.acme)) as script:
        await script.patch(f"/api/v1/contacts/{maya.contact_id}", json={"fields": {"city": "Pune"}})
    assert (await offered(world, "alice", maya.base))[0][1].endswith("; Pune.")
    preview = await alice.post(f"{PAGE}/preview", data={"text": "*Hi* {{contact.first_name}} <b>"})
    assert "<strong>Hi</strong> Maya &lt;b&gt;" in preview.text


async def test_a_number_is_masked_for_who_may_not_see_it(world: World) -> None:
    maya = await talk(world)
    await made(world, "mo", code="number", text="We call {{contact.phone}} or {{contact.fields.second}}")
    async with world.client(await world.key(world.acme)) as script:
        await script.patch(f"/api/v1/contacts/{maya.contact_id}", json={"fields": {"second": "+4915112345678"}})
    alice = await world.session("alice")
    await alice.post(f"{maya.base}/assignment", data={"assignee_id": await id_of(world, "bob")})
    assert await offered(world, "alice", maya.base) == [("number", "We call +14155550101 or +4915112345678")]
    assert await offered(world, "bob", maya.base) == [("number", "We call +1 ••••• ••101 or +49 ••••• ••678")]


async def test_what_fits_best_is_offered_first(world: World) -> None:
    maya = await talk(world)
    for code, title in (("zhours", "Holidays"), ("ho", "Short"), ("hours", "Opening")):
        await made(world, "mo", code=code, title=title)
    await made(world, "alice", code="ahours", scope="personal", title="Mine")
    assert [code for code, _ in await offered(world, "alice", maya.base, "ho")] == ["ho", "hours", "ahours", "zhours"]
    assert [code for code, _ in await offered(world, "alice", maya.base, "HOLI")] == ["zhours"]
    assert await offered(world, "alice", maya.base, "nothing%") == []
    for stranger in ("charlie", "bob"):  # bob is an agent, and this is not assigned to him
        answer = await (await world.session(stranger)).get(f"{maya.base}/replies")
        assert answer.status_code == 404


async def test_files_are_stored_served_and_forgotten(world: World) -> None:
    reply_id = await made(world, "mo", text="", files=[("files", PICTURE), ("files", PAPER)])
    stored = await rows(world, world.acme, "SELECT id, filename, kind FROM quick_reply_file ORDER BY position")
    assert [row[1:] for row in stored] == [("mug.png", "image"), ("a.pdf", "document")]
    mo = await world.session("mo")
    preview = await mo.post(f"{PAGE}/preview?reply={reply_id}", data={"text": "Words"})
    assert preview.text.index("mug.png") < preview.text.index("Words") < preview.text.index("a.pdf"), "under the first"
    kim = await world.session("kim")
    picture = await kim.get(f"{PAGE}/files/{stored[0][0]}")
    assert picture.content == PICTURE[1] and picture.headers["content-type"] == "image/png"
    paper = await kim.get(f"{PAGE}/files/{stored[1][0]}")
    assert paper.headers["content-disposition"].startswith("attachment") and "sandbox" in paper.headers[
        "content-security-policy"]
    assert (await save(world, "mo", f"/{reply_id}", text="", drop=stored[0][0])).status_code == 303
    await world.settle()
    assert (await kim.get(f"{PAGE}/files/{stored[0][0]}")).status_code == 404
    async with world.workspace(world.acme) as workspace:
        assert await workspace.db.rows("SELECT id FROM quick_reply_file") == [(stored[1][0],)]
        assert workspace.files.after("", 10) == [f"{stored[1][0][-2:]}/{stored[1][0]}"]
    own = await made(world, "mo", code="own", scope="personal", text="", files=[("files", PICTURE)])
    secret = (await rows(world, world.acme, "SELECT id FROM quick_reply_file WHERE reply_id = ?", own))[0][0]
    assert (await kim.get(f"{PAGE}/files/{secret}")).status_code == 404


@pytest.mark.parametrize(("files", "part"), [
    ([("empty.png", b"", "image/png")], "empty"), ([("big.png", bytes(5 * 1024 * 1024 + 1), "image/png")], "limit is"),
    ([PICTURE] * 11, "at most 10 files")])
async def test_files_whatsapp_would_refuse_are_refused_now(world: World, files: list[Any], part: str) -> None:
    answer = await save(world, "mo", files=[("files", one) for one in files])
    assert answer.status_code == 422 and part in answer.text
    async with world.workspace(world.acme) as workspace:
        assert workspace.files.after("", 20) == [] and not await workspace.db.rows("SELECT 1 FROM quick_reply")


async def test_a_deleted_one_can_be_had_back_for_an_hour(world: World) -> None:
    reply_id = await made(world, "mo", files=[("files", PICTURE)])
    deleted = await save(world, "mo", f"/{reply_id}/removal")
    page = await (await world.session("mo")).get(deleted.headers["location"])
    assert f'action="{PAGE}/{reply_id}/restoration"' in page.text and await codes(world, "mo") == set()
    assert (await save(world, "mo", f"/{reply_id}/restoration")).status_code == 303
    assert await codes(world, "mo") == {"hours"}
    await save(world, "mo", f"/{reply_id}/removal")
    await made(world, "mo")
    assert (await save(world, "mo", f"/{reply_id}/restoration")).status_code == 422, "its shortcut is another's now"
    world.clock.pass_time(UNDO_FOR + 1000)
    world.sessions_are_over()
    assert (await save(world, "mo", f"/{reply_id}/restoration")).status_code == 404
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()
    async with world.workspace(world.acme) as workspace:
        assert not await workspace.db.rows("SELECT 1 FROM quick_reply WHERE id = ?", reply_id)
        assert workspace.files.after("", 10) == []


async def test_the_page_works_without_a_script(world: World) -> None:
    plain, token = without_script(world, await world.session("kim"))
    async with plain:
        answer = await plain.post(PAGE, data={"csrf_token": token, "code": "plain", "title": "Plain", "text": "Yes",
                                              "scope": "personal"})
        assert answer.status_code == 303
        page = await plain.get(answer.headers["location"])
        assert "The quick reply is made." in page.text and "/plain" in page.text


async def test_scripts_do_the_same(world: World) -> None:
    async with world.client(await world.key(world.acme)) as script:
        made_by_script = await script.post("/api/v1/quick-replies", json={
            "code": "Hours", "title": "Opening hours", "text": "Nine to six."})
        assert made_by_script.status_code == 201, made_by_script.text
        one = made_by_script.json()
        assert (one["code"], one["scope"], one["files"], one["used_at"]) == ("hours", "everyone", [], None)
        again = await script.post("/api/v1/quick-replies", json={"code": "hours", "title": "x", "text": "{{no}}"})
        assert {error["field"] for error in again.json()["errors"]} == {"text"}
        mine = await script.post("/api/v1/quick-replies", json={"code": "m", "title": "x", "text": "x",
                                                                "scope": "personal"})
        assert mine.status_code == 403, "a key made at the shell is nobody's"
        changed = await script.patch(f"/api/v1/quick-replies/{one['id']}", json={"text": "Ten to five."})
        assert changed.json()["text"] == "Ten to five." and changed.json()["title"] == "Opening hours"
        listed = (await script.get("/api/v1/quick-replies")).json()
        assert [row["id"] for row in listed["items"]] == [one["id"]] and listed["next_cursor"] is None
        assert (await script.delete(f"/api/v1/quick-replies/{one['id']}")).status_code == 204
        assert (await script.get("/api/v1/quick-replies")).json()["items"] == []
    async with world.client(await world.key(world.acme, "inbox:reply")) as reader:
        assert (await reader.get("/api/v1/quick-replies")).status_code == 200
        assert (await reader.post("/api/v1/quick-replies", json={})).status_code == 403


async def bring_in(world: World, name: str, text: str) -> httpx.Response:
    client = await world.session(name)
    return await client.post(f"{PAGE}/table", files={"table": ("r.csv", text.encode(), "text/csv")})


async def test_a_table_comes_back_as_it_went(world: World) -> None:
    desk = await team(world, "Desk", "mo")
    await made(world, "mo", code="one", text='=SUM(1)\n"quoted", *bold*', category="'Shop")
    await made(world, "mo", code="two", scope="team", team_id=desk)
    await made(world, "mo", code="three", scope="personal")
    columns = "SELECT code, title, category, text, scope, owner_id, team_id FROM quick_reply ORDER BY code"
    before = await rows(world, world.acme, columns)
    mo = await world.session("mo")
    table = await mo.get(f"{PAGE}/table")
    assert table.headers["content-type"].startswith("text/csv") and '"=SUM' not in table.text
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        await tx.execute("DELETE FROM quick_reply")
    assert (await bring_in(world, "mo", table.text)).status_code == 303
    assert await rows(world, world.acme, columns) == before


async def test_a_table_comes_in_whole_or_not_at_all(world: World) -> None:
    head, good = "code,title,scope,team,text\n", "a,A,everyone,,Yes\n"
    for rest, part in ((good + "b b,B,everyone,,Yes\n", "3, code"), (good + good, "3, code"),
                       (good + "b,B,nobody,,x\n", "3, scope"), (good + "b,B,team,Nowhere,x\n", "3, team"),
                       (good + "b,B,everyone,,{{who}}\n", "3, text")):
        answer = await bring_in(world, "mo", head + rest)
        assert answer.status_code == 422 and part in answer.text, (rest, answer.text)
    assert "2, scope" in (await bring_in(world, "kim", head + good)).text
    assert "no CSV" in (await (await world.session("mo")).post(f"{PAGE}/table", files={
        "table": ("r.csv", b"\xff\xfe\x00", "text/csv")})).text
    assert "name the columns" in (await bring_in(world, "mo", "a,b\n1,2\n")).text
    assert await rows(world, world.acme, "SELECT 1 FROM quick_reply") == []
