"""Signing the trail: after 1,000 rows, ten minutes after a row that none stands for yet, and with each export.

Before it signs, the signer proves to itself that the trail is still the one it signed last: the root of that many rows
must come out as it was, every row since then must hash to what it carries and follow the one before, and of the older
tiles some are read again each time, so that all have their turn. If anything differs, nothing is signed any more and an
alarm stands on the page, in the metrics and in the log, until somebody examined it.

What was signed is kept in three places: beside the rows, for workspaces in control.db, and, where the operator named
one, in a file outside of Chime's folders (`CHIME_AUDIT_ANCHOR_FILE`). Nothing before the last checkpoint that somebody
else holds can change unnoticed, not even by whoever owns the machine.
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from pathlib import Path
from typing import Any

import msgspec

from chime.audit import queries, trouble
from chime.audit.model import Alarm, Checkpoint
from chime.audit.trail import (
    NOT_LINKED,
    Chain,
    Trail,
    all_rows,
    chain_after,
    grow,
    origin,
    public_key,
    signing_key,
    tree_from_tiles,
)
from chime.clock import rfc3339
from chime.errors import ChimeError
from chime.log import Log
from chime.security import signed_note
from chime.security.audit_hash import leaf_of
from chime.security.merkle import TILE, GrowingTree, tile_root
from chime.security.permissions import SYSTEM, Actor
from chime.workspaces import Transaction

TILES_AGAIN = 4
_log = Log("audit")


class TrailChanged(ChimeError):
    """The trail is not the one that was signed: nothing more is signed until somebody looked."""

    status = 409
    title = "The audit trail was changed"

    def __init__(self, reason: str, first_bad: int | None) -> None:
        super().__init__(f"The audit trail is not the one that was signed: {reason}")
        self.reason = reason
        self.first_bad = first_bad


async def sign(trail: Trail) -> Checkpoint:
    """A checkpoint over everything there is. Raises TrailChanged."""
    seed = await signing_key(trail.control)
    try:
        tree = await _proven(trail)
    except TrailChanged as changed:
        await _raise_alarm(trail, changed)
        raise
    name = await origin(trail)
    async with trail.write(SYSTEM) as tx:
        await tx.execute("DELETE FROM meta WHERE key = 'audit_alarm'")
        await tx.audit("audit.checkpointed", "audit_trail", trail.name, after=tree.size)
        made = await _store(tx, tree, name, seed)
    await trouble.forget(trail, trouble.ALARM)
    await _anchor(trail, made)
    return made


async def _store(tx: Transaction, tree: GrowingTree, name: str, seed: bytes) -> Checkpoint:
    """Add what came meanwhile, the checkpoint's own row with it, and sign."""
    size = await queries.size(tx)
    await grow(tx, tree, size)
    at = tx.audited_at
    note = signed_note.sign(seed, signed_note.Statement(origin=name, size=size, root=tree.root(), time=rfc3339(at)))
    for number, root in tree.new_tiles:
        await tx.execute("INSERT INTO audit_tile (number, root) VALUES (?, ?) ON CONFLICT DO NOTHING", number, root)
    await tx.execute("INSERT INTO audit_checkpoint (size, at, note) VALUES (?, ?, ?)", size, at, note)
    return Checkpoint(size=size, at=at, note=note)


async def _proven(trail: Trail) -> GrowingTree:
    """The tree up to some row, of which everything before the last signature is proved to be what was signed then and
    everything after it to follow. Raises TrailChanged."""
    db = trail.db
    last = await newest_known(trail)
    size = await queries.size(db)
    tree = await tree_from_tiles(db)
    if last is not None:
        said = signed_note.read(last.note)
        public = await public_key(trail.control)
        if said is None or public is None or not signed_note.is_signed(last.note, public):
            raise TrailChanged("the last checkpoint does not carry our signature", None)
        if said.size > size:
            raise TrailChanged(f"{said.size - size} rows are missing at the end", size + 1)
        if tree.size > said.size:
            tree = GrowingTree(await queries.tiles(db, said.size // TILE))
        await grow(db, tree, said.size)
        if tree.size != said.size or tree.root() != said.root:
            raise TrailChanged("rows from before the last checkpoint were changed", None)
    chain = await chain_after(db, tree.size)
    async for found in all_rows(db, tree.size, size):
        for row in found:
            _must_follow(chain, row)
            tree.add(leaf_of(row[1], row[-1]))
    await _read_again(trail, tree)
    return tree


def _must_follow(chain: Chain, row: tuple[Any, ...]) -> None:
    bad = chain.take(row)
    if bad:
        raise TrailChanged(bad, None if bad == NOT_LINKED else chain.count + 1)


async def _read_again(trail: Trail, tree: GrowingTree) -> None:
    """Some older tiles, other ones each time: their rows must still give the root that was kept. Raises TrailChanged.
    """
    db = trail.db
    roots = await queries.tiles(db, tree.size // TILE)
    kept = await queries.cut_to(db) // TILE
    count = len(roots) - kept
    if count <= 0:
        return
    turn = int(await db.value("SELECT count(*) FROM audit_checkpoint")) * TILES_AGAIN
    for number in {kept + (turn + step) % count for step in range(TILES_AGAIN)}:
        chain, leaves = await chain_after(db, number * TILE), []
        async for found in all_rows(db, number * TILE, (number + 1) * TILE):
            for row in found:
                _must_follow(chain, row)
                leaves.append(leaf_of(row[1], row[-1]))
        if len(leaves) != TILE or tile_root(leaves) != roots[number]:
            raise TrailChanged("rows of an earlier time were changed", number * TILE + 1)


async def newest_known(trail: Trail) -> Checkpoint | None:
    """The last checkpoint, be it beside the rows or in control.db: a file put back to an older state shows."""
    beside = await queries.newest_checkpoint(trail.db)
    away = await queries.anchored(trail.control.db, trail.name) if trail.is_of_workspace else None
    return max((found for found in (beside, away) if found is not None), key=lambda found: found.size, default=None)


async def _raise_alarm(trail: Trail, changed: TrailChanged) -> None:
    """Once for each reason: the row of it is part of the trail too."""
    _log.error("audit.checkpoint_refused", changed, trail=trail.name, reason=changed.reason,
               first_bad=changed.first_bad)
    await trouble.remember(trail, trouble.ALARM)
    standing = await queries.alarm(trail.db)
    if standing is not None and (standing.reason, standing.first_bad) == (changed.reason, changed.first_bad):
        return
    async with trail.write(SYSTEM) as tx:
        raised = Alarm(at=tx.audited_at, reason=changed.reason, first_bad=changed.first_bad)
        await tx.execute("INSERT INTO meta (key, value) VALUES ('audit_alarm', ?) ON CONFLICT (key) DO UPDATE SET "
                         "value = excluded.value", msgspec.json.encode(raised).decode())
        await tx.audit("audit.checkpoint_refused", "audit_trail", trail.name, first_bad=changed.first_bad)


async def _anchor(trail: Trail, made: Checkpoint) -> None:
    """Tell the other places. One that fails is told of in the log and gets the next one."""
    said = signed_note.read(made.note)
    if said is not None:
        _log.info("audit.checkpointed", trail=trail.name, size=made.size, root=b64encode(said.root).decode())
    if trail.is_of_workspace:
        async with trail.control.ingest("audit") as tx:
            await tx.execute("INSERT INTO audit_anchor (workspace_id, size, at, note) VALUES (?, ?, ?, ?) "
                             "ON CONFLICT (workspace_id) DO UPDATE SET size = excluded.size, at = excluded.at, "
                             "note = excluded.note WHERE excluded.size > audit_anchor.size",
                             trail.name, made.size, made.at, made.note)
    path = trail.control.anchoring.file
    if path is not None:
        try:
            await asyncio.to_thread(_append, path, msgspec.json.encode({"note": made.note}))
        except OSError as error:
            _log.error("audit.anchor_not_written", error)


def _append(path: Path, line: bytes) -> None:
    """One line; whoever can read the file learns sizes and roots, nothing of the rows."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    with os.fdopen(descriptor, "ab") as file:
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())


async def accept_as_it_is(trail: Trail, actor: Actor, *, reason: str) -> Checkpoint:
    """Somebody looked at a trail that is not the one signed last, knows why (a file was put back from a backup), and
    goes on from what is there now. The break stays visible: it is a row, and the checkpoints on both sides are kept.
    """
    seed = await signing_key(trail.control)
    standing, last = await queries.alarm(trail.db), await newest_known(trail)
    name = await origin(trail)
    async with trail.write(actor) as tx:
        await tx.execute("DELETE FROM meta WHERE key = 'audit_alarm'")
        await tx.execute("DELETE FROM audit_tile WHERE number >= ?", await queries.cut_to(tx) // TILE)
        await tx.audit("audit.break_accepted", "audit_trail", trail.name, reason=reason[:200],
                       alarm=standing.reason if standing else "", note_before=last.note if last else "")
        tree = await tree_from_tiles(tx)
        await tx.execute("DELETE FROM audit_checkpoint")
        made = await _store(tx, tree, name, seed)
    if trail.is_of_workspace:
        async with trail.control.write(actor) as tx:
            await tx.execute("DELETE FROM audit_anchor WHERE workspace_id = ?", trail.name)
            await tx.audit("audit.break_accepted", "audit_trail", trail.name, reason=reason[:200])
    for found_by in (trouble.ALARM, trouble.VERDICT):
        await trouble.forget(trail, found_by)
    await _anchor(trail, made)
    return made
