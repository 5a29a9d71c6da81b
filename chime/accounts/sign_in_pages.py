"""Signing in and out: a password, a second step for who has one, or a passkey alone.

Whatever is wrong, the answer says the same and takes as long: nobody learns here who has an account.
"""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime.accounts import challenges, passkeys, queries, second_factor
from chime.accounts.authenticate import by_session
from chime.accounts.entry_pages import (
    AnyRequest,
    code_mark,
    cookie_of,
    enter,
    is_secure,
    marks_of,
    person,
    set_cookie,
    set_session_cookie,
)
from chime.accounts.model import User
from chime.accounts.notify import notify
from chime.accounts.passwords import rehash
from chime.accounts.sessions import end_session
from chime.errors import Forbidden, TooMany
from chime.security.passkeys import BadPasskey, relying_party
from chime.security.permissions import SYSTEM, Permission
from chime.security.second_factor import plain_recovery_code
from chime.web.forms import LARGEST_OF_STRANGERS, form_fields
from chime.web.identity import Identity
from chime.web.language import catalogue
from chime.web.own_path import own_path
from chime.web.services import Services
from chime.web.throttle import Locked, Mark

DEMO_EMAIL = "demo@example.com"
DEMO_PASSWORD = "welcome to the chime demo"
WRONG = "The email address or the password is not right."
MANY_FAILURES = 10


@get("/sign-in", opt={"public": True}, include_in_schema=False)
async def new_session(request: AnyRequest) -> Response[Any]:
    services = Services.of(request)
    where = own_path(request.query_params.get("next", ""))
    if await by_session(services, request) is not None:
        return Redirect(where, status_code=303)
    said = {"expired": "That took too long. Sign in again.", "tries": "Too many wrong codes. Sign in again.",
            "reset": "The password is set. Sign in with it.",
            "set-up": "Chime is set up. Sign in to go on."}.get(request.query_params.get("said", ""), "")
    return _form(request, where, said=said)


def _form(request: AnyRequest, where: str, *, errors: dict[str, str] | None = None, email: str = "", said: str = "",
          status: int = 200) -> Response[bytes]:
    services = Services.of(request)
    hint = {"email": DEMO_EMAIL, "password": DEMO_PASSWORD} if services.config.demo else None
    words = catalogue("en")
    return services.pages.answer(
        request, "accounts/sign_in.html", status=status, values={"email": email}, next=where, demo_hint=hint,
        errors={name: words.gettext(text) for name, text in (errors or {}).items()}, said=words.gettext(said) if said
        else "", has_passkeys=relying_party(services.config.public_url) is not None)


@post("/sign-in", opt={"public": True}, include_in_schema=False, request_max_body_size=LARGEST_OF_STRANGERS)
async def create_session(request: AnyRequest) -> Response[Any]:
    """Right: a session, or the second step. Wrong: the same words whatever was wrong, the address kept."""
    services = Services.of(request)
    fields = await form_fields(request)
    email, password = fields.get("email", "").strip(), fields.get("password", "")
    where = own_path(fields.get("next", ""))
    errors = {name: message for name, value, message in (
        ("email", email, "Enter your email address."), ("password", password, "Enter your password.")) if not value}
    if errors:
        return _form(request, where, errors=errors, email=email, status=422)
    user = await queries.user_by_email(services.control.db, email)
    marks = await marks_of(request, email, user)
    try:
        in_a_row = await services.throttle.begin(*marks)
        right = await _is_right(services, user, password, marks)
    except TooMany as error:
        return _form(request, where, errors={"": too_many(error)}, email=email, status=429)
    if user is None or not right:
        await _refused(services, user, in_a_row)
        return _form(request, where, email=email, status=422, errors={"": WRONG})
    await _with_todays_hash(request, user, password)
    if (await second_factor.factors_of(services.control.db, user.id)).any:
        await services.throttle.forgive(*marks)
        return await _second_step(request, user, where)
    await _let_in(services, marks)
    return await enter(request, user, factors="password", where=where)


async def _is_right(services: Services, user: User | None, password: str, marks: tuple[Mark, ...]) -> bool:
    active = user is not None and user.disabled_at is None
    try:
        return await services.passwords.verify(password, user.password_hash if user and active else None)
    except TooMany:
        await services.throttle.forgive(*marks)  # it was not looked at
        raise


def too_many(error: TooMany) -> str:
    """Why, and when to come again."""
    if isinstance(error, Locked):
        return str(error)
    return f"Too many attempts. Try again in {int(error.retry_after) + 1} seconds."


async def _refused(services: Services, user: User | None, in_a_row: int) -> None:
    services.throttle.failed()
    async with services.control.write(SYSTEM) as tx:
        await tx.audit("session.refused", "user", user.id if user else "")
        if user and in_a_row == MANY_FAILURES:
            await notify(services, tx, user.id, "many_failures")


async def _with_todays_hash(request: AnyRequest, user: User, password: str) -> None:
    """A right password is the moment to store it with today's parameters."""
    services = Services.of(request)
    if services.passwords.is_outdated(user.password_hash):
        hashed = await services.passwords.hash_again(password)
        async with services.control.write(person(request, user)) as tx:
            await rehash(tx, user.id, user.password_hash, hashed)


async def _let_in(services: Services, marks: tuple[Mark, ...]) -> None:
    """Nothing in a row any more; what the address did to others stays counted."""
    await services.throttle.clear(*(mark for mark in marks if mark.kind in ("account", "device", "code")))
    await services.throttle.forgive(*(mark for mark in marks if mark.kind in ("address", "network")))


async def _second_step(request: AnyRequest, user: User, where: str) -> Response[Any]:
    """The password was right; the browser holds a secret of this step, which is no session."""
    services = Services.of(request)
    secret = services.ids.token()
    async with services.control.ingest("sign-in") as tx:
        await challenges.ask(tx, services.ids, challenges.of_cookie(secret), challenges.SECOND_STEP, user_id=user.id,
                             now=services.clock.real_now(), where=where)
    response = Redirect("/sign-in/second-step", status_code=303)
    set_cookie(request, response, cookie_of(request, "step"), secret, challenges.LASTS)
    return response


async def _under_way(request: AnyRequest) -> challenges.Challenge | None:
    services = Services.of(request)
    secret = request.cookies.get(cookie_of(request, "step"), "")
    return await challenges.challenge(services.control.db, challenges.of_cookie(secret), services.clock.real_now())


@get("/sign-in/second-step", opt={"public": True}, include_in_schema=False)
async def new_second_step(request: AnyRequest) -> Response[Any]:
    step = await _under_way(request)
    if step is None or step.purpose not in challenges.FIRST_FACTORS:
        return Redirect("/sign-in", status_code=303)
    return await _step_form(request, step)


async def _step_form(request: AnyRequest, step: challenges.Challenge, *, error: str = "",
                     status: int = 200) -> Response[bytes]:
    services = Services.of(request)
    factors = await second_factor.factors_of(services.control.db, step.user_id or "")
    by_recovery = "recovery" in request.query_params or factors.app_since is None
    return services.pages.answer(
        request, "accounts/second_step.html", status=status, factors=factors, by_recovery=by_recovery,
        errors={"recovery_code" if by_recovery else "code": catalogue("en").gettext(error)} if error else {},
        has_passkeys=factors.passkeys > 0 and relying_party(services.config.public_url) is not None)


@post("/sign-in/second-step", opt={"public": True}, include_in_schema=False,
      request_max_body_size=LARGEST_OF_STRANGERS)
async def create_second_step(request: AnyRequest) -> Response[Any]:
    """A code of the app or a recovery code. Five wrong ones, and the password is asked for again."""
    services = Services.of(request)
    fields = await form_fields(request)
    step = await _under_way(request)
    user = await queries.user(services.control.db, step.user_id or "") if step else None
    if (step is None or step.purpose not in challenges.FIRST_FACTORS or user is None
            or user.disabled_at is not None):
        return Redirect("/sign-in?said=expired", status_code=303)
    mark = code_mark(request, user.id)
    try:
        await services.throttle.begin(mark)
        factor, tries_left = await _shown(request, step, user, fields)
    except TooMany as error:
        return await _step_form(request, step, error=too_many(error), status=429)
    if not factor:
        services.throttle.failed()
        if not tries_left:
            return Redirect("/sign-in?said=tries", status_code=303)
        return await _step_form(request, step, error="This code is not right, or it was used already.", status=422)
    await _let_in(services, (*await marks_of(request, user.email, user), mark))
    return await enter(request, user, factors=f"{challenges.FIRST_FACTORS[step.purpose]},{factor}", where=step.next)


async def _shown(request: AnyRequest, step: challenges.Challenge, user: User,
                 fields: dict[str, str]) -> tuple[str, bool]:
    """Which factor was shown (empty: none) and whether there may be another try. One transaction: a code and a step
    are used up together."""
    services = Services.of(request)
    now, hashed = services.clock.real_now(), b""
    recovery = plain_recovery_code(fields.get("recovery_code", "")[:100])
    if recovery:
        salt = await second_factor.recovery_salt(services.control.db, user.id)
        hashed = await services.passwords.fingerprint(recovery, salt or b"no codes of any person")
    async with services.control.write(person(request, user)) as tx:
        left = await challenges.try_once(tx, step.key)
        if left is None:
            await tx.audit("second_factor.refused", "user", user.id)
            return "", False
        factor = ""
        if recovery and await second_factor.use_recovery_code(tx, user.id, hashed, now):
            factor = "recovery"
            await notify(services, tx, user.id, "recovery_code_used")
        elif not recovery and await second_factor.use_code(tx, services.control.vault, user.id,
                                                           fields.get("code", "")[:20], now):
            factor = "totp"
        if factor or not left:
            await challenges.finish(tx, step.key)
        await tx.audit("second_factor.shown" if factor else "second_factor.refused", "user", user.id, factor=factor)
        return factor, left > 0


@post("/sign-in/passkey/question", opt={"public": True}, status_code=200, include_in_schema=False,
      request_max_body_size=LARGEST_OF_STRANGERS)
async def create_passkey_question(request: AnyRequest) -> Response[Any]:
    """What the browser asks the person's passkeys: any of this host, or those of who is between the two steps."""
    services = Services.of(request)
    party = relying_party(services.config.public_url)
    if party is None:
        raise Forbidden("Passkeys need this installation's address over https.")
    step, secret = await _under_way(request), ""
    async with services.control.ingest("sign-in") as tx:
        if step is not None:
            question = await challenges.ask_again(tx, services.ids, step.key)
        else:
            secret = services.ids.token()
            where = own_path((await form_fields(request)).get("next", ""))
            question = await challenges.ask(tx, services.ids, challenges.of_cookie(secret), challenges.PASSKEY_SIGN_IN,
                                            user_id=None, now=services.clock.real_now(), where=where)
    known = await passkeys.credential_ids(services.control.db, step.user_id) if step and step.user_id else None
    response = Response(party.ask(question, known), headers={"Cache-Control": "no-store"})
    if secret:
        set_cookie(request, response, cookie_of(request, "step"), secret, challenges.LASTS)
    return response


@post("/sign-in/passkey", opt={"public": True}, include_in_schema=False, request_max_body_size=LARGEST_OF_STRANGERS)
async def create_passkey_session(request: AnyRequest) -> Response[Any]:
    """A passkey with its owner's finger or PIN is two factors at once: it needs no password."""
    services = Services.of(request)
    answer = (await form_fields(request)).get("answer", "")
    step, party = await _under_way(request), relying_party(services.config.public_url)
    if step is None or step.question is None or party is None:
        return Redirect("/sign-in?said=expired", status_code=303)
    try:
        user = await _owner_of(request, party.claimed(answer).credential_id, step, answer)
    except BadPasskey as error:
        services.throttle.failed()
        return _form(request, step.next, errors={"": str(error)}, status=422)
    await _let_in(services, await marks_of(request, user.email, user))
    first = challenges.FIRST_FACTORS.get(step.purpose)
    factors = f"{first},passkey" if first else "passkey"
    return await enter(request, user, factors=factors, where=step.next)


async def _owner_of(request: AnyRequest, credential_id: bytes, step: challenges.Challenge, answer: str) -> User:
    """Whose passkey answered, once the answer is proved; the question is used up. Raises BadPasskey."""
    services = Services.of(request)
    db, now = services.control.db, services.clock.real_now()
    party = relying_party(services.config.public_url)
    stored = await passkeys.passkey_of_credential(db, credential_id)
    user = await queries.user(db, stored.user_id) if stored else None
    if party is None or stored is None or user is None or step.user_id not in (None, user.id):
        raise BadPasskey("This passkey is not known here.")
    claimed = party.claimed(answer)
    party.check(step.question or b"", answer, stored.credential)
    if claimed.user_handle and claimed.user_handle != user.id.encode():
        raise BadPasskey("This passkey is not known here.")
    async with services.control.write(person(request, user)) as tx:
        if not await challenges.finish(tx, step.key):
            raise BadPasskey("This sign-in was finished already.")
        used = await passkeys.use(tx, stored.id, claimed.sign_count, now)
        if not used:
            await notify(services, tx, user.id, "passkey_copied")
        await tx.audit("passkey.used" if used else "passkey.refused", "user", user.id, passkey_id=stored.id)
    if not used:
        raise BadPasskey("This passkey was refused: a copy of it seems to exist.")
    return user


@post("/sign-out", opt={"permission": Permission.SESSION, "small": True, "enrolment": True}, include_in_schema=False)
async def delete_session(request: AnyRequest) -> Redirect:
    services = Services.of(request)
    identity: Identity = request.scope["state"]["identity"]
    async with services.control.write(identity.actor) as tx:
        await end_session(tx, identity.session_id)
    services.hub.end_streams_of_sessions({identity.session_id})
    response = Redirect("/sign-in", status_code=303)
    set_session_cookie(request, response, "")
    if is_secure(request):
        # Pages and what scripts kept. Not cookies: the device stays known, and the theme its own.
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


ROUTES = [new_session, create_session, new_second_step, create_second_step, create_passkey_question,
          create_passkey_session, delete_session]
