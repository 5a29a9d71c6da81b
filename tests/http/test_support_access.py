"""Support access (T98): no way in but the one an owner opens, which everybody sees and which ends."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from chime.accounts.model import Policy
from chime.clock import HOUR, MINUTE
from chime.security.permissions import GRANTS, OPERATOR, Permission, Role
from chime.security.support import READS, UNMASKED, WRITES, support_grants
from tests.http.inbox_setup import listening, talk
from tests.http.support_setup import REASON, ask, let_in, newest, operator, trail
from tests.http.test_permissions import Estate, estate, stored, things, ways  # noqa: F401 - a fixture
from tests.support.world import World

# Words of permissions that support never holds, whatever it was granted (security-reliability.md 2.15).
NEVER = ("export", "erase", "reveal", "connect", "approve", "decide", "transfer", "delete", "retention", "api_keys",
         "members", "roles", "teams", "security", "audit", "sessions", "support", "installation", "opt_in", "data:")


async def set_policy(world: World, workspace_id: str, policy: Policy) -> None:
    from chime.accounts.workspace_settings import store_policy

    async with world.services.control.write(OPERATOR) as tx:
        await store_policy(tx, workspace_id, policy, owner_policy=None)
        await tx.audit("security_policy.saved", "workspace", workspace_id)


def test_the_table_of_rights_holds_nothing_that_support_may_never_have() -> None:
    everything = support_grants(READS, writes=True, masked=False)
    assert not [permission for permission in everything if any(word in permission.value for word in NEVER)]
    assert set(everything) <= set(GRANTS[Role.OWNER])
    reads = set(support_grants(READS, writes=False, masked=True))
    assert {permission.value.partition(":")[2] for permission in reads} == {"read"}
    assert Permission.NUMBERS_READ not in support_grants(READS, writes=True, masked=True)
    assert set(WRITES) | set(UNMASKED) <= set(READS)
    assert set(support_grants(["audit", "members", "no such"], writes=True, masked=False)) == {
        Permission.WORKSPACE_READ}


async def test_support_2_an_operator_without_a_grant_finds_nothing_on_any_route(estate: Estate) -> None:  # noqa: F811
    """Over all routes of a workspace, with ids that exist there; asking and being refused changes nothing of it."""
    world = estate.world
    olga = await operator(world)
    named = {name for api in (True, False) for way in ways(api=api) for name in way.names}
    theirs = dict.fromkeys(named, "0" * 26) | estate.theirs

    async def finds_nothing() -> None:
        asked = [way for way in ways(api=False) if "{slug}" in way.path]
        assert len(asked) > 40
        for way in asked:
            assert (await estate.ask(olga, way, theirs)).status_code == 404, way
        for way in ways(api=True):
            assert (await estate.ask(olga, way, theirs)).status_code == 401, way

    before = await stored(world)
    await finds_nothing()
    after = await stored(world)
    # Only that she was refused is written down, and that where the installation's operators see it.
    assert [name for name in before if before[name] != after[name]] in ([], ["control.audit_event"])
    assert (await ask(world, olga, world.globex)).status_code == 303
    await finds_nothing()
    charlie = await world.session("charlie")
    answer = await charlie.post(f"/w/globex/settings/support/{await newest(world, world.globex)}/refusal")
    assert answer.status_code == 303
    await finds_nothing()
    assert (await ask(world, olga, world.globex)).status_code == 303
    grant_id = await let_in(world, charlie, world.globex)
    assert (await olga.get("/w/globex/inbox")).status_code == 200
    assert (await olga.get("/w/acme/inbox")).status_code == 404
    assert (await charlie.post(f"/w/globex/settings/support/{grant_id}/end")).status_code == 303
    await finds_nothing()


async def test_an_owner_reads_the_request_narrows_it_and_lets_support_in(world: World) -> None:
    olga, charlie = await operator(world), await world.session("charlie")
    jo = await talk(world, tenant=world.globex, name="Jo Park", phone="14155550188")
    assert (await ask(world, olga, world.globex, "inbox", "contacts", "channels", writes="yes", minutes="240",
                      whole_numbers="yes")).status_code == 303
    page = (await charlie.get("/w/globex/inbox")).text
    assert "Support asks for access to this workspace." in page
    settings = (await charlie.get("/w/globex/settings/support")).text
    assert REASON in settings and "Olga asks for access" in settings
    grant_id = await newest(world, world.globex)
    widened = await charlie.post(f"/w/globex/settings/support/{grant_id}/approval",
                                 data={"modules": ["inbox", "delivery"], "minutes": "300"})
    assert widened.status_code == 422 and "Choose among the modules that were asked for." in widened.text
    await let_in(world, charlie, world.globex, "inbox", minutes="30")
    found = await world.services.control.db.rows(
        "SELECT modules, writes, masked, ends_at - decided_at FROM support_grant")
    assert found == [("inbox", 0, 1, 30 * MINUTE)]
    thread = await olga.get(f"/w/globex/inbox/{jo.id}")
    assert thread.status_code == 200 and "Support: Olga" in thread.text
    assert "4155550188" not in thread.text.replace(" ", "").replace("-", ""), "numbers are hidden"
    assert "You can read here, but not reply." in thread.text
    assert (await olga.post(f"/w/globex/inbox/{jo.id}/messages", data={"type": "text", "text": "x"})).status_code == 403
    assert (await olga.get("/w/globex/settings/members")).status_code == 403
    assert (await olga.get("/w/globex/settings/audit")).status_code == 403


async def test_every_page_that_support_looks_at_stands_in_the_workspaces_own_trail(world: World) -> None:
    olga, charlie = await operator(world), await world.session("charlie")
    jo = await talk(world, tenant=world.globex, name="Jo Park", phone="14155550188")
    await ask(world, olga, world.globex, writes="yes")
    grant_id = await let_in(world, charlie, world.globex, "inbox", "contacts", writes="yes")
    assert (await olga.get("/w/globex/inbox?q=secretword")).status_code == 200
    assert (await olga.get(f"/w/globex/inbox/{jo.id}")).status_code == 200
    assert (await olga.post(f"/w/globex/inbox/{jo.id}/closure")).status_code < 400
    assert (await olga.get("/w/globex/inbox/" + "0" * 26)).status_code == 404
    said = await trail(world, world.globex)
    assert [row["action"] for row in said] == ["support.requested", "support.granted", "support.viewed",
                                               "support.viewed", "support.acted", "support.viewed"]
    views = [row for row in said if row["object_kind"] == "page"]
    assert {(row["kind"], row["name"], row["on_behalf"]) for row in views} == {
        ("support", "Support: Olga", f"support_grant:{grant_id}")}
    assert views[1]["details"] == {"conversation_id": jo.id} and "secretword" not in str(views)
    closed = (await trail(world, world.globex, "conversation.closed"))[0]
    assert (closed["kind"], closed["on_behalf"]) == ("support", f"support_grant:{grant_id}")
    assert "Support: Olga" in (await charlie.get(f"/w/globex/inbox/{jo.id}")).text


async def test_what_cannot_be_written_down_is_not_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    olga, charlie = await operator(world), await world.session("charlie")
    await ask(world, olga, world.globex)
    await let_in(world, charlie, world.globex)
    async with world.workspace(world.globex) as workspace:
        async def full(record: Any) -> None:
            from chime.errors import Unavailable

            raise Unavailable("no room")

        monkeypatch.setattr(workspace.records, "first", full)
        assert (await olga.get("/w/globex/inbox")).status_code == 503
        assert (await charlie.get("/w/globex/inbox")).status_code == 200
    monkeypatch.undo()


async def test_all_members_see_who_is_inside_and_open_pages_hear_of_it(world: World) -> None:
    olga, alice, vera = await operator(world), await world.session("alice"), await world.session("vera")
    async with listening(vera, world.acme) as stream:
        await ask(world, olga, world.acme)
        grant_id = await let_in(world, alice, world.acme)
        async with asyncio.timeout(10):
            while ("support", grant_id) not in stream.nudges:
                await asyncio.sleep(0.02)
    for reader in (alice, vera, olga):
        page = (await reader.get("/w/acme/inbox")).text
        assert "Support: Olga has access to this workspace." in page and "Numbers are hidden from them." in page
    banner = (await vera.get("/w/acme/support/banner")).text
    assert "Support: Olga" in banner and "End now" not in banner, "a viewer cannot end it"
    assert "End now" in (await alice.get("/w/acme/support/banner")).text
    assert "Leave" in (await olga.get("/w/acme/support/banner")).text
    assert "Support: Olga" not in (await (await world.session("charlie")).get("/w/globex/inbox")).text


@pytest.mark.parametrize("how", ["owner", "operator", "time", "policy", "demoted", "disabled"])
async def test_however_it_ends_it_ends_at_once_and_streams_with_it(world: World, how: str) -> None:
    olga, charlie = await operator(world), await world.session("charlie")
    await ask(world, olga, world.globex)
    grant_id = await let_in(world, charlie, world.globex)
    control = world.services.control
    olga_id = await control.db.value("SELECT id FROM user WHERE email = 'olga@example.com'")
    async with listening(olga, world.globex) as stream:
        if how == "owner":
            assert (await charlie.post(f"/w/globex/settings/support/{grant_id}/end")).status_code == 303
        elif how == "operator":
            assert (await olga.post(f"/installation/support/{grant_id}/end")).status_code == 303
        elif how == "time":
            async with control.ingest("test") as tx:
                await tx.execute("UPDATE support_grant SET ends_at = ?", world.clock.real_now() + 200)
        elif how == "policy":
            await set_policy(world, world.globex.workspace_id, Policy(support_allowed=False))
        else:
            async with control.ingest("test") as tx:
                await tx.execute("UPDATE user SET is_operator = 0 WHERE id = ?" if how == "demoted" else
                                 "UPDATE user SET disabled_at = 1 WHERE id = ?", olga_id)
        await asyncio.wait_for(stream.ended.wait(), 10)
    assert (await olga.get("/w/globex/inbox")).status_code in (404, 303)
    async with asyncio.timeout(10):
        while not (ended := await trail(world, world.globex, "support.ended")):
            await asyncio.sleep(0.05)
    reason = {"owner": "person", "operator": "person", "time": "time", "policy": "policy"}.get(how, "standing")
    assert [row["details"]["reason"] for row in ended] == [reason]
    if how == "policy":
        await set_policy(world, world.globex.workspace_id, Policy(support_allowed=True))
        assert (await olga.get("/w/globex/inbox")).status_code == 404, "what was ended does not come back"
        await set_policy(world, world.globex.workspace_id, Policy(support_allowed=False))
        assert (await ask(world, olga, world.globex)).status_code == 409


async def test_an_access_ends_with_the_owner_who_gave_it(world: World) -> None:
    olga, charlie = await operator(world), await world.session("charlie")
    await ask(world, olga, world.globex)
    await let_in(world, charlie, world.globex)
    async with world.services.control.ingest("test") as tx:
        alice = await tx.value("SELECT id FROM user WHERE email = 'alice@example.com'")
        await tx.execute("INSERT INTO membership (workspace_id, user_id, role, created_at) VALUES (?, ?, 'owner', 1)",
                         world.globex.workspace_id, alice)
        await tx.execute("UPDATE membership SET role = 'admin' WHERE workspace_id = ? AND user_id <> ?",
                         world.globex.workspace_id, alice)
    assert (await olga.get("/w/globex/inbox")).status_code == 404


async def test_nobody_decides_for_themselves_and_nobody_but_an_owner(world: World) -> None:
    alice, mo, charlie = [await world.session(name) for name in ("alice", "mo", "charlie")]
    olga = await operator(world)
    assert (await ask(world, alice, world.acme)).status_code == 422, "who is a member needs no support access"
    await ask(world, olga, world.acme)
    grant_id = await newest(world, world.acme)
    form = {"modules": ["inbox"], "minutes": "30"}
    path = f"/settings/support/{grant_id}/approval"
    assert (await olga.post(f"/w/acme{path}", data=form)).status_code == 404
    assert (await mo.post(f"/w/acme{path}", data=form)).status_code == 403
    assert (await charlie.post(f"/w/globex{path}", data=form)).status_code == 404, "another workspace's request"
    assert (await olga.post(f"/installation/support/{grant_id}/confirmation")).status_code == 409
    assert (await alice.post(f"/installation/support/{grant_id}/confirmation")).status_code == 409
    assert (await ask(world, olga, world.acme)).status_code == 409, "one request at a time"
    assert (await olga.get("/w/acme/inbox")).status_code == 404
    assert (await alice.post(f"/w/acme{path}", data=form)).status_code == 303
    assert (await alice.post(f"/w/acme{path}", data=form)).status_code == 409, "answered already"


async def test_an_emergency_needs_two_operators_and_nobody_can_keep_it_quiet(world: World) -> None:
    olga, alice, charlie = await operator(world), await world.session("alice"), await world.session("charlie")
    answer = await ask(world, olga, world.globex, "inbox", emergency="yes", writes="yes", whole_numbers="yes",
                       minutes="240")
    assert answer.status_code == 303
    grant_id = await newest(world, world.globex)
    assert (await olga.post(f"/installation/support/{grant_id}/confirmation")).status_code == 409, "not by oneself"
    assert (await olga.get("/w/globex/inbox")).status_code == 404
    assert (await charlie.post(f"/w/globex/settings/support/{grant_id}/approval",
                               data={"modules": ["inbox"], "minutes": "60"})).status_code == 404
    assert (await alice.post(f"/installation/support/{grant_id}/confirmation")).status_code == 303
    found = await world.services.control.db.rows(
        "SELECT writes, masked, ends_at - decided_at, is_emergency FROM support_grant")
    assert found == [(0, 1, HOUR, 1)], "reading only, numbers hidden, an hour"
    assert (await olga.get("/w/globex/inbox")).status_code == 200
    assert (await alice.get("/w/globex/inbox")).status_code == 404, "the second operator is not let in by it"
    page = (await charlie.get("/w/globex/inbox")).text
    assert "An emergency, confirmed by a second operator." in page
    granted = next(row for row in await trail(world, world.globex) if row["action"] == "support.granted")
    assert granted["details"]["emergency"] is True and granted["name"] == "Alice"
    assert (await charlie.post(f"/w/globex/settings/support/{grant_id}/end")).status_code == 303
    assert (await olga.get("/w/globex/inbox")).status_code == 404


async def test_a_workspace_that_said_never_is_not_entered_in_an_emergency_either(world: World) -> None:
    olga = await operator(world)
    await set_policy(world, world.globex.workspace_id, Policy(support_allowed=False))
    assert (await ask(world, olga, world.globex, emergency="yes")).status_code == 409
    page = await olga.get("/installation/support")
    assert "switched support off" in page.text


async def test_what_is_typed_stays_when_a_request_cannot_be_taken(world: World) -> None:
    olga = await operator(world)
    answer = await ask(world, olga, world.globex, reason="short", ticket="Ticket 99", modules=[], minutes="7000")
    assert answer.status_code == 422
    for words in ("Say why, in 10 to 500 characters", "Choose at least one module.", "From 5 minutes to 4 hours.",
                  'value="Ticket 99"', "short</textarea>"):
        assert words in answer.text, words
    assert await world.services.control.db.value("SELECT count(*) FROM support_grant") == 0


async def test_a_request_lapses_after_a_day(world: World) -> None:
    olga, charlie = await operator(world), await world.session("charlie")
    await ask(world, olga, world.globex)
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE support_grant SET requested_at = requested_at - ?", 24 * HOUR + 1)
    assert "Support asks for access" not in (await charlie.get("/w/globex/inbox")).text
    answer = await charlie.post(f"/w/globex/settings/support/{await newest(world, world.globex)}/approval",
                                data={"modules": ["inbox"], "minutes": "30"})
    assert answer.status_code == 409


async def test_what_the_table_itself_refuses(world: World) -> None:
    """A bug, or a hand in the file: no self-approval, no longer than was granted, no unmasked emergency."""
    olga = await operator(world)
    await ask(world, olga, world.globex)
    db = world.services.control
    me = await db.db.value("SELECT id FROM user WHERE email = 'olga@example.com'")
    charlie = await db.db.value("SELECT id FROM user WHERE email = 'charlie@example.com'")
    for change, value in (("decided_by = ?, decided_at = 1, ends_at = 2, state = 'active'", me),
                          ("decided_by = ?, decided_at = 1, ends_at = 99999999, state = 'active'", charlie),
                          ("is_emergency = 1, masked = 0, operator_id = ?", me),
                          ("minutes = 241, operator_id = ?", me)):
        with pytest.raises(Exception, match="CHECK"):
            async with db.ingest("test") as tx:
                await tx.execute(f"UPDATE support_grant SET {change}", value)
    assert isinstance(await things(await talk(world)), dict)


async def test_the_owners_are_mailed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, str, str]] = []

    async def send(to: str, subject: str, text: str, **options: Any) -> str:
        sent.append((to, subject, text))
        return "id"

    mailer = world.services.mailer
    monkeypatch.setattr(type(mailer), "configured", property(lambda self: True))
    monkeypatch.setattr(mailer, "send", send)
    olga, alice, charlie = await operator(world), await world.session("alice"), await world.session("charlie")
    await ask(world, olga, world.globex)
    await charlie.post(f"/w/globex/settings/support/{await newest(world, world.globex)}/refusal")
    await ask(world, olga, world.globex, emergency="yes")
    await alice.post(f"/installation/support/{await newest(world, world.globex)}/confirmation")
    assert [(to, subject) for to, subject, _ in sent] == [
        ("charlie@example.com", "Support asks for access"), ("olga@example.com", "Support access refused"),
        ("charlie@example.com", "Support went in: an emergency")]
    assert all(REASON not in text for _, _, text in sent), "reasons stay behind the sign-in"
    assert f"{world.base}/w/globex/settings/support" in sent[0][2]


async def test_a_signed_out_visitor_learns_nothing(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.base) as nobody:
        assert (await nobody.get("/installation/support")).status_code == 303
