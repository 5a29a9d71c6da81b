"""Numbers and their credentials on pages: each is tried with Meta first, replaced by itself, and never shown."""

from __future__ import annotations

import msgspec
import pytest

from chime import accounts
from chime.simulator import Number
from chime.simulator.model import Token
from tests.http.inbox_setup import rows, until
from tests.support.webhook_bodies import Customer, body, inbound, seconds, text
from tests.support.world import ACCESS_TOKEN, ACME_NUMBER, APP_SECRET, VERIFY_TOKEN, World

PAGE = "/w/acme/settings/channels"
NEW_TOKEN = "EAAanewtokenofthetests0123456789ABCD"
NEW_SECRET = "another app secret of the tests"
SECRETS = (ACCESS_TOKEN, APP_SECRET, VERIFY_TOKEN, NEW_TOKEN, NEW_SECRET)
DANA = Customer("Dana", "14155550123", "US.dana", "dana")
THIRD = Number(phone_number_id="611222333444555", waba_id="677001122334455", display_phone_number="+1 555-010-0400",
               verified_name="Acme two")
FORM = {"phone_number_id": THIRD.phone_number_id, "waba_id": THIRD.waba_id, "display_phone": "+1 555 010 0400",
        "app_id": "200300400500600", "access_token": ACCESS_TOKEN}


def another_token(world: World, value: str = NEW_TOKEN) -> None:
    known = world.simulator.world.tokens
    known[value] = msgspec.structs.replace(known[ACCESS_TOKEN]) if isinstance(known[ACCESS_TOKEN], Token) else known[
        ACCESS_TOKEN]


def tells_no_secret(page: str) -> None:
    assert not [secret for secret in SECRETS if secret in page]


async def test_the_list_tells_state_and_ending_and_no_credential(world: World) -> None:
    alice = await world.session("alice")
    page = (await alice.get(PAGE)).text
    tells_no_secret(page)
    assert f"••••{ACCESS_TOKEN[-4:]}" in page and "connected" in page
    checked = await alice.post(f"{PAGE}/{world.acme.channel_id}/checks")
    assert checked.status_code == 200 and "1 apps subscribed" in checked.text
    assert (await alice.get("/w/globex/settings/channels")).status_code == 404


async def test_only_who_may_connect_sees_the_credentials_page(world: World) -> None:
    for name, seen in (("mo", 200), ("bob", 200), ("vera", 200)):
        client = await world.session(name)
        page = await client.get(PAGE)
        assert page.status_code == seen and "••••" not in page.text
        assert (await client.get(f"{PAGE}/{world.acme.channel_id}")).status_code == 403
        assert (await client.post(f"{PAGE}/{world.acme.channel_id}/access-token",
                                  data={"access_token": NEW_TOKEN})).status_code == 403


async def test_a_token_is_replaced_alone_and_only_by_one_that_works(world: World) -> None:
    alice, place = await world.session("alice"), f"{PAGE}/{world.acme.channel_id}"
    refused = await alice.post(f"{place}/access-token", data={"access_token": NEW_TOKEN})
    assert refused.status_code == 422 and "WhatsApp does not take it" in refused.text
    tells_no_secret(refused.text)
    another_token(world)
    assert (await alice.post(f"{place}/access-token", data={"access_token": NEW_TOKEN})).status_code == 303
    page = (await alice.get(place)).text
    tells_no_secret(page)
    assert f"••••{NEW_TOKEN[-4:]}" in page
    await world.settle()
    async with world.workspace(world.acme) as workspace:
        sealed, previous = (await workspace.db.rows("SELECT access_token_sealed, previous_access_token_sealed "
                                                    "FROM channel"))[0]
        opened = workspace.vault.open(sealed, table="channel", row=world.acme.channel_id, column="access_token")
    assert opened.reveal() == NEW_TOKEN and previous is None, "the check with the new one worked"
    unchanged = await alice.post(f"{place}/access-token", data={"access_token": ""})
    assert unchanged.status_code == 422 and "nothing was changed" in unchanged.text


async def test_a_token_that_is_refused_before_it_ever_worked_gives_way_to_the_one_before(world: World) -> None:
    alice, place = await world.session("alice"), f"{PAGE}/{world.acme.channel_id}"
    another_token(world)
    world.services.runner._stopping = True  # the check shall run when we say so
    assert (await alice.post(f"{place}/access-token", data={"access_token": NEW_TOKEN})).status_code == 303
    del world.simulator.world.tokens[NEW_TOKEN]
    world.services.runner._stopping = False
    world.services.runner.start(world.acme.workspace_id, "channels.check", world.acme.channel_id)
    await world.settle()
    async with world.workspace(world.acme) as workspace:
        last, previous, state = (await workspace.db.rows(
            "SELECT access_token_last_four, previous_access_token_sealed, state FROM channel"))[0]
    assert (last, previous, state) == (ACCESS_TOKEN[-4:], None, "connected")


async def test_both_app_secrets_sign_while_one_follows_the_other(world: World) -> None:
    alice, place = await world.session("alice"), f"{PAGE}/{world.acme.channel_id}"
    wrong = await alice.post(f"{place}/app-secret", data={"app_secret": NEW_SECRET})
    assert wrong.status_code == 422, "Meta does not know it"
    app = next(iter(world.simulator.world.apps.values()))
    app.app_secret = NEW_SECRET
    assert (await alice.post(f"{place}/app-secret", data={"app_secret": NEW_SECRET})).status_code == 303
    at = seconds(world)
    sent = [body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, f"wamid.{n}", at, "hi"))) for n in range(3)]
    assert (await world.webhook(sent[0], secret=APP_SECRET)).status_code == 200
    assert (await world.webhook(sent[1], secret=NEW_SECRET)).status_code == 200
    tells_no_secret((await alice.get(place)).text)
    assert (await alice.post(f"{place}/previous-app-secret/removal")).status_code == 303
    world.clock.pass_time(1_000)
    assert (await world.webhook(sent[2], secret=APP_SECRET)).status_code == 401
    assert (await world.webhook(sent[2], secret=NEW_SECRET)).status_code == 200


async def test_a_shared_apps_verify_token_is_not_one_workspaces_to_change(world: World) -> None:
    alice, place = await world.session("alice"), f"{PAGE}/{world.acme.channel_id}"
    refused = await alice.post(f"{place}/verify-token", data={"verify_token": "a new verify token"})
    assert refused.status_code == 422 and "Other workspaces" in refused.text
    async with world.services.control.ingest("test") as tx:
        await tx.execute("DELETE FROM channel_route WHERE workspace_id = ?", world.globex.workspace_id)
    assert (await alice.post(f"{place}/verify-token", data={"verify_token": "a new verify token"})).status_code == 303


async def test_a_number_is_connected_from_the_page_and_gets_what_was_parked_for_it(world: World) -> None:
    alice = await world.session("alice")
    parked = body(THIRD, inbound(THIRD, DANA, text(DANA, "wamid.early", seconds(world), "too early")))
    assert (await world.webhook(parked)).status_code == 200
    refused = await alice.post(PAGE, data=FORM)
    assert refused.status_code == 422 and "WhatsApp does not take it" in refused.text, "the token does not reach it"
    assert FORM["phone_number_id"] in refused.text
    tells_no_secret(refused.text)
    world.simulator.world.add_number(msgspec.structs.replace(THIRD), subscribed_app="200300400500600")
    made = await alice.post(PAGE, data=FORM)
    assert made.status_code == 303, made.text
    arrived = "SELECT 1 FROM message WHERE wamid = 'wamid.early'"
    await until(lambda: rows(world, world.acme, arrived), seconds=20)
    tells_no_secret((await alice.get(made.headers["location"])).text)
    again = await alice.post(PAGE, data=FORM)
    assert again.status_code == 409


@pytest.mark.parametrize("field", ["app_secret", "verify_token"])
async def test_nobody_takes_over_an_app_of_others_by_naming_it(world: World, field: str) -> None:
    alice = await world.session("alice")
    world.simulator.world.add_number(msgspec.structs.replace(THIRD), subscribed_app="200300400500600")
    refused = await alice.post(PAGE, data=FORM | {field: "my own secret word"})
    assert refused.status_code == 422
    at = seconds(world)
    sent = body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, text(DANA, "wamid.1", at, "hi")))
    assert (await world.webhook(sent, secret="my own secret word")).status_code == 401


async def test_a_number_that_is_disconnected_keeps_nothing_that_opens_it(world: World) -> None:
    alice = await world.session("alice")
    assert (await alice.post(f"{PAGE}/{world.acme.channel_id}/removal")).status_code == 303
    async with world.workspace(world.acme) as workspace:
        assert await workspace.db.rows("SELECT length(access_token_sealed), access_token_last_four FROM channel") == [
            (0, "")]
    assert (await alice.get(f"{PAGE}/{world.acme.channel_id}")).status_code == 404


async def test_who_is_limited_to_some_numbers_hears_of_no_other_by_any_way(world: World) -> None:
    alice, mo = await world.session("alice"), await world.session("mo")
    world.simulator.world.add_number(THIRD, subscribed_app="200300400500600")
    assert (await alice.post(PAGE, data=FORM)).status_code == 303
    mo_id = await world.services.control.db.value("SELECT id FROM user WHERE email = 'mo@example.com'")
    other = next(row[0] for row in await rows(world, world.acme, "SELECT id FROM channel WHERE phone_number_id = ?",
                                              THIRD.phone_number_id))
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET channels_json = json_array(?) WHERE user_id = ?",
                         world.acme.channel_id, mo_id)
    limited = await accounts.member_actor(world.services.control.db, world.acme.workspace_id, mo_id)
    assert limited is not None
    async with world.services.control.write(limited) as tx:
        key = await accounts.create_api_key(tx, world.services.ids, workspace_id=world.acme.workspace_id, name="mo's",
                                            scope_text="channels:read", made_by=mo_id)
    async with world.client(key.key) as script:
        listed = (await script.get("/api/v1/channels")).json()["items"]
    assert [one["id"] for one in listed] == [world.acme.channel_id]
    async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
        for waba_id in (ACME_NUMBER.waba_id, THIRD.waba_id):
            await tx.execute(
                "INSERT INTO message_template (id, meta_template_id, waba_id, name, language, category, status, "
                "components_json, synced_at) VALUES (?1, ?1, ?1, 'hello', 'en', 'UTILITY', 'APPROVED', ?2, 0)",
                waba_id, '[{"type": "BODY", "text": "Hello there"}]')
    dialog = (await mo.get("/w/acme/inbox/new")).text
    assert world.acme.channel_id in dialog and other not in dialog
    tried = await mo.post("/w/acme/inbox", data={"phone": "+14155550123", "channel_id": other,
                                                 "template_name": "hello", "template_language": "en"})
    assert tried.status_code == 422, tried.text
