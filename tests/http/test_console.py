"""The operators' console: figures that are right, limits and suspensions that hold, and never a customer's word."""

from __future__ import annotations

import re

import httpx
import msgspec
import pytest

from chime.clock import DAY, MINUTE
from chime.console import look
from chime.errors import Refused
from chime.security.permissions import OPERATOR
from chime.workspaces import create_workspace, quotas
from tests.http.inbox_setup import rows, talk
from tests.http.support_setup import operator
from tests.support.canaries import day
from tests.support.webhook_bodies import Customer, body, inbound, seconds, text
from tests.support.world import ACME_NUMBER, Tenant, World

PAGE = "/installation/workspaces"
DANA = Customer("Dana Scully", "14155550142", "US.DanaUser", "dana")


def one(world: World, tenant: Tenant | None = None) -> str:
    return f"{PAGE}/{(tenant or world.acme).workspace_id}"


def line(page: str, name: str) -> list[str]:
    """The cells of a workspace in the list, without tags."""
    row = next(row for row in re.findall(r"<tr>(.*?)</tr>", page, re.S) if f">{name}</a>" in row)
    cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)
    return [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in cells]


async def limit(world: World, client: httpx.AsyncClient, **fields: str) -> None:
    assert (await client.post(f"{one(world)}/quota", data=fields)).status_code == 303


async def test_only_operators_see_it_and_strangers_find_nothing(world: World) -> None:
    olga = await operator(world)
    for path in (PAGE, f"{PAGE}/new", one(world), one(world, world.globex), "/installation/appliance"):
        assert (await olga.get(path)).status_code == 200, path
    for name in ("mo", "kim", "bob", "vera", "charlie"):
        somebody = await world.session(name)
        for path in (PAGE, f"{PAGE}/new", one(world), "/installation/appliance"):
            assert (await somebody.get(path)).status_code == 403, (name, path)
        for path in ("suspension", "resumption", "quota", "owner"):
            assert (await somebody.post(f"{one(world)}/{path}")).status_code == 403
        assert (await somebody.post(PAGE, data={"name": "Mine", "email": "a@example.com"})).status_code == 403
    assert (await olga.get(f"{PAGE}/nobody")).status_code == 404
    for path in ("suspension", "resumption", "quota"):
        answer = await olga.post(f"{PAGE}/nobody/{path}", data={"reason": "because"})
        assert answer.status_code == 404, path
    assert (await olga.get("/w/acme/inbox")).status_code == 404, "an operator opens no workspace"


async def test_the_figures_are_those_of_the_files(world: World) -> None:
    olga = await operator(world)
    said = await talk(world, "hello")
    await said.reply(await world.session("alice"), "hello yourself")
    await look(world.services)
    shown = line((await olga.get(PAGE)).text, "Acme")
    assert shown[3] == "2" and shown[7:] == ["5", "1"] and shown[1] == "In order", shown
    folder = world.data_dir / "workspaces" / world.acme.workspace_id
    size = (folder / "workspace.db").stat().st_size
    kept = (await world.services.control.db.rows(
        "SELECT database_bytes, waiting, webhook_at FROM workspace_usage WHERE workspace_id = ?",
        world.acme.workspace_id))[0]
    assert kept[0] >= size and kept[1] == 0 and kept[2]
    page = (await olga.get(one(world))).text
    assert "Messages a day" in page and "<rect" in page
    assert line((await olga.get(PAGE)).text, "Globex")[3] == "0"


async def test_a_day_with_many_messages_is_counted_beside_the_loop(
    world: World, monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = await talk(world, "hello")
    await said.reply(await world.session("alice"), "hello yourself")
    monkeypatch.setattr(quotas, "FEW", 1)
    async with world.workspace(world.acme) as workspace:
        today, reads = quotas.start_of(world.clock.now()), workspace.db.long_reads
        on_the_loop = await quotas.counted(workspace.db, today)
        assert await quotas.counted(workspace.db, today, aside=reads) == on_the_loop == (1, 1)
        assert reads._connection is not None
        assert await quotas.counted(workspace.db, today - DAY, today, aside=reads) == (0, 0)


async def test_what_was_counted_today_is_not_counted_again(world: World) -> None:
    said, alice = await talk(world, "hello"), await world.session("alice")
    async with world.workspace(world.acme) as workspace:
        db, today = workspace.db, quotas.start_of(world.clock.now())

        async def counted_on(before: quotas.Tally | None, since: int = today) -> quotas.Tally:
            return await quotas.counted_on(db, since, before, aside=db.long_reads)

        first = await counted_on(None)
        assert (first.received, first.sent) == (1, 0) and await counted_on(first) == first
        await said.reply(alice, "hello yourself")
        await said.says("and you?")
        second = await counted_on(first)
        assert (second.received, second.sent) == (2, 1) == await quotas.counted(db, today)
        pretended = msgspec.structs.replace(second, received=1_000)
        assert (await counted_on(pretended)).received == 1_000, "read again"
        of_a_newer_file = msgspec.structs.replace(pretended, following=second.following + 5)
        assert (await counted_on(of_a_newer_file)).received == 2, "a restored file knows less"
        assert (await counted_on(pretended, today - DAY)).received == 2, "another day"


async def test_what_waits_to_be_applied_is_told(world: World) -> None:
    olga = await operator(world)
    await olga.post(f"{one(world)}/suspension", data={"reason": "unpaid"})
    world.clock.pass_time(1_000)
    late = text(DANA, "wamid.late", seconds(world), "are you there?")
    assert (await world.webhook(body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, late)))).status_code == 200
    world.clock.advance(3 * MINUTE)
    await look(world.services)
    shown = line((await olga.get(PAGE)).text, "Acme")
    assert shown[1] == "Suspended" and shown[5] == "3 min", shown
    assert "1 delivery" in (await olga.get(one(world))).text
    assert "Acme" in (await olga.get(f"{PAGE}?state=attention")).text
    await olga.post(f"{one(world)}/resumption")
    world.clock.pass_time(1_000)
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()
    await look(world.services)
    assert line((await olga.get(PAGE)).text, "Acme")[5] == "–"


async def test_a_list_is_sorted_filtered_searched_and_paged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    olga, services = await operator(world), world.services
    async with services.control.write(OPERATOR) as tx:
        for number in range(4):
            await create_workspace(tx, world.data_dir, services.control.keys, services.ids, name=f"Shop {number}")
    await look(services)
    monkeypatch.setattr("chime.console.pages.AT_ONCE", 2)
    for sort in ("name", "size", "messages", "webhook", "lag", "members", "numbers"):
        seen: list[str] = []
        path = f"{PAGE}?sort={sort}"
        while path:
            shown = (await olga.get(path)).text
            seen += re.findall(r'<th scope="row"><a [^>]*>([^<]+)</a>', shown)
            more = re.search(r'href="(\?[^"]*cursor=[^"]*)"', shown)
            path = PAGE + more.group(1).replace("&amp;", "&") if more else ""
        assert len(seen) == len(set(seen)) == 6, (sort, seen)
        if sort == "name":
            assert seen == sorted(seen)
        if sort == "members":
            assert seen[:2] == ["Acme", "Globex"]
    found = (await olga.get(f"{PAGE}?q=SHOP+3")).text
    assert "Shop 3" in found and "Acme" not in found
    assert "No workspace like that" in (await olga.get(f"{PAGE}?q=%25")).text
    assert "No workspace like that" in (await olga.get(f"{PAGE}?state=suspended")).text
    assert (await olga.get(f"{PAGE}?cursor=nonsense")).status_code == 422
    assert (await olga.get(f"{PAGE}?sort=nonsense&state=nonsense")).status_code == 200


async def test_a_suspension_says_why_and_a_resumption_brings_all_back(world: World) -> None:
    olga, alice, charlie = await operator(world), await world.session("alice"), await world.session("charlie")
    mo = await world.session("mo")
    refused = await olga.post(f"{one(world)}/suspension", data={"reason": "  "})
    assert refused.status_code == 422 and "Write why" in refused.text
    assert (await olga.post(f"{one(world)}/suspension", data={"reason": "The invoice is <b>open</b>"})
            ).status_code == 303
    world.clock.pass_time(1_000)
    told = await alice.get("/w/acme/inbox")
    assert told.status_code == 404 and "is suspended" in told.text and "The invoice is &lt;b&gt;open" in told.text
    assert "is suspended" in (await mo.get("/", follow_redirects=True)).text
    stranger = await charlie.get("/w/acme/inbox")
    assert stranger.status_code == 404 and "suspended" not in stranger.text and "invoice" not in stranger.text
    assert "The invoice is" in (await olga.get(one(world))).text
    assert (await olga.post(f"{one(world)}/resumption")).status_code == 303
    world.clock.pass_time(1_000)
    assert (await alice.get("/w/acme/inbox")).status_code == 200
    trail = await world.services.control.db.rows(
        "SELECT action, actor_name FROM audit_event WHERE action LIKE 'workspace.%ed' AND object_id = ? "
        "ORDER BY sequence", world.acme.workspace_id)
    assert trail[-2:] == [("workspace.suspended", "Olga"), ("workspace.resumed", "Olga")]


async def test_suspending_limiting_and_making_want_a_fresh_proof(world: World) -> None:
    olga = await operator(world)
    world.clock.pass_time(11 * 60_000)
    for path, fields in ((f"{one(world)}/suspension", {"reason": "x"}), (f"{one(world)}/quota", {"members": "1"}),
                         (f"{one(world)}/resumption", {}), (PAGE, {"name": "New", "email": "new@example.com"})):
        answer = await olga.post(path, data=fields)
        assert answer.status_code == 303 and answer.headers["location"].startswith("/me/confirm"), path
    assert await world.services.control.db.value("SELECT count(*) FROM workspace WHERE state = 'active'") == 2
    assert not await world.services.control.db.value("SELECT count(*) FROM workspace_quota")


async def test_a_day_holds_so_many_messages_and_what_comes_in_is_taken(world: World) -> None:
    olga, alice = await operator(world), await world.session("alice")
    said = await talk(world, "hello")
    await said.reply(alice, "one")
    await limit(world, olga, messages="2")
    await said.reply(alice, "two")
    key = await world.key(world.acme)
    async with world.client(key) as script:
        answer = await script.post("/api/v1/messages", json={"to": f"+{said.customer.phone}", "type": "text",
                                                             "text": {"body": "three"}})
    assert answer.status_code == 422 and answer.json()["code"] == "quota", answer.text
    assert "as many messages today" in answer.json()["detail"]
    assert len(await rows(world, world.acme, "SELECT 1 FROM message WHERE direction = 'out'")) == 2
    again = await talk(world, "still there?", name="Nina Later", phone="14155550999")
    taken = await rows(world, world.acme, "SELECT 1 FROM message WHERE conversation_id = ?", again.id)
    assert taken, "nothing inbound is refused"
    world.clock.advance(DAY)
    await again.says("and today?")
    await again.reply(alice, "the next day it goes on")
    await limit(world, olga)
    assert not await rows(world, world.acme, "SELECT 1 FROM meta WHERE key = 'quota' "
                          "AND json_extract(value, '$.messages') > 0")


async def test_members_numbers_and_room_are_limited_at_their_doors(world: World) -> None:
    olga, alice = await operator(world), await world.session("alice")
    await limit(world, olga, members="5", numbers="1", megabytes="1")
    form = {"email": "sixth@example.com", "role": "viewer", "numbers": "all"}
    answer = await alice.post("/w/acme/settings/invitations", data=form)
    assert answer.status_code == 422 and "as many members" in answer.text
    await limit(world, olga, members="6", numbers="1", megabytes="1")
    assert (await alice.post("/w/acme/settings/invitations", data=form)).status_code in (200, 303)
    with pytest.raises(Refused, match="as many numbers"):
        await quotas.need_number(world.services.control.db, world.acme.workspace_id)
    said = await talk(world, "hello")
    picture = {"file": ("a.png", b"\x89PNG\r\n\x1a\n" + b"0" * 200, "image/png")}
    sent = await alice.post(f"/w/acme/inbox/{said.id}/files", files=picture)
    assert sent.status_code == 422 and "no room left" in sent.text, (sent.status_code, sent.text[:300])
    await limit(world, olga)
    sent = await alice.post(f"/w/acme/inbox/{said.id}/files", files=picture)
    assert "no room left" not in sent.text


async def test_a_limit_that_is_no_number_is_told_field_by_field(world: World) -> None:
    olga = await operator(world)
    for typed in ("0", "-1", "1.5", "lots", "9" * 30, "١٢"):
        answer = await olga.post(f"{one(world)}/quota", data={"messages": typed, "members": typed})
        assert answer.status_code == 422 and answer.text.count("Write a whole number") == 2, typed
        assert f'value="{typed}"' in answer.text, "what was typed is kept"


async def test_a_workspace_is_made_and_its_owner_comes_in(world: World) -> None:
    olga = await operator(world)
    for fields, words in (({"name": "", "email": "o@example.com"}, "Give the workspace a name"),
                          ({"name": "Initech", "email": "nothing"}, "Write an email address"),
                          ({"name": "acme", "email": "o@example.com"}, "of this name already")):
        refused = await olga.post(PAGE, data=fields)
        assert refused.status_code == 422 and words in refused.text
    made = await olga.post(PAGE, data={"name": "Initech", "email": "olaf@example.com"})
    assert made.status_code == 200
    token = re.search(r"/invitations/([\w-]+)", made.text)
    assert token is not None
    async with httpx.AsyncClient(base_url=world.base, timeout=20) as olaf:
        link = f"/invitations/{token.group(1)}"
        assert "Initech" in (await olaf.get(link)).text
        entered = await olaf.post(link, data={"name": "Olaf", "password": "an unlikely sentence of his"},
                                  headers={"Origin": world.base})
        assert entered.status_code == 303, entered.text
        assert (await olaf.get("/w/initech/settings")).status_code == 200
    workspace_id = await world.services.control.db.value("SELECT id FROM workspace WHERE name = 'Initech'")
    assert (await olga.get("/w/initech/settings")).status_code == 404, "who makes it is no member of it"
    late = await olga.post(f"{PAGE}/{workspace_id}/owner", data={"email": "other@example.com"})
    assert late.status_code == 409 and "has an owner already" in late.text


async def test_no_page_shows_a_word_a_name_or_a_number_of_a_customer(world: World) -> None:
    canaries = await day(world)
    await look(world.services)
    olga = await operator(world)
    pages = [PAGE, *(f"{PAGE}?sort={sort}" for sort in ("size", "lag")), f"{PAGE}?state=attention", f"{PAGE}/new",
             one(world), one(world, world.globex), "/installation/appliance", "/installation/keys",
             "/installation/support"]
    own = {"the CSRF token"}
    for path in pages:
        answer = await olga.get(path)
        assert answer.status_code == 200
        leaked = [what for what, secret in canaries.items() if what not in own and secret in answer.text]
        assert not leaked, (path, leaked)
