"""Chime's copy of an account's templates, kept when one of the account's numbers cannot ask for it."""

from __future__ import annotations

from chime import setup
from chime.channels import NewChannel
from chime.message_templates import SYNC
from chime.simulator import Number
from chime.simulator.model import Token
from chime.simulator.sample_templates import sample_templates
from tests.http.inbox_setup import rows
from tests.support.world import ACCESS_TOKEN, ACME_NUMBER, World

SECOND = Number(phone_number_id="600000000000011", waba_id=ACME_NUMBER.waba_id, display_phone_number="+1 555-010-0211",
                verified_name="Acme, second")


async def synced(world: World) -> set[str]:
    """The names of all templates that Chime knows after it asked."""
    world.services.runner.start(world.acme.workspace_id, SYNC, ACME_NUMBER.waba_id)
    await world.settle()
    return {row[0] for row in await rows(world, world.acme, "SELECT name FROM message_template")}


async def test_templates_come_by_another_number_of_the_account_when_one_is_refused(world: World) -> None:
    first, second, *_ = sample_templates()
    world.simulator.world.add_template(ACME_NUMBER.waba_id, first)
    assert await synced(world) == {first.name}
    world.simulator.world.add_number(SECOND, subscribed_app="200300400500600")
    world.simulator.world.tokens["EAAofthesecond"] = Token(value="EAAofthesecond", app_id="200300400500600")
    await setup.connect(world.services.config, "Acme", NewChannel(
        phone_number_id=SECOND.phone_number_id, waba_id=SECOND.waba_id, display_phone=SECOND.display_phone_number,
        app_id="200300400500600", access_token="EAAofthesecond"))
    world.simulator.world.tokens[ACCESS_TOKEN].expired = True
    world.simulator.world.add_template(ACME_NUMBER.waba_id, second)
    assert await synced(world) == {first.name, second.name}


async def test_the_copy_stays_when_nobody_of_the_account_is_let_in(world: World) -> None:
    first, *_ = sample_templates()
    world.simulator.world.add_template(ACME_NUMBER.waba_id, first)
    assert await synced(world) == {first.name}
    world.simulator.world.tokens[ACCESS_TOKEN].expired = True
    assert await synced(world) == {first.name}
