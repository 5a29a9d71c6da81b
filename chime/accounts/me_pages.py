"""`/me`: a person's own pages. Here the profile, and what the other pages of `/me` share."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from babel import Locale
from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime import resources
from chime.accounts import notices, queries
from chime.accounts.authority import member_actor
from chime.accounts.model import User, check_name
from chime.errors import ChimeError, Invalid, NotSignedIn
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.identity import Identity
from chime.web.language import catalogue
from chime.web.services import Services
from chime.workspaces import WorkspaceRecord

OWN: dict[str, Any] = {"permission": Permission.SESSION}
SMALL: dict[str, Any] = {"small": True}
# Reached also by who has to set up a second factor before anything else.
ENROLMENT: dict[str, Any] = {"enrolment": True}
FRESH: dict[str, Any] = {"step_up": True}
# English needs no catalogue; its kinds differ in how days and hours are written.
_ENGLISH = ("en", "en_GB", "en_IN", "en_AU")


class Me:
    """One request of a person about themselves."""

    def __init__(self, request: Request[Any, Any, Any]) -> None:
        self.request = request
        self.services = Services.of(request)
        self.identity: Identity = request.scope["state"]["identity"]

    @property
    def db(self) -> Any:
        return self.services.control.db

    @property
    def id(self) -> str:
        return self.identity.actor.id or ""

    @property
    def now(self) -> int:
        """The machine's time: nothing of an account follows a clock that a demo moves."""
        return self.services.clock.real_now()

    async def user(self) -> User:
        """Raises NotSignedIn for somebody removed a moment ago."""
        found = await queries.user(self.db, self.id)
        if found is None:
            raise NotSignedIn("Sign in to go on.")
        return found

    def words(self, text: str) -> str:
        return catalogue(self.identity.locale).gettext(text) if text else text

    def problems(self, error: ChimeError) -> dict[str, str]:
        """What is wrong, by field; what belongs to no field under the empty name."""
        if isinstance(error, Invalid):
            return {problem.field: self.words(problem.message) for problem in error.errors}
        return {"": self.words(error.said)}

    async def page(self, name: str, *, status: int = 200, **values: Any) -> Response[bytes]:
        unseen = await notices.unseen(self.db, self.id)
        return self.services.pages.answer(self.request, name, status=status, unseen_notices=unseen,
                                          said=self.request.query_params.get("said", ""), **values)


@get("/me", opt=OWN, include_in_schema=False)
async def show_profile(request: Request[Any, Any, Any]) -> Response[bytes]:
    me = Me(request)
    user = await me.user()
    return await _profile(me, {"name": user.name, "locale": user.locale, "time_zone": user.time_zone}, user.email)


async def _profile(me: Me, values: dict[str, str], email: str, *, errors: dict[str, str] | None = None,
                   status: int = 200) -> Response[bytes]:
    zones = [(zone, zone.replace("_", " ")) for zone in sorted(available_timezones()) if _is_place(zone)]
    return await me.page("me/profile.html", status=status, values=values, email=email, errors=errors or {},
                         languages=[(name, _language(name)) for name in _languages()],
                         user_id=me.id, replies_in=await _replies_in(me),
                         zones=[("", me.words("As the workspace or this device")), *zones])


async def _replies_in(me: Me) -> list[WorkspaceRecord]:
    """The workspaces in which they may reply, and so have hours."""
    found = []
    for one in await queries.workspaces_of(me.db, me.id):
        actor = await member_actor(me.db, one.id, me.id)
        if actor is not None and actor.may(Permission.INBOX_REPLY):
            found.append(one)
    return found


def _languages() -> list[str]:
    return [*_ENGLISH, *sorted(name.removesuffix(".mo") for name in resources.catalogue_files())]


def _language(name: str) -> str:
    """A language as its own speakers write it."""
    return (Locale.parse(name).get_display_name() or name).capitalize()


def _is_place(zone: str) -> bool:
    return zone == "UTC" or zone.partition("/")[0] in ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic",
                                                       "Australia", "Europe", "Indian", "Pacific")


@post("/me", opt=OWN | SMALL, include_in_schema=False)
async def edit_profile(request: Request[Any, Any, Any]) -> Response[Any]:
    me = Me(request)
    fields = await form_fields(request)
    values = {name: fields.get(name, "").strip() for name in ("name", "locale", "time_zone")}
    user = await me.user()
    problems: list[tuple[str, str]] = []
    try:
        values["name"] = check_name(values["name"])
    except Invalid as error:
        problems += [(problem.field, problem.message) for problem in error.errors]
    if values["locale"] not in _languages():
        problems.append(("locale", "Choose one of the languages."))
    if values["time_zone"] and values["time_zone"] not in available_timezones():
        problems.append(("time_zone", "Choose one of the time zones."))
    if problems:
        return await _profile(me, values, user.email, errors=me.problems(Invalid(problems)), status=422)
    async with me.services.control.write(me.identity.actor) as tx:
        await tx.execute("UPDATE user SET name = ?, locale = ?, time_zone = ? WHERE id = ?", values["name"],
                         values["locale"], values["time_zone"], me.id)
        await tx.audit("profile.changed", "user", me.id, locale=values["locale"], time_zone=values["time_zone"],
                       renamed=values["name"] != user.name)
    return Redirect("/me?said=saved", status_code=303)


ROUTES = [show_profile, edit_profile]
