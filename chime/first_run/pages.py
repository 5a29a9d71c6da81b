"""The steps of the wizard. Each keeps what was typed, names the field that is wrong, and leads to the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime import accounts, resources
from chime.accounts import cookie_name
from chime.channels import NewChannel, check_form, try_app_secret, try_token
from chime.errors import ChimeError, Conflict, Invalid
from chime.first_run.address_pages import fixed_outside
from chime.first_run.checks import Finding, look_back, send_test_mail, settings_of
from chime.first_run.desk import Desk
from chime.first_run.door_pages import cookie_of
from chime.first_run.forms import address_values, choice_of_languages, owner_form, place_form
from chime.first_run.model import STEPS, Owner
from chime.log import Log
from chime.security.vault import Secret
from chime.web.forms import form_fields
from chime.web.language import catalogue
from chime.web.proxies import client_address

AnyRequest = Request[Any, Any, Any]
NUMBER_FIELDS = ("display_phone", "phone_number_id", "waba_id", "app_id")
NUMBER_SECRETS = ("access_token", "app_secret", "verify_token")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_log = Log("first_run")


def _page(request: AnyRequest, step: str, *, status: int = 200, errors: dict[str, str] | None = None,
          **values: Any) -> Response[bytes]:
    desk = Desk.of(request)
    return desk.pages.answer(request, f"first_run/{step}.html", status=status, step=step, steps=STEPS,
                             draft=desk.draft, errors=errors or {}, **values)


def _problems(request: AnyRequest, error: ChimeError) -> dict[str, str]:
    words: Callable[[str], str] = catalogue(request.scope["state"]["identity"].locale).gettext
    if isinstance(error, Invalid):
        return {one.field: words(one.message) for one in error.errors}
    return {"": words(error.said)}


def _next(desk: Desk, step: str) -> Response[Any]:
    desk.draft.passed.add(step)
    return Redirect(f"/setup/{STEPS[STEPS.index(step) + 1]}", status_code=303)


def _too_early(desk: Desk, step: str) -> bool:
    return not desk.draft.may_open(step)


@get("/setup/owner", include_in_schema=False)
async def show_owner(request: AnyRequest) -> Response[bytes]:
    owner = Desk.of(request).draft.owner
    zone = request.cookies.get("zone", "")
    values = {"locale": request.scope["state"]["identity"].locale,
              "time_zone": zone if zone in accounts.time_zones() else "UTC"}
    if owner is not None:
        values = {"name": owner.name, "email": owner.email, "workspace": owner.workspace,
                  "time_zone": owner.time_zone, "locale": owner.locale}
    return _owner(request, values)


def _owner(request: AnyRequest, values: dict[str, str], *, status: int = 200, errors: dict[str, str] | None = None
           ) -> Response[bytes]:
    return _page(request, "owner", status=status, errors=errors, values=values, languages=choice_of_languages(),
                 zones=[(zone, zone.replace("_", " ")) for zone in accounts.time_zones()])


@post("/setup/owner", include_in_schema=False, status_code=303)
async def create_owner(request: AnyRequest) -> Response[Any]:
    desk, fields = Desk.of(request), await form_fields(request)
    try:
        desk.draft.owner = owner_form(fields, desk.draft.owner)
    except Invalid as error:
        return _owner(request, fields, status=422, errors=_problems(request, error))
    return _next(desk, "owner")


def _is_private(request: AnyRequest) -> bool:
    """Whether nobody between the browser and us reads along. Browsers send Sec-Fetch headers over https and to their
    own machine only, which tells where a proxy we do not believe yet cannot."""
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    return request.scope["scheme"] == "https" or host in _LOOPBACK or "sec-fetch-site" in request.headers


@get("/setup/key", include_in_schema=False)
async def show_key(request: AnyRequest) -> Response[Any]:
    desk = Desk.of(request)
    return Redirect("/setup/owner", status_code=303) if _too_early(desk, "key") else _key(request)


def _key(request: AnyRequest, *, status: int = 200, errors: dict[str, str] | None = None) -> Response[bytes]:
    """The sheet itself until somebody said that they have it; never over plain http."""
    desk, is_private = Desk.of(request), _is_private(request)
    is_shown = is_private and not desk.draft.key_is_kept
    desk.draft.key_seen = desk.draft.key_seen or is_shown
    return _page(request, "key", status=status, errors=errors, is_private=is_private,
                 sheet=desk.sheet() if is_shown else "")


@get("/setup/key/sheet", include_in_schema=False)
async def show_key_sheet(request: AnyRequest) -> Response[Any]:
    """The sheet as a file, on the same conditions."""
    desk = Desk.of(request)
    if _too_early(desk, "key") or desk.draft.key_is_kept or not _is_private(request):
        return Redirect("/setup/key", status_code=303)
    return Response(desk.sheet().encode(), media_type="text/plain", headers={
        "Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="chime-recovery-sheet.txt"'})


@post("/setup/key", include_in_schema=False, status_code=303)
async def create_key_confirmation(request: AnyRequest) -> Response[Any]:
    """Whoever typed a part of the sheet back has it in front of them."""
    desk, fields = Desk.of(request), await form_fields(request)
    if _too_early(desk, "key"):
        return Redirect("/setup/owner", status_code=303)
    if fields.get("do") != "later" and not desk.draft.key_is_kept:
        typed = "".join(fields.get("check", "").split())
        if not typed or typed != _asked_for(desk.sheet()):
            wrong = Invalid.field("check", "This is not what stands there. Look at the third line of the key, and mind "
                                           "capitals.")
            return _key(request, status=422, errors=_problems(request, wrong))
        desk.draft.key_is_kept = True
    return _next(desk, "key")


def _asked_for(sheet: str) -> str:
    """The first group of the third line of the key."""
    lines = [line for line in sheet.splitlines() if line.startswith("    ") and line.rstrip().endswith("]")]
    return lines[2].split()[0]


@get("/setup/address", include_in_schema=False)
async def show_address(request: AnyRequest) -> Response[Any]:
    desk = Desk.of(request)
    if _too_early(desk, "address"):
        return Redirect("/setup/owner", status_code=303)
    return _address(request, address_values(desk.draft))


def _address(request: AnyRequest, values: dict[str, str], *, status: int = 200, errors: dict[str, str] | None = None,
             found: dict[str, Finding] | None = None) -> Response[bytes]:
    config = Desk.of(request).config
    return _page(request, "address", status=status, errors=errors, values=values, found=found or {},
                 fixed=fixed_outside(config), bind=f"{config.bind_host}:{config.bind_port}")


@post("/setup/address", include_in_schema=False, status_code=303)
async def create_address(request: AnyRequest) -> Response[Any]:
    """Take it, try it, or go on without."""
    desk, fields = Desk.of(request), await form_fields(request)
    if _too_early(desk, "address"):
        return Redirect("/setup/owner", status_code=303)
    if fields.get("do") == "skip":
        return _next(desk, "address")
    before = desk.draft.place, desk.draft.mails
    try:
        desk.draft.place, desk.draft.mails = place_form(fields, desk.draft.mails)
        config = settings_of(desk.config, desk.draft)
        found = {}
        if fields.get("do") == "look":
            found["look"] = await look_back(desk, config)
        elif fields.get("do") == "mail" and desk.draft.owner is not None:
            found["mail"] = await send_test_mail(desk, config, desk.draft.owner.email)
        else:
            return _next(desk, "address")
    except Invalid as error:
        desk.draft.place, desk.draft.mails = before
        return _address(request, fields, status=422, errors=_problems(request, error))
    return _address(request, address_values(desk.draft), found=found)


@get("/setup/whatsapp", include_in_schema=False)
async def show_whatsapp(request: AnyRequest) -> Response[Any]:
    desk = Desk.of(request)
    if _too_early(desk, "whatsapp"):
        return Redirect("/setup/owner", status_code=303)
    number = desk.draft.number
    values = {name: getattr(number, name) for name in NUMBER_FIELDS} if number else {}
    return _page(request, "whatsapp", values=values)


@post("/setup/whatsapp", include_in_schema=False, status_code=303)
async def create_whatsapp(request: AnyRequest) -> Response[Any]:
    """The same form as `chime channel add`; Meta is asked before it is taken."""
    desk, fields = Desk.of(request), await form_fields(request)
    if _too_early(desk, "whatsapp"):
        return Redirect("/setup/owner", status_code=303)
    if fields.get("do") in ("skip", "practise"):
        desk.draft.number, desk.draft.practises = None, fields["do"] == "practise"
        return _next(desk, "whatsapp")
    try:
        desk.draft.number, desk.draft.practises = await _number(desk, fields), False
    except Invalid as error:
        kept = {name: fields.get(name, "") for name in NUMBER_FIELDS}
        return _page(request, "whatsapp", status=422, errors=_problems(request, error), values=kept)
    return _next(desk, "whatsapp")


async def _number(desk: Desk, fields: dict[str, str]) -> NewChannel:
    """The number of the form, tried with Meta. A secret that was left empty is the one given before. Raises Invalid."""
    texts = {name: fields.get(name, "").strip() for name in (*NUMBER_FIELDS, *NUMBER_SECRETS)}
    for name in NUMBER_SECRETS:
        texts[name] = texts[name] or (desk.draft.number and getattr(desk.draft.number, name)) or ""
    new = NewChannel(**texts)
    problems = []
    try:
        check_form(new)
    except Invalid as error:
        problems += [(one.field, one.message) for one in error.errors]
    problems += [(name, "Needed the first time this Meta app is named.") for name in ("app_secret", "verify_token")
                 if not texts[name]]
    if problems:
        raise Invalid(problems)
    token, secret = Secret(new.access_token), Secret(texts["app_secret"])
    await try_app_secret(desk.graph, token, app_id=new.app_id, app_secret=secret)
    await try_token(desk.graph, token, phone_number_id=new.phone_number_id, waba_id=new.waba_id,
                    app_secret=secret.reveal().encode())
    return new


@get("/setup/finish", include_in_schema=False)
async def show_finish(request: AnyRequest) -> Response[Any]:
    desk = Desk.of(request)
    if _too_early(desk, "finish"):
        return Redirect("/setup/owner", status_code=303)
    return _finish(request, desk.draft.owner)


def _finish(request: AnyRequest, owner: Owner | None, *, status: int = 200, errors: dict[str, str] | None = None
            ) -> Response[bytes]:
    config = Desk.of(request).config
    named = dict(choice_of_languages())
    return _page(request, "finish", status=status, errors=errors, owner=owner, public_url=config.public_url,
                 has_mail=config.mail_server is not None, language=named.get(owner.locale, "") if owner else "",
                 languages_known=len(resources.catalogue_files()))


@post("/setup/finish", include_in_schema=False, status_code=303)
async def create_installation(request: AnyRequest) -> Response[Any]:
    """Everything at once, and once; from here on the appliance answers on the same port."""
    desk = Desk.of(request)
    if desk.draft.owner is None:
        return Redirect("/setup/owner", status_code=303)
    async with desk.finishing:
        if desk.done.is_set():
            return await _when_closed(desk, "/sign-in")
        try:
            begun = await desk.begin(desk.draft, (client_address(request), request.headers.get("user-agent", "")[:200]))
        except Conflict:
            # Somebody was faster at the shell: then it is theirs.
            desk.done.set()
            return await _when_closed(desk, "/sign-in?said=set-up")
        except ChimeError as error:
            return _finish(request, desk.draft.owner, status=422, errors=_problems(request, error))
        desk.done.set()
    _log.info("first_run.done")
    response = await _when_closed(desk, "/welcome")
    secure = request.scope["scheme"] == "https"
    response.set_cookie(cookie_name(request), begun.session, httponly=True, samesite="lax", path="/", secure=secure,
                        max_age=24 * 3600)
    response.set_cookie(cookie_of(request), "", httponly=True, samesite="strict", path="/", secure=secure, max_age=0)
    return response


async def _when_closed(desk: Desk, where: str) -> Response[Any]:
    """Send the browser there once the appliance will be who answers it, not we again."""
    with suppress(TimeoutError):
        async with asyncio.timeout(5):
            await desk.closed.wait()
    return Redirect(where, status_code=303)


ROUTES = [show_owner, create_owner, show_key, show_key_sheet, create_key_confirmation, show_address,
          create_address, show_whatsapp, create_whatsapp, show_finish, create_installation]
