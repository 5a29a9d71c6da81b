"""Which messages may have been sent, and which of them wait for a person. Reactions are none: nobody is asked about
them, because sent twice they are the same.
"""

from __future__ import annotations

import msgspec

from chime.db import Db
from chime.inbox.model import CLOCK_SLACK, DOUBT_WAITS
from chime.security.scope import DOUBTS, Viewer

MOST_COUNTED = 1000
OLDEST = (-1, "")
# The words of the partial indexes (m0013): without them SQLite reads the whole table.
_IN_DOUBT = "doubt.status = 'unconfirmed' AND doubt.type <> 'reaction'"
# The oldest of its conversation among those that wait for a person. ?1 and ?2 bound the moments still waited for.
_ASKING = (
    f"{_IN_DOUBT} AND doubt.claimed_at NOT BETWEEN ?1 AND ?2 AND NOT EXISTS (SELECT 1 FROM message AS earlier "
    "WHERE earlier.conversation_id = doubt.conversation_id AND earlier.status = 'unconfirmed' "
    "AND earlier.type <> 'reaction' AND earlier.claimed_at NOT BETWEEN ?1 AND ?2 "
    "AND (earlier.claimed_at, earlier.id) < (doubt.claimed_at, doubt.id))")
_DOUBT = ("SELECT doubt.conversation_id, doubt.id AS message_id, doubt.claimed_at AS doubted_at "
          "FROM message AS doubt")
_ALL = f"{_DOUBT} WHERE {_IN_DOUBT}"
_PAGE = " AND (doubt.claimed_at, doubt.id) > (?, ?) ORDER BY doubt.claimed_at, doubt.id LIMIT ?"


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """The oldest message of a conversation that asks a person."""

    conversation_id: str
    message_id: str
    doubted_at: int


async def conversations_asking(db: Db, viewer: Viewer, now: int, *, after: tuple[int, str] = OLDEST,
                               limit: int) -> list[Doubt]:
    """A page of the conversations in which a message waits for a person, by its oldest one, the oldest first, after
    the given `(doubted_at, message_id)`."""
    return await db.all(
        Doubt, f"{_DOUBT} WHERE {_ASKING}" + DOUBTS[viewer.sight] + _PAGE, *_waited_for(now), *viewer.held_values,
        *after, limit)


async def count_asking(db: Db, viewer: Viewer, now: int) -> int:
    """How many conversations wait for a person; 1,000 stands for that many or more."""
    found: int = await db.value(
        f"SELECT count(*) FROM (SELECT 1 FROM message AS doubt WHERE {_ASKING}" + DOUBTS[viewer.sight] + " LIMIT ?)",
        *_waited_for(now), *viewer.held_values, MOST_COUNTED)
    return found


def _waited_for(now: int) -> tuple[int, int]:
    """The first and the last moment whose sends may still be settled by WhatsApp alone."""
    return now - DOUBT_WAITS + 1, now + CLOCK_SLACK


async def unconfirmed(db: Db, viewer: Viewer, *, conversation_id: str | None = None, after: tuple[int, str] = OLDEST,
                      limit: int) -> list[Doubt]:
    """A page of all messages in doubt, or those of a conversation, however young, the oldest first."""
    if conversation_id is None:
        return await db.all(Doubt, _ALL + DOUBTS[viewer.sight] + _PAGE, *viewer.held_values, *after, limit)
    return await db.all(Doubt, _ALL + " AND doubt.conversation_id = ?" + DOUBTS[viewer.sight] + _PAGE, conversation_id,
                        *viewer.held_values, *after, limit)


async def count_unconfirmed(db: Db) -> int:
    """Every message in doubt, for the monitor."""
    found: int = await db.value(f"SELECT count(*) FROM message AS doubt WHERE {_IN_DOUBT}")
    return found


async def begun_to_ask(db: Db, now: int, within: int) -> list[str]:
    """The messages whose wait ended in the last `within` milliseconds."""
    rows = await db.rows(f"SELECT doubt.id FROM message AS doubt WHERE {_IN_DOUBT} AND doubt.claimed_at > ? "
                         "AND doubt.claimed_at <= ? LIMIT 1000", now - DOUBT_WAITS - within, now - DOUBT_WAITS)
    return [row[0] for row in rows]
