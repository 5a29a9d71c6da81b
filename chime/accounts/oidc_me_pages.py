"""`/me/provider`: the sign-in of a person at the provider: connecting it, disconnecting it, confirming with it."""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime.accounts import identities
from chime.accounts.entry_pages import cookie_of, set_cookie, set_session_cookie
from chime.accounts.me_pages import ENROLMENT, FRESH, OWN, SMALL, Me
from chime.accounts.notify import notify
from chime.accounts.oidc_pages import CONFIRM, CONNECT, follow_groups, provider_of, send
from chime.accounts.sessions import prove
from chime.errors import ChimeError
from chime.web.forms import form_fields
from chime.web.own_path import own_path

AnyRequest = Request[Any, Any, Any]


@get("/me/provider", opt=OWN, include_in_schema=False)
async def show_identity(request: AnyRequest) -> Response[bytes]:
    return await _shown(Me(request))


async def _shown(me: Me, *, status: int = 200, error: ChimeError | None = None) -> Response[bytes]:
    issuer = provider_of(me.request).config.issuer
    return await me.page("oidc/identity.html", status=status, errors=me.problems(error) if error else {},
                         identity=await identities.identity_at(me.db, me.id, issuer),
                         offer=await identities.offered(me.db, _offer_secret(me), me.id, me.now))


def _offer_secret(me: Me) -> str:
    return me.request.cookies.get(cookie_of(me.request, "offer"), "")


@post("/me/provider", opt=OWN | FRESH, status_code=200, include_in_schema=False)
async def create_identity_question(request: AnyRequest) -> Response[Any]:
    """Off to the provider, after a fresh proof of the account's own factors."""
    me = Me(request)
    return await send(request, CONNECT, user_id=me.id, where="/me/provider")


@post("/me/provider/offer", opt=OWN | FRESH | SMALL, include_in_schema=False)
async def create_identity(request: AnyRequest) -> Response[Any]:
    """They were at the provider first, and then showed the factors of the account that was there before."""
    me = Me(request)
    try:
        async with me.services.control.write(me.identity.actor) as tx:
            found = await identities.accept(tx, _offer_secret(me), me.id, me.now)
            await notify(me.services, tx, me.id, "provider_connected")
            secret = await prove(tx, me.services.ids, me.identity.session_id, now=me.now, factor="oidc")
    except ChimeError as error:
        return await _shown(me, status=error.status, error=error)
    await follow_groups(request, me.id, found.groups)
    response = Redirect("/me/provider?said=connected", status_code=303)
    set_cookie(request, response, cookie_of(request, "offer"), "", 0)
    set_session_cookie(request, response, secret)
    return response


@post("/me/provider/disconnection", opt=OWN | FRESH | SMALL, include_in_schema=False)
async def delete_identity(request: AnyRequest) -> Response[Any]:
    me = Me(request)
    try:
        async with me.services.control.write(me.identity.actor) as tx:
            await identities.disconnect(tx, me.id, provider_of(request).config.issuer)
            await notify(me.services, tx, me.id, "provider_disconnected")
    except ChimeError as error:
        return await _shown(me, status=error.status, error=error)
    return Redirect("/me/provider?said=disconnected", status_code=303)


@post("/me/confirm/provider", opt=OWN | SMALL | ENROLMENT, status_code=200, include_in_schema=False)
async def create_provider_proof(request: AnyRequest) -> Response[Any]:
    """A fresh proof by the provider, for who has no password here."""
    where = own_path((await form_fields(request)).get("next", ""))
    return await send(request, CONFIRM, user_id=Me(request).id, where=where)


ROUTES = [show_identity, create_identity_question, create_identity, delete_identity, create_provider_proof]
