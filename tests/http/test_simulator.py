"""The simulator over real HTTP: Graph API, signed webhooks to a small receiver, every switch, the phone's JSON."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import uvicorn

from chime.clock import Clock
from chime.simulator import Number, Pace, Simulator, Template, create_app, seed

SECRET = "the app's secret"
TOKEN = "EAAsimulated"
PNID, WABA, BUSINESS = "411222333444555", "377001122334455", "15550100200"
GRAPH = "/simulator/graph/v25.0"
PHONE = "14155550101"


class Server(uvicorn.Server):
    """uvicorn beside the test, in the same loop, leaving the test runner's signals alone."""

    def __init__(self, app: Any) -> None:
        super().__init__(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1, ws="none"))
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(app)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await server.listening.wait()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


class Receiver:
    """What Chime is to the simulator: takes POSTs, answers what it is told to (200 when told nothing)."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        answer = b""
        if scope["method"] == "GET":
            query = httpx.QueryParams(scope["query_string"].decode())
            right = query.get("hub.verify_token") == "verify me"
            status, answer = (200, query["hub.challenge"].encode()) if right else (403, b"")
        else:
            self.posts.append(({name.decode(): value.decode() for name, value in scope["headers"]}, body))
            status = self.answers.pop(0) if self.answers else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": answer})

    @property
    def changes(self) -> list[dict[str, Any]]:
        bodies = [json.loads(body) for _, body in self.posts]
        return [change for body in bodies for entry in body["entry"] for change in entry["changes"]]

    def items(self, name: str) -> list[dict[str, Any]]:
        return [item for change in self.changes for item in change["value"].get(name, [])]

    @property
    def statuses(self) -> list[str]:
        return [item["status"] for item in self.items("statuses")]


class Setup:
    """A simulator with one number, a customer in the window, and an HTTP client on it."""

    def __init__(self, simulator: Simulator, receiver: Receiver, http: httpx.AsyncClient, webhook: str) -> None:
        self.simulator, self.receiver, self.http, self.webhook = simulator, receiver, http, webhook

    async def customer(self, **fields: Any) -> str:
        answer = await self.http.post("/simulator/customers", json={"name": "Maya", "phone": PHONE, **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def writes(self, customer: str, body: dict[str, Any] | None = None) -> str:
        body = body or {"type": "text", "text": {"body": "hi"}}
        answer = await self.http.post(f"/simulator/customers/{customer}/messages", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["wamid"])

    async def send(self, body: dict[str, Any], **envelope: Any) -> httpx.Response:
        whole = {"messaging_product": "whatsapp", "to": f"+{PHONE}", **envelope, **body}
        return await self.http.post(f"{GRAPH}/{PNID}/messages", json={k: v for k, v in whole.items() if v is not None})

    async def text(self, **envelope: Any) -> httpx.Response:
        return await self.send({"type": "text", "text": {"body": "hello"}}, **envelope)

    async def upload(self, content: bytes, mime_type: str) -> httpx.Response:
        return await self.http.post(
            f"{GRAPH}/{PNID}/media", data={"messaging_product": "whatsapp", "type": mime_type},
            files={"file": ("file", content, mime_type)},
        )

    async def switch(self, **switches: Any) -> None:
        answer = await self.http.put("/simulator/switches", json=switches)
        assert answer.status_code == 200, answer.text

    async def settled(self) -> None:
        assert await self.simulator.settled(5)

    async def quiet(self) -> None:
        """Wait for what is under way and forget it."""
        await self.settled()
        self.receiver.posts.clear()


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    receiver = Receiver()
    async with served(receiver) as webhook:
        simulator = Simulator(Clock(), pace=Pace(sent=0, delivered=0, read=0), retry_delays=(0.05, 0.1, 0.2))
        simulator.add_app(
            app_id="900", app_secret=SECRET, verify_token="verify me", webhook_url=webhook, access_token=TOKEN
        )
        simulator.world.add_number(
            Number(phone_number_id=PNID, waba_id=WABA, display_phone_number=BUSINESS, verified_name="Shop"),
            subscribed_app="900",
        )
        async with served(create_app(simulator)) as address:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with httpx.AsyncClient(base_url=address, headers=headers, trust_env=False) as http:
                yield Setup(simulator, receiver, http, webhook)


def code(answer: httpx.Response) -> int:
    return int(answer.json()["error"]["code"])


async def test_a_message_is_posted_signed_over_its_own_bytes(setup: Setup) -> None:
    customer = await setup.customer()
    wamid = await setup.writes(customer, {"type": "text", "text": {"body": "Grüße/🙂"}})
    await setup.settled()
    headers, body = setup.receiver.posts[0]
    wanted = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["x-hub-signature-256"] == wanted
    assert b"Gr\\u00fc\\u00dfe\\/\\ud83d\\ude42" in body
    message = setup.receiver.items("messages")[0]
    assert (message["id"], message["from"], message["text"]["body"]) == (wamid, PHONE, "Grüße/🙂")
    assert PHONE.encode() in base64.b64decode(wamid.removeprefix("wamid."))
    assert setup.receiver.changes[0]["value"]["metadata"]["phone_number_id"] == PNID


async def test_a_reply_gets_its_ticks_with_callback_data_and_price(setup: Setup) -> None:
    await setup.writes(await setup.customer())
    await setup.quiet()
    answer = await setup.text(biz_opaque_callback_data="row:1")
    assert answer.status_code == 200
    assert answer.json()["contacts"] == [{"input": f"+{PHONE}", "wa_id": PHONE}]
    await setup.settled()
    assert setup.receiver.statuses == ["sent", "delivered", "read"]
    items = setup.receiver.items("statuses")
    assert {item["id"] for item in items} == {answer.json()["messages"][0]["id"]}
    assert all(item["biz_opaque_callback_data"] == "row:1" and item["recipient_user_id"] for item in items)
    assert items[0]["pricing"]["type"] == "free_customer_service"
    assert setup.receiver.items("contacts")[0]["wa_id"] == PHONE


async def test_someone_known_by_username_only_has_no_number_anywhere(setup: Setup) -> None:
    customer = await setup.customer(name="Noor", phone=None, username="@noor.makes")
    await setup.writes(customer)
    await setup.settled()
    message, contact = setup.receiver.items("messages")[0], setup.receiver.items("contacts")[0]
    assert "from" not in message and "wa_id" not in contact
    assert contact["profile"] == {"name": "Noor", "username": "noor.makes"}
    user_id = message["from_user_id"]
    answer = await setup.text(to=None, recipient=user_id)
    assert answer.json()["contacts"] == [{"input": user_id, "user_id": user_id}]
    await setup.settled()
    assert setup.receiver.statuses == ["sent", "delivered", "read"]
    assert all("recipient_id" not in item for item in setup.receiver.items("statuses"))


async def test_a_user_id_given_as_a_number_fails_later_not_at_once(setup: Setup) -> None:
    template = Template(
        template_id="1000000000000001", name="plain", language="en", category="UTILITY",
        components=[{"type": "BODY", "text": "Hello"}],
    )
    setup.simulator.world.add_template(WABA, template)
    body = {"type": "template", "template": {"name": "plain", "language": {"code": "en"}}}
    answer = await setup.send(body, to="US.13491208655302741918")
    assert answer.json()["contacts"][0]["wa_id"] == "13491208655302741918"
    await setup.settled()
    failed = setup.receiver.items("statuses")[0]
    assert (failed["status"], failed["errors"][0]["code"]) == ("failed", 131026)


async def test_outside_the_window_only_a_template_goes(setup: Setup) -> None:
    await setup.writes(await setup.customer())
    assert (await setup.text()).status_code == 200
    answer = await setup.http.post("/simulator/clock", json={"hours": 25})
    assert answer.json()["ahead_ms"] == 25 * 3600 * 1000
    refused = await setup.text()
    assert (refused.status_code, code(refused)) == (400, 131047)
    assert "24 hours" in refused.json()["error"]["error_data"]["details"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"messaging_product": None}, 100),
        ({"to": None}, 131008),
        ({"to": f"+{BUSINESS}"}, 131021),
        ({"recipient": "not one", "to": None}, 131009),
        ({"surprise": 1}, 100),
        ({"type": "telegram"}, 100),
        ({"type": "text", "text": {"body": ""}}, 131008),
        ({"type": "text", "text": {"body": "x" * 4097}}, 100),
        ({"type": "text", "text": {"body": "x", "previewUrl": True}}, 100),
        ({"type": "image", "image": {"id": "1", "link": "https://x.test/a.png"}}, 100),
        ({"type": "image", "image": {"id": "123"}}, 131009),
        ({"type": "location", "location": {"latitude": 91, "longitude": 0}}, 131009),
        ({"type": "contacts", "contacts": [{"name": {"formatted_name": "Ana"}}]}, 131009),
        ({"biz_opaque_callback_data": "x" * 513}, 100),
        ({"type": "interactive", "interactive": {"type": "button", "body": {"text": "?"}, "action": {"buttons": [
            {"type": "reply", "reply": {"id": str(n), "title": "same"}} for n in range(2)]}}}, 131009),
        ({"type": "interactive", "interactive": {"type": "list", "body": {"text": "?"}, "action": {
            "button": "More", "sections": [{"rows": [{"id": str(n), "title": "x"} for n in range(11)]}]}}}, 131009),
        ({"type": "template", "template": {"name": "nowhere", "language": {"code": "en"}}}, 132001),
    ],
)  # fmt: skip
async def test_what_meta_refuses_is_refused_and_not_accepted(
    setup: Setup, body: dict[str, Any], expected: int,
) -> None:
    await setup.writes(await setup.customer())
    answer = await setup.send({"type": "text", "text": {"body": "x"}, **body})
    assert code(answer) == expected
    assert (await setup.http.get("/simulator/ledger")).json()["items"] == []


async def test_unknown_number_and_bad_tokens(setup: Setup) -> None:
    answer = await setup.http.post(f"{GRAPH}/999/messages", json={"messaging_product": "whatsapp"})
    assert (answer.status_code, code(answer)) == (400, 33)
    for headers in ({"Authorization": "Bearer wrong"}, {"Authorization": ""}):
        answer = await setup.http.get(f"{GRAPH}/{PNID}", headers=headers)
        assert (answer.status_code, code(answer)) == (401, 190)
    proof = hmac.new(SECRET.encode(), TOKEN.encode(), hashlib.sha256).hexdigest()
    assert (await setup.http.get(f"{GRAPH}/{PNID}?appsecret_proof={proof}")).status_code == 200
    assert code(await setup.http.get(f"{GRAPH}/{PNID}?appsecret_proof=0")) == 100
    assert code(await setup.http.post(f"{GRAPH}/{PNID}/messages", content=b"{")) == 100
    await setup.switch(token_expired=True)
    assert code(await setup.http.get(f"{GRAPH}/{PNID}")) == 190


async def test_templates_count_their_parameters(setup: Setup) -> None:
    await seed(setup.simulator, PNID)

    async def answer_to(name: str, *components: dict[str, Any]) -> httpx.Response:
        template = {"name": name, "language": {"code": "en"}, "components": list(components)}
        return await setup.send({"type": "template", "template": template})

    def body(*texts: str, names: tuple[str, ...] = ()) -> dict[str, Any]:
        named = [{"parameter_name": name} for name in names] or [{} for _ in texts]
        pairs = zip(texts, named, strict=True)
        return {"type": "body", "parameters": [{"type": "text", "text": text, **name} for text, name in pairs]}

    url = {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "7"}]}
    assert (await answer_to("order_confirmation", body("Maya", "7"), url)).status_code == 200
    assert code(await answer_to("order_confirmation", body("Maya"), url)) == 132000
    assert code(await answer_to("order_confirmation", body("Maya", "7"))) == 132000
    assert code(await answer_to("order_confirmation", body("Maya", "a\nb"), url)) == 132018
    assert code(await answer_to("welcome_offer", body("Maya"))) == 132012
    assert code(await answer_to("delivery_update", body("7", "Friday"))) in (100, 132000)
    await setup.settled()
    known = (await setup.http.get(f"{GRAPH}/{WABA}/message_templates?name=welcome_offer")).json()["data"]
    await setup.http.post(f"/simulator/templates/{known[0]['id']}/status", json={"event": "PAUSED"})
    assert code(await answer_to("welcome_offer", body("Maya"))) == 132015
    await setup.settled()
    changed = [one for one in setup.receiver.changes if one["field"] == "message_template_status_update"]
    assert changed[0]["value"]["message_template_id"] == int(known[0]["id"])


async def test_templates_are_listed_in_pages(setup: Setup) -> None:
    await seed(setup.simulator, PNID, deliver=False)
    names: list[str] = []
    address: str | None = f"{GRAPH}/{WABA}/message_templates?limit=4&fields=name,language"
    while address:
        page = (await setup.http.get(address)).json()
        assert all(set(row) == {"id", "name", "language"} for row in page["data"])
        names += [row["name"] for row in page["data"]]
        address = page["paging"].get("next")
    assert len(names) == len(setup.simulator.world.templates[WABA]) == 9
    assert setup.receiver.posts == []


async def test_media_goes_up_and_comes_down(setup: Setup) -> None:
    customer = await setup.customer()
    await setup.writes(customer, {"type": "image", "image": {"caption": "look"}})
    await setup.settled()
    image = setup.receiver.items("messages")[0]["image"]
    shown = (await setup.http.get(f"{GRAPH}/{image['id']}?phone_number_id={PNID}")).json()
    assert (await setup.http.get(shown["url"], headers={"Authorization": ""})).status_code == 401
    content = (await setup.http.get(shown["url"])).content
    assert hashlib.sha256(content).hexdigest() == shown["sha256"] == base64.b64decode(image["sha256"]).hex()
    await setup.http.post("/simulator/clock", json={"hours": 0.1})
    assert (await setup.http.get(shown["url"])).status_code == 404
    uploaded = (await setup.upload(content, "image/png")).json()["id"]
    assert (await setup.send({"type": "image", "image": {"id": uploaded}})).status_code == 200
    assert code(await setup.upload(b"x", "image/tiff")) == 100
    assert code(await setup.upload(b"x" * (5 << 20) + b"x", "image/png")) == 131053
    voice = (await setup.upload(b"OggS", "audio/ogg")).json()["id"]
    await setup.quiet()
    assert (await setup.send({"type": "image", "image": {"id": voice}})).status_code == 200
    await setup.settled()
    assert setup.receiver.statuses == ["sent", "failed"]
    assert (await setup.http.delete(f"{GRAPH}/{uploaded}")).json() == {"success": True}
    assert code(await setup.http.get(f"{GRAPH}/{uploaded}")) == 33


async def test_retries_until_the_answer_is_200(setup: Setup) -> None:
    setup.receiver.answers = [503, 201, 302]
    await setup.writes(await setup.customer())
    await setup.settled()
    assert len(setup.receiver.posts) == 4
    assert len({body for _, body in setup.receiver.posts}) == 1
    deliveries = (await setup.http.get("/simulator/deliveries")).json()
    assert [one["status"] for one in deliveries["items"]] == [503, 201, 302, 200]
    assert (deliveries["open"], deliveries["lost"]) == (0, 0)


async def test_gives_up_at_the_end_and_says_so(setup: Setup) -> None:
    setup.receiver.answers = [500] * 4
    await setup.writes(await setup.customer())
    await setup.settled()
    assert (await setup.http.get("/simulator/deliveries")).json()["lost"] == 1


async def test_deliver_twice_and_batch(setup: Setup) -> None:
    customer = await setup.customer()
    await setup.switch(deliver_twice=True)
    await setup.writes(customer)
    await setup.settled()
    assert len(setup.receiver.posts) == 2 and setup.receiver.posts[0][1] == setup.receiver.posts[1][1]
    await setup.switch(deliver_twice=False, batch=3)
    setup.receiver.posts.clear()
    wamids = [await setup.writes(customer) for _ in range(5)]
    await setup.settled()
    sizes = [len(json.loads(body)["entry"][0]["changes"][0]["value"]["messages"]) for _, body in setup.receiver.posts]
    assert max(sizes) == 3 and sum(sizes) == 5
    assert [item["id"] for item in setup.receiver.items("messages")] == wamids


async def test_out_of_order_turns_the_ticks_round(setup: Setup) -> None:
    await setup.writes(await setup.customer())
    await setup.quiet()
    await setup.switch(out_of_order=True)
    await setup.text()
    await setup.settled()
    assert setup.receiver.statuses == ["read", "delivered", "sent"]


async def test_refusals_on_demand_accept_nothing(setup: Setup) -> None:
    await setup.writes(await setup.customer())
    await setup.switch(answer_429=1, answer_500=1, error_next=1, error_code=131048)
    answers = [await setup.text(biz_opaque_callback_data="row:1") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 500, 400, 200]
    assert [code(answer) for answer in answers[:3]] == [130429, 1, 131048]
    ledger = (await setup.http.get("/simulator/ledger")).json()
    assert ledger["count_by_callback_data"] == {"row:1": 1}


async def test_accept_then_drop_closes_without_a_byte_but_the_message_arrives(setup: Setup) -> None:
    customer = await setup.customer()
    await setup.writes(customer)
    await setup.quiet()
    await setup.switch(accept_then_drop=1)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response|Server disconnected"):
        await setup.text(biz_opaque_callback_data="row:1")
    await setup.settled()
    ledger = (await setup.http.get("/simulator/ledger")).json()
    assert [entry["dropped"] for entry in ledger["items"]] == [True]
    assert setup.receiver.statuses == ["sent", "delivered", "read"]
    assert (await setup.text()).status_code == 200


async def test_statuses_can_be_held_and_read_receipts_be_off(setup: Setup) -> None:
    await setup.writes(await setup.customer())
    await setup.quiet()
    await setup.switch(hold_statuses=True, no_read_receipts=True)
    await setup.text()
    assert not await setup.simulator.settled(0.2)
    assert setup.receiver.posts == []
    await setup.switch(hold_statuses=False)
    await setup.settled()
    assert setup.receiver.statuses == ["sent", "delivered"]


async def test_failing_later_and_the_pair_limit(setup: Setup) -> None:
    await setup.writes(await setup.customer())
    await setup.quiet()
    await setup.switch(fail_next=1, fail_code=131049, pair_limit=True)
    answers = [await setup.text() for _ in range(46)]
    assert [answer.status_code for answer in answers] == [200] * 45 + [400]
    assert code(answers[-1]) == 131056
    await setup.settled()
    failed = [item for item in setup.receiver.items("statuses") if item["status"] == "failed"]
    assert [item["errors"][0]["code"] for item in failed] == [131049]


async def test_delays(setup: Setup) -> None:
    await setup.switch(delay_ms=150, answer_delay_ms=150)
    clock = setup.simulator.clock
    started = clock.monotonic()
    await setup.http.get(f"{GRAPH}/{PNID}")
    assert clock.monotonic() - started >= 0.15
    await setup.writes(await setup.customer())
    await setup.settled()
    assert clock.monotonic() - started >= 0.3


@pytest.mark.parametrize("body", [{"batch": 0}, {"delay_ms": "soon"}, {"surprise": True}, [1]])
async def test_a_wrong_switch_is_named(setup: Setup, body: Any) -> None:
    answer = await setup.http.put("/simulator/switches", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == (next(iter(body)) if isinstance(body, dict) else "switches")


async def test_subscriptions(setup: Setup) -> None:
    customer = await setup.customer()
    address = f"{GRAPH}/{WABA}/subscribed_apps"
    assert (await setup.http.get(address)).json()["data"][0]["whatsapp_business_api_data"]["id"] == "900"
    await setup.http.delete(address)
    await setup.writes(customer)
    await setup.settled()
    assert setup.receiver.posts == []
    override = {"override_callback_uri": f"{setup.webhook}/t7", "verify_token": "wrong"}
    assert code(await setup.http.post(address, json=override)) == 100
    assert (await setup.http.post(address, json={**override, "verify_token": "verify me"})).status_code == 200
    assert (await setup.http.get(address)).json()["data"][0]["override_callback_uri"] == f"{setup.webhook}/t7"
    await setup.writes(customer)
    await setup.settled()
    assert len(setup.receiver.posts) == 1


async def test_number_fields_and_token(setup: Setup) -> None:
    shown = (await setup.http.get(f"{GRAPH}/{PNID}?fields=verified_name,throughput{{level}},quality_rating")).json()
    assert shown == {
        "verified_name": "Shop", "throughput": {"level": "STANDARD"}, "quality_rating": "GREEN", "id": PNID
    }
    assert code(await setup.http.get(f"{GRAPH}/{PNID}?fields=shoe_size")) == 100
    token = (await setup.http.get(f"{GRAPH}/debug_token?input_token={TOKEN}")).json()["data"]
    assert token["is_valid"] and token["app_id"] == "900" and "whatsapp_business_messaging" in token["scopes"]
    await setup.switch(token_expired=True)
    asked = f"{GRAPH}/debug_token?input_token={TOKEN}"
    answer = await setup.http.get(asked, headers={"Authorization": f"Bearer 900|{SECRET}"})
    assert answer.json()["data"]["is_valid"] is False


async def test_reading_and_typing(setup: Setup) -> None:
    customer = await setup.customer()
    wamid = await setup.writes(customer)
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid}
    answer = await setup.http.post(f"{GRAPH}/{PNID}/messages", json={**body, "typing_indicator": {"type": "text"}})
    assert answer.json() == {"success": True}
    chat = (await setup.http.get(f"/simulator/customers/{customer}/messages")).json()
    assert chat["typing"] and chat["items"][0]["status"] == "read"
    body["message_id"] = "wamid.unknown"
    assert code(await setup.http.post(f"{GRAPH}/{PNID}/messages", json=body)) == 131009
