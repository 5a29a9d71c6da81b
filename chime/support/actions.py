"""Asking for access, granting, refusing and ending it. `tx` is control's; times are the machine's.

Each verb asks again, inside its transaction, what the guard asked before: whoever decides may have been demoted since.
"""

from __future__ import annotations

from chime.clock import DAY, MINUTE
from chime.errors import Conflict, Forbidden, Invalid, NotFound
from chime.security.support import EMERGENCY_LASTS, REQUEST_LASTS
from chime.support import queries
from chime.support.model import Bounds, Grant, Wish, check_narrower, check_wish
from chime.workspaces import Transaction

MOST_REQUESTS_A_DAY = 10


async def ask(tx: Transaction, workspace_id: str, wish: Wish) -> str:
    """An operator asks; the id of the request. Raises Invalid, Forbidden, Conflict."""
    operator_id, now = await _operator(tx), tx.audited_at
    wish = check_wish(wish)
    choice = next((one for one in await queries.choices(tx, operator_id) if one.id == workspace_id), None)
    if choice is None:
        raise Invalid.field("workspace_id", "Choose a workspace that you are no member of.")
    if not choice.is_allowed:
        raise Conflict("This workspace switched support off.")
    if wish.is_emergency and await queries.operators(tx) < 2:
        raise Conflict("An emergency needs a second operator, and there is none.")
    asked = await tx.rows("SELECT state = 'requested' AND requested_at > ? FROM support_grant WHERE operator_id = ? "
                          "AND workspace_id = ? AND requested_at > ?", now - REQUEST_LASTS, operator_id, workspace_id,
                          now - DAY)
    if any(waits for (waits,) in asked):
        raise Conflict("Your last request to this workspace still waits for an answer.")
    if len(asked) >= MOST_REQUESTS_A_DAY:
        raise Conflict("You asked this workspace ten times today; come back tomorrow.")
    grant_id, bounds = tx.new_id(), wish.bounds
    await tx.execute(
        "INSERT INTO support_grant (id, workspace_id, operator_id, reason, ticket, modules, writes, masked, minutes, "
        "is_emergency, requested_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", grant_id, workspace_id, operator_id,
        wish.reason, wish.ticket, ",".join(bounds.modules), int(bounds.writes), int(bounds.masked), bounds.minutes,
        int(wish.is_emergency), now)
    await tx.audit("support.requested", "support_grant", grant_id, workspace_id=workspace_id, **told(bounds),
                   emergency=wish.is_emergency)
    return grant_id


async def approve(tx: Transaction, workspace_id: str, grant_id: str, bounds: Bounds) -> Grant:
    """An owner lets the operator in, from now on. Raises Invalid, Forbidden, NotFound, Conflict."""
    asked = await _answerable(tx, grant_id)
    if asked.workspace_id != workspace_id or asked.is_emergency:
        raise NotFound("There is no such request.")
    if not await _owns(tx, workspace_id):
        raise Forbidden("Only an owner can let support in.")
    check_narrower(bounds, asked.bounds)
    return await _open(tx, asked, bounds)


async def confirm(tx: Transaction, grant_id: str) -> Grant:
    """A second operator agrees that it is an emergency. Raises Forbidden, NotFound, Conflict."""
    await _operator(tx)
    asked = await _answerable(tx, grant_id)
    if not asked.is_emergency:
        raise Conflict("An owner of the workspace answers this one.")
    return await _open(tx, asked, asked.bounds)


async def _open(tx: Transaction, asked: Grant, bounds: Bounds) -> Grant:
    if asked.operator_id == tx.actor.id:
        raise Conflict("Nobody lets themselves in.")
    lasts = min(bounds.minutes * MINUTE, EMERGENCY_LASTS) if asked.is_emergency else bounds.minutes * MINUTE
    now = tx.audited_at
    await tx.execute(
        "UPDATE support_grant SET state = 'active', modules = ?, writes = ?, masked = ?, minutes = ?, decided_by = ?, "
        "decided_at = ?, ends_at = ? WHERE id = ? AND state = 'requested'", ",".join(bounds.modules),
        int(bounds.writes), int(bounds.masked), bounds.minutes, tx.actor.id, now, now + lasts, asked.id)
    if await tx.value("SELECT 1 FROM support_open WHERE id = ?", asked.id) is None:
        raise Conflict("This access cannot begin: support is switched off, or one of you may not do this any more.")
    await tx.audit("support.granted", "support_grant", asked.id, workspace_id=asked.workspace_id,
                   operator_id=asked.operator_id, emergency=asked.is_emergency, before=told(asked.bounds),
                   after=told(bounds))
    found = await queries.grant(tx, asked.id, now)
    assert found is not None
    return found


async def refuse(tx: Transaction, workspace_id: str, grant_id: str) -> None:
    """An owner says no. Raises Forbidden, NotFound, Conflict."""
    asked = await _answerable(tx, grant_id)
    if asked.workspace_id != workspace_id or asked.is_emergency:
        raise NotFound("There is no such request.")
    if asked.operator_id == tx.actor.id or not await _owns(tx, workspace_id):
        raise Forbidden("Only an owner can answer this.")
    await _settle(tx, asked, "refused")


async def withdraw(tx: Transaction, grant_id: str) -> None:
    """The operator needs it no more. Raises Forbidden, NotFound, Conflict."""
    asked = await _answerable(tx, grant_id)
    if asked.operator_id != tx.actor.id:
        raise Conflict("Somebody else asked for this.")
    await _settle(tx, asked, "withdrawn")


async def _settle(tx: Transaction, asked: Grant, state: str) -> None:
    await tx.execute("UPDATE support_grant SET state = ?, decided_by = ?, decided_at = ? WHERE id = ?", state,
                     tx.actor.id, tx.audited_at, asked.id)
    action = "support.refused" if state == "refused" else "support.withdrawn"
    await tx.audit(action, "support_grant", asked.id, workspace_id=asked.workspace_id)


async def end(tx: Transaction, grant_id: str, *, workspace_id: str | None = None) -> Grant:
    """It is over, now. In a workspace (`workspace_id`) whoever may end support; outside of it any operator. Ending what
    is over already says so with Conflict. Raises NotFound, Forbidden."""
    found = await queries.grant(tx, grant_id, tx.audited_at)
    if found is None or (workspace_id is not None and found.workspace_id != workspace_id):
        raise NotFound("There is no such access.")
    if workspace_id is None:
        await _operator(tx)
    if found.state != "active":
        raise Conflict("It is over already.")
    await close(tx, grant_id, found.workspace_id, reason="person", ended_by=tx.actor.id)
    return found


async def close(tx: Transaction, grant_id: str, workspace_id: str, *, reason: str, ended_by: str | None = None) -> None:
    """Write down that an access is over, and why: a person, the time, or what it stood on is gone."""
    changed = await tx.execute("UPDATE support_grant SET state = 'ended', ended_at = ?, ended_by = ?, end_reason = ? "
                               "WHERE id = ? AND state = 'active'", tx.audited_at, ended_by, reason, grant_id)
    if changed:
        await tx.audit("support.ended", "support_grant", grant_id, workspace_id=workspace_id, reason=reason)


async def end_all(tx: Transaction, *, workspace_id: str | None = None, reason: str) -> int:
    """No access outlives this: for a restore of control.db or of a workspace. How many were ended."""
    rows = await tx.rows("SELECT id, workspace_id FROM support_grant WHERE state = 'active' "
                         "AND (?1 IS NULL OR workspace_id = ?1)", workspace_id)
    for grant_id, owner in rows:
        await close(tx, grant_id, owner, reason=reason)
    await tx.execute("UPDATE support_grant SET state = 'lapsed' WHERE state = 'requested' "
                     "AND (?1 IS NULL OR workspace_id = ?1)", workspace_id)
    return len(rows)


async def _operator(tx: Transaction) -> str:
    if tx.actor.kind != "user" or not await queries.is_operator(tx, tx.actor.id):
        raise Forbidden("Only an operator can do this.")
    return tx.actor.id or ""


async def _owns(tx: Transaction, workspace_id: str) -> bool:
    return tx.actor.kind == "user" and any(owner.id == tx.actor.id for owner in await queries.owners(tx, workspace_id))


async def _answerable(tx: Transaction, grant_id: str) -> Grant:
    found = await queries.grant(tx, grant_id, tx.audited_at)
    if found is None:
        raise NotFound("There is no such request.")
    if found.state != "requested" or tx.audited_at >= found.answerable_until:
        raise Conflict("This request was answered already, or it waited for more than a day.")
    return found


def told(bounds: Bounds) -> dict[str, object]:
    """For the trail."""
    return {"modules": ",".join(bounds.modules), "writes": bounds.writes, "masked": bounds.masked,
            "minutes": bounds.minutes}
