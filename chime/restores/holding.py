"""After the exchange: nothing that waited then leaves by itself, and what was decided since then holds again."""

from __future__ import annotations

import msgspec

from chime import inbox
from chime.clock import DAY
from chime.inbox import Sent, Why
from chime.workspaces import Transaction, Workspace

AT_ONCE = 200
_JOURNALLED = ("SELECT message_id, phase, outcome, wamid FROM send_event WHERE message_id IN "
               "(SELECT value FROM json_each(?)) ORDER BY id")


async def hold(workspace: Workspace, restore_id: str, why: Why) -> dict[str, int]:
    """Every message that would leave; how many were sent, are in doubt, or wait for a person now."""
    found = {"sent": 0, "unconfirmed": 0, "held": 0}
    while ids := await inbox.unsettled(workspace.db, AT_ONCE):
        sends: dict[str, list[Sent]] = {}
        for message_id, phase, outcome, wamid in await workspace.journal_db.rows(
                _JOURNALLED, msgspec.json.encode(ids).decode()):
            sends.setdefault(message_id, []).append(Sent(phase, outcome, wamid))
        async with workspace.ingest("restore") as tx:
            for message_id in ids:
                found[await inbox.settle_or_hold(tx, message_id, sends.get(message_id, []), restore_id=restore_id,
                                                 why=why)] += 1
    return found


async def ask_again(workspace: Workspace) -> int:
    """What else would go out by itself asks a person first: messages for later, blocks that WhatsApp was not told of.
    And nobody is asked how it was for a second time. How many messages for later."""
    async with workspace.ingest("restore") as tx:
        count = await inbox.hold_scheduled(tx)
        await tx.execute("UPDATE contact_block SET state = 'refused', trouble = 'network' WHERE state = 'pending'")
        await _ask_nobody(tx)
    return count


async def _ask_nobody(tx: Transaction) -> None:
    """Conversations resolved shortly before: their customers may have been asked since."""
    for conversation_id, closed_at, channel_id, team_id, agent_id in await tx.rows(
            "SELECT id, closed_at, channel_id, team_id, assignee_id FROM conversation WHERE state = 'closed' "
            "AND closed_at > ? AND NOT EXISTS (SELECT 1 FROM satisfaction WHERE conversation_id = conversation.id "
            "AND satisfaction.closed_at = conversation.closed_at)", tx.now - DAY):
        await tx.execute("INSERT INTO satisfaction (id, conversation_id, channel_id, team_id, agent_id, closed_at, "
                         "reason) VALUES (?, ?, ?, ?, ?, ?, 'recent')", tx.new_id(), conversation_id, channel_id,
                         team_id, agent_id, closed_at)


async def recall_consents(workspace: Workspace) -> int:
    """What people decided on marketing since then, from the journal, in the order in which they did; how many
    decisions."""
    count, last = 0, 0
    while rows := await workspace.journal_db.rows(
            "SELECT id, contact_id, marketing, source, evidence, at FROM consent_event WHERE id > ? ORDER BY id "
            "LIMIT ?", last, AT_ONCE):
        async with workspace.ingest("restore") as tx:
            for _, contact_id, marketing, source, evidence, at in rows:
                count += await _recall(tx, contact_id, marketing, source, evidence, at)
        last = rows[-1][0]
    return count


async def _recall(tx: Transaction, contact_id: str, marketing: str, source: str, evidence: str, at: int) -> int:
    if not await tx.value("SELECT 1 FROM contact WHERE id = ?", contact_id) or await tx.value(
            "SELECT 1 FROM consent_event WHERE contact_id = ? AND at = ? AND marketing = ?", contact_id, at, marketing):
        return 0
    await tx.execute("INSERT INTO consent_event (id, contact_id, marketing, source, evidence, actor_name, at) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?)", tx.new_id(), contact_id, marketing, source, evidence,
                     tx.actor.name, at)
    await tx.execute("UPDATE contact SET marketing_consent = ?2, consent_at = max(?3, coalesce(consent_at, 0)), "
                     "updated_at = ?4 WHERE id = ?1 AND (?2 = 'opted_out' OR coalesce(consent_at, 0) <= ?3)",
                     contact_id, marketing, at, tx.now)
    return 1
