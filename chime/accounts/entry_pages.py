"""The door: what every way of signing in ends with, and the cookies it leaves. No routes of its own."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.response import Redirect, Response

from chime.accounts import identities
from chime.accounts.authenticate import cookie_name
from chime.accounts.device_words import device_words
from chime.accounts.devices import LASTS as DEVICE_LASTS
from chime.accounts.devices import Devices
from chime.accounts.model import User
from chime.accounts.notify import notify
from chime.accounts.sessions import ABSOLUTE, sign_in
from chime.clock import SECOND
from chime.errors import Forbidden, Sentence
from chime.security.crypto import derive
from chime.security.permissions import Actor, Origin
from chime.web.proxies import client_address, counted_address
from chime.web.services import Services
from chime.web.throttle import MOST_IN_A_ROW, Mark, network_of

AnyRequest = Request[Any, Any, Any]


def is_secure(request: AnyRequest) -> bool:
    return bool(request.scope["scheme"] == "https")


def cookie_of(request: AnyRequest, kind: str) -> str:
    """The name of one of our other cookies: `device` or `step`."""
    return f"{cookie_name(request)}-{kind}"


def set_cookie(request: AnyRequest, response: Response[Any], name: str, value: str, lasts: int) -> None:
    """`lasts` in milliseconds; 0 takes it away. Not `delete_cookie`: a browser ignores a `__Host-` cookie that is not
    Secure, and would keep the old one."""
    response.set_cookie(name, value, httponly=True, samesite="lax", path="/", secure=is_secure(request),
                        max_age=lasts // SECOND)


def set_session_cookie(request: AnyRequest, response: Response[Any], secret: str) -> None:
    set_cookie(request, response, cookie_name(request), secret, ABSOLUTE if secret else 0)


def agent_of(request: AnyRequest) -> str:
    return request.headers.get("user-agent", "")[:200]


def person(request: AnyRequest, user: User) -> Actor:
    """Somebody who is not signed in yet, as who does what follows."""
    return Actor(kind="user", id=user.id, name=user.name, origin=Origin("", client_address(request), agent_of(request)))


def _devices(services: Services) -> Devices:
    return Devices(derive(services.control.keys.links, "device"), services.ids)


def known_device(request: AnyRequest, user_id: str) -> str:
    """The id of this device if the person signed in with it before."""
    services = Services.of(request)
    cookie = request.cookies.get(cookie_of(request, "device"), "")
    return _devices(services).known(cookie, user_id, services.clock.real_now())


async def marks_of(request: AnyRequest, email: str, user: User | None) -> tuple[Mark, ...]:
    """What a guess at this account counts for. A device of theirs has its own allowance, so that nobody else's guesses
    keep them out; once that is used up it is a stranger's."""
    services = Services.of(request)
    device = known_device(request, user.id) if user else ""
    if user and device:
        own = Mark("device", f"{user.id}/{device}")
        if await services.throttle.failures(own) < MOST_IN_A_ROW:
            return (own,)
    address = client_address(request)
    return (Mark("account", email.strip().lower()), Mark("address", counted_address(address)),
            Mark("network", network_of(address)))


def code_mark(request: AnyRequest, user_id: str) -> Mark:
    """What a guess at a second factor counts for."""
    return Mark("code", f"{user_id}/{known_device(request, user_id)}")


async def _need_no_provider(request: AnyRequest, user: User) -> None:
    """Where everybody signs in with the provider. Raises Forbidden."""
    services = Services.of(request)
    provider = services.config.oidc
    if provider is not None and provider.only and not await identities.may_use_password(
            services.control.db, user.id, request.cookies.get(cookie_of(request, "offer"), ""),
            services.clock.real_now()):
        raise Forbidden(Sentence("Here everybody signs in with %(provider)s. Go back and use that.",
                                 provider=provider.name))


async def enter(request: AnyRequest, user: User, *, factors: str, where: str) -> Response[Any]:
    """A session for somebody who proved who they are, and on to where they wanted. Raises Forbidden."""
    services = Services.of(request)
    if not factors.startswith("oidc"):
        await _need_no_provider(request, user)
    now, address, agent = services.clock.real_now(), client_address(request), agent_of(request)
    cookie = request.cookies.get(cookie_of(request, "device"), "")
    device = _devices(services).known(cookie, user.id, now)
    async with services.control.write(person(request, user)) as tx:
        came_before = await tx.value("SELECT signed_in_at FROM user WHERE id = ?", user.id)
        session = await sign_in(tx, services.ids, user_id=user.id, address=address, agent=agent, now=now,
                                factors=factors)
        if came_before and not device:
            await notify(services, tx, user.id, "new_device", address=address, device=device_words(agent))
    services.hub.end_streams_of_sessions(session.ended)
    response = Redirect(where, status_code=303)
    set_session_cookie(request, response, session.secret)
    set_cookie(request, response, cookie_of(request, "device"),
               _devices(services).remember(cookie, user.id, now), DEVICE_LASTS)
    if cookie_of(request, "step") in request.cookies:
        set_cookie(request, response, cookie_of(request, "step"), "", 0)
    return response
