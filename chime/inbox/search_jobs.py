"""The job that keeps the search index up to date: rung shortly after a commit that may concern it, and by the sweep."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from chime.db import Db
from chime.inbox import search_queries
from chime.inbox.search_index import index_contacts, index_messages
from chime.jobs import JobKind, Work
from chime.workspaces import LiveNudge

INDEX = "inbox.index"
EVERYTHING = "everything"
# Seconds after a commit: what comes together is indexed together.
DELAY = 0.5
# Seconds in which other writers get their turn while very much waits.
BREATH = 0.005
_TOPICS = frozenset({"message", "conversation", "contact"})


def may_concern(nudges: Iterable[LiveNudge]) -> bool:
    """Whether a commit may have brought words."""
    return any(nudge.topic in _TOPICS for nudge in nudges)


async def index(work: Work, _: str) -> None:
    """Batch by batch until nothing waits. A crash between two loses nothing; one in a batch undoes it."""
    while await search_queries.waiting(work.workspace.db):
        async with work.workspace.ingest("search") as tx:
            await index_contacts(tx)
            await index_messages(tx)
        await asyncio.sleep(BREATH)


async def due(db: Db, now: int) -> list[str]:
    """All that waits is one job."""
    return [EVERYTHING] if await search_queries.waiting(db) else []


JOBS = [JobKind(INDEX, index, due, at_once=2)]
