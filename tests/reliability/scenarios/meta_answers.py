"""Slow, cut, garbled, foreign and malformed answers of Meta: what it may have taken is never sent again by itself.

One round gives each of some forty answers to messages of conversations of their own, in a new order. The longer tiers
also have an answer that comes when Chime no longer waits for it.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import random

from tests.reliability.appliance import Appliance
from tests.reliability.checker import opened, unsound
from tests.reliability.meta import Fate, Meta, accept, bare_fault, cut, garbled, refuse, reply_lost
from tests.reliability.outbox import Outbox, twice, wrong_states
from tests.reliability.scenario import Options, Outcome, Watch

SHORT, NIGHTLY, RELEASE = 1, 20, 200
DRAINS_IN = 90
# Chime waits 20 s for an answer; a moment later it comes.
TOO_LATE = 22.0
OK = b'{"messaging_product":"whatsapp","contacts":[],"messages":[{"id":"%s","message_status":"accepted"}]}'


def doubtful(name: str, raw: bytes, *, accepted: bool = True) -> Fate:
    """An answer from which nobody can tell what became of the message."""
    return Fate(name=name, accepted=accepted, definite=False, raw=raw)


def head(status: str = "200 OK", *more: str, length: int | None = None, kind: str = "application/json") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", *more]
    if length is not None:
        lines.append(f"content-length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


def answers() -> list[Fate]:
    """The table. Accepted ones without an answer that says so end in doubt; what names no error of Meta's too."""
    page = b"<html><body>Bad gateway</body></html>"
    error = json.dumps({"error": {"message": "x", "code": 131026}}).encode()
    packed = gzip.compress(OK % b"wamid.packed")
    odd: list[tuple[str, bytes]] = [
        ("no bytes of an answer", b""), ("a line of noise", b"\x00\xff\x13\x37\r\n\r\n"),
        ("another protocol", b"220 mail.example ESMTP\r\n"), ("half a status line", b"HTTP/1.1 20"),
        ("a head without end", head()[:-4]), ("a body shorter than announced", head(length=500) + b'{"messages":['),
        ("an empty body", head(length=0)), ("JSON null", head(length=4) + b"null"),
        ("a JSON list", head(length=2) + b"[]"), ("a JSON number", head(length=1) + b"7"),
        ("an empty object", head(length=2) + b"{}"), ("no message in it", head(length=15) + b'{"messages":[]} '),
        ("a message without id", head(length=17) + b'{"messages":[{}]}'),
        ("an id that is null", head(length=27) + b'{"messages":[{"id": null}]}'),
        ("messages as a word", head(length=18) + b'{"messages":"yes"}'),
        ("a page of a proxy with 200", head("200 OK", length=len(page), kind="text/html") + page),
        ("a page of a proxy with 502", head("502 Bad Gateway", length=len(page), kind="text/html") + page),
        ("503 without a body", head("503 Service Unavailable", length=0)),
        ("504 with a page", head("504 Gateway Time-out", length=len(page), kind="text/html") + page),
        ("500 with broken JSON", head("500 Oops", length=9) + b'{"error":'),
        ("a redirect", head("302 Found", "location: http://127.0.0.1:9/", length=0)),
        ("packed although not asked for, cut", head("200 OK", "content-encoding: gzip", length=len(packed))
         + packed[:20]),
        ("chunks without end", head("200 OK", "transfer-encoding: chunked") + b"5\r\n{\"mes\r\n"),
        ("a chunk of the wrong length", head("200 OK", "transfer-encoding: chunked") + b"zz\r\n{}\r\n0\r\n\r\n"),
        ("two lengths", head("200 OK", "content-length: 2", length=3) + b"{}"),
        ("only an interim answer", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("deeply nested", head(length=4000) + b"[" * 4000), ("invalid UTF-8", head(length=3) + b"\"\xff\""),
        ("408 of a proxy", head("408 Request Timeout", length=0)),
    ]
    return [
        accept(), accept(0.8), reply_lost(accepted=True), reply_lost(accepted=False), bare_fault(accepted=True),
        bare_fault(accepted=False, status=502), garbled(), cut(), refuse(131026), refuse(100), refuse(131051),
        refuse(131000, status=500, definite=False, accepted=True), refuse(1, status=500, definite=False),
        Fate(name="a refusal of Meta's with 500", accepted=False, definite=True, status=500, body=error),
        *(doubtful(name, raw) for name, raw in odd),
        # Among nothing but such answers the number would be sent on more and more slowly, as it should.
        *(accept() for _ in range(3 * len(odd))),
    ]


async def run(options: Options) -> Outcome:
    watch, luck = Watch("meta-answers", options), options.luck()
    for number in range(options.rounds):
        await _round(watch, options, luck, number)
        if watch.faults:
            break
    return watch.outcome()


async def _round(watch: Watch, options: Options, luck: random.Random, number: int) -> None:
    table = answers()
    if number == 0 and options.rounds > SHORT:
        table += [Fate(name="a good answer, too late", accepted=True, definite=False, delay=TOO_LATE),
                  Fate(name="a refusal, too late", accepted=False, definite=False, delay=TOO_LATE, status=400,
                       body=refuse(131026).body)]
    luck.shuffle(table)
    fates: dict[str, Fate] = {}
    async with Meta(lambda message_id: fates[message_id]) as meta, Appliance.install(
            options.folder / str(number), graph_url=meta.url) as appliance:
        outbox = Outbox(appliance, luck, conversations=4 * len(table))
        outbox.queue(len(table))
        fates |= dict(zip(sorted(outbox.queued[0]), table, strict=True))
        await appliance.start()
        try:
            watch.figures["settled_after_seconds"] = round(await outbox.drained(DRAINS_IN), 1)
        except TimeoutError as late:
            watch.faults.append(str(late))
        await asyncio.sleep(0.5)
        await appliance.stop()
        with opened(appliance) as files:
            watch.faults += unsound(files) + twice(meta.ledger) + _unsettled(wrong_states(
                files, [entry for entry in meta.ledger if entry.fate.definite], [set()]))
            states = dict(files.workspaces[0].execute("SELECT id, status FROM message WHERE origin = 'api'").fetchall())
        watch.faults += [f"'{fates[message_id].name}' left the message {state}" for message_id, state in states.items()
                         if not fates[message_id].definite and state != "unconfirmed"]
        watch.figures |= {"answers": len(table), "posts": len(meta.ledger)}


def _unsettled(faults: list[str]) -> list[str]:
    """Without statuses a doubt stays one, and the other half of the messages was not asked about."""
    return [fault for fault in faults if "never heard of it" not in fault and "nobody queued" not in fault]
