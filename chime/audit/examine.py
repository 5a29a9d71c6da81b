"""Examining a whole trail: every row, the chain, the tree, and everything that was signed, here and elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from chime.audit import queries
from chime.audit.model import INSTALLATION, Verdict
from chime.audit.trail import NOT_LINKED, Trail, all_rows, chain_after, origin, public_key
from chime.clock import Clock
from chime.db import Db, StorageUnavailable
from chime.security import signed_note
from chime.security.audit_hash import leaf_of
from chime.security.merkle import TILE, GrowingTree
from chime.security.permissions import Actor
from chime.security.signed_note import Statement
from chime.workspaces import Control, Transaction

Progress = Callable[[int, int], None]


async def examine(trail: Trail, clock: Clock, *, anchors: Iterable[str] = (), is_earlier: bool = False,
                  progress: Progress = lambda done, total: None) -> Verdict:
    """Read everything. `anchors` are signed notes that were kept elsewhere; those of other trails are left out. Which
    are ours the trail's id says: what is signed can have been signed under another name since, which is a fault.
    `is_earlier`: a copy of some moment, of which what control.db knows to be signed since says nothing."""
    began = clock.monotonic()
    elsewhere = await _of_this_trail(trail, anchors)
    statements, forged = await _statements(trail, elsewhere, is_earlier=is_earlier)
    wanted = {said.size for said in statements}
    size = await queries.size(trail.db)
    tree = await _begin(trail)
    begun = tree.size
    roots = {tree.size: tree.root()}
    chain, bad = await chain_after(trail.db, tree.size), ""
    with trail.db.sparingly():
        async for found in all_rows(trail.db, tree.size, size):
            for row in found:
                bad = chain.take(row)
                if bad:
                    break
                tree.add(leaf_of(row[1], row[-1]))
                if tree.size in wanted:
                    roots[tree.size] = tree.root()
            progress(tree.size, size)
            if bad:
                break
    verdict = _judged(statements, roots, tree, bad or forged, is_row=bool(bad))
    return Verdict(ok=verdict is None, rows=tree.size - begun, size=tree.size, head=tree.root().hex(),
                   proven=_proven(statements, roots), first_bad=verdict[0] if verdict else None,
                   reason=verdict[1] if verdict else "", checked_at=clock.real_now(),
                   seconds=round(clock.monotonic() - began, 3),
                   anchors=sum((said := signed_note.read(note)) is not None and said.size in roots
                               for note in elsewhere))


async def examine_copy(db: Db, workspace_id: str | None, control: Control, clock: Clock) -> Verdict:
    """The trail in a copy of a workspace's file, or of control.db (None), as it was at some moment. It is only read,
    and held against the installation's key as it is."""
    return await examine(Trail(workspace_id or INSTALLATION, db, _not_to_be_written, control), clock, is_earlier=True)


@asynccontextmanager
async def _not_to_be_written(actor: Actor) -> AsyncIterator[Transaction]:
    raise StorageUnavailable("a copy of a trail is only read")
    yield


async def _begin(trail: Trail) -> GrowingTree:
    """The tree of the beginning that was taken away in time; that it is the true one, the signatures show."""
    cut = await queries.cut_to(trail.db)
    return GrowingTree(await queries.tiles(trail.db, cut // TILE))


async def _of_this_trail(trail: Trail, anchors: Iterable[str]) -> list[str]:
    """By the name it has now, which may be one of another server, or by its id under any host."""
    name, ending = await origin(trail), f"/audit/{trail.name}"
    return [note for note in anchors if (said := signed_note.read(note)) is not None
            and (said.origin == name or said.origin.endswith(ending))]


async def _statements(trail: Trail, elsewhere: list[str], *, is_earlier: bool) -> tuple[list[Statement], str]:
    """What was signed of this trail, the smallest first; and what is wrong with a note that should be ours."""
    name, public = await origin(trail), await public_key(trail.control)
    ours = [checkpoint.note for checkpoint in await queries.checkpoints(trail.db)]
    away = await queries.anchored(trail.control.db, trail.name) if trail.is_of_workspace else None
    if away is not None and not (is_earlier and away.size > await queries.size(trail.db)):
        ours.append(away.note)
    found, forged = [], ""
    for note in (*ours, *elsewhere):
        said = signed_note.read(note)
        if said is None or public is None or not signed_note.is_signed(note, public):
            forged = forged or "a checkpoint does not carry our signature"
            continue
        if said.origin != name:
            forged = forged or f"a checkpoint of this trail has another name: {said.origin}"
        found.append(said)
    return sorted(found, key=lambda said: said.size), forged


def _proven(statements: list[Statement], roots: dict[int, bytes]) -> int:
    """Up to where signatures stand for the rows as they are: one that holds stands for everything before it too. Where
    two stories were signed, neither stands from there on."""
    end = min((said.size for said in statements if roots.get(said.size, said.root) != said.root), default=None)
    return max((said.size for said in statements if roots.get(said.size) == said.root
                and (end is None or said.size < end)), default=0)


def _judged(statements: list[Statement], roots: dict[int, bytes], tree: GrowingTree, bad: str, *, is_row: bool
            ) -> tuple[int | None, str] | None:
    """The first row that is not what it was, and why; None when nothing is wrong."""
    proven = _proven(statements, roots)
    changed = [said for said in statements if said.size in roots and roots[said.size] != said.root]
    if changed:
        # Rows that were changed and hashed anew, up to the end, betray themselves by nothing but the signature.
        return proven + 1, f"rows from {proven + 1} to {changed[0].size} are not those that were signed"
    if is_row and bad == NOT_LINKED:
        return proven + 1, f"rows from {proven + 1} on do not lead to row {tree.size + 1}"
    if is_row:
        return tree.size + 1, bad
    if statements and statements[-1].size > tree.size:
        return tree.size + 1, f"{statements[-1].size - tree.size} rows are missing at the end"
    return (None, bad) if bad else None
