"""Making the practice workspace: the same from the wizard and in the running appliance."""

from __future__ import annotations

from pathlib import Path

from chime import accounts, channels
from chime.channels import NewChannel
from chime.errors import Conflict
from chime.ids import Ids
from chime.practice import queries
from chime.practice.model import APP_ID, DISPLAY_PHONE, PHONE_NUMBER_ID, WABA_ID
from chime.security.permissions import Actor, Role
from chime.whatsapp.simulated import MARK
from chime.workspaces import Control, Registry, WorkspaceRecord, create_workspace


async def make(control: Control, registry: Registry, ids: Ids, actor: Actor, *, data_dir: Path, user_id: str, name: str,
               time_zone: str) -> WorkspaceRecord:
    """A workspace with the simulated number, owned by this person. Whoever runs the simulator fills it. Raises Conflict
    when a real number is connected, Invalid when the name is taken."""
    await _need_room(control)
    async with control.write(actor) as tx:
        record = await create_workspace(tx, data_dir, control.keys, ids, name=name, time_zone=time_zone)
        await accounts.add_member(tx, workspace_id=record.id, user_id=user_id, role=Role.OWNER)
    async with registry.use(record.id) as workspace, control.write(actor) as outer, workspace.write(actor) as inner:
        await channels.add(outer, inner, _credentials(ids), control_vault=control.vault, vault=workspace.vault, ids=ids,
                           workspace_id=record.id, simulated=True)
    return record


async def _need_room(control: Control) -> None:
    """Asked before a workspace is made that would stay empty; connecting asks again. Raises Conflict."""
    if await queries.workspace_id(control.db):
        raise Conflict("There is a practice workspace already.")
    if await queries.real_number(control.db):
        raise Conflict("A number of WhatsApp's is connected on this server already; the simulated one is for before.")


def _credentials(ids: Ids) -> NewChannel:
    """Good for the simulator alone, and others each time."""
    return NewChannel(phone_number_id=PHONE_NUMBER_ID, waba_id=WABA_ID, display_phone=DISPLAY_PHONE,
                      app_id=APP_ID, access_token=f"{MARK}-simulated-{ids.token(24)}", app_secret=ids.token(24),
                      verify_token=ids.token(12))
