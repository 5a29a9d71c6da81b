"""An upgrade as an operator makes it: a running service, webhooks arriving, a file, one command; and what goes wrong.

The releases are those of `upgrade_yard`; the service runs under `chime keep`, which holds the port as systemd's socket
does on a packaged server.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chime.db import Kind
from chime.db.migrate import names
from chime.releases.state import Step
from tests.package.upgrade_yard import STEP, Yard
from tests.reliability.appliance import Appliance
from tests.reliability.checker import not_in_effect, opened, unaccounted, unsound, until_applied
from tests.reliability.senders import Sender
from tests.reliability.traffic import Effects, Traffic

pytestmark = pytest.mark.timeout(300)
OLD, NEW = "0.1.0", "0.2.0"
RATE = 50
# Seconds; Meta gives up after more than that.
LONGEST_WAIT = 10.0


@asynccontextmanager
async def _yard(folder: Path, *, runs: bool = True) -> AsyncIterator[Yard]:
    appliance = Appliance.install(folder, workspaces=("Acme", "Globex"))
    yard = Yard(folder, appliance)
    yard.install(OLD)
    try:
        if runs:
            await yard.keep()
        yield yard
    finally:
        await yard.end()


class Posts:
    """Webhooks that arrive all the time; how long none was answered, and how many found nobody."""

    def __init__(self, appliance: Appliance) -> None:
        luck = random.Random(6)
        self.traffic = Traffic(appliance.numbers, luck)
        self._answered = [time.monotonic()]
        self.sender = Sender(appliance.port, appliance.webhook_path, luck,
                             on_acknowledged=lambda _: self._answered.append(time.monotonic()))
        endless = (self.traffic.delivery() for _ in itertools.count())
        self._posting = asyncio.create_task(self.sender.at_rate(endless, RATE))

    @property
    def longest_gap(self) -> float:
        return max(after - before for before, after in itertools.pairwise(self._answered))

    async def end(self) -> None:
        """No more; those that were sent are answered."""
        self._posting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._posting
        await self.sender.settled()
        await self.sender.close()


def _faults(appliance: Appliance, posts: Posts) -> list[str]:
    with opened(appliance) as files:
        found = unsound(files) + unaccounted(files)
        for index, file in enumerate(files.workspaces):
            own = Effects(fact for fact in posts.traffic.facts if fact.number == index)
            found += not_in_effect(file, own, f"workspace {index}")
        return found


def _audited(appliance: Appliance) -> list[str]:
    with opened(appliance) as files:
        return [row[0] for row in files.control.execute(
            "SELECT action FROM audit_event WHERE action LIKE 'release.%' ORDER BY sequence")]


async def test_upgraded_and_gone_back_while_webhooks_arrive(tmp_path: Path) -> None:
    async with _yard(tmp_path) as yard:
        posts = Posts(yard.appliance)
        await asyncio.sleep(0.5)
        status, answer, said = await yard.upgrade(yard.make(NEW, step=STEP))
        assert (status, yard.current) == (0, "0.2.0-b1"), said
        assert answer.startswith("upgraded 0.1.0-b1 -> 0.2.0-b1 in ")
        assert answer.endswith(" s, 2 workspaces, 0 failures\n")
        assert await yard.serving_version() == NEW
        await asyncio.sleep(0.5)
        status, answer, said = await yard.run("rollback")
        assert (status, yard.current) == (0, "0.1.0-b1"), said
        assert await yard.serving_version() == OLD
        await asyncio.sleep(0.5)
        await _nothing_is_lost(yard, posts)
        assert _audited(yard.appliance) == ["release.upgraded", "release.reverted"]
    # Nobody is refused: who calls during a switch waits in the line. How long depends on the machine; it is printed.
    assert set(posts.sender.answers) == {200}, posts.sender.answers
    assert posts.longest_gap < LONGEST_WAIT, f"nobody was answered for {posts.longest_gap:.1f} s"
    print(f"{len(posts.sender.acknowledged)} webhooks, longest gap {posts.longest_gap:.2f} s, {posts.sender.answers}")


# What is wrong with a release, and a word of why it was not taken; `_after` the switch, or before it.
BEFORE: dict[str, tuple[str, str]] = {
    "does not start": ("raise ImportError('no such module')", "ImportError"),
    "fails on a copy": ("import chime.releases.rehearsal as r\nr._work_with = None", "TypeError"),
    "its migration raises": ("", "could not be brought up to date"),
}
AFTER: dict[str, tuple[str, str]] = {
    "ends after it was ready": ("if COMMAND == 'serve':\n import os, threading\n"
                                "threading.Timer(4, lambda: os._exit(3)).start() if COMMAND == 'serve' else None",
                                "it ended by itself|it was ready and is no more"),
    "ends at once": ("if COMMAND == 'serve': sys.exit(1)", "it ended by itself"),
    "hangs": ("if COMMAND == 'serve':\n import time; time.sleep(3600)", "it does not answer"),
    "does not listen": ("if COMMAND == 'serve':\n import socket; socket.socket.listen = lambda *_: None\n"
                        " import asyncio.base_events as b; b.BaseEventLoop.create_server = None\n"
                        " import uvloop; uvloop.new_event_loop = None", "it ended by itself|it does not answer"),
    "is never ready": ("import chime.jobs.queue as q\nq.Queue.ready = lambda self: False", "/readyz answers 503"),
    "is another version": ("if COMMAND == 'serve': chime.__version__ = '0.0.9'", "answers instead of"),
    "fails at everything": ("import chime.web.health as h\nh._metrics = lambda services: "
                            "['chime_jobs_failed_total{kind=\"x\"} 500']", "500 jobs failed"),
}


async def _stays_with_the_old(yard: Yard, file: Path, word: str, *, ready_in: float = 8.0) -> None:
    status, answer, said = await yard.upgrade(file, "--without-backup", ready_in=ready_in, watch=6.0)
    assert (status, answer, yard.current) == (1, "", "0.1.0-b1"), said
    reason = said.strip().splitlines()[-1]
    assert any(part in reason for part in word.split("|")), said
    assert "Traceback" not in said


def _broken(yard: Yard, name: str, fault: str) -> Path:
    step = "def apply(db):\n    raise RuntimeError\n# {number}" if name == "its migration raises" else None
    return yard.make(NEW, fault=fault, step=step, build=f"b{abs(hash(name)) % 10_000}")


async def test_a_file_that_is_no_good_release_changes_nothing(tmp_path: Path) -> None:
    """Found before anything is switched: what runs is not even restarted."""
    async with _yard(tmp_path, runs=False) as yard:
        for name, (fault, word) in BEFORE.items():
            await _stays_with_the_old(yard, _broken(yard, name, fault), word)
        cut = yard.make(NEW)
        cut.write_bytes(cut.read_bytes()[:-100])
        await _stays_with_the_old(yard, cut, "cut short or was changed")
        strange = yard.make(NEW)
        yard.sign(strange, Ed25519PrivateKey.generate())
        await _stays_with_the_old(yard, strange, "does not trust")
        await _stays_with_the_old(yard, yard.make(NEW, more={"machine": "sparc"}), "sparc")
        await _stays_with_the_old(yard, yard.make("0.0.9"), "is older than")
        assert not (yard.root / "upgrade.json").exists()
        assert not list(yard.appliance.data_dir.glob(".rehearsal-*"))


async def _tried_and_left(yard: Yard, name: str) -> None:
    fault, word = AFTER[name]
    await _stays_with_the_old(yard, _broken(yard, name, fault), word)
    assert await yard.serving_version() == OLD


async def _nothing_is_lost(yard: Yard, posts: Posts) -> None:
    """Ends the posts and the service."""
    await posts.end()
    await until_applied(yard.appliance)
    await yard.end()
    assert not (faults := _faults(yard.appliance, posts)), faults


async def test_a_release_that_ends_after_it_was_ready_is_left_by_itself(tmp_path: Path) -> None:
    async with _yard(tmp_path) as yard:
        posts = Posts(yard.appliance)
        await _tried_and_left(yard, "ends after it was ready")
        await _nothing_is_lost(yard, posts)
        assert _audited(yard.appliance) == ["release.reverted"]


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [name for name in AFTER if name != "ends after it was ready"])
async def test_a_release_that_does_not_serve_is_left_by_itself(tmp_path: Path, name: str) -> None:
    async with _yard(tmp_path) as yard:
        posts = Posts(yard.appliance)
        await _tried_and_left(yard, name)
        await _nothing_is_lost(yard, posts)


@pytest.mark.nightly
async def test_old_code_refuses_files_of_a_breaking_release(tmp_path: Path) -> None:
    """With --no-way-back the newer one is taken; the older one says in one line that it can't work with its file."""
    async with _yard(tmp_path, runs=False) as yard:
        breaking = yard.make(NEW, step="breaking = True\n" + STEP, kind=Kind.CONTROL)
        await _stays_with_the_old(yard, breaking, "control files")
        status, _, said = await yard.upgrade(breaking, "--no-way-back", "--without-backup")
        assert (status, yard.current) == (0, "0.2.0-b1"), said
        process = await asyncio.create_subprocess_exec(
            *yard.command("migrate"), env=yard.environment, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE)
        await process.communicate()
        status, _, said = await yard.run("rollback")
        assert (status, yard.current) == (1, "0.2.0-b1")
        assert "control.db was written by a newer Chime; install that version" in said.splitlines()[-1]


async def _killed(yard: Yard, when: Callable[[], bool], pause: float, *command: str) -> bool:
    """Begin it and kill it, with the processes it started, a moment after `when`. Whether it was still alive then."""
    process = await yard.begin(*command, "--watch", "1", "--ready-in", "20")
    while process.returncode is None and not when():
        await asyncio.sleep(0.005)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), pause)
    alive = process.returncode is None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.communicate()
    return alive


def _reached(yard: Yard, step: Step) -> Callable[[], bool]:
    def reached() -> bool:
        with contextlib.suppress(OSError, ValueError):
            return bool(json.loads((yard.root / "upgrade.json").read_text("utf-8"))["step"] == step)
        return False

    return reached


def _half_migrated(appliance: Appliance, before: int) -> list[str]:
    """Files of a workspace that stand between two states: what says how many steps it has and what the steps made must
    agree. `before`: the steps that every release has."""
    with opened(appliance) as files:
        for file in files.workspaces:
            file.execute("BEGIN")  # both at one moment
        steps = [(file.execute("PRAGMA user_version").fetchone()[0] & 0xFFFF,
                  {row[0] for row in file.execute("SELECT name FROM sqlite_schema WHERE name GLOB 'later_*'")})
                 for file in files.workspaces]
    return [f"workspace {index} has {count} steps and {sorted(made)}" for index, (count, made) in enumerate(steps)
            if made != {f"later_{number}" for number in range(before + 1, count + 1)}]


class Kills:
    """An upgrade or a rollback after the other, each killed at some moment, over what the one before it left."""

    def __init__(self, yard: Yard, seed: int) -> None:
        self._yard = yard
        self._luck = random.Random(seed)
        self._steps = len(names(Kind.WORKSPACE))
        self._made = 0
        self.met: Counter[str] = Counter()

    async def round(self, number: int) -> None:
        # Every step has its turn, whatever luck says. What leads back is a matter of milliseconds after a trial, so it
        # is met by a release that is no good, killed at any moment from its trial on.
        step, pause = list(Step)[number % len(Step)], self._luck.uniform(0, 1.0)
        bad = step is Step.RETURNING
        if bad:
            step, pause = Step.TRYING, self._luck.uniform(0, 4.0)
        command: tuple[str, ...] = ("upgrade", str(self._release(bad=bad)))
        if step is not Step.BACKING_UP:
            command = (*command, "--without-backup")
        if step in (Step.REHEARSING, Step.TRYING) and self._yard.current != f"{OLD}-b1" and self._luck.random() < 0.3:
            command, bad = ("rollback",), False
        alive = await _killed(self._yard, _reached(self._yard, step), pause, *command)
        what = f"{'bad ' if bad else ''}{command[0]} {step}"
        self.met[what if alive else f"ended before the kill: {what}"] += 1
        await self._one_whole_release_serves()
        if number % 4 == 3:
            await self.goes_through()

    def _release(self, *, bad: bool) -> Path:
        """One that is newer than all before, with one migration more."""
        self._made += 1
        return self._yard.make(f"0.2.{self._made}", steps=self._made,
                               fault="if COMMAND == 'serve': sys.exit(1)" if bad else "")

    async def _one_whole_release_serves(self) -> None:
        yard = self._yard
        await yard.ready()
        assert yard.current in {path.parent.name for path in (yard.root / "releases").glob("[0-9]*/release.json")}
        assert not (half := _half_migrated(yard.appliance, self._steps)), half

    async def goes_through(self) -> None:
        """Undisturbed, the next one does: whatever was left is settled."""
        file = self._release(bad=False)
        status, _, said = await self._yard.upgrade(file, "--without-backup", watch=0.2)
        assert status == 0, said
        assert self._yard.current == f"0.2.{self._made}-b1" and not (self._yard.root / "upgrade.json").exists()
        assert await self._yard.serving_version() == f"0.2.{self._made}"
        assert not (half := _half_migrated(self._yard.appliance, self._steps)), half


async def _kill_again_and_again(folder: Path, rounds: int, seed: int) -> None:
    async with _yard(folder) as yard:
        posts, kills = Posts(yard.appliance), Kills(yard, seed)
        for number in range(rounds):
            await kills.round(number)
        await kills.goes_through()
        await _nothing_is_lost(yard, posts)
        print(f"seed {seed}: {rounds} rounds, {dict(kills.met)}, {posts.sender.answers}")


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
async def test_killed_anywhere_two_hundred_times(tmp_path: Path, seed: int) -> None:
    """Ten installations, twenty rounds each."""
    await _kill_again_and_again(tmp_path, int(os.environ.get("ROUNDS", "20")), seed)
