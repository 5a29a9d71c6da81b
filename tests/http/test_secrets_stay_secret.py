"""SECRET-1 and SECRET-2: no answer, error, log line or child process holds a stored secret in any dress, whoever asks
and whatever goes wrong."""

from __future__ import annotations

import base64
import faulthandler
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from chime import config
from chime.app import create_app, routes_of
from chime.channels import checks
from chime.db import StorageUnavailable
from chime.security.crypto import CannotOpen
from chime.security.vault import Vault
from chime.whatsapp import GraphClient
from tests.http.inbox_setup import talk
from tests.support.world import ACCESS_TOKEN, APP_SECRET, MASTER_KEY, PASSWORD, VERIFY_TOKEN, World

ROLES = ("alice", "mo", "bob", "vera", "charlie")


def dresses(secret: bytes) -> Iterator[bytes]:
    """A secret as it may be dressed in an answer; also its longer half alone."""
    for plain in (secret, secret[:len(secret) * 2 // 3]):
        yield plain
        yield plain[::-1]
        yield plain.hex().encode()
        yield base64.b64encode(plain)[:-4]
        yield quote(plain).encode()
        yield json.dumps(plain.decode("latin-1"))[1:-1].encode()


def secrets_of(world: World, keys: list[str]) -> dict[str, bytes]:
    ring = world.services.control.keys
    newest = ring.bundle.newest
    return {"the access token": ACCESS_TOKEN.encode(), "the app's secret": APP_SECRET.encode(),
            "the verify token": VERIFY_TOKEN.encode(), "the master key": MASTER_KEY, "the password": PASSWORD.encode(),
            "the pepper": ring.pepper, "the wrapping key": newest.wrap, "the vault's key": newest.field,
            "control.db's key": newest.control_file, "the links' key": newest.links,
            **{f"API key {number}": key.encode() for number, key in enumerate(keys)}}


def told(content: bytes, secrets: dict[str, bytes]) -> list[str]:
    return [what for what, secret in secrets.items() if any(dress in content for dress in dresses(secret))]


def paths(world: World, known: dict[str, str]) -> list[str]:
    """Every address that can be asked for with GET, with ids of this world in their places."""
    found = set()
    for handler in routes_of(create_app(world.services)):
        if "GET" not in getattr(handler, "http_methods", ()):
            continue
        for path in handler.paths:
            plain = re.sub(r"{(\w+):\w+}", lambda part: known.get(part[1], "01kafx2v9m3q8r5t7w1y4z6b0r"), path)
            if not plain.endswith("/events") and not plain.startswith("/static"):
                found.add(plain)
    return sorted(found)


async def test_no_answer_tells_a_secret_whoever_asks(world: World) -> None:
    maya = await talk(world)
    keys = [await world.key(world.acme), await world.key(world.acme, "api_keys:edit,channels:read")]
    secrets = secrets_of(world, keys)
    row = await world.services.control.db.value("SELECT id FROM api_key ORDER BY created_at DESC LIMIT 1")
    known = {"slug": "acme", "channel_id": world.acme.channel_id, "conversation_id": maya.id, "key_id": row,
             "contact_id": maya.contact_id, "workspace_id": world.acme.workspace_id}
    asked = 0
    for name in ROLES:
        client = await world.session(name)
        for path in paths(world, known):
            if path.startswith("/api/"):
                continue
            answer = await client.get(path)
            asked += 1
            shown = told(answer.content + str(answer.headers).encode(), secrets)
            assert not shown, f"{path} tells {name} {shown}"
            assert answer.status_code < 500, path
    for key in keys:
        async with world.client(key) as script:
            for path in paths(world, known):
                if path.startswith("/api/"):
                    answer = await script.get(path)
                    asked += 1
                    assert not told(answer.content + str(answer.headers).encode(), secrets), path
    assert asked > 200


async def test_no_refusal_tells_what_was_sent_as_a_secret(world: World) -> None:
    """What is typed into a secret's field does not come back, not even when the form does."""
    alice = await world.session("alice")
    typed = "EAAtypedbutwrongsecret0123456789"
    place = f"/w/acme/settings/channels/{world.acme.channel_id}"
    for path, field in ((f"{place}/access-token", "access_token"), (f"{place}/app-secret", "app_secret"),
                        (f"{place}/verify-token", "verify_token")):
        answer = await alice.post(path, data={field: typed})
        assert answer.status_code == 422 and typed not in answer.text
    form = {"phone_number_id": "x", "waba_id": "1", "display_phone": "+1", "app_id": "2", "access_token": typed,
            "app_secret": typed, "verify_token": typed}
    answer = await alice.post("/w/acme/settings/channels", data=form)
    assert answer.status_code == 422 and typed not in answer.text


@pytest.mark.parametrize("breaks", [
    (Vault, "open", CannotOpen("a sealed value does not open")), (Vault, "seal", ValueError("no")),
    (GraphClient, "phone_number", RuntimeError("boom")), (GraphClient, "debug_token", KeyError("boom")),
    (checks, "try_token", StorageUnavailable("disk")), (checks, "try_app_secret", ZeroDivisionError())],
    ids=lambda value: f"{value[0].__name__}.{value[1]}")
async def test_whatever_breaks_its_traceback_stays_here(
    world: World, breaks: tuple[object, str, Exception], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:
    """SECRET-2, for the paths that hold a credential when it happens."""
    alice = await world.session("alice")
    secrets = secrets_of(world, [])
    owner, name, error = breaks

    def broken(*_: object, **__: object) -> object:
        raise error

    monkeypatch.setattr(owner, name, broken)
    place = f"/w/acme/settings/channels/{world.acme.channel_id}"
    with caplog.at_level(logging.DEBUG):
        answers: list[httpx.Response] = [
            await alice.post(f"{place}/checks"),
            await alice.post(f"{place}/access-token", data={"access_token": ACCESS_TOKEN}),
            await alice.post(f"{place}/app-secret", data={"app_secret": APP_SECRET})]
        faulthandler.dump_traceback(file=sys.__stderr__)
    assert any(answer.status_code >= 500 for answer in answers)
    for answer in answers:
        assert not told(answer.content, secrets)
    assert not told("\n".join(caplog.messages + [str(vars(record)) for record in caplog.records]).encode(), secrets)
    assert not told("".join(capfd.readouterr()).encode(), secrets)


def test_the_master_key_is_read_once_and_no_child_inherits_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = base64.b64encode(MASTER_KEY).decode()
    monkeypatch.setenv("CHIME_MASTER_KEY", key)
    monkeypatch.setenv("CHIME_METRICS_TOKEN", "a token of the monitor")
    loaded = config.load(data=str(tmp_path))
    assert loaded.master_key == MASTER_KEY and "CHIME_MASTER_KEY" not in os.environ
    child = subprocess.run([sys.executable, "-c", "import os; print(dict(os.environ))"], capture_output=True, text=True,
                           check=True)
    assert key not in child.stdout and "a token of the monitor" not in child.stdout
    texts = repr(loaded) + str(loaded.settings) + str([setting.option for setting in loaded.settings])
    assert key not in texts and repr(MASTER_KEY)[2:12] not in texts
