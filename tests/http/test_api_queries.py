"""Questions by scripts: the saved ones are listed and run, the answer is JSON or CSV, and the rules are those of the
page."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import httpx

from chime.accounts import api_keys
from chime.ids import Ids
from chime.security.permissions import OPERATOR
from tests.http.api_setup import Scripting, scripting
from tests.http.inbox_setup import rows
from tests.support.world import running_world

__all__ = ["scripting"]
ALL = "/api/v1/queries"
CONTACTS = "SELECT name, phone FROM contacts ORDER BY name"


async def asked(script: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await script.post(f"{ALL}/answers", json=body)


async def _saved(scripting: Scripting, who: str, name: str, sql: str, **fields: str) -> None:
    client = await scripting.world.session(who)
    answer = await client.post("/w/acme/settings/queries", data={"name": name, "sql": sql, **fields})
    assert answer.status_code == 303, answer.text


async def test_a_question_is_answered_as_json_and_as_csv(scripting: Scripting) -> None:
    await scripting.customer(name="=Maya")
    script = await scripting.script()
    told = (await asked(script, sql=CONTACTS)).json()
    assert told["columns"] == ["name", "phone"] and not told["is_cut"] and told["milliseconds"] >= 0
    assert ["", "14155550101"] in told["rows"] or [None, "14155550101"] in told["rows"], told
    file = await script.post(f"{ALL}/answers/csv", json={"sql": "SELECT '=1+1' AS sum, NULL AS empty, 7 AS seven"})
    assert file.status_code == 200 and file.headers["content-type"].startswith("text/csv")
    lines = list(csv.reader(io.StringIO(file.text)))
    assert lines[0] == ["sum", "empty", "seven"] and lines[1][1:] == ["", "7"] and not lines[1][0].startswith("=")
    assert file.headers["chime-is-cut"] == "false"
    trail = await rows(scripting.world, scripting.world.acme, "SELECT actor_kind, details_json FROM audit_event "
                       "WHERE action = 'data_query.asked'")
    assert len(trail) == 2 and {row[0] for row in trail} == {"api_key"} and "contacts" not in str(trail)


async def test_days_stand_for_from_and_to_and_more_rows_than_the_page_has_are_cut(scripting: Scripting) -> None:
    script = await scripting.script()
    told = (await asked(script, sql="SELECT :from, :to", first_day="2026-01-01", last_day="2026-01-31")).json()
    assert told["rows"] == [["2026-01-01", "2026-02-01"]]
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 501) SELECT i FROM n"
    told = (await asked(script, sql=many)).json()
    assert told["is_cut"] and len(told["rows"]) == 500 and told["rows"][-1] == [500]


async def test_saved_questions_are_listed_and_run(scripting: Scripting) -> None:
    await _saved(scripting, "alice", "Shared one", "SELECT 1 AS one", is_shared="1")
    await _saved(scripting, "alice", "Alice's own", "SELECT 2 AS two")
    script = await scripting.script()
    told = (await script.get(ALL, params={"limit": 1})).json()
    assert [one["name"] for one in told["items"]] == ["Shared one"] and told["next_cursor"] is None, "nobody's own"
    assert told["items"][0]["owner"] == "Alice" and told["items"][0]["is_shared"]
    found = (await asked(script, query_id=told["items"][0]["id"])).json()
    assert found["rows"] == [[1]]
    own = (await rows(scripting.world, scripting.world.acme, "SELECT id FROM data_query WHERE NOT is_shared"))[0][0]
    assert (await asked(script, query_id=own)).status_code == 404
    globex = await scripting.script(tenant=scripting.world.globex)
    assert (await asked(globex, query_id=told["items"][0]["id"])).status_code == 404
    assert (await globex.get(ALL)).json()["items"] == []


async def test_a_key_without_numbers_sees_none(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script("data:query")
    text = (await asked(script, sql="SELECT phone, text FROM contacts, messages")).text
    assert "14155550101" not in text and "•••" in text and "null" in text
    assert (await (await scripting.script("inbox:read,contacts:read")).get(ALL)).status_code == 403


async def test_what_is_wrong_is_told_by_its_field(scripting: Scripting) -> None:
    script = await scripting.script()
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"sql": "SELECT nme FROM contacts"}, "sql", "Line 1, character 8"), ({}, "sql", "either sql or query_id"),
        ({"sql": "DELETE FROM contacts"}, "sql", "Only questions"),
        ({"sql": "SELECT 1", "query_id": "x"}, "sql", "either"),
        ({"sql": "SELECT 1", "first_day": "tomorrow"}, "first_day", "2026-11-21"),
        ({"sql": "SELECT 1", "rows": 9}, "rows", ""),
    ]
    for body, field, words in wrong:
        answer = await asked(script, **body)
        assert answer.status_code == 422, (body, answer.text)
        assert [one["field"] for one in answer.json()["errors"]] == [field] and words in answer.text, answer.text


async def test_questions_have_a_limit_of_their_own(installation: Path, tmp_path: Path) -> None:
    """However many calls the key may make."""
    async with running_world(installation, tmp_path / "data", rate_factor=1) as world:
        async with world.services.control.write(OPERATOR) as tx:
            made = await api_keys.create_api_key(tx, Ids(), workspace_id=world.acme.workspace_id, name="n",
                                                 scope_text="data:query", limits=(1_000, 1_000, 1_000))
        async with world.client(made.key) as script:
            statuses = [(await asked(script, sql="SELECT 1", first_day="none")).status_code for _ in range(25)]
            assert statuses[0] == 422 and 429 in statuses
            assert (await script.get(ALL)).status_code == 200, "the list is no question"
