"""The three steps that keep two servers from answering for one workspace.

The old server hands over: nobody gets in, nothing is sent, and what Meta delivers for it is refused with "come again",
so Meta keeps it. A file made after that holds everything that was ever acknowledged, and names the one server it was
handed over to. There the workspace goes live: only then its numbers lead somewhere and its jobs run. Last, somebody
gives Meta the new address.

A file that was made while the old server went on may be older than what happened there since, and one that names
another server may be live there; it goes live only when somebody says that no other server works with it.
"""

from __future__ import annotations

import msgspec

from chime.errors import Conflict, NotFound
from chime.handover import queries
from chime.handover.queries import Waiting
from chime.security.permissions import OPERATOR
from chime.workspaces import Control, Transaction, WorkspaceRecord

REASON = "It moves to another server."


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """What to paste at Meta, for one Meta app."""

    app_id: str
    webhook_path: str
    verify_token: str


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """What goes live: its numbers, and the addresses Meta is to be given."""

    numbers: tuple[Waiting, ...]
    addresses: tuple[Address, ...]


async def hand_over(tx: Transaction, workspace_id: str, *, to: str) -> None:
    """From the commit on nothing happens to it here. `to` is the code of the server that may go live with it; `tx` is
    control's. Raises NotFound, Conflict."""
    state = await tx.value("SELECT state FROM workspace WHERE id = ?", workspace_id)
    if state not in ("active", "suspended"):
        raise Conflict("This workspace does not work here; there is nothing to hand over.")
    if await queries.move(tx, workspace_id) is not None:
        raise Conflict("This workspace was handed over already.")
    await tx.execute("UPDATE workspace SET state = 'suspended', suspended_at = ?, suspension_reason = ? WHERE id = ?",
                     tx.audited_at, REASON, workspace_id)
    await tx.execute("INSERT INTO workspace_move (workspace_id, direction, at, is_final, handed_to) "
                     "VALUES (?, 'out', ?, 1, ?)", workspace_id, tx.audited_at, to)
    await tx.audit("workspace.hand_over_made", "workspace", workspace_id, workspace_id=workspace_id, handed_to=to)


async def take_back(tx: Transaction, workspace_id: str) -> None:
    """It works here again. `tx` is control's. Raises NotFound when it was not handed over."""
    if not await tx.execute("DELETE FROM workspace_move WHERE workspace_id = ? AND direction = 'out'", workspace_id):
        raise NotFound("This workspace was not handed over.")
    await tx.execute("UPDATE workspace SET state = 'active', suspended_at = NULL, suspension_reason = '' "
                     "WHERE id = ? AND state = 'suspended'", workspace_id)
    await tx.audit("workspace.hand_over_withdrawn", "workspace", workspace_id, workspace_id=workspace_id)


async def go_live(control: Control, record: WorkspaceRecord, numbers: list[Waiting], *, old_is_stopped: bool) -> Live:
    """Its numbers lead here and its jobs run, from one commit on. Raises Conflict."""
    move = await queries.move(control.db, record.id)
    if move is None or move.direction != "in":
        raise Conflict("This workspace does not wait to go live.")
    if not move.is_final and not old_is_stopped:
        raise Conflict("The file was not handed over to this server: another one may answer customers, and know more "
                       "than it holds. If no other server works with this workspace any more, say so with "
                       "`--old-server-is-stopped`; if one does, have it handed over (`chime workspace hand-over --to "
                       "CODE`) to a server that has not had it.")
    async with control.write(OPERATOR) as tx:
        for number in numbers:
            await _route(tx, record.id, number)
        await tx.execute("DELETE FROM workspace_move WHERE workspace_id = ?", record.id)
        await tx.execute("UPDATE workspace SET state = 'active' WHERE id = ? AND state = 'muted'", record.id)
        await tx.audit("workspace.move_finished", "workspace", record.id, workspace_id=record.id,
                       numbers=len(numbers), was_final=move.is_final)
    return Live(numbers=tuple(numbers), addresses=await addresses(control, numbers))


async def _route(tx: Transaction, workspace_id: str, number: Waiting) -> None:
    owner = await tx.value("SELECT workspace_id FROM channel_route WHERE phone_number_id = ?", number.phone_number_id)
    if owner is not None:
        raise Conflict(f"The number {number.display_phone} is connected in another workspace here; remove it there "
                       "first.")
    if not await tx.value("SELECT 1 FROM meta_app WHERE id = ?", number.meta_app_id):
        raise Conflict(f"The Meta app of {number.display_phone} is not known here; connect the number again with "
                       "`chime channel add`.")
    await tx.execute("INSERT INTO channel_route (phone_number_id, waba_id, workspace_id, channel_id, meta_app_id, "
                     "created_at) VALUES (?, ?, ?, ?, ?, ?)", number.phone_number_id, number.waba_id, workspace_id,
                     number.channel_id, number.meta_app_id, tx.now)
    await tx.audit("channel.connected", "channel", number.channel_id, workspace_id=workspace_id)


async def addresses(control: Control, numbers: list[Waiting]) -> tuple[Address, ...]:
    """Where Meta is to send what it has for these numbers."""
    found = []
    for app in await queries.apps(control.db, numbers):
        token = control.vault.open(app.verify_token_sealed, table="meta_app", row=app.id, column="verify_token")
        found.append(Address(app_id=app.app_id, webhook_path=f"/webhooks/whatsapp/{app.app_key}",
                             verify_token=token.reveal()))
    return tuple(found)
