"""What people do with what was set aside: try an event again, dismiss it, send a parked delivery on its way again.

Each of these moves figures of the account in the same transaction as the effects, so the account is true at every
moment, also after a crash in the middle.
"""

from __future__ import annotations

import msgspec

from chime.errors import Conflict, Invalid, NotFound, Refused, Sentence
from chime.inbound import queries, runs
from chime.inbound.actions import Journals
from chime.inbound.dispatch import dispatch
from chime.inbound.model import Rejected
from chime.inbound.slices import events_at, events_of
from chime.log import Log
from chime.security.crypto import context
from chime.security.permissions import SYSTEM, Actor
from chime.whatsapp import Event, scan
from chime.workspaces import Control, Transaction, Workspace

LONGEST_REASON = 200
_log = Log("inbound")


async def retry(workspace: Workspace, rejected_id: str, actor: Actor) -> Rejected:
    """Apply one rejected event again, out of the journal; the row as it stands afterwards. Raises NotFound, Conflict
    when it is in effect already."""
    found = await _unsettled(await queries.rejected(workspace.db, rejected_id))
    body = await workspace.journal_db.value("SELECT body FROM webhook_body WHERE id = ?", found.journal_id)
    events = events_at(await events_of(body or b""), found.path)
    async with workspace.write(actor) as tx:
        await _unsettled(await queries.rejected(tx, rejected_id))
        reason = await _applied_again(tx, workspace.callback_key, found, events)
        tx.actor = actor
        await tx.execute("UPDATE rejected_event SET tries = tries + 1, tried_at = ?1, reason = coalesce(?2, reason), "
                         "settled_at = CASE WHEN ?2 IS NULL THEN ?1 END WHERE id = ?3", tx.now, reason, rejected_id)
        await tx.audit("event.retried", "rejected_event", rejected_id, in_effect=reason is None)
    after = await queries.rejected(workspace.db, rejected_id)
    return after or found


async def _unsettled(found: Rejected | None) -> Rejected:
    if found is None:
        raise NotFound("There is no such event.")
    if found.settled_at is not None:
        raise Conflict("This event is in effect already.")
    return found


async def _applied_again(tx: Transaction, callback_key: bytes, found: Rejected, events: list[Event]) -> str | None:
    """None when all of it is in effect now, else why not; then nothing of it is."""
    if not events:
        return "NotFound: the journal holds no such event"
    # What follows are facts of Meta's, not deeds of the person who asked for them.
    tx.actor = msgspec.structs.replace(SYSTEM, id="webhook")

    async def apply() -> list[bool]:
        return [await dispatch(tx, callback_key, event) for event in events]

    try:
        became = await tx.savepoint(apply)
    except Exception as error:  # as in the first attempt: whatever fails, it is kept with its reason
        _log.error("event.rejected", error, journal_id=found.journal_id)
        return f"{type(error).__name__}: {type(events[0]).__name__}"
    await tx.execute("UPDATE applied_body SET rejected = rejected - 1, applied = applied + ?, "
                     "duplicate = duplicate + ? WHERE journal_id = ?", became.count(True), became.count(False),
                     found.journal_id)
    await runs.forget_sum(tx, found.journal_id)
    return None


async def dismiss(tx: Transaction, rejected_id: str, *, reason: str) -> None:
    """It will not be applied, and somebody says why. It stays in the account, as rejected. Raises NotFound, Conflict,
    Invalid."""
    await _unsettled(await queries.rejected(tx, rejected_id))
    reason = " ".join(reason.split())
    if not 1 <= len(reason) <= LONGEST_REASON:
        raise Invalid.field("reason", Sentence("Say in 1 to %(most)s characters why it is not needed.",
                                               most=LONGEST_REASON))
    await tx.execute("UPDATE rejected_event SET dismissed_at = ?, dismissed_by = ?, dismissal = ? WHERE id = ?",
                     tx.now, tx.actor.name, reason, rejected_id)
    await tx.audit("event.dismissed", "rejected_event", rejected_id)


async def route_again(control: Control, journals: Journals, parked_id: str, actor: Actor) -> list[str]:
    """Ask once more whose a parked delivery is; the workspaces whose journals have it now. Raises NotFound; Refused
    when it is still nobody's.

    Into the journal first, out of the parked ones then: a crash between leaves it in both, where a second try counts
    it as the repeat it is."""
    rows = await control.db.rows("SELECT meta_app_id, body_sealed FROM parked_delivery WHERE id = ? "
                                 "AND released_at IS NULL", parked_id)
    if not rows:
        raise NotFound("There is no such delivery.")
    meta_app_id, sealed = rows[0]
    body = control.keys.parked.unseal(sealed, context("parked_delivery", parked_id))
    owners = await journals.store(meta_app_id, scan(body))
    async with control.write(actor) as tx:
        if owners:
            await tx.execute("UPDATE parked_delivery SET released_at = ?, body_sealed = x'' WHERE id = ?",
                             tx.now, parked_id)
        await tx.audit("delivery.retried", "parked_delivery", parked_id, workspaces=len(owners))
    if not owners:
        raise Refused("Still nobody's: connect the number, or leave it here.", code="still_parked")
    return owners


async def dismiss_parked(tx: Transaction, parked_id: str) -> None:
    """Nobody is to get it any more: what it held is gone, and a repeat of it is still known. Raises NotFound."""
    if not await tx.execute("UPDATE parked_delivery SET released_at = ?, body_sealed = x'' WHERE id = ? "
                            "AND released_at IS NULL", tx.now, parked_id):
        raise NotFound("There is no such delivery.")
    await tx.audit("delivery.dismissed", "parked_delivery", parked_id)
