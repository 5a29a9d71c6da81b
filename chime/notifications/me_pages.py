"""`/me/notifications`: what somebody is told of and how, and the browsers that are rung for them."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

import msgspec
from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime import accounts
from chime.errors import Conflict, Invalid, NotFound
from chime.notifications import devices, forms
from chime.notifications.choices import choices, choose
from chime.notifications.forms import Typed
from chime.notifications.model import Digest, Sound, Way
from chime.notifications.pushing import Message, checked, ring
from chime.notifications.words import kind_words
from chime.security.addresses import NotAllowed, Place
from chime.security.limits import rate
from chime.security.permissions import Permission
from chime.security.web_push import NotAKey
from chime.web.forms import form_fields, form_lists
from chime.web.identity import Identity
from chime.web.language import catalogue, locale
from chime.web.services import Services

OWN: dict[str, Any] = {"permission": Permission.SESSION}
SMALL: dict[str, Any] = {"small": True}
TEST = {"rate": rate("push-test", (5, 60), (20, 3_600))}
AnyRequest = Request[Any, Any, Any]


class _Me:
    """One request of a person about themselves."""

    def __init__(self, request: AnyRequest) -> None:
        self.request = request
        self.services = Services.of(request)
        self.identity: Identity = request.scope["state"]["identity"]
        self.id = self.identity.actor.id or ""
        self.db = self.services.control.db
        self.now = self.services.clock.now()

    def words(self, text: str) -> str:
        return catalogue(self.identity.locale).gettext(text) if text else text

    async def page(self, form: Typed, *, errors: dict[str, str] | None = None, status: int = 200) -> Response[bytes]:
        places = [name for name in sorted(available_timezones()) if "/" in name and not name.startswith("Etc/")]
        found = [{"id": one.id, "device": accounts.device_words(one.agent), "handheld": accounts.is_handheld(one.agent),
                  "service": one.service, "since": one.created_at, "seen_at": one.seen_at,
                  "here": one.session_id == self.identity.session_id}
                 for one in await devices.devices(self.db, self.id, self.now)]
        return self.services.pages.answer(
            self.request, "me/notifications.html", status=status, form=form, errors=errors or {}, devices=found,
            kinds=kind_words(self.words), ways=[way.value for way in Way], sounds=[sound.value for sound in Sound],
            digests=[digest.value for digest in Digest], days=_weekdays(self.identity.locale),
            zones=[("", self.words("As in your profile")), ("UTC", "UTC"),
                   *((name, name.replace("_", " ")) for name in places)],
            mails=self.services.mailer.configured, said=self.request.query_params.get("said", ""),
            unseen_notices=await accounts.unseen_notices(self.db, self.id))


def _weekdays(language: str) -> list[tuple[str, str]]:
    names = locale(language).days["format"]["wide"]
    return [(str(day), str(names[day])) for day in range(7)]


@get("/me/notifications", opt=OWN, include_in_schema=False)
async def show_choices(request: AnyRequest) -> Response[bytes]:
    me = _Me(request)
    return await me.page(Typed.of(await choices(me.db, me.id)))


@post("/me/notifications", opt=OWN | SMALL, include_in_schema=False)
async def edit_choices(request: AnyRequest) -> Response[Any]:
    me = _Me(request)
    form = forms.typed(await form_fields(request), await form_lists(request, "way", "quiet_day"))
    try:
        wanted = forms.meant(form)
    except Invalid as error:
        return await me.page(form, status=422, errors={problem.field: me.words(problem.message)
                                                       for problem in error.errors})
    async with me.services.control.write(me.identity.actor) as tx:
        await choose(tx, me.id, wanted)
    return Redirect("/me/notifications?said=saved", status_code=303)


@post("/me/push/key", opt=OWN | SMALL, status_code=200, include_in_schema=False)
async def create_push_key(request: AnyRequest) -> Response[bytes]:
    """The key a browser subscribes with; made when nobody asked before."""
    me = _Me(request)
    found = await devices.own_key(me.services.control)
    if found is None:
        async with me.services.control.write(me.identity.actor) as tx:
            found = await devices.make_key(tx, me.services.control)
    return _json({"key": found.public})


@post("/me/push", opt=OWN | SMALL, status_code=200, include_in_schema=False)
async def create_push_device(request: AnyRequest) -> Response[bytes]:
    """This browser is rung for this person from now on; said again by each visit, so that a new session keeps it."""
    me = _Me(request)
    fields = await form_fields(request)
    allowed = frozenset(Place(*place) for place in me.services.config.egress_allow)
    where, service = checked(fields.get("endpoint", ""), fields.get("key", ""), fields.get("auth", ""), allowed)
    async with me.services.control.write(me.identity.actor) as tx:
        device_id = await devices.subscribe(tx, me.services.control, me.id, where, session_id=me.identity.session_id,
                                            service=service, agent=request.headers.get("user-agent", ""), now=me.now)
    return _json({"id": device_id})


@post("/me/push/{device_id:str}/removal", opt=OWN | SMALL, status_code=303, include_in_schema=False)
async def delete_push_device(request: AnyRequest, device_id: str) -> Redirect:
    me = _Me(request)
    async with me.services.control.write(me.identity.actor) as tx:
        await devices.remove(tx, me.id, device_id)
    return Redirect("/me/notifications?said=removed", status_code=303)


@post("/me/push/{device_id:str}/test", opt=OWN | SMALL | TEST, status_code=303, include_in_schema=False)
async def create_push_test(request: AnyRequest, device_id: str) -> Redirect:
    """Ring it now, and say what its push service answered. Raises NotFound, Conflict."""
    me = _Me(request)
    where = await devices.address(me.services.control, device_id, me.id)
    if where is None:
        raise NotFound("This device gets no messages any more.")
    message = Message(title=me.words("Chime reaches this device"), body=me.words("Messages for you arrive here."),
                      url="/me/notifications", tag="test", count=0)
    try:
        status, _ = await ring(me.services.control, me.services.egress, where, message.encoded(), topic="test",
                               urgent=True, subject=me.services.mailer.contact, now=me.services.clock.real_now())
    except (NotAKey, NotAllowed) as error:
        raise Conflict("This device cannot be reached. Remove it and turn push on there again.") from error
    said = "tested" if 200 <= status < 300 else "gone" if status in (404, 410) else "untested"
    return Redirect(f"/me/notifications?said={said}", status_code=303)


def _json(found: dict[str, str]) -> Response[bytes]:
    return Response(msgspec.json.encode(found), media_type="application/json", headers={"Cache-Control": "no-store"})


ROUTES = [show_choices, edit_choices, create_push_key, create_push_device, delete_push_device, create_push_test]
