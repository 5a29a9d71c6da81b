"""Every row of the error table, as Meta's answer to a send: again at a time, in doubt, or the end with words.

One round gives each code to one message. A code that stops the whole number gets a workspace of its own, so that the
others are not stopped with it.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from chime.whatsapp.error_table import ERROR_RULES, ErrorRule, Verdict
from tests.reliability.appliance import Appliance
from tests.reliability.checker import Files, opened, unsound
from tests.reliability.meta import Fate, Meta, accept, refuse
from tests.reliability.outbox import Outbox, twice
from tests.reliability.scenario import Options, Outcome, Watch

SHORT, NIGHTLY, RELEASE = 1, 5, 20
# These hold up or end the number, not only the message.
STOPS_THE_NUMBER = ("reconnect_channel", "pause_channel")
ENDS = {Verdict.REFUSE: "failed", Verdict.DOUBT: "unconfirmed"}


async def run(options: Options) -> Outcome:
    watch = Watch("error-table", options)
    alone = [rule for rule in ERROR_RULES.values() if rule.effect in STOPS_THE_NUMBER]
    shared = [rule for rule in ERROR_RULES.values() if rule.effect not in STOPS_THE_NUMBER]
    for number in range(options.rounds):
        folder = options.folder / str(number)
        await _round(watch, options, folder / "shared", ["All"], [shared])
        await _round(watch, options, folder / "alone", [f"Code {rule.code}" for rule in alone],
                     [[rule] for rule in alone])
    watch.figures["codes"] = len(ERROR_RULES)
    return watch.outcome()


async def _round(watch: Watch, options: Options, folder: Path, names: list[str], rules: list[list[ErrorRule]]) -> None:
    given: dict[str, ErrorRule] = {}
    refused: set[str] = set()

    def fate(message_id: str) -> Fate:
        if message_id in refused or message_id not in given:
            return accept()
        refused.add(message_id)
        rule = given[message_id]
        return refuse(rule.code, definite=rule.verdict is not Verdict.DOUBT)

    async with Meta(fate) as meta, Appliance.install(folder, workspaces=names, graph_url=meta.url,
                                                     environment={"CHIME_LOG_LEVEL": "debug"}) as appliance:
        # Some twenty of the codes say that the number is too fast, and it slows down by a quarter for each.
        outbox = Outbox(appliance, options.luck(), conversations=4 * len(rules[0]) + 1, rate=1_000)
        outbox.queue(2 * len(rules[0]))
        with opened(appliance) as files:
            for file, own in zip(files.workspaces, rules, strict=True):
                # The first of each conversation: those behind it wait while it has to wait.
                first = [row[0] for row in file.execute(
                    "SELECT id FROM message GROUP BY conversation_id HAVING at = min(at) LIMIT ?", (len(own),))]
                given |= dict(zip(first, options.luck().sample(own, len(own)), strict=True))
        await appliance.start()
        await _heard(meta, set(given))
        await appliance.stop()
        with opened(appliance) as files:
            watch.faults += unsound(files) + twice(meta.ledger) + _wrong(files, given)


async def _heard(meta: Meta, messages: set[str]) -> None:
    """Until each message was refused once, and a moment for what may be tried again soon."""
    until = time.monotonic() + 60
    while messages - {entry.message_id for entry in meta.ledger}:
        if time.monotonic() > until:
            break
        await asyncio.sleep(0.05)
    await asyncio.sleep(1.5)


def _wrong(files: Files, given: dict[str, ErrorRule]) -> list[str]:
    faults = []
    for file in files.workspaces:
        for message_id, state, code, title, at, sent_at, created in file.execute(
                "SELECT id, status, error_code, error_title, next_attempt_at, sent_at, created_at FROM message "
                "WHERE origin = 'api'"):
            rule = given.get(message_id)
            if rule is None:
                continue
            if rule.verdict in ENDS:
                ok = state == ENDS[rule.verdict] and (state != "failed" or (code == rule.code and title == rule.title))
            else:
                not_before = created + 1000 * (rule.delay_seconds or 1) - 1000
                ok = (state == "queued" and at >= not_before) or (state == "sent" and sent_at >= not_before)
            if not ok:
                faults.append(f"code {rule.code} ({rule.verdict.value}): the message is {state}, code {code}")
    return faults
