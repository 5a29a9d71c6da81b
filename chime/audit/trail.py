"""One trail: where it is kept, the key that signs it, and its tree as the rows make it now.

There is a trail in every workspace's file and one in control.db. Whoever signs, examines or exports one works on the
same three things: the rows, the roots of full tiles, and what was signed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec

from chime.audit import queries
from chime.audit.model import INSTALLATION
from chime.db import Db
from chime.ids import Ids
from chime.log import Log
from chime.security import signed_note
from chime.security.audit_hash import FIRST, hash_of, leaf_of
from chime.security.merkle import TILE, GrowingTree, Ranges
from chime.security.permissions import SYSTEM, Actor
from chime.workspaces import Control, Transaction, Workspace

# Rows hashed before others get their turn; some two milliseconds.
AT_ONCE = 200
# Of this fault the row may be the cause, or any before it that no signature stands for: those could be hashed anew.
NOT_LINKED = "a row does not follow the one before"
_log = Log("audit")


class Trail(msgspec.Struct, frozen=True):
    """`name` is the workspace's id, or `installation`."""

    name: str
    db: Db
    write: Callable[[Actor], AbstractAsyncContextManager[Transaction]]
    control: Control

    @property
    def is_of_workspace(self) -> bool:
        return self.name != INSTALLATION


def trail_of(workspace: Workspace, control: Control) -> Trail:
    """A workspace's."""
    return Trail(workspace.id, workspace.db, workspace.write, control)


def installation_trail(control: Control) -> Trail:
    """What operators and the command line do, and people with their accounts."""
    return Trail(INSTALLATION, control.db, control.write, control)


async def origin(trail: Trail) -> str:
    """The name of the trail in what is signed: what it was in the last checkpoint, whatever the host is called now."""
    last = await queries.newest_checkpoint(trail.db)
    said = signed_note.read(last.note) if last else None
    return said.origin if said else f"{trail.control.anchoring.host}/audit/{trail.name}"


async def public_key(control: Control) -> bytes | None:
    """The key that checks the signatures; None before anything was signed."""
    found: bytes | None = await control.db.value("SELECT public_key FROM audit_key ORDER BY created_at DESC LIMIT 1")
    return found


async def signing_key(control: Control) -> bytes:
    """The seed of the key that signs; made with the first signature."""
    if await public_key(control) is None:
        await _make_key(control)
    rows = await control.db.rows("SELECT id, seed_sealed FROM audit_key ORDER BY created_at DESC LIMIT 1")
    key_id, sealed = rows[0]
    return bytes.fromhex(control.vault.open(sealed, table="audit_key", row=key_id, column="seed").reveal())


async def _make_key(control: Control) -> None:
    async with control.write(SYSTEM) as tx:
        if await tx.value("SELECT 1 FROM audit_key"):
            return  # another process was quicker
        key_id, seed = tx.new_id(), Ids().random(32)
        sealed = control.vault.seal(seed.hex(), table="audit_key", row=key_id, column="seed")
        await tx.execute("INSERT INTO audit_key (id, public_key, seed_sealed, created_at) VALUES (?, ?, ?, ?)",
                         key_id, signed_note.public_key(seed), sealed, tx.now)
        await tx.audit("audit.key_made", "audit_key", key_id)


async def tree_from_tiles(db: Db) -> GrowingTree:
    """The tree of the full tiles; the rows after them are still to be added."""
    return GrowingTree(await queries.tiles(db, await queries.size(db) // TILE))


async def grow(db: Db, tree: GrowingTree, upto: int) -> None:
    """Add the rows up to this one by the hashes they carry; others get their turn meanwhile."""
    while tree.size < upto:
        found = await queries.leaves(db, tree.size, min(upto, tree.size + AT_ONCE))
        if not found:
            return
        for sequence, form, hashed in found:
            if sequence != tree.size + 1:
                return
            tree.add(leaf_of(form, hashed))
        await asyncio.sleep(0)


async def ranges(db: Db) -> Ranges:
    """For proofs; the leaves of the tiles a proof looks into are still to be put in."""
    return Ranges(await queries.tiles(db, await queries.size(db) // TILE))


async def look_into(db: Db, known: Ranges, *places: int) -> None:
    """Put in the leaves around these places (counted from 0)."""
    for tile in {place // TILE for place in places}:
        if not known.knows(tile):
            known.put(tile, [leaf_of(form, hashed) for _, form, hashed
                             in await queries.leaves(db, tile * TILE, (tile + 1) * TILE)])


class Chain:
    """Rows taken one after the other: each has the next number, its hash is that of what it says, and it names the
    hash of the one before."""

    def __init__(self, count: int, previous: bytes | None) -> None:
        self.count = count
        self._previous = previous

    def take(self, row: tuple[Any, ...]) -> str:
        """What is wrong with the next row, and then it is not counted; empty when nothing is."""
        sequence, previous, hashed = row[0], row[-2], row[-1]
        if sequence != self.count + 1:
            return "a row is missing" if sequence > self.count + 1 else "a row stands twice"
        if self._previous is not None and previous != self._previous:
            return NOT_LINKED
        if hash_of(row) != hashed:
            return "a row is not what it was when it was written"
        self.count, self._previous = sequence, hashed
        return ""


async def chain_after(db: Db, count: int) -> Chain:
    """To go on after so many rows. Of the first row that is kept nobody knows what it followed."""
    return Chain(count, FIRST if count == 0 else await queries.hash_of_row(db, count))


async def all_rows(db: Db, after: int, upto: int) -> AsyncIterator[list[tuple[Any, ...]]]:
    """The rows in order, some hundred at a time."""
    while after < upto:
        found = await queries.rows(db, after, AT_ONCE)
        found = [row for row in found if row[0] <= upto]
        if not found:
            return
        yield found
        after = found[-1][0]
        await asyncio.sleep(0)
