"""The operators' page of keys: how they are, new ones for a workspace, and the master key on one sheet only."""

from __future__ import annotations

import base64

from chime.workspaces.recovery_sheet import read_back
from chime.workspaces.rotation import Rotator
from tests.support.world import MASTER_KEY, World

PAGE = "/installation/keys"


async def test_only_operators_see_it_and_no_key_is_on_it(world: World) -> None:
    alice = await world.session("alice")
    page = await alice.get(PAGE)
    assert page.status_code == 200 and "Acme" in page.text and "Globex" in page.text
    keys = world.services.control.keys
    for secret in (MASTER_KEY, keys.pepper, keys.bundle.newest.wrap, keys.bundle.newest.control_file):
        assert secret.hex() not in page.text and base64.b64encode(secret).decode() not in page.text
    for name in ("mo", "bob", "charlie"):
        somebody = await world.session(name)
        assert (await somebody.get(PAGE)).status_code == 403
        assert (await somebody.post(f"{PAGE}/recovery-sheet")).status_code == 403
        assert (await somebody.post(f"{PAGE}/workspaces/{world.acme.workspace_id}/rotation")).status_code == 403


async def test_the_menu_leads_operators_to_the_pages_of_the_installation(world: World) -> None:
    for name, led in (("alice", True), ("mo", False), ("charlie", False)):
        somebody = await world.session(name)
        page = (await somebody.get("/me")).text
        for place in ("support", "keys", "sign-in"):
            assert (f'href="/installation/{place}"' in page) == led, (name, place)
            assert (await somebody.get(f"/installation/{place}")).status_code == (200 if led else 403)


async def test_the_sheet_wants_a_fresh_proof_and_is_written_down_and_kept_by_nobody(world: World) -> None:
    alice = await world.session("alice")
    assert (await alice.get(f"{PAGE}/recovery-sheet")).status_code == 405
    shown = await alice.post(f"{PAGE}/recovery-sheet")
    assert shown.status_code == 200 and shown.headers["cache-control"] == "no-store"
    text = shown.text.split("<pre")[1].split("</pre>")[0].partition(">")[2]
    assert read_back(text) == MASTER_KEY
    seen = await world.services.control.db.value("SELECT count(*) FROM audit_event WHERE action = 'key.sheet_made'")
    assert seen == 1
    world.clock.pass_time(11 * 60_000)
    asked = await alice.post(f"{PAGE}/recovery-sheet")
    assert asked.status_code in (303, 403, 401, 200) and read_none(asked.text)
    assert await world.services.control.db.value(
        "SELECT count(*) FROM audit_event WHERE action = 'key.sheet_made'") == 1


def read_none(text: str) -> bool:
    return "CHIME RECOVERY SHEET" not in text


async def test_a_workspaces_keys_are_replaced_from_the_page(world: World) -> None:
    alice, services = await world.session("alice"), world.services
    place = f"{PAGE}/workspaces/{world.acme.workspace_id}/rotation"
    assert (await alice.post(place)).status_code == 303
    rotator = Rotator(services.control, services.registry, services.clock, services.ids)
    for _ in range(3):  # the appliance's own may be at it
        await rotator.step()
    keys = await services.control.workspace_keys(world.acme.workspace_id)
    assert {use.version for use in keys.uses.values()} == {2}
    async with world.workspace(world.acme) as workspace:
        sealed = await workspace.db.value("SELECT access_token_sealed FROM channel")
        assert workspace.vault.open(sealed, table="channel", row=world.acme.channel_id, column="access_token")
    assert "version 2" in (await alice.get(PAGE)).text
    assert (await alice.post(f"{PAGE}/workspaces/nobody/rotation")).status_code == 404
