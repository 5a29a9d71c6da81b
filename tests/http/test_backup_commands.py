"""`chime backup …`: a moment as a copy, a copy in the place of its workspace, a whole box from its backups; and all of
it killed while it works."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from chime import cli
from chime.clock import HOUR
from chime.serve import only_one
from chime.workspaces.recovery_sheet import sheet
from chime.workspaces.registry import workspace_folder
from tests.http.inbox_setup import talk
from tests.http.test_restore import posts, queued
from tests.support.world import MASTER_KEY, World, running_world

KEY = base64.b64encode(MASTER_KEY).decode()
Chime = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def chime(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Chime:
    """Runs a command: its exit status, JSON answer, and what was said about a failure."""
    monkeypatch.setattr("chime.log.configure", lambda form, level: None)

    def run(data: Path, *words: str, key: str = KEY) -> tuple[int, Any, str]:
        # A command takes it out of its environment.
        if key:
            monkeypatch.setenv("CHIME_MASTER_KEY", key)
        else:
            monkeypatch.delenv("CHIME_MASTER_KEY", raising=False)
        capsys.readouterr()
        left = cli.run([*words, "--data", str(data), "--json"])
        said = capsys.readouterr()
        return left, json.loads(said.out) if said.out else None, said.err

    return run


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """The recovery sheet."""
    path = tmp_path / "sheet"
    path.write_text(sheet(MASTER_KEY, data_dir=tmp_path, public_url="", at=0))
    return path


async def lived_in(installation: Path, folder: Path) -> int:
    """An installation that worked for a while: a message was sent, another one waits. How many messages the customers
    have."""
    async with running_world(installation, folder) as world:
        maya = await talk(world)
        await maya.reply(await world.session("alice"), "an answer")
        await queued(maya, "waits", hold=HOUR)
        await world.settle()
        return len(posts(world))


def a_moment_later() -> str:
    """A whole second that is over, after everything until now."""
    time.sleep(1.05)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def test_a_moment_comes_back_at_the_shell(installation: Path, tmp_path: Path, chime: Chime) -> None:
    data = tmp_path / "data"
    asyncio.run(lived_in(installation, data))
    assert chime(data, "backup", "now")[0] == 0
    left, found, _ = chime(data, "backup", "list")
    assert left == 0 and {"workspace_id", "from", "to", "verified_at", "bytes"} <= found["items"][0].keys()
    left, found, _ = chime(data, "backup", "verify", "--workspace", "Acme")
    assert left == 0 and found["ok"], found
    left, found, _ = chime(data, "backup", "drill")
    assert left == 0 and found["ok"], found
    assert len(found["items"]) == 3
    left, copy, said = chime(data, "backup", "restore", "--workspace", "Acme", "--at", a_moment_later(), "--as",
                             "Acme then")
    assert left == 0, said
    assert copy["state"] == "muted" and copy["name"] == "Acme then"
    assert chime(data, "backup", "take-over", "Acme then", "--yes-replace", "acme")[0] == 1
    left, found, said = chime(data, "backup", "take-over", "Acme then", "--yes-replace", "Acme")
    assert left == 0, said
    assert found["held"] == 1 and found["carried"] == 1
    assert chime(data, "backup", "discard", "Acme then")[0] == 0
    assert chime(data, "backup", "discard", "Acme then")[0] == 1
    left, _, said = chime(data, "backup", "restore", "--workspace", "Acme", "--at", "yesterday")
    assert left == 1 and "at:" in said


def test_a_whole_box_on_a_new_machine(installation: Path, tmp_path: Path, key_file: Path, chime: Chime) -> None:
    data, new = tmp_path / "data", tmp_path / "new" / "data"
    before = asyncio.run(lived_in(installation, data))
    assert chime(data, "backup", "now")[0] == 0
    new.parent.mkdir()
    wrong = tmp_path / "wrong"
    wrong.write_text(base64.b64encode(bytes(32)).decode())
    whole = ("backup", "restore-box", "--from", str(data / "backups"), "--master-key-file")
    left, _, said = chime(new, *whole, str(wrong), key="")
    assert left == 1 and "key" in said and list(new.parent.iterdir()) == []
    left, found, said = chime(new, *whole, str(key_file), key="")
    assert left == 0, said
    assert found["ok"] and {one["name"]: one["held"] for one in found["items"]} == {"Acme": 1, "Globex": 0}
    left, _, said = chime(new, *whole, str(key_file), key="")
    assert left == 1 and "already" in said
    left, listed, _ = chime(new, "workspace", "list", key="")
    assert {one["name"]: one["state"] for one in listed["items"]} == {"Acme": "suspended", "Globex": "suspended"}
    left, found, _ = chime(new, "backup", "go-live", key="")
    assert left == 0 and len(found["workspace_ids"]) == 2
    assert chime(new, "backup", "go-live", key="")[0] == 1
    assert asyncio.run(_sends_nothing(new, tmp_path / "served")) == []
    assert before == 1


async def _sends_nothing(data: Path, folder: Path) -> list[str]:
    async with running_world(data, folder) as world:
        await world.services.runner.sweep([world.acme.workspace_id])
        await world.settle()
        assert (await (await world.session("alice")).get("/w/acme/held")).text.count("waits") >= 1
        return posts(world)


def _environment() -> Mapping[str, str]:
    return {**os.environ, "CHIME_MASTER_KEY": KEY}


def _killed(data: Path, after: float, *words: str) -> bool:
    """Run a command and kill it; whether it was done before."""
    process = subprocess.Popen([sys.executable, "-m", "chime", *words, "--data", str(data)], env=_environment(),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return process.wait(timeout=after) == 0
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return False


def _kill_while_it_takes_over(installation: Path, data: Path, rounds: int, chime: Chime, *, seed: int) -> None:
    """Each round: a copy takes over and is killed at some moment, again and again, until it is done."""
    asyncio.run(lived_in(installation, data))
    assert chime(data, "backup", "now")[0] == 0
    chance, began = random.Random(seed), time.monotonic()
    assert _killed(data, 60, "backup", "settle")
    ready = (time.monotonic() - began) * 0.8  # when a command has loaded what it needs, on this machine
    for number in range(rounds):
        name = f"Copy {number}"
        left, copy, said = chime(data, "backup", "restore", "--workspace", "Acme", "--at", a_moment_later(), "--as",
                                 name)
        assert left == 0, said
        over = _killed(data, ready + chance.uniform(0, 1), "backup", "take-over", name, "--yes-replace", "Acme")
        # Whatever was killed, the next command at the shell goes on with it.
        for _ in range(20):
            if over:
                break
            over = _killed(data, ready + chance.uniform(0, 2), "backup", "settle")
        left, found, _ = chime(data, "workspace", "list")
        assert {one["name"]: one["state"] for one in found["items"] if one["name"] == "Acme"} == {"Acme": "active"}
        names = {path.name for path in workspace_folder(data, copy["workspace_id"]).iterdir()}
        assert not names & {"restored.db", "media.aside", "media.before"}, names
        left, found, said = chime(data, "audit", "verify", "--workspace", "Acme")
        assert left == 0 and found["ok"], (found, said)
        assert chime(data, "backup", "discard", name)[0] == 0


def test_killed_while_it_takes_over(installation: Path, tmp_path: Path, chime: Chime) -> None:
    _kill_while_it_takes_over(installation, tmp_path / "data", 2, chime, seed=0)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(1, 11))
def test_killed_two_hundred_times(installation: Path, tmp_path: Path, chime: Chime, seed: int) -> None:
    """Ten installations, twenty rounds each."""
    _kill_while_it_takes_over(installation, tmp_path / "data", 20, chime, seed=seed)


@pytest.mark.parametrize("words", [("now",), ("list",), ("verify",)])
def test_a_place_that_cannot_be_used_is_one_line(installation: Path, tmp_path: Path, chime: Chime,
                                                 monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    shutil.copytree(installation, tmp_path / "data")
    (tmp_path / "file").touch()
    monkeypatch.setenv("CHIME_BACKUP_DIR", str(tmp_path / "file" / "backups"))
    left, answer, said = chime(tmp_path / "data", "backup", *words)
    assert (left, answer, said.count("\n")) == (1, None, 1), said
    assert said.startswith("chime: ") and str(tmp_path / "file") in said


async def test_a_command_beside_the_running_appliance(world: World) -> None:
    """The appliance does it; the command waits."""
    maya = await talk(world)
    await maya.says("another")

    def run(*words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([sys.executable, "-m", "chime", *words, "--data", str(world.data_dir)],
                              env=_environment(), capture_output=True, timeout=60)

    with only_one(world.data_dir):  # as `serve` holds it: else the command does the work at the same time
        done = await asyncio.to_thread(run, "backup", "now")
        assert done.returncode == 0, done.stderr
        at = await asyncio.to_thread(a_moment_later)
        done = await asyncio.to_thread(run, "backup", "restore", "--workspace", "Acme", "--at", at, "--as", "Beside")
        assert done.returncode == 0, done.stderr
        done = await asyncio.to_thread(run, "backup", "take-over", "Beside", "--yes-replace", "Acme")
        assert done.returncode == 0, done.stderr
        assert (await (await world.session("alice")).get("/w/acme/inbox")).status_code == 200
