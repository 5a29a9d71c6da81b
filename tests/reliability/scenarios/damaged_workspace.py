"""A workspace's file with flipped, zeroed, swapped or cut pages beside healthy ones: only that one stops.

One round is one damage between two lives, undone afterwards. The healthy workspaces serve; what the damaged one
answered 200 is stored and, when its files can be used, in effect; its page and API fail with nothing but 503; doctor
names it. Damage that cannot be seen in the file (the tail of a log) must be harmless.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
from pathlib import Path

import httpx
import msgspec
from sqlcipher3 import dbapi2

from tests.reliability.appliance import ROOT, Appliance, DidNotStart, Number
from tests.reliability.checker import lost, opened, until_applied
from tests.reliability.scenario import Options, Outcome, Watch
from tests.reliability.senders import Sender
from tests.reliability.streams import signed_in
from tests.reliability.traffic import Effects, Fact, Traffic
from tests.support.processes import CHIME, environment

SHORT, NIGHTLY, RELEASE = 3, 400, 10_000
DAMAGED = 1
PAGE = 4096
APPLIED_IN = 20.0
FILES = ("workspace.db", "journal.db", "workspace.db-wal", "journal.db-wal")
HURTS = ("flip", "zero", "swap", "cut", "cut within a page", "emptied", "junk")


class Condition(msgspec.Struct, kw_only=True):
    """What the checker finds in copies of the damaged files."""

    whole: bool
    applied_upto: int = 0
    last_stored: int = 0


async def run(options: Options) -> Outcome:
    watch, luck = Watch("damaged-workspace", options), options.luck()
    seen: dict[str, int] = {"noticed": 0, "harmless": 0}
    async with Appliance.install(options.folder, workspaces=("Acme", "Globex", "Initech")) as appliance:
        place = appliance.data_dir / "workspaces" / appliance.numbers[DAMAGED].workspace_id
        cookie = ""
        for number in range(options.rounds):
            traffic = Traffic(appliance.numbers, luck, name=f"r{number}", customers=50)
            sender = Sender(appliance.port, appliance.webhook_path, luck)
            await appliance.start()
            cookie = cookie or await signed_in(appliance)
            await sender.at_rate((traffic.delivery() for _ in range(60)), 300)
            await sender.settled()
            await until_applied(appliance)
            await (appliance.kill() if luck.random() < 0.7 else appliance.stop())
            await sender.close()
            saved = shutil.copytree(place, options.folder / "saved", dirs_exist_ok=False)
            what = hurt(place, luck)
            condition = examined(appliance)
            seen["harmless" if condition.whole else "noticed"] += 1
            faults = await _lives_on(appliance, luck, condition, cookie, number)
            watch.faults += [f"round {number}, {what}: {fault}" for fault in faults]
            await appliance.kill()
            shutil.rmtree(place)
            saved.rename(place)
            if watch.faults:
                break
    watch.figures |= seen
    return watch.outcome()


def hurt(folder: Path, luck: random.Random) -> str:
    """Damage one file; which and how."""
    path = luck.choice([folder / name for name in FILES if (folder / name).exists()
                        and (folder / name).stat().st_size > 2 * PAGE])
    content = bytearray(path.read_bytes())
    pages = len(content) // PAGE
    how = luck.choice(HURTS)
    if how == "flip":
        for _ in range(luck.randrange(1, 6)):
            content[luck.randrange(len(content))] ^= 1 << luck.randrange(8)
    elif how == "zero":
        start = luck.randrange(pages) * PAGE
        content[start:start + PAGE] = bytes(PAGE)
    elif how == "swap":
        one, other = (luck.randrange(pages) * PAGE for _ in range(2))
        content[one:one + PAGE], content[other:other + PAGE] = content[other:other + PAGE], content[one:one + PAGE]
    elif how == "cut":
        del content[luck.randrange(pages) * PAGE:]
    elif how == "cut within a page":
        del content[luck.randrange(len(content)):]
    elif how == "emptied":
        content.clear()
    else:
        content[:] = luck.randbytes(len(content))
    path.write_bytes(content)
    return f"{path.name} {how}"


def examined(appliance: Appliance) -> Condition:
    """Whether every page of the damaged workspace can be read and fits, and how far it came."""
    try:
        with opened(appliance) as files:
            workspace, journal = files.workspaces[DAMAGED], files.journals[DAMAGED]
            if any(file.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)] for file in (workspace, journal)):
                return Condition(whole=False)
            return Condition(
                whole=True,
                applied_upto=workspace.execute("SELECT coalesce(max(journal_id), 0) FROM applied_body").fetchone()[0],
                last_stored=journal.execute("SELECT coalesce(max(id), 0) FROM webhook_body").fetchone()[0])
    except dbapi2.Error:
        return Condition(whole=False)


async def _lives_on(appliance: Appliance, luck: random.Random, condition: Condition, cookie: str,
                    number: int) -> list[str]:
    """Start on the damaged files and ask everything of it; the faults."""
    try:
        await appliance.start()
    except DidNotStart as fault:
        return [f"nothing serves: {fault}"]
    faults = await _healthy(appliance, luck, number)
    traffic = Traffic(appliance.numbers, luck, name=f"d{number}")
    probe = traffic.text(DAMAGED)
    sender = Sender(appliance.port, appliance.webhook_path, luck)
    status = await sender.post(traffic.body([probe]).body)
    faults += await _polite(appliance, cookie)
    faults += await _named(appliance, condition)
    faults += await _kept(appliance, condition, status, probe)
    again = await sender.post(traffic.body([traffic.text(DAMAGED)]).body)
    if status not in (200, 503) or again not in (200, 503):
        faults.append(f"its webhooks are answered {status} and {again}")
    await sender.close()
    if not await appliance.is_ready():
        faults.append("the process is not ready any more")
    return faults


async def _healthy(appliance: Appliance, luck: random.Random, number: int) -> list[str]:
    """The workspaces beside it take webhooks and apply them."""
    beside = [index for index in range(len(appliance.numbers)) if index != DAMAGED]
    traffic = Traffic(appliance.numbers, luck, name=f"h{number}")
    sender = Sender(appliance.port, appliance.webhook_path, luck)
    facts = [traffic.text(luck.choice(beside)) for _ in range(30)]
    for fact in facts:
        sender.start(traffic.body([fact]))
    try:
        await sender.settled(APPLIED_IN)
    except TimeoutError:
        return [f"{sender.outstanding} webhooks of healthy workspaces are not acknowledged: {dict(sender.answers)}"]
    finally:
        await sender.close()
    faults = [f"{sender.answers[status]} webhooks of healthy workspaces are answered {status}"
              for status in sender.answers if status != 200]
    for index in beside:
        expected = Effects(fact for fact in facts if fact.number == index)
        faults += await _in_effect(appliance, index, expected)
    return faults


async def _in_effect(appliance: Appliance, index: int, expected: Effects) -> list[str]:
    faults: list[str] = []
    for _ in range(int(APPLIED_IN / 0.1)):
        try:
            with opened(appliance, only=index) as files:
                faults = lost(files.workspaces[0], expected, f"workspace {index}")
        except dbapi2.Error as error:
            faults = [f"workspace {index} cannot be read: {error}"]
        if not faults:
            return []
        await asyncio.sleep(0.1)
    return faults


async def _kept(appliance: Appliance, condition: Condition, status: int, probe: Fact) -> list[str]:
    """I1: what was answered 200 is stored; and in effect, unless the damage forbids that."""
    if condition.whole and status != 200:
        return [f"its files are whole, its webhook is answered {status}"]
    if status != 200:
        return []
    if condition.whole:
        return [f"answered 200 (applied up to {condition.applied_upto}, stored up to {condition.last_stored}): {fault}"
                for fault in await _in_effect(appliance, DAMAGED, Effects([probe]))]
    try:
        with opened(appliance, only=DAMAGED) as files:
            # By itself: its neighbours may stand on the damaged page.
            body = files.journals[0].execute("SELECT body FROM webhook_body WHERE id = (SELECT max(id) "
                                             "FROM webhook_body)").fetchone()[0]
    except dbapi2.Error as error:
        return [f"its webhook is answered 200, and its body cannot be read: {error}"]
    return [] if probe.wamid.encode() in body else ["answered 200 and not stored"]


async def _polite(appliance: Appliance, cookie: str) -> list[str]:
    """Its page and its API work or say 503."""
    number = appliance.numbers[DAMAGED]
    faults = []
    async with httpx.AsyncClient(base_url=appliance.base, timeout=20) as client:
        for path, headers in ((f"/w/{number.slug}/inbox", {"cookie": cookie}),
                              ("/api/v1/conversations", {"authorization": f"Bearer {number.api_key}"})):
            try:
                answer = await client.get(path, headers=headers, follow_redirects=True)
            except httpx.HTTPError as error:
                faults.append(f"{path} fails with {type(error).__name__}")
                continue
            if answer.status_code not in (200, 503):
                faults.append(f"{path} is answered {answer.status_code}")
    return faults


async def _named(appliance: Appliance, condition: Condition) -> list[str]:
    """`chime doctor` says which workspace it is, and no other."""
    done = await asyncio.to_thread(
        subprocess.run, [*CHIME, "doctor", "--data", str(appliance.data_dir)], cwd=ROOT, text=True, capture_output=True,
        env=environment({"PYTHONPATH": str(ROOT), **appliance.settings}), stdin=subprocess.DEVNULL, check=False,
        timeout=60)
    bad = [line for line in done.stdout.splitlines() if line.startswith("BAD")]
    damaged: Number = appliance.numbers[DAMAGED]
    faults = [] if "Traceback" not in done.stderr else [f"doctor fails: {done.stderr[-1500:]}"]
    if not condition.whole and not any(damaged.slug in line for line in bad):
        faults.append(f"doctor does not name it: {done.stdout}")
    if any(number.slug in line for line in bad for number in appliance.numbers if number is not damaged):
        faults.append(f"doctor names a healthy one: {bad}")
    return faults
