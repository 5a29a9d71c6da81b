"""HDR-1..3: each answer says what a browser may do with it, none may be read by another site, and scripts are ours."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import re

import httpx

from chime.web.headers import HSTS, MEDIA_POLICY
from tests.http.all_routes import addresses
from tests.http.inbox_setup import talk
from tests.support.world import World

ALWAYS = {
    "x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin", "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp", "reporting-endpoints": 'csp="/csp-report"',
}
POLICY = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' blob:",
    "media-src": "'self' blob:", "font-src": "'self'", "connect-src": "'self'", "manifest-src": "'self'",
    "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'", "object-src": "'none'",
    "require-trusted-types-for": "'script'", "trusted-types": "chime", "report-to": "csp", "report-uri": "/csp-report",
}
TRUSTWORTHY = ("cross-origin-opener-policy", "cross-origin-embedder-policy")
FEATURES_OFF = ("camera=()", "geolocation=()", "payment=()", "usb=()", "microphone=(self)")


def _policy(text: str) -> dict[str, str]:
    return dict((part.strip() + " ").split(" ", 1) for part in text.split(";"))


def _whole(answer: httpx.Response, where: object) -> None:
    """The whole set of headers, each once."""
    names = [name for name, _ in answer.headers.multi_items()]
    for name, value in ALWAYS.items():
        assert answer.headers.get(name) == value and names.count(name) == 1, (where, name)
    policy = _policy(answer.headers["content-security-policy"])
    assert {name: value.strip() for name, value in policy.items()} == POLICY, where
    assert all(feature in answer.headers["permissions-policy"] for feature in FEATURES_OFF), where
    assert names.count("cache-control") == 1 and names.count("vary") == 1 and answer.headers["x-request-id"], where
    _no_leak(answer, where)


def _no_leak(answer: httpx.Response, where: object) -> None:
    told = {name for name, _ in answer.headers.multi_items()}
    assert not told & {"server", "x-powered-by", "strict-transport-security"}, where
    assert not [name for name in told if name.startswith("access-control-")], where


async def test_hdr_1_every_answer_has_the_whole_set(world: World) -> None:
    """Every address, by every method, signed in and not, found and not: statuses from 200 to 500."""
    alice = await world.session("alice")
    statuses = set()
    async with httpx.AsyncClient(base_url=world.base, timeout=20) as anybody:
        anybody.headers["X-CSRF-Token"] = "of nobody"
        for address in addresses(world.acme.slug):
            for client in (alice, anybody):
                if address.changes and client is alice:
                    continue
                method = "HEAD" if address.method == "GET" and client is anybody else address.method
                async with client.stream(method, address.path) as answer:
                    statuses.add(answer.status_code)
                    if not (answer.status_code == 200 and answer.headers["content-security-policy"] == MEDIA_POLICY):
                        _whole(answer, address)
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
            for path in ("/nowhere", "/sign-in", "/api/v1/nowhere", f"/w/{world.acme.slug}/inbox", "/static/x/y.js"):
                async with anybody.stream(method, path) as answer:
                    statuses.add(answer.status_code)
                    _whole(answer, (method, path))
    assert {200, 303, 401, 403, 404, 405} <= statuses


async def test_hdr_1_what_answers_in_front_of_the_application_says_it_too(world: World) -> None:
    for answer in (await world.webhook({"object": "whatsapp_business_account", "entry": []}),
                   await world.webhook(b"{", secret="x"), await world.webhook(b"no json")):
        for name in ("x-content-type-options", "x-frame-options", "referrer-policy", "cross-origin-resource-policy"):
            assert answer.headers[name] == ALWAYS[name], answer.status_code
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors 'none'")
        _no_leak(answer, answer.status_code)


async def test_hdr_1_pages_are_kept_by_nobody_and_files_for_ever(world: World) -> None:
    alice = await world.session("alice")
    for path in (f"/w/{world.acme.slug}/inbox", "/sign-in", "/nowhere", "/healthz", "/api/v1/tags"):
        answer = await alice.get(path)
        assert answer.headers["cache-control"] == "no-store", path
        assert {"cookie", "hx-request", "sec-fetch-site"} <= set(answer.headers["vary"].lower().split(", ")), path
    answer = await alice.get(world.services.static.url("js/core.js"))
    assert "immutable" in answer.headers["cache-control"] and answer.headers["vary"] == "Accept-Encoding"


async def test_hdr_1_a_file_of_ours_is_no_page_and_may_load_nothing(world: World) -> None:
    """Short, as a first page takes a dozen of them; an address with no file behind it answers with the whole set."""
    static = world.services.static
    async with httpx.AsyncClient(base_url=world.base) as anybody:
        for name in ("js/core.js", "css/chime.css", "icons.svg"):
            answer = await anybody.get(static.url(name))
            assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'", name
            assert answer.headers["x-content-type-options"] == "nosniff", name
            assert answer.headers["cross-origin-resource-policy"] == "same-origin" and answer.headers["x-request-id"]
            assert sum(len(key) + len(value) + 4 for key, value in answer.headers.raw) < 450, name
            _no_leak(answer, name)
        _whole(await anybody.get(f"/static/{static.build}/js/none.js"), "no such file")


async def test_https_alone_is_told_what_https_alone_understands(world: World) -> None:
    """Asked of the application itself, as behind a proxy that is believed."""
    app = world.app.asgi_handler

    async def asked(scheme: str, host: str) -> httpx.Headers:
        sent: list[dict[str, object]] = []

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/healthz", "raw_path": b"/healthz", "query_string": b"",
                 "scheme": scheme, "headers": [(b"host", host.encode())], "client": ("198.51.100.9", 1),
                 "http_version": "1.1", "server": ("x", 1), "root_path": "", "app": world.app,
                 "litestar_app": world.app, "state": {}}
        await app(scope, receive, send)  # type: ignore[arg-type]
        return httpx.Headers(sent[0]["headers"])  # type: ignore[arg-type]

    secure = await asked("https", "chime.example")
    assert secure["strict-transport-security"] == HSTS == "max-age=63072000; includeSubDomains"
    assert "upgrade-insecure-requests" in _policy(secure["content-security-policy"])
    assert all(secure[name] == ALWAYS[name] for name in TRUSTWORTHY)
    for host in ("chime.lan", "192.168.1.5:8700", "127.0.0.1.evil.example", "localhost.evil.example:80"):
        plain = await asked("http", host)
        assert not {"strict-transport-security", *TRUSTWORTHY} & set(plain), host
        assert "upgrade-insecure-requests" not in _policy(plain["content-security-policy"])
    for host in ("127.0.0.1:8700", "localhost", "localhost:1", "[::1]:8700"):
        assert (await asked("http", host))["cross-origin-opener-policy"] == "same-origin", host


async def test_hdr_2_other_sites_get_no_stream_no_file_no_data(world: World) -> None:
    alice, maya = await world.session("alice"), await talk(world)
    message = await maya.says({"type": "image", "image": {}})
    assert message.media is not None
    media = f"{maya.workspace_base}/media/{message.media.id}"
    key = await world.key(world.acme)
    embedded = [{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
                for site in ("cross-site", "same-site") for mode, dest in (
                    ("no-cors", "image"), ("no-cors", "script"), ("cors", "empty"), ("navigate", "iframe"),
                    ("navigate", "embed"), ("navigate", "object"), ("no-cors", "video"), ("", ""))]
    for headers in embedded:
        for path in (maya.base, f"{maya.base}/state", media, f"{maya.workspace_base}/events", "/w/acme/inbox"):
            answer = await alice.get(path, headers=headers)
            assert answer.status_code == 403 and message.id not in answer.text, (path, headers)
        async with world.client(key) as script:
            assert (await script.get("/api/v1/tags", headers=headers)).status_code == 403
    led = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert (await alice.get(maya.base, headers=led)).status_code == 200, "a link from elsewhere leads to a page"
    for path in (media, f"/w/{world.acme.slug}/events"):
        assert (await alice.get(path, headers=led)).status_code == 403, "and to nothing else"
    own = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert (await alice.get(media, headers=own)).status_code == 200


def _origins(base: str) -> list[str]:
    luck = random.Random("origins")
    host = base.partition("://")[2]
    fixed = ["null", base, base + ".evil.example", f"http://evil{host}", f"https://{host}", base.upper(),
             f"http://user@{host}", "file://", "*", "", "http://127.0.0.1", "http://localhost:1", "chrome-extension://x",
             f"{base}/", f"{base},http://evil.example"]
    made = [f"{luck.choice(('http', 'https', 'ftp', 'HTTP'))}://{luck.choice(('evil', 'a.b', host, 'x' * 60))}"
            f"{luck.choice(('', '.example', ':1', ':99999', '%00', '@evil.example'))}" for _ in range(200)]
    return (fixed + made)[:200]


async def test_hdr_3_no_origin_is_ever_allowed_to_read(world: World) -> None:
    alice = await world.session("alice")
    async with world.client(await world.key(world.acme)) as script:
        for origin in _origins(world.base):
            for client, path in ((alice, "/sign-in"), (script, "/api/v1/tags"), (script, "/api/v1/openapi.json")):
                _no_leak(await client.get(path, headers={"Origin": origin}), (origin, path))
            asked = {"Origin": origin, "Access-Control-Request-Method": "POST",
                     "Access-Control-Request-Headers": "authorization"}
            answer = await script.request("OPTIONS", "/api/v1/messages", headers=asked)
            _no_leak(answer, origin)


async def test_every_script_of_a_page_is_the_one_that_was_meant(world: World) -> None:
    alice, maya = await world.session("alice"), await talk(world)
    pages = [address.path for address in addresses(world.acme.slug) if address.method == "GET" and not address.api]
    seen = set()
    for path in [*pages, maya.base]:
        async with alice.stream("GET", path) as answer:
            if "text/html" not in answer.headers.get("content-type", ""):
                continue
            text = (await answer.aread()).decode()
        for tag in re.findall(r"<script\b[^>]*>|<link\b[^>]*modulepreload[^>]*>", text):
            if 'type="application/json"' in tag or "simulator" in tag:
                continue
            source, integrity = re.search(r'(?:src|href)="([^"]+)"', tag), re.search(r'integrity="sha384-([^"]+)"', tag)
            assert source and integrity, (path, tag)
            seen.add((source[1], integrity[1]))
    assert len(seen) >= 3
    for address, integrity in seen:
        body = (await alice.get(address)).content
        assert base64.b64encode(hashlib.sha384(body).digest()).decode() == integrity, address


async def test_nothing_we_say_names_the_host_that_was_asked_for(world: World) -> None:
    """Host poisoning: pages, redirects and errors lead to where the installation is, whatever a request says."""
    alice = await world.session("alice")
    poison = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example",
              "X-Original-Host": "evil.example", "X-Host": "evil.example", "X-Forwarded-Server": "evil.example"}
    async with httpx.AsyncClient(base_url=world.base, timeout=20) as anybody:
        for address in addresses(world.acme.slug):
            if address.method != "GET" or address.path.endswith("/events"):
                continue
            for client in (alice, anybody):
                answer = await client.get(address.path, headers=poison)
                assert answer.status_code < 500 and "evil.example" not in answer.text + str(answer.headers), address
        for host in ("evil.example:99999", "[", "[::1", "a b", "http://evil.example", "", "x" * 5_000, "ünï", "\x7f"):
            for path in ("/", "/sign-in", "/nowhere", "/api/v1/tags", "/healthz"):
                answer = await anybody.get(path, headers=[(b"Host", host.encode())])
                assert answer.status_code == 400, (host, path)
                if "x-request-id" in answer.headers:
                    assert answer.headers["content-security-policy"], "in front of the application, and still secured"
    reader, writer = await asyncio.open_connection("127.0.0.1", int(world.base.rpartition(":")[2]))
    writer.write(b"GET /sign-in HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\nConnection: close\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 400 "), "two names are none"
    writer.close()


async def test_reports_of_the_policy_are_taken_and_limited(limited_world: World) -> None:
    async with httpx.AsyncClient(base_url=limited_world.base) as browser:
        limited_world.services.limiter._monotonic = lambda: 1_000.0
        answers = [await browser.post("/csp-report", content=b'{"csp-report": {}}', headers={
            "Content-Type": "application/csp-report"}) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [204] * 5 + [429]
