"""Files and voice notes on their way to a customer: what WhatsApp would refuse is refused before anything is kept, the
rest arrives byte for byte and lies encrypted on our disk.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from typing import Any

import httpx

from chime import channels
from chime.clock import HOUR, MINUTE
from chime.simulator.sample_media import sample
from tests.http.inbox_setup import Left, Talk, leaving, rows, talk
from tests.support.world import World

HTMX = {"HX-Request": "true"}
LONG = bytes(range(256)) * 1200  # 300 KB: several pieces of a stored file
OPUS_HEAD = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 48_000, 0, 0)


async def attach(maya: Talk, client: httpx.AsyncClient, name: str, content: bytes, kind: str,
                 **fields: str) -> httpx.Response:
    answer = await client.post(f"{maya.base}/files", data=fields, files={"file": (name, content, kind)}, headers=HTMX)
    await maya.world.settle()
    return answer


def received(maya: Talk) -> tuple[str, dict[str, Any], bytes, str]:
    """The last message on the phone: type, content, and the file that came with it."""
    message = maya.on_the_phone()[-1]
    media = maya.world.simulator.world.media[message.content["id"]]
    content = {key: value for key, value in message.content.items() if key != "id"}
    return message.type, content, media.content, media.mime_type


async def test_each_kind_of_file_arrives_as_it_is(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    picture, film, sound = sample("image").content, sample("video").content, b"ID3" + LONG
    for name, content, mime_type, fields, expected in (
        ("mug.png", picture, "image/png", {"caption": " The blue one "}, ("image", {"caption": "The blue one"})),
        ("mug.JPG", b"\xff\xd8\xff" + LONG, "image/jpeg", {}, ("image", {})),
        ("film.mp4", film, "video/mp4", {"caption": "Wheel"}, ("video", {"caption": "Wheel"})),
        ("song.mp3", sound, "audio/mpeg", {"caption": "sounds take none"}, ("audio", {"voice": False})),
        ("offer.pdf", LONG, "application/pdf", {"caption": "Our offer"},
         ("document", {"caption": "Our offer", "filename": "offer.pdf"})),
        ("Größe & Preis.txt", b"one line", "text/plain; charset=utf-8", {},
         ("document", {"filename": "Größe & Preis.txt"})),
        ("face.webp", sample("sticker").content, "image/webp", {}, ("document", {"filename": "face.webp"})),
        ("C:\\Users\\Kim\\list.csv", b"a;b", "application/vnd.ms-excel", {}, ("document", {"filename": "list.csv"})),
    ):
        answer = await attach(maya, kim, name, content, mime_type, **fields)
        assert answer.status_code == 200, (name, answer.text)
        kind, told, arrived, arrived_type = received(maya)
        assert (kind, {key: value for key, value in told.items() if value is not False}) == (
            expected[0], {key: value for key, value in expected[1].items() if value is not False}), name
        assert arrived == content and arrived_type == mime_type.split(";")[0], name
        message = (await maya.sent())[-1]
        assert message.status == "read" and message.media is not None and message.media.size == len(content), name
        back = await kim.get(f"{maya.workspace_base}/media/{message.media.id}")
        assert back.content == content, "and the agent can see what went out"
    assert len(world.simulator.world.ledger) == 8


async def test_a_sent_file_lies_encrypted_under_our_own_name(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    async with leaving(world, kim) as left:
        await attach(maya, kim, "../../secret-plan.pdf", b"%PDF-1.4 " + b"my secret plan " * 9000, "application/pdf")
    (message,) = await maya.sent()
    assert message.media is not None and message.media.filename == "secret-plan.pdf"
    assert left.audit == [("media.stored", "media", message.media.id), ("message.queued", "message", message.id),
                          ("conversation.assigned", "conversation", maya.id)]
    (file,) = [path for path in (world.data_dir / "workspaces" / world.acme.workspace_id / "media").rglob("*")
               if path.is_file()]
    assert file.name == message.media.id and b"secret" not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700


async def test_what_whatsapp_would_not_take_is_refused_and_not_kept(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    async with leaving(world, kim) as left:
        for name, content, mime_type, words in (
            ("big.png", b"\x89PNG" + bytes(5 << 20), "image/png", "The image has 5.1 MB; WhatsApp"),
            ("long.mp3", bytes((16 << 20) + 1), "audio/mpeg", "WhatsApp&#39;s limit is 16 MB."),
            ("empty.pdf", b"", "application/pdf", "The file is empty."),
            ("odd.bin", b"x", "nonsense", "The file&#39;s type is missing."),
        ):
            answer = await attach(maya, kim, name, content, mime_type, caption="with words")
            assert answer.status_code == 422 and words in answer.text and "<html" not in answer.text, name
        for data in ({}, {"file": "only a word"}):
            answer = await kim.post(f"{maya.base}/files", data=data, headers=HTMX)
            assert answer.status_code == 422 and "Choose a file." in answer.text
        broken = await kim.post(f"{maya.base}/files", content=b"--x\r\nnonsense",
                                headers=HTMX | {"Content-Type": "multipart/form-data; boundary=x"})
        assert broken.status_code in (400, 422)
    assert left == Left() and list((world.data_dir / "workspaces").rglob("media/*/*")) == []
    answer = await attach(maya, kim, "a.png", sample("image").content, "image/png", caption="c" * 1025)
    assert answer.status_code == 422 and "At most 1,024 characters; these are 1,025." in answer.text
    assert await maya.sent() == [] and world.simulator.world.media == {}


async def test_a_body_that_says_it_is_too_large_is_not_even_read(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    host, _, port = world.base.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write((f"POST {maya.base}/files HTTP/1.1\r\nHost: {host}\r\nCookie: chime={kim.cookies['chime']}\r\n"
                      f"X-CSRF-Token: {kim.headers['X-CSRF-Token']}\r\nContent-Length: 200000000\r\n"
                      "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n").encode())
        await writer.drain()
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    finally:
        writer.close()
    assert b" 413 " in head.split(b"\r\n")[0]


async def test_outside_the_window_no_file_goes(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.clock.advance(25 * HOUR)
    answer = await attach(maya, kim, "a.png", sample("image").content, "image/png")
    assert answer.status_code == 422 and "The 24-hour reply window is closed" in answer.text
    assert await maya.sent() == [] and world.simulator.world.media == {}


async def test_the_same_upload_twice_sends_once_and_a_retry_uploads_no_second_time(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"answer_429": 1})
    for _ in range(2):
        answer = await attach(maya, kim, "a.png", sample("image").content, "image/png", client_id="upload-1")
        assert answer.status_code == 200
    assert [message.status for message in await maya.sent()] == ["queued"]
    world.clock.pass_time(MINUTE)
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()
    assert [message.status for message in await maya.sent()] == ["read"]
    assert len(world.simulator.world.ledger) == len(world.simulator.world.media) == 1


async def test_a_file_meta_refuses_is_told_in_words_and_can_be_sent_again(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    assert (await attach(maya, kim, "clip.webm", b"\x1a\x45\xdf\xa3", "video/webm")).status_code == 200
    (message,) = await maya.sent()
    assert (message.status, message.error_code) == ("failed", 100) and message.error_what_to_do
    world.simulator.set_switches({"token_expired": True})
    await attach(maya, kim, "a.png", sample("image").content, "image/png")
    message = (await maya.sent())[-1]
    assert (message.status, message.error_code) == ("failed", 190)
    assert world.simulator.world.ledger == [] and world.simulator.world.media == {}


async def test_a_file_that_is_gone_fails_its_message_and_holds_up_no_other(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    async with world.workspace(world.acme) as workspace:
        async with workspace.ingest("test") as tx:
            await channels.pause(tx, world.acme.channel_id, tx.now + MINUTE)
        assert (await attach(maya, kim, "offer.pdf", LONG, "application/pdf")).status_code == 200
        await maya.reply(kim, "and we open at nine")
        (media_id,) = await rows(world, world.acme, "SELECT media_id FROM message WHERE media_id IS NOT NULL")
        workspace.files.remove(media_id[0])
    world.clock.pass_time(2 * MINUTE)
    await world.services.runner.sweep([world.acme.workspace_id])
    await world.settle()
    gone, behind = await maya.sent()
    assert (gone.status, gone.error_title) == (
        "failed", "The file of this message is not stored any more. Attach it again.")
    assert behind.status == "read" and len(world.simulator.world.ledger) == 1


def vint(number: int) -> bytes:
    return (number | 1 << 28).to_bytes(4, "big")


def element(name: int, content: bytes) -> bytes:
    """A Matroska element: its id, its size, its content."""
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + vint(len(content)) + content


def webm(packets: list[bytes], codec: bytes = b"A_OPUS", lacing: int = 0) -> bytes:
    """A recording as browsers make it: one track, blocks in clusters, the segment's size unknown."""
    track = element(0xAE, element(0xD7, b"\x01") + element(0x86, codec) + element(0x63A2, OPUS_HEAD))
    blocks = [element(0xA3, b"\x81" + struct.pack(">hB", n * 20, 0x80 | lacing) + packet)
              for n, packet in enumerate(packets)]
    clusters = b"".join(element(0x1F43B675, element(0xE7, b"\x00") + b"".join(blocks[n:n + 60]))
                        for n in range(0, len(blocks), 60))
    head = element(0x1A45DFA3, element(0x4282, b"webm"))
    return head + bytes.fromhex("18538067 01ffffffffffffff") + element(0x1654AE6B, track) + clusters


def ogg_packets(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The packets of an Ogg file with the sample position of their page; every checksum is looked at."""
    at, number = 0, 0
    while at < len(data):
        magic, _, _, granule, _, sequence, checksum, count = struct.unpack_from("<4sBBqIIIB", data, at)
        sizes = data[at + 27:at + 27 + count]
        end = at + 27 + count + sum(sizes)
        assert (magic, sequence) == (b"OggS", number)
        assert checksum == crc(data[at:at + 22] + bytes(4) + data[at + 26:end])
        packet, place = b"", at + 27 + count
        for size in sizes:
            packet, place = packet + data[place:place + size], place + size
            if size < 255:
                yield packet, granule
                packet = b""
        at, number = end, number + 1


def crc(data: bytes) -> int:
    register = 0
    for byte in data:
        register ^= byte << 24
        for _ in range(8):
            register = (register << 1 ^ (0x04C11DB7 if register & 0x80000000 else 0)) & 0xFFFFFFFF
    return register


async def test_a_recording_of_the_browser_arrives_as_a_voice_note(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    # 20 ms each; of one frame, of two, and one longer than a segment of a page.
    packets = [bytes([0xF8, n]) for n in range(120)] + [b"\xf9" + bytes(40)] + [b"\xf8" + bytes(600)]
    answer = await attach(maya, kim, "recording.webm", webm(packets), "audio/webm;codecs=opus", voice="1",
                          caption="voice notes have none")
    assert answer.status_code == 200, answer.text
    kind, told, arrived, mime_type = received(maya)
    assert (kind, told, mime_type) == ("audio", {"voice": True}, "audio/ogg")
    found = list(ogg_packets(arrived))
    assert found[0] == (OPUS_HEAD, 0) and found[1][0].startswith(b"OpusTags")
    assert [packet for packet, _ in found[2:]] == packets
    assert found[-1][1] == (120 + 2 + 1) * 960, "the length is right, or phones show another"
    (message,) = await maya.sent()
    assert message.media is not None and message.media.is_voice
    assert "Voice note" in (await kim.get(maya.base)).text
    world.simulator.played(message.wamid or "")
    await world.settle()
    assert (await maya.sent())[0].status == "played"


async def test_what_is_no_recording_is_refused_whatever_it_is(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    good = webm([b"\xf8\xff\xfe"] * 3)
    async with leaving(world, kim) as left:
        for content in (b"\0", b"not a recording", good[:40], webm([b"\xf8"], codec=b"A_VORBIS"), webm([]),
                        webm([b"\xf8\xff"], lacing=0x04), webm([b"\x03"]), b"\xa0\xff" * 20_000, b"\x1a\x45" * 3,
                        b"\xa3\xff", webm([b"\xf8" + bytes(70_000)]), bytes(500)):
            answer = await attach(maya, kim, "recording.webm", content, "audio/webm", voice="1")
            assert answer.status_code == 422, (content[:20], answer.status_code)
            assert "This recording could not be read" in answer.text, content[:20]
    assert left == Left() and await maya.sent() == []
    cut = await attach(maya, kim, "recording.webm", good[:-2], "audio/webm", voice="1")
    assert cut.status_code == 200, "a recording that was cut short still plays to where it ends"


async def test_a_quoted_answer_may_be_a_file(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    question = await maya.says("Have you a picture?")
    await attach(maya, kim, "a.png", sample("image").content, "image/png", quoted_id=question.id)
    assert maya.on_the_phone()[-1].quoted == question.wamid
    assert await rows(world, world.acme, "SELECT direction, state FROM media") == [("out", "ready")]
