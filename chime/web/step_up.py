"""A fresh proof of identity before the marked actions, and a second factor before everything where it is asked for.

A form that met this question loses nothing that may be shown again: the page that asks carries its fields, and sends
the form on once the proof is given. Passwords, codes and secrets are left out; files cannot be carried. What a script
of the page asked for leads to the question and back to the page.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Request
from litestar.datastructures import FormMultiDict
from litestar.handlers import BaseRouteHandler
from litestar.response import Redirect, Response

from chime.clock import MINUTE
from chime.errors import ChimeError
from chime.security.permissions import Permission
from chime.web.identity import Identity
from chime.web.own_path import path_of
from chime.web.services import Services

PROOF_LASTS = 10 * MINUTE
ENROLMENT = "/me/second-factor"
_CONFIRM = "/me/confirm"
KEPT = "kept-"
# The names of what is typed and never shown. A short word counts at the end of a name only: a role's form has a
# `may-api_keys:edit`, and what is left out there is a permission lost.
_NOT_CARRIED = re.compile(r"password|passphrase|secret|token|(?:^|[_-])(?:code|key|answer|current|again|repeated)$",
                          re.IGNORECASE)
# Outside the matrix no grant says that an action is marked; there the route's word counts.
_OUTSIDE = frozenset({Permission.SESSION, Permission.INSTALLATION})
AnyRequest = Request[Any, Any, Any]


class ProofNeeded(ChimeError):
    """The action wants the person to show again that it is they."""

    status = 403
    title = "Confirm that it is you"


class SecondFactorNeeded(ChimeError):
    """The session's person must set up a second factor first."""

    status = 403
    title = "Set up a second factor first"


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """A form on its way through the question: where it goes, its fields, and whether something could not be kept."""

    to: str
    fields: tuple[tuple[str, str], ...]
    incomplete: bool = False


def need_second_factor(identity: Identity, handler: BaseRouteHandler) -> None:
    """Raises SecondFactorNeeded everywhere but where one is set up. A key of a script is no session."""
    if identity.must_enrol and not handler.opt.get("enrolment"):
        raise SecondFactorNeeded("Your workspace asks for a second factor. Set one up to go on.")


def need_proof(identity: Identity, handler: BaseRouteHandler, permission: Permission, now: int) -> None:
    """Raises ProofNeeded on a route with `step_up` when the grant says so and the last proof is not fresh."""
    if not handler.opt.get("step_up") or not identity.session_id:
        return
    marked = permission in _OUTSIDE or identity.actor.grant(permission).step_up
    if marked and not 0 <= now - identity.proved_at <= PROOF_LASTS:
        raise ProofNeeded("Confirm that it is you to go on.")


def answer(request: AnyRequest, error: ChimeError) -> Response[Any]:
    """What a browser gets for one of these: the way to the question, or the question with the form in it."""
    if isinstance(error, SecondFactorNeeded):
        return _lead(request, ENROLMENT)
    form = request.scope.get("state", {}).get("form")
    if request.method == "GET" or request.headers.get("hx-request") or not isinstance(form, FormMultiDict):
        return _lead(request, f"{_CONFIRM}?next={quote(_here(request), safe='')}")
    return confirmation(request, where=_came_from(request), carried=_carried(request, form), status=403)


def confirmation(request: AnyRequest, *, where: str, carried: Carried | None, errors: dict[str, str] | None = None,
                 status: int = 200) -> Response[bytes]:
    """The page that asks."""
    services = Services.of(request)
    identity: Identity = request.scope["state"]["identity"]
    return services.pages.answer(request, "accounts/confirm.html", status=status, where=where, carried=carried,
                                 errors=errors or {}, factors=identity.second_factors, kept=KEPT,
                                 in_demo=services.config.demo)


def carried_again(form: FormMultiDict) -> Carried | None:
    """The form that a question carried, from its answer: every value of a field, as each box that was ticked is one."""
    texts = [(name, value.replace("\0", "")) for name, value in form.multi_items() if isinstance(value, str)]
    to = path_of(dict(texts).get("to", ""))
    if to == "/":
        return None
    return Carried(to=to, fields=tuple((name.removeprefix(KEPT), value) for name, value in texts
                                       if name.startswith(KEPT)))


def _carried(request: AnyRequest, form: FormMultiDict) -> Carried:
    texts = [(name, value) for name, value in form.multi_items() if name != "csrf_token"]
    kept = tuple((name, value) for name, value in texts if isinstance(value, str) and not _NOT_CARRIED.search(name))
    return Carried(to=path_of(str(request.url)), fields=kept, incomplete=len(kept) < len(texts))


def _lead(request: AnyRequest, where: str) -> Response[Any]:
    if request.headers.get("hx-request"):
        return Response(b"", status_code=403, headers={"HX-Redirect": where, "Cache-Control": "no-store"})
    return Redirect(where, status_code=303)


def _here(request: AnyRequest) -> str:
    """The page a person is looking at."""
    if request.headers.get("hx-request"):
        return path_of(request.headers.get("hx-current-url", "/"))
    return path_of(str(request.url)) if request.method == "GET" else _came_from(request)


def _came_from(request: AnyRequest) -> str:
    return path_of(request.headers.get("referer", "/"))
