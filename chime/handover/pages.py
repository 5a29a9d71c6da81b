"""A workspace as one file, on a page: what is in it, the passphrase, the request. Works without a script.

Taking such a file in, and switching a workspace over, concern the whole server: they are commands at its shell.
"""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime import accounts, approvals
from chime.approvals import Approval, Wanted
from chime.errors import Invalid, TooMany
from chime.exports import WORKSPACE_JOB
from chime.handover import queries
from chime.handover.packing import new_lock
from chime.handover.requesting import keep_key, parameters_of
from chime.security import limits
from chime.security.passphrases import check_passphrase, new_stretching, stretched
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import Here

KIND = "workspace_export"
_PAGE = "/w/{slug:str}/settings/workspace-file"
_OWN = {"permission": Permission.WORKSPACE_TRANSFER, "step_up": True}
_NOT_THE_SAME = "This is not the same passphrase."


@get(_PAGE, opt=_OWN)
async def show_workspace_file(here: Here) -> Response[bytes]:
    return await _page(here)


async def _page(here: Here, *, status: int = 200, errors: dict[str, str] | None = None, reason: str = ""
                ) -> Response[bytes]:
    asker = await accounts.requester_of(here.services.control.db, here.actor)
    control = here.services.control.db
    return here.page(
        "handover/index.html", status=status, errors=errors or {}, values={"reason": reason},
        mine=[row for row in await approvals.of_person(here.db, asker.person_id or "") if row.kind == KIND],
        alone=not await accounts.exports_need_approval(control, here.record.id),
        numbers=await queries.numbers(here.db), now=here.services.clock.real_now())


@post(_PAGE, opt=_OWN | {"rate": limits.EXPORT}, status_code=303)
async def create_workspace_file(here: Here) -> Response[Any]:
    """Ask for one. What is typed goes into a key and nowhere else; nothing of it is shown again."""
    fields = await form_fields(here.request)
    try:
        await ask(here, fields.get("passphrase", ""), fields.get("repeated", ""), fields.get("reason", ""))
    except (Invalid, TooMany) as error:
        return await _page(here, status=error.status, errors=here.problems(error), reason=fields.get("reason", ""))
    return Redirect(f"{here.base}/settings/approvals?said=requested", status_code=303)


async def ask(here: Here, passphrase: str, repeated: str, reason: str) -> Approval:
    """Raises Invalid, TooMany."""
    check_passphrase(passphrase)
    if passphrase != repeated:
        raise Invalid.field("repeated", _NOT_THE_SAME)
    services, control = here.services, here.services.control.db
    stretching = new_stretching(services.ids)
    lock = new_lock(here.record, at=services.clock.real_now(), ids=services.ids, stretching=stretching,
                    passphrase_key=await asyncio.to_thread(stretched, passphrase, stretching))
    policy = await accounts.exports_need_approval(control, here.record.id)
    row = await approvals.ask(
        services, here.record, here.workspace, here.actor, second=policy,
        wanted=Wanted(kind=KIND, job=WORKSPACE_JOB, permission=Permission.WORKSPACE_TRANSFER.value,
                      decided_by=Permission.APPROVALS_DECIDE.value, parameters=parameters_of(lock), reason=reason))
    async with here.workspace.write(here.actor) as tx:
        await keep_key(tx, here.workspace.vault, row.id, lock)
    if row.needs is approvals.Needs.NOBODY:
        services.runner.start(here.record.id, WORKSPACE_JOB, row.id)
    return row


ROUTES = [show_workspace_file, create_workspace_file]
