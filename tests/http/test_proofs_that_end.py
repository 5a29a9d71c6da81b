"""What a proof of identity stands on may be gone by the time it counts: a reset of the second factor, a password, a
sign-in between its two steps."""

from __future__ import annotations

import pytest

from chime.accounts import second_factor, session_watch
from chime.accounts.passwords import change_password
from chime.clock import DAY, MINUTE
from chime.security.permissions import SYSTEM
from tests.http.account_setup import id_of, second_step, sign_in, stranger, with_token
from tests.http.test_second_factor import app_of
from tests.support.world import PASSWORD, World


@pytest.mark.parametrize("change", [
    "INSERT INTO membership (workspace_id, user_id, role, created_at) SELECT workspace.id, user.id, 'owner', 0 "
    "FROM workspace, user WHERE workspace.name = 'Globex' AND user.name = 'Kim'",
    "UPDATE user SET is_operator = 1 WHERE name = 'Kim'",
    "UPDATE membership SET role = 'admin' WHERE user_id = (SELECT id FROM user WHERE name = 'Kim')",
    "UPDATE membership SET role = 'viewer' WHERE user_id = (SELECT id FROM user WHERE name = 'Mo')",
    "DELETE FROM membership WHERE user_id = (SELECT id FROM user WHERE name = 'Mo')",
])
async def test_a_reset_that_could_not_be_begun_any_more_takes_nothing_away(world: World, change: str) -> None:
    await app_of(world)
    kim = await id_of(world, "kim")
    async with world.services.control.ingest("test") as tx:
        await tx.execute("UPDATE membership SET role = 'admin' WHERE user_id = ?", await id_of(world, "mo"))
    begun = await (await world.session("mo")).post(f"/w/acme/settings/members/{kim}/account/second-factor-reset")
    assert begun.status_code == 303, begun.text
    async with world.services.control.ingest("test") as tx:
        assert await tx.execute(change) == 1
    world.clock.pass_time(DAY + MINUTE)
    await session_watch.take_due_factors_away(world.services)
    control = world.services.control.db
    assert (await second_factor.factors_of(control, kim)).any
    assert await second_factor.reset_of(control, kim) is None, "nor later"


async def test_a_new_password_is_no_fresh_proof_of_who_has_a_second_factor(world: World) -> None:
    await app_of(world)
    kim = await world.session("kim")
    world.clock.pass_time(11 * MINUTE)
    new = "a sentence she will remember"
    changed = await kim.post("/me/password", data={"current": PASSWORD, "password": new, "again": new})
    assert changed.headers.get("location") == "/me/security?said=password", changed.text
    await with_token(kim, "/me/security")
    removed = await kim.post("/me/second-factor/app/removal")
    assert removed.headers["location"].startswith("/me/confirm"), "asked for the factor"
    assert (await second_factor.factors_of(world.services.control.db, await id_of(world, "kim"))).any


async def test_a_sign_in_between_its_steps_ends_with_the_password_it_began_with(world: World) -> None:
    app = await app_of(world)
    async with stranger(world) as thief:
        assert (await sign_in(thief)).headers["location"] == "/sign-in/second-step"
        async with world.services.control.write(SYSTEM) as tx:
            user_id = await id_of(world, "kim")
            await change_password(tx, user_id, await world.services.passwords.hash_again("another sentence of hers"),
                                  stands_alone=True, now=world.clock.real_now())
        answer = await second_step(thief, code=app.next_code())
        assert answer.headers.get("location") == "/sign-in?said=expired", answer.text
        assert (await thief.get("/me")).status_code == 303
