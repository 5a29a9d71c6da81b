"""The row of an export's file: its key, its marker, and what came of it."""

from __future__ import annotations

import msgspec

from chime.ids import Ids
from chime.security.vault import Vault
from chime.workspaces import Transaction


class NewFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is being made. `marker` makes its rows known among those of all others."""

    key: bytes
    marker: bytes


async def new_file(tx: Transaction, vault: Vault, export_id: str) -> NewFile:
    """A key for it. What an earlier run left can't be read with this one and is written over."""
    made = NewFile(key=Ids().random(32), marker=Ids().random(16))
    sealed = vault.seal(made.key.hex(), table="export_file", row=export_id, column="key")
    await tx.execute("INSERT INTO export_file (id, key_sealed, marker) VALUES (?1, ?2, ?3) ON CONFLICT (id) "
                     "DO UPDATE SET key_sealed = ?2, marker = ?3", export_id, sealed, made.marker)
    return made
