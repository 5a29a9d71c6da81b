"""`/security`: what holds here, what proves it, what is not claimed. Anybody may read it; operators see more."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request, get, post
from litestar.response import Redirect, Response

from chime.security.permissions import Permission
from chime.trust import asvs
from chime.trust.claims import GROUPS, NOT_CLAIMED, claims
from chime.trust.ground import Ground
from chime.trust.model import Finding, Route, State
from chime.trust.public_routes import PUBLIC
from chime.trust.runner import STALE_AFTER, Trust, findings
from chime.web.identity import Identity
from chime.web.outside import META, hosts
from chime.web.services import Services

AnyRequest = Request[Any, Any, Any]
_PUBLIC = {"public": True}
CONTACT_FILE = "/.well-known/security.txt"
# Seconds for which an operator waits for the answer of a run they asked for.
LONGEST_WAIT = 30.0


def trust_of(services: Services, app: Litestar) -> Trust:
    """The self-checks of this application; it asks itself from inside."""
    return Trust(Ground(config=services.config, control=services.control, registry=services.registry,
                        clock=services.clock, app=app, routes=_routes(app), limiter=services.limiter,
                        egress=services.egress))


def _routes(app: Litestar) -> tuple[Route, ...]:
    """Every address with its methods, as it is served; what answers OPTIONS by itself is left out."""
    found = []
    for route in app.routes:
        for handler in getattr(route, "route_handlers", None) or [getattr(route, "route_handler", None)]:
            methods = tuple(sorted(str(getattr(method, "value", method))
                                   for method in getattr(handler, "http_methods", ())))
            if handler is None or methods == ("OPTIONS",):
                continue
            permission = handler.opt.get("permission")
            found.append(Route(path=_plain(route.path), methods=methods, handler=handler.handler_name,
                               permission=permission.value if isinstance(permission, Permission) else "",
                               is_public=handler.opt.get("public") is True))
    return tuple(found)


def _plain(path: str) -> str:
    """`/w/{slug:str}` as `/w/{slug}`."""
    return "/".join(part.partition(":")[0] + "}" if part.startswith("{") and ":" in part else part
                    for part in path.split("/"))


async def _reader(request: AnyRequest) -> Identity | None:
    """Whoever is signed in; the page needs nobody to be."""
    identity = await Services.of(request).by_session(Services.of(request), request)
    if identity is not None and not identity.must_enrol:
        request.scope["state"]["identity"] = identity
        return identity
    return None


@get("/security", opt=_PUBLIC, include_in_schema=False)
async def show_trust(request: AnyRequest) -> Response[bytes]:
    services, reader = Services.of(request), await _reader(request)
    trust: Trust = request.app.state.trust
    found, now = await findings(services.control), services.clock.real_now()
    contact = services.config.security_contact
    operates = reader is not None and reader.actor.may(Permission.INSTALLATION)
    return services.pages.answer(
        request, "trust/index.html", groups=GROUPS, found=found, now=now, stale_after=STALE_AFTER,
        summary=_summary(found, now), not_claimed=NOT_CLAIMED, contact=contact,
        contact_file=CONTACT_FILE, standard=asvs.STANDARD,
        contact_link=contact if ":" in contact else f"mailto:{contact}", reader=reader, operates=operates,
        hosts=hosts(services.config), meta=META, counts=asvs.counts(), running=trust.is_running,
        public=PUBLIC if operates else {}, said=request.query_params.get("said", ""))


def _summary(found: dict[str, Finding], now: int) -> dict[str, Any]:
    """In a word: broken if one claim is, else unproved while something was not looked at lately, else it holds."""
    asked = {claim.check for claim in claims()}
    looked = [found[name] for name in asked if name in found]
    broken = sum(one.state is State.BROKEN for one in looked)
    oldest = min((one.at for one in looked), default=None)
    is_fresh = len(looked) == len(asked) and oldest is not None and now - oldest <= STALE_AFTER
    return {"state": "broken" if broken else "holds" if is_fresh else "unknown", "broken": broken, "all": len(asked),
            "holds": sum(one.state is State.HOLDS for one in looked),
            "skipped": sum(one.state is State.SKIPPED for one in looked),
            "at": max((one.at for one in looked), default=None)}


@get("/security/asvs", opt=_PUBLIC, include_in_schema=False)
async def show_asvs(request: AnyRequest) -> Response[bytes]:
    """OWASP ASVS 5.0, levels 1 and 2, requirement by requirement."""
    reader = await _reader(request)
    wanted = request.query_params.get("state", "")
    chapters = [(chapter, [one for one in requirements if not wanted or one.state == wanted])
                for chapter, requirements in asvs.by_chapter()]
    return Services.of(request).pages.answer(
        request, "trust/asvs.html", reader=reader, counts=asvs.counts(), wanted=wanted,
        standard=asvs.STANDARD,
        chapters=[(chapter, listed) for chapter, listed in chapters if listed])


@post("/security/checks", opt={"permission": Permission.INSTALLATION}, status_code=303, include_in_schema=False)
async def create_check_run(request: AnyRequest) -> Response[Any]:
    """Look now. Whoever does not want to wait for a long look comes back to it."""
    trust: Trust = request.app.state.trust
    done = await trust.look_now(LONGEST_WAIT)
    return Redirect(f"/security?said={'looked' if done else 'running'}", status_code=303)


ROUTES = [show_trust, show_asvs, create_check_run]
