"""A number that goes from one Meta app to another: each app is heard as long as the workspace has a number of it."""

from __future__ import annotations

import asyncio
import json

from chime import channels, setup
from chime.channels import NewChannel
from chime.inbound.actions import RELEASED_AT_ONCE, Journals
from chime.security.permissions import OPERATOR
from chime.simulator import Number
from chime.whatsapp import scan
from tests.support.webhook_bodies import DANA, account_body, body, inbound, journalled, seconds, text
from tests.support.world import ACCESS_TOKEN, World

OWN = Number(phone_number_id="600000000000001", waba_id="600000000000002", display_phone_number="+1 555-010-0999",
             verified_name="Globex too")
OLD, NEW = "700000000000007", "700000000000008"


async def connect(world: World, app_id: str) -> str:
    """Globex connects the number under this app; our id of the app."""
    await setup.connect(world.services.config, "Globex", NewChannel(
        phone_number_id=OWN.phone_number_id, waba_id=OWN.waba_id, display_phone=OWN.display_phone_number,
        app_id=app_id, access_token=ACCESS_TOKEN, app_secret=f"secret of {app_id}", verify_token=f"token-{app_id}"))
    found: str = await world.services.control.db.value("SELECT id FROM meta_app WHERE app_id = ?", app_id)
    await asyncio.sleep(0.05)  # what the server remembers of routes may be some milliseconds old
    return found


async def disconnect(world: World) -> None:
    async with world.workspace(world.globex) as workspace:
        [(channel_id,)] = await workspace.db.rows("SELECT id FROM channel WHERE phone_number_id = ?",
                                                  OWN.phone_number_id)
        async with world.services.control.write(OPERATOR) as outer, workspace.write(OPERATOR) as inner:
            await channels.remove(outer, inner, channel_id)
    await asyncio.sleep(0.05)


async def test_a_number_that_goes_to_another_app_is_heard_from_that_one(world: World) -> None:
    services = world.services
    journals = Journals(services.control, services.registry, services.clock, services.ids)

    async def says(app: str, wamid: str) -> list[str]:
        sent = body(OWN, inbound(OWN, DANA, text(DANA, wamid, seconds(world), "hello")))
        return await journals.store(app, scan(json.dumps(sent).encode()))

    async def of_account(app: str, event: str) -> list[str]:
        sent = account_body(OWN.waba_id, "account_update", seconds(world), {"event": event})
        return await journals.store(app, scan(json.dumps(sent).encode()))

    theirs = [world.globex.workspace_id]
    old = await connect(world, OLD)
    assert await says(old, "wamid.old") == await of_account(old, "FIRST") == theirs
    await disconnect(world)
    assert await says(old, "wamid.meanwhile") == []
    new = await connect(world, NEW)
    assert await says(new, "wamid.new") == await of_account(new, "SECOND") == theirs
    assert await says(old, "wamid.late") == await of_account(old, "THIRD") == [], "it is kept, and nobody's"
    stored = await journalled(world, world.globex)
    assert b"wamid.old" in stored and b"wamid.new" in stored
    assert b"wamid.meanwhile" not in stored and b"wamid.late" not in stored
    assert await services.control.db.value("SELECT count(*) FROM parked_delivery WHERE released_at IS NULL") == 3
    # Back again, what the old app signed meanwhile is released: nothing was lost.
    await disconnect(world)
    await connect(world, OLD)
    stored = await journalled(world, world.globex)
    assert b"wamid.meanwhile" in stored and b"wamid.late" in stored and b"THIRD" in stored
    assert await services.control.db.value("SELECT count(*) FROM parked_delivery WHERE released_at IS NULL") == 0


async def test_however_many_were_parked_all_are_released_in_their_order(world: World) -> None:
    services = world.services
    journals = Journals(services.control, services.registry, services.clock, services.ids)
    early = await connect(world, OLD)
    await disconnect(world)
    wamids = [f"wamid.early.{number:03d}" for number in range(2 * RELEASED_AT_ONCE + 3)]
    for wamid in wamids:
        sent = body(OWN, inbound(OWN, DANA, text(DANA, wamid, seconds(world), "hello")))
        assert await journals.store(early, scan(json.dumps(sent).encode())) == []
    await connect(world, OLD)
    places = [(await journalled(world, world.globex)).find(wamid.encode()) for wamid in wamids]
    assert -1 not in places and places == sorted(places)
    assert await services.control.db.value("SELECT count(*) FROM parked_delivery WHERE body_sealed <> x''") == 0
