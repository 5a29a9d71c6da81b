"""Signing in with the provider: the way there, and what its answer opens. Works without a script.

The way there is a page and no redirect, for browsers refuse a form that ends on another site (`form-action`). The
answer is a GET that the provider sends the browser to; it changes something only with a question of this browser that
is ten minutes old at most, and each question is good for one answer.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from litestar import get, post
from litestar.response import Redirect, Response

from chime.accounts import challenges, full_workspaces, group_roles, identities, invitations, queries, second_factor
from chime.accounts.authenticate import by_session
from chime.accounts.challenges import Challenge
from chime.accounts.entry_pages import (
    AnyRequest,
    cookie_of,
    enter,
    person,
    set_cookie,
    set_session_cookie,
)
from chime.accounts.identities import Stranger
from chime.accounts.model import EVERYBODY, UNASSIGN, User
from chime.accounts.notify import notify
from chime.accounts.oidc import ANSWERS, NotFromProvider, Provider, ProviderTrouble, Question
from chime.accounts.sessions import prove
from chime.clock import SECOND
from chime.errors import ChimeError, Conflict, NotFound
from chime.log import Log
from chime.security.crypto import same
from chime.security.id_tokens import BadIdToken, Claims
from chime.security.permissions import SYSTEM, Actor
from chime.web.errors import reference_of
from chime.web.forms import LARGEST_OF_STRANGERS, form_fields
from chime.web.identity import Identity
from chime.web.own_path import own_path
from chime.web.services import Services
from chime.web.step_up import PROOF_LASTS

SIGN_IN, CONNECT, CONFIRM = "provider_sign_in", "provider_connect", "provider_confirm"
_PURPOSES = frozenset({SIGN_IN, CONNECT, CONFIRM})
_INVITATION = re.compile(r"/invitations/([\w-]{20,100})")
_LONGEST_CODE = 4_096
_log = Log("oidc")


def provider_of(request: AnyRequest) -> Provider:
    """Raises NotFound where none is configured."""
    found: Provider | None = request.app.state.provider
    if found is None:
        raise NotFound("This server has no sign-in provider.")
    return found


@post("/sign-in/provider", opt={"public": True}, status_code=200, include_in_schema=False,
      request_max_body_size=LARGEST_OF_STRANGERS)
async def create_provider_question(request: AnyRequest) -> Response[Any]:
    where = own_path((await form_fields(request)).get("next", ""))
    try:
        return await send(request, SIGN_IN, user_id=None, where=where)
    except ProviderTrouble as error:
        return _told(request, error)


async def send(request: AnyRequest, purpose: str, *, user_id: str | None, where: str) -> Response[Any]:
    """A page that leads to the provider; the browser holds a secret of the question. Raises ProviderTrouble."""
    services, provider = Services.of(request), provider_of(request)
    secret = services.ids.token()
    async with services.control.ingest("oidc") as tx:
        random = await challenges.ask(tx, services.ids, challenges.of_cookie(secret), purpose, user_id=user_id,
                                      now=services.clock.real_now(), where=where)
    url = await provider.question_url(Question.of(random), fresh=purpose == CONFIRM)
    response = services.pages.answer(request, "oidc/onward.html", url=url)
    set_cookie(request, response, cookie_of(request, "provider"), secret, challenges.LASTS)
    return response


@get(ANSWERS, opt={"public": True}, include_in_schema=False)
async def show_provider_answer(request: AnyRequest) -> Response[Any]:
    """Where the provider sends the browser back to."""
    try:
        response = await _answered(request)
    except (ProviderTrouble, BadIdToken, NotFromProvider, Conflict) as error:
        reason = getattr(error, "reason", "conflict")
        _log.warning("oidc.refused", reason=reason, reference=reference_of(request))
        async with Services.of(request).control.write(SYSTEM) as tx:
            await tx.audit("session.refused", "user", "", by="provider", reason=reason)
        response = _told(request, error)
    set_cookie(request, response, cookie_of(request, "provider"), "", 0)
    return response


def _told(request: AnyRequest, error: ChimeError) -> Response[Any]:
    return Services.of(request).pages.answer(request, "oidc/refused.html", status=error.status, title=error.title,
                                             detail=str(error), reference=reference_of(request))


async def _answered(request: AnyRequest) -> Response[Any]:
    provider = provider_of(request)
    asked = await _question_of(request)
    told = _single(request)
    if not await provider.is_ours(told.get("iss")):
        raise NotFromProvider("This answer does not come from the sign-in provider.", "other_issuer")
    if "error" in told or not 0 < len(told.get("code", "")) <= _LONGEST_CODE:
        raise NotFromProvider("The sign-in provider did not sign you in, or you cancelled it there.", "said_no")
    services = Services.of(request)
    now = services.clock.real_now()
    stranger, claims = await provider.who(told["code"], Question.of(asked.question or b""),
                                          fresh_since=now - PROOF_LASTS if asked.purpose == CONFIRM else 0)
    if asked.purpose == SIGN_IN:
        return await _sign_in(request, asked, stranger, claims)
    identity = await by_session(services, request)
    if identity is None or identity.actor.id != asked.user_id:
        raise NotFromProvider("You are not signed in any more as who began this. Sign in and begin again.", "session")
    if asked.purpose == CONNECT:
        return await _connect(request, identity, stranger)
    return await _confirm(request, identity, asked, stranger, claims)


def _single(request: AnyRequest) -> dict[str, str]:
    """The parameters that come once; what comes twice might be read differently by somebody else."""
    pairs = list(request.query_params.multi_items())
    names = [name for name, _ in pairs]
    return {name: value for name, value in pairs if names.count(name) == 1}


async def _question_of(request: AnyRequest) -> Challenge:
    """What this browser asked, used up with this answer. An answer to something else uses up nothing: else a link on
    any page could end a sign-in. Raises NotFromProvider."""
    services = Services.of(request)
    key = challenges.of_cookie(request.cookies.get(cookie_of(request, "provider"), ""))
    asked = await challenges.challenge(services.control.db, key, services.clock.real_now())
    state = _single(request).get("state", "")
    if asked is not None and asked.purpose in _PURPOSES and same(Question.of(asked.question or b"").state.encode(),
                                                                state.encode()):
        async with services.control.ingest("oidc") as tx:
            if await challenges.finish(tx, key):
                return asked
    raise NotFromProvider("This answer belongs to no sign-in that was begun in this browser in the last ten minutes. "
                          "Begin again.", "state")


async def _sign_in(request: AnyRequest, asked: Challenge, stranger: Stranger, claims: Claims) -> Response[Any]:
    services = Services.of(request)
    user, where = await identities.user_of(services.control.db, stranger.issuer, stranger.subject), asked.next
    if user is None:
        if not stranger.email:
            raise NotFromProvider("The sign-in provider does not say that your email address is yours, so no account "
                                  "can be found or made with it.", "email_unproven")
        existing = await queries.user_by_email(services.control.db, stranger.email)
        if existing is not None:
            return await _offer(request, existing, stranger)
        user, where = await _newcomer(request, stranger, where)
    if user.disabled_at is not None:
        raise NotFromProvider("Your account is closed. Ask whoever runs this server.", "disabled")
    async with services.control.ingest("oidc") as tx:
        await identities.used(tx, stranger.issuer, stranger.subject, services.clock.real_now())
    applied = await follow_groups(request, user.id, stranger.groups)
    if applied.full and not await _has_a_place(request, user.id):
        raise NotFromProvider(full_workspaces.WORDS, "workspace_full")
    if provider_of(request).has_second_factor(claims):
        return await enter(request, user, factors="oidc,oidc_mfa", where=where)
    if (await second_factor.factors_of(services.control.db, user.id)).any:
        return await _second_step(request, user, where)
    return await enter(request, user, factors="oidc", where=where)


async def _has_a_place(request: AnyRequest, user_id: str) -> bool:
    """Whether signing in leads anywhere: to a workspace, or to this server's own pages."""
    return bool(await Services.of(request).control.db.value(
        "SELECT 1 FROM user WHERE id = ?1 AND is_operator UNION SELECT 1 FROM membership WHERE user_id = ?1", user_id))


async def _second_step(request: AnyRequest, user: User, where: str) -> Response[Any]:
    """Who has a factor here shows it, whichever way they come."""
    services = Services.of(request)
    secret = services.ids.token()
    async with services.control.ingest("oidc") as tx:
        await challenges.ask(tx, services.ids, challenges.of_cookie(secret), challenges.PROVIDER_STEP, user_id=user.id,
                             now=services.clock.real_now(), where=where)
    response = Redirect("/sign-in/second-step", status_code=303)
    set_cookie(request, response, cookie_of(request, "step"), secret, challenges.LASTS)
    return response


async def _offer(request: AnyRequest, user: User, stranger: Stranger) -> Response[Any]:
    """There is an account of this address. Whose it is, only its own factors can say."""
    services = Services.of(request)
    async with services.control.write(SYSTEM) as tx:
        secret = await identities.offer(tx, services.ids, user.id, stranger, services.clock.real_now())
    response = services.pages.answer(request, "oidc/connect.html", email=stranger.email)
    set_cookie(request, response, cookie_of(request, "offer"), secret, identities.OFFER_LASTS)
    return response


async def _newcomer(request: AnyRequest, stranger: Stranger, where: str) -> tuple[User, str]:
    """An account for somebody without one, if a group or an invitation lets them in. Raises NotFromProvider."""
    services = Services.of(request)
    now = services.clock.real_now()
    invited = await _invitation(request, stranger, where)
    if not invited:
        await _must_have_room(request, stranger)
    nobody_knows = await services.passwords.hash_again(services.ids.token())
    async with services.control.write(Actor(kind="user", id=None, name=stranger.name[:80])) as tx:
        user_id = await identities.sign_up(tx, stranger, unknown_password=nobody_knows, now=now)
        user = await queries.user(tx, user_id)
        assert user is not None
        if invited:
            accepted = await invitations.accept(tx, invited, user)
            where = "/waiting" if accepted.state == "unconfirmed" else f"/w/{accepted.slug}"
    return user, where


async def _must_have_room(request: AnyRequest, stranger: Stranger) -> None:
    """No account for somebody who could go nowhere with it. Raises NotFromProvider."""
    services = Services.of(request)
    db, wanted = services.control.db, await group_roles.wanted(services.control.db, stranger.groups)
    if not wanted:
        raise NotFromProvider("The sign-in provider knows you, but none of your groups has a workspace here. Ask "
                              "somebody who works here to invite you.", "no_workspace")
    full = [one for one in wanted if await full_workspaces.is_full(db, one, services.clock.now())]
    if len(full) == len(wanted):
        async with services.control.write(_by_groups(request)) as tx:
            await full_workspaces.tell(services, tx, full, person=stranger.name or stranger.email)
        raise NotFromProvider(full_workspaces.WORDS, "workspace_full")


async def _invitation(request: AnyRequest, stranger: Stranger, where: str) -> str:
    """The token of an invitation they came by, when it is theirs."""
    services = Services.of(request)
    found = _INVITATION.fullmatch(where)
    if found is None:
        return ""
    try:
        invitation = await invitations.opened(services.control.db, services.clock.now(), found[1])
    except NotFound:
        return ""
    return found[1] if invitation.email.lower() == stranger.email.lower() else ""


def _by_groups(request: AnyRequest) -> Actor:
    return msgspec.structs.replace(group_roles.by_groups(provider_of(request).config.name),
                                   origin=person(request, _nobody).origin)


async def follow_groups(request: AnyRequest, user_id: str, groups: tuple[str, ...]) -> group_roles.Applied:
    """Make the person what their groups say, and end what they may not see any more. Where there is no room for them,
    they and those who could make some are told."""
    services = Services.of(request)
    async with services.control.write(_by_groups(request)) as tx:
        applied = await group_roles.apply(tx, user_id, groups)
        name = await tx.value("SELECT name FROM user WHERE id = ?", user_id)
        await full_workspaces.tell(services, tx, applied.full, person=name, user_id=user_id)
    for workspace_id in applied.left:
        services.hub.end_streams_of(user_id, workspace_id)
        services.runner.start(workspace_id, UNASSIGN, EVERYBODY)
    return applied


_nobody = User(id="", email="", name="", password_hash="", locale="en", time_zone="", disabled_at=None)


async def _connect(request: AnyRequest, identity: Identity, stranger: Stranger) -> Response[Any]:
    """Somebody signed in, who showed their own factors before they left, comes back with who they are there."""
    services, user_id = Services.of(request), identity.actor.id or ""
    async with services.control.write(identity.actor) as tx:
        await identities.connect(tx, user_id, issuer=stranger.issuer, subject=stranger.subject, email=stranger.email,
                                 now=services.clock.real_now())
        await notify(services, tx, user_id, "provider_connected")
    await follow_groups(request, user_id, stranger.groups)
    return Redirect("/me/provider?said=connected", status_code=303)


async def _confirm(request: AnyRequest, identity: Identity, asked: Challenge, stranger: Stranger,
                   claims: Claims) -> Response[Any]:
    """The person showed the provider again who they are: as fresh as the provider says it is."""
    services = Services.of(request)
    user = await identities.user_of(services.control.db, stranger.issuer, stranger.subject)
    if user is None or user.id != identity.actor.id:
        raise NotFromProvider("This is not the sign-in that your account is connected with.", "other_person")
    has_second = provider_of(request).has_second_factor(claims)
    if identity.second_factors and not has_second:
        raise NotFromProvider("Confirm with your second factor instead.", "second_factor")
    shown_at = min(services.clock.real_now(), int(claims.all["auth_time"] * SECOND))
    async with services.control.write(identity.actor) as tx:
        secret = await prove(tx, services.ids, identity.session_id, now=shown_at,
                             factor="oidc_mfa" if has_second else "oidc")
    response = Redirect(asked.next, status_code=303)
    set_session_cookie(request, response, secret)
    return response


ROUTES = [create_provider_question, show_provider_answer]
