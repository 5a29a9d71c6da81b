"""What can be done to an approval. Each verb is one conditional UPDATE: whoever is slower is told so.

`requested → approved → running → ready → downloaded | expired`, or `→ done` where no file comes out; `rejected` and
`cancelled` end it, as `failed` does. Times are the machine's: a demo that moves its clock opens nothing.
"""

from __future__ import annotations

import msgspec

from chime.accounts import Requester
from chime.approvals import queries
from chime.approvals.model import (
    DELAY,
    FILE_KEPT,
    LEASE,
    LONGEST_REASON,
    UNSTOPPABLE,
    VALID,
    Approval,
    Ending,
    Needs,
    State,
    Wanted,
    digest_of,
)
from chime.errors import Conflict, Forbidden, Invalid, NotFound, Sentence, TooMany
from chime.workspaces import Transaction

MOST_OPEN = 20


async def request(tx: Transaction, wanted: Wanted, *, requester: Requester, needs: Needs) -> Approval:
    """Ask for something. What needs nobody is approved at once. Raises Invalid, TooMany."""
    reason = " ".join(wanted.reason.split())
    if len(reason) > LONGEST_REASON:
        raise Invalid.field("reason", Sentence("At most %(most)s characters.", most=LONGEST_REASON))
    if requester.person_id and await queries.open_count(tx, requester.person_id) >= MOST_OPEN:
        raise TooMany(Sentence("%(most)s of your requests are under way; wait for them or cancel some.",
                               most=MOST_OPEN), retry_after=60)
    approval_id, now = tx.new_id(), tx.audited_at
    bound = digest_of(wanted.kind, wanted.parameters, requester.person_id, requester.key_id)
    earliest = now + DELAY if needs is Needs.DELAY else now
    alone = needs is Needs.NOBODY
    await tx.execute(
        "INSERT INTO approval (id, kind, job, permission, decided_by, parameters_json, digest, subject, person_id, "
        "key_id, requester_name, reason, needs, state, requested_at, earliest_at, expires_at, approved_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        approval_id, wanted.kind, wanted.job, wanted.permission, wanted.decided_by,
        msgspec.json.encode(wanted.parameters, order="deterministic").decode(), bound, wanted.subject[:200],
        requester.person_id, requester.key_id, requester.name, reason, needs.value,
        (State.APPROVED if alone else State.REQUESTED).value, now, earliest, earliest + VALID, now if alone else None)
    await tx.audit("approval.requested", "approval", approval_id, kind=wanted.kind, digest=bound.hex(),
                   needs=needs.value)
    tx.publish("approval", approval_id)
    return await found(tx, approval_id)


async def found(tx: Transaction, approval_id: str) -> Approval:
    """Raises NotFound."""
    row = await queries.approval(tx, approval_id)
    if row is None:
        raise NotFound("There is no such request.")
    return row


async def approve(tx: Transaction, approval_id: str, *, decider: Requester, fingerprint: str) -> Approval:
    """Agree to exactly what was shown. Raises NotFound, Forbidden for one's own request and for a key without a person,
    Conflict when it is not what was shown or is decided already."""
    row = await found(tx, approval_id)
    _may_decide(row, decider)
    if fingerprint != row.fingerprint or not row.is_whole:
        raise Conflict("This is not what was shown to you. Load the page again.")
    changed = await tx.execute(
        "UPDATE approval SET state = 'approved', approver_id = ?, approver_name = ?, approved_digest = ?, "
        "approved_at = ?, expires_at = ? WHERE id = ? AND state = 'requested' AND needs = 'person' "
        "AND expires_at > ?", decider.person_id, decider.name, row.digest, tx.audited_at, tx.audited_at + VALID,
        approval_id, tx.audited_at)
    _must(changed)
    await tx.audit("approval.approved", "approval", approval_id, kind=row.kind, digest=row.digest.hex())
    tx.publish("approval", approval_id)
    return await found(tx, approval_id)


async def reject(tx: Transaction, approval_id: str, *, decider: Requester, reason: str = "") -> Approval:
    """Refuse it, or take one's agreement back before it has run; of one that waits for the time, stop it. Raises as
    `approve`."""
    row = await found(tx, approval_id)
    if row.needs is not Needs.DELAY:
        _may_decide(row, decider)
    _must(await tx.execute(
        "UPDATE approval SET state = 'rejected', approver_id = CASE WHEN needs = 'person' THEN ? END, "
        "approver_name = ?, ended_at = ?, ending = ? WHERE id = ? AND state IN ('requested', 'approved')",
        decider.person_id, decider.name, tx.audited_at, " ".join(reason.split())[:LONGEST_REASON], approval_id))
    await tx.audit("approval.rejected", "approval", approval_id, kind=row.kind)
    tx.publish("approval", approval_id)
    return await found(tx, approval_id)


def _may_decide(row: Approval, decider: Requester) -> None:
    if decider.person_id is None:
        raise Forbidden("No person stands behind this key, so it cannot decide for one.")
    if decider.person_id == row.person_id:
        raise Forbidden("Somebody else has to decide about your own request.")


def _must(changed: int) -> None:
    if not changed:
        raise Conflict("This request is decided already, or its time is over.")


async def cancel(tx: Transaction, approval_id: str, *, asker: Requester) -> None:
    """Whoever asked does not want it any more; a file that is there is gone with it. Raises NotFound, Conflict."""
    row = await found(tx, approval_id)
    if not is_whose(row, asker):
        raise Conflict("Only whoever asked for this can cancel it.")
    if row.state is State.RUNNING and row.kind in UNSTOPPABLE:
        raise Conflict("This has begun and cannot be stopped any more.")
    await end(tx, row, State.CANCELLED)


def is_whose(row: Approval, asker: Requester) -> bool:
    """Whether it is this person's, or this key's where nobody stands behind it."""
    if row.person_id is not None:
        return row.person_id == asker.person_id
    return row.key_id == asker.key_id


async def begin(tx: Transaction, approval_id: str) -> Approval | None:
    """Claim it to be run; None when somebody else did, or its time has not come or is over."""
    now = tx.audited_at
    if not await tx.execute(
            "UPDATE approval SET state = 'running', lease_until = ?2, done = 0, "
            "approved_at = coalesce(approved_at, ?1) WHERE id = ?3 AND expires_at > ?1 AND (state = 'approved' "
            "OR (state = 'running' AND lease_until < ?1) "
            "OR (state = 'requested' AND needs = 'delay' AND earliest_at <= ?1))",
            now, now + LEASE, approval_id):
        return None
    row = await found(tx, approval_id)
    await tx.audit("approval.begun", "approval", approval_id, kind=row.kind, digest=row.digest.hex())
    tx.publish("approval", approval_id)
    return row


async def forget_subject(tx: Transaction, approval_id: str) -> None:
    """What the person it is about is called is not needed any more."""
    await tx.execute("UPDATE approval SET subject = '', reason = '' WHERE id = ?", approval_id)


async def advance(tx: Transaction, approval_id: str, *, done: int, total: int) -> bool:
    """So much of so much; whether it shall go on (nobody ended it meanwhile)."""
    return bool(await tx.execute("UPDATE approval SET done = ?, total = ?, lease_until = ? WHERE id = ? "
                                 "AND state = 'running'", done, total, tx.audited_at + LEASE, approval_id))


async def finish(tx: Transaction, approval_id: str, *, with_file: bool, done: int) -> bool:
    """It has run. A file waits to be fetched for a day. False when somebody ended it meanwhile."""
    now = tx.audited_at
    if not await tx.execute(
            "UPDATE approval SET state = ?, done = ?, total = ?, expires_at = ?, ended_at = ? WHERE id = ? "
            "AND state = 'running'", (State.READY if with_file else State.DONE).value, done, done, now + FILE_KEPT,
            None if with_file else now, approval_id):
        return False
    await tx.audit("approval.finished", "approval", approval_id, rows=done)
    tx.publish("approval", approval_id)
    return True


async def take(tx: Transaction, approval_id: str) -> Approval:
    """The one fetch of a file: written down before the first byte leaves. Raises NotFound, Conflict."""
    if not await tx.execute("UPDATE approval SET state = 'downloaded', ended_at = ? WHERE id = ? AND state = 'ready' "
                            "AND expires_at > ?", tx.audited_at, approval_id, tx.audited_at):
        await found(tx, approval_id)
        raise Conflict("This file is not here any more: it can be fetched once, within a day.")
    row = await found(tx, approval_id)
    await tx.audit("approval.downloaded", "approval", approval_id, kind=row.kind, rows=row.done)
    tx.publish("approval", approval_id)
    return row


async def expire(tx: Transaction, approval_id: str) -> None:
    """Its time is over, if it is."""
    row = await found(tx, approval_id)
    runs = row.state is State.RUNNING and row.lease_until >= tx.audited_at
    if row.expires_at <= tx.audited_at and row.ended_at is None and not runs:
        await end(tx, row, State.EXPIRED)


async def end(tx: Transaction, row: Approval, state: State, ending: Ending | None = None) -> None:
    """End what is under way. Raises Conflict when it has ended."""
    _must(await tx.execute("UPDATE approval SET state = ?, ended_at = ?, ending = ? WHERE id = ? AND ended_at IS NULL",
                           state.value, tx.audited_at, ending.value if ending else "", row.id))
    if state is State.EXPIRED:
        await tx.audit("approval.expired", "approval", row.id, kind=row.kind, was=row.state.value)
    elif state is State.FAILED:
        await tx.audit("approval.failed", "approval", row.id, kind=row.kind, why=ending.value if ending else "")
    else:
        await tx.audit("approval.cancelled", "approval", row.id, kind=row.kind, was=row.state.value,
                       why=ending.value if ending else "")
    tx.publish("approval", row.id)
