"""Whoever answers a conversation that nobody has takes it: their own list shows it, and nobody else is given it.

A workspace may switch this off. What a script or Chime itself writes takes nothing.
"""

from __future__ import annotations

from chime.db import Db
from chime.inbox.actions import assign
from chime.workspaces import Transaction

_NAME, _OFF, _ON = "claim_on_reply", "off", "on"


async def claims_replies(db: Db) -> bool:
    """Whether a reply takes; so it is unless somebody decided otherwise."""
    return bool(await db.value("SELECT value FROM inbox_setting WHERE name = ?", _NAME) != _OFF)


async def set_claims_replies(tx: Transaction, claims: bool) -> None:
    if await claims_replies(tx) == claims:
        return
    await tx.execute("INSERT INTO inbox_setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) "
                     "DO UPDATE SET value = excluded.value", _NAME, _ON if claims else _OFF)
    await tx.audit("inbox.claiming_changed", "inbox", _NAME, before={"claims": not claims}, after={"claims": claims})


async def claim(tx: Transaction, conversation_id: str) -> None:
    """The one who acts has just answered."""
    is_free = await tx.value("SELECT 1 FROM conversation WHERE id = ? AND assignee_id IS NULL", conversation_id)
    if tx.actor.kind == "user" and is_free and await claims_replies(tx):
        await assign(tx, conversation_id, assignee_id=tx.actor.id, assignee_name=tx.actor.name, told_as="taken")
