"""Reading what people and scripts send: every wrong field named at once, what was typed kept."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from litestar import Request
from litestar.datastructures import UploadFile
from litestar.exceptions import HTTPException

from chime.errors import ChimeError, Invalid

T = TypeVar("T")
AnyRequest = Request[Any, Any, Any]
LARGEST_JSON = 1024 * 1024
_PATH = re.compile(r"^(?P<message>.*?)(?: - at `(?P<path>\$[^`]*)`)?$", re.S)


class BadRequest(ChimeError):
    """The request can't be read at all."""

    status = 400
    title = "The request cannot be read"


async def form_fields(request: AnyRequest) -> dict[str, str]:
    """The text fields of a form (urlencoded or multipart), NUL bytes taken out, each at most 20,000 characters."""
    try:
        form = await request.form()
    except (HTTPException, ValueError) as error:
        raise BadRequest("The form could not be read.") from error
    fields: dict[str, str] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            if len(value) > 20_000:
                raise Invalid.field(name, "This is too long: at most 20,000 characters.")
            fields[name] = value.replace("\0", "")
    return fields


async def uploaded_file(request: AnyRequest, name: str) -> UploadFile:
    """The file of a form. Raises Invalid naming the field."""
    try:
        form = await request.form()
    except (HTTPException, ValueError) as error:
        raise BadRequest("The upload could not be read.") from error
    value = form.get(name)
    if not isinstance(value, UploadFile):
        raise Invalid.field(name, "Choose a file.")
    return value


async def json_body(request: AnyRequest, kind: type[T]) -> T:
    """The JSON body as a Struct. Raises BadRequest for what is no JSON, Invalid naming the field that does not fit."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise BadRequest("Send JSON, with Content-Type: application/json.")
    body = await request.body()
    if len(body) > LARGEST_JSON:
        raise BadRequest("The body is larger than 1 MB.")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest("The body is not JSON.") from error


def convert(data: Any, kind: type[T], prefix: str = "") -> T:
    """The same for something decoded already."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise _invalid(error, prefix) from error


def _invalid(error: msgspec.ValidationError, prefix: str = "") -> Invalid:
    """msgspec says `Expected …, got … - at `$.a[0].b``; people want `a.0.b`."""
    found = _PATH.match(str(error))
    message = found.group("message") if found else "does not fit"
    path = (found.group("path") or "$") if found else "$"
    field = re.sub(r"\[(\d+|\.\.\.)\]", r".\1", path.removeprefix("$")).strip(".")
    named = re.match(r"Object (?:contains unknown|missing required) field `([^`]*)`", message)
    if named:
        field = f"{field}.{named.group(1)}".strip(".")
        message = "There is no such field." if "unknown" in message else "This field is required."
    return Invalid.field(f"{prefix}{field}" or "body", message)
