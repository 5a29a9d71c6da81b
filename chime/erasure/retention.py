"""How long things are kept: the rules, what each would remove now, and removing it a little at a time.

Everything goes by the machine's clock: a demo that moves its own removes nothing. Messages and files are kept for ever
until an owner decides otherwise; what only machines read goes by itself. Deliveries as WhatsApp sent them go when their
day is summed up for the delivery proof and nothing of it waits for a person.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from chime import inbox
from chime.clock import DAY
from chime.db import Db
from chime.erasure.journal import thorough
from chime.errors import Invalid, Sentence
from chime.workspaces import Transaction, Workspace

LONGEST = 3_650
SENDS_AT_ONCE = 2_000
BODIES_AT_ONCE = 200
MOST_COUNTED = 100_000


class Kind(StrEnum):
    MESSAGES = "messages"
    FILES = "files"
    DELIVERIES = "deliveries"
    SENDS = "sends"


class Default(msgspec.Struct, frozen=True):
    """Days; None keeps for ever. `fewest` is the least that may be chosen."""

    days: int | None
    fewest: int
    may_keep: bool = True


# A restore wants the deliveries of some days and the sends of as long as backups are kept.
DEFAULTS = {
    Kind.MESSAGES: Default(None, 30),
    Kind.FILES: Default(None, 7),
    Kind.DELIVERIES: Default(3, 3),
    Kind.SENDS: Default(35, 35),
}


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule as it stands, and what it did last."""

    kind: Kind
    days: int | None
    fewest: int
    changed_at: int | None = None
    last_at: int | None = None
    last_removed: int = 0


class Counted(msgspec.Struct, frozen=True):
    """What a rule would remove now; `more` when there is more than was counted."""

    count: int
    more: bool = False


async def rules(db: Db) -> list[Rule]:
    saved = {row[0]: row[1:] for row in await db.rows("SELECT kind, days, changed_at FROM retention_rule")}
    ran = {row[0]: row[1:] for row in await db.rows("SELECT kind, at, removed FROM retention_run")}
    return [Rule(kind=kind, fewest=usual.fewest, days=saved.get(kind, (usual.days, None))[0],
                 changed_at=saved.get(kind, (None, None))[1], last_at=ran.get(kind, (None, 0))[0],
                 last_removed=ran.get(kind, (None, 0))[1]) for kind, usual in DEFAULTS.items()]


async def save(tx: Transaction, wanted: dict[Kind, int | None]) -> None:
    """Decide. Raises Invalid naming the kind."""
    wrong = [(kind.value, Sentence("From %(fewest)s to %(most)s days, or nothing to keep for ever.",
                                   fewest=DEFAULTS[kind].fewest, most=LONGEST))
             for kind, days in wanted.items() if days is not None and not DEFAULTS[kind].fewest <= days <= LONGEST]
    if wrong:
        raise Invalid(wrong)
    before = {rule.kind.value: rule.days for rule in await rules(tx)}
    for kind, days in wanted.items():
        await tx.execute("INSERT INTO retention_rule (kind, days, changed_at) VALUES (?1, ?2, ?3) ON CONFLICT (kind) "
                         "DO UPDATE SET days = ?2, changed_at = ?3", kind.value, days, tx.audited_at)
    after = before | {kind.value: days for kind, days in wanted.items()}
    await tx.audit("retention.changed", "workspace", "retention", before=before, after=after)


async def count(workspace: Workspace, kind: Kind, days: int | None, *, now: int) -> Counted:
    """What a rule of so many days would remove now, without removing it."""
    if days is None:
        return Counted(0)
    moment = now - days * DAY
    if kind is Kind.DELIVERIES:
        return Counted(sum(one.bodies for one in await removable(workspace, moment)))
    sql = {Kind.MESSAGES: "SELECT count(*) FROM (SELECT 1 FROM message WHERE at < ? AND status NOT IN "
                          "('queued', 'sending', 'unconfirmed') LIMIT ?)",
           Kind.FILES: "SELECT count(*) FROM (SELECT 1 FROM media WHERE created_at < ? AND state = 'ready' LIMIT ?)",
           Kind.SENDS: "SELECT count(*) FROM (SELECT 1 FROM send_event WHERE at < ? LIMIT ?)"}[kind]
    reads = (workspace.journal_db if kind is Kind.SENDS else workspace.db).long_reads
    rows, whole = await reads.rows(sql, moment, MOST_COUNTED, seconds=5.0)
    found = int(rows[0][0]) if rows else 0
    return Counted(found, more=not whole or found == MOST_COUNTED)


class Removable(msgspec.Struct, frozen=True):
    """A stretch of the journal whose sum is kept."""

    first_id: int
    last_id: int
    bodies: int


async def removable(workspace: Workspace, moment: int) -> list[Removable]:
    """From the journal's beginning: days that are over, summed up, older than the moment, and of which nothing waits
    for a person. The newest body stays in any case: the next one's number follows from it."""
    newest = int(await workspace.journal_db.value("SELECT max(id) FROM webhook_body") or 0)
    found: list[Removable] = []
    position = int(await workspace.db.value("SELECT max(last_id) FROM proof_segment WHERE removed_at IS NOT NULL") or 0)
    for first_id, last_id, day in await workspace.db.rows(
            "SELECT first_id, last_id, day FROM proof_segment WHERE removed_at IS NULL AND first_id > ? "
            "ORDER BY first_id", position):
        between = await workspace.journal_db.value("SELECT 1 FROM webhook_body WHERE id > ? AND id < ?",
                                                   position, first_id)
        waits = await workspace.db.value("SELECT 1 FROM rejected_event WHERE journal_id BETWEEN ? AND ? "
                                         "AND settled_at IS NULL AND dismissed_at IS NULL", first_id, last_id)
        if between or waits or day + DAY > moment or last_id >= newest:
            break
        bodies = int(await workspace.journal_db.value("SELECT count(*) FROM webhook_body WHERE id BETWEEN ? AND ?",
                                                      first_id, last_id))
        found.append(Removable(first_id, last_id, bodies))
        position = last_id
    return found


async def apply(workspace: Workspace, rule: Rule, *, now: int) -> int:
    """Remove what is older than the rule says; how much it was."""
    if rule.days is None:
        return 0
    moment = now - rule.days * DAY
    match rule.kind:
        case Kind.MESSAGES:
            return await _messages(workspace, moment)
        case Kind.FILES:
            return await _files(workspace, moment)
        case Kind.DELIVERIES:
            return await _deliveries(workspace, moment)
        case Kind.SENDS:
            return await _sends(workspace, moment)


async def _messages(workspace: Workspace, moment: int) -> int:
    removed = 0
    while doomed := await inbox.messages_before(workspace.db, moment):
        await inbox.remove_files(workspace.db, workspace.files, doomed)
        async with workspace.ingest("retention") as tx:
            # Said first: the delivery proof must know what may be missing before it is.
            await _note(tx, Kind.MESSAGES, 0, before=moment)
            removed += await inbox.forget_messages(tx, doomed)
    return removed


async def _files(workspace: Workspace, moment: int) -> int:
    """The file goes, the message stays and says so."""
    removed = 0
    while rows := await workspace.db.rows("SELECT id FROM media WHERE created_at < ? AND state = 'ready' LIMIT 100",
                                          moment):
        for (media_id,) in rows:
            workspace.files.remove(media_id)
        async with workspace.ingest("retention") as tx:
            for (media_id,) in rows:
                removed += await tx.execute("UPDATE media SET state = 'failed', trouble = 'kept_long_enough' "
                                            "WHERE id = ?", media_id)
    return removed


async def _deliveries(workspace: Workspace, moment: int) -> int:
    removed = 0
    for one in await removable(workspace, moment):
        async with workspace.ingest("retention") as tx:
            latest = int(await tx.value(
                "SELECT max(coalesce((SELECT max(at) FROM applied_body WHERE journal_id BETWEEN ?1 AND ?2), 0), "
                "coalesce((SELECT max(settled_at) FROM rejected_event WHERE journal_id BETWEEN ?1 AND ?2), 0))",
                one.first_id, one.last_id) or 0)
            await _note(tx, Kind.DELIVERIES, 0, before=latest)
            await tx.execute("UPDATE proof_segment SET removed_at = ? WHERE first_id = ?", tx.audited_at, one.first_id)
            await tx.execute("DELETE FROM applied_body WHERE journal_id BETWEEN ? AND ?", one.first_id, one.last_id)
        removed += await _bodies(workspace, one)
    # What a crash left between the two files.
    gone = int(await workspace.db.value("SELECT max(last_id) FROM proof_segment WHERE removed_at IS NOT NULL") or 0)
    return removed + await _bodies(workspace, Removable(0, gone, 0))


async def _bodies(workspace: Workspace, stretch: Removable) -> int:
    removed = 0
    while True:
        async with thorough(workspace) as tx:
            count = await tx.execute(
                "DELETE FROM webhook_body WHERE id IN (SELECT id FROM webhook_body WHERE id BETWEEN ? AND ? "
                "ORDER BY id LIMIT ?)", stretch.first_id, stretch.last_id, BODIES_AT_ONCE)
            if not count:
                await tx.execute("DELETE FROM erased_event WHERE journal_id BETWEEN ? AND ?", stretch.first_id,
                                 stretch.last_id)
        removed += count
        if not count:
            return removed


async def _sends(workspace: Workspace, moment: int) -> int:
    """Sends whose messages are settled; of the others the journal still has to tell."""
    removed = 0
    waiting = [row[0] for row in await workspace.db.rows(
        "SELECT id FROM message WHERE status IN ('queued', 'sending', 'unconfirmed') LIMIT 10000")]
    text = msgspec.json.encode(waiting).decode()
    while True:
        async with workspace.journal_db.transaction() as tx:
            count = await tx.execute(
                "DELETE FROM send_event WHERE id IN (SELECT id FROM send_event WHERE at < ? AND message_id NOT IN "
                "(SELECT value FROM json_each(?)) ORDER BY id LIMIT ?)", moment, text, SENDS_AT_ONCE)
        removed += count
        if count < SENDS_AT_ONCE:
            return removed


async def done(tx: Transaction, kind: Kind, removed: int) -> None:
    """A day's run of a rule has ended."""
    await _note(tx, kind, removed, before=0, is_end=True)
    if removed:
        await tx.audit("retention.applied", "workspace", kind.value, removed=removed)


async def _note(tx: Transaction, kind: Kind, removed: int, *, before: int, is_end: bool = False) -> None:
    await tx.execute(
        "INSERT INTO retention_run (kind, at, removed, removed_before) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (kind) "
        "DO UPDATE SET removed_before = max(removed_before, ?4), at = CASE WHEN ?5 THEN ?2 ELSE at END, "
        "removed = CASE WHEN ?5 THEN ?3 ELSE removed END", kind.value, tx.audited_at if is_end else 0, removed, before,
        int(is_end))
