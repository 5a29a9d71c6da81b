"""The steps of an erasure that change the workspace's file. Each may be done twice."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import msgspec

from chime import approvals, contacts, inbox
from chime.contacts import Identity
from chime.erasure.cutting import may_concern
from chime.erasure.journal import ERASED_SUBJECT, Found
from chime.erasure.model import Meant, Tombstone
from chime.inbox import Doomed
from chime.workspaces import Transaction

RECORDS_AT_ONCE = 500


async def begin(tx: Transaction, erasure_id: str, *, contact_ids: Sequence[str], known: Collection[Identity],
                key: bytes, refused: bool, requester: str = "", approver: str = "", again: bool = False
                ) -> list[Tombstone]:
    """From here on it goes to its end: who is meant is written down, in the journal as hashes before anything else is
    removed. The tombstones, for control.db."""
    now = tx.audited_at
    stones = [Tombstone(erasure_id=erasure_id, contact_id=contact_ids[0], mark=contacts.mark(key, one),
                        opted_out=refused, at=now) for one in known]
    await tx.execute("INSERT INTO erasure (id, contact_id, again, begun_at, requester_name, approver_name) "
                     "VALUES (?, ?, ?, ?, ?, ?)", erasure_id, contact_ids[0], int(again), now, requester, approver)
    for contact_id in contact_ids:
        await _needle(tx, erasure_id, "contact", contact_id)
    for one in known:
        if one.kind in ("phone", "user_id"):
            await _needle(tx, erasure_id, one.kind, one.value)
    for row in await tx.rows("SELECT id FROM conversation WHERE contact_id IN (SELECT value FROM json_each(?))",
                             msgspec.json.encode(list(contact_ids)).decode()):
        await _needle(tx, erasure_id, "conversation", row[0])
    if refused:
        await contacts.keep_refusal(tx, key, [stone.mark for stone in stones], at=now)
    if not again:
        for stone in stones:
            tx.journal(ERASED_SUBJECT, stone.erasure_id, stone.contact_id, stone.mark, int(stone.opted_out), stone.at)
    if again:
        await tx.audit("contact.erasure_repeated", "contact", contact_ids[0], erasure_id=erasure_id)
    else:
        await tx.audit("contact.erasure_begun", "contact", contact_ids[0], erasure_id=erasure_id)
    return stones


async def _needle(tx: Transaction, erasure_id: str, kind: str, value: str) -> None:
    await tx.execute("INSERT OR IGNORE INTO erasure_needle (erasure_id, kind, value) VALUES (?, ?, ?)",
                     erasure_id, kind, value)


async def forget_messages(tx: Transaction, erasure_id: str, doomed: Sequence[Doomed], *, files: int) -> None:
    """Some messages; by Meta's ids of them their traces are found later."""
    for one in doomed:
        await _needle(tx, erasure_id, "message", one.id)
        if one.wamid:
            await _needle(tx, erasure_id, "wamid", one.wamid)
    await add(tx, erasure_id, messages=await inbox.forget_messages(tx, doomed), files=files)


async def forget_rows(tx: Transaction, erasure_id: str, contact_ids: Sequence[str], *, files: int) -> None:
    """Conversations, contact, words, consent: afterwards the workspace does not know the person. `files`: how many went
    with the messages for later."""
    conversations = await inbox.forget_threads(tx, contact_ids)
    counts = await contacts.forget(tx, contact_ids)
    await inbox.forget_words(tx, contact_ids)
    await add(tx, erasure_id, conversations=conversations, files=files, **counts)
    await tx.execute("UPDATE erasure SET rows_gone_at = ? WHERE id = ?", tx.audited_at, erasure_id)


async def forget_events(tx: Transaction, erasure_id: str, found: Found) -> None:
    """What is kept of events that were taken out of the journal: keys that hold an id of Meta's or a number, changes
    that waited for a message."""
    telling = [key for key in found.keys if "wamid" in key or key.startswith(("status:", "call:"))]
    text = msgspec.json.encode(telling).decode()
    await tx.execute("DELETE FROM applied_event WHERE key IN (SELECT value FROM json_each(?))", text)
    await tx.execute("DELETE FROM message_status WHERE key IN (SELECT value FROM json_each(?))", text)
    await tx.execute("DELETE FROM early_change WHERE channel_id IN (SELECT id FROM channel) "
                     "AND target_wamid IN (SELECT value FROM json_each(?))",
                     msgspec.json.encode(found.targets).decode())
    await tx.execute("UPDATE erasure SET journal_upto = ? WHERE id = ?", found.upto, erasure_id)
    await add(tx, erasure_id, deliveries=found.bodies, mentions=found.remains)


async def forget_records(tx: Transaction, erasure_id: str, meant: Meant, ids: Collection[str]) -> None:
    """What was kept raw of Meta's events, and answers kept for scripts."""
    removed = 0
    texts = [one.encode() for one in ids]

    def concerns(body: bytes) -> bool:
        return may_concern(meant, body) or any(text in body for text in texts)

    after = ""
    while rows := await tx.rows("SELECT id, value_json FROM webhook_event WHERE id > ? ORDER BY id LIMIT ?",
                                after, RECORDS_AT_ONCE):
        for row_id, value in rows:
            if concerns(value.encode()):
                removed += await tx.execute("DELETE FROM webhook_event WHERE id = ?", row_id)
        after = rows[-1][0]
        await asyncio.sleep(0)
    for caller_id, key, body in await tx.rows("SELECT caller_id, key, body FROM idempotent_answer "
                                              "WHERE body IS NOT NULL"):
        if concerns(body):
            removed += await tx.execute("DELETE FROM idempotent_answer WHERE caller_id = ? AND key = ?", caller_id, key)
    await add(tx, erasure_id, records=removed)


async def add(tx: Transaction, erasure_id: str, **counts: int) -> None:
    """Count what was removed in the transaction that removes it."""
    found = msgspec.json.decode(await tx.value("SELECT counts_json FROM erasure WHERE id = ?", erasure_id) or "{}",
                                type=dict[str, int])
    for name, count in counts.items():
        found[name] = found.get(name, 0) + count
    await tx.execute("UPDATE erasure SET counts_json = ? WHERE id = ?", msgspec.json.encode(found).decode(), erasure_id)


async def forget_needles(tx: Transaction, erasure_id: str) -> None:
    """Nothing is left by which the person could be found."""
    await tx.execute("DELETE FROM erasure_needle WHERE erasure_id = ?", erasure_id)
    await approvals.forget_subject(tx, erasure_id)


async def finish(tx: Transaction, erasure_id: str, *, rewritten: bool) -> None:
    """It is done. `rewritten`: the files were written anew, so that no trace of earlier versions is left in them."""
    await add(tx, erasure_id, rewritten=int(rewritten))
    if not await tx.execute("UPDATE erasure SET finished_at = ? WHERE id = ? AND finished_at IS NULL",
                            tx.audited_at, erasure_id):
        return
    contact_id, counts = (await tx.rows("SELECT contact_id, counts_json FROM erasure WHERE id = ?", erasure_id))[0]
    await tx.audit("contact.erased", "contact", contact_id, erasure_id=erasure_id,
                   **msgspec.json.decode(counts, type=dict[str, int]))
