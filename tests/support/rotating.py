"""Replaces keys again and again, until somebody kills it: `python -m tests.support.rotating DATA KIND`.

It says `ready` on a line when it has the files open and begins (or goes on with) a rotation. Master keys alternate;
which is next follows from the one that opens the installation now.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from chime.clock import Clock
from chime.errors import Conflict
from chime.ids import Ids
from chime.security.crypto import master_key_id
from chime.security.permissions import OPERATOR
from chime.workspaces.control_key import wrapped_for
from chime.workspaces.keys import Purpose
from chime.workspaces.rotation import Rotator, ask
from tests.support.keys import NEW_MASTER, OLD_MASTER, opened

KINDS = ("master", *(purpose.value for purpose in Purpose))


def masters(data_dir: Path, *, turn: bool) -> tuple[bytes, bytes]:
    """The one to use from now on first: the one that is first already, or (`turn`) the other."""
    both = (OLD_MASTER, NEW_MASTER)
    found = wrapped_for(data_dir)
    under_way = len(found) > 1
    first = next(master for master in both if master_key_id(master) == found[0])
    other = next(master for master in both if master != first)
    return (other, first) if turn and not under_way else (first, other)


async def rotate(data_dir: Path, kind: str) -> None:
    """One rotation, to its end."""
    async with opened(data_dir, *masters(data_dir, turn=kind == "master")) as (control, registry):
        if kind != "master":
            for record in await control.workspaces():
                try:
                    async with control.write(OPERATOR) as tx:
                        await ask(tx, control.keys, Ids(), workspace_id=record.id, purposes=[Purpose(kind)])
                except Conflict:
                    continue
        print("ready", flush=True)
        rotator = Rotator(control, registry, Clock(), Ids())
        while not await rotator.step():
            await asyncio.sleep(0.01)


def main() -> None:
    data_dir, kind = Path(sys.argv[1]), sys.argv[2]
    while True:
        asyncio.run(rotate(data_dir, kind))


if __name__ == "__main__":
    main()
