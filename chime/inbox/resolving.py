"""Why a conversation was resolved: the reasons of a workspace, whether one is asked for, and resolving with one.

Promise: where a reason is required, nobody resolves without one, by hand, many at once or by a script. A reason that
is removed stays with what was resolved by it; its name in the thread is the one it had then.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from chime.db import Db
from chime.errors import Conflict, Invalid, NotFound, Sentence
from chime.inbox import actions
from chime.workspaces import Transaction

MOST_REASONS = 50
LONGEST = 60


class Asks(StrEnum):
    """Whether whoever resolves is asked why."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a matter can be over. One that is off is not offered any more."""

    id: str
    name: str
    is_on: bool


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of whoever resolves: nothing where there are no reasons to choose from."""

    asks: Asks = Asks.OFF
    reasons: tuple[Reason, ...] = ()

    @property
    def is_required(self) -> bool:
        return self.asks is Asks.REQUIRED


async def policy(db: Db) -> Asks:
    return Asks(await db.value("SELECT asks FROM resolve_policy") or Asks.OFF)


async def reasons(db: Db) -> list[Reason]:
    """All there are, in the order people see them; those that are off too."""
    return await db.all(Reason, "SELECT id, name, is_on FROM resolve_reason WHERE removed_at IS NULL "
                        "ORDER BY position, id LIMIT 50")


async def reason(db: Db, reason_id: str) -> Reason | None:
    return await db.one(Reason, "SELECT id, name, is_on FROM resolve_reason WHERE id = ? AND removed_at IS NULL",
                        reason_id)


async def asked(db: Db) -> Asked:
    """What the menu of whoever resolves shows."""
    asks = await policy(db)
    offered = tuple(one for one in await reasons(db) if one.is_on) if asks is not Asks.OFF else ()
    return Asked(asks=asks, reasons=offered) if offered else Asked()


async def chosen(db: Db, *, reason_id: str | None = None, name: str | None = None) -> Reason | None:
    """The reason somebody gave, by its id or name; None when they gave none and need not. Raises Invalid."""
    offered = (await asked(db)).reasons
    if reason_id or name:
        wanted = (name or "").strip().casefold()
        found = next((one for one in offered if (one.id == reason_id if reason_id else one.name.casefold() == wanted)),
                     None)
        if found is None:
            raise Invalid.field("reason_id" if reason_id else "reason", "There is no such reason to choose.")
        return found
    if offered and await policy(db) is Asks.REQUIRED:
        raise Invalid.field("reason_id", "Choose why this is resolved.")
    return None


async def resolve(tx: Transaction, conversation_id: str, *, reason_id: str | None = None,
                  name: str | None = None) -> None:
    """Resolve, for a reason where one is given. What is resolved already stays as it is. Raises NotFound, Invalid."""
    if await tx.value("SELECT 1 FROM conversation WHERE id = ?", conversation_id) is None:
        raise NotFound("There is no such conversation.")
    why = await chosen(tx, reason_id=reason_id, name=name)
    await actions.close(tx, conversation_id, reason_id=why.id if why else None, reason_name=why.name if why else "")


async def set_policy(tx: Transaction, asks: Asks) -> None:
    """Whether a reason is asked for from now on."""
    before = await policy(tx)
    if before is asks:
        return
    await tx.execute("INSERT INTO resolve_policy (id, asks) VALUES (1, ?) ON CONFLICT (id) DO UPDATE "
                     "SET asks = excluded.asks", asks.value)
    await tx.audit("resolve_policy.changed", "resolve_policy", "policy", before={"asks": before.value},
                   after={"asks": asks.value})


async def create_reason(tx: Transaction, name: str) -> str:
    """A new one at the end; its id. Raises Invalid, Conflict."""
    name = await _sound(tx, name)
    known = await reasons(tx)
    if len(known) >= MOST_REASONS:
        raise Conflict(Sentence("There are %(most)s reasons already; remove one first.", most=MOST_REASONS))
    reason_id = tx.new_id()
    await tx.execute("INSERT INTO resolve_reason (id, name, position, created_at) VALUES (?, ?, (SELECT "
                     "coalesce(max(position), 0) + 1 FROM resolve_reason), ?)", reason_id, name, tx.now)
    await tx.audit("resolve_reason.created", "resolve_reason", reason_id)
    return reason_id


async def edit_reason(tx: Transaction, reason_id: str, *, name: str | None = None, is_on: bool | None = None) -> None:
    """Another name, or offered no more. Raises NotFound, Invalid."""
    known = await _must_exist(tx, reason_id)
    name = known.name if name is None else await _sound(tx, name, of=reason_id)
    is_on = known.is_on if is_on is None else is_on
    if (name, is_on) == (known.name, known.is_on):
        return
    await tx.execute("UPDATE resolve_reason SET name = ?, is_on = ? WHERE id = ?", name, int(is_on), reason_id)
    await tx.audit("resolve_reason.edited", "resolve_reason", reason_id, is_on=is_on)


async def move_reason(tx: Transaction, reason_id: str, *, by: int) -> None:
    """One place up (-1) or down (1). Raises NotFound."""
    await _must_exist(tx, reason_id)
    order = [one.id for one in await reasons(tx)]
    place = order.index(reason_id)
    target = min(max(place + by, 0), len(order) - 1)
    if target == place:
        return
    order.insert(target, order.pop(place))
    for position, each in enumerate(order, 1):
        await tx.execute("UPDATE resolve_reason SET position = ? WHERE id = ?", position, each)
    await tx.audit("resolve_reason.moved", "resolve_reason", reason_id, position=target + 1)


async def delete_reason(tx: Transaction, reason_id: str) -> None:
    """Out of the list; what was resolved by it stays so. Raises NotFound."""
    await _must_exist(tx, reason_id)
    await tx.execute("UPDATE resolve_reason SET removed_at = ? WHERE id = ?", tx.now, reason_id)
    await tx.audit("resolve_reason.deleted", "resolve_reason", reason_id)


async def _must_exist(tx: Transaction, reason_id: str) -> Reason:
    found = await reason(tx, reason_id)
    if found is None:
        raise NotFound("There is no such reason.")
    return found


async def _sound(tx: Transaction, name: str, *, of: str = "") -> str:
    name = " ".join(name.replace("\0", "").split())
    if not 0 < len(name) <= LONGEST:
        raise Invalid.field("name", "A reason has 1 to 60 characters.")
    taken = {one.name.casefold() for one in await reasons(tx) if one.id != of}
    if name.casefold() in taken:
        raise Invalid.field("name", "There is a reason of this name already.")
    return name
