"""What a restore does not roll back, carried from the workspace's file as it is into the copy that takes its place.

The audit trail goes on: the copy's rows are the beginning of the workspace's, and the rest is added as it stands, with
its hashes. Refusals of marketing, numbers and their credentials, and what became of messages that were waiting at that
moment are as they are now; so are the answers that scripts got. All of it may be carried twice.
"""

from __future__ import annotations

import asyncio
from typing import Any

from chime import contacts
from chime.contacts import Consent, Identity
from chime.db import Db
from chime.security.merkle import TILE
from chime.workspaces import Transaction, Workspace

AT_ONCE = 500
_EVENTS = ("SELECT sequence, form, at, actor_kind, actor_id, actor_name, on_behalf, session_id, address, agent_hash, "
           "action, object_kind, object_id, result, details_json, previous_hash, hash FROM audit_event "
           "WHERE sequence > ? ORDER BY sequence LIMIT ?")
_CHANNELS = ("SELECT id, phone_number_id, waba_id, meta_app_id, display_phone, verified_name, quality, "
             "access_token_sealed, access_token_last_four, messages_per_second, state, trouble, paused_until, "
             "created_at, removed_at, previous_access_token_sealed, access_token_changed_at FROM channel")
_TAKE_CHANNEL = """
    INSERT INTO channel (id, phone_number_id, waba_id, meta_app_id, display_phone, verified_name, quality,
        access_token_sealed, access_token_last_four, messages_per_second, state, trouble, paused_until, created_at,
        removed_at, previous_access_token_sealed, access_token_changed_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET phone_number_id = excluded.phone_number_id, waba_id = excluded.waba_id,
        meta_app_id = excluded.meta_app_id, display_phone = excluded.display_phone,
        access_token_sealed = excluded.access_token_sealed,
        access_token_last_four = excluded.access_token_last_four, state = excluded.state,
        trouble = excluded.trouble, paused_until = excluded.paused_until, removed_at = excluded.removed_at,
        previous_access_token_sealed = excluded.previous_access_token_sealed,
        access_token_changed_at = excluded.access_token_changed_at
"""
# Messages that were waiting then, and what they are now. One that is gone was taken back.
_WAITING = "SELECT id FROM message WHERE status IN ('queued', 'sending', 'unconfirmed')"
_TAKEN_BACK = "Taken back after the moment that was restored"


async def carry(copy: Workspace, current: Workspace) -> dict[str, int]:
    """Everything; how much of each."""
    found = {"audit_rows": await _carry_trail(copy, current)}
    async with copy.ingest("restore") as tx:
        for row in await current.db.rows(_CHANNELS):
            await tx.execute(_TAKE_CHANNEL, *row)
        # A script that asks once more with the key of a call it made since then gets its answer, and nothing is sent.
        for row in await current.db.rows("SELECT caller_id, key, request_hash, status, body, at "
                                         "FROM idempotent_answer"):
            await tx.execute("INSERT OR REPLACE INTO idempotent_answer (caller_id, key, request_hash, status, body, "
                             "at) VALUES (?, ?, ?, ?, ?, ?)", *row)
    found["refusals"] = await _carry_refusals(copy, current)
    async with copy.ingest("restore") as tx:
        found["scheduled_gone"] = await _drop_scheduled(tx, current.db)
        found["settled"] = await _settle_waiting(tx, current.db)
    return found


async def _carry_trail(copy: Workspace, current: Workspace) -> int:
    """From where the two part on, the workspace's rows stand in the copy's place: what was done to a copy is no part of
    the workspace's story."""
    fork = await _last_common(copy.db, current.db)
    async with copy.ingest("restore") as tx:
        cut = await tx.value("SELECT value FROM meta WHERE key = 'audit_cut_to'")
        # The trail refuses to lose rows but at its cut beginning; this file is nobody's trail yet.
        await _set_cut(tx, "9223372036854775807")
        await tx.execute("DELETE FROM audit_event WHERE sequence > ?", fork)
        await _set_cut(tx, cut)
        await tx.execute("DELETE FROM audit_tile WHERE number >= ?", fork // TILE)
        await tx.execute("DELETE FROM audit_checkpoint WHERE size > ?", fork)
        count = await _add_events(tx, current.db, fork)
        for row in await current.db.rows("SELECT number, root FROM audit_tile WHERE number >= ?", fork // TILE):
            await tx.execute("INSERT INTO audit_tile (number, root) VALUES (?, ?)", *row)
        for row in await current.db.rows("SELECT size, at, note FROM audit_checkpoint WHERE size > ?", fork):
            await tx.execute("INSERT INTO audit_checkpoint (size, at, note) VALUES (?, ?, ?)", *row)
    return count


async def _add_events(tx: Transaction, current: Db, after: int) -> int:
    count = 0
    while rows := await current.rows(_EVENTS, after, AT_ONCE):
        for row in rows:
            await tx.execute(
                "INSERT INTO audit_event (sequence, form, at, actor_kind, actor_id, actor_name, on_behalf, session_id, "
                "address, agent_hash, action, object_kind, object_id, result, details_json, previous_hash, hash) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", *row)
        count += len(rows)
        after = rows[-1][0]
        await asyncio.sleep(0)
    return count


async def _set_cut(tx: Transaction, value: str | None) -> None:
    if value is None:
        await tx.execute("DELETE FROM meta WHERE key = 'audit_cut_to'")
    else:
        await tx.execute("INSERT INTO meta (key, value) VALUES ('audit_cut_to', ?) ON CONFLICT (key) DO UPDATE SET "
                         "value = excluded.value", value)


async def _last_common(one: Db, other: Db) -> int:
    """The last row that both trails have alike: they are the same up to there and nowhere after. Of what one of them
    cut away nothing can be compared, and it is taken for the same."""
    low = max(await _edge(one, "first") - 1, await _edge(other, "first") - 1, 0)
    high = min(await _edge(one, "last"), await _edge(other, "last"))
    while low < high:
        middle = (low + high + 1) // 2
        if await _hash(one, middle) == await _hash(other, middle):
            low = middle
        else:
            high = middle - 1
    return low


async def _edge(db: Db, which: str) -> int:
    if which == "first":
        return int(await db.value("SELECT min(sequence) FROM audit_event") or 1)
    return int(await db.value("SELECT max(sequence) FROM audit_event") or 0)


async def _hash(db: Db, sequence: int) -> Any:
    return await db.value("SELECT hash FROM audit_event WHERE sequence = ?", sequence)


async def _carry_refusals(copy: Workspace, current: Workspace) -> int:
    """Whoever refuses marketing now, refuses it in the copy: known there, or only once they write again."""
    key, count, after = contacts.marking_key(copy.callback_key), 0, ""
    while rows := await current.db.rows("SELECT id, consent_at FROM contact WHERE marketing_consent = 'opted_out' "
                                        "AND id > ? ORDER BY id LIMIT ?", after, AT_ONCE):
        async with copy.ingest("restore") as tx:
            for contact_id, at in rows:
                state = await tx.value("SELECT marketing_consent FROM contact WHERE id = ?", contact_id)
                if state is None:
                    known = await contacts.identities(current.db, [contact_id])
                    await contacts.keep_refusal(tx, key, [contacts.mark(key, one) for one in known], at=at or tx.now)
                    state = await _refuse_known(tx, known, at or tx.now)
                elif state != Consent.OPTED_OUT:
                    await _refuse(tx, contact_id, at or tx.now)
                count += state != Consent.OPTED_OUT
        after = rows[-1][0]
    for mark, at in await current.db.rows("SELECT mark, at FROM forgotten_refusal"):
        async with copy.ingest("restore") as tx:
            await contacts.keep_refusal(tx, key, [mark], at=at)
    return count


async def _refuse_known(tx: Transaction, known: list[Identity], at: int) -> str:
    """The same person may stand in the copy under another contact."""
    for one in known:
        for (contact_id,) in await tx.rows("SELECT contact_id FROM contact_identity WHERE kind = ? AND value = ?",
                                           one.kind, one.value):
            await _refuse(tx, contact_id, at)
    return ""


async def _refuse(tx: Transaction, contact_id: str, at: int) -> None:
    await tx.execute("UPDATE contact SET marketing_consent = 'opted_out', consent_at = max(?2, "
                     "coalesce(consent_at, 0)), updated_at = ?3 WHERE id = ?1", contact_id, at, tx.now)


async def _drop_scheduled(tx: Transaction, current: Db) -> int:
    """What was scheduled then and is not any more was sent or cancelled since."""
    stands = {row[0] for row in await current.rows("SELECT id FROM scheduled_message WHERE state <> 'cancelled'")}
    gone = [row[0] for row in await tx.rows("SELECT id FROM scheduled_message WHERE state <> 'cancelled'")
            if row[0] not in stands]
    for scheduled_id in gone:
        await tx.execute("UPDATE scheduled_message SET state = 'cancelled', cancelled_at = ? WHERE id = ?", tx.now,
                         scheduled_id)
    return len(gone)


async def _settle_waiting(tx: Transaction, current: Db) -> int:
    """What waited then, and what became of it."""
    count = 0
    for (message_id,) in await tx.rows(_WAITING):
        rows = await current.rows("SELECT status, wamid, sent_at, delivered_at, read_at, error_code, error_title, "
                                  "error_what_to_do, attempts, claimed_at, settled_as, settled_by, settled_at "
                                  "FROM message WHERE id = ?", message_id)
        if not rows:
            await tx.execute("UPDATE message SET status = 'failed', next_attempt_at = NULL, error_code = NULL, "
                             "error_title = ?, error_what_to_do = '' WHERE id = ?", _TAKEN_BACK, message_id)
        elif rows[0][0] in ("queued", "sending"):
            continue
        else:
            await tx.execute(
                "UPDATE message SET status = ?, wamid = ?, sent_at = ?, delivered_at = ?, read_at = ?, "
                "error_code = ?, error_title = ?, error_what_to_do = ?, attempts = ?, claimed_at = ?, "
                "settled_as = ?, settled_by = ?, settled_at = ?, next_attempt_at = NULL WHERE id = ?",
                *rows[0], message_id)
        count += 1
    return count
