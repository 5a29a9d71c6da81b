"""What an agent wrote first arrives first, also when WhatsApp is slow or the first one has a file to upload."""

from __future__ import annotations

from tests.http.inbox_setup import talk
from tests.support.world import World

PNG = (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xff\xff?"
       b"\0\x05\xfe\x02\xfe\xa75\x81\x84\0\0\0\0IEND\xaeB`\x82")


async def test_messages_of_one_conversation_go_one_after_the_other(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    world.simulator.set_switches({"answer_delay_ms": 120})
    picture = await kim.post(f"{maya.base}/files", data={"caption": "0"}, files={"file": ("a.png", PNG, "image/png")})
    assert picture.status_code == 200, picture.text
    for number in range(1, 6):
        answer = await kim.post(f"{maya.base}/messages", data={"type": "text", "text": str(number)})
        assert answer.status_code == 200, answer.text
    await world.settle()
    arrived = [(message.content.get("body") or message.content.get("caption")) for message in maya.on_the_phone()]
    assert arrived == ["0", "1", "2", "3", "4", "5"]


async def test_a_slow_conversation_holds_up_no_other(world: World) -> None:
    kim, maya = await world.session("kim"), await talk(world)
    tom = await talk(world, name="Tom Hughes", phone="14155550142")
    world.simulator.set_switches({"answer_delay_ms": 400})
    for number in range(4):
        await kim.post(f"{maya.base}/messages", data={"type": "text", "text": f"slow {number}"})
    await kim.post(f"{tom.base}/messages", data={"type": "text", "text": "not behind Maya's"})
    await world.settle()
    sent = sorted([*await maya.sent(), *await tom.sent()], key=lambda message: message.sent_at or 0)
    assert "not behind Maya's" in [message.text for message in sent[:2]]
