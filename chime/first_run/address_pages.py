"""Public address and mail server after the first run: the same two questions, for the operators.

What is saved counts at once: the appliance is put together anew in its own process, with the new options in every room
that read them, while whoever calls waits in the line of the socket. What the environment or a file says counts for more
and is only shown.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime.config import Config
from chime.errors import Invalid, StartRefused
from chime.first_run.forms import place_form
from chime.first_run.model import SCHEMES, Mails, as_invalid
from chime.security.permissions import Permission
from chime.security.vault import Secret
from chime.web.forms import form_fields
from chime.web.identity import Identity
from chime.web.language import catalogue
from chime.web.services import Services
from chime.workspaces.kept_settings import KEPT, SOURCE, checked, keep, kept

AnyRequest = Request[Any, Any, Any]
PAGE = "/installation/address"
OPERATE = {"permission": Permission.INSTALLATION}
PROVEN = {"permission": Permission.INSTALLATION, "step_up": True}


def fixed_outside(config: Config) -> dict[str, str]:
    """What is set by something that counts for more than this page, with its value unless that is a secret."""
    return {one.option.name: "" if one.option.secret else one.value for one in config.settings
            if one.source not in ("default", SOURCE) and one.option.name in KEPT}


async def _kept(services: Services) -> tuple[dict[str, str], Mails]:
    """What was saved last: it may be newer than what this process started with."""
    found = await kept(services.control.db, services.control.keys)
    server = checked(found).mail_server
    if server is None:
        return found, Mails()
    return found, Mails(host=server.host, security=server.security, user=server.user,
                        port="" if str(server.port) == SCHEMES[server.security][1] else str(server.port),
                        password=Secret(server.password) if server.password else None,
                        sender=found.get("mail_from", ""))


async def _page(request: AnyRequest, *, status: int = 200, values: dict[str, str] | None = None,
                errors: dict[str, str] | None = None) -> Response[bytes]:
    services = Services.of(request)
    found, mails = await _kept(services)
    shown = {"public_url": found.get("public_url", ""), "trusted_proxies": found.get("trusted_proxies", ""),
             "mail_host": mails.host, "mail_security": mails.security, "mail_port": mails.port,
             "mail_user": mails.user, "mail_from": mails.sender}
    config = services.config
    return services.pages.answer(
        request, "first_run/settings.html", status=status, values=shown if values is None else values,
        errors=errors or {}, fixed=fixed_outside(config), bind=f"{config.bind_host}:{config.bind_port}",
        held=mails.password is not None, said=request.query_params.get("said", ""),
        at_once=_begin_again(request) is not None)


def _begin_again(request: AnyRequest) -> Callable[[], Awaitable[None]] | None:
    """How the appliance that serves this request begins anew; None where nobody knows how, as in a demo."""
    found: Callable[[], Awaitable[None]] | None = getattr(request.app.state, "begin_again", None)
    return found


@get(PAGE, opt=OPERATE, include_in_schema=False)
async def show_address(request: AnyRequest) -> Response[bytes]:
    return await _page(request)


@post(PAGE, opt=PROVEN, include_in_schema=False, status_code=303)
async def edit_address(request: AnyRequest) -> Response[Any]:
    services, fields = Services.of(request), await form_fields(request)
    identity: Identity = request.scope["state"]["identity"]
    try:
        place, mails = place_form(fields, (await _kept(services))[1])
        values = {"public_url": place.public_url, "trusted_proxies": place.trusted_proxies, "smtp_url": mails.url(),
                  "mail_from": mails.sender}
        values = {name: value for name, value in values.items() if name not in fixed_outside(services.config)}
        async with services.control.write(identity.actor) as tx:
            await keep(tx, services.control.keys, values)
    except StartRefused as refused:
        return await _refused(request, fields, as_invalid(refused))
    except Invalid as error:
        return await _refused(request, fields, error)
    again = _begin_again(request)
    if again is None or not values:
        return Redirect(f"{PAGE}?said=saved", status_code=303)
    await again()
    # On a connection of its own, or the answer to what follows would still be ours.
    return Redirect(f"{PAGE}?said=counts", status_code=303, headers={"Connection": "close"})


async def _refused(request: AnyRequest, fields: dict[str, str], error: Invalid) -> Response[bytes]:
    words = catalogue(request.scope["state"]["identity"].locale).gettext
    return await _page(request, status=422, values=fields,
                       errors={one.field: words(one.message) for one in error.errors})


ROUTES = [show_address, edit_address]
