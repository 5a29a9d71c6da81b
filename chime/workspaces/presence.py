"""Who else works on the files: a command at the shell is a guest beside the running appliance.

While a file changes its key nobody else may have it open. SQLite says so too, but only of those who have it open
already: a command that is just about to open it would get hold of the file that is being replaced. So each command
holds a shared lock for as long as it has files open, and whoever exchanges one waits for the exclusive lock.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from chime.db.rekey import InUse

_NAME = ".guests"


def lock_of(data_dir: Path) -> Path:
    """The file whose lock a guest holds, for one that is a process of its own."""
    return data_dir / _NAME


@contextmanager
def guest(data_dir: Path) -> Iterator[None]:
    """Inside, no file is exchanged; waits while one is. Where the lock can't be made (no installation, a disk that
    takes nothing) no file can be exchanged either."""
    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(_locked(data_dir, fcntl.LOCK_SH))
        yield


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Inside, no command has a file open. Raises InUse when one has."""
    with ExitStack() as stack:
        try:
            stack.enter_context(_locked(data_dir, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except OSError as error:
            raise InUse("another command works on the files") from error
        yield


@contextmanager
def _locked(data_dir: Path, how: int) -> Iterator[None]:
    descriptor = os.open(data_dir / _NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
