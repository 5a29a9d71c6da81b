"""Both files of a workspace written anew, so that nothing is left in them of what was deleted."""

from __future__ import annotations

import asyncio

from chime.db import StorageUnavailable
from chime.db.rekey import InUse
from chime.db.rewrite import rewrite
from chime.log import Log
from chime.workspaces.presence import alone
from chime.workspaces.workspace import Workspace

# Writers wait while a file is copied; a larger one is left as it is.
LARGEST = 1024 * 1024 * 1024
TRIES = 5
PAUSE = 1.0
_log = Log("workspaces")


async def rewrite_files(workspace: Workspace) -> bool:
    """Whether both were written anew. Not when one is very large, or a command or a long read does not let go of it."""
    done = True
    for file, appender in ((workspace.db, None), (workspace.journal_db, workspace.journal)):
        for _ in range(TRIES):
            if file.path.stat().st_size > LARGEST:
                return False
            try:
                with alone(workspace.folder.parent.parent):
                    await rewrite(file, appender=appender)
                break
            except InUse:
                await asyncio.sleep(PAUSE)
            except StorageUnavailable as error:
                _log.warning("workspace.not_rewritten", reason=str(error))
                return False
        else:
            done = False
    return done
