"""`/api/v1/contacts`, consent and tags."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.api_setup import MAYA, STRANGE_ID, Scripting, fields, problem, scripting

__all__ = ["scripting"]
ANA = {"phone": "+1 (415) 555-0202", "name": " Ana  Lima ", "tags": ["vip", "VIP", "new"],
       "fields": {"city": "Pune", "orders": 3, "member": True}}


async def test_a_contact_from_beginning_to_end(scripting: Scripting) -> None:
    script = await scripting.script()
    made = await script.post("/api/v1/contacts", json=ANA)
    assert made.status_code == 201, made.text
    ana = made.json()
    assert ana == {
        "id": ana["id"], "phone": "+14155550202", "user_id": None, "username": "", "name": "Ana Lima",
        "profile_name": "", "tags": ["new", "vip"], "fields": ANA["fields"], "marketing_consent": "unknown",
        "owner_id": None, "blocked_at": None, "created_at": ana["created_at"], "updated_at": ana["updated_at"]}
    where = f"/api/v1/contacts/{ana['id']}"
    assert (await script.get(where)).json() == ana
    changed = (await script.patch(where, json={"name": "A.", "fields": {"city": None, "tier": "gold"}})).json()
    assert changed["name"] == "A." and changed["fields"] == {"orders": 3, "member": True, "tier": "gold"}
    assert changed["tags"] == ["new", "vip"] and changed["created_at"] == ana["created_at"]
    assert (await script.patch(where, json={"tags": []})).json()["tags"] == []
    assert (await script.patch(where, json={})).json()["name"] == "A."
    assert (await script.delete(where)).status_code == 204
    for answer in (await script.get(where), await script.patch(where, json={"name": "x"}), await script.delete(where),
                   await script.patch(where, json={})):
        problem(answer, 404)
    assert (await script.get("/api/v1/contacts")).json()["items"] == []


async def test_a_contact_known_by_user_id_only(scripting: Scripting) -> None:
    script = await scripting.script()
    made = await script.post("/api/v1/contacts", json={"user_id": "US.7Hq2mZ90", "name": "Ana"})
    assert made.status_code == 201 and made.json()["phone"] is None and made.json()["user_id"] == "US.7Hq2mZ90"
    found = await script.get("/api/v1/contacts", params={"user_id": "US.7Hq2mZ90"})
    assert [row["id"] for row in found.json()["items"]] == [made.json()["id"]]


@pytest.mark.parametrize("query", ["phone=%2B14155550202", "phone=+14155550202", "phone=14155550202",
                                   "phone=%2B1%20(415)%20555-0202"])
async def test_found_by_number_however_it_is_written(scripting: Scripting, query: str) -> None:
    script = await scripting.script()
    ana = (await script.post("/api/v1/contacts", json=ANA)).json()
    await script.post("/api/v1/contacts", json={"phone": "+14155550303"})
    answer = (await script.get(f"/api/v1/contacts?{query}")).json()
    assert [row["id"] for row in answer["items"]] == [ana["id"]] and answer["next_cursor"] is None
    assert (await script.get("/api/v1/contacts?phone=%2B14155550999")).json()["items"] == []


async def test_a_number_or_user_id_belongs_to_one_contact(scripting: Scripting) -> None:
    script = await scripting.script()
    await script.post("/api/v1/contacts", json={"phone": "+14155550202"})
    await script.post("/api/v1/contacts", json={"user_id": "US.7Hq2mZ90"})
    for body in ({"phone": "+14155550202"}, {"user_id": "US.7Hq2mZ90"},
                 {"phone": "+14155550202", "user_id": "US.new"}, {"phone": "+14155550999", "user_id": "US.7Hq2mZ90"}):
        problem(await script.post("/api/v1/contacts", json=body), 409)
    assert await scripting.count("contact") == 2


WRONG: list[tuple[Any, set[str]]] = [
    ({}, {"phone"}), ({"phone": None}, {"phone"}), ({"phone": "0151 234"}, {"phone"}), ({"phone": 5}, {"phone"}),
    ({"phone": "+14155550202", "user_id": "US."}, {"user_id"}),
    ({"phone": "1", "user_id": "x", "name": "n" * 121, "tags": [""], "fields": {"a": []}},
     {"phone", "user_id", "name", "tags", "fields.a"}),
    (ANA | {"colour": "red", "id": "x"}, {"colour", "id"}), (ANA | {"tags": "vip"}, {"tags"}),
    (ANA | {"tags": ["t" * 41]}, {"tags"}), (ANA | {"tags": [5]}, {"tags.0"}), (ANA | {"fields": []}, {"fields"}),
    (ANA | {"name": "a\0b"}, {"name"}), (ANA | {"fields": {"a": "x" * 1001}}, {"fields.a"}),
    (ANA | {"marketing_consent": "perhaps"}, {"marketing_consent"}), ([], {"body"}),
]


async def test_every_wrong_field_is_named(scripting: Scripting) -> None:
    script = await scripting.script()
    for body, wrong in WRONG:
        answer = await script.post("/api/v1/contacts", json=body)
        problem(answer, 422)
        assert fields(answer).keys() == wrong, body
    assert await scripting.count("contact") == 0 and await scripting.count("tag") == 0
    ana = (await script.post("/api/v1/contacts", json=ANA)).json()
    for body, wrong in (({"name": None}, {"name"}), ({"phone": "+14155550909"}, {"phone"}), ({"tags": None}, {"tags"}),
                        ({"name": "n" * 121, "fields": {"": 1}, "tags": ["t" * 41]}, {"name", "fields", "tags"})):
        answer = await script.patch(f"/api/v1/contacts/{ana['id']}", json=body)
        problem(answer, 422)
        assert fields(answer).keys() == wrong, body
    assert (await script.get(f"/api/v1/contacts/{ana['id']}")).json() == ana


async def test_consent_is_recorded_with_its_source_and_stops_marketing(scripting: Scripting) -> None:
    await scripting.customer()
    script = await scripting.script()
    maya = (await script.get("/api/v1/contacts", params={"phone": MAYA})).json()["items"][0]
    where = f"/api/v1/contacts/{maya['id']}/consent"
    said = {"marketing": "opted_in", "source": "checkout", "evidence": "order 1042"}
    answer = await script.post(where, json=said)
    assert answer.status_code == 200 and answer.json()["marketing_consent"] == "opted_in"
    no = await script.patch(f"/api/v1/contacts/{maya['id']}", json={"marketing_consent": "opted_out"})
    assert no.json()["marketing_consent"] == "opted_out"
    async with scripting.world.workspace(scripting.world.acme) as workspace:
        rows = await workspace.db.rows("SELECT marketing, source, evidence FROM consent_event ORDER BY at")
        journalled = await workspace.journal_db.rows("SELECT marketing, evidence FROM consent_event ORDER BY at")
    assert rows == [("opted_in", "checkout", "order 1042"), ("opted_out", "API key test", "")]
    assert journalled == [("opted_in", "order 1042"), ("opted_out", "")]
    refused = await script.post("/api/v1/messages", json={"contact_id": maya["id"], "type": "template", "template": {
        "name": "offer", "language": "en"}})
    assert problem(refused, 422)["code"] == "opted_out"
    for body, wrong in ((said | {"marketing": "unknown"}, {"marketing"}), ({"marketing": "opted_in"}, {"source"}),
                        (said | {"source": " "}, {"source"}), (said | {"evidence": "x" * 2001}, {"evidence"}),
                        ({}, {"marketing", "source"})):
        answer = await script.post(where, json=body)
        problem(answer, 422)
        assert fields(answer).keys() == wrong, body
    problem(await script.post(f"/api/v1/contacts/{STRANGE_ID}/consent", json=said), 404)


async def test_who_opted_out_stays_so_after_being_deleted_and_made_again(scripting: Scripting) -> None:
    script = await scripting.script()
    ana = (await script.post("/api/v1/contacts", json=ANA | {"marketing_consent": "opted_out"})).json()
    assert ana["marketing_consent"] == "opted_out"
    await script.delete(f"/api/v1/contacts/{ana['id']}")
    again = await script.post("/api/v1/contacts", json={"phone": ANA["phone"], "name": "Ana"})
    assert again.status_code == 201 and again.json()["marketing_consent"] == "opted_out"


async def test_pages_stay_right_while_contacts_come_and_go(scripting: Scripting) -> None:
    script = await scripting.script()
    made = [(await script.post("/api/v1/contacts", json={"phone": f"+1415555020{number}"})).json()["id"]
            for number in range(7)]
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(4):
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await script.get("/api/v1/contacts", params=params)).json()
        seen += [row["id"] for row in page["items"]]
        cursor = page["next_cursor"]
        await script.post("/api/v1/contacts", json={"phone": f"+1415555030{len(seen)}"})
        if len(seen) == 2:
            await script.delete(f"/api/v1/contacts/{made[5]}")
    assert seen == list(reversed(made)) and cursor is None


async def test_another_workspaces_contacts_do_not_exist(scripting: Scripting) -> None:
    script, theirs = await scripting.script(), await scripting.script(tenant=scripting.world.globex)
    ana = (await script.post("/api/v1/contacts", json=ANA)).json()
    where = f"/api/v1/contacts/{ana['id']}"
    for answer in (await theirs.get(where), await theirs.patch(where, json={"name": "x"}), await theirs.delete(where),
                   await theirs.post(where + "/consent", json={"marketing": "opted_out", "source": "x"})):
        problem(answer, 404)
    assert (await theirs.get("/api/v1/contacts")).json()["items"] == []
    assert (await theirs.get("/api/v1/contacts", params={"phone": "+14155550202"})).json()["items"] == []
    assert (await theirs.get("/api/v1/tags")).json()["items"] == []
    assert (await theirs.post("/api/v1/contacts", json=ANA)).status_code == 201


async def test_tags(scripting: Scripting) -> None:
    script = await scripting.script()
    names = ["vip", "Berlin", "new", "absent"]
    for name in names:
        answer = await script.post("/api/v1/tags", json={"name": f" {name} "})
        assert answer.status_code == 201 and answer.json()["name"] == name
    problem(await script.post("/api/v1/tags", json={"name": "VIP"}), 409)
    for body, wrong in (({"name": ""}, {"name"}), ({"name": "x" * 41}, {"name"}), ({}, {"name"}),
                        ({"name": "a", "colour": "red"}, {"colour"})):
        answer = await script.post("/api/v1/tags", json=body)
        assert fields(answer).keys() == wrong, body
    first = (await script.get("/api/v1/tags", params={"limit": 3})).json()
    rest = (await script.get("/api/v1/tags", params={"cursor": first["next_cursor"]})).json()
    assert [row["name"] for row in first["items"] + rest["items"]] == ["absent", "Berlin", "new", "vip"]
    assert rest["next_cursor"] is None


async def test_what_a_script_changes_stands_in_the_audit_with_its_key(scripting: Scripting) -> None:
    script = await scripting.script()
    ana = (await script.post("/api/v1/contacts", json=ANA)).json()
    await script.patch(f"/api/v1/contacts/{ana['id']}", json={"name": "A."})
    await script.delete(f"/api/v1/contacts/{ana['id']}")
    async with scripting.world.workspace(scripting.world.acme) as workspace:
        rows = await workspace.db.rows("SELECT actor_kind, actor_name, action FROM audit_event "
                                       "WHERE object_kind = 'contact' ORDER BY sequence")
    assert rows == [("api_key", "test", "contact.created"), ("api_key", "test", "contact.edited"),
                    ("api_key", "test", "contact.deleted")]
