"""Whatever somebody writes is text, in a real browser (XSS-1): sent by a customer as everything a message has, and by
people as every name they may give, it runs nothing, makes no element of its own and can be read as it was written.

Three things watch: a function of the page's own that no payload may call, the content policy's reports (as in every
test with `pages`), and the shape of the page, which must not hold what only a payload could have brought. Threads are
opened once more with the policy switched off: the words must be harmless without that second wall.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Error, Page, expect

from tests.http.all_routes import addresses
from tests.http.inbox_setup import rows, talk
from tests.support.browser import Pages, type_and_send
from tests.support.haunted import Haunted, haunt
from tests.support.world import ACME_NUMBER, World
from tests.support.xss import CANARY, DEEP, FILES, NAMES, PAYLOADS, POLYGLOT, STRANGE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
# Where a payload stands in more than one place of its bubble.
PLACES = {"contact card": 4, "place": 2, "answered list": 2, "form": 3, "order": 4, "advertisement": 2,
          "advertised link": 2, "product": 2}
SAVED = "Download is starting"
"""What Chromium says of an address whose answer it saves instead of showing it."""
_WORDS = """(part) => [part.textContent,
    ...[...part.querySelectorAll('input, textarea')].map((field) => field.value)].join(' ')"""


def plain(words: str) -> str:
    """What remains when WhatsApp's own marks, blanks and marks nobody sees are left out of both sides."""
    return re.sub(r"[\s*_~`\0-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069]+", "", words)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def haunted(world: World) -> AsyncIterator[Haunted]:
    yield await haunt(world)


async def _watched(context: BrowserContext) -> Page:
    await context.add_init_script(CANARY)
    return await context.new_page()


async def _person(pages: Pages, world: World) -> Page:
    """Alice's browser with the canary in it."""
    return await _watched(await pages.context(world.base, dict((await world.session("alice")).cookies)))


async def innocent(page: Page) -> None:
    """Nothing in the page was brought by a payload."""
    strange = await page.evaluate(STRANGE)
    assert not strange, f"{page.url}: {strange}"


async def unread(page: Page, part: str, payloads: Iterable[str], times: int = 1) -> list[str]:
    """Those of them that do not stand so often in this part of the page as they were written."""
    words = plain(await page.locator(part).evaluate(_WORDS))
    return [payload for payload in payloads if words.count(plain(payload)) < times]


async def all_of(page: Page, door: str) -> None:
    """Go on through this door as long as there is one: a page shows some dozens at first."""
    for _ in range(20):
        if not await page.locator(door).count():
            return
        await page.evaluate("door => document.querySelector(door)?.scrollIntoView()", door)
        await page.wait_for_timeout(100)
    raise AssertionError(f"{door} never ends")


async def test_the_watch_sees_what_payloads_do(browser: Browser) -> None:
    """Put into a page as they are, most of them run at once or leave what we look for; so the silence below counts."""
    context = await browser.new_context()
    page, called, seen = await _watched(context), [], set()
    page.on("console", lambda told: called.append(told.text))
    for name, payload in PAYLOADS.items():
        called.clear()
        await page.set_content(f"<p>{payload}</p>", wait_until="domcontentloaded")
        await page.wait_for_timeout(30)
        if "the canary was called" in called or await page.evaluate(STRANGE):
            seen.add(name)
    await context.close()
    assert len(PAYLOADS) >= 40 and len(seen) >= 36, sorted(PAYLOADS.keys() - seen)


async def test_whatever_customers_send_is_text(pages: Pages, haunted: Haunted) -> None:
    page = await _person(pages, haunted.world)
    for sink, conversation in haunted.threads.items():
        await page.goto(f"/w/acme/inbox/{conversation}")
        await all_of(page, "#older")
        await innocent(page)
        assert await page.locator("#messages > .msg").count() >= len(PAYLOADS), sink
        lost = await unread(page, "#messages", PAYLOADS.values(), PLACES.get(sink, 1))
        assert not lost, (sink, lost)
        assert sink != "text" or not await unread(page, "#messages", [DEEP])


async def test_it_is_text_without_the_content_policy_too(browser: Browser, haunted: Haunted) -> None:
    world, called = haunted.world, []
    context = await browser.new_context(base_url=world.base, bypass_csp=True)
    cookies = dict((await world.session("alice")).cookies)
    await context.add_cookies([{"name": name, "value": value, "url": world.base} for name, value in cookies.items()])
    page = await _watched(context)
    page.on("console", lambda told: called.append(told.text))
    paths = [f"inbox/{conversation}" for conversation in haunted.threads.values()]
    for path in (*paths, "inbox?v=all", "settings/teams", "settings/members", "settings/audit"):
        await page.goto(f"/w/acme/{path}")
        await page.mouse.move(400, 300)
        await innocent(page)
    await context.close()
    assert "the canary was called" not in called


async def test_names_of_customers_are_text_in_the_list_and_the_search(pages: Pages, haunted: Haunted) -> None:
    pages.announce(r"/favicon\.ico")  # a fragment alone names no icon
    page = await _person(pages, haunted.world)
    await page.goto("/w/acme/inbox?v=all")
    await all_of(page, "#more-rows")
    await innocent(page)
    assert await page.title() and not await unread(page, "#rows", PAYLOADS.values())
    for typed in ("xss", "onerror", "script", "<img src=x onerror=__xss()>", POLYGLOT, PAYLOADS["template"]):
        await page.locator("#search").fill(typed)
        await expect(page.locator("#found")).to_be_visible()
        await expect(page.locator("#found .row").first).to_be_visible()
        await innocent(page)
    for payload in NAMES.values():
        await page.goto(f"/w/acme/inbox/list?q={quote(payload)}")
        await innocent(page)


NOT_PAGES = {"/events": "a stream", "/metrics": "a text for machines"}


def _pages_of(haunted: Haunted) -> list[str]:
    """Every page that needs no id, as the product lists them."""
    found = [address.path for address in addresses("acme") if address.method == "GET" and not address.api
             and "zzz" not in address.path and not address.path.startswith(("/static", "/sign-in/provider"))]
    return [path for path in found if not path.endswith(tuple(NOT_PAGES))]


async def test_names_that_people_give_are_text_on_every_page(pages: Pages, haunted: Haunted) -> None:
    world, page = haunted.world, await _person(pages, haunted.world)
    pages.announce(r"answer (403|404|409): GET|the server responded with a status of (403|404|409)")
    control = world.services.control.db
    teams = await control.rows("SELECT id FROM user WHERE email IN ('m0@example.com', 'm11@example.com')")
    role = await control.value("SELECT id FROM custom_role")
    talk = haunted.threads["text"]
    contact = (await rows(world, world.acme, "SELECT contact_id FROM conversation WHERE id = ?", talk))[0][0]
    listed = _pages_of(haunted)
    assert len(listed) > 40
    for path in (*listed, *(f"/w/acme/settings/members/{row[0]}" for row in teams), f"/w/acme/inbox/{talk}",
                 *(f"/w/acme/settings/members/{row[0]}/account" for row in teams), f"/w/acme/settings/roles/{role}",
                 f"/w/acme/settings/channels/{world.acme.channel_id}", f"/w/acme/contacts/{contact}/erasure",
                 *(f"/w/acme/inbox/{talk}/{part}" for part in ("messages", "state", "templates", "compose/buttons"))):
        try:
            answer = await page.goto(path)
        except Error as error:
            assert SAVED in str(error), (path, error)
            continue
        assert answer is not None and answer.status < 500, path
        await innocent(page)
    for path, payloads in (("/w/acme/settings/teams", NAMES.values()), ("/w/acme/settings/members", NAMES.values()),
                           ("/w/acme/settings/api-keys", [POLYGLOT]), ("/w/acme/settings/roles", [POLYGLOT[:60]]),
                           ("/w/acme/settings/channels", [POLYGLOT]), ("/w/acme/settings/general", [POLYGLOT]),
                           ("/me", [POLYGLOT]), (f"/w/acme/inbox/{talk}", [POLYGLOT]),
                           ("/w/acme/settings/support", [POLYGLOT]), ("/installation/support", [POLYGLOT]),
                           ("/w/acme/delivery", [POLYGLOT]), ("/w/acme/settings/approvals", [POLYGLOT])):
        await page.goto(path)
        assert not await unread(page, "body", [" ".join(payload.split()) for payload in payloads]), path
    assert POLYGLOT in await page.title()


async def test_what_an_address_says_is_text(pages: Pages, haunted: Haunted) -> None:
    pages.announce(r"answer 4\d\d: GET|the server responded with a status of 4\d\d")
    page = await _person(pages, haunted.world)
    payloads = [quote(PAYLOADS[name], safe="") for name in (
        "svg slash", "break-out of a script", "double break-out", "bare link")]
    for payload in payloads:
        for path in (f"/{payload}", f"/w/{payload}/inbox", f"/w/acme/inbox/{payload}", f"/w/acme/inbox?v={payload}",
                     f"/w/acme/inbox?q={payload}", f"/w/acme/settings/audit?action={payload}&object={payload}",
                     f"/w/acme/settings/teams?said={payload}", f"/sign-in?next={payload}&said={payload}",
                     f"/me/confirm?next={payload}", f"/invitations/{payload}", f"/reset-password/{payload}",
                     f"/w/acme/delivery?day={payload}&kind={payload}", f"/api/v1/contacts?limit={payload}",
                     f"/security?said={payload}", f"/w/acme/inbox/search?q={payload}"):
            await page.goto(path)
            await innocent(page)


async def test_what_arrives_and_is_typed_while_a_page_is_open_is_text(pages: Pages, haunted: Haunted) -> None:
    """Fragments that scripts put in, bubbles they make themselves, toasts and forms that come back with a mistake."""
    found, page = await talk(haunted.world, name="Live", phone="14155557001"), await _person(pages, haunted.world)
    await page.goto(found.base)
    await expect(page.locator("#messages > .msg")).to_have_count(1)
    payloads = [PAYLOADS[name] for name in ("image", "script", "svg slash", "bold", "htmx", "template", "bare link")]
    for payload in payloads:
        await found.says(payload)
        await type_and_send(page, f"we: {payload}")
    await expect(page.locator("#messages > .msg")).to_have_count(1 + 2 * len(payloads))
    await innocent(page)
    assert not await unread(page, "#messages", [*payloads, *(f"we: {payload}" for payload in payloads)])
    assert [message.content["body"] for message in found.on_the_phone()] == [f"we: {payload}" for payload in payloads]
    pages.announce(r"answer 422|status of 422")
    for path, name in (("/w/acme/settings/general", "name"), ("/me", "name"), ("/w/acme/settings/teams", "name")):
        await page.goto(path)
        typed = PAYLOADS["svg slash"] + "x" * 200
        box = page.locator(f"main input[name='{name}']").first
        async with page.expect_navigation():
            await box.evaluate("(box, typed) => { box.removeAttribute('maxlength'); box.value = typed; "
                               "box.form.requestSubmit(); }", typed)
        await innocent(page)
        assert not await unread(page, "main", [typed]), "the mistake comes back as it was typed"


async def test_a_file_that_would_run_is_saved_or_shut_in(pages: Pages, haunted: Haunted) -> None:
    # What is shut in a sandbox may not even fetch itself again, as Chromium does with films, and it complains.
    pages.announce(r"/favicon\.ico")  # a film or picture alone names no icon
    pages.announce(r"/media/\S+ (net::ERR_FAILED|from origin 'null')|ERR_FAILED \(\S+/media/")
    found, page = await talk(haunted.world, name="Files", phone="14155557002"), await _person(pages, haunted.world)
    for name, (mime_type, content) in FILES.items():
        media = haunted.world.simulator.world.add_media(ACME_NUMBER.phone_number_id, content, mime_type)
        kind = mime_type.partition("/")[0] if mime_type.startswith(("image/p", "video/")) else "document"
        said = await found.says({"type": kind, kind: {"id": media.media_id, "filename": f"{name}.html"}})
        assert said.media is not None and said.media.state == "ready", name
        address = f"{found.workspace_base}/media/{said.media.id}"
        try:
            answer = await page.goto(address)
        except Error as error:
            assert SAVED in str(error) and kind == "document", (name, error)
        else:
            assert kind != "document" and answer is not None and answer.headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in answer.headers["content-security-policy"], name
    await page.goto(found.base)
    await innocent(page)
    assert not [url for url in pages.requested if url.endswith("/canary")]


async def test_answers_to_scripts_are_json_and_nothing_else(pages: Pages, haunted: Haunted) -> None:
    world, talk_id = haunted.world, haunted.threads["text"]
    key = await world.key(world.acme)
    paths = [address.path for address in addresses("acme")
             if address.api and address.method == "GET" and "zzz" not in address.path]
    paths += [f"/api/v1/conversations/{talk_id}", f"/api/v1/conversations/{talk_id}/messages?limit=200",
              "/api/v1/messages?q=xss", "/api/v1/contacts?limit=<script>__xss()</script>",
              "/api/v1/<svg onload=__xss()>"]
    assert len(paths) > 15
    async with world.client(key) as script:
        for path in paths:
            answer = await script.get(path)
            assert re.match(r"application/(problem\+)?json(;|$)", answer.headers["content-type"]), path
            assert answer.headers["x-content-type-options"] == "nosniff", path
    pages.announce(r"answer 4\d\d: GET|status of 4\d\d|/favicon\.ico")
    context = await pages.context(world.base)
    await context.set_extra_http_headers({"Authorization": f"Bearer {key}"})
    page = await _watched(context)
    for path in (f"/api/v1/conversations/{talk_id}/messages?limit=200", "/api/v1/contacts?limit=200", "/api/v1/teams",
                 "/api/v1/contacts?limit=<script>__xss()</script>"):
        await page.goto(path)
        await innocent(page)
        assert await page.locator("body *:not(pre, div)").count() == 0, "the browser shows it as the text it is"


async def test_menus_dialogs_and_toasts_show_names_as_text(pages: Pages, haunted: Haunted) -> None:
    page = await _person(pages, haunted.world)
    await page.goto(f"/w/acme/inbox/{haunted.threads['text']}")
    said = page.locator("#messages .msg-in").filter(has_text=PAYLOADS["mutation"]).first
    await said.hover()
    await said.locator("[data-message-menu]").click()
    await page.locator("[data-message-act='reply']").click()
    await expect(page.locator("#quoting")).to_contain_text("__xss")
    await innocent(page)
    await type_and_send(page, "An answer to that")
    await expect(page.locator("#messages .msg-out .quote").last).to_contain_text("__xss")
    await page.locator("[popovertarget='assign-menu']").click()
    assert not await unread(page, "#assign-menu", (" ".join(name.split()) for name in NAMES.values()))
    await page.locator("#assign-menu button").filter(has_text=NAMES["svg slash"]).first.click()
    await expect(page.locator("#messages .line").last).to_contain_text(NAMES["svg slash"])
    await innocent(page)
    await page.locator("[data-key='e']").click()
    await expect(page.locator(".toast").first).to_be_visible()
    await innocent(page)
    await page.goto(f"/w/acme/inbox/{haunted.threads['text']}")
    await page.locator("#writing [data-key='t']").click()
    await expect(page.locator("#dialog")).to_contain_text("__xss")
    await innocent(page)


async def test_the_simulated_phone_shows_it_as_text(pages: Pages, haunted: Haunted) -> None:
    world = haunted.world
    name = PAYLOADS["svg slash"]
    found = await talk(world, PAYLOADS["image"], name=name, phone="14155557003")
    await found.reply(await world.session("alice"), PAYLOADS["break-out of a script"])
    page = await _watched(await pages.context(world.services.config.graph_url.partition("/simulator")[0]))
    await page.goto("/simulator/phone")
    await page.locator("[data-pick]").first.select_option(label=name)
    shown = page.locator("[data-messages]").first
    await expect(shown).to_contain_text(PAYLOADS["break-out of a script"])
    await expect(shown).to_contain_text(PAYLOADS["image"])
    await innocent(page)


async def test_notes_mentions_and_quick_replies_are_text(pages: Pages, haunted: Haunted) -> None:
    world, alice = haunted.world, await haunted.world.session("alice")
    found = await talk(world, name=PAYLOADS["svg slash"], phone="14155557004")
    payloads = [payload for payload in PAYLOADS.values() if "{{" not in payload][:40]
    for number, payload in enumerate(payloads):
        assert (await alice.post(f"{found.base}/notes", data={"text": payload})).status_code < 400, payload
        if number % 3 == 0:
            saved = await alice.post("/w/acme/replies", data={
                "code": f"evil{number}", "title": payload[:50], "text": payload + " {{contact.name}}",
                "scope": "everyone"})
            assert saved.status_code == 303, saved.text
    page = await _person(pages, world)
    await page.goto(found.base)
    await innocent(page)
    assert not await unread(page, "#messages", payloads)
    await page.locator("#text").focus()
    await page.keyboard.type("/evil")
    await expect(page.locator("#offer-list .offer").first).to_be_visible()
    await innocent(page)
    await page.keyboard.press("Enter")
    await expect(page.locator("#text")).to_have_value(re.compile("__xss"))
    await innocent(page)
    await page.locator("#note-box > summary").click()
    await page.locator("#note-text").press_sequentially("@<")
    await expect(page.locator("#note-names [role=option]:visible").first).to_contain_text("<")
    await innocent(page)
    await page.goto("/w/acme/replies")
    await innocent(page)
    assert not await unread(page, "main", (payload[:50] for payload in payloads[::3]))
