"""Inviting people from the settings, and the page an invitation's link leads to. Works without a script.

The link is mailed when the installation can mail; else it is shown once, to be handed over.
"""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime.accounts import invitations, member_pages, member_queries, queries
from chime.accounts.actions import create_user
from chime.accounts.authenticate import by_session
from chime.accounts.changes import changing
from chime.accounts.entry_pages import enter
from chime.accounts.invitation_letters import invitation_mail, link_of
from chime.accounts.invitations import Accepted, Made, NewInvitation, Open
from chime.accounts.model import User, check_name
from chime.accounts.trail_jobs import COPY, EVERYTHING
from chime.db import Db
from chime.errors import ChimeError, Forbidden, Invalid, NotFound, Sentence
from chime.security import limits
from chime.security.permissions import Actor, Permission, Reach
from chime.web.forms import LARGEST_OF_STRANGERS, form_fields, form_lists
from chime.web.here import Here
from chime.web.identity import Identity
from chime.web.permission_words import ROLES
from chime.web.services import Services
from chime.workspaces import Transaction

AnyRequest = Request[Any, Any, Any]
INVITE = {"permission": Permission.MEMBERS_INVITE, "step_up": True}
MAILS = INVITE | {"rate": limits.INVITE}
_INVITATIONS = "/w/{slug:str}/settings/invitations"
_ONE = _INVITATIONS + "/{invitation_id:str}"
_LINK = "/invitations/{token:str}"


@get(_INVITATIONS + "/new", opt=INVITE)
async def new_invitation(here: Here) -> Response[bytes]:
    return await _form(here, {})


async def _form(here: Here, values: dict[str, Any], *, errors: dict[str, str] | None = None,
                status: int = 200) -> Response[bytes]:
    known = await member_queries.teams(here.services.control.db, here.record.id)
    everywhere = here.actor.grant(Permission.MEMBERS_INVITE).reach is Reach.ALL
    numbers = await member_queries.numbers(here.db)
    allowed = [one for one in numbers if here.actor.channels is None or one.id in here.actor.channels]
    return here.page(
        "accounts/invite.html", status=status, errors=errors or {}, values=values, numbers=allowed,
        limited=here.actor.channels is not None, mails=here.services.mailer.configured,
        roles=await member_pages.role_choices(here, Permission.MEMBERS_INVITE),
        teams=[team for team in known if everywhere or team.id in here.actor.teams])


@post(_INVITATIONS, opt=MAILS, status_code=200)
async def create_invitation(here: Here) -> Response[Any]:
    fields, lists = await form_fields(here.request), await form_lists(here.request, "team", "channel")
    new = NewInvitation(email=fields.get("email", ""), role=fields.get("role", ""), teams=tuple(lists["team"]),
                        channels=tuple(lists["channel"]) if fields.get("numbers") == "some" else None)
    try:
        async with changing(here) as tx:
            made = await invitations.invite(tx, here.services.ids, here.record.id, new)
            await _mail(here, tx, made)
    except ChimeError as error:
        if error.status not in (403, 409, 422):
            raise
        return await _form(here, {**fields, **lists}, errors=here.problems(error), status=error.status)
    return _handed_over(here, made)


@post(_ONE + "/resend", opt=MAILS, status_code=200)
async def create_resend(here: Here, invitation_id: str) -> Response[Any]:
    """A new link; the old one is dead."""
    async with changing(here) as tx:
        made = await invitations.resend(tx, here.services.ids, here.record.id, invitation_id)
        await _mail(here, tx, made)
    return _handed_over(here, made)


@post(_ONE + "/revocation", opt={"permission": Permission.MEMBERS_INVITE}, status_code=303)
async def create_invitation_revocation(here: Here, invitation_id: str) -> Response[Any]:
    async with changing(here) as tx:
        await invitations.revoke(tx, here.record.id, invitation_id)
    return Redirect(f"{here.base}/settings/members?said=revoked", status_code=303)


async def _mail(here: Here, tx: Transaction, made: Made) -> None:
    """With the invitation or not at all."""
    mailer = here.services.mailer
    if mailer.configured:
        await mailer.send(made.email, *invitation_mail(mailer.link(f"/invitations/{made.token}"), here.record.name,
                                                       here.actor.name), tx=tx)


def _handed_over(here: Here, made: Made) -> Response[Any]:
    """Mailed; or the link on a page that is shown once."""
    if here.services.mailer.configured:
        return Redirect(f"{here.base}/settings/members?said=invited", status_code=303)
    return here.page("accounts/invited.html", made=made, link=link_of(here.services, made.token))


@get(_LINK, opt={"public": True}, include_in_schema=False)
async def show_invitation(request: AnyRequest, token: str) -> Response[bytes]:
    """Whoever holds the link: an account to make, a button to press, or whom to sign in as."""
    return await _invitation(request, token)


async def _invitation(request: AnyRequest, token: str, *, status: int = 200, errors: dict[str, str] | None = None,
                      values: dict[str, str] | None = None) -> Response[bytes]:
    services = Services.of(request)
    found = await invitations.opened(services.control.db, services.clock.now(), token)
    identity = await by_session(services, request)
    if identity is not None:
        request.scope["state"]["identity"] = identity
    named = ROLES.get(found.role)
    return services.pages.answer(
        request, "accounts/invitation.html", status=status, errors=errors or {}, values=values or {},
        invitation=found, role=named.words if named else found.custom_name, token=token,
        situation=await _situation(services, found, identity))


async def _situation(services: Services, found: Open, identity: Identity | None) -> str:
    if identity is not None:
        return "accept" if identity.email.lower() == found.email.lower() else "somebody-else"
    return "sign-in" if await queries.user_by_email(services.control.db, found.email) else "sign-up"


@post(_LINK, opt={"public": True, "rate": limits.SIGN_IN}, include_in_schema=False, status_code=303,
      request_max_body_size=LARGEST_OF_STRANGERS)
async def create_account(request: AnyRequest, token: str) -> Response[Any]:
    """Sign up as the invited address, and in. Who has an account already accepts with it."""
    services = Services.of(request)
    if services.config.oidc is not None and services.config.oidc.only:
        raise Forbidden(Sentence("Here everybody signs in with %(provider)s. Go back and use that.",
                                 provider=services.config.oidc.name))
    found = await invitations.opened(services.control.db, services.clock.now(), token)
    if await queries.user_by_email(services.control.db, found.email) is not None:
        return Redirect(f"/invitations/{token}", status_code=303)
    fields = await form_fields(request)
    try:
        name, hashed = await _account(services, fields, email=found.email, workspace=found.workspace_name)
        async with services.control.write(Actor(kind="user", id=None, name=name)) as tx:
            user_id = await create_user(tx, email=found.email, name=name, password_hash=hashed)
            user = await _user(tx, user_id)
            accepted = await invitations.accept(tx, token, user)
        services.runner.start(accepted.workspace_id, COPY, EVERYTHING)
    except ChimeError as error:
        if error.status != 422:
            raise
        return await _invitation(request, token, status=422, errors=_words(error),
                                 values={"name": fields.get("name", "")})
    return await enter(request, user, factors="password", where=_where(accepted))


async def _account(services: Services, fields: dict[str, str], *, email: str, workspace: str) -> tuple[str, str]:
    """Name and hashed password; both are looked at, so that both faults are told at once. Raises Invalid."""
    problems: list[tuple[str, str]] = []
    name = hashed = ""
    try:
        name = check_name(fields.get("name", ""))
    except Invalid as error:
        problems += [(one.field, one.message) for one in error.errors]
    try:
        hashed = await services.passwords.hash(fields.get("password", ""), context=(email, name, workspace))
    except Invalid as error:
        problems += [(one.field, one.message) for one in error.errors]
    if problems:
        raise Invalid(problems)
    return name, hashed


async def _user(db: Db, user_id: str) -> User:
    found = await queries.user(db, user_id)
    if found is None:
        raise NotFound("There is no such person.")
    return found


@post(_LINK + "/acceptance", opt={"permission": Permission.SESSION}, include_in_schema=False, status_code=303)
async def create_acceptance(request: AnyRequest, token: str) -> Response[Any]:
    """One click of somebody who is signed in as the invited address."""
    services = Services.of(request)
    identity: Identity = request.scope["state"]["identity"]
    async with services.control.write(identity.actor) as tx:
        accepted = await invitations.accept(tx, token, await _user(tx, identity.actor.id or ""))
    services.runner.start(accepted.workspace_id, COPY, EVERYTHING)
    return Redirect(_where(accepted), status_code=303)


def _where(accepted: Accepted) -> str:
    return "/waiting" if accepted.state == "unconfirmed" else f"/w/{accepted.slug}"


@get("/waiting", opt={"permission": Permission.SESSION}, include_in_schema=False)
async def show_waiting(request: AnyRequest) -> Response[bytes]:
    """An owner in waiting: somebody who is one has to confirm."""
    return Services.of(request).pages.answer(request, "accounts/waiting.html")


def _words(error: ChimeError) -> dict[str, str]:
    if isinstance(error, Invalid):
        return {problem.field: problem.message for problem in error.errors}
    return {"": str(error)}


ROUTES = [new_invitation, create_invitation, create_resend, create_invitation_revocation, show_invitation,
          create_account, create_acceptance, show_waiting]
