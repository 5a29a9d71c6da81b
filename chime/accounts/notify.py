"""Telling people what happened to their account: in their list, and by mail where mail is set up. Both belong to the
transaction of what happened."""

from __future__ import annotations

from contextlib import suppress

from chime.accounts import notices, queries
from chime.errors import ChimeError
from chime.web.services import Services
from chime.workspaces import Transaction

# The subject says what a mail is about where that is not the account.
_SUBJECTS = {"ownership_offered": "Chime: a workspace is offered to you",
             "workspace_full": "Chime: a workspace is full",
             "no_place_for_you": "Chime: a workspace is full",
             "audit_alarm": "Chime: the audit log was changed",
             "installation_audit_alarm": "Chime: the audit log of this server was changed"}


async def notify(services: Services, tx: Transaction, user_id: str, kind: str, *, path: str = "",
                 **details: str | int) -> None:
    """`details` as in `notices.tell`; a mail says them as well, and leads to `path` where there is something to see."""
    await notices.tell(tx, user_id, kind, now=services.clock.real_now(), **details)
    user = await queries.user(tx, user_id)
    if user is None or not services.mailer.configured:
        return
    link = services.mailer.link(path or "/me/security")
    lines = [notices.KINDS[kind], *(f"{name.capitalize()}: {value}" for name, value in details.items()), "",
             f"See {link}" if path else f"If this was not you: {link}"]
    with suppress(ChimeError):  # an address no mail goes to; the list has it
        await services.mailer.send(user.email, _SUBJECTS.get(kind, "Chime: your account"), "\n".join(lines) + "\n",
                                   name=user.name, tx=tx)


async def notify_owners(services: Services, tx: Transaction, workspace_id: str, kind: str, *, but: str = "",
                        path: str = "", **details: str | int) -> None:
    """The same for every owner of a workspace."""
    for (user_id,) in await tx.rows("SELECT user_id FROM membership WHERE workspace_id = ? AND role = 'owner' "
                                    "AND state = 'active' AND user_id <> ?", workspace_id, but):
        await notify(services, tx, user_id, kind, path=path, **details)
