"""Fields a workspace defines: made on their page and by scripts, filled in beside a conversation, and checked."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx

from tests.http.inbox_setup import Talk, leaving, rows, talk
from tests.support.world import World

HTMX = {"HX-Request": "true"}
SETTINGS = "/w/acme/settings/fields"


async def define(world: World, label: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    async with world.client(await world.key(world.acme)) as script:
        answer = await script.post("/api/v1/fields", json={"subject": "contact", "label": label, "kind": kind} | more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def fill(client: httpx.AsyncClient, said: Talk, key: str, *values: str) -> httpx.Response:
    return await client.post(f"/w/acme/contacts/{said.contact_id}/fields", data={"key": key, "value": list(values)},
                             headers=HTMX | {"HX-Current-URL": f"{said.world.base}{said.base}"})


async def test_a_field_is_made_moved_changed_and_removed_on_its_page(world: World) -> None:
    alice = await world.session("alice")
    for label in ("Shirt size", "City"):
        made = await alice.post(SETTINGS, data={"subject": "contact", "label": label, "kind": "select",
                                                "options": "S\nM\n\n M "})
        assert made.status_code == 303, made.text
    (first, second), = [await rows(world, world.acme, "SELECT id, key, options_json FROM custom_field "
                                   "ORDER BY position")]
    assert [first[1:], second[1:]] == [("shirt_size", '["S","M"]'), ("city", '["S","M"]')]
    await alice.post(f"{SETTINGS}/{second[0]}/place", data={"by": "up"})
    page = (await alice.get(SETTINGS)).text
    assert page.index("<b dir=\"auto\">City") < page.index("<b dir=\"auto\">Shirt size")
    refused = await alice.post(f"{SETTINGS}/{first[0]}", data={"label": "", "options": ""})
    assert refused.status_code == 422 and "A label has 1 to 60" in refused.text
    assert "Give at least one choice" in refused.text
    assert (await alice.post(SETTINGS, data={"subject": "contact", "label": "city", "kind": "text"})).status_code == 422
    async with leaving(world, alice) as left:
        await alice.post(f"{SETTINGS}/{first[0]}/removal")
    assert left.audit == [("field.deleted", "field", first[0])]


async def test_only_who_sets_up_the_workspace_defines_fields(world: World) -> None:
    for name in ("mo", "bob", "vera"):
        assert (await (await world.session(name)).get(SETTINGS)).status_code == 403


async def test_each_kind_takes_what_fits_and_says_what_does_not(world: World) -> None:
    said, alice = await talk(world), await world.session("alice")
    kinds = {"text": ("  Pune  ", "Pune", None), "number": ("4.50", 4.5, "four"),
             "email": ("maya@example.com", "maya@example.com", "maya"), "date": ("2026-11-23", "2026-11-23", "23.11."),
             "date_time": ("2026-11-23T09:30", "2026-11-23T09:30:00.000Z", "soon"), "switch": ("true", True, "maybe"),
             "phone": ("+1 415 555 0199", "+14155550199", "12"), "url": ("https://example.com/a", "https://example.com/a",
                                                                         "javascript:alert(1)"),
             "select": ("M", "M", "XL")}
    for kind, (typed, kept, wrong) in kinds.items():
        field = await define(world, f"A {kind}", kind, options=["S", "M"] if kind == "select" else [])
        assert (await fill(alice, said, field["key"], typed)).status_code == 200
        if wrong is not None:
            refused = await fill(alice, said, field["key"], wrong)
            assert refused.status_code == 422 and f'id="fields.{field["key"]}-error"' in refused.text, kind
        async with world.client(world.acme.key or await world.key(world.acme)) as script:
            contact = (await script.get(f"/api/v1/contacts/{said.contact_id}")).json()
        assert contact["fields"][field["key"]] == kept, kind


async def test_several_of_a_list_and_the_way_back(world: World) -> None:
    said, alice = await talk(world), await world.session("alice")
    field = await define(world, "Colours", "multi_select", options=["red", "green", "blue"])
    await fill(alice, said, field["key"], "", "blue", "red")
    assert await _values(world, said) == '{"colours":["red","blue"]}'
    emptied = await fill(alice, said, field["key"], "")
    assert await _values(world, said) == "{}"
    undo = json.loads(emptied.headers["HX-Trigger"])["toast"]["undo"]
    assert undo["values"] == {"key": field["key"], "value": "red\nblue", "again": "1"}
    await alice.post(f"/w/acme/contacts/{said.contact_id}/fields",
                     data={"key": field["key"], "value": "red\nblue", "again": "1"}, headers=HTMX)
    assert await _values(world, said) == '{"colours":["red","blue"]}'


async def test_a_choice_that_left_the_list_stays_where_it_was_made(world: World) -> None:
    said, alice = await talk(world), await world.session("alice")
    field = await define(world, "Colours", "multi_select", options=["red", "green", "blue"])
    await fill(alice, said, field["key"], "", "blue", "red")
    async with world.client(await world.key(world.acme)) as script:
        changed = await script.patch(f"/api/v1/fields/{field['id']}", json={"options": ["red", "green"]})
        assert changed.status_code == 200, changed.text
    page = (await alice.get(said.base)).text
    assert re.search(r'value="blue" checked', page), "it is shown"
    await fill(alice, said, field["key"], "", "green", "blue", "red")
    assert await _values(world, said) == '{"colours":["red","green","blue"]}'
    await fill(alice, said, field["key"], "", "red")
    assert await _values(world, said) == '{"colours":["red"]}'
    refused = await fill(alice, said, field["key"], "", "red", "blue")
    assert refused.status_code == 422 and "Choose from the list." in refused.text, "once taken back it is gone"


async def _values(world: World, said: Talk) -> str:
    (found,), = await rows(world, world.acme, "SELECT fields_json FROM contact WHERE id = ?", said.contact_id)
    return str(found)


async def test_what_must_be_filled_in_is_not_emptied_and_an_old_value_stays_readable(world: World) -> None:
    said, alice = await talk(world), await world.session("alice")
    async with world.client(await world.key(world.acme)) as script:
        await script.patch(f"/api/v1/contacts/{said.contact_id}", json={"fields": {"city": "Pune", "old": "kept"}})
        field = await define(world, "City", is_required=True)
        refused = await fill(alice, said, "city", "")
        assert refused.status_code == 422 and "This field is needed." in refused.text
        assert 'value="Pune"' in (await alice.get(said.base)).text, "a value from before the definition is in its field"
        await script.patch(f"/api/v1/fields/{field['id']}", json={"is_on": False})
        page = (await alice.get(said.base)).text
        assert "Pune" in page and 'name="key" value="city"' not in page and "kept" in page
        assert (await script.patch(f"/api/v1/contacts/{said.contact_id}",
                                   json={"fields": {"city": None}})).status_code == 200


async def test_a_number_in_a_field_is_masked_like_any_other(world: World) -> None:
    said, alice, vera = await talk(world), await world.session("alice"), await world.session("vera")
    field = await define(world, "Office", "phone")
    await fill(alice, said, field["key"], "+14155550177")
    assert "+14155550177" in (await alice.get(said.base)).text
    page = (await vera.get(said.base)).text
    assert "4155550177" not in page and "Office" in page


async def test_no_number_is_too_large_to_be_refused(world: World) -> None:
    said = await talk(world)
    field = await define(world, "Size", "number")
    async with world.client(await world.key(world.acme)) as script:
        for typed in ("1" + "0" * 400, "-1" + "0" * 400, "1" + "0" * 30):
            refused = await script.patch(f"/api/v1/contacts/{said.contact_id}",
                                         content=f'{{"fields": {{"{field["key"]}": {typed}}}}}',
                                         headers={"Content-Type": "application/json"})
            assert refused.status_code == 422, refused.text
            assert refused.json()["errors"] == [{"field": f"fields.{field['key']}",
                                                 "message": "The value is a number, such as 12 or 4.5."}]


async def test_a_conversation_has_fields_of_its_own(world: World) -> None:
    said, alice = await talk(world), await world.session("alice")
    field = await define(world, "Order", "number", subject="conversation")
    answer = await alice.post(f"{said.base}/fields", data={"key": field["key"], "value": "1042"},
                              headers=HTMX | {"HX-Current-URL": f"{world.base}{said.base}"})
    assert answer.status_code == 200 and 'value="1042"' in answer.text
    address = f"/api/v1/conversations/{said.id}/fields"
    async with world.client(await world.key(world.acme)) as script:
        assert (await script.get(address)).json() == {"fields": {"order": 1042}}
        assert (await script.patch(address, json={"fields": {"order": None}})).json() == {"fields": {}}
        strange = await script.patch(address, json={"fields": {"colour": "red"}})
        assert strange.status_code == 422 and strange.json()["errors"][0]["field"] == "fields.colour"
