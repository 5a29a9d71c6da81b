"""Who may write into whose inbox: an app of Meta's speaks for the workspaces whose numbers are connected with it."""

from __future__ import annotations

from chime import setup
from chime.channels import NewChannel
from chime.simulator import Number
from tests.support.webhook_bodies import DANA, account_body, body, inbound, journalled, rows, seconds, text
from tests.support.world import ACCESS_TOKEN, ACME_NUMBER, Tenant, World


async def parked(world: World) -> int:
    """Deliveries that are nobody's."""
    found: int = await world.services.control.db.value("SELECT count(*) FROM parked_delivery WHERE released_at IS NULL")
    return found


async def test_an_app_speaks_for_the_workspaces_it_belongs_to_and_for_no_other(world: World) -> None:
    """Whoever connects a number with an app of their own knows its secret, and can sign what names any number."""
    own = Number(phone_number_id="600000000000001", waba_id="600000000000002",
                 display_phone_number="+1 555-010-0999", verified_name="Globex too")
    await setup.connect(world.services.config, "Globex", NewChannel(
        phone_number_id=own.phone_number_id, waba_id=own.waba_id, display_phone=own.display_phone_number,
        app_id="700000000000007", access_token=ACCESS_TOKEN, app_secret="an app of Globex alone",
        verify_token="of-globex"))
    [(app_key,)] = await world.services.control.db.rows("SELECT app_key FROM meta_app WHERE app_id = '700000000000007'")
    theirs = Tenant(world.globex.workspace_id, world.globex.slug, own, webhook_path=f"/webhooks/whatsapp/{app_key}")

    async def says(number: Number, wamid: str) -> None:
        sent = body(number, inbound(number, DANA, text(DANA, wamid, seconds(world), "STOP")))
        answer = await world.webhook(sent, tenant=theirs, secret="an app of Globex alone")
        assert answer.status_code == 200
        await world.settle()

    await says(ACME_NUMBER, "wamid.forged")
    assert await rows(world, world.acme, "SELECT wamid FROM message") == []
    assert await parked(world) == 1, "it got its 200, so it is kept"
    alice = await world.session("alice")
    page = (await alice.get("/w/acme/delivery")).text
    assert "A Meta app that is not this number’s signed it" in page and "Nobody claimed this number" not in page
    about_account = account_body(ACME_NUMBER.waba_id, "account_update", seconds(world), {"event": "DISABLED_UPDATE"})
    assert (await world.webhook(about_account, tenant=theirs, secret="an app of Globex alone")).status_code == 200
    await world.settle()
    assert await parked(world) == 2
    assert await journalled(world, world.acme) == b""
    # Another number of the same workspace is theirs to speak for, and what waits for a number takes no stranger's word.
    await says(own, "wamid.own")
    await says(world.globex.number, "wamid.also.theirs")
    assert {row[0] for row in await rows(world, world.globex, "SELECT wamid FROM message")} == {
        "wamid.own", "wamid.also.theirs"}
    third = Number(phone_number_id="600000000000003", waba_id="600000000000004",
                   display_phone_number="+1 555-010-0998", verified_name="Acme too")
    await says(third, "wamid.forged.early")
    await setup.connect(world.services.config, "Acme", NewChannel(
        phone_number_id=third.phone_number_id, waba_id=third.waba_id, display_phone=third.display_phone_number,
        app_id="200300400500600", access_token=ACCESS_TOKEN))
    assert await journalled(world, world.acme) == b"" and await parked(world) == 3
