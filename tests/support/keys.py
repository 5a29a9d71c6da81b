"""An installation with something in every place that a key protects, and a look at whether all of it can be read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from chime.clock import Clock
from chime.ids import Ids
from chime.security.crypto import context
from chime.security.permissions import OPERATOR
from chime.workspaces import Control, Registry, create_control, create_workspace, open_keys
from chime.workspaces.keys import Purpose
from chime.workspaces.rotation import old_in_control, old_in_workspace
from chime.workspaces.workspace import WEBHOOK_BODY
from tests.support.files import paths

OLD_MASTER = bytes(range(1, 33))
NEW_MASTER = bytes(range(101, 133))
FILES = 12
PARKED = 5


def secret(name: str) -> str:
    return f"the {name} that must come out as it went in"


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data


@asynccontextmanager
async def opened(data_dir: Path, *masters: bytes) -> AsyncIterator[tuple[Control, Registry]]:
    """The files, opened as a command does."""
    keys, clock, ids = open_keys(data_dir, *masters), Clock(), Ids()
    create_control(data_dir, keys)
    control = await Control.open(data_dir, keys, clock, ids)
    registry = Registry(data_dir, control, clock, ids)
    try:
        yield control, registry
    finally:
        await registry.close()
        await control.close()


async def make(data_dir: Path, *, names: tuple[str, ...] = ("Acme", "Globex")) -> None:
    """Workspaces with a channel's token, stored files and journalled bodies; an app's secrets and parked bodies."""
    create_control(data_dir, open_keys(data_dir, OLD_MASTER, create=True))
    async with opened(data_dir, OLD_MASTER) as (control, registry):
        async with control.write(OPERATOR) as tx:
            records = [await create_workspace(tx, data_dir, control.keys, Ids(), name=name) for name in names]
            sealed = {column: control.vault.seal(secret(column), table="meta_app", row="app", column=column)
                      for column in ("app_secret", "verify_token")}
            await tx.execute("INSERT INTO meta_app (id, app_id, app_key, app_secret_sealed, verify_token_sealed, "
                             "created_at) VALUES ('app', '1', 'k', ?, ?, 0)", sealed["app_secret"],
                             sealed["verify_token"])
            for number in range(PARKED):
                body = control.keys.parked.seal(secret(f"body {number}").encode(),
                                                context("parked_delivery", f"parked{number}"))
                await tx.execute("INSERT INTO parked_delivery (id, key, meta_app_id, field, reason, body_sealed, "
                                 "received_at) VALUES (?, ?, 'app', '', '', ?, 0)", f"parked{number}",
                                 str(number).encode(), body)
        for record in records:
            await _fill(registry, record.id)


async def _fill(registry: Registry, workspace_id: str) -> None:
    async with registry.use(workspace_id) as workspace:
        async with workspace.write(OPERATOR) as tx:
            sealed = workspace.vault.seal(secret("token"), table="channel", row="channel", column="access_token")
            await tx.execute(
                "INSERT INTO channel (id, phone_number_id, waba_id, meta_app_id, display_phone, access_token_sealed, "
                "access_token_last_four, created_at) VALUES ('channel', '1', '2', 'app', '+1', ?, 'x', 0)", sealed)
            await tx.audit("channel.connected", "channel", "channel")
        for number in range(FILES):
            data = secret(f"file {number}").encode() * (4_000 if number == 0 else 1)
            await workspace.files.write(f"file{number:02}", _whole(data))
        for number in range(20):
            await workspace.journal.append(WEBHOOK_BODY, str(number).encode(), 0, secret(f"event {number}").encode())


async def everything_opens(control: Control, registry: Registry) -> None:
    """Every secret comes out as it went in."""
    for column in ("app_secret", "verify_token"):
        sealed = await control.db.value("SELECT app_secret_sealed FROM meta_app" if column == "app_secret"
                                        else "SELECT verify_token_sealed FROM meta_app")
        assert control.vault.open(sealed, table="meta_app", row="app", column=column).reveal() == secret(column)
    parked = await control.db.rows("SELECT id, body_sealed FROM parked_delivery ORDER BY id")
    assert [control.keys.parked.unseal(body, context("parked_delivery", row)).decode() for row, body in parked] == [
        secret(f"body {number}") for number in range(PARKED)]
    for record in await control.workspaces():
        async with registry.use(record.id) as workspace:
            sealed = await workspace.db.value("SELECT access_token_sealed FROM channel")
            found = workspace.vault.open(sealed, table="channel", row="channel", column="access_token")
            assert found.reveal() == secret("token")
            for number in range(FILES):
                data = b"".join([part async for part in workspace.files.read(f"file{number:02}")])
                assert data == secret(f"file {number}").encode() * (4_000 if number == 0 else 1)
            bodies = await workspace.journal_db.rows("SELECT body FROM webhook_body ORDER BY id")
            assert [row[0].decode() for row in bodies] == [secret(f"event {number}") for number in range(20)]


async def old_anywhere(control: Control, registry: Registry) -> int:
    """How much still has an older key than the newest."""
    old = await old_in_control(control)
    for record in await control.workspaces():
        async with registry.use(record.id) as workspace:
            old += sum([await old_in_workspace(workspace, purpose) for purpose in Purpose])
    return old


def left_over(data_dir: Path) -> list[str]:
    """Files that only a rotation under way needs."""
    return [path.name for path in paths(data_dir) if ".rekeyed" in path.name or path.name.endswith(".new")]
