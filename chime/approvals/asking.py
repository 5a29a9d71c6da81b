"""Asking for something that needs approval: who may decide is found out, and they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chime import accounts
from chime.approvals import actions
from chime.approvals.mails import mail_asked
from chime.approvals.model import Approval, Needs, Wanted
from chime.approvals.standing import needs, others
from chime.security.permissions import Actor, Permission
from chime.workspaces import Workspace, WorkspaceRecord

if TYPE_CHECKING:
    from chime.web.services import Services


async def ask(services: Services, record: WorkspaceRecord, workspace: Workspace, actor: Actor, *, wanted: Wanted,
              second: bool) -> Approval:
    """`second`: whether another person has to agree. What needs nobody is begun at once. Raises Invalid, TooMany."""
    control = services.control.db
    requester = await accounts.requester_of(control, actor)
    deciders = await others(control, record.id, Permission(wanted.decided_by), requester) if second else []
    async with workspace.write(actor) as tx:
        row = await actions.request(tx, wanted, requester=requester, needs=needs(second=second, deciders=deciders))
    if row.needs is Needs.NOBODY:
        services.runner.start(record.id, row.job, row.id)
    owners = (await accounts.holders(control, record.id, Permission.WORKSPACE_TRANSFER)
              if row.needs is Needs.DELAY else [])
    await mail_asked(services.mailer, record, row, deciders, owners)
    return row
