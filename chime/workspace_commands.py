"""`chime workspace suspend|resume|erase|export|import|server-code|hand-over|take-back|go-live`, beside a running
appliance or without one.

A command changes control.db alone; a running appliance sees it within seconds, ends the streams, closes the files and
removes them. Without one the command removes them itself. Exporting reads while the appliance works.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from chime import handover
from chime.clock import Clock
from chime.config import Config
from chime.errors import Invalid, StartRefused
from chime.handover import Exported, Imported
from chime.ids import Ids
from chime.inbound.actions import Journals
from chime.security.passphrases import check_passphrase, made_up
from chime.security.permissions import OPERATOR
from chime.setup import named_workspace, opened
from chime.workspaces import WorkspaceRecord
from chime.workspaces.closing import erase, remove_files, resume, suspend


async def suspend_workspace(config: Config, workspace: str) -> WorkspaceRecord:
    """Raises NotFound."""
    async with opened(config) as (control, _):
        record = await named_workspace(control, workspace)
        async with control.write(OPERATOR) as tx:
            await suspend(tx, record.id)
    return record


async def resume_workspace(config: Config, workspace: str) -> WorkspaceRecord:
    """Raises NotFound."""
    async with opened(config) as (control, _):
        record = await named_workspace(control, workspace)
        async with control.write(OPERATOR) as tx:
            await resume(tx, record.id)
    return record


async def erase_workspace(config: Config, workspace: str, *, name: str) -> WorkspaceRecord:
    """At once; whoever is at the shell owns the machine. `name` is the workspace's once more, in full. Raises NotFound,
    Invalid."""
    from chime.serve import only_one

    async with opened(config) as (control, _):
        record = await named_workspace(control, workspace)
        if name != record.name:
            raise Invalid.field("yes-erase", f"write the name of the workspace in full: {record.name}")
        async with control.write(OPERATOR) as tx:
            await erase(tx, record.id)
        try:
            with only_one(config.data_dir):
                await remove_files(control, record.id)
        except StartRefused:
            return record  # the running appliance has them open; it removes them
    return record


async def export_workspace(config: Config, workspace: str, target: Path, passphrase: str | None,
                           progress: Callable[[int, int], None]) -> tuple[Exported, str | None]:
    """The whole workspace in one file; the passphrase, if it was made up. Raises as `handover.export_to`."""
    ids = Ids()
    given = passphrase or made_up(ids)
    check_passphrase(given, field="passphrase-file")
    async with opened(config) as (control, registry):
        record = await named_workspace(control, workspace)
        async with registry.use(record.id) as opened_workspace:
            made = await handover.export_to(control, opened_workspace, record, target, given, now=Clock().real_now(),
                                            ids=ids, progress=progress)
    return made, None if passphrase else given


async def import_workspace(config: Config, source: Path, passphrase: str, name: str | None) -> Imported:
    """Raises as `handover.take_in`."""
    async with opened(config) as (control, _):
        return await handover.take_in(control, source, passphrase, name=name, ids=Ids())


class HandedOver(msgspec.Struct, frozen=True, kw_only=True):
    """`shared_with`: workspaces that stay here and whose numbers belong to the same Meta app."""

    workspace_id: str
    name: str
    shared_with: tuple[str, ...]


async def code_of_server(config: Config) -> str:
    """What a workspace is handed over to on another server, so that it can go live on this one."""
    async with opened(config) as (control, _):
        return await handover.server_code(control, Ids())


async def hand_over_workspace(config: Config, workspace: str, *, to: str) -> HandedOver:
    """`to` is the code of the other server. Raises NotFound, Conflict, Invalid."""
    code = handover.read_code(to)
    async with opened(config) as (control, registry):
        record = await named_workspace(control, workspace)
        if code == await handover.server_code(control, Ids()):
            raise Invalid.field("to", "this is this server's own code; ask the other server for its")
        shared = await handover.others_of_apps(control.db, record.id)
        async with control.write(OPERATOR) as tx:
            await handover.hand_over(tx, record.id, to=code)
        # Its own trail says so too, and takes that along.
        async with registry.use(record.id) as opened_workspace, opened_workspace.write(OPERATOR) as tx:
            await tx.audit("workspace.hand_over_made", "workspace", record.id, handed_to=code)
    return HandedOver(workspace_id=record.id, name=record.name, shared_with=tuple(shared))


async def take_back_workspace(config: Config, workspace: str, *, name: str) -> WorkspaceRecord:
    """`name` is the workspace's once more, in full. Raises NotFound, Invalid."""
    async with opened(config) as (control, registry):
        record = await named_workspace(control, workspace)
        if name != record.name:
            raise Invalid.field("yes-it-works-nowhere-else", f"write the name of the workspace in full: {record.name}")
        async with control.write(OPERATOR) as tx:
            await handover.take_back(tx, record.id)
        async with registry.use(record.id) as opened_workspace, opened_workspace.write(OPERATOR) as tx:
            await tx.audit("workspace.hand_over_withdrawn", "workspace", record.id)
    return record


class WentLive(msgspec.Struct, frozen=True, kw_only=True):
    """What to paste at Meta, and how much had come here before."""

    workspace_id: str
    name: str
    numbers: tuple[str, ...]
    webhooks: tuple[dict[str, str], ...]
    released: int


async def go_live_with(config: Config, workspace: str, *, old_is_stopped: bool) -> WentLive:
    """Raises NotFound, Conflict."""
    clock, ids = Clock(), Ids()
    base = config.public_url or f"http://{config.bind_host}:{config.bind_port}"
    async with opened(config) as (control, registry):
        record = await named_workspace(control, workspace)
        async with registry.use(record.id) as opened_workspace:
            numbers = await handover.numbers(opened_workspace.db)
            live = await handover.go_live(control, record, numbers, old_is_stopped=old_is_stopped)
            async with opened_workspace.write(OPERATOR) as tx:
                await tx.audit("workspace.move_finished", "workspace", record.id, numbers=len(numbers))
        journals = Journals(control, registry, clock, ids)
        released = sum([await journals.release(phone_number_id=number.phone_number_id, waba_id=number.waba_id,
                                               workspace_id=record.id) for number in numbers])
    return WentLive(
        workspace_id=record.id, name=record.name, numbers=tuple(number.display_phone for number in numbers),
        webhooks=tuple({"app_id": one.app_id, "webhook_url": base + one.webhook_path,
                        "verify_token": one.verify_token} for one in live.addresses), released=released)
