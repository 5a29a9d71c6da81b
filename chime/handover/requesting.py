"""What a request for the file of a workspace is bound to, and the key that waits with it."""

from __future__ import annotations

from typing import Any

import msgspec

from chime.handover.packing import Lock
from chime.ids import Ids
from chime.security.vault import Vault
from chime.workspaces import Transaction


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a request: the beginning of the file that will be made. Nothing of it is secret."""

    header: str
    sealed_key: str


def parameters_of(lock: Lock) -> dict[str, str]:
    return {"header": lock.header.decode(), "sealed_key": lock.sealed_key.hex()}


async def keep_key(tx: Transaction, vault: Vault, approval_id: str, lock: Lock) -> None:
    """Until the file is made, or nobody wants it any more."""
    sealed = vault.seal(lock.key.hex(), table="export_file", row=approval_id, column="key")
    await tx.execute("INSERT INTO export_file (id, key_sealed, marker) VALUES (?, ?, ?)", approval_id, sealed,
                     Ids().random(16))
    await tx.audit("workspace.export_locked", "approval", approval_id)


def lock_of(parameters: dict[str, Any], key: bytes) -> Lock:
    """The lock that was made when it was asked for."""
    frozen = msgspec.convert(parameters, Locked)
    return Lock(header=frozen.header.encode(), sealed_key=bytes.fromhex(frozen.sealed_key), key=key)
