"""The file of a workspace: any damage is refused, a kill at any step leaves nothing half, memory does not grow."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chime import accounts
from chime.channels import NewChannel
from chime.db import Kind, migrate
from chime.errors import Conflict, Invalid
from chime.handover import NotTaken, new_code, packing, read_code, reading, writing
from chime.ids import Ids
from chime.security.passphrases import Stretching, made_up
from chime.security.permissions import OPERATOR, Role
from chime.setup import connect, initialise, list_channels, named_workspace, opened
from chime.workspace_commands import (
    code_of_server,
    export_workspace,
    go_live_with,
    hand_over_workspace,
    import_workspace,
    take_back_workspace,
)
from tests.support.moving import DEAD, EXPORT_STEPS, IMPORT_STEPS, NAME, PASSPHRASE, config_of
from tests.support.processes import run

WORKS = (sys.executable, "-P", "-m", "tests.support.moving")
FEW = Stretching(salt=bytes(16), memory_kib=64, passes=1)


def made(data_dir: Path, workspace: str) -> Path:
    config = config_of(data_dir)
    asyncio.run(initialise(config, email="ada@example.com", name="Ada", workspace=workspace,
                           password="correct horse battery staple"))
    if workspace == NAME:
        asyncio.run(connect(config, NAME, NewChannel(
            phone_number_id="411222333444555", waba_id="377001122334455", display_phone="+1 555-010-0200",
            app_id="200300400500600", access_token="EAAtestsaccesstoken0123456789", app_secret="an app secret",
            verify_token="a verify token")))
    return data_dir


def media_folder(data_dir: Path) -> Path:
    [found] = [path for path in (data_dir / "workspaces").iterdir() if path.is_dir()]
    return found / "media"


def put_files(data_dir: Path, count: int, size: int) -> None:
    """Stored files as they lie: what is in them is nothing the export looks into."""
    for _ in range(count):
        file_id = Ids().new(1_800_000_000_000)
        folder = media_folder(data_dir) / file_id[-2:]
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / file_id).write_bytes(os.urandom(size))


def write(data_dir: Path, target: Path) -> Path:
    asyncio.run(export_workspace(config_of(data_dir), NAME, target, PASSPHRASE, lambda done, total: None))
    return target


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    found = made(tmp_path / "a", NAME)
    put_files(found, 4, 70_000)
    return found


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the work that a passphrase is stretched by."""
    monkeypatch.setattr(writing, "new_stretching", lambda ids: FEW)


def damaged(content: bytes, luck: random.Random) -> Iterator[bytes]:
    """One after the other, for ever: a bit turned, a byte written, some cut off, put on, left out, said twice."""
    while True:
        at = luck.randrange(len(content) if luck.random() < 0.6 else 1_200)
        length = luck.choice((1, 16, 64, 65_581))
        yield content[:at] + bytes([content[at] ^ (1 << luck.randrange(8))]) + content[at + 1:]
        yield content[:at] + bytes([(content[at] + luck.randrange(1, 256)) % 256]) + content[at + 1:]
        yield content[:at]
        yield content + bytes(length)
        yield content[:at] + content[at + length:]
        yield content[:at] + content[at:at + length] + content[at:]
        yield content[:at] + luck.randbytes(length) + content[at + length:]


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize("rounds", [200, pytest.param(10_000, marks=[pytest.mark.nightly, pytest.mark.timeout(7200)])])
def test_every_damage_is_refused(shop: Path, tmp_path: Path, rounds: int) -> None:
    whole = write(shop, tmp_path / "whole.chime")
    content, file = whole.read_bytes(), tmp_path / "damaged.chime"
    reading.examine(whole, reading.file_key(whole, PASSPHRASE))
    tries = damaged(content, random.Random(rounds))
    for number in range(rounds):
        changed = next(tries)
        if changed == content:
            continue
        file.write_bytes(changed)
        with pytest.raises(NotTaken):
            reading.examine(file, reading.file_key(file, PASSPHRASE))
            pytest.fail(f"damage {number} was not noticed")


@pytest.mark.usefixtures("quickly")
def test_parts_of_two_files_make_no_third(shop: Path, tmp_path: Path) -> None:
    """The same workspace, the same passphrase, the same salt: what one begins another can't end."""
    first, second = write(shop, tmp_path / "1.chime").read_bytes(), write(shop, tmp_path / "2.chime").read_bytes()
    file = tmp_path / "mixed.chime"
    for at in (600, 1_500, len(first) // 2, len(first) - 200):
        file.write_bytes(first[:at] + second[at:])
        with pytest.raises(NotTaken):
            reading.examine(file, reading.file_key(file, PASSPHRASE))


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize("change, words", [
    ({"form": 2}, "newer than this one"),
    ({"needs": {"workspace": 9_000}}, "newer than this one"),
    ({"stretching": {"salt": "AAAAAAAAAAAAAAAAAAAAAA==", "memory_kib": 99_000_000, "passes": 1}}, "no workspace file"),
])
def test_what_a_newer_chime_made_or_asks_for_too_much_is_refused(shop: Path, tmp_path: Path, change: dict[str, object],
                                                                 words: str) -> None:
    content = write(shop, tmp_path / "whole.chime").read_bytes()
    length = int.from_bytes(content[8:12])
    header = json.dumps(json.loads(content[12:12 + length]) | change).encode()
    file = tmp_path / "newer.chime"
    file.write_bytes(content[:8] + len(header).to_bytes(4) + header + content[12 + length:])
    with pytest.raises(NotTaken, match=words):
        reading.header_of(file)


def test_a_file_of_an_older_chime_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = migrate.names

    def fewer(kind: Kind) -> tuple[str, ...]:
        return known(kind)[:-1] if kind is Kind.WORKSPACE else known(kind)

    with monkeypatch.context() as before:
        before.setattr(migrate, "names", fewer)
        before.setattr(packing, "names", fewer)
        file = write(made(tmp_path / "a", NAME), tmp_path / "shop.chime")
    assert reading.header_of(file).schemas["workspace"] == len(known(Kind.WORKSPACE)) - 1
    other = made(tmp_path / "b", "Home")
    asyncio.run(import_workspace(config_of(other), file, PASSPHRASE, None))
    assert asyncio.run(is_here(other))
    asyncio.run(is_up_to_date(other))


def hand_over(data_dir: Path, to: Path) -> None:
    asyncio.run(hand_over_workspace(config_of(data_dir), NAME, to=asyncio.run(code_of_server(config_of(to)))))


def test_one_file_goes_live_on_the_server_it_was_handed_over_to_and_on_no_other(shop: Path, tmp_path: Path) -> None:
    second, third = made(tmp_path / "b", "Home"), made(tmp_path / "a-third", "Home")
    hand_over(shop, second)
    file = write(shop, tmp_path / "shop.chime")
    assert asyncio.run(import_workspace(config_of(second), file, PASSPHRASE, None)).is_final
    assert not asyncio.run(import_workspace(config_of(third), file, PASSPHRASE, None)).is_final
    with pytest.raises(Conflict, match="not handed over to this server"):
        asyncio.run(go_live_with(config_of(third), NAME, old_is_stopped=False))
    # Nor is what another server makes of it: it may go live where it waits.
    onward = write(second, tmp_path / "second.chime")
    fourth = made(tmp_path / "a-fourth", "Home")
    assert not asyncio.run(import_workspace(config_of(fourth), onward, PASSPHRASE, None)).is_final
    with pytest.raises(Conflict, match="not handed over to this server"):
        asyncio.run(go_live_with(config_of(fourth), NAME, old_is_stopped=False))
    live = asyncio.run(go_live_with(config_of(second), NAME, old_is_stopped=False))
    assert live.numbers == ("+1 555-010-0200",)


def test_a_person_may_say_that_no_other_server_works_with_it(shop: Path, tmp_path: Path) -> None:
    """From a server where it never went live, with all it needs: the app of its number goes along."""
    second, third = made(tmp_path / "b", "Home"), made(tmp_path / "a-third", "Home")
    hand_over(shop, second)
    asyncio.run(import_workspace(config_of(second), write(shop, tmp_path / "first.chime"), PASSPHRASE, None))
    asyncio.run(import_workspace(config_of(third), write(second, tmp_path / "second.chime"), PASSPHRASE, None))
    live = asyncio.run(go_live_with(config_of(third), NAME, old_is_stopped=True))
    assert live.numbers == ("+1 555-010-0200",) and live.webhooks[0]["verify_token"] == "a verify token"


def test_taken_back_it_can_be_handed_over_to_another_server(shop: Path, tmp_path: Path) -> None:
    second, third = made(tmp_path / "b", "Home"), made(tmp_path / "a-third", "Home")
    hand_over(shop, second)
    asyncio.run(take_back_workspace(config_of(shop), NAME, name=NAME))
    hand_over(shop, third)
    file = write(shop, tmp_path / "shop.chime")
    assert not asyncio.run(import_workspace(config_of(second), file, PASSPHRASE, None)).is_final
    assert asyncio.run(import_workspace(config_of(third), file, PASSPHRASE, None)).is_final


class Seeded(Ids):
    """The same ids each time: of 65,536 mistyped codes one passes, and must not do so now and then."""

    def __init__(self) -> None:
        self._luck = random.Random(1)

    def random(self, size: int) -> bytes:
        return self._luck.randbytes(size)


def test_a_mistyped_code_is_none() -> None:
    ids = Seeded()
    for _ in range(100):
        code = new_code(ids)
        assert read_code(f" {code.upper()} ") == code
        at = next(index for index in range(len(code) - 1) if "-" not in code[index:index + 2]
                  and code[index] != code[index + 1])
        for typed in (code[:-1], code + "a", code[:at] + code[at + 1] + code[at] + code[at + 2:], ""):
            with pytest.raises(Invalid):
                read_code(typed)


async def is_up_to_date(data_dir: Path) -> None:
    async with opened(config_of(data_dir)) as (control, registry):
        record = await control.workspace(NAME)
        assert record is not None
        async with registry.use(record.id) as workspace:
            steps = await workspace.db.schema_version() & 0xFFFF
            assert steps == len(migrate.names(Kind.WORKSPACE))


async def shut_out(data_dir: Path) -> None:
    async with opened(config_of(data_dir)) as (control, _), control.write(OPERATOR) as tx:
        user_id = await accounts.create_user(tx, email="eve@example.com", name="Eve", password_hash="none")
        await accounts.add_member(tx, workspace_id=(await named_workspace(control, NAME)).id, user_id=user_id,
                                  role=Role.ADMIN)
        await tx.execute("UPDATE user SET disabled_at = ? WHERE id = ?", tx.now, user_id)


async def standing_of(data_dir: Path, email: str) -> tuple[str, str]:
    async with opened(config_of(data_dir)) as (control, _):
        [found] = await control.db.rows("SELECT membership.role, membership.state FROM membership JOIN user "
                                        "ON user.id = membership.user_id JOIN workspace ON workspace.id = workspace_id "
                                        "WHERE user.email = ? AND workspace.name = ?", email, NAME)
    return found[0], found[1]


def test_who_was_shut_out_there_stays_out(shop: Path, tmp_path: Path) -> None:
    asyncio.run(shut_out(shop))
    file = write(shop, tmp_path / "shop.chime")
    other = made(tmp_path / "b", "Home")
    asyncio.run(import_workspace(config_of(other), file, PASSPHRASE, None))
    assert asyncio.run(standing_of(other, "eve@example.com")) == ("admin", "suspended")
    assert asyncio.run(standing_of(other, "ada@example.com")) == ("owner", "active")


def works(data_dir: Path, verb: str, file: Path, step: str = "", status: int = 0) -> str:
    found = run([*WORKS, str(data_dir), verb, str(file), *([step] if step else [])], extra={"PYTHONPATH": "."})
    assert found.returncode == status, (step, found.stdout, found.stderr)
    return found.stdout


async def is_here(data_dir: Path) -> bool:
    async with opened(config_of(data_dir)) as (control, registry):
        found = await control.workspace(NAME)
        if found is None:
            assert not await control.db.value("SELECT 1 FROM meta_app"), "nothing of it, or all"
            return False
        async with registry.use(found.id) as workspace:
            assert await workspace.db.value("SELECT count(*) FROM channel") == 1
            assert found.state == "muted"
        return True


@pytest.mark.parametrize("steps", [("_move", "_register"),
                                   pytest.param(IMPORT_STEPS, marks=pytest.mark.nightly)])
def test_an_import_killed_at_any_step_is_nothing_or_all(shop: Path, tmp_path: Path, steps: tuple[str, ...]) -> None:
    file = write(shop, tmp_path / "shop.chime")
    other = made(tmp_path / "b", "Home")
    for step in steps:
        works(other, "import", file, step, DEAD)
        assert asyncio.run(is_here(other)) is (step == "_register"), step
    assert asyncio.run(list_channels(config_of(other), NAME))[0].phone_number_id == "411222333444555"
    lying = {path.name for path in (other / "workspaces").iterdir()}
    assert len(lying) == 2 and not [name for name in lying if name.startswith(".")], lying


@pytest.mark.parametrize("steps", [("half", "_write"), pytest.param(EXPORT_STEPS, marks=pytest.mark.nightly)])
def test_an_export_killed_at_any_step_leaves_no_file_by_that_name(shop: Path, tmp_path: Path, steps: tuple[str, ...]
                                                                  ) -> None:
    file = tmp_path / "shop.chime"
    for step in steps:
        works(shop, "export", file, step, DEAD)
        if step == "_write":
            break
        assert not file.exists(), step
    reading.examine(file, reading.file_key(file, PASSPHRASE))
    for path in media_folder(shop).parent.glob("leaving-*"):
        os.utime(path, (0, 0))
    write(shop, tmp_path / "again.chime")
    assert not list(media_folder(shop).parent.glob("leaving-*")), "what a killed one left is removed a day later"
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("megabytes", [50, pytest.param(500, marks=pytest.mark.nightly)])
def test_memory_does_not_grow_with_the_files(shop: Path, tmp_path: Path, megabytes: int) -> None:
    other = made(tmp_path / "b", "Home")
    small = int(works(shop, "export", tmp_path / "small.chime"))
    put_files(shop, megabytes, 1_000_000)
    large_file = tmp_path / "large.chime"
    large = int(works(shop, "export", large_file))
    assert large_file.stat().st_size > megabytes * 1_000_000
    taken = int(works(other, "import", large_file))
    assert large < small + 30_000 and taken < small + 30_000, (small, large, taken)
    assert sum(path.stat().st_size for path in (other / "workspaces").rglob("media/*/*")) == (
        megabytes * 1_000_000 + 4 * 70_000)


def test_a_passphrase_that_is_made_up_is_a_good_one() -> None:
    assert len(made_up(Ids())) == 29 and made_up(Ids()) != made_up(Ids())


def test_a_wrong_passphrase_and_a_file_that_is_none(shop: Path, tmp_path: Path) -> None:
    file = write(shop, tmp_path / "shop.chime")
    other = config_of(made(tmp_path / "b", "Home"))
    with pytest.raises(NotTaken, match="passphrase is not the one"):
        asyncio.run(import_workspace(other, file, PASSPHRASE + ".", None))
    (tmp_path / "none").write_bytes(b"PK" + os.urandom(5_000))
    with pytest.raises(NotTaken, match="no workspace file"):
        asyncio.run(import_workspace(other, tmp_path / "none", PASSPHRASE, None))
    with pytest.raises(NotTaken, match="cannot be read"):
        asyncio.run(import_workspace(other, tmp_path / "nowhere", PASSPHRASE, None))
