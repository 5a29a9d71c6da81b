"""The first run as a process that is killed: whenever that happens, the next start either waits to be set up or is the
appliance, whole; and one folder gets one owner, whoever comes first.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from chime.config import load
from chime.setup import opened
from tests.support.first_run import OWNER, printed, waiting
from tests.support.processes import CHIME, Program, environment, run

INIT = ("--email", "eve@example.com", "--name", "Eve", "--workspace", "Mine")
# Moments of the last step, in seconds after it is sent: keys, control.db, the workspace's files, the commit.
MOMENTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.45)


@contextmanager
def open_wizard(program: Program) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=program.address, timeout=20) as client:
        answer = client.post("/setup/session", data={"token": printed(program).partition("#")[2]})
        assert answer.status_code == 303, answer.text
        yield client


def send(client: httpx.Client, step: str, fields: dict[str, str]) -> httpx.Response:
    page = client.get(f"/setup/{step}").text
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]
    return client.post(f"/setup/{step}", data={"csrf_token": token, **fields})


def set_up(program: Program) -> None:
    with open_wizard(program) as client:
        assert send(client, "owner", OWNER).status_code == 303
        answer = send(client, "finish", {})
        assert (answer.status_code, answer.headers["location"]) == (303, "/welcome")
        # On the same socket, without a refusal in between, and signed in.
        assert "Chime is ready" in client.get("/welcome").text


def owner_signs_in(program: Program, email: str, password: str) -> None:
    program.await_ready("/readyz", 20)
    with httpx.Client(base_url=program.address, timeout=20) as client:
        answer = client.post("/sign-in", data={"email": email, "password": password})
        assert answer.status_code == 303, answer.text


async def _held(data: Path) -> tuple[int, int, int]:
    async with opened(load(data=str(data), environment={})) as (control, _):
        return (await control.db.value("SELECT count(*) FROM user"), len(await control.workspaces()),
                await control.db.value("SELECT count(*) FROM membership WHERE role = 'owner'"))


def test_the_process_becomes_the_appliance_and_starts_as_one_again(tmp_path: Path) -> None:
    with waiting(tmp_path) as chime:
        assert chime.get("/readyz")[0] == 503
        assert (tmp_path / "data" / "first-run").read_text().strip() == printed(chime)
        set_up(chime)
        owner_signs_in(chime, OWNER["email"], OWNER["password"])
        assert not (tmp_path / "data" / "first-run").exists()
        late = httpx.get(f"{chime.address}/setup", follow_redirects=True)
        assert "Chime is set up" in late.text and late.url.path == "/sign-in"
        assert chime.terminate() == 0
    with waiting(tmp_path) as chime:
        owner_signs_in(chime, OWNER["email"], OWNER["password"])
        assert "waits to be set up" not in chime.output()


def test_killed_while_somebody_answers_it_waits_anew_and_the_old_address_is_dead(tmp_path: Path) -> None:
    with waiting(tmp_path) as chime:
        old = printed(chime).partition("#")[2]
        with open_wizard(chime) as client:
            send(client, "owner", OWNER)
        key = (tmp_path / "data.master-key").read_bytes()
        chime.kill()
    with waiting(tmp_path) as chime:
        answer = httpx.post(f"{chime.address}/setup/session", data={"token": old})
        assert answer.status_code == 422 and printed(chime).partition("#")[2] != old
        assert (tmp_path / "data.master-key").read_bytes() == key, "the sheet that was printed before stays good"
        set_up(chime)


@pytest.mark.parametrize("moment", [
    pytest.param(moment, marks=() if moment == 0.3 else pytest.mark.nightly) for moment in MOMENTS])
def test_killed_in_the_last_step_it_is_all_there_or_waits(tmp_path: Path, moment: float) -> None:
    with waiting(tmp_path) as chime, open_wizard(chime) as client:
        send(client, "owner", OWNER)
        page = client.get("/setup/finish").text
        token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]

        def finish() -> None:
            try:
                client.post("/setup/finish", data={"csrf_token": token})
            except httpx.HTTPError:
                return  # it was killed

        sending = threading.Thread(target=finish)
        sending.start()
        time.sleep(moment)
        chime.kill()
        sending.join()
    with waiting(tmp_path) as chime:
        if chime.get("/setup")[0] == 200:
            set_up(chime)
        owner_signs_in(chime, OWNER["email"], OWNER["password"])
        assert chime.terminate() == 0
    assert asyncio.run(_held(tmp_path / "data")) == (1, 1, 1)


def test_init_at_the_shell_ends_the_wizard_and_after_it_refuses_politely(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("two rivers and a mill\n")
    command = [*CHIME, "init", "--data", str(tmp_path / "data"), *INIT, "--password-file", str(password)]
    with waiting(tmp_path) as chime, open_wizard(chime) as client:
        send(client, "owner", OWNER)
        made = run(command)
        assert made.returncode == 0 and str(tmp_path / "data.master-key") in made.stdout, made.stderr
        owner_signs_in(chime, "eve@example.com", "two rivers and a mill")
        answer = client.post("/setup/finish", data={})
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?said=set-up")
        again = run(command)
        assert (again.returncode, again.stdout) == (1, "") and "sign in instead" in again.stderr
        assert chime.terminate() == 0
    assert asyncio.run(_held(tmp_path / "data")) == (1, 1, 1)


def test_two_inits_at_once_make_one_owner(tmp_path: Path) -> None:
    commands = [[*CHIME, "init", "--data", str(tmp_path / "data"), "--email", f"{name}@example.com", "--name", name,
                 "--workspace", name] for name in ("ada", "eve")]
    both = [subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for command in commands]
    told = [process.communicate(timeout=60) for process in both]
    assert sorted(process.returncode for process in both) == [0, 1], told
    assert "Traceback" not in "".join(said for _, said in told)
    assert asyncio.run(_held(tmp_path / "data")) == (1, 1, 1)


def test_a_second_one_on_the_folder_is_refused_and_leaves_the_address_alone(tmp_path: Path) -> None:
    with waiting(tmp_path) as chime:
        second = run([*CHIME, "serve", "--data", str(tmp_path / "data"), "--bind", "127.0.0.1:0"])
        assert second.returncode == 1 and "another Chime is running" in second.stderr and second.stdout == ""
        assert (tmp_path / "data" / "first-run").read_text().strip() == printed(chime)
        assert chime.terminate() == 0


def test_half_a_folder_is_no_new_one(tmp_path: Path) -> None:
    """control.db is missing, perhaps a disk is: nothing may be put in its place."""
    folder = tmp_path / "data" / "workspaces" / "someid"
    folder.mkdir(parents=True)
    (folder / "workspace.db").write_bytes(b"somebody's inbox")
    refused = run([*CHIME, "serve", "--data", str(tmp_path / "data"), "--bind", "127.0.0.1:0"])
    assert refused.returncode == 1 and "no control.db" in refused.stderr
    assert not (tmp_path / "data.master-key").exists()


def test_where_no_key_can_be_kept_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "data.master-key").mkdir()
    refused = run([*CHIME, "serve", "--data", str(tmp_path / "data"), "--bind", "127.0.0.1:0"])
    assert refused.returncode == 1 and "master" in refused.stderr and "Traceback" not in refused.stderr
