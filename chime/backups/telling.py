"""What the running backup tells of itself: what keeps it from its work, and when it last had looked through everything.

Promise: it is kept in the process and in the data folder, for a shelf that takes nothing any more could not say so; and
what could not be written down counts in this process all the same, and is tried again.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import msgspec

from chime.backups.shelf import Shelf
from chime.clock import MINUTE
from chime.log import Log

# How far what is written down may be behind: a look a minute is not a write a minute.
NOTED_EVERY = 10 * MINUTE
MOST_SAID = 3
_FILE = "backup-state.json"
_log = Log("backups")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """`looked_at` is when a look at everything last came to its end, and all that had been committed was on the shelf;
    0 when none ever did."""

    trouble: str = ""
    looked_at: int = 0


def told(shelf: Shelf, data_dir: Path) -> Told:
    """As it is written down, whoever runs."""
    return shelf.read(data_dir / _FILE, Told) or Told()


def reason(error: Exception) -> str:
    """In a few words that stay the same for as long as the trouble does: names of pieces are in the others."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


class Teller:
    """Tells how the backup of one installation is. May be called in any thread; it writes a file."""

    def __init__(self, shelf: Shelf, data_dir: Path) -> None:
        self._shelf = shelf
        self._data_dir = data_dir
        self._working = threading.Lock()
        self._troubles: dict[str, str] = {}
        self._spoke = False
        self._noted = told(shelf, data_dir)
        self._looked_at = self._noted.looked_at

    def began(self, now: int) -> None:
        """Where there never was a look, the age counts from now on."""
        with self._working:
            self._looked_at = self._looked_at or now
            self._note()

    def say(self, what: str, trouble: str) -> None:
        """What keeps `what` from going on; empty when nothing does."""
        with self._working:
            if trouble and trouble != self._troubles.get(what):
                _log.error("backup.fails", reason=trouble)
            self._troubles[what], self._spoke = trouble, True
            self._note()

    def looked(self, at: int) -> None:
        """Everything was looked through."""
        with self._working:
            self._looked_at = at
            self._note()

    def forget(self, others_than: Collection[str]) -> None:
        """What is kept no more has no trouble."""
        with self._working:
            self._troubles = {what: said for what, said in self._troubles.items() if what in others_than}

    def now(self) -> Told:
        """As this process knows it; as it is written down, as long as it did nothing."""
        with self._working:
            return self._known() if self._spoke else told(self._shelf, self._data_dir)

    def _known(self) -> Told:
        troubles = list(filter(None, self._troubles.values()))
        more = [f"{len(troubles) - MOST_SAID} more like this"] if len(troubles) > MOST_SAID else []
        return Told(trouble="; ".join(troubles[:MOST_SAID] + more), looked_at=self._looked_at)

    def _note(self) -> None:
        known = self._known()
        if known.trouble != self._noted.trouble or known.looked_at - self._noted.looked_at >= NOTED_EVERY:
            with suppress(OSError):  # the next word tries again
                self._shelf.write(self._data_dir / _FILE, known)
                self._noted = known
