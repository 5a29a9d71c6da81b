"""MASS-1: nothing can be set that a form or a body does not name. Each JSON body of the API is sent with every column
of every table added, and refused naming each; and no handler hands a form on as a whole.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import chime
from chime.app import FEATURES
from chime.web.reference import Operation
from tests.http.all_routes import NOTHING
from tests.support.world import World

PAGES = sorted(path for path in Path(chime.__file__).parent.rglob("*.py")
               if path.name.endswith(("pages.py", "api.py", "forms.py")) and "simulator" not in path.parts)
# What a handler calls what somebody typed.
TYPED = {"fields", "form", "typed", "given", "data", "body", "values"}
# module -> why it may hand a mapping on all the same
READ_FIELD_BY_FIELD = {"exports/api.py": "made of a body's Struct, which refused every name it does not know"}


async def columns(world: World) -> set[str]:
    """Every name a table has for something."""
    found: set[str] = set()
    async with world.workspace(world.acme) as workspace:
        for db in (world.services.control.db, workspace.db, workspace.journal_db):
            for (table,) in await db.rows("SELECT name FROM sqlite_schema WHERE type = 'table' "
                                          "AND sql LIKE 'CREATE T%'"):
                found |= {row[1] for row in await db.rows(f'PRAGMA table_info("{table}")')}
    return found


def bodies() -> list[tuple[str, str, Operation]]:
    """Method, path and description of each route that takes JSON."""
    found = []
    for _, handlers in FEATURES:
        for handler in handlers:
            operation = handler.opt.get("operation")
            if operation is None or operation.body is None or operation.body_type != "application/json":
                continue
            found += [(getattr(method, "value", None) or str(method), path, operation)
                      for path in handler.paths for method in handler.http_methods]
    return found


async def test_a_body_sets_nothing_it_does_not_name(world: World) -> None:
    names = await columns(world)
    assert {"role", "is_operator", "workspace_id", "status", "password_hash", "made_by"} <= names and len(names) > 150
    asked = bodies()
    assert len(asked) > 12
    async with world.client(await world.key(world.acme)) as script:
        for method, path, operation in asked:
            known = {field.encode_name for field in _fields(operation.body)}
            extra = sorted(names - known)
            example = operation.request_example if isinstance(operation.request_example, dict) else {}
            where = "/".join(NOTHING if part.startswith("{") else part for part in path.split("/"))
            answer = await script.request(method, where, json=example | dict.fromkeys(extra, "x"))
            assert answer.status_code in (404, 422), (method, path, answer.text[:300])
            if answer.status_code == 404:  # what the path names is asked for first; nothing was read of the body
                continue
            said = {error["field"].split(".")[0] for error in answer.json()["errors"]}
            assert set(extra) <= said, (method, path, sorted(set(extra) - said)[:5])


def _fields(body: Any) -> tuple[Any, ...]:
    import msgspec

    return msgspec.structs.fields(body)


def test_no_handler_hands_a_form_on_as_a_whole() -> None:
    faults = []
    for path in PAGES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or f"{path.parent.name}/{path.name}" in READ_FIELD_BY_FIELD:
                continue
            for keyword in node.keywords:
                if keyword.arg is None and isinstance(keyword.value, ast.Name) and keyword.value.id in TYPED - {
                        "values"}:
                    faults.append(f"{path.name}:{node.lineno}")
    assert not faults, faults
