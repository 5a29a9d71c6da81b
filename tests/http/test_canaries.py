"""One scripted day on which every secret, number, name and text there is passes through Chime; afterwards each is
looked for in every file, every line of the log and every answer, and found nowhere but where it belongs.

The canaries come from `tests/support/canaries.py` and from what is made on the way (links, codes, cookies, keys). The
search is proved on each of them: planted in every form it may be written in, it is found. That Chime's own files hold
no exception is part of the promise; the answers that show a secret once are named where it is made.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chime.config import MailServer as Where
from tests.http.canary_setup import Script, visits
from tests.http.inbox_setup import indexed, talk
from tests.http.test_secrets_never_logged import listening as ear
from tests.support.canary_search import (
    MASKED,
    NUMBER,
    SECRET,
    WHOLE,
    WORDS,
    Canary,
    Door,
    Told,
    files_of,
    in_answers,
    in_files,
    in_log,
    keys_of,
    standing_in,
)
from tests.support.mail_server import MailServer, mail_server
from tests.support.world import World, running_world

PUBLIC = "https://chime.example"
# What never passes the door: keys, what was stored before the day, and the other spelling of a recovery code.
KEPT = re.compile("master|pepper|^(control_file|field|parked|links|wrap) |'s (root|workspace.db|journal.db)|bytes$"
                  "|^the (access token|app's secret)$|without dashes$")


@contextmanager
def logged(folder: Path) -> Iterator[Callable[[], dict[str, str]]]:
    """The log as `chime serve` writes it, in both forms and at debug level, and what was handed to it."""
    handlers = []
    for form in ("text", "json"):
        with ear(form):
            handler = logging.getLogger().handlers[0]
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(io.StringIO())
        handlers.append((form, handler))
    with ear("text") as keeper:
        for _, handler in handlers:
            logging.getLogger().addHandler(handler)
        yield lambda: {form: handler.stream.getvalue() for form, handler in handlers} | {
            "what the log was handed": "\n".join(keeper.said)}


@pytest.mark.timeout(300)
async def test_a_day(installation: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    door = Door()
    with logged(folder) as log_so_far:
        async with mail_server() as server, running_world(
                installation, folder, public_url=PUBLIC,
                mail_server=Where("127.0.0.1", server.port, "plain")) as world:
            world.app.asgi_handler = door.before(world.app.asgi_handler)
            script = Script(world, server)
            await script.live()
            await visits(world)
            script.found += await keys_of(world)
            running = files_of(folder)
            await script.data_leaves_and_goes()
            forgotten = files_of(folder)
    printed = "".join(capfd.readouterr())
    said = log_so_far() | {"what was printed": printed}
    canaries = tuple(script.found)
    assert len(door.kept) > 500 and all(len(text) > 1_000 for text in said.values())
    assert {told.who for told in door.kept} >= WHOLE | MASKED | {"charlie", "nobody", "olga", "globex-key"}
    assert {told.who for told in door.kept if told.path == "/w/acme/events" and b"event: nudge" in told.answer} >= {
        "alice", "bob"}, "streams are kept as well"
    faults = in_log(canaries, said) + in_answers(canaries, door.kept)
    for when, files in (("running", running), ("after the erasure", forgotten), ("stopped", files_of(folder))):
        faults += [f"{fault}, {when}" for fault in in_files(canaries, files)]
    assert not faults, "\n".join(faults)
    idle(canaries, door, server)
    bites(canaries)


def idle(canaries: tuple[Canary, ...], door: Door, server: MailServer) -> None:
    """None of them sat the day out: each went in or out of the door, or left in a mail; the keys did their work."""
    passed = b"\n".join([bytes(told.asked + told.answer) for told in door.kept] + [mail.text.encode()
                                                                                for mail in server.mails])
    unused = sorted(canary.what for canary in set(canaries) - standing_in(passed, canaries))
    assert not [what for what in unused if not KEPT.search(what)], "\n".join(unused)


def bites(canaries: tuple[Canary, ...]) -> None:
    """The search is worth something only if it would see: each one, planted once in every form, is found."""
    for canary in canaries:
        for form in canary.forms():
            around = b"\0rubbish" + form + b"rubbish\0"
            assert f"{canary.what} in x" in in_files(canaries, {"x": around, "y": b"rubbish"}), canary
            if form.isascii():
                assert f"{canary.what} in x" in in_log(canaries, {"x": around.decode(), "y": "rubbish"}), canary
            for who in {SECRET: ("charlie", "nobody") if canary.shown else ("alice", "nobody"),
                        NUMBER: ("bob", "charlie", "nobody"), WORDS: ("charlie", "nobody", "olga")}[canary.kind]:
                told = Told("GET", "/w/acme/x", who=who, answer=bytearray(around))
                assert f"{canary.what} told to {who} by GET /w/acme/x" in in_answers(canaries, [told]), canary


async def test_metas_id_of_a_message_is_no_way_around_the_mask(world: World) -> None:
    """A wamid is the customer's number in base64: who may not see the one is not told the other."""
    maya = await talk(world)
    asked = await maya.says("and on Monday?")
    await maya.reply(await world.session("alice"), "Yes")
    await indexed(world)
    for scopes, seen in (("inbox:read,numbers:read", True), ("inbox:read", False)):
        async with world.client(await world.key(world.acme, scopes)) as script:
            for path in (f"/api/v1/conversations/{maya.id}/messages", f"/api/v1/messages/{asked.id}",
                         "/api/v1/messages?search=Monday"):
                answer = await script.get(path)
                assert answer.status_code == 200 and ("wamid." in answer.text) == seen, (path, scopes)
                told = answer.json()
                assert all((one["wamid"] is not None) == seen for one in told.get("items", [told])), path
