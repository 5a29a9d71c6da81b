"""What the hash of an audit row covers.

The hash is at once the link of a chain (it covers the hash of the row before) and a leaf of the Merkle tree: SHA-256
over a zero byte and the row as canonical JSON (RFC 8785: an array of texts, whole numbers and null, so every language
makes the same bytes).

Rows of form 1 were written before the tree. Their hashes stay as they are: to hash them anew would hide whatever
happened to them before, so they are checked by the rule they were made with, and the tree takes the hash of that hash
as their leaf.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chime.security.crypto import digest
from chime.security.merkle import leaf_hash

FORM = 2
FIRST = bytes(32)
"""What the first row follows."""
# In the order of the hash; `hash` itself is last.
COLUMNS = ("sequence", "form", "at", "actor_kind", "actor_id", "actor_name", "on_behalf", "session_id", "address",
           "agent_hash", "action", "object_kind", "object_id", "result", "details_json", "previous_hash", "hash")
_PREVIOUS = COLUMNS.index("previous_hash")


def hash_of(row: tuple[Any, ...]) -> bytes:
    """The hash a row must have, from its columns in the order of `COLUMNS`; what follows `previous_hash` is not
    looked at."""
    if row[1] == 1:
        (_, _, at, kind, actor_id, name, _, _, _, _, action, object_kind, object_id, _, details, previous) = row[:16]
        return digest(previous + msgspec.json.encode((at, kind, actor_id, name, action, object_kind, object_id,
                                                      details)))
    return leaf_hash(msgspec.json.encode((*row[:_PREVIOUS], row[_PREVIOUS].hex())))


def leaf_of(form: int, hashed: bytes) -> bytes:
    """The row's leaf in the tree, from its hash."""
    return leaf_hash(hashed) if form == 1 else hashed


def agent_hash(agent: str) -> str:
    """A short name of the browser: the same one has the same, and it is told nothing more than that."""
    return digest(agent.encode()).hex()[:16] if agent else ""
