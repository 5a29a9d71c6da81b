"""What makes the rows of one export known among those of all others: a reference in every row that looks like any.

Half of it is chance and the other half follows from it and the export's own marker, so one leaked row names its
export, without the line at the end that names it openly.
"""

from __future__ import annotations

import base64

from chime.db import Db
from chime.ids import Ids
from chime.security.crypto import mac, same

_CHANCE = 8
_PROOF = 8


def reference(marker: bytes, ids: Ids) -> str:
    """A fresh one."""
    chance = ids.code(_CHANCE)
    return chance + _proof(marker, chance)


def _proof(marker: bytes, chance: str) -> str:
    return base64.b32encode(mac(marker, b"reference" + chance.encode())[:5]).decode().lower()[:_PROOF]


def is_of(marker: bytes, text: str) -> bool:
    """Whether the export with this marker made the reference."""
    return len(text) == _CHANCE + _PROOF and same(_proof(marker, text[:_CHANCE]), text[_CHANCE:])


async def trace(db: Db, text: str) -> str | None:
    """The id of the export that a leaked row comes from."""
    text = text.strip().lower()
    if not text.isascii():
        return None
    for export_id, marker in await db.rows("SELECT id, marker FROM export_file ORDER BY id DESC LIMIT 10000"):
        if is_of(marker, text):
            return str(export_id)
    return None
