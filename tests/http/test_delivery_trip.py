"""Having WhatsApp deliver here: the page tries the way through the public address at once, and says why not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

from tests.http.doctor_setup import doctor
from tests.support.tls_proxy import Certificates, Proxy, tls_proxy
from tests.support.world import ACCESS_TOKEN, APP_SECRET, VERIFY_TOKEN, World, free_port, running_world


def _page(world: World) -> str:
    return f"/w/acme/settings/channels/{world.acme.channel_id}/delivery"


async def test_a_delivery_of_our_own_comes_through_and_meta_is_asked(world: World) -> None:
    alice = await world.session("alice")
    page = await alice.get(_page(world))
    assert page.status_code == 200 and f"{world.base}{world.acme.webhook_path}" in page.text
    assert f'hx-post="{_page(world)}/tries" hx-trigger="load"' in page.text, "it is tried as soon as the page is open"
    before = await world.services.control.db.value("SELECT count(*) FROM parked_delivery")
    tried = await alice.post(f"{_page(world)}/tries", headers={"HX-Request": "true"})
    assert tried.status_code == 200 and tried.text.lstrip().startswith("<section"), "the part alone"
    # The world's address is plain http, which Meta would not post to.
    assert "it came through, but the public address is not https" in tried.text
    assert "our Meta app is among" in tried.text and "Meta posts to our address" in tried.text
    assert not [secret for secret in (ACCESS_TOKEN, APP_SECRET, VERIFY_TOKEN) if secret in tried.text]
    assert await world.services.control.db.value("SELECT count(*) FROM parked_delivery") == before
    whole = await alice.post(f"{_page(world)}/tries")
    assert "<html" in whole.text and "it came through" in whole.text, "without a script it is a page"


async def test_the_reason_is_said_plainly(installation: Path, tmp_path: Path) -> None:
    for number, (address, reason, advice) in enumerate((
            ("http://127.0.0.1:9", "cannot be reached", "Nothing listens there"),
            ("https://chime.invalid", "cannot be reached", "The name leads nowhere yet"),
            ("", "no public address is set", "Set it under Installation"))):
        async with running_world(installation, tmp_path / str(number), public_url=address) as world:
            alice = await world.session("alice")
            tried = await alice.post(f"{_page(world)}/tries")
            assert tried.status_code == 200 and reason in tried.text and advice in tried.text, (address, tried.text)


@asynccontextmanager
async def _behind_a_proxy(installation: Path, folder: Path) -> AsyncIterator[tuple[World, Proxy, Certificates]]:
    certificates, port = Certificates(folder), free_port()
    certificates.use()
    async with running_world(installation, folder / "data", public_url=f"https://localhost:{port}",
                             trusted_proxies=(ip_network("127.0.0.1/32"),)) as world:
        doctor(world).ground = replace(doctor(world).ground, tls=certificates.client)
        for app in world.simulator.world.apps.values():
            app.webhook_url = f"https://localhost:{port}{world.acme.webhook_path}"
        proxy = Proxy(int(world.base.rpartition(":")[2]))
        async with tls_proxy(proxy, port, certificates.server):
            yield world, proxy, certificates


async def test_over_https_it_says_that_all_is_set_or_what_is_in_the_way(installation: Path, tmp_path: Path) -> None:
    async with _behind_a_proxy(installation, tmp_path) as (world, proxy, certificates):
        alice = await world.session("alice")
        well = (await alice.post(f"{_page(world)}/tries")).text
        assert "we wrote to ourselves through https://localhost:" in well and "All is set." in well
        proxy.alters_body = True
        assert "does not hold" in (await alice.post(f"{_page(world)}/tries")).text
        proxy.alters_body = False
        proxy.answers = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        assert "let it send /webhooks/ to CHIME_BIND" in (await alice.post(f"{_page(world)}/tries")).text
        proxy.answers = None
        certificates.use(days=-2)
        late = (await alice.post(f"{_page(world)}/tries")).text
        assert "The certificate is not believed" in late and "All is set." not in late


async def test_only_who_connects_numbers_tries(world: World) -> None:
    for name in ("mo", "bob", "vera"):
        client = await world.session(name)
        assert (await client.get(_page(world))).status_code == 403
        assert (await client.post(f"{_page(world)}/tries")).status_code == 403
    charlie = await world.session("charlie")
    assert (await charlie.get(_page(world))).status_code == 404
    alice = await world.session("alice")
    assert (await alice.get("/w/acme/settings/channels/none/delivery")).status_code == 404
