"""The API does what its own OpenAPI document says, whatever it is asked: schemathesis reads the document and calls a
running Chime with what fits it and what does not.

Checked of every answer: no 5xx; a status, a content type, headers and a body that the document tells of; what the
document forbids is refused; no call goes through without a key; other methods are answered 405. Besides, that a
refusal of what fits names a reason no schema can state (`tests/support/openapi_checks.py`).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from chime.message_templates import api as template_api
from chime.web.idempotency import HEADER
from tests.http.inbox_setup import stock_templates, talk
from tests.http.test_api_protocol import operations
from tests.support.world import World

ROOT = Path(__file__).parents[2]
# Accepting all that fits is no rule of ours: a window is closed, a name is taken. The check of our own asks for more.
CHECKS = ("--checks", "all", "--exclude-checks", "positive_data_acceptance")
# A message has thousands of parts to be wrong: that walk is for the night, by day it gets examples by chance.
SHORT = ("[[operations]]", 'include-operation-id = "create_message"', "generation.max-examples = 60",
         "phases.coverage.enabled = false")
RUN = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())"


async def stocked(world: World, key: str) -> dict[str, str]:
    """Something of each kind, so that calls with this key reach further than a 404; the ids to ask for."""
    await stock_templates(world)
    maya = await talk(world)
    alice = await world.session("alice")
    answered = await maya.reply(alice, "Yes, from ten")
    async with world.client(key) as script:
        file = {"file": ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "image/png")}
        media = (await script.post("/api/v1/media", files=file)).json()
        asked = (await script.post("/api/v1/exports", json={"format": "csv", "reason": "monthly backup"})).json()
        view = (await script.post("/api/v1/saved-views", json={"name": "Fuzzed", "filter": "v=all",
                                                               "scope": "everyone"})).json()
        tag = (await script.post("/api/v1/conversation-tags", json={"name": "fuzzed"})).json()
        many = (await script.post("/api/v1/bulk-changes", json={"act": "read", "conversation_ids": [maya.id]})).json()
        reason = (await script.post("/api/v1/resolve-reasons", json={"name": "Fuzzed"})).json()
        team = (await script.post("/api/v1/teams", json={"name": "Night shift"})).json()
        card = (await script.post("/api/v1/rate-cards", json={"valid_from": "2026-10-01", "currency": "INR", "rates": [
            {"market": "IN", "category": "marketing", "price_micros": 863_100}]})).json()
    return {"conversation_id": maya.id, "contact_id": maya.contact_id, "message_id": answered.id,
            "media_id": media["id"], "approval_id": asked["id"], "team_id": team["id"], "view_id": view["id"],
            "thread_tag_id": tag["id"], "bulk_id": many["id"], "reason_id": reason["id"], "sequence": "1",
            "card_id": card["id"], "waba_id": world.acme.number.waba_id}


async def fuzzed(world: World, folder: Path, *options: str, short: Sequence[str] = (), document: Path | None = None,
                 ) -> tuple[int, str]:
    """What schemathesis says of the running world: its status, 0 when it found nothing, and its words. With Chime's own
    document every call but a deletion is given ids of what there is; with another it has to find them itself."""
    key = await world.key(world.acme)
    ids = await stocked(world, key)
    lines = ["continue-on-failure = true", "warnings = false", "[headers]", f'Authorization = "Bearer {key}"']
    if document is None:
        lines += ["[[operations]]", 'include-method = ["GET", "POST", "PATCH"]', "[operations.parameters]"]
        lines += [f'"path.{name}" = "{value}"' for name, value in ids.items()]
    (folder / "fuzz.toml").write_text("\n".join([*lines, *short]))
    where = [str(document), "--url", world.base] if document else [f"{world.base}/api/v1/openapi.json"]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN, "--config-file", str(folder / "fuzz.toml"), "run", *where, "--no-color", *CHECKS,
        *options, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.support.openapi_checks"})
    try:
        told, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
    return await child.wait(), told.decode()


@pytest.mark.timeout(600)
async def test_the_api_is_as_its_document_says(world: World, tmp_path: Path) -> None:
    status, told = await fuzzed(world, tmp_path, "--generation-deterministic", "--max-examples", "2",
                                "--phases", "examples,coverage,fuzzing", short=SHORT)
    assert status == 0 and "No issues found" in told, told
    assert f"{len(operations(world))} selected" in told, told


@pytest.mark.nightly
@pytest.mark.timeout(1_200)
async def test_the_api_is_as_its_document_says_for_ten_minutes(world: World, tmp_path: Path) -> None:
    """With other data every night; a failure tells the seed."""
    status, told = await fuzzed(world, tmp_path, "--max-examples", "1000", "--max-time", "480",
                                "--phases", "examples,coverage,fuzzing")
    assert status == 0 and "No issues found" in told, told


@pytest.mark.nightly
@pytest.mark.timeout(600)
async def test_what_was_made_is_there_and_what_was_deleted_is_gone(world: World, tmp_path: Path) -> None:
    """Calls that follow each other, each with what the one before answered. None has an Idempotency-Key: with one that
    was used before, the first answer comes again, and tells of what is deleted since."""
    async with world.client(await world.key(world.acme)) as script:
        document = (await script.get("/api/v1/openapi.json")).json()
    for methods in document["paths"].values():
        for operation in methods.values():
            operation["parameters"] = [one for one in operation["parameters"] if one["name"] != HEADER]
    (tmp_path / "no_keys.json").write_text(json.dumps(document))
    status, told = await fuzzed(world, tmp_path, "--max-examples", "200", "--max-time", "120", "--phases", "stateful",
                                document=tmp_path / "no_keys.json")
    assert status == 0 and "No issues found" in told, told


async def test_nothing_unknown_is_taken_in_a_question(world: World) -> None:
    """schemathesis takes parameters beyond the document for harmless; a misspelt filter is not."""
    key = await world.key(world.acme)
    async with world.client(key) as script:
        document = (await script.get("/api/v1/openapi.json")).json()
        lists = [path for path, methods in document["paths"].items() if "get" in methods and any(
            parameter["in"] == "query" for parameter in methods["get"]["parameters"])]
        assert len(lists) > 10
        ids = await stocked(world, key)
        for path in lists:
            answer = await script.get(path.format(**ids), params={"colour": "red"})
            assert answer.status_code == 422 and [one["field"] for one in answer.json()["errors"]] == ["colour"], path


def lies(document: dict[str, Any]) -> dict[str, str]:
    """Makes the document untrue in six places; what is to be found by path."""
    paths = {path: {"get": document["paths"][path]["get"]} for path in (
        "/api/v1/tags", "/api/v1/teams", "/api/v1/channels", "/api/v1/members", "/api/v1/invitations",
        "/api/v1/templates", "/api/v1/exports")}
    document["paths"] = paths
    del paths["/api/v1/tags"]["get"]["responses"]["422"]
    document["components"]["schemas"]["TeamAnswer"]["properties"]["name"] = {"type": "integer"}
    told = paths["/api/v1/channels"]["get"]["responses"]["200"]
    told["content"] = {"text/csv": told["content"].pop("application/json")}
    paths["/api/v1/members"]["get"]["parameters"][0]["schema"] = {"type": "integer", "minimum": 1, "maximum": 100}
    paths["/api/v1/invitations"]["get"]["parameters"][0]["schema"] = {"type": "integer", "minimum": 1, "maximum": 300}
    open_to_all = paths.pop("/api/v1/exports")["get"] | {"parameters": [], "responses": {
        "200": {"description": "Done", "content": {"application/json": {}}}, "401": {"description": "No key"}}}
    paths["/api/v1/openapi.json"] = {"get": open_to_all}
    return {"/api/v1/tags": "Undocumented status code", "/api/v1/teams": "Response violates schema",
            "/api/v1/channels": "Undocumented Content-Type", "/api/v1/members": "Schema-violating request accepted",
            "/api/v1/invitations": "the document does not say why",
            "/api/v1/openapi.json": "API accepts requests without authentication"}


async def test_a_document_that_lies_and_a_fault_are_found_out(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The tests above are worth something only if they would see."""
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(template_api.queries, "templates_page", broken)
    async with world.client(await world.key(world.acme)) as script:
        document = (await script.get("/api/v1/openapi.json")).json()
    expected = lies(document) | {"/api/v1/templates": "Server error"}
    (tmp_path / "lie.json").write_text(json.dumps(document))
    status, told = await fuzzed(world, tmp_path, "--generation-deterministic", "--phases", "coverage",
                                document=tmp_path / "lie.json")
    found = dict(re.findall(r"^_+ GET (\S+) _+\n(.*?)(?=^[_=]{4,} )", told, re.MULTILINE | re.DOTALL))
    assert status == 1 and found.keys() == expected.keys(), told
    for path, words in expected.items():
        assert words in found[path], told
