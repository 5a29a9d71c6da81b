"""The trail as a file that proves itself: JSON lines for `chime audit verify` and the stand-alone verifier.

The first line says what it is, then come the checkpoints and then the rows in order. A whole trail needs no more: the
rows make the tree, whose root is what was signed. Of a choice of rows each carries its way up to the root of the last
checkpoint. That the file was made is a row of the trail itself, written before the first byte leaves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from chime.audit import queries
from chime.audit.checkpoints import TrailChanged, newest_known, sign
from chime.audit.model import LATEST, Checkpoint, Event, Filter
from chime.audit.trail import Trail, all_rows, look_into, origin, public_key, ranges
from chime.clock import rfc3339
from chime.security import signed_note
from chime.security.audit_hash import COLUMNS
from chime.security.merkle import TILE, Peaks, inclusion_proof
from chime.security.permissions import Actor

FORMAT = "chime-audit/1"
ROWS_AT_ONCE = 200


async def begin(trail: Trail, actor: Actor, wanted: Filter) -> Checkpoint | None:
    """Write down that it is done and sign. When the trail is not what it was the file is made all the same: it is what
    somebody examines then, and verifying it will fail."""
    asked = {name: str(value) for name, value in msgspec.structs.asdict(wanted).items() if value}
    async with trail.write(actor) as tx:
        await tx.audit("audit.exported", "audit_trail", trail.name, filter=asked)
    try:
        return await sign(trail)
    except TrailChanged:
        return await newest_known(trail)


async def lines(trail: Trail, made: Checkpoint | None, wanted: Filter) -> AsyncIterator[bytes]:
    """The file, some hundred lines at a time."""
    size = made.size if made else await queries.size(trail.db)
    yield _line(await _head(trail, size, wanted, made))
    signed = await queries.checkpoints(trail.db) if wanted.takes_all else [made] if made else []
    for checkpoint in signed:
        yield _line({"checkpoint": checkpoint.note})
    if wanted.takes_all:
        async for found in all_rows(trail.db, await queries.cut_to(trail.db), size):
            yield b"".join(_line(_told(row)) for row in found)
    else:
        async for chunk in _chosen(trail, size, wanted):
            yield chunk


async def _head(trail: Trail, size: int, wanted: Filter, made: Checkpoint | None) -> dict[str, Any]:
    public, name = await public_key(trail.control), await origin(trail)
    cut = await queries.cut_to(trail.db)
    before = Peaks()
    for root in await queries.tiles(trail.db, cut // TILE):
        before.push(root, TILE.bit_length() - 1)
    return {"format": FORMAT, "origin": name, "size": size, "whole": wanted.takes_all, "cut_to": cut,
            "peaks": [[level, subtree.hex()] for level, subtree in before.peaks],
            "key": signed_note.verifier_key(name, public) if public else "",
            "exported_at": rfc3339(made.at) if made else ""}


def _told(row: tuple[Any, ...]) -> dict[str, Any]:
    """All columns under their names; hashes in hexadecimal digits, the details as the very text that was hashed."""
    told = dict(zip(COLUMNS, row, strict=True))
    return told | {"previous_hash": row[-2].hex(), "hash": row[-1].hex()}


async def _chosen(trail: Trail, size: int, wanted: Filter) -> AsyncIterator[bytes]:
    """The newest first, as on the page; each with its proof."""
    known, before = await ranges(trail.db), min(LATEST, size + 1)
    while True:
        found = await queries.page(trail.db, wanted, before=before, limit=ROWS_AT_ONCE)
        if not found:
            return
        told = []
        for event in found:
            place = event.sequence - 1
            await look_into(trail.db, known, place, size - 1)
            proof = inclusion_proof(place, size, known.root)
            row = (await queries.rows(trail.db, place, 1))[0]
            told.append(_line(_told(row) | {"proof": [beside.hex() for beside in proof]}))
            if place // TILE != (size - 1) // TILE and place % TILE == 0:
                known.forget(place // TILE)
        yield b"".join(told)
        before = found[-1].sequence


async def proof_of(trail: Trail, event: Event, made: Checkpoint) -> list[bytes]:
    """The way from one row up to the root of a checkpoint."""
    known = await ranges(trail.db)
    await look_into(trail.db, known, event.sequence - 1, made.size - 1)
    return inclusion_proof(event.sequence - 1, made.size, known.root)


def _line(told: dict[str, Any]) -> bytes:
    return msgspec.json.encode(told) + b"\n"
