"""`/me/confirm`: showing once more that it is oneself, before a marked action. And the one way every page checks it.

Who has a second factor shows that, anybody else the password. Wrong ones are counted as guesses at a password are, so
a stolen session is no place to guess in peace. After the proof the cookie is another one.
"""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime.accounts import challenges, passkeys, second_factor
from chime.accounts.entry_pages import set_session_cookie
from chime.accounts.me_pages import ENROLMENT, OWN, SMALL, Me
from chime.accounts.notify import notify
from chime.accounts.sessions import prove
from chime.accounts.sign_in_pages import too_many
from chime.errors import Forbidden, Invalid, TooMany
from chime.security.passkeys import BadPasskey, relying_party
from chime.security.second_factor import plain_recovery_code
from chime.web.forms import form_fields, read_form
from chime.web.own_path import own_path
from chime.web.step_up import carried_again, confirmation
from chime.web.throttle import Mark

AnyRequest = Request[Any, Any, Any]
_CONFIRM = OWN | SMALL | ENROLMENT


def proof_mark(me: Me) -> Mark:
    return Mark("proof", me.id)


@get("/me/confirm", opt=_CONFIRM, include_in_schema=False)
async def new_proof(request: AnyRequest) -> Response[bytes]:
    return confirmation(request, where=own_path(request.query_params.get("next", "")), carried=None)


@post("/me/confirm", opt=_CONFIRM, include_in_schema=False)
async def create_proof(request: AnyRequest) -> Response[Any]:
    """Right: on to where they wanted, or the carried form goes its way. Wrong: asked again, the form still there."""
    me = Me(request)
    fields = await form_fields(request)
    where, carried = own_path(fields.get("next", "")), carried_again(await read_form(request))
    try:
        factor = await shown_factor(me, fields)
    except (Invalid, BadPasskey, TooMany) as error:
        told = {"": too_many(error)} if isinstance(error, TooMany) else me.problems(error)
        return confirmation(request, where=where, carried=carried, errors=told,
                            status=429 if isinstance(error, TooMany) else 422)
    async with me.services.control.write(me.identity.actor) as tx:
        secret = await prove(tx, me.services.ids, me.identity.session_id, now=me.now, factor=factor)
    response: Response[Any] = (me.services.pages.answer(request, "accounts/confirmed.html", carried=carried)
                               if carried else Redirect(where, status_code=303))
    set_session_cookie(request, response, secret)
    return response


@post("/me/confirm/question", opt=_CONFIRM, status_code=200, include_in_schema=False)
async def create_proof_question(request: AnyRequest) -> Response[Any]:
    """What the person's passkeys are asked."""
    me = Me(request)
    party = relying_party(me.services.config.public_url)
    known = await passkeys.credential_ids(me.db, me.id)
    if party is None or not known:
        raise Forbidden("There is no passkey to ask.")
    key = challenges.of_session(challenges.CONFIRM, me.identity.session_id)
    async with me.services.control.ingest("proof") as tx:
        question = await challenges.ask(tx, me.services.ids, key, challenges.CONFIRM, user_id=me.id, now=me.now)
    return Response(party.ask(question, known), headers={"Cache-Control": "no-store"})


async def shown_factor(me: Me, fields: dict[str, str]) -> str:
    """What was shown, if it was right: password, totp, recovery or passkey. Raises Invalid, BadPasskey, TooMany."""
    await me.services.throttle.begin(proof_mark(me))
    factor = await _shown(me, fields)
    await me.services.throttle.clear(proof_mark(me))
    return factor


async def _shown(me: Me, fields: dict[str, str]) -> str:
    if not me.identity.second_factors:
        user = await me.user()
        if not await me.services.passwords.verify(fields.get("password", ""), user.password_hash):
            raise Invalid.field("password", "This is not your password.")
        return "password"
    if fields.get("answer"):
        await _check_passkey(me, fields["answer"])
        return "passkey"
    return await _code(me, fields.get("code", "")[:60])


async def _code(me: Me, typed: str) -> str:
    """Of the app, or one of the recovery codes, which are longer."""
    recovery, hashed = plain_recovery_code(typed), b""
    is_recovery = len(recovery) > 10
    if is_recovery:
        salt = await second_factor.recovery_salt(me.db, me.id)
        hashed = await me.services.passwords.fingerprint(recovery, salt or b"no codes of any person")
    async with me.services.control.write(me.identity.actor) as tx:
        if is_recovery:
            right = await second_factor.use_recovery_code(tx, me.id, hashed, me.now)
            if right:
                await notify(me.services, tx, me.id, "recovery_code_used")
        else:
            right = await second_factor.use_code(tx, me.services.control.vault, me.id, typed, me.now)
        await tx.audit("second_factor.shown" if right else "second_factor.refused", "user", me.id)
    if not right:
        raise Invalid.field("code", "This code is not right, or it was used already.")
    return "recovery" if is_recovery else "totp"


async def _check_passkey(me: Me, answer: str) -> None:
    party = relying_party(me.services.config.public_url)
    key = challenges.of_session(challenges.CONFIRM, me.identity.session_id)
    asked = await challenges.challenge(me.db, key, me.now)
    if party is None or asked is None or asked.question is None:
        raise BadPasskey("That took too long. Try again.")
    claimed = party.claimed(answer)
    stored = await passkeys.passkey_of_credential(me.db, claimed.credential_id)
    if stored is None or stored.user_id != me.id:
        raise BadPasskey("This passkey is not known here.")
    party.check(asked.question, answer, stored.credential)
    async with me.services.control.write(me.identity.actor) as tx:
        right = await challenges.finish(tx, key) and await passkeys.use(tx, stored.id, claimed.sign_count, me.now)
        await tx.audit("passkey.used" if right else "passkey.refused", "user", me.id, passkey_id=stored.id)
    if not right:
        raise BadPasskey("The passkey was not accepted. Try again.")


ROUTES = [new_proof, create_proof, create_proof_question]
