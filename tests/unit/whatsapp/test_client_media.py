"""Files through the Graph client: the upload's form, where a download may lead, and who sees the token."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import Message

import httpx
import pytest

from chime.security.vault import Secret
from chime.whatsapp.answers import Doubtful, GraphRefused, MediaTooLarge, NotSent
from chime.whatsapp.client import GraphClient
from tests.support.scripted_server import (
    Received,
    ScriptedServer,
    Turn,
    answer,
    drip,
    drop,
    json_answer,
    last_words,
)

TOKEN = Secret("EAAdemo")
PNID = "411222333444555"
FILE = bytes(range(256)) * 1000


@contextlib.asynccontextmanager
async def graph(*turns: Turn | bytes) -> AsyncIterator[tuple[ScriptedServer, GraphClient]]:
    async with ScriptedServer(list(turns)) as server:
        client = GraphClient(server.url, "v26.0")
        try:
            yield server, client
        finally:
            await client.close()


async def pieces(content: bytes = FILE, size: int = 50_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        await asyncio.sleep(0)
        yield content[start : start + size]


def parts(request: Received) -> dict[str, Message]:
    raw = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode() + request.body
    return {
        str(part.get_param("name", header="content-disposition")): part
        for part in message_from_bytes(raw).get_payload()  # type: ignore[union-attr]
        if isinstance(part, Message)
    }


async def fetch(client: GraphClient, url: str, limit: int = 1 << 20) -> bytes:
    return b"".join([chunk async for chunk in client.download(url, TOKEN, limit_bytes=limit)])


async def test_an_upload_is_the_form_that_meta_takes() -> None:
    async with graph(json_answer({"id": 901})) as (server, client):
        media_id = await client.upload_media(
            PNID, TOKEN, pieces(), size=len(FILE), mime_type="application/pdf", filename='My "März"\r\n.pdf',
            app_secret=b"app_secret_demo",
        )
    assert media_id == "901"
    request = server.requests[0]
    assert (request.method, request.path) == ("POST", f"/v26.0/{PNID}/media")
    assert "appsecret_proof" in request.query and "transfer-encoding" not in request.headers
    form = parts(request)
    assert {name: form[name].get_payload() for name in ("messaging_product", "type")} == {
        "messaging_product": "whatsapp", "type": "application/pdf",
    }
    assert form["file"].get_content_type() == "application/pdf"
    assert form["file"].get_payload(decode=True) == FILE
    assert 'filename="My %22März%22%0D%0A.pdf"'.encode() in request.body


@pytest.mark.parametrize("size", [100, len(FILE) - 1, len(FILE) + 1])
async def test_a_file_of_another_size_is_not_uploaded(size: int) -> None:
    async with graph(json_answer({"id": "901"})) as (server, client):
        with pytest.raises(NotSent, match="size"):
            await client.upload_media(PNID, TOKEN, pieces(), size=size, mime_type="image/png", filename="a.png")
        await server.until_hung_up()
    assert server.requests == [], "the server must never see a whole request"


async def test_a_file_that_cannot_be_read_is_the_callers_error() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield FILE
        raise PermissionError("no")

    async with graph(json_answer({"id": "901"})) as (server, client):
        with pytest.raises(PermissionError):
            await client.upload_media(PNID, TOKEN, broken(), size=1 << 20, mime_type="image/png", filename="a.png")
        await server.until_hung_up()
    assert server.requests == []


@pytest.mark.parametrize("mime_type", ["", "image", "image/png\r\nX-Evil: 1", 'image/png"', "a/b; c"])
async def test_a_type_that_is_none_is_not_sent(mime_type: str) -> None:
    async with graph(json_answer({"id": "901"})) as (server, client):
        with pytest.raises(NotSent, match="mime_type"):
            await client.upload_media(PNID, TOKEN, pieces(), size=len(FILE), mime_type=mime_type, filename="a")
    assert server.connections == 0


async def test_a_type_with_a_parameter_and_an_answer_without_an_id() -> None:
    async with graph(json_answer({"id": "901"}), json_answer({"unexpected": 1})) as (server, client):
        await client.upload_media(
            PNID, TOKEN, pieces(b"x"), size=1, mime_type="audio/ogg; codecs=opus", filename="a.ogg"
        )
        with pytest.raises(Doubtful):
            await client.upload_media(PNID, TOKEN, pieces(b"x"), size=1, mime_type="audio/ogg", filename="a.ogg")
    assert parts(server.requests[0])["type"].get_payload() == "audio/ogg; codecs=opus"


async def test_the_address_of_a_file() -> None:
    digest = hashlib.sha256(FILE)
    said = {"url": "https://lookaside.fbsbx.com/x", "mime_type": "image/jpeg", "id": "901"}
    async with graph(
        json_answer({**said, "sha256": digest.hexdigest(), "file_size": "12345"}),
        json_answer({**said, "sha256": base64.b64encode(digest.digest()).decode(), "file_size": 12345}),
        json_answer({"url": said["url"]}),
        json_answer({"id": "901"}),
    ) as (server, client):
        for _ in range(2):
            place = await client.media_url("901", PNID, TOKEN)
            assert (place.url, place.mime_type, place.sha256, place.size) == (
                "https://lookaside.fbsbx.com/x", "image/jpeg", digest.hexdigest(), 12345,
            )
        place = await client.media_url("901", PNID, TOKEN)
        assert (place.mime_type, place.sha256, place.size) == ("application/octet-stream", None, None)
        with pytest.raises(Doubtful):
            await client.media_url("901", PNID, TOKEN)
    assert (server.requests[0].path, server.requests[0].query) == ("/v26.0/901", {"phone_number_id": PNID})


async def test_a_file_comes_whole_with_the_token_shown() -> None:
    async with graph(drip(answer(FILE), size=9_999)) as (server, client):
        assert await fetch(client, f"{server.url}/media/901?hash=x") == FILE
        assert await fetch(client, f"{server.url}/media/901?hash=x") == FILE
    assert server.requests[0].headers["authorization"] == "Bearer EAAdemo"
    assert server.requests[0].headers["user-agent"].startswith("Chime/")
    assert server.connections == 1


async def test_a_redirect_to_another_host_is_followed_without_the_token() -> None:
    async with ScriptedServer([answer(FILE)]) as other:
        there = f"Location: {other.url}/file"
        async with graph(answer(b"", 302, "Location: /next"), answer(b"", 307, there)) as (server, client):
            assert await fetch(client, f"{server.url}/media/901") == FILE
    assert [request.path for request in server.requests] == ["/media/901", "/next"]
    assert all("authorization" in request.headers for request in server.requests)
    assert "authorization" not in other.requests[0].headers


@pytest.mark.parametrize("location, requests", [
    ("/again", 3), ("ftp://127.0.0.1/x", 1), ("file:///etc/passwd", 1), ("http://user:pass@127.0.0.1/x", 1),
    ("http://[bad/", 1), ("", 3),
])
async def test_a_redirect_that_leads_nowhere_good(location: str, requests: int) -> None:
    async with graph(answer(b"", 302, f"Location: {location}")) as (server, client):
        with pytest.raises(NotSent):
            await fetch(client, f"{server.url}/media/901")
    assert len(server.requests) == requests


@pytest.mark.parametrize("url, base, shown", [
    ("https://lookaside.fbsbx.com/x?mid=1", "https://graph.facebook.com", True),
    ("https://scontent.xx.fbcdn.net/x", "https://graph.facebook.com", True),
    ("https://graph.facebook.com/x", "https://graph.facebook.com", True),
    ("https://LOOKASIDE.FBSBX.COM:443/x", "https://graph.facebook.com", True),
    ("https://graph.example:8443/x", "https://graph.example:8443/graph", True),
    ("http://lookaside.fbsbx.com/x", "https://graph.facebook.com", False),
    ("https://lookaside.fbsbx.com:8443/x", "https://graph.facebook.com", False),
    ("http://graph.facebook.com/x", "https://graph.facebook.com", False),
    ("https://evilfbsbx.com/x", "https://graph.facebook.com", False),
    ("https://fbsbx.com.evil.example/x", "https://graph.facebook.com", False),
    ("https://evil.example/lookaside.fbsbx.com", "https://graph.facebook.com", False),
    ("https://lookaside.fbsbx.com@evil.example/x", "https://graph.facebook.com", False),
    ("https://evil.example\\@lookaside.fbsbx.com/x", "https://graph.facebook.com", False),
    ("https://graph.example/x", "https://graph.example:8443", False),
    ("http://169.254.169.254/latest/meta-data", "https://graph.facebook.com", False),
    ("file:///etc/passwd", "https://graph.facebook.com", False),
    ("//lookaside.fbsbx.com/x", "https://graph.facebook.com", False),
    ("not an address\n", "https://graph.facebook.com", False),
    ("", "https://graph.facebook.com", False),
])
async def test_only_metas_hosts_are_asked_and_shown_the_token(url: str, base: str, shown: bool) -> None:
    asked: list[httpx.Request] = []

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, content=FILE)

    client = GraphClient(base, "v26.0", transport=httpx.MockTransport(reply))
    if shown:
        assert await fetch(client, url) == FILE
        assert asked[0].headers["authorization"] == "Bearer EAAdemo"
    else:
        with pytest.raises(NotSent):
            await fetch(client, url)
        assert asked == []


async def test_tls_is_not_given_up_on_the_way() -> None:
    asked: list[str] = []

    def reply(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(302, headers={"Location": "http://127.0.0.1/x"})

    client = GraphClient("https://graph.facebook.com", "v26.0", transport=httpx.MockTransport(reply))
    with pytest.raises(NotSent):
        await fetch(client, "https://a.fbsbx.com/x")
    assert asked == ["https://a.fbsbx.com/x"]


@pytest.mark.parametrize("turn, words", [
    (answer(FILE), f"has {len(FILE)} bytes"), (last_words(b"HTTP/1.1 200 OK\r\n\r\n" + FILE), "more than"),
], ids=["announced", "found-out"])
async def test_a_file_over_the_limit_is_broken_off(turn: Turn | bytes, words: str) -> None:
    async with graph(turn) as (server, client):
        with pytest.raises(MediaTooLarge, match=words):
            await fetch(client, f"{server.url}/media/901", len(FILE) - 1)
        assert await fetch(client, f"{server.url}/media/901", len(FILE)) == FILE


@pytest.mark.parametrize("turn, error", [
    (answer(b"Not found", 404), GraphRefused),
    (json_answer({"error": {"code": 190, "message": "expired"}}, 401), GraphRefused),
    (answer(b"", 503), Doubtful),
    (answer(b"{}", 206), Doubtful),
    (drop, Doubtful),
    (last_words(answer(FILE)[:-9]), Doubtful),
], ids=["gone", "expired", "503", "part", "dropped", "truncated"])
async def test_a_file_that_does_not_come(turn: Turn | bytes, error: type[Exception]) -> None:
    async with graph(turn) as (server, client):
        with pytest.raises(error) as caught:
            await fetch(client, f"{server.url}/media/901")
    if isinstance(caught.value, GraphRefused):
        assert caught.value.http_status in (404, 401)


async def test_a_reader_that_stops_hangs_up() -> None:
    async with graph(drip(answer(FILE), size=1_000, pause=0.01)) as (server, client):
        async with contextlib.aclosing(client.download(f"{server.url}/x", TOKEN, limit_bytes=1 << 20)) as chunks:
            async for _ in chunks:
                break
        await server.until_hung_up()
