"""The doctor of a number: each thing that Meta, the way of a webhook or silence can break turns exactly its line red,
and mended it is in order again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import msgspec
import pytest

from chime.checked import State
from chime.clock import DAY, HOUR, MINUTE, SECOND
from chime.doctor import kept, silence
from chime.doctor.silence import missed
from chime.simulator.model import App, Number, Token
from tests.http.doctor_setup import doctor, look, not_in_order
from tests.http.inbox_setup import rows, talk
from tests.support.world import ACCESS_TOKEN, ACME_NUMBER, World

WARN, FAIL = State.WARN, State.FAIL


def _token(world: World) -> Token:
    return world.simulator.world.tokens[ACCESS_TOKEN]


def _number(world: World) -> Number:
    return world.simulator.world.numbers[ACME_NUMBER.phone_number_id]


def _app(world: World) -> App:
    return world.simulator.world.apps["200300400500600"]


def _days(world: World, days: float) -> int:
    return int((world.clock.real_now() + days * DAY) / SECOND)


Break = Callable[[World], object]
BREAKS: dict[str, tuple[Break, dict[str, State], str]] = {
    "the token ends soon": (lambda world: setattr(_token(world), "expires_at", _days(world, 10)),
                            {"access token": WARN}, "ends in 9 days"),
    "the token ends now": (lambda world: setattr(_token(world), "expires_at", _days(world, 1.5)),
                           {"access token": FAIL}, "ends in 1 days"),
    "the token lacks a permission": (lambda world: setattr(_token(world), "lacks", ("whatsapp_business_messaging",)),
                                     {"permissions": FAIL}, "lacks whatsapp_business_messaging"),
    "the number is not registered": (lambda world: setattr(_number(world), "status", "DISCONNECTED"),
                                     {"number": FAIL}, "is DISCONNECTED"),
    "sending is blocked": (lambda world: setattr(_number(world), "can_send", "BLOCKED"), {"number": FAIL}, "nothing"),
    "sending is limited": (lambda world: setattr(_number(world), "can_send", "LIMITED"), {"number": WARN}, "limits"),
    "quality is low": (lambda world: setattr(_number(world), "quality_rating", "RED"), {"quality": FAIL}, "low"),
    "quality is medium": (lambda world: setattr(_number(world), "quality_rating", "YELLOW"), {"quality": WARN},
                          "medium"),
    "the name was declined": (lambda world: setattr(_number(world), "name_status", "DECLINED"),
                              {"display name": WARN}, "DECLINED"),
    "the account has no subscription": (
        lambda world: world.simulator.world.subscriptions[ACME_NUMBER.waba_id].clear(),
        {"webhook subscription": FAIL}, "not among the 0 apps"),
    "no field messages": (lambda world: setattr(_app(world), "fields", ("account_update",)),
                          {"webhook fields": FAIL}, "nothing arrives"),
    "a useful field is missing": (lambda world: setattr(_app(world), "fields", _app(world).fields[1:]),
                                  {"webhook fields": WARN}, "account_alerts"),
    "Meta switched the webhook off": (lambda world: setattr(_app(world), "webhook_active", False),
                                      {"webhook fields": FAIL}, "switched"),
    "another address of the app": (lambda world: setattr(_app(world), "webhook_url", "https://other.example/hook"),
                                   {"webhook address": FAIL}, "another address"),
    "another address of the number": (lambda world: setattr(_number(world), "override_url", "https://other.example/"),
                                      {"webhook address": FAIL}, "another address"),
}


@pytest.fixture
async def mended(world: World) -> AsyncIterator[World]:
    """What a test breaks at Meta is put back."""
    side = world.simulator.world
    token, number, app = (msgspec.structs.replace(one) for one in (_token(world), _number(world), _app(world)))
    subscriptions = dict(side.subscriptions[ACME_NUMBER.waba_id])

    def mend() -> None:
        side.tokens[ACCESS_TOKEN] = msgspec.structs.replace(token)
        side.numbers[ACME_NUMBER.phone_number_id] = msgspec.structs.replace(number)
        side.apps[app.app_id] = msgspec.structs.replace(app)
        side.subscriptions[ACME_NUMBER.waba_id] = dict(subscriptions)

    cast(Any, world).mend = mend
    yield world
    mend()
    await look(world)


async def test_a_number_that_works_is_in_order(mended: World) -> None:
    found = await look(mended)
    assert not not_in_order(found) and len(found) == 11
    text = repr([(one.check.detail, one.check.what_to_do, one.values) for one in found.values()])
    assert "010-0200" not in text and "5550100200" not in text and ACCESS_TOKEN not in text


async def test_what_is_broken_at_meta_turns_its_line_and_no_other(mended: World) -> None:
    for name, (breaks, wanted, words) in BREAKS.items():
        breaks(mended)
        found = await look(mended)
        assert not_in_order(found) == wanted, name
        [(line, _)] = wanted.items()
        assert words in found[line].check.detail and found[line].check.what_to_do, name
        cast(Any, mended).mend()
        assert not not_in_order(await look(mended)), name


async def test_a_dead_token_is_said_where_it_belongs(mended: World) -> None:
    _token(mended).expired = True
    found = await look(mended)
    broken = not_in_order(found)
    assert broken["access token"] is FAIL and "not valid" in found["access token"].check.detail
    assert set(broken) == {"access token", "number", "webhook subscription"}, "who asks with it is refused"
    assert found["quality"].state is State.SKIPPED, "what Meta did not say is neither good nor bad"


async def test_a_token_of_another_app_is_found(mended: World) -> None:
    side = mended.simulator.world
    side.apps["999"] = App(app_id="999", app_secret=_app(mended).app_secret, verify_token="x", webhook_url="")
    _token(mended).app_id = "999"
    found = await look(mended)
    assert "belongs to the Meta app 999" in found["access token"].check.detail
    del side.apps["999"]


async def test_meta_that_does_not_answer_is_no_fault_of_the_number(mended: World) -> None:
    graph = mended.services.graph
    before, graph._base = graph._base, "http://127.0.0.1:9/v26.0"
    graph._addresses.clear()
    try:
        found = await look(mended)
    finally:
        graph._base = before
    assert all("CHIME_GRAPH_URL" in found[name].check.what_to_do
               for name in ("access token", "number", "webhook subscription", "webhook fields"))
    assert found["signature round trip"].state is State.OK, "our own way is asked all the same"
    assert not not_in_order(await look(mended))


async def test_the_self_test_takes_no_effect_and_only_who_has_the_secret_makes_one(mended: World) -> None:
    from chime.inbound import self_test

    async with mended.workspace(mended.acme) as workspace:
        before = await workspace.journal_db.value("SELECT count(*) FROM webhook_body")
        body = self_test.body("nonce")
        answer = await mended.webhook(body)
        assert answer.status_code == 200
        assert self_test.read(b"an app secret of the tests", body, answer.content) is not None
        assert self_test.read(b"another", body, answer.content) is None, "nobody else can give the answer"
        assert self_test.read(b"an app secret of the tests", self_test.body("other"), answer.content) is None
        assert (await mended.webhook(body, secret="wrong")).status_code == 401
        assert (await mended.webhook(body.replace("äöü".encode(), b"\\u00e4\\u00f6\\u00fc"))).status_code == 200, \
            "rightly signed, it is no self-test but some body without events"
        assert await workspace.journal_db.value("SELECT count(*) FROM webhook_body") == before


async def test_sends_that_nothing_is_heard_of_are_missed(mended: World) -> None:
    """Statuses come within moments; fifteen minutes without any webhook after a send is silence."""
    chat = await talk(mended)
    mended.simulator.set_switches({"hold_statuses": True})
    async with mended.client(await mended.key(mended.acme)) as client:
        sent = await client.post("/api/v1/messages", json={"contact_id": chat.contact_id, "type": "text",
                                                           "text": {"body": "Yes"}})
        assert sent.status_code == 202, sent.text
    while not await rows(mended, mended.acme, "SELECT 1 FROM message WHERE status = 'sent'"):
        await asyncio.sleep(0.02)
    now, channel = mended.clock.now(), mended.acme.channel_id
    async with mended.workspace(mended.acme) as workspace:
        assert (await missed(workspace, channel, now + 10 * MINUTE)).unheard_of == 0, "it may still come"
        assert (await missed(workspace, channel, now + 20 * MINUTE)).unheard_of == 1
        assert (await missed(workspace, channel, now + 2 * DAY)).unheard_of == 0, "too old to say anything"
    mended.clock.pass_time(20 * MINUTE)
    assert not_in_order(await look(mended)) == {"webhooks": FAIL}
    mended.simulator.set_switches({"hold_statuses": False})
    await mended.settle()
    assert not not_in_order(await look(mended)), "a webhook came"


def test_silence_says_what_is_missed_and_knows_a_new_number() -> None:
    from chime.channels import Channel

    def channel(created_at: int) -> Channel:
        return Channel(id="c", phone_number_id="1", waba_id="2", meta_app_id="a", display_phone="", verified_name="",
                       quality="", messages_per_second=80, state="connected", trouble="", paused_until=None,
                       created_at=created_at)

    now = 100 * DAY
    say = silence.silence
    assert say(channel(0), silence.Missed(now - HOUR, 3, 0), now).state is FAIL
    assert say(channel(0), silence.Missed(now - 3 * HOUR, 0, silence.USUAL), now).state is WARN
    assert say(channel(0), silence.Missed(now - 3 * HOUR, 0, silence.USUAL - 1), now).state is State.OK
    assert say(channel(now - MINUTE), silence.Missed(0, 0, 0), now).state is State.SKIPPED
    assert say(channel(0), silence.Missed(0, 0, 0), now).state is State.OK


async def test_an_hour_at_which_there_is_always_traffic_is_missed_and_a_quiet_night_is_not(mended: World) -> None:
    """Four weeks with traffic from eight to six each day and none at night."""
    async with mended.workspace(mended.acme) as workspace:
        monday = 20_000 * DAY + 4 * DAY
        moments = [monday + day * DAY + hour * HOUR + quarter * 15 * MINUTE
                   for day in range(28) for hour in range(8, 18) for quarter in range(4)]
        kept = await workspace.journal_db.rows("SELECT id, key, received_at, body FROM webhook_body")
        async with workspace.journal_db.transaction() as tx:
            await tx.execute("DELETE FROM webhook_body")
            for moment in moments:
                await tx.execute("INSERT INTO webhook_body (key, received_at, body) VALUES (x'00', ?, x'00')", moment)
        last, channel = moments[-1], mended.acme.channel_id
        try:
            night = (await missed(workspace, channel, last + 8 * HOUR)).usual
            short = (await missed(workspace, channel, last + 1 * HOUR)).usual
            # 17:45 of a Sunday, and nothing by 13:00 of the Monday: five hours of a shop that is open.
            day = (await missed(workspace, channel, last + 19 * HOUR)).usual
        finally:
            async with workspace.journal_db.transaction() as tx:
                await tx.execute("DELETE FROM webhook_body")
                for row in kept:
                    await tx.execute("INSERT INTO webhook_body (id, key, received_at, body) VALUES (?, ?, ?, ?)", *row)
    assert night < silence.USUAL and short == 0
    assert day >= silence.USUAL, "weeks ago the same morning had twenty"


async def test_one_look_at_a_time_and_the_others_are_looked_at(mended: World) -> None:
    """A workspace whose files are away costs the others nothing."""
    with pytest.MonkeyPatch.context() as patch:
        use = mended.services.registry.use

        def refused(workspace_id: str, **options: object) -> object:
            if workspace_id == mended.acme.workspace_id:
                raise OSError("away")
            return use(workspace_id, **cast(Any, options))

        patch.setattr(mended.services.registry, "use", refused)
        await doctor(mended).look_everywhere()
    control = mended.services.control.db
    assert await kept(control, mended.globex.workspace_id) and await kept(control, "")
    assert not await kept(control, mended.acme.workspace_id)
