"""`chime`, except that its files are checkpointed every few pages, so that a short run has many checkpoints in it.

`POWER_SYNCHRONOUS` in the environment weakens what is flushed: for the test that the power cuts find what that loses.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from chime.db import checkpoint, connection
from chime.db.connection import Key

PAGES = 40
# A writer checkpoints by itself when the checkpoints beside it fall behind; that shall happen too.
FAR_BEHIND = 3 * PAGES
_prepare = connection._prepare


def _prepare_small(opened: Any, key: Key, *, writes: bool) -> None:
    _prepare(opened, key, writes=writes)
    opened.execute(f"PRAGMA synchronous = {os.environ.get('POWER_SYNCHRONOUS', 'FULL')}")
    if writes:
        opened.execute(f"PRAGMA wal_autocheckpoint = {FAR_BEHIND}")


if __name__ == "__main__":
    connection._prepare = _prepare_small
    checkpoint.ENOUGH = PAGES
    from chime.cli import main

    sys.exit(main())
