"""The way back in for who forgot the password: a link by mail. Whoever asks learns nothing of who has an account.

The answer is the same and comes as fast for every address, because the work is done by a task after it. Where no mail
server is set up, the page says whom to ask instead; `chime user reset-password` makes a link at the shell.
"""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime.accounts import queries, second_factor
from chime.accounts.entry_pages import person
from chime.accounts.model import User, check_email
from chime.accounts.notify import notify
from chime.accounts.passwords import begin_reset, context_of, is_reset_fresh, use_reset, user_of_reset
from chime.accounts.security_pages import host_of
from chime.errors import ChimeError, Invalid, NotFound, TooMany
from chime.log import Log
from chime.security import limits
from chime.security.password_rules import SHORTEST, SHORTEST_WITH_SECOND_FACTOR, stands_alone
from chime.security.permissions import SYSTEM, Actor
from chime.web.forms import LARGEST_OF_STRANGERS, form_fields
from chime.web.language import catalogue
from chime.web.proxies import client_address, counted_address
from chime.web.services import Services
from chime.web.throttle import Mark

AnyRequest = Request[Any, Any, Any]
_PUBLIC: dict[str, Any] = {"public": True}
_log = Log("reset")
# The tasks under way; a set, because the loop itself would forget them.
_MOST_UNDER_WAY = 100
_under_way: set[asyncio.Task[None]] = set()


@get("/forgot-password", opt=_PUBLIC, include_in_schema=False)
async def new_password_reset(request: AnyRequest) -> Response[bytes]:
    return _ask(request)


def _ask(request: AnyRequest, *, errors: dict[str, str] | None = None, email: str = "", asked: bool = False,
         status: int = 200) -> Response[bytes]:
    services = Services.of(request)
    return services.pages.answer(request, "accounts/forgot_password.html", status=status, errors=errors or {},
                                 values={"email": email}, asked=asked, mails=services.mailer.configured)


@post("/forgot-password", opt=_PUBLIC | {"rate": limits.RESET}, status_code=200, include_in_schema=False,
      request_max_body_size=LARGEST_OF_STRANGERS)
async def create_password_reset(request: AnyRequest) -> Response[bytes]:
    services = Services.of(request)
    typed = (await form_fields(request)).get("email", "")
    try:
        email = check_email(typed)
        services.limiter.need(limits.RESET.of(email.lower(), counted_address(client_address(request))))
    except Invalid as error:
        return _ask(request, errors={one.field: catalogue("en").gettext(one.message) for one in error.errors},
                    email=typed[:200], status=422)
    if len(_under_way) >= _MOST_UNDER_WAY:
        raise TooMany("Too many people ask at this moment. Try again.", retry_after=5)
    task = asyncio.create_task(_mail_link(services, email))
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return _ask(request, asked=True)


async def _mail_link(services: Services, email: str) -> None:
    try:
        user = await queries.user_by_email(services.control.db, email)
        if user is not None and user.disabled_at is None:
            await mail_reset(services, user, SYSTEM, again=False)
    except ChimeError as error:
        _log.error("reset.not_mailed", error)


async def mail_reset(services: Services, user: User, by: Actor, *, again: bool = True) -> bool:
    """Queue a mail with a link for this person; False where no mail server is set up. Without `again`, a link that was
    mailed a moment ago is enough: asked in the transaction, or two clicks would both find none."""
    if not services.mailer.configured:
        return False
    async with services.control.write(by) as tx:
        now = services.clock.real_now()
        if not again and await is_reset_fresh(tx, user.id, now):
            return True
        token = await begin_reset(tx, services.ids, user.id, now)
        await services.mailer.send(
            user.email, "Chime: set a new password",
            "Somebody, hopefully you, asked for a new password of your Chime account.\n\n"
            f"Within half an hour: {services.mailer.link(f'/reset-password/{token}')}\n\n"
            "If it was not you, you need not do anything: without this link nothing changes.\n", name=user.name, tx=tx)
    return True


@get("/reset-password/{token:str}", opt=_PUBLIC, include_in_schema=False)
async def new_password(request: AnyRequest, token: str) -> Response[bytes]:
    return await _set(request, token)


async def _set(request: AnyRequest, token: str, *, errors: dict[str, str] | None = None,
               status: int = 200) -> Response[bytes]:
    services = Services.of(request)
    user = await user_of_reset(services.control.db, token, services.clock.real_now())
    if user is None:
        raise NotFound("This link was used already, or it is too old. Ask for another.")
    factors = await second_factor.factors_of(services.control.db, user.id)
    return services.pages.answer(request, "accounts/reset_password.html", status=status, errors=errors or {},
                                 token=token, email=user.email, second_step=factors.any,
                                 shortest=SHORTEST_WITH_SECOND_FACTOR if factors.any else SHORTEST)


@post("/reset-password/{token:str}", opt=_PUBLIC | {"rate": limits.SIGN_IN}, include_in_schema=False,
      request_max_body_size=LARGEST_OF_STRANGERS)
async def edit_password_by_link(request: AnyRequest, token: str) -> Response[Any]:
    """Sets the password and nothing else: signing in, and a second factor, come after. Opens a locked account."""
    services = Services.of(request)
    now = services.clock.real_now()
    user = await user_of_reset(services.control.db, token, now)
    if user is None:
        raise NotFound("This link was used already, or it is too old. Ask for another.")
    fields = await form_fields(request)
    password = fields.get("password", "")
    try:
        if password != fields.get("again", ""):
            raise Invalid.field("again", "The two are not the same.")
        hashed = await services.passwords.hash(
            password, second_factor=(await second_factor.factors_of(services.control.db, user.id)).any,
            context=await context_of(services.control.db, user, host_of(services)))
    except Invalid as error:
        told = {one.field: catalogue("en").gettext(one.message) for one in error.errors}
        return await _set(request, token, errors=told, status=422)
    async with services.control.write(person(request, user)) as tx:
        user_id, ended = await use_reset(tx, token, hashed, stands_alone=stands_alone(password), now=now)
        await notify(services, tx, user_id, "password_reset")
    await services.throttle.clear(Mark("account", user.email.lower()), Mark("proof", user.id))
    services.hub.end_streams_of_sessions(ended)
    return Redirect("/sign-in?said=reset", status_code=303)


ROUTES = [new_password_reset, create_password_reset, new_password, edit_password_by_link]
