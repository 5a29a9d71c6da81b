"""What the tests of the doctor share: looking, and reading lines of what was found."""

from __future__ import annotations

import asyncio
import base64
import subprocess

from chime.checked import State
from chime.doctor import Doctor, Kept, kept
from tests.support.processes import CHIME, run
from tests.support.world import MASTER_KEY, World


def doctor(world: World) -> Doctor:
    found: Doctor = world.app.state.doctor
    return found


async def look(world: World, workspace_id: str | None = None) -> dict[str, Kept]:
    """Look at Acme (or, with an empty id, the installation) and give what was found, by name."""
    wanted = world.acme.workspace_id if workspace_id is None else workspace_id
    await doctor(world).look(wanted)
    return {one.name: one for one in await kept(world.services.control.db, wanted)}


def not_in_order(found: dict[str, Kept]) -> dict[str, State]:
    return {name: one.state for name, one in found.items() if one.state in (State.WARN, State.FAIL)}


async def commanded(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the command line, which knows the world's Meta and address."""
    options = {"CHIME_MASTER_KEY": base64.b64encode(MASTER_KEY).decode(), "CHIME_PUBLIC_URL": world.base,
               "CHIME_GRAPH_URL": world.services.config.graph_url}
    return await asyncio.to_thread(run, [*CHIME, *arguments, "--data", str(world.data_dir)], extra=options)
