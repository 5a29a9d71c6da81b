"""From the master key to a workspace's keys.

The master key wraps a random root key per workspace; file, field and media keys are derived from that root. So a
workspace can be shredded by deleting one row, and changing the master key rewraps a few bytes.
"""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

from chime.db import Key
from chime.errors import StartRefused
from chime.security.crypto import context, derive, master_key_id, seal, unseal
from chime.security.vault import Vault


class KeyRing:
    """Everything that is derived from the master key."""

    def __init__(self, master: bytes) -> None:
        self._master = master
        self.master_key_id = master_key_id(master)

    @property
    def control_file(self) -> Key:
        return Key(derive(self._master, "control-file"))

    @property
    def pepper(self) -> bytes:
        return derive(self._master, "password-pepper")

    @property
    def links(self) -> bytes:
        """Signs what travels through a browser: CSRF tokens and the callback data of sends."""
        return derive(self._master, "links")

    def control_vault(self) -> Vault:
        """The credential store of control.db."""
        return Vault(derive(self._master, "control-field"), "control")

    def wrap(self, root: bytes, workspace_id: str, version: int) -> bytes:
        return seal(derive(self._master, "wrap"), root,
                    context("wrap", workspace_id, version, self.master_key_id), key_version=version)

    def unwrap(self, wrapped: bytes, workspace_id: str, version: int) -> WorkspaceKeys:
        """Raises CannotOpen when the row was moved or another master key wrapped it."""
        root = unseal(derive(self._master, "wrap"), wrapped,
                      context("wrap", workspace_id, version, self.master_key_id))
        return WorkspaceKeys(root, workspace_id)


class WorkspaceKeys:
    """The keys of one workspace, one for each purpose."""

    def __init__(self, root: bytes, workspace_id: str) -> None:
        self.workspace_file = Key(derive(root, "workspace-file"))
        self.journal_file = Key(derive(root, "journal-file"))
        self.media = derive(root, "media")
        self.callbacks = derive(root, "callbacks")
        self.vault = Vault(derive(root, "field"), workspace_id)


def key_file(data_dir: Path) -> Path:
    """Where a key that nobody configured is kept: beside the data folder, so that a copy of the folder alone
    tells nothing."""
    folder = data_dir.absolute()
    return folder.with_name(f"{folder.name}.master-key")


def find_master_key(data_dir: Path, configured: bytes | None) -> bytes:
    """The configured key, else the one beside the data folder. Raises StartRefused when there is neither."""
    if configured is not None:
        return configured
    path = key_file(data_dir)
    if not path.exists():
        raise StartRefused(f"no master key: set CHIME_MASTER_KEY, or put it back at {path}")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise StartRefused(f"{path} can be read by others; run: chmod 600 {path}")
    try:
        key = base64.b64decode(path.read_text("ascii").strip(), validate=True)
    except (OSError, ValueError) as error:
        raise StartRefused(f"{path} does not hold a master key (base64 of 32 bytes)") from error
    if len(key) != 32:
        raise StartRefused(f"{path} does not hold a master key: {len(key)} bytes instead of 32")
    return key


def make_master_key(data_dir: Path, key: bytes) -> Path:
    """Write a new key beside the data folder; where it is. Never overwrites one."""
    path = key_file(data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(key) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return path
