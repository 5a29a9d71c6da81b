"""Promise: no token, secret, text or number leaves the Graph client but on the wire, whatever goes wrong."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Iterator

import pytest

from chime.errors import ChimeError
from chime.log import configure
from chime.security.vault import Secret
from chime.whatsapp.answers import GraphRefused
from chime.whatsapp.client import GraphClient
from tests.support.scripted_server import ScriptedServer, Turn, answer, drop, json_answer, last_words

TOKEN = Secret("EAAverysecrettoken")
APP_SECRET = b"very-secret-app"
BODY = {"to": "+14155550123", "text": {"body": "a private word"}}
SECRETS = ("EAAverysecrettoken", "very-secret-app", "a private word", "4155550123")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything the product would log, at its most talkative."""
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr("sys.stderr", stream)
    configure("text", "debug")
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("turn", [
    json_answer({"messages": [{"id": "wamid.1"}], "data": {}, "success": True}),
    json_answer({"error": {
        "code": 190, "message": "Malformed access token EAAverysecrettoken", "error_user_title": "EAAverysecrettoken",
        "error_data": {"details": ["EAAverysecrettoken", {"app": "55|very-secret-app"}]},
    }}, 401),
    answer(b"EAAverysecrettoken", 502),
    drop,
    last_words(b"EAAverysecrettoken a private word\r\n\r\n"),
], ids=["fine", "echoed", "page", "dropped", "garbled"])
async def test_nothing_leaks(turn: Turn | bytes, log: io.StringIO) -> None:
    told = []
    async with ScriptedServer([turn]) as server:
        client = GraphClient(server.url, "v26.0")
        for call in (
            lambda: client.send("411222333444555", TOKEN, BODY, app_secret=APP_SECRET),
            lambda: client.debug_token(TOKEN, "55", APP_SECRET),
            lambda: anext(client.download(f"{server.url}/x", TOKEN, limit_bytes=9), None),
        ):
            try:
                await call()
            except ChimeError as error:
                logging.getLogger("chime.test").error("call.failed", exc_info=error)
                told += traceback.format_exception(error)
                told.append(repr(getattr(error, "failure", "")))
        await client.close()
    everything = "".join(told) + log.getvalue()
    assert not [secret for secret in SECRETS if secret in everything], everything


async def test_metas_own_words_are_kept_but_for_the_token() -> None:
    error = {"code": 190, "message": "Malformed access token EAAverysecrettoken", "error_data": {"details": "why"}}
    async with ScriptedServer([json_answer({"error": error}, 401)]) as server:
        client = GraphClient(server.url, "v26.0")
        with pytest.raises(GraphRefused) as caught:
            await client.phone_number("411222333444555", TOKEN)
        await client.close()
    assert caught.value.failure.code == 190
    assert "why" in caught.value.failure.details


async def test_a_cookie_of_one_workspace_is_not_shown_for_another() -> None:
    cookie = json_answer({"id": "1"}, 200, "Set-Cookie: session=of-the-first; Path=/")
    async with ScriptedServer([cookie]) as server:
        client = GraphClient(server.url, "v26.0")
        for token in ("EAAfirst", "EAAsecond"):
            await client.phone_number("411222333444555", Secret(token))
        await client.close()
    assert all("cookie" not in request.headers for request in server.requests)
