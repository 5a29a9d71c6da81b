"""Telling open browsers that a doubt asks a person from now on.

Nothing changes in the file when the wait ends, so nothing else would tell them. Kept nowhere: a sweep that is missed
costs a page the news until it is loaded again.
"""

from __future__ import annotations

from chime.clock import MINUTE
from chime.db import Db
from chime.inbox import doubt_queries
from chime.jobs import JobKind, Work

ASK = "inbox.ask_about_doubt"
# A little longer than the sweep's minute, so that none falls between two of them.
LOOKS_BACK = MINUTE + MINUTE // 2


async def ask(work: Work, message_id: str) -> None:
    """Have the message and the lists drawn anew."""
    async with work.workspace.ingest("doubts") as tx:
        conversation_id = await tx.value("SELECT conversation_id FROM message WHERE id = ?", message_id)
        if conversation_id is not None:
            tx.publish("message", message_id, conversation_id=conversation_id)


async def due(db: Db, now: int) -> list[str]:
    return await doubt_queries.begun_to_ask(db, now, LOOKS_BACK)


JOBS = [JobKind(ASK, ask, due)]
