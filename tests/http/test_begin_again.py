"""Address and mail that an operator changes count at once: the appliance begins anew in its own process, refuses nobody
meanwhile, and ends as it always did.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import msgspec

from chime.config import load
from chime.workspaces.kept_settings import SOURCE, settled_anew, with_settings
from tests.http.first_run_setup import csrf, send
from tests.support.first_run import OWNER, printed, waiting
from tests.support.processes import Program

PAGE = "/installation/address"


async def _set_up(chime: Program, client: httpx.AsyncClient) -> None:
    """Through the wizard, with an address; the client is signed in after."""
    token = (await asyncio.to_thread(printed, chime)).partition("#")[2]
    await client.post("/setup/session", data={"token": token})
    await send(client, "owner", OWNER)
    await send(client, "address", {"public_url": "https://before.shop.example", "do": "next"})
    answer = await send(client, "finish", {})
    assert (answer.status_code, answer.headers["location"]) == (303, "/welcome")
    assert (await client.get("/welcome")).status_code == 200


async def _canonical(client: httpx.AsyncClient) -> str:
    answer = await client.get("/.well-known/security.txt")
    return next((line for line in answer.text.splitlines() if line.startswith("Canonical")), answer.text)


async def test_a_new_address_counts_at_once_in_the_same_process(tmp_path: Path) -> None:
    with waiting(tmp_path, {"CHIME_SECURITY_CONTACT": "mailto:security@shop.example"}) as chime:
        async with httpx.AsyncClient(base_url=chime.address, timeout=30) as client:
            await _set_up(chime, client)
            assert "https://before.shop.example/" in await _canonical(client)
            assert "counts at once" in (await client.get(PAGE)).text
            token = await csrf(client, PAGE)
            asked = asyncio.create_task(client.post(PAGE, data={"csrf_token": token,
                                                                "public_url": "https://after.shop.example"}))
            async with httpx.AsyncClient(base_url=chime.address, timeout=30) as monitor:
                while not asked.done():
                    # Whoever calls meanwhile waits in the line, and is not refused.
                    assert (await monitor.get("/healthz", headers={"Connection": "close"})).status_code == 200
            answer = await asked
            assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?said=counts")
            page = await client.get(answer.headers["location"])
            assert page.status_code == 200 and "Saved, and it counts." in page.text, "still signed in"
            assert "https://after.shop.example/" in await _canonical(client)
        assert chime.exit_status is None and chime.output().count("serve.ready") == 2
        assert chime.terminate() == 0


def test_what_was_forgotten_is_no_longer_set_and_the_environment_still_wins() -> None:
    told = load(environment={"CHIME_MAIL_FROM": "desk@shop.example"})
    before = with_settings(told, {"public_url": "https://before.shop.example", "mail_from": "eve@shop.example"})
    assert (before.public_url, before.mail_from) == ("https://before.shop.example", "desk@shop.example")
    # Nothing is written down in a folder that holds no installation.
    after = settled_anew(msgspec.structs.replace(before, data_dir=Path("/nowhere")))
    assert (after.public_url, after.mail_from) == ("", "desk@shop.example")
    assert not [one for one in after.settings if one.source == SOURCE]
