"""Setting up and removing second factors: an authenticator app, passkeys, recovery codes.

All of it wants a fresh proof, so a forgotten open window gives nobody a factor. The first factor brings ten recovery
codes, shown once. What a workspace asks for cannot be removed, only replaced.
"""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime.accounts import challenges, passkeys, second_factor
from chime.accounts.device_words import device_words
from chime.accounts.entry_pages import agent_of, set_session_cookie
from chime.accounts.me_pages import ENROLMENT, FRESH, OWN, SMALL, Me
from chime.accounts.notify import notify
from chime.accounts.passwords import stands_alone
from chime.accounts.sessions import end_sessions_of, is_second_factor_needed, prove
from chime.errors import Conflict, Forbidden, Invalid, Refused
from chime.security.passkeys import BadPasskey, relying_party
from chime.security.second_factor import app_link, new_recovery_codes, plain_recovery_code
from chime.web.forms import form_fields
from chime.web.qr import qr
from chime.workspaces import Transaction

AnyRequest = Request[Any, Any, Any]
_SETUP = OWN | SMALL | ENROLMENT | FRESH
_REMOVAL = OWN | SMALL | FRESH


@get("/me/second-factor", opt=OWN | ENROLMENT, include_in_schema=False)
async def show_second_factor(request: AnyRequest) -> Response[bytes]:
    """The choice; where somebody is led who needs one before anything else."""
    me = Me(request)
    return await me.page("me/second_factor.html", factors=await second_factor.factors_of(me.db, me.id),
                         can_have_passkeys=relying_party(me.services.config.public_url) is not None, errors={},
                         must_enrol=me.identity.must_enrol, device=device_words(agent_of(request)))


@post("/me/second-factor/app", opt=_SETUP, include_in_schema=False)
async def create_app(request: AnyRequest) -> Redirect:
    me = Me(request)
    async with me.services.control.write(me.identity.actor) as tx:
        await second_factor.begin_app(tx, me.services.ids, me.services.control.vault, me.id)
    return Redirect("/me/second-factor/app", status_code=303)


@get("/me/second-factor/app", opt=OWN | ENROLMENT | FRESH, include_in_schema=False)
async def show_app(request: AnyRequest) -> Response[Any]:
    return await _app(Me(request))


async def _app(me: Me, *, errors: dict[str, str] | None = None, status: int = 200) -> Response[Any]:
    secret = await second_factor.waiting_secret(me.db, me.services.control.vault, me.id)
    if secret is None:
        return Redirect("/me/second-factor", status_code=303)
    link = app_link(secret, me.identity.email)
    groups = [secret[start:start + 4] for start in range(0, len(secret), 4)]
    return await me.page("me/authenticator.html", status=status, qr=qr(link), link=link, groups=groups,
                         errors=errors or {})


@post("/me/second-factor/app/confirmation", opt=_SETUP, include_in_schema=False)
async def create_app_confirmation(request: AnyRequest) -> Response[Any]:
    """The first code. The app counts from here on."""
    me = Me(request)
    before = await second_factor.factors_of(me.db, me.id)
    try:
        async with me.services.control.write(me.identity.actor) as tx:
            await second_factor.confirm_app(tx, me.services.control.vault, me.id,
                                            (await form_fields(request)).get("code", "")[:20], me.now)
            await notify(me.services, tx, me.id, "authenticator_added")
            secret, ended = await _added(me, tx, "totp", first=not before.any)
    except Invalid as error:
        return await _app(me, errors=me.problems(error), status=422)
    except Conflict:
        return Redirect("/me/second-factor", status_code=303)
    return await _after(me, secret, ended, needs_codes=before.recovery_left == 0)


async def _added(me: Me, tx: Transaction, factor: str, *, first: bool) -> tuple[str, list[str]]:
    """This session has shown the new factor. With the first one, the others, which never showed any, end."""
    ended = await end_sessions_of(tx, me.id, but=me.identity.session_id) if first else []
    return await prove(tx, me.services.ids, me.identity.session_id, now=me.now, factor=factor), ended


async def _after(me: Me, secret: str, ended: list[str], *, needs_codes: bool) -> Response[Any]:
    me.services.hub.end_streams_of_sessions(ended)
    response = await _new_codes(me) if needs_codes else Redirect("/me/security?said=added", status_code=303)
    set_session_cookie(me.request, response, secret)
    return response


async def _new_codes(me: Me) -> Response[Any]:
    """Ten codes, on a page that is shown once."""
    codes, salt = new_recovery_codes(me.services.ids), me.services.ids.random(16)
    hashes = [await me.services.passwords.fingerprint(plain_recovery_code(code), salt) for code in codes]
    async with me.services.control.write(me.identity.actor) as tx:
        await second_factor.store_recovery_codes(tx, me.id, hashes, salt)
        await notify(me.services, tx, me.id, "recovery_codes_made")
    return await me.page("me/recovery_codes.html", codes=codes, email=me.identity.email)


@post("/me/recovery-codes", opt=_SETUP, status_code=200, include_in_schema=False)
async def create_recovery_codes(request: AnyRequest) -> Response[Any]:
    me = Me(request)
    if not (await second_factor.factors_of(me.db, me.id)).any:
        raise Refused("Set up an app or a passkey first.", code="no_second_factor")
    return await _new_codes(me)


@post("/me/second-factor/app/removal", opt=_REMOVAL, include_in_schema=False)
async def delete_app(request: AnyRequest) -> Redirect:
    me = Me(request)
    async with me.services.control.write(me.identity.actor) as tx:
        await _may_go(me, tx, app=True)
        await second_factor.remove_app(tx, me.id)
        await notify(me.services, tx, me.id, "authenticator_removed")
        await _without_factors(me, tx)
    return Redirect("/me/security?said=removed", status_code=303)


async def _may_go(me: Me, tx: Transaction, *, app: bool) -> None:
    """Whether a factor may be removed. Raises Refused for the last one when it is needed."""
    factors = await second_factor.factors_of(tx, me.id)
    left = factors.passkeys if app else factors.passkeys - 1 + (factors.app_since is not None)
    if left > 0:
        return
    if await is_second_factor_needed(tx, me.id, operators=me.services.config.operators_need_second_factor):
        raise Refused("Your workspace asks for a second factor. Set up another one, then remove this.",
                      code="second_factor_needed")
    if not await stands_alone(tx, me.id):
        raise Refused("Your password is too short to be the only proof. Change it to one of 15 characters or more "
                      "first.", code="password_too_short")


async def _without_factors(me: Me, tx: Transaction) -> None:
    """Recovery codes stand in for a factor; without one they would only be ten more passwords."""
    if not (await second_factor.factors_of(tx, me.id)).any:
        await second_factor.forget_recovery_codes(tx, me.id)


@post("/me/passkeys/question", opt=_SETUP, status_code=200, include_in_schema=False)
async def create_new_passkey_question(request: AnyRequest) -> Response[Any]:
    me = Me(request)
    party = relying_party(me.services.config.public_url)
    if party is None:
        raise Forbidden("Passkeys need this installation's address over https.")
    key = challenges.of_session(challenges.NEW_PASSKEY, me.identity.session_id)
    async with me.services.control.ingest("passkey") as tx:
        question = await challenges.ask(tx, me.services.ids, key, challenges.NEW_PASSKEY, user_id=me.id, now=me.now)
    options = party.ask_new(question, user_id=me.id, email=me.identity.email, name=me.identity.actor.name,
                            known=await passkeys.credential_ids(me.db, me.id))
    return Response(options, headers={"Cache-Control": "no-store"})


@post("/me/passkeys", opt=_SETUP, include_in_schema=False)
async def create_passkey(request: AnyRequest) -> Response[Any]:
    me = Me(request)
    fields = await form_fields(request)
    party = relying_party(me.services.config.public_url)
    key = challenges.of_session(challenges.NEW_PASSKEY, me.identity.session_id)
    asked = await challenges.challenge(me.db, key, me.now)
    if party is None or asked is None or asked.question is None:
        raise BadPasskey("That took too long. Try again.")
    made = party.made(asked.question, fields.get("answer", ""))
    before = await second_factor.factors_of(me.db, me.id)
    name = fields.get("name", "").strip() or device_words(agent_of(request))
    async with me.services.control.write(me.identity.actor) as tx:
        if not await challenges.finish(tx, key):
            raise Conflict("This was finished in another window.")
        await passkeys.add(tx, me.id, made, name)
        await notify(me.services, tx, me.id, "passkey_added", name=name)
        secret, ended = await _added(me, tx, "passkey", first=not before.any)
    return await _after(me, secret, ended, needs_codes=before.recovery_left == 0)


@post("/me/passkeys/{passkey_id:str}", opt=OWN | SMALL, include_in_schema=False)
async def edit_passkey(request: AnyRequest, passkey_id: str) -> Redirect:
    me = Me(request)
    async with me.services.control.write(me.identity.actor) as tx:
        await passkeys.rename(tx, me.id, passkey_id, (await form_fields(request)).get("name", ""))
    return Redirect("/me/security?said=renamed", status_code=303)


@post("/me/passkeys/{passkey_id:str}/removal", opt=_REMOVAL, include_in_schema=False)
async def delete_passkey(request: AnyRequest, passkey_id: str) -> Redirect:
    me = Me(request)
    async with me.services.control.write(me.identity.actor) as tx:
        await _may_go(me, tx, app=False)
        await passkeys.remove(tx, me.id, passkey_id)
        await notify(me.services, tx, me.id, "passkey_removed")
        await _without_factors(me, tx)
    return Redirect("/me/security?said=removed", status_code=303)


ROUTES = [show_second_factor, create_app, show_app, create_app_confirmation, create_recovery_codes, delete_app,
          create_new_passkey_question, create_passkey, edit_passkey, delete_passkey]
