"""What one asks of the customer's phone, where it can be asked; and what WhatsApp said a message cost."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.http.inbox_setup import Talk, talk
from tests.http.test_list_filters import change
from tests.support.world import World

HTMX = {"HX-Request": "true"}


async def offered(world: World, said: Talk) -> set[str]:
    page = (await (await world.session("alice")).get(said.base)).text
    return {kind for kind in ("location", "phone", "address") if f"/compose/ask_{kind}" in page}


async def test_only_what_can_be_answered_is_offered(world: World) -> None:
    assert await offered(world, await talk(world)) == {"location"}
    unknown = await talk(world, name="Noor", phone=None, username="noor.makes")
    assert await offered(world, unknown) == {"location", "phone"}
    indian = await talk(world, name="Asha", phone="919845012345")
    assert await offered(world, indian) == {"location"}, "our number is none of India's"
    await change(world, "UPDATE channel SET display_phone = ?", "+91 98450 00000")
    assert await offered(world, indian) == {"location", "address"}


@pytest.mark.parametrize(("kind", "sent"), [
    ("ask_phone", {"type": "request_contact_info", "action": {"name": "request_contact_info"}}),
    ("ask_address", {"type": "address_message", "action": {"name": "address_message",
                                                           "parameters": {"country": "IN"}}})])
async def test_asked_with_ones_own_words(world: World, kind: str, sent: dict[str, Any]) -> None:
    said, alice = await talk(world), await world.session("alice")
    form = (await alice.get(f"{said.base}/compose/{kind}", headers=HTMX)).text
    assert "data-compose" in form and "</textarea>" in form
    refused = await alice.post(f"{said.base}/messages", data={"type": kind, "body": ""}, headers=HTMX)
    assert refused.status_code == 422 and "data-compose" in refused.text
    assert (await alice.post(f"{said.base}/messages", data={"type": kind, "body": "Please"}, headers=HTMX)
            ).status_code == 200
    message, = await said.sent()
    assert message.content["interactive"] == sent | {"body": {"text": "Please"}}


@pytest.mark.parametrize(("pricing", "words"), [
    ({"billable": True, "type": "regular", "category": "utility"}, "Utility message: charged by WhatsApp"),
    ({"billable": False, "type": "free_customer_service", "category": "service"},
     "Service message: free, in reply to the customer"),
    ({"type": "free_entry_point", "category": "marketing"}, "Marketing message: free, the customer came from an ad"),
    ({"billable": False, "category": "new_kind"}, "Message: free")])
async def test_what_a_message_cost_in_words(world: World, pricing: dict[str, Any], words: str) -> None:
    said, alice = await talk(world), await world.session("alice")
    message = await said.reply(alice, "Yes, from ten")
    await change(world, "UPDATE message SET pricing_json = ?", msgspec.json.encode(pricing).decode())
    page = (await alice.get(said.base)).text
    assert page.count("data-price=") == 1, "only our own messages have one"
    assert f'data-price="{words}"' in page and f'id="m-{message.id}"' in page
