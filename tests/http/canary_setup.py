"""The day of `test_canaries`: what people do on it to their accounts, numbers and data, and who looks at everything
then. Every secret that is made on the way is written down as a canary, with the answers that show it once.
"""

from __future__ import annotations

import base64
import re

import httpx
import pytest

from chime.accounts.api_keys import create_api_key
from chime.app import FEATURES
from chime.security.permissions import OPERATOR, Role
from chime.simulator import graph as simulated_graph
from chime.simulator import write
from chime.simulator.graph_errors import GraphError
from chime.whatsapp import GraphClient
from tests.http.account_setup import new_app, second_step, sign_in
from tests.http.all_routes import NOTHING
from tests.http.data_setup import ask as ask_for
from tests.http.data_setup import decide, exported, newest
from tests.http.inbox_setup import indexed, listening, rows
from tests.http.inbox_setup import text as words
from tests.http.people_setup import browser, id_of, person, signed_up
from tests.http.support_setup import ask as ask_to_be_let_in
from tests.http.support_setup import let_in, operator
from tests.support.canaries import PERSON, SECRETS, day
from tests.support.canary_search import NUMBER, SECRET, WORDS, Canary
from tests.support.mail_server import MailServer
from tests.support.world import ACCESS_TOKEN, VERIFY_TOKEN, World

NEW_TOKEN, NEW_SECRET = "EAAcanarytokenthatfollows0123456789", "the app secret that follows"
NEW_PASSWORD = "an unlikely canary sentence"
RESET = re.compile(r"/reset-password/([\w-]+)")
INVITED = re.compile(r"/invitations/([\w-]+)")
NUMBERS = {"the number", "the number as shown", "another number"}
OPEN_SECRETS = {"the access token", "the app's secret", "the verify token", "the password", "a wrong password",
                "the master key", "the master key in hex", "a stranger's key"}


class Script:
    """The rest of the day: what people do to their accounts, numbers and data."""

    def __init__(self, world: World, server: MailServer) -> None:
        self.world = world
        self.server = server
        self.found: list[Canary] = []

    def made(self, what: str, text: str, *shown: tuple[str, str, str], kind: str = SECRET) -> str:
        self.found.append(Canary(what, text.encode(), kind, shown))
        return text

    async def live(self) -> None:
        for what, secret in (await day(self.world)).items():
            if what in OPEN_SECRETS or what == "the API key":
                self.made(what, secret)
            elif what.startswith("the cookie"):
                self.made(f"Alice's {what}", secret, ("nobody", "POST", "/sign-in"))
            elif what == "the CSRF token":
                self.made(what, secret, ("alice", "GET", "/"), ("alice", "POST", "/"))
            else:
                self.made(what, secret, kind=NUMBER if what in NUMBERS else WORDS)
        await self.subscription()
        await self.passwords_and_links()
        await self.second_factor()
        await self.credentials()
        await self.keys()
        await self.refusal_that_echoes()
        await self.faults()

    async def subscription(self) -> None:
        """Meta asks whether it is really this app; others guess."""
        anybody = await browser(self.world)
        for token, status in ((VERIFY_TOKEN, 200), ("kazoo kazoo kazoo", 403)):
            query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": token}
            assert (await anybody.get(self.world.acme.webhook_path, params=query)).status_code == status

    async def mail(self, form: re.Pattern[str], number: int) -> str:
        """The secret of the so manieth link of this form that was mailed."""
        for _ in range(200):
            await self.world.services.mailer.send_due()
            links = [found[1] for mail in self.server.mails for found in form.finditer(mail.text)]
            if len(links) >= number:
                return links[number - 1]
        raise AssertionError("no such mail")

    async def passwords_and_links(self) -> None:
        stranger = await browser(self.world)
        await stranger.post("/forgot-password", data={"email": "kim@example.com"})
        await self.world.settle()
        token = self.made("a reset link", await self.mail(RESET, 1), ("nobody", "GET", "/reset-password/"),
                          ("nobody", "POST", "/reset-password/"))
        assert (await stranger.get(f"/reset-password/{token}")).status_code == 200
        for password, status in (("too short", 422), (NEW_PASSWORD, 303)):
            answer = await stranger.post(f"/reset-password/{token}", data={"password": password, "again": password})
            assert answer.status_code == status
        self.made("a new password", NEW_PASSWORD)
        alice = await self.world.session("alice")
        answer = await alice.post("/w/acme/settings/invitations", data={"email": "dana@example.com", "role": "agent"})
        assert answer.status_code in (200, 303)
        token = self.made("an invitation's link", await self.mail(INVITED, 1), ("nobody", "GET", "/invitations/"),
                          ("nobody", "POST", "/invitations/"), ("alice", "POST", "/w/acme/settings/invitations"))
        stranger = await browser(self.world)
        assert (await stranger.get(f"/invitations/{token}")).status_code == 200
        dana = await signed_up(self.world, token)
        self.made("Dana's cookie", dana.cookies["chime"], ("nobody", "POST", "/invitations/"))

    async def second_factor(self) -> None:
        kim = await browser(self.world)
        assert (await sign_in(kim, password=NEW_PASSWORD)).status_code == 303
        self.made("Kim's first cookie", kim.cookies["chime"], ("nobody", "POST", "/sign-in"))
        page = await kim.get("/me")
        kim.headers["X-CSRF-Token"] = page.text.split('name="csrf-token" content="')[1].split('"')[0]
        app = await new_app(self.world, kim)
        shown = (("kim", "GET", "/me/second-factor/app"), ("kim", "POST", "/me/second-factor/app"))
        secret = base64.b32encode(app.secret).decode().rstrip("=")
        self.made("the TOTP secret", secret, *shown)
        self.found.append(Canary("the TOTP secret's bytes", app.secret, SECRET))
        self.made("the TOTP secret as shown", "</span> <span>".join(
            secret[start:start + 4] for start in range(0, len(secret), 4)), *shown)
        for number, code in enumerate(app.recovery_codes):
            self.made(f"recovery code {number}", code, ("kim", "POST", "/me/second-factor/app/confirmation"))
            self.made(f"recovery code {number} without dashes", code.replace("-", ""))
        self.made("Kim's cookie", kim.cookies["chime"], ("kim", "POST", "/me/second-factor/app/confirmation"))
        again = await browser(self.world)
        await sign_in(again, password=NEW_PASSWORD)
        assert (await second_step(again, code="000000")).status_code == 422
        assert (await second_step(again, recovery_code=app.recovery_codes[0])).status_code == 303
        self.made("Kim's next cookie", again.cookies["chime"], ("nobody", "POST", "/sign-in/second-step"))
        self.world._clients["kim"] = kim

    async def credentials(self) -> None:
        alice, known = await self.world.session("alice"), self.world.simulator.world
        place = f"/w/acme/settings/channels/{self.world.acme.channel_id}"
        self.made("the next access token", NEW_TOKEN)
        self.made("the next app secret", NEW_SECRET)
        for field_name, text, status in (("access_token", NEW_TOKEN, 422), ("app_secret", NEW_SECRET, 422),
                                         ("verify_token", "the verify token that follows", 422)):
            answer = await alice.post(f"{place}/{field_name.replace('_', '-')}", data={field_name: text})
            assert answer.status_code == status
        self.made("the next verify token", "the verify token that follows")
        known.tokens[NEW_TOKEN] = known.tokens[ACCESS_TOKEN]
        assert (await alice.post(f"{place}/access-token", data={"access_token": NEW_TOKEN})).status_code == 303
        await self.world.settle()
        next(iter(known.apps.values())).app_secret = NEW_SECRET
        assert (await alice.post(f"{place}/app-secret", data={"app_secret": NEW_SECRET})).status_code == 303
        await self.world.settle()

    async def keys(self) -> None:
        alice = await self.world.session("alice")
        page = "/w/acme/settings/api-keys"
        answer = await alice.post(page, data={"name": "till", "scope": ["inbox:read"], "days": "30", "addresses": ""})
        key = re.search(r"chime_[\w-]{50,}", answer.text)
        assert answer.status_code == 200 and key is not None
        self.made("a key made on the page", key[0], ("alice", "POST", page))
        sheet = await alice.post("/installation/keys/recovery-sheet")
        assert sheet.status_code == 200

    async def refusal_that_echoes(self) -> None:
        """Meta refuses, and says back to whom and what."""
        alice = await self.world.session("alice")
        [(conversation_id,)] = await rows(self.world, self.world.acme, "SELECT conversation.id FROM conversation JOIN "
                                          "contact ON contact.id = contact_id WHERE phone = ?", PERSON.phone)
        echo = GraphError(131026, f"+{PERSON.phone} ({PERSON.name}) cannot get: {SECRETS['the answer']}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(simulated_graph, "GraphError", lambda *_: echo)
            self.world.simulator.set_switches({"error_next": 1, "error_code": 131026})
            answer = await alice.post(f"/w/acme/inbox/{conversation_id}/messages",
                                      data={"type": "text", "text": SECRETS["the answer"]})
            assert answer.status_code == 200
            await self.world.settle()
        [(state,)] = await rows(self.world, self.world.acme, "SELECT status FROM message WHERE direction = 'out' "
                                "ORDER BY id DESC LIMIT 1")
        assert state == "failed"

    async def faults(self) -> None:
        """404, 422 and 500, the last with everything in the exception's own words."""
        alice = await self.world.session("alice")
        everything = " ".join([*SECRETS.values(), NEW_TOKEN, NEW_SECRET, NEW_PASSWORD])

        async def broken(*_: object, **__: object) -> object:
            raise RuntimeError(everything)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(GraphClient, "phone_number", broken)
            place = f"/w/acme/settings/channels/{self.world.acme.channel_id}"
            answer = await alice.post(f"{place}/access-token", data={"access_token": NEW_TOKEN})
            assert answer.status_code == 500
            await alice.post(f"{place}/checks")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("chime.contacts.api.queries.contacts_page", broken)
            async with self.world.client(await self.world.key(self.world.acme)) as script:
                assert (await script.get("/api/v1/contacts")).status_code == 500
                assert (await script.get("/api/v1/contacts?limit=none")).status_code == 422
                assert (await script.get("/api/v1/contacts/none")).status_code == 404
        await self.world.settle()

    async def data_leaves_and_goes(self) -> None:
        """Exports, the audit trail's file, and somebody is forgotten."""
        alice = await self.world.session("alice")
        file = await exported(self.world, "mo", "ada")
        assert PERSON.name in file.text and PERSON.phone in file.text
        assert PERSON.name in (await exported(self.world, "mo", "ada", "conversations", format="jsonl")).text
        trail = await alice.post("/w/acme/settings/audit/export", data={})
        assert trail.status_code == 200 and '"action"' in trail.text
        [(contact_id,)] = await rows(self.world, self.world.acme, "SELECT id FROM contact WHERE phone = ?",
                                     PERSON.phone)
        answer = await alice.post(f"/w/acme/contacts/{contact_id}/erasure", data={"reason": "asked for it"})
        assert answer.status_code == 303
        assert (await decide(self.world, "ada", await newest(self.world))).status_code == 303
        await self.world.settle(60)
        assert await rows(self.world, self.world.acme, "SELECT count(*) FROM contact WHERE phone = ?",
                          PERSON.phone) == [(0,)]


async def everybody(world: World) -> tuple[dict[str, httpx.AsyncClient], dict[str, httpx.AsyncClient]]:
    """Browsers and scripts of everybody there is, by name."""
    await person(world, "ada", Role.ADMIN)
    await person(world, "anna", Role.ANALYST)
    browsers = {name: await world.session(name) for name in ("alice", "ada", "mo", "kim", "bob", "vera", "anna",
                                                             "charlie")}
    browsers |= {"nobody": await browser(world), "olga": await operator(world)}
    oscar = browsers["oscar"] = await operator(world, "oscar")
    assert (await ask_to_be_let_in(world, oscar, world.acme)).status_code == 303
    await let_in(world, browsers["alice"], world.acme)
    keys = {"acme-key": ("alice", world.acme), "masked-key": ("bob", world.acme), "globex-key": ("charlie",
                                                                                               world.globex)}
    scripts = {}
    for name, (maker, tenant) in keys.items():
        async with world.services.control.write(OPERATOR) as tx:
            made = await create_api_key(tx, world.services.ids, workspace_id=tenant.workspace_id, name=name,
                                        scope_text="all")
            await tx.execute("UPDATE api_key SET made_by = ? WHERE id = ?", await id_of(world, maker), made.id)
        scripts[name] = await world._stack.enter_async_context(world.client(made.key))
    return browsers, scripts


async def ids_of(world: World) -> dict[str, str]:
    """What the paths of the GET routes name, as it is in Acme."""
    found = {"slug": "acme", "channel_id": world.acme.channel_id, "kind": "location", "sequence": "1",
             "token": "x" * 43, "build": "0", "path": "js/core.js"}
    [(conversation_id, contact_id)] = await rows(
        world, world.acme, "SELECT conversation.id, contact_id FROM conversation JOIN contact "
        "ON contact.id = contact_id WHERE phone = ?", PERSON.phone)
    for name, sql in (("message_id", "SELECT id FROM message ORDER BY id LIMIT 1"),
                      ("media_id", "SELECT id FROM media ORDER BY id LIMIT 1"),
                      ("approval_id", "SELECT id FROM approval ORDER BY id LIMIT 1")):
        found[name] = (await rows(world, world.acme, sql))[0][0]
    return found | {"conversation_id": conversation_id, "contact_id": contact_id,
                    "member_id": await id_of(world, "bob")}


def ways(known: dict[str, str], *, api: bool) -> list[str]:
    """Every address that can be asked for with GET."""
    found: set[str] = set()
    for _, handlers in FEATURES:
        for handler in handlers:
            if "GET" in handler.http_methods and bool(handler.opt.get("api")) is api:
                found |= {re.sub(r"{(\w+):\w+}", lambda name: known.get(name[1], NOTHING), path)
                          for path in handler.paths}
    return sorted(found)


async def visits(world: World) -> None:
    """Everybody goes everywhere; a stream is held open while a customer writes."""
    browsers, scripts = await everybody(world)
    await ask_for(world, "mo")
    await indexed(world)
    known = await ids_of(world)
    for name, client in browsers.items():
        for path in [*ways(known, api=False), "/w/acme/inbox?q=xylophone", "/w/acme/inbox/search?q=xylophone"]:
            if not path.endswith("/events"):
                answer = await client.get(path)
                assert answer.status_code < 500, (name, path)
    for name, client in scripts.items():
        for path in [*ways(known, api=True), "/api/v1/messages?search=xylophone", "/metrics"]:
            assert (await client.get(path)).status_code < 500, (name, path)
    # Alice answered it, so it is hers; Bob hears of what nobody has.
    await browsers["alice"].post(f"/w/acme/inbox/{known['conversation_id']}/assignment", data={"assignee_id": ""})
    async with listening(browsers["bob"], world.acme), listening(browsers["alice"], world.acme):
        zebedee = world.simulator.world.customer_at(PERSON.phone or "")
        assert zebedee is not None
        write(world.simulator, zebedee, words(SECRETS["the customer's words"]), number=world.acme.number)
        await world.settle()
