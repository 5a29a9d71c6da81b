"""Helping a member with their account: ending their sessions, mailing a link for a new password, and the slow way out
for who lost every second factor. Nobody sets a password for somebody else, or sees a link meant for them.

An account may belong to several workspaces, so what weakens it is not one workspace's to do: a second factor is reset
from here only for members of this workspace alone who do not operate the installation. For others there is the shell.
"""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime.accounts import member_queries, queries, second_factor
from chime.accounts.authority import authority, effective, may_touch
from chime.accounts.member_queries import MemberDetails
from chime.accounts.notify import notify, notify_owners
from chime.accounts.reset_pages import mail_reset
from chime.accounts.sessions import end_sessions_of, sessions_of
from chime.db import Db
from chime.errors import Forbidden, NotFound, Refused
from chime.security import limits
from chime.security.permissions import Actor, Permission
from chime.web.here import Here
from chime.workspaces import Transaction

_ONE = "/w/{slug:str}/settings/members/{member_id:str}"
END: dict[str, Any] = {"permission": Permission.SESSIONS_END}
EDIT: dict[str, Any] = {"permission": Permission.MEMBERS_EDIT, "step_up": True}


@get(_ONE + "/account", opt=END)
async def show_member_account(here: Here, member_id: str) -> Response[bytes]:
    """What can be done for this member's account, by whoever may."""
    control, now = here.services.control.db, here.services.clock.real_now()
    found = await _member(control, here, member_id)
    return here.page(
        "accounts/member_account.html", member=found, said=here.request.query_params.get("said", ""),
        ends=_reaches(here.actor, Permission.SESSIONS_END, found), mails=here.services.mailer.configured,
        edits=here.actor.may(Permission.MEMBERS_EDIT) and _reaches(here.actor, Permission.MEMBERS_EDIT, found),
        sessions=len(await sessions_of(control, member_id, now)),
        factors=await second_factor.factors_of(control, member_id),
        reset=await second_factor.reset_of(control, member_id),
        ours_alone=await second_factor.is_of_one_workspace(control, member_id))


def _reaches(actor: Actor, permission: Permission, found: MemberDetails) -> bool:
    grants = effective(found.role, found.role_grants, modules_off=found.modules_off, masked=found.masked)
    return may_touch(actor, permission, found.role, grants)


async def _member(db: Db, here: Here, member_id: str) -> MemberDetails:
    found = await member_queries.member(db, here.record.id, member_id)
    if found is None or not member_queries.may_see(here.actor, found):
        raise NotFound("There is no such member.")
    return found


def _back(here: Here, member_id: str, said: str) -> Redirect:
    return Redirect(f"{here.base}/settings/members/{member_id}/account?said={said}", status_code=303)


@post(_ONE + "/account/sessions-end", opt=END, status_code=303)
async def delete_member_sessions(here: Here, member_id: str) -> Redirect:
    services = here.services
    async with services.control.write(here.actor) as tx:
        actor = await authority(tx, here.record.id, Permission.SESSIONS_END)
        found = await _member(tx, here, member_id)
        if not _reaches(actor, Permission.SESSIONS_END, found):
            raise Forbidden("This member stands above what you may change.")
        ended = await end_sessions_of(tx, member_id)
        await notify(services, tx, member_id, "sessions_ended")
    services.hub.end_streams_of_sessions(ended)
    return _back(here, member_id, "ended")


@post(_ONE + "/account/password-reset", opt=EDIT | {"rate": limits.INVITE}, status_code=303)
async def create_member_password_reset(here: Here, member_id: str) -> Redirect:
    """The link goes to the member's own mailbox and is shown to nobody else."""
    services = here.services
    async with services.control.write(here.actor) as tx:
        await _touched(here, tx, member_id)
        await tx.audit("password.reset_asked", "user", member_id, workspace_id=here.record.id)
    user = await queries.user(services.control.db, member_id)
    if user is None or not await mail_reset(services, user, here.actor):
        raise Refused("No mail server is set up here. Whoever runs this server makes a link with "
                      "`chime user reset-password`.", code="no_mail_server")
    return _back(here, member_id, "mailed")


async def _touched(here: Here, tx: Transaction, member_id: str) -> MemberDetails:
    """The member, when the one who acts may change them at this moment. Raises NotFound, Forbidden."""
    actor = await authority(tx, here.record.id, Permission.MEMBERS_EDIT)
    found = await _member(tx, here, member_id)
    if member_id == here.actor.id or not _reaches(actor, Permission.MEMBERS_EDIT, found):
        raise Forbidden("This member stands above what you may change.")
    return found


@post(_ONE + "/account/second-factor-reset", opt=EDIT | {"small": True}, status_code=303)
async def create_member_factor_reset(here: Here, member_id: str) -> Redirect:
    """In a day the factors go, unless the member or an owner says no before; all of them are told."""
    services = here.services
    async with services.control.write(here.actor) as tx:
        found = await _touched(here, tx, member_id)
        if not await second_factor.is_of_one_workspace(tx, member_id):
            raise Refused("This account reaches beyond this workspace. Whoever runs this server resets it with "
                          "`chime user reset-2fa`.", code="not_ours_alone")
        if not (await second_factor.factors_of(tx, member_id)).any:
            raise Refused("This member has no second factor.", code="no_second_factor")
        await second_factor.begin_reset(tx, member_id, started_by=here.actor.id or "", now=services.clock.real_now())
        await notify(services, tx, member_id, "second_factor_reset_begun", by=here.actor.name)
        await notify_owners(services, tx, here.record.id, "second_factor_reset_of", but=member_id, member=found.name,
                            by=here.actor.name)
    return _back(here, member_id, "begun")


@post(_ONE + "/account/second-factor-keep", opt=EDIT | {"small": True}, status_code=303)
async def delete_member_factor_reset(here: Here, member_id: str) -> Redirect:
    async with here.services.control.write(here.actor) as tx:
        await _touched(here, tx, member_id)
        await second_factor.cancel_reset(tx, member_id)
    return _back(here, member_id, "kept")


ROUTES = [show_member_account, delete_member_sessions, create_member_password_reset, create_member_factor_reset,
          delete_member_factor_reset]
