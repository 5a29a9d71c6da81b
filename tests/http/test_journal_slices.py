"""Going through the journal, never more of it is held than a little, however large the bodies are."""

from __future__ import annotations

from chime.inbound.slices import AT_ONCE, BODIES, stored_bodies
from chime.workspaces.workspace import WEBHOOK_BODY
from tests.support.world import World

SIZES = [300_000, 10, *[20] * (BODIES + 3), AT_ONCE, 1, AT_ONCE // 2, AT_ONCE // 2, 1, 900_000, 900_000, 5]


async def test_some_at_a_time_and_large_ones_alone(world: World) -> None:
    async with world.workspace(world.acme) as workspace:
        for number, size in enumerate(SIZES):
            await workspace.journal.append(WEBHOOK_BODY, number.to_bytes(32, "big"), world.clock.now(),
                                           bytes([number % 250]) * size)
        last = int(await workspace.journal_db.value("SELECT max(id) FROM webhook_body"))
        taken = [bodies async for bodies in stored_bodies(workspace, last - len(SIZES), last)]
        assert [len(body.body) for bodies in taken for body in bodies] == SIZES
        assert all(body.body == body.body[:1] * len(body.body) for bodies in taken for body in bodies)
        for bodies in taken:
            assert len(bodies) <= BODIES
            assert len(bodies) == 1 or sum(len(body.body) for body in bodies) <= AT_ONCE
        assert len(taken) < len(SIZES) // 2, "small ones come together"
        middle = taken[1][0].id
        assert [body.id async for some in stored_bodies(workspace, middle - 1, middle) for body in some] == [middle]
        assert [some async for some in stored_bodies(workspace, last, last)] == []
