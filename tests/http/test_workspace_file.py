"""A workspace as one file: from one server to another with another master key, and everything works there as here."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from chime import audit
from chime.channels import access_token
from chime.clock import Clock
from chime.errors import Conflict
from chime.handover import NotTaken, new_code
from chime.handover.people import KEPT
from chime.ids import Ids
from chime.security.permissions import OPERATOR
from chime.simulator.sample_media import sample
from chime.workspace_commands import (
    code_of_server,
    erase_workspace,
    hand_over_workspace,
    resume_workspace,
    take_back_workspace,
)
from chime.workspaces.closing import Closing
from tests.http.inbox_setup import Talk, indexed, rows, talk
from tests.http.moving_setup import (
    OTHER_KEY,
    WRONG,
    all_rows,
    config_of,
    exported,
    imported,
    moved_tenant,
    new_server,
    running,
    stored_files,
)
from tests.http.people_setup import id_of
from tests.support.files import contents
from tests.support.processes import CHIME, run
from tests.support.webhook_bodies import Customer, body, inbound
from tests.support.webhook_bodies import text as said
from tests.support.world import ACCESS_TOKEN, ACME_NUMBER, APP_SECRET, MASTER_KEY, VERIFY_TOKEN, World

DANA = Customer("Dana", "14155550123", "US.dana", "dana")
APP = "200300400500600"


def writes(words: str, wamid: str) -> Any:
    return body(ACME_NUMBER, inbound(ACME_NUMBER, DANA, said(DANA, wamid, Clock().now() // 1000, words)))


async def a_life(world: World) -> Talk:
    """Something of everything: words both ways, a picture, a note, an assignment, a signed trail, a team."""
    maya = await talk(world, "Is the blue kayak still there?")
    alice = await world.session("alice")
    await maya.reply(alice, "It is, come and see it.")
    number, content = world.acme.number.phone_number_id, sample("image").content + b"a picture of a kayak" * 9_000
    picture = world.simulator.world.add_media(number, content, "image/png")
    await maya.says({"type": "image", "image": {"id": picture.media_id}})
    await alice.post(f"{maya.base}/assignment", data={"assignee_id": await id_of(world, "alice")})
    async with world.services.control.write(OPERATOR) as tx:
        await tx.execute("INSERT INTO team (id, workspace_id, name, created_at) VALUES ('boats', ?, 'Boats', 1)",
                         world.acme.workspace_id)
        await tx.execute("INSERT INTO team_member (team_id, user_id) VALUES ('boats', ?)", await id_of(world, "alice"))
        await tx.audit("team.created", "team", "boats", workspace_id=world.acme.workspace_id)
    async with world.workspace(world.acme) as workspace:
        await audit.sign(audit.trail_of(workspace, world.services.control))
    await indexed(world)
    return maya


async def files_of(world: World) -> dict[str, dict[str, list[Any]]]:
    found = {}
    async with world.workspace(world.acme) as workspace:
        for file in (workspace.db, workspace.journal_db):
            found[file.path.name] = await asyncio.to_thread(
                all_rows, file.path, file.key, world.data_dir.with_name("looked-at.db"))
    return found


async def test_everything_arrives_and_works(world: World, tmp_path: Path) -> None:
    maya = await a_life(world)
    before = await files_of(world)
    media = stored_files(world.data_dir / "workspaces" / world.acme.workspace_id)
    config = await new_server(tmp_path / "other")
    made = await imported(config, await exported(world, tmp_path / "acme.chime"))
    unknown = {f"{name}@example.com" for name in ("mo", "kim", "bob", "vera")}
    assert made.people == 5 and set(made.new_accounts) == unknown
    async with running(world, config) as there:
        after = await files_of(there.world)
        here_id, there_id = await id_of(world, "alice"), await id_of(there.world, "alice")
        assert here_id != there_id
        for file, tables in before.items():
            for name, expected in tables.items():
                if name in KEPT:
                    continue
                moved = json.loads(json.dumps(expected, default=repr).replace(here_id, there_id))
                assert json.loads(json.dumps(after[file][name], default=repr)) == moved, (file, name)
        old, new = before["workspace.db"]["audit_event"], after["workspace.db"]["audit_event"]
        assert new[:len(old)] == old or set(map(repr, old)) < set(map(repr, new))
        assert media and stored_files(config.data_dir / "workspaces" / world.acme.workspace_id) == media
        async with there.world.workspace(world.acme) as workspace:
            verdict = await audit.examine(audit.trail_of(workspace, there.services.control), Clock())
            assert verdict.ok and verdict.proven > 0, verdict
            token = await access_token(workspace.db, workspace.vault, world.acme.channel_id)
            assert token.reveal() == ACCESS_TOKEN
            [(file_id,)] = await workspace.db.rows("SELECT id FROM media WHERE state = 'ready'")
            plain = b"".join([part async for part in workspace.files.read(file_id)])
            assert plain.startswith(b"\x89PNG") and b"a picture of a kayak" in plain
        await there.go_live(old_is_stopped=True)
        alice = await there.world.session("alice")
        found = await alice.get("/w/acme/inbox?q=kayak")
        assert "blue kayak" in found.text.replace("<mark>", "").replace("</mark>", "")
        assert (await alice.get(maya.base)).status_code == 200
        team = await there.services.control.db.rows("SELECT user_id FROM team_member WHERE team_id = 'boats'")
        assert team == [(there_id,)]


async def test_it_answers_only_after_it_went_live_and_the_old_server_only_before(world: World, tmp_path: Path) -> None:
    await talk(world)
    first = await world.webhook(writes("before the move", "wamid.1"))
    assert first.status_code == 200
    await world.settle()
    config = await new_server(tmp_path / "other")
    handed = await hand_over_workspace(config_of(world), "Acme", to=await code_of_server(config))
    assert handed.shared_with == ("Globex",), "its number belongs to the same Meta app"
    await asyncio.sleep(0.1)
    refused = await world.webhook(writes("during the move", "wamid.2"))
    assert refused.status_code == 503 and refused.headers["retry-after"]
    with pytest.raises(Conflict, match="handed over"):
        await resume_workspace(config_of(world), "Acme")
    made = await imported(config, await exported(world, tmp_path / "acme.chime"))
    assert made.is_final and not made.held
    async with running(world, config) as there:
        acme = moved_tenant(world, there, world.acme.webhook_path)
        early = await there.world.webhook(writes("during the move", "wamid.2"), tenant=acme)
        assert early.status_code == 200, "parked: Meta may be told of the address before it goes live"
        assert await rows(there.world, acme, "SELECT count(*) FROM message WHERE wamid = 'wamid.2'") == [(0,)]
        alice = await there.world.session("alice")
        assert (await alice.get("/w/acme/inbox")).status_code == 404, "it waits, and nobody gets in"
        assert "Waits to go live" in (await alice.get("/installation/workspaces")).text
        live = await there.go_live()
        assert live.released == 1 and live.webhooks[0]["webhook_url"] == there.base + world.acme.webhook_path
        again = await there.world.webhook(writes("during the move", "wamid.2"), tenant=acme)
        assert again.status_code == 200, "Meta repeats what the old one refused"
        await there.world.settle()
        there.services.runner.start(acme.workspace_id, "inbound.apply", "journal")
        await there.world.settle()
        assert await rows(there.world, acme, "SELECT count(*) FROM message WHERE wamid IN ('wamid.1', 'wamid.2')"
                          ) == [(2,)], "each once"
        world.simulator.world.apps[APP].webhook_url = there.base + acme.webhook_path
        nina = await talk(there.world, "Hello there", tenant=acme, name="Nina", phone="14155550177")
        message = await nina.reply(alice, "Hello Nina")
        assert message.status in ("sent", "delivered", "read") and len(nina.on_the_phone()) == 1


async def test_the_commands_say_what_comes_next(world: World, tmp_path: Path) -> None:
    """As processes, beside the running appliance on one side and without one on the other."""
    here, there = str(world.data_dir), await new_server(tmp_path / "other")
    keys = {here: MASTER_KEY, str(there.data_dir): OTHER_KEY}
    file, secret = tmp_path / "acme.chime", tmp_path / "passphrase"

    async def chime(data: str, *arguments: str, status: int = 0) -> str:
        found = await asyncio.to_thread(run, [*CHIME, "workspace", *arguments, "--data", data], extra={
            "CHIME_MASTER_KEY": b64encode(keys[data]).decode()})
        assert found.returncode == status, found.stdout + found.stderr
        return found.stdout if status == 0 else found.stderr

    own = (await chime(here, "server-code")).strip()
    assert "own code" in await chime(here, "hand-over", "Acme", "--to", own, status=1)
    assert "no server's code" in await chime(here, "hand-over", "Acme", "--to", "a" + own[1:-1] + "z", status=1)
    code = json.loads(await chime(str(there.data_dir), "server-code", "--json"))["server_code"]
    assert code != own == (await chime(here, "server-code")).strip()
    told = await chime(here, "hand-over", "Acme", "--to", code.upper().replace("-", " "))
    assert "Globex" in told and "override_callback_uri" in told and 'chime workspace go-live "Acme"' in told
    assert "handed over" in await chime(here, "resume", "Acme", status=1)
    made = json.loads(await chime(here, "export", "--workspace", "Acme", "--to", str(file), "--json"))
    assert made["is_final"] and made["sha256"] == sha256(file.read_bytes()).hexdigest()
    assert "is there already" in await chime(here, "export", "--workspace", "Acme", "--to", str(file), status=1)
    assert "name a file with the passphrase" in await chime(str(there.data_dir), "import", "--from", str(file),
                                                            status=1)
    secret.write_text(made["passphrase"] + "\n")
    words = await chime(str(there.data_dir), "import", "--from", str(file), "--passphrase-file", str(secret), "--as",
                        "Acme Ltd")
    assert "Acme Ltd is here and waits" in words and "bob@example.com" in words and "reset-password" in words
    live = await chime(str(there.data_dir), "go-live", "Acme Ltd")
    assert world.acme.webhook_path in live and VERIFY_TOKEN in live and "+1 555-010-0200" in live
    assert "does not wait" in await chime(str(there.data_dir), "go-live", "Acme Ltd", status=1)


async def test_what_the_old_server_may_have_sent_is_not_sent_again(world: World, tmp_path: Path) -> None:
    maya = await talk(world)
    alice = await world.session("alice")
    async with world.workspace(world.acme) as workspace, workspace.write(OPERATOR) as tx:
        await tx.execute("UPDATE channel SET paused_until = ? WHERE id = ?", tx.now + 3_600_000, world.acme.channel_id)
        await tx.audit("channel.paused", "channel", world.acme.channel_id)
    answer = await alice.post(f"{maya.base}/messages", data={"type": "text", "text": "on its way"})
    assert answer.status_code == 200
    waiting = await rows(world, world.acme, "SELECT status FROM message WHERE text = 'on its way'")
    assert waiting == [("queued",)]
    config = await new_server(tmp_path / "other")
    made = await imported(config, await exported(world, tmp_path / "acme.chime"))
    assert made.held == 1 and not made.is_final
    async with running(world, config) as there:
        with pytest.raises(Conflict, match="hand-over"):
            await there.go_live()
        await there.go_live(old_is_stopped=True)
        await there.world.settle()
        assert await rows(there.world, world.acme, "SELECT status FROM message WHERE text = 'on its way'"
                          ) == [("unconfirmed",)]
        assert not maya.on_the_phone()


async def test_a_hand_over_can_be_taken_back(world: World) -> None:
    other = new_code(Ids())
    await hand_over_workspace(config_of(world), "Acme", to=other)
    with pytest.raises(Conflict):
        await hand_over_workspace(config_of(world), "Acme", to=other)
    await take_back_workspace(config_of(world), "Acme", name="Acme")
    await asyncio.sleep(0.1)
    assert (await world.webhook(writes("again", "wamid.3"))).status_code == 200
    await world.settle()
    assert await rows(world, world.acme, "SELECT count(*) FROM message WHERE wamid = 'wamid.3'") == [(1,)]


async def test_nothing_is_imported_over_and_what_was_erased_stays_so(world: World, tmp_path: Path) -> None:
    """And what was erased lives on in its file, for another server, and in nothing else of this one's folder."""
    await talk(world, "a canary in words")
    file = await exported(world, tmp_path / "acme.chime")
    with pytest.raises(Conflict, match="here already"):
        await imported(config_of(world), file)
    await erase_workspace(config_of(world), "Acme", name="Acme")
    services = world.services
    await Closing(services.control, services.registry, services.clock, services.hub.end_streams_in).look()
    for path, content in contents(world.data_dir).items():
        place = path.relative_to(world.data_dir)
        assert world.acme.workspace_id not in place.parts or place.parts[0] == "backups", place
        assert b"canary" not in content and b"14155550101" not in content, path
    with pytest.raises(Conflict, match="erased here"):
        await imported(config_of(world), file)
    config = await new_server(tmp_path / "other")
    made = await imported(config, file, name="Acme again")
    assert made.name == "Acme again" and made.slug == "acme-again"
    async with running(world, config) as there:
        found = await rows(there.world, world.acme, "SELECT count(*) FROM message WHERE text = 'a canary in words'")
        assert found == [(1,)]


async def test_it_is_refused_with_words_and_nothing_is_left(world: World, tmp_path: Path) -> None:
    file = await exported(world, tmp_path / "acme.chime")
    config = await new_server(tmp_path / "other")
    with pytest.raises(NotTaken, match="passphrase"):
        await imported(config, file, WRONG)
    cut = tmp_path / "cut.chime"
    cut.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(NotTaken, match="damaged or was not copied whole"):
        await imported(config, cut)
    with pytest.raises(Conflict, match="--as NAME"):
        await imported(config, file, name="Home")
    assert len(list((config.data_dir / "workspaces").iterdir())) == 1
    assert not list((world.data_dir / "workspaces" / world.acme.workspace_id).glob("leaving-*"))
    assert APP_SECRET.encode() not in file.read_bytes() and ACCESS_TOKEN.encode() not in file.read_bytes()
