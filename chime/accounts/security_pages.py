"""`/me/security`: the password, an overview of the factors, what happened to the account."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime.accounts import notices, passkeys, second_factor
from chime.accounts.entry_pages import set_session_cookie
from chime.accounts.me_pages import OWN, SMALL, Me
from chime.accounts.model import User
from chime.accounts.notify import notify
from chime.accounts.passwords import change_password, context_of
from chime.accounts.proof_pages import proof_mark
from chime.accounts.sessions import prove
from chime.accounts.sign_in_pages import too_many
from chime.errors import Invalid, TooMany
from chime.security.passkeys import relying_party
from chime.security.password_rules import SHORTEST, SHORTEST_WITH_SECOND_FACTOR, stands_alone
from chime.web.forms import form_fields
from chime.web.services import Services
from chime.web.throttle import MOST_IN_A_ROW, Mark

AnyRequest = Request[Any, Any, Any]


@get("/me/security", opt=OWN, include_in_schema=False)
async def show_security(request: AnyRequest) -> Response[bytes]:
    return await _security(Me(request))


async def _security(me: Me, *, errors: dict[str, str] | None = None, status: int = 200) -> Response[bytes]:
    factors = await second_factor.factors_of(me.db, me.id)
    return await me.page(
        "me/security.html", status=status, errors=errors or {}, factors=factors,
        passkeys=await passkeys.passkeys_of(me.db, me.id), reset=await second_factor.reset_of(me.db, me.id),
        notices=[{"words": me.words(notice.words), "at": notice.at, "is_new": notice.seen_at is None,
                  "details": " · ".join(str(value) for value in notice.details.values())}
                 for notice in await notices.notices_of(me.db, me.id)],
        password_changed_at=await me.db.value("SELECT password_changed_at FROM user WHERE id = ?", me.id),
        shortest=SHORTEST_WITH_SECOND_FACTOR if factors.any else SHORTEST,
        can_have_passkeys=relying_party(me.services.config.public_url) is not None,
        locked=await me.services.throttle.failures(_strangers(me)) >= MOST_IN_A_ROW)


def _strangers(me: Me) -> Mark:
    return Mark("account", me.identity.email.lower())


@post("/me/password", opt=OWN | SMALL, include_in_schema=False)
async def edit_password(request: AnyRequest) -> Response[Any]:
    """Needs the current one, whatever was proved before. Every other session ends."""
    me = Me(request)
    fields = await form_fields(request)
    user = await me.user()
    try:
        hashed = await _new_hash(me, user, fields)
    except Invalid as error:
        return await _security(me, errors=me.problems(error), status=422)
    except TooMany as error:
        return await _security(me, errors={"": too_many(error)}, status=429)
    async with me.services.control.write(me.identity.actor) as tx:
        ended = await change_password(tx, user.id, hashed, stands_alone=stands_alone(fields["password"]), now=me.now,
                                      but=me.identity.session_id)
        # A password is no fresh proof of somebody who has a second factor: their last proof stays as old as it is.
        secret = await prove(tx, me.services.ids, me.identity.session_id,
                             now=me.identity.proved_at if me.identity.second_factors else me.now)
        await notify(me.services, tx, user.id, "password_changed")
    await me.services.throttle.clear(_strangers(me), proof_mark(me))
    me.services.hub.end_streams_of_sessions(ended)
    response = Redirect("/me/security?said=password", status_code=303)
    set_session_cookie(request, response, secret)
    return response


async def _new_hash(me: Me, user: User, fields: dict[str, str]) -> str:
    """Raises Invalid naming each field that is wrong, TooMany."""
    current, password, again = (fields.get(name, "") for name in ("current", "password", "again"))
    problems = [(name, words) for name, value, words in (
        ("current", current, "Enter your current password."), ("password", password, "Enter a new password."))
        if not value]
    if not problems and password != again:
        problems.append(("again", "The two are not the same."))
    if problems:
        raise Invalid(problems)
    await me.services.throttle.begin(proof_mark(me))
    if not await me.services.passwords.verify(current, user.password_hash):
        raise Invalid.field("current", "This is not your current password.")
    await me.services.throttle.clear(proof_mark(me))
    if password == current:
        raise Invalid.field("password", "This is the password you have now.")
    context = await context_of(me.db, user, host_of(me.services))
    return await me.services.passwords.hash(password, second_factor=bool(me.identity.second_factors), context=context)


def host_of(services: Services) -> str:
    return urlsplit(services.config.public_url).hostname or ""


@post("/me/notices/seen", opt=OWN | SMALL, include_in_schema=False)
async def edit_notices(request: AnyRequest) -> Redirect:
    me = Me(request)
    async with me.services.control.write(me.identity.actor) as tx:
        await notices.mark_seen(tx, me.id, me.now)
        await tx.audit("notices.read", "user", me.id)
    return Redirect("/me/security", status_code=303)


@post("/me/unlock", opt=OWN | SMALL | {"step_up": True}, include_in_schema=False)
async def delete_lock(request: AnyRequest) -> Redirect:
    """Strangers guessed a hundred times; whoever is in on a known device lets new devices in again."""
    me = Me(request)
    await me.services.throttle.clear(_strangers(me))
    async with me.services.control.write(me.identity.actor) as tx:
        await tx.audit("sign_in.unlocked", "user", me.id)
    return Redirect("/me/security?said=unlocked", status_code=303)


@post("/me/second-factor/keep", opt=OWN | SMALL, include_in_schema=False)
async def delete_own_factor_reset(request: AnyRequest) -> Redirect:
    """A colleague asked to take the second factor away; its owner is here and says no."""
    me = Me(request)
    async with me.services.control.write(me.identity.actor) as tx:
        await second_factor.cancel_reset(tx, me.id)
    return Redirect("/me/security?said=kept", status_code=303)


ROUTES = [show_security, edit_password, edit_notices, delete_lock, delete_own_factor_reset]
