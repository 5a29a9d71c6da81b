"""A customer's files: brought home at once, kept encrypted, shown to those who may see them and never run as a page;
and when they cannot be had, the message is still there and says why.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from chime import inbox
from chime.clock import DAY, HOUR, MINUTE
from chime.simulator import write
from chime.simulator.sample_media import sample
from chime.whatsapp.answers import MediaLocation
from tests.http.inbox_setup import Left, Talk, leaving, talk, without_script
from tests.support.world import World

HTMX = {"HX-Request": "true"}
LONG = bytes(range(251)) * 1200  # 301,200 bytes: several pieces of a stored file


async def sends(maya: Talk, kind: str, content: bytes, mime_type: str, filename: str | None = None,
                **options: Any) -> inbox.Message:
    """The customer sends a file; the message with its file as the inbox has it."""
    media = maya.world.simulator.world.add_media(maya.tenant.number.phone_number_id, content, mime_type,
                                                 filename=filename)
    return await maya.says({"type": kind, kind: {"id": media.media_id}}, **options)


def address(maya: Talk, message: inbox.Message) -> str:
    assert message.media is not None
    return f"{maya.workspace_base}/media/{message.media.id}"


async def bubble(maya: Talk, client: httpx.AsyncClient, message: inbox.Message) -> str:
    return (await client.get(f"{maya.base}/messages", params={"ids": message.id})).text


def stored_files(world: World) -> list[Path]:
    return [path for path in (world.data_dir / "workspaces").rglob("media/*/*") if path.is_file()]


async def test_every_kind_of_file_comes_home_and_is_shown_as_what_it_is(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    for kind, shown, inline in (
        ("image", '<img src="{0}"', True), ("sticker", 'class="sticker" src="{0}"', True),
        ("video", '<video class="picture" src="{0}"', True), ("audio", '<audio src="{0}"', True),
        ("document", 'href="{0}?download=1" download', False),
    ):
        message = await maya.says({"type": kind, kind: {}})
        content, mime_type = sample(kind).content, sample(kind).mime_type.split(";")[0]
        assert message.media is not None and message.media.state == "ready" and message.media.size == len(content)
        where = address(maya, message)
        assert shown.format(where) in await bubble(maya, kim, message), kind
        answer = await kim.get(where)
        assert answer.status_code == 200 and answer.content == content, kind
        assert answer.headers["content-type"] == (mime_type if inline else "application/octet-stream")
        assert answer.headers["content-disposition"].startswith("inline;" if inline else "attachment;"), kind
        assert answer.headers["content-length"] == str(len(content)) and answer.headers["accept-ranges"] == "bytes"
        download = await kim.get(where, params={"download": "1"})
        assert download.headers["content-disposition"].startswith("attachment;") and download.content == content
    voice = await maya.says({"type": "audio", "audio": {"voice": True}})
    assert "Voice note" in await bubble(maya, kim, voice)


async def test_a_customers_file_is_data_and_never_a_page(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    evil = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(2)</script></svg>"
    for kind, mime_type in (("document", "image/svg+xml"), ("image", "image/svg+xml"), ("document", "text/html"),
                            ("sticker", "text/html; charset=utf-8"), ("video", "application/xhtml+xml"),
                            ("audio", "text/javascript"), ("document", "application/pdf"), ("image", "IMAGE/SVG+XML")):
        message = await sends(maya, kind, evil, mime_type, filename="a.svg")
        answer = await kim.get(address(maya, message))
        assert answer.content == evil and answer.headers["content-type"] == "application/octet-stream", mime_type
        assert answer.headers["content-disposition"].startswith("attachment;"), mime_type
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("sandbox; default-src 'none'") and "script" not in policy
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"].startswith("private")
    lying = await sends(maya, "image", evil, "image/png")
    answer = await kim.get(address(maya, lying))
    assert answer.headers["content-type"] == "image/png" and answer.headers["x-content-type-options"] == "nosniff"


async def test_a_files_name_is_kept_and_cannot_write_headers(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    for filename, told in (("Größe & Preis.pdf", "Gr%C3%B6%C3%9Fe%20%26%20Preis.pdf"),
                           ('a"; filename=evil.exe', "a%22%3B%20filename%3Devil.exe"),
                           ("a\r\nSet-Cookie: x=1.pdf", "a%0D%0ASet-Cookie%3A%20x%3D1.pdf"),
                           ("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd")):
        message = await sends(maya, "document", b"x", "application/pdf", filename)
        answer = await kim.get(address(maya, message))
        assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{told}"
        assert "set-cookie" not in answer.headers


async def test_a_player_may_ask_for_a_part(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    message = await sends(maya, "audio", LONG, "audio/mpeg")
    where, size = address(maya, message), len(LONG)
    for asked, start, end in (("bytes=0-", 0, size), ("bytes=0-0", 0, 1), ("bytes=100-199", 100, 200),
                              ("bytes=65535-65536", 65535, 65537), ("bytes=65536-131071", 65536, 131072),
                              ("bytes=-10", size - 10, size), (f"bytes=-{size * 2}", 0, size),
                              (f"bytes={size - 1}-{size + 500}", size - 1, size)):
        answer = await kim.get(where, headers={"Range": asked})
        assert answer.status_code == 206 and answer.content == LONG[start:end], asked
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert answer.headers["content-length"] == str(end - start)
    for asked in (f"bytes={size}-", f"bytes={size + 1}-{size + 2}", "bytes=-0"):
        answer = await kim.get(where, headers={"Range": asked})
        assert answer.status_code == 416 and answer.headers["content-range"] == f"bytes */{size}", asked
        assert answer.content == b""
    for asked in ("bytes=-", "bytes=9-5", "bytes=a-b", "pieces=0-5", "bytes=0-1,5-6", "bytes=1-2-3", "bytes=٣-٥",
                  f"bytes={'9' * 5000}-"):
        answer = await kim.get(where, headers={"Range": asked.encode()})
        assert answer.status_code == 200 and len(answer.content) == size, asked


async def test_what_a_browser_has_already_is_not_sent_again(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    message, other = await sends(maya, "image", LONG, "image/png"), await sends(maya, "image", LONG, "image/png")
    where = address(maya, message)
    tag = (await kim.get(where)).headers["etag"]
    assert tag.startswith('"') and tag != (await kim.get(address(maya, other))).headers["etag"]
    for known in (tag, f'W/{tag}, "other"', "*"):
        answer = await kim.get(where, headers={"If-None-Match": known})
        assert answer.status_code == 304 and answer.content == b"" and answer.headers["etag"] == tag, known
    assert (await kim.get(where, headers={"If-None-Match": '"other"'})).status_code == 200
    part = {"Range": "bytes=10-19"}
    assert (await kim.get(where, headers=part | {"If-Range": tag})).content == LONG[10:20]
    for stale in ('"other"', f"W/{tag}", "Sat, 21 Nov 2026 03:00:00 GMT"):
        answer = await kim.get(where, headers=part | {"If-Range": stale})
        assert answer.status_code == 200 and len(answer.content) == len(LONG), "the whole of what is there now"


async def test_files_lie_encrypted_and_only_members_get_them(world: World) -> None:
    alice, charlie = await world.session("alice"), await world.session("charlie")
    maya = await talk(world)
    message = await sends(maya, "document", b"my diagnosis is private " * 5000, "application/pdf", "diagnosis.pdf")
    (file,) = stored_files(world)
    assert message.media is not None and file.name == message.media.id and "diagnosis" not in str(file)
    assert b"diagnosis" not in file.read_bytes() and file.stat().st_mode & 0o777 == 0o600
    assert world.acme.workspace_id in file.parts and file.parent.stat().st_mode & 0o777 == 0o700
    where = address(maya, message)
    assert (await alice.get(where)).status_code == 200
    for stranger in (where, where.replace(f"/{world.acme.slug}/", f"/{world.globex.slug}/")):
        assert (await charlie.get(stranger)).status_code == 404
    async with httpx.AsyncClient(base_url=world.base) as nobody:
        assert (await nobody.get(where)).status_code == 303
    await alice.post("/sign-out")
    assert (await alice.get(where)).status_code == 303


async def test_a_fetch_that_fails_is_told_and_tried_again_by_itself(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"token_expired": True})
    message = await sends(maya, "image", LONG, "image/png")
    assert message.type == "image" and message.media is not None and message.media.state == "pending"
    shown = await bubble(maya, kim, message)
    assert "WhatsApp did not hand over the file." in shown and f"{address(maya, message)}/fetch" in shown
    assert (await kim.get(address(maya, message))).status_code == 404 and stored_files(world) == []
    world.simulator.set_switches({"token_expired": False})
    world.clock.pass_time(MINUTE)
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()
    assert (await kim.get(address(maya, message))).content == LONG
    assert "did not hand over" not in await bubble(maya, kim, message)


async def test_a_file_is_asked_for_as_long_as_meta_holds_it(world: World) -> None:
    """A token that ran out on a Friday night is renewed on Monday; the files of the weekend come home by themselves."""
    maya = await talk(world)
    world.simulator.set_switches({"token_expired": True})
    message = await sends(maya, "image", LONG, "image/png")
    for _ in range(65):
        world.clock.pass_time(HOUR + MINUTE)
        await world.services.runner.sweep([world.acme.workspace_id])
        await world.settle()
    found = (await maya.messages("id = ?", message.id))[0]
    assert found.media is not None and found.media.state == "pending"
    world.simulator.set_switches({"token_expired": False})
    world.clock.pass_time(HOUR + MINUTE)
    world.sessions_are_over()
    kim = await world.session("kim")
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()
    assert (await kim.get(address(maya, message))).content == LONG


async def test_a_file_whose_message_is_forgotten_on_its_way_stays_nowhere(
        world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    maya, found = await talk(world), world.services.graph.media_url

    async def forgotten_meanwhile(media_id: str, *given: Any, **named: Any) -> MediaLocation:
        place = await found(media_id, *given, **named)
        async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
            await tx.execute("UPDATE message SET media_id = NULL WHERE conversation_id = ?", maya.id)
            await tx.execute("DELETE FROM media WHERE meta_media_id = ?", media_id)
        return place

    monkeypatch.setattr(world.services.graph, "media_url", forgotten_meanwhile)
    await maya.says({"type": "image", "image": {}})
    assert stored_files(world) == []


async def test_a_person_may_ask_for_the_file_at_once(world: World) -> None:
    kim, vera, maya = await world.session("kim"), await world.session("vera"), await talk(world)
    world.simulator.set_switches({"token_expired": True})
    message = await sends(maya, "image", LONG, "image/png")
    assert message.media is not None
    again = f"{address(maya, message)}/fetch"
    assert again not in await bubble(maya, vera, message) and (await vera.post(again)).status_code == 403
    world.simulator.set_switches({"token_expired": False})
    async with leaving(world, kim) as left:
        answer = await kim.post(again, headers=HTMX)
        assert answer.status_code == 200 and "Fetching" in answer.text and "<html" not in answer.text
    assert left.audit == [("media.fetch_requested", "media", message.media.id)]
    assert left.nudges == {("message", message.id)} and left.jobs["inbox.fetch_media"] >= 1
    assert (await kim.get(address(maya, message))).content == LONG
    async with leaving(world, kim) as left:
        assert (await kim.post(again, headers=HTMX)).status_code == 409, "it is here"
    assert left == Left()
    plain, token = without_script(world, kim)
    world.simulator.set_switches({"token_expired": True})
    other = await sends(maya, "image", LONG, "image/png")
    async with plain:
        answer = await plain.post(f"{address(maya, other)}/fetch", data={"csrf_token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, maya.base)


async def test_a_file_meta_does_not_hold_any_more_is_told_as_such(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"token_expired": True})
    late = await sends(maya, "image", LONG, "image/png")
    world.simulator.set_switches({"token_expired": False})
    world.simulator.world.media.clear()
    world.clock.pass_time(HOUR)
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()
    old = await sends(maya, "image", LONG, "image/png", at=world.clock.now() - 8 * DAY)
    for message in (late, old):
        found = (await maya.messages("id = ?", message.id))[0]
        assert found.media is not None and (found.media.state, found.media.trouble) == ("failed", "expired")
        shown = await bubble(maya, kim, message)
        assert "WhatsApp does not hold this file any more. Ask the customer to send it again." in shown
    assert stored_files(world) == []


async def test_a_file_that_arrives_damaged_is_not_shown(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    media = world.simulator.world.add_media(world.acme.number.phone_number_id, LONG, "image/png")
    media.content = LONG[:-1] + b"!"
    message = await maya.says({"type": "image", "image": {"id": media.media_id}})
    assert (await kim.get(address(maya, message))).status_code == 404
    assert "The file arrived damaged." in await bubble(maya, kim, message)
    media.content = LONG
    assert (await kim.post(f"{address(maya, message)}/fetch")).status_code == 200
    await world.settle()
    answer = await kim.get(address(maya, message))
    assert hashlib.sha256(answer.content).hexdigest() == media.sha256


async def test_a_file_too_large_to_keep_is_left_with_meta(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    message = await sends(maya, "document", bytes((100 << 20) + 1), "application/pdf", "archive.pdf")
    found = (await maya.messages("id = ?", message.id))[0]
    assert found.media is not None and (found.media.state, found.media.trouble) == ("failed", "too_large")
    assert "The file is larger than 100 MB" in await bubble(maya, kim, message)
    assert stored_files(world) == []


async def test_a_caption_is_read_while_the_file_is_still_on_its_way(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"token_expired": True})
    message = await maya.says({"type": "image", "image": {"caption": "The chip on the rim"}})
    assert "The chip on the rim" in await bubble(maya, kim, message)
    assert "The chip on the rim" in (await kim.get(f"{maya.workspace_base}/inbox/list")).text


async def test_the_file_of_a_message_that_was_taken_back_is_gone(world: World) -> None:
    alice, maya = await world.session("alice"), await talk(world)
    message = await maya.says({"type": "image", "image": {}})
    assert (await alice.get(address(maya, message))).status_code == 200
    before = stored_files(world)
    write(world.simulator, maya.customer, {"type": "revoke", "revoke": {"original_message_id": message.wamid}},
          number=maya.tenant.number)
    await world.settle()
    assert "This message was deleted" in await bubble(maya, alice, message)
    assert (await alice.get(address(maya, message))).status_code == 404
    assert len(stored_files(world)) == len(before) - 1
    assert (await alice.post(f"{address(maya, message)}/fetch")).status_code == 409, "it must not be fetched again"
