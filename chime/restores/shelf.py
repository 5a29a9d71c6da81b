"""What the shelf of backups holds of one workspace: for the pages."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from chime import backups
from chime.clock import Clock


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """From when until when the workspace can be restored, how large that is, and when a restore of it was last tried
    and found good. `files_gone`: stored files that are nowhere any more. Nothing: there is no backup yet."""

    first: int | None = None
    last: int | None = None
    bytes: int = 0
    verified_at: int | None = None
    reason: str = ""
    files_gone: int = 0


async def kept(folder: Path, workspace_id: str) -> Kept:
    """What there is now."""
    return await asyncio.to_thread(_kept, folder, workspace_id)


def _kept(folder: Path, workspace_id: str) -> Kept:
    for item in backups.listing(backups.Shelf(folder)):
        if item.workspace_id == workspace_id:
            return Kept(first=item.first, last=item.last, bytes=item.bytes, verified_at=item.verified_at,
                        reason=item.reason, files_gone=item.files_gone)
    return Kept()


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How the drill and the second place are."""

    drilled_at: int | None
    drill_seconds: float
    second_trouble: str


async def standing(folder: Path, clock: Clock) -> Standing:
    state = await asyncio.to_thread(backups.read_state, backups.Shelf(folder), clock.real_now())
    return Standing(drilled_at=state.drilled_at, drill_seconds=state.drill_seconds,
                    second_trouble=state.second_trouble)
