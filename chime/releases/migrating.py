"""`chime migrate`: every file of an installation, beside the running service or without it."""

from __future__ import annotations

import sys
from collections.abc import Callable

from chime.clock import Clock
from chime.config import Config
from chime.ids import Ids
from chime.setup import keys_of
from chime.workspaces import Control, create_control, migrate_all
from chime.workspaces.presence import guest
from chime.workspaces.provision import check_control

CONTROL = "control.db"
_TOLD_EVERY = 100


async def bring_up_to_date(config: Config, *, check_only: bool, progress: Callable[[int, int], None]) -> dict[str, int]:
    """Steps applied, or with `check_only` lacking, by file; -1 for a file that could not be. Raises StartRefused when
    control.db can't be used, for then nothing can."""
    with guest(config.data_dir):
        keys = keys_of(config)
        found = {CONTROL: check_control(config.data_dir, keys)}
        if found[CONTROL] and not check_only:
            create_control(config.data_dir, keys)
        control = await Control.open(config.data_dir, keys, Clock(), Ids())
        try:
            return found | await migrate_all(config.data_dir, control, check_only=check_only, progress=progress)
        finally:
            await control.close()


def show_progress(done: int, of: int) -> None:
    """To whoever waits at a terminal; few workspaces are done before one could read it."""
    if of > _TOLD_EVERY and (done % _TOLD_EVERY == 0 or done == of):
        print(f"{done} of {of} workspaces", file=sys.stderr, flush=True)
