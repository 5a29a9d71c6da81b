"""Reading what people and scripts send: every wrong field named at once, what was typed kept."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from litestar import Request
from litestar.datastructures import FormMultiDict
from litestar.exceptions import HTTPException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from chime.errors import ChimeError, Invalid
from chime.web.uploads import Upload, read_multipart
from chime.whatsapp.shape import read

T = TypeVar("T")
AnyRequest = Request[Any, Any, Any]
LARGEST_JSON = 1024 * 1024
# What somebody unknown may send: it is held in memory for as long as they take to send it.
LARGEST_OF_STRANGERS = 64 * 1024


class BadRequest(ChimeError):
    """The request can't be read at all."""

    status = 400
    title = "The request cannot be read"


async def read_form(request: AnyRequest) -> FormMultiDict:
    """A form, urlencoded or multipart. Raises BadRequest for what is none; one that is too large stays a 413. Read
    once: the guard asks for its token before the handler asks for the rest."""
    state = request.scope.setdefault("state", {})
    if "form" not in state:
        state["form"] = await _read_form(request)
    found: FormMultiDict = state["form"]
    return found


async def _read_form(request: AnyRequest) -> FormMultiDict:
    try:
        if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            return await read_multipart(request)
        return await request.form()
    except RequestEntityTooLarge:
        raise
    except (HTTPException, ValueError) as error:
        raise BadRequest("The form could not be read.") from error


async def form_fields(request: AnyRequest) -> dict[str, str]:
    """The text fields of a form, NUL bytes taken out, each at most 20,000 characters."""
    form = await read_form(request)
    fields: dict[str, str] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            if len(value) > 20_000:
                raise Invalid.field(name, "This is too long: at most 20,000 characters.")
            fields[name] = value.replace("\0", "")
    return fields


async def form_lists(request: AnyRequest, *names: str) -> dict[str, list[str]]:
    """Each of these fields with all its values: boxes that were ticked. At most 500 of 200 characters."""
    form = await read_form(request)
    found: dict[str, list[str]] = {}
    for name in names:
        values = [value.replace("\0", "") for value in form.getall(name, []) if isinstance(value, str)]
        if len(values) > 500 or any(len(value) > 200 for value in values):
            raise Invalid.field(name, "These are too many.")
        found[name] = list(dict.fromkeys(values))
    return found


async def uploaded_file(request: AnyRequest, name: str) -> Upload:
    """The file of a form. Raises Invalid naming the field."""
    value = (await read_form(request)).get(name)
    if not isinstance(value, Upload):
        raise Invalid.field(name, "Choose a file.")
    return value


async def json_value(request: AnyRequest) -> Any:
    """The JSON body as it is. Raises BadRequest for what is no JSON."""
    if not request.headers.get("content-type", "").lower().startswith("application/json"):
        raise BadRequest("Send JSON, with Content-Type: application/json.")
    body = await request.body()
    if len(body) > LARGEST_JSON:
        raise BadRequest("The body is larger than 1 MB.")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON.") from error


async def json_body(request: AnyRequest, kind: type[T]) -> T:
    """The JSON body as a Struct. Raises BadRequest for what is no JSON, Invalid naming every field that does not fit,
    also those that are not known."""
    value, problems = read(kind, await json_value(request))
    if problems:
        raise Invalid((field or "body", words) for field, words in problems)
    found: T = value
    return found
