"""What a caller is told when something fails: a page, a fragment, or a problem document, always with a reference.

Nothing that was not said on purpose (`ChimeError`) reaches a caller: an unexpected exception is logged with its place
and told as "went wrong" with the reference to find it by.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException
from litestar.response import Redirect, Response

from chime.errors import ChimeError, Invalid, NotSignedIn, Refused, TooMany, Unavailable
from chime.log import Log
from chime.web import step_up
from chime.web.language import catalogue
from chime.web.services import Services
from chime.web.step_up import ProofNeeded, SecondFactorNeeded

_log = Log("web")
_TITLES = {400: "The request cannot be read", 401: "Sign in first", 403: "Not allowed", 404: "Not found",
           405: "Not possible here", 413: "Too large", 429: "Too many requests", 503: "Not available right now"}
_OURS = ("Something went wrong", "Chime could not do this. Nothing of what you entered was changed.")


def texts() -> tuple[str, ...]:
    """What the page of an error says besides the error's own title and words, for translators."""
    return (*_TITLES.values(), *_OURS)


def is_api(request: Request[Any, Any, Any]) -> bool:
    return request.url.path.startswith(("/api/", "/healthz", "/readyz", "/metrics"))


def handle(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The one exception handler of the application."""
    reference = reference_of(request)
    status, title, detail = _told(error)
    if status >= 500 and not isinstance(error, Unavailable):
        _log.error("request.failed", error, reference=reference)
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    if status == 503:
        headers["Retry-After"] = "5"
    if status == 405 and isinstance(error, HTTPException) and error.headers:
        headers["Allow"] = error.headers.get("allow", "")
    if is_api(request):
        return _problem(status, title, detail, reference, error, headers)
    if isinstance(error, NotSignedIn):
        return _to_sign_in(request)
    if isinstance(error, ProofNeeded | SecondFactorNeeded):
        return step_up.answer(request, error)
    return _page(request, status, title, detail, reference, headers)


def reference_of(request: Request[Any, Any, Any]) -> str:
    """The id of this request, in the log and in every error told."""
    found: str = request.scope.setdefault("state", {}).get("reference", "")
    return found


def _told(error: Exception) -> tuple[int, str, str]:
    if isinstance(error, ChimeError):
        return error.status, error.title, error.said
    if isinstance(error, HTTPException) and error.status_code < 500:
        title = _TITLES.get(error.status_code, "The request cannot be read")
        return error.status_code, title, title + "."
    return 500, *_OURS


def _problem(status: int, title: str, detail: str, reference: str, error: Exception,
             headers: dict[str, str]) -> Response[bytes]:
    """RFC 9457."""
    problem: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": str(detail),
                               "request_id": reference}
    if isinstance(error, Invalid):
        problem["errors"] = [{"field": field.field, "message": str(field.message)} for field in error.errors]
    if isinstance(error, Refused):
        problem["code"] = error.code
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="chime"'
    return Response(msgspec.json.encode(problem), status_code=status, headers=headers,
                    media_type="application/problem+json")


def _to_sign_in(request: Request[Any, Any, Any]) -> Response[Any]:
    """A person whose session ended comes back to where they were."""
    if request.headers.get("hx-request"):
        return Response(b"", status_code=401, headers={"HX-Redirect": "/sign-in"})
    if request.method != "GET":
        return Redirect("/sign-in", status_code=303)
    from urllib.parse import quote

    where = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return Redirect("/sign-in" if where == "/" else f"/sign-in?next={quote(where, safe='')}", status_code=303)


def _page(request: Request[Any, Any, Any], status: int, title: str, detail: str, reference: str,
          headers: dict[str, str]) -> Response[bytes]:
    services = Services.of(request)
    identity = request.scope.get("state", {}).get("identity")
    words = catalogue(identity.locale if identity else "en")
    title, detail = words.gettext(title), "" if detail == f"{title}." else words.gettext(detail)  # not twice the same
    name = "_error.html" if request.headers.get("hx-request") else "error.html"
    body = services.pages.render(request, name, status=status, title=title, detail=detail, reference=reference)
    return Response(body, status_code=status, headers=headers, media_type="text/html")
