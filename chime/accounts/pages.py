"""Sign in, sign out, theme; and the way from `/` to somebody's workspace."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime.accounts import queries
from chime.accounts.actions import end_session, sign_in
from chime.accounts.authenticate import by_session, cookie_name
from chime.accounts.model import ABSOLUTE_LIMIT
from chime.clock import SECOND
from chime.errors import Invalid
from chime.security.limits import SIGN_IN_LIMITS
from chime.security.permissions import SYSTEM, Actor, Permission
from chime.web.forms import form_fields
from chime.web.identity import Identity
from chime.web.services import Services

AnyRequest = Request[Any, Any, Any]
DEMO_EMAIL = "demo@example.com"
DEMO_PASSWORD = "welcome to the chime demo"


@get("/", opt={"permission": Permission.SESSION}, include_in_schema=False)
async def show_home(request: AnyRequest) -> Redirect:
    """The first workspace of the person."""
    identity: Identity = request.scope["state"]["identity"]
    if not identity.workspaces:
        raise Invalid.field("workspace", "You are not a member of any workspace; ask an owner to invite you.")
    return Redirect(f"/w/{identity.workspaces[0].slug}/inbox", status_code=303)


@get("/w/{slug:str}", opt={"permission": Permission.INBOX_READ}, include_in_schema=False)
async def show_workspace(slug: str) -> Redirect:
    return Redirect(f"/w/{slug}/inbox", status_code=303)


@get("/sign-in", opt={"public": True}, include_in_schema=False)
async def new_session(request: AnyRequest) -> Response[Any]:
    services = Services.of(request)
    where = _next(request.query_params.get("next", ""))
    if await by_session(services, request) is not None:
        return Redirect(where, status_code=303)
    return _form(request, services, where)


def _form(request: AnyRequest, services: Services, where: str, *, errors: dict[str, str] | None = None,
          email: str = "", status: int = 200) -> Response[bytes]:
    hint = {"email": DEMO_EMAIL, "password": DEMO_PASSWORD} if services.config.demo else None
    return services.pages.answer(request, "accounts/sign_in.html", status=status, errors=errors or {},
                                 values={"email": email}, next=where, demo_hint=hint)


@post("/sign-in", opt={"public": True}, include_in_schema=False)
async def create_session(request: AnyRequest) -> Response[Any]:
    """Right: a session and on to where they wanted. Wrong: the same words whatever was wrong, the address kept."""
    services = Services.of(request)
    fields = await form_fields(request)
    email, password = fields.get("email", "").strip(), fields.get("password", "")
    where = _next(fields.get("next", ""))
    errors = {name: message for name, value, message in (
        ("email", email, "Enter your e-mail address."), ("password", password, "Enter your password.")) if not value}
    if errors:
        return _form(request, services, where, errors=errors, email=email, status=422)
    address = request.client.host if request.client else ""
    verdict = services.limiter.take(f"sign-in:{email.lower()}:{address}", SIGN_IN_LIMITS, services.clock.monotonic())
    if not verdict.allowed:
        seconds = int(verdict.retry_after) + 1
        return _form(request, services, where, errors={"": f"Too many attempts. Try again in {seconds} seconds."},
                     email=email, status=429)
    user = await queries.user_by_email(services.control.db, email)
    active = user is not None and user.disabled_at is None
    right = await services.passwords.verify(password, user.password_hash if user and active else None)
    if user is None or not right:
        async with services.control.write(SYSTEM) as tx:
            await tx.audit("session.refused", "user", user.id if user else "")
        return _form(request, services, where, email=email, status=422,
                     errors={"": "The e-mail address or the password is not right."})
    return await _begin(request, services, user.id, user.name, where, address)


async def _begin(request: AnyRequest, services: Services, user_id: str, name: str, where: str,
                 address: str) -> Response[Any]:
    async with services.control.write(Actor(kind="user", id=user_id, name=name)) as tx:
        session = await sign_in(tx, services.ids, user_id=user_id, address=address,
                                agent=request.headers.get("user-agent", ""), now=services.clock.real_now())
    response = Redirect(where, status_code=303)
    response.set_cookie(cookie_name(request), session.secret, httponly=True, samesite="lax", path="/",
                        secure=request.scope["scheme"] == "https", max_age=ABSOLUTE_LIMIT // SECOND)
    return response


def _next(text: str) -> str:
    """Only a path of our own: a link must not be able to send people elsewhere after signing in."""
    try:
        parts = urlsplit(text)
    except ValueError:  # brackets that hold no address
        return "/"
    # What browsers drop from an address (tabs, line breaks) or read as a slash has no place in a path of ours.
    ours = text.startswith("/") and not text.startswith("//") and not parts.netloc and not parts.scheme
    return text if ours and text.isprintable() and "\\" not in text else "/"


@post("/sign-out", opt={"permission": Permission.SESSION, "small": True}, include_in_schema=False)
async def delete_session(request: AnyRequest) -> Redirect:
    services = Services.of(request)
    identity: Identity = request.scope["state"]["identity"]
    async with services.control.write(identity.actor) as tx:
        await end_session(tx, identity.session_id)
    if identity.actor.id:
        services.hub.end_streams_of(identity.actor.id)
    response = Redirect("/sign-in", status_code=303)
    # Not delete_cookie: a browser ignores a `__Host-` cookie that is not Secure, and would keep the old one.
    response.set_cookie(cookie_name(request), "", httponly=True, samesite="lax", path="/",
                        secure=request.scope["scheme"] == "https", max_age=0)
    return response


def _path(address: str) -> str:
    try:
        return urlsplit(address).path
    except ValueError:
        return "/"


@post("/preferences/theme", opt={"permission": Permission.SESSION, "small": True}, include_in_schema=False)
async def edit_theme(request: AnyRequest) -> Response[Any]:
    """Kept in a cookie of this browser, so that the server can draw the right colours at once."""
    theme = (await form_fields(request)).get("theme", "")
    if theme not in ("light", "dark", "system"):
        raise Invalid.field("theme", "Choose light, dark or system.")
    plain = request.headers.get("hx-request") is None
    response: Response[Any] = (Redirect(_next(_path(request.headers.get("referer", "/"))), status_code=303)
                               if plain else Response(b"", status_code=204))
    response.set_cookie("theme", theme, samesite="lax", path="/", max_age=31_536_000)
    return response


ROUTES = [show_home, show_workspace, new_session, create_session, delete_session, edit_theme]
