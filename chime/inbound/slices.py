"""Going through a whole journal without holding anybody up: a few bodies at a time, giving way between them.

A year of journal may be ten million bodies and one body may be three megabytes, so neither rows nor parsed events are
ever held for more than a handful of bodies, a single one if it is large, and the event loop never waits for more than
some milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from chime.whatsapp import Event, parse
from chime.workspaces import Workspace

BODIES = 16
# Bytes of bodies that are read at once, unless a single one is longer. A day of large bodies is hundreds of megabytes.
AT_ONCE = 256 * 1024
# Bytes that are parsed on the loop in one go: about two milliseconds. A longer body is parsed in a thread.
SLICE = 32 * 1024
# While posts wait for the disk, answering Meta comes before proving that it was answered.
BUSY = 8
PAUSE_WHEN_BUSY = 0.004


class StoredBody(msgspec.Struct, frozen=True):
    """A row of the journal."""

    id: int
    key: bytes
    received_at: int
    body: bytes


async def stored_bodies(workspace: Workspace, after: int, last: int) -> AsyncIterator[list[StoredBody]]:
    """The bodies after one id up to another, in order, some at a time."""
    while (end := await _end_of_some(workspace, after, last)) is not None:
        rows = await workspace.journal_db.rows("SELECT id, key, received_at, body FROM webhook_body "
                                               "WHERE id > ? AND id <= ? ORDER BY id", after, end)
        after = end
        if rows:
            yield [StoredBody(*row) for row in rows]


async def _end_of_some(workspace: Workspace, after: int, last: int) -> int | None:
    """The id up to which to read at once; None when there are no more. How long a body is, its row tells without it."""
    lengths = await workspace.journal_db.rows("SELECT id, length(body) FROM webhook_body WHERE id > ? AND id <= ? "
                                              "ORDER BY id LIMIT ?", after, last, BODIES)
    end, total = None, 0
    for body_id, length in lengths:
        total += length
        if end is not None and total > AT_ONCE:
            break
        end = int(body_id)
    return end


async def events_of(body: bytes) -> list[Event]:
    """Every event of a body."""
    return parse(body) if len(body) <= SLICE else await asyncio.to_thread(parse, body)


def events_at(events: list[Event], path: str) -> list[Event]:
    """The event at this place of a body. A parser that has learnt more since may find several below a place where
    there was one unreadable item; then these."""
    return ([event for event in events if event.path == path]
            or [event for event in events if event.path.startswith(f"{path}.")])


async def give_way(workspace: Workspace) -> None:
    """Let the loop serve others; longer while posts wait for the disk."""
    await asyncio.sleep(PAUSE_WHEN_BUSY if workspace.journal.waiting > BUSY else 0)
