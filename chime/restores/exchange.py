"""The files of a take-over. Each function may be called twice, and be killed anywhere in between.

In the copy's folder `restored.db` is the state that shall take over, `media.aside` what the replaced state shows.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from chime.db import Key, StorageUnavailable
from chime.db.one_file import into_one_file
from chime.db.rekey import InUse
from chime.log import Log
from chime.workspaces.files import flush_names

_log = Log("restores")
_STATE, _READY = "workspace.db", "restored.db"
_MEDIA, _ASIDE, _BEFORE = "media", "media.aside", "media.before"


def link_aside(original: Path, copy: Path) -> None:
    """All stored files of the workspace, under second names."""
    shutil.rmtree(copy / _ASIDE, ignore_errors=True)
    (copy / _ASIDE).mkdir(mode=0o700)
    _link_missing(original / _MEDIA, copy / _ASIDE)
    flush_names(copy)


def lay_ready(original: Path, copy: Path, key: Key) -> None:
    """The stored files of the copy come to those of the workspace; the copy's state is laid ready. Nobody has the copy
    open. Raises InUse, StorageUnavailable."""
    if (copy / _STATE).exists() and not (copy / _READY).exists():
        _link_missing(copy / _MEDIA, original / _MEDIA)
        into_one_file(copy / _STATE, (key,))
        (copy / _STATE).rename(copy / _READY)
    if (copy / _ASIDE).exists():
        if not (copy / _BEFORE).exists():
            (copy / _MEDIA).rename(copy / _BEFORE)
        (copy / _ASIDE).rename(copy / _MEDIA)
    flush_names(copy)


def swap(original: Path, copy: Path, keys: Sequence[Key]) -> None:
    """The state laid ready becomes the workspace's, by one rename; the one until now becomes the copy's. Nobody has
    either open. Raises InUse."""
    if (copy / _READY).exists():
        _exchange(original, copy, keys)
    shutil.rmtree(copy / _BEFORE, ignore_errors=True)


def _exchange(original: Path, copy: Path, keys: Sequence[Key]) -> None:
    try:
        into_one_file(original / _STATE, keys)
    except InUse:
        raise
    except StorageUnavailable as error:  # what can't be read any more is replaced all the same
        _log.error("restore.replaces_unreadable", error)
    if not (copy / _STATE).exists() and (original / _STATE).exists():
        os.link(original / _STATE, copy / _STATE)
        flush_names(copy)
    # A log that lies there still would be taken for that of the file that comes.
    for ending in ("-wal", "-shm"):
        (original / (_STATE + ending)).unlink(missing_ok=True)
    (copy / _READY).replace(original / _STATE)
    flush_names(original, copy)


def take_back(copy: Path) -> None:
    """Before the exchange: the copy is as it was."""
    if (copy / _READY).exists() and not (copy / _STATE).exists():
        (copy / _READY).rename(copy / _STATE)
    if (copy / _BEFORE).exists():
        shutil.rmtree(copy / _MEDIA, ignore_errors=True)
        (copy / _BEFORE).rename(copy / _MEDIA)
    shutil.rmtree(copy / _ASIDE, ignore_errors=True)
    flush_names(copy)


def _link_missing(source: Path, target: Path) -> None:
    """Second names for the stored files that the other folder does not have. Stored files are never changed, only
    replaced and removed."""
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        (target / folder.name).mkdir(mode=0o700, exist_ok=True)
        for file in folder.iterdir():
            if not file.name.endswith(".partial"):
                with suppress(FileExistsError, FileNotFoundError):
                    os.link(file, target / folder.name / file.name)
        flush_names(target / folder.name)
