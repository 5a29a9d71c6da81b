"""The OpenAPI document and `/docs`: complete, true, offline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from chime import __version__
from chime.app import FEATURES
from chime.inbox.addressing import SendMessage, read_send
from chime.web.reference import Described, described, openapi
from chime.whatsapp.shape import read
from tests.support.world import World

HANDLERS: list[Any] = [handler for _, routes in FEATURES for handler in routes]
ENTRIES = described(HANDLERS)


def name_of(entry: Described) -> str:
    return f"{entry.method} {entry.path}"


def test_every_call_of_the_api_is_described() -> None:
    api = [handler for handler in HANDLERS if any(path.startswith("/api/") for path in handler.paths)]
    silent = [path for handler in api for path in handler.paths
              if not handler.opt.get("operation") and not handler.opt.get("public")]
    assert api and not silent, silent
    assert all(handler.opt.get("api") for handler in api if not handler.opt.get("public"))
    assert {name_of(entry) for entry in ENTRIES} >= {
        "POST /api/v1/messages", "GET /api/v1/messages/{message_id}", "GET /api/v1/conversations",
        "GET /api/v1/conversations/{conversation_id}", "GET /api/v1/conversations/{conversation_id}/messages",
        "POST /api/v1/contacts", "GET /api/v1/contacts", "PATCH /api/v1/contacts/{contact_id}",
        "DELETE /api/v1/contacts/{contact_id}", "POST /api/v1/contacts/{contact_id}/consent", "GET /api/v1/tags",
        "POST /api/v1/tags", "GET /api/v1/templates", "GET /api/v1/channels", "POST /api/v1/media"}
    names = [entry.name for entry in ENTRIES]
    assert len(names) == len(set(names)), "an operation's id names one operation"


@pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
def test_examples_are_true(entry: Described) -> None:
    operation = entry.operation
    if operation.answer not in (None, bytes) and operation.response_example is not None:
        made = msgspec.convert(operation.response_example, operation.answer)
        assert msgspec.json.decode(msgspec.json.encode(made)) == operation.response_example
    if operation.body is SendMessage:
        read_send(operation.request_example)
    elif operation.request_example is not None:
        assert read(operation.body, operation.request_example)[1] == []
    assert operation.status == 200 or 201 <= operation.status <= 204
    assert operation.answer is not None or operation.status == 204
    assert operation.body is None or operation.request_example is not None or operation.body_type != "application/json"


def test_the_status_told_is_the_one_answered() -> None:
    for handler in HANDLERS:
        operation = handler.opt.get("operation")
        assert operation is None or operation.status == handler.status_code, handler.paths


def test_a_post_is_repeatable() -> None:
    for handler in HANDLERS:
        if handler.opt.get("api") and "POST" in handler.http_methods:
            once = hasattr(handler.fn, "__wrapped__")
            # A file may leave once: to give it again for the same key would be to keep it.
            # An answer is read and not made: worked out anew, it need not be kept.
            kept = handler.handler_name not in ("create_export_download", "create_query_answer",
                                                "create_query_answer_file")
            assert once or not kept, f"{handler.paths} is not @once"


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_the_shape_of_the_document() -> None:
    document = openapi(HANDLERS, "1.2.3")
    assert document["openapi"] == "3.1.0" and document["info"]["version"] == "1.2.3"
    schemas = document["components"]["schemas"]
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference
    ids = []
    for path, methods in document["paths"].items():
        assert path.startswith("/api/v1/") and ":" not in path
        for method, operation in methods.items():
            ids.append(operation["operationId"])
            inside = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
            assert inside == set(re.findall(r"{(\w+)}", path))
            assert operation["summary"] and operation["tags"] and operation["security"]
            statuses = operation["responses"].keys()
            assert {"401", "403", "429"} <= statuses and any(status.startswith("2") for status in statuses)
            assert all(answer["description"] for answer in operation["responses"].values())
            headers = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "header"}
            assert ("Idempotency-Key" in headers) == (method == "post" and "/queries/answers" not in path)
            assert ("requestBody" in operation) <= (method in ("post", "patch", "put"))
    assert len(ids) == len(set(ids))
    message = schemas["SendMessage"]
    assert message["additionalProperties"] is False and message["required"] == ["type"]
    assert {"to", "contact_id", "recipient", "text", "template", "interactive"} <= message["properties"].keys()
    assert schemas["MessageAnswer"]["properties"]["created_at"] == {"type": "string", "format": "date-time"}


async def test_both_pages_are_public_and_whole(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.base) as anybody:
        answer = await anybody.get("/api/v1/openapi.json")
        assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
        document = answer.json()
        assert document["info"]["version"] == __version__
        assert (await anybody.get("/api/v1/openapi.json")).content == answer.content
        page = await anybody.get("/docs")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert path in page.text and operation["summary"] in page.text.replace("&#39;", "'")
    addresses = re.findall(r'(?:href|src)="([^"#][^"]*)"', page.text)
    assert addresses and all(address.startswith("/") and not address.startswith("//") for address in addresses)
    assert "<script" not in page.text
