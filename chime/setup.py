"""First steps of an installation, at the shell: master key, first person, workspaces, numbers, keys for scripts.

Each function opens what it needs, does one thing in audited transactions and closes again, so it may run beside a
running appliance.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from chime import accounts, channels
from chime.channels import Channel, NewChannel
from chime.channels import actions as channel_actions
from chime.clock import Clock
from chime.config import Config
from chime.errors import Conflict, NotFound, StartRefused
from chime.ids import Ids
from chime.inbound.actions import Journals
from chime.security.passwords import Passwords, check_rules
from chime.security.permissions import OPERATOR, Role
from chime.workspaces import (
    Control,
    KeyRing,
    Registry,
    WorkspaceRecord,
    create_control,
    create_workspace,
    find_master_key,
    make_master_key,
)
from chime.workspaces.keys import key_file


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[tuple[Control, Registry]]:
    """control.db and the workspaces of an existing installation. Raises StartRefused when there is none."""
    from chime.serve import prepare

    keys = KeyRing(find_master_key(config.data_dir, config.master_key))
    prepare(config, keys)
    clock, ids = Clock(), Ids()
    control = await Control.open(config.data_dir, keys, clock, ids)
    registry = Registry(config.data_dir, control, clock, ids)
    try:
        yield control, registry
    finally:
        await registry.close()
        await control.close()


class Initialised(msgspec.Struct, frozen=True, kw_only=True):
    """What `init` made. `key_path` is where a new master key was put, `password` one that was made up."""

    workspace_id: str
    user_id: str
    key_path: Path | None
    password: str | None


async def initialise(config: Config, *, email: str, name: str, workspace: str, password: str | None) -> Initialised:
    """The first person and workspace, and a master key when there is none. Raises Conflict when it is done already."""
    key_path = None
    ids, clock = Ids(), Clock()
    if (config.data_dir / "control.db").exists():
        keys = KeyRing(find_master_key(config.data_dir, config.master_key))
    elif config.master_key is None and not key_file(config.data_dir).exists():
        new_key = ids.random(32)
        key_path = make_master_key(config.data_dir, new_key)
        keys = KeyRing(new_key)
    else:
        keys = KeyRing(find_master_key(config.data_dir, config.master_key))
    create_control(config.data_dir, keys)
    made_up = None if password is not None else "-".join(ids.code(5) for _ in range(4))
    control = await Control.open(config.data_dir, keys, clock, ids)
    passwords = Passwords(keys.pepper, ids)
    try:
        if await control.db.value("SELECT 1 FROM user LIMIT 1"):
            raise Conflict("this installation has its first person already; sign in instead")
        check_rules(password or made_up or "")
        hashed = await passwords.hash(password or made_up or "")
        async with control.write(OPERATOR) as tx:
            user_id = await accounts.create_user(tx, email=email, name=name, password_hash=hashed, is_operator=True)
            record = await create_workspace(tx, config.data_dir, keys, ids, name=workspace)
            await accounts.add_member(tx, workspace_id=record.id, user_id=user_id, role=Role.OWNER)
    finally:
        passwords.close()
        await control.close()
    return Initialised(workspace_id=record.id, user_id=user_id, key_path=key_path, password=made_up)


async def new_workspace(config: Config, name: str) -> WorkspaceRecord:
    """A further workspace; the operators of the installation own it. Raises Invalid."""
    async with opened(config) as (control, _), control.write(OPERATOR) as tx:
        record = await create_workspace(tx, config.data_dir, control.keys, Ids(), name=name)
        for (user_id,) in await tx.rows("SELECT id FROM user WHERE is_operator = 1"):
            await accounts.add_member(tx, workspace_id=record.id, user_id=user_id, role=Role.OWNER)
    return record


async def named_workspace(control: Control, id_or_name: str) -> WorkspaceRecord:
    """Raises NotFound."""
    found = await control.workspace(id_or_name)
    if found is None:
        raise NotFound(f"there is no workspace {id_or_name!r}; `chime workspace list` shows them")
    return found


class ConnectedChannel(msgspec.Struct, frozen=True, kw_only=True):
    """What to paste into Meta's dashboard."""

    channel_id: str
    webhook_url: str
    webhook_path: str
    verify_token: str


async def connect(config: Config, workspace: str, new: NewChannel) -> ConnectedChannel:
    """Connect a number, and take in what was parked for it. Raises Invalid, Conflict, NotFound."""
    ids = Ids()
    async with opened(config) as (control, registry):
        record = await named_workspace(control, workspace)
        async with (registry.use(record.id) as opened_workspace, control.write(OPERATOR) as outer,
                    opened_workspace.write(OPERATOR) as inner):
            made = await channel_actions.add(outer, inner, new, control_vault=control.vault,
                                             vault=opened_workspace.vault, ids=ids, workspace_id=record.id)
        app = await control.app(made.app_key)
        if app is None:
            raise StartRefused("the Meta app was not stored")
        await Journals(control, registry, Clock(), ids).release(
            phone_number_id=new.phone_number_id, waba_id=new.waba_id, workspace_id=record.id)
    path = f"/webhooks/whatsapp/{made.app_key}"
    base = config.public_url or f"http://{config.bind_host}:{config.bind_port}"
    return ConnectedChannel(channel_id=made.channel_id, webhook_url=base + path, webhook_path=path,
                            verify_token=app.verify_token.reveal())


async def list_channels(config: Config, workspace: str) -> list[Channel]:
    async with opened(config) as (control, registry):
        record = await named_workspace(control, workspace)
        async with registry.use(record.id) as opened_workspace:
            return await channels.channels(opened_workspace.db)


async def disconnect(config: Config, workspace: str, channel_id: str) -> None:
    """Raises NotFound."""
    async with opened(config) as (control, registry):
        record = await named_workspace(control, workspace)
        async with (registry.use(record.id) as opened_workspace, control.write(OPERATOR) as outer,
                    opened_workspace.write(OPERATOR) as inner):
            await channel_actions.remove(outer, inner, channel_id)


async def new_api_key(config: Config, workspace: str, name: str, scope_text: str) -> accounts.NewKey:
    """A key for a script. Raises Invalid, NotFound."""
    async with opened(config) as (control, _):
        record = await named_workspace(control, workspace)
        async with control.write(OPERATOR) as tx:
            return await accounts.create_api_key(tx, Ids(), workspace_id=record.id, name=name, scope_text=scope_text)
