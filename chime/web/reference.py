"""The API described by itself: OpenAPI 3.1 at `/api/v1/openapi.json`, and the same to read at `/docs`.

Each handler of the API carries an `Operation` in its options, built from the very Structs it reads and answers with;
nothing is written down twice. Both pages are public, need nothing from outside and no script.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import msgspec
from litestar import Litestar, Request, get
from litestar.response import Response

from chime import __version__
from chime.security.permissions import Permission
from chime.web.idempotency import HEADER
from chime.web.services import Services

Moment = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""A time as the API tells it: RFC 3339 in UTC."""

_JSON = "application/json"
_REFERENCE = "#/components/schemas/{name}"
_ABOUT = ("The public API of Chime. Send a key from `chime api-key create` as a bearer token. Lists go on with "
          "`next_cursor`. Every POST that changes something may carry an `Idempotency-Key` and can then be repeated "
          "without harm.")


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """Something of the query or a header. `choices` when only these values are taken; `limits` is what else its JSON
    schema says, so that a script can know beforehand what will be refused."""

    name: str
    meaning: str
    where: str = "query"
    choices: tuple[str, ...] = ()
    is_number: bool = False
    limits: dict[str, Any] = {}


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What the reference says of one route. `refusals` are the errors it has beyond those every route has. A POST that
    `only_reads` may be repeated as it is."""

    tag: str
    summary: str
    description: str = ""
    body: Any = None
    body_type: str = _JSON
    answer: Any = None
    status: int = 200
    parameters: tuple[Parameter, ...] = ()
    refusals: dict[int, str] = {}
    only_reads: bool = False
    request_example: Any = None
    response_example: Any = None


class FieldProblem(msgspec.Struct, frozen=True):
    """A field of the request and what is wrong with it."""

    field: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457. `request_id` finds the request in the log; `code` names the rule that refused it."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: tuple[FieldProblem, ...] = ()
    code: str = ""


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """An operation where it stands."""

    method: str
    path: str
    name: str
    permission: Permission
    operation: Operation

    @property
    def names_in_path(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    @property
    def errors(self) -> dict[int, str]:
        """Every refusal by its status."""
        known = {401: "No valid key.", 403: f"The key lacks the scope {self.permission.value}.",
                 429: "Too many calls; `Retry-After` says when to come again."}
        if self.names_in_path:
            known[404] = "There is no such thing in this workspace."
        if self.operation.body is not None or self.operation.parameters or self.method == "POST":
            known[422] = "Something in the request does not fit; `errors` names each field."
        if self.operation.body is not None:
            known[400] = "The body is not JSON." if self.operation.body_type == _JSON else "The form cannot be read."
        return dict(sorted((known | self.operation.refusals).items()))


_IDS = {"conversation_id": "The id; that of a conversation which became part of another one means this other one"}
DAY_OR_MOMENT = ({"format": "date"}, {"format": "date-time"}, {"maxLength": 0})
"""What a parameter takes that says since when, as a JSON schema's `anyOf`; empty is as if it were not given."""
PAGED = (
    Parameter(name="limit", meaning="How many, 1 to 200; 50 when not given", is_number=True,
              limits={"minimum": 1, "maximum": 200, "default": 50}),
    Parameter(name="cursor", meaning="`next_cursor` of the page before"),
)
_KEY = Parameter(name=HEADER, where="header",
                 meaning="Any text of up to 255 characters; a repetition with the same key gets the first answer again",
                 limits={"minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"})


def api(permission: Permission, operation: Operation, *, small: bool = False) -> dict[str, Any]:
    """The options of a handler of the API. `small`: it writes a few bytes, so it goes on while the disk is nearly
    full."""
    return {"permission": permission, "api": True, "operation": operation, "small": small}


def described(routes: Iterable[Any]) -> list[Described]:
    """The operations of these handlers, by path and method; handlers without one are no part of the API."""
    found = {}
    for handler in routes:
        operation = handler.opt.get("operation")
        if operation is None:
            continue
        for path in handler.paths:
            plain = re.sub(r"{(\w+):\w+}", r"{\1}", path)
            method = next(iter(sorted(handler.http_methods))).upper()
            found[plain, method] = Described(method=method, path=plain, name=handler.handler_name,
                                             permission=handler.opt["permission"], operation=operation)
    return [found[place] for place in sorted(found)]


def openapi(routes: Iterable[Any], version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of these handlers."""
    entries = described(routes)
    kinds = _kinds(entries)
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    by_kind = {repr(kind): schema for kind, schema in zip(kinds, schemas, strict=True)}
    for schema in components.values():
        if "description" in schema:
            schema["description"] = _flat(schema["description"])
    paths: dict[str, dict[str, Any]] = {}
    for entry in entries:
        paths.setdefault(entry.path, {})[entry.method.lower()] = _operation(entry, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Chime", "version": version, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [{"name": tag} for tag in sorted({entry.operation.tag for entry in entries})],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }


def _kinds(entries: list[Described]) -> list[Any]:
    """Every type that stands in a body or an answer, once."""
    found = {repr(Problem): Problem}
    for entry in entries:
        for kind in (entry.operation.body, entry.operation.answer):
            if kind is not None and kind is not bytes:
                found[repr(kind)] = kind
    return list(found.values())


def _operation(entry: Described, by_kind: dict[str, Any]) -> dict[str, Any]:
    operation = entry.operation
    made: dict[str, Any] = {
        "operationId": entry.name, "tags": [operation.tag], "summary": operation.summary,
        "description": _words(entry), "security": [{"key": [entry.permission.value]}],
        "parameters": [_parameter(parameter) for parameter in _parameters(entry)],
        "responses": {str(operation.status): _answer(operation, by_kind)} | {
            str(status): _refusal(status, words, by_kind) for status, words in entry.errors.items()},
    }
    if operation.body is not None:
        media: dict[str, Any] = {"schema": by_kind[repr(operation.body)]}
        if operation.request_example is not None:
            media["example"] = operation.request_example
        made["requestBody"] = {"required": True, "content": {operation.body_type: media}}
    return made


def _flat(docstring: str) -> str:
    return " ".join(docstring.split())


def _words(entry: Described) -> str:
    return f"{entry.operation.description} Needs the scope `{entry.permission.value}`.".strip()


def _parameters(entry: Described) -> Iterator[Parameter]:
    for name in entry.names_in_path:
        yield Parameter(name=name, where="path", meaning=_IDS.get(name, "The id"))
    yield from entry.operation.parameters
    if entry.method == "POST" and not entry.operation.only_reads:
        yield _KEY


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer" if parameter.is_number else "string"}
    if parameter.choices:
        schema["enum"] = list(parameter.choices)
    schema |= parameter.limits
    return {"name": parameter.name, "in": parameter.where, "required": parameter.where == "path",
            "description": parameter.meaning, "schema": schema}


def _answer(operation: Operation, by_kind: dict[str, Any]) -> dict[str, Any]:
    if operation.answer is None:
        return {"description": "Done"}
    if operation.answer is bytes:
        return {"description": "The file", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
    media: dict[str, Any] = {"schema": by_kind[repr(operation.answer)]}
    if operation.response_example is not None:
        media["example"] = operation.response_example
    return {"description": "Done", "content": {_JSON: media}}


def _refusal(status: int, words: str, by_kind: dict[str, Any]) -> dict[str, Any]:
    refusal: dict[str, Any] = {"description": words,
                               "content": {"application/problem+json": {"schema": by_kind[repr(Problem)]}}}
    if status == 429:
        refusal["headers"] = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}}
    return refusal


@get("/api/v1/openapi.json", opt={"public": True}, include_in_schema=False)
async def show_openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The document, made when it is first asked for."""
    state = request.app.state
    if "openapi" not in state:
        # Beside the loop: hundreds of types take a few hundred milliseconds, in which nobody else should wait.
        state["openapi"] = await asyncio.to_thread(_document, _handlers(request.app))
    return Response(state["openapi"], media_type=_JSON, headers={"Cache-Control": "no-cache"})


def _document(handlers: list[Any]) -> bytes:
    return msgspec.json.encode(openapi(handlers, __version__))


@get("/docs", opt={"public": True}, include_in_schema=False)
async def show_docs(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The reference for people."""
    shown = await asyncio.to_thread(_all_for_people, _handlers(request.app))
    return Services.of(request).pages.answer(request, "docs/api.html", operations=shown)


def _handlers(app: Litestar) -> list[Any]:
    return [handler for route in app.routes for handler in getattr(route, "route_handlers", ())]


def _all_for_people(handlers: list[Any]) -> list[dict[str, Any]]:
    return [_for_people(entry) for entry in described(handlers)]


def _for_people(entry: Described) -> dict[str, Any]:
    operation = entry.operation
    return {
        "tag": operation.tag, "method": entry.method, "path": entry.path, "summary": operation.summary,
        "description": f"{_words(entry)} {_flat(operation.body.__doc__ if operation.body else '')}".replace("`", ""),
        "parameters": [(parameter.name, parameter.where, parameter.where == "path",
                        parameter.meaning.replace("`", "")) for parameter in _parameters(entry)],
        "request_example": _example(operation.request_example),
        "response_example": _example(operation.response_example),
        "errors": [f"{status}: {words}".replace("`", "") for status, words in entry.errors.items()],
    }


def _example(example: Any) -> str:
    return "" if example is None else msgspec.json.format(msgspec.json.encode(example), indent=2).decode()


ROUTES = [show_openapi, show_docs]
