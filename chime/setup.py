"""First steps of an installation, at the shell: master key, first person, workspaces, numbers, keys for scripts.

Each function opens what it needs, does one thing in audited transactions and closes again, so it may run beside a
running appliance.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import msgspec

from chime import accounts, audit, channels
from chime.accounts import api_keys
from chime.accounts.api_keys import USUAL_DAYS, ApiKey
from chime.channels import Channel, NewChannel
from chime.channels import actions as channel_actions
from chime.clock import Clock
from chime.config import Config
from chime.db import Db, open_connection
from chime.db.connection import close_connection, translated
from chime.db.rekey import InUse
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
    find_masters,
    open_keys,
)
from chime.workspaces.kept_settings import keep
from chime.workspaces.keys import key_file, make_master_key
from chime.workspaces.presence import alone, guest
from chime.workspaces.provision import check_control
from chime.workspaces.recovery_sheet import sheet


def keys_of(config: Config) -> KeyRing:
    """The keys of an existing installation. Raises StartRefused."""
    return open_keys(config.data_dir, *find_masters(config.data_dir, config.master_key, config.master_key_previous))


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[tuple[Control, Registry]]:
    """control.db and the workspaces of an existing installation. Raises StartRefused when there is none."""
    from chime.serve import prepare

    with guest(config.data_dir):
        keys = keys_of(config)
        prepare(config, keys)
        clock, ids = Clock(), Ids()
        control = await Control.open(config.data_dir, keys, clock, ids, anchoring=audit.anchoring(config))
        registry = Registry(config.data_dir, control, clock, ids)
        try:
            yield control, registry
        finally:
            await registry.close()
            await control.close()


class NewInstallation(msgspec.Struct, frozen=True, kw_only=True):
    """What an installation begins with. `options` are those that no environment sets; without a `password` one is made
    up. `browser` is the address and name of the browser that set it up, and is signed in by that; `key_seen` that the
    recovery sheet was shown there."""

    email: str
    name: str
    workspace: str
    password: str | None
    time_zone: str = "UTC"
    locale: str = "en"
    options: Mapping[str, str] = {}
    browser: tuple[str, str] | None = None
    key_seen: bool = False


class Initialised(msgspec.Struct, frozen=True, kw_only=True):
    """What was made. `key_path` is where the master key lies that nobody configured, `password` one that was made up,
    `session` the secret for the cookie of the browser that set it up."""

    workspace_id: str
    workspace_slug: str
    user_id: str
    key_path: Path | None
    password: str | None
    session: str = ""


async def initialise(config: Config, *, email: str, name: str, workspace: str, password: str | None) -> Initialised:
    """The first person and workspace, and a master key when there is none. Raises Conflict when it is done already."""
    return await begin(config, NewInstallation(email=email, name=name, workspace=workspace, password=password))


async def begin(config: Config, new: NewInstallation) -> Initialised:
    """The same from the shell and from the browser, and once only: person, workspace and options in one transaction.
    Raises Invalid before anything is made, Conflict when it is done already or somebody else is at it."""
    ids = Ids()
    made_up = None if new.password is not None else "-".join(ids.code(5) for _ in range(4))
    check_rules(new.password or made_up or "")
    config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with _claimed(config.data_dir):
        key_path = own_master_key(config)
        masters = find_masters(config.data_dir, config.master_key, config.master_key_previous)
        keys = open_keys(config.data_dir, *masters, create=True)
        create_control(config.data_dir, keys)
        made = await _make(config, keys, ids, new, new.password or made_up or "")
    return msgspec.structs.replace(made, key_path=key_path, password=made_up)


@asynccontextmanager
async def _claimed(data_dir: Path) -> AsyncIterator[None]:
    """Inside, no command works on the folder; waits some seconds for one that does. Raises Conflict."""
    with ExitStack() as stack:
        for _ in range(100):
            try:
                stack.enter_context(alone(data_dir))
                break
            except InUse:
                await asyncio.sleep(0.1)
        else:
            raise Conflict("another command works on this data folder; wait until it is done, then try again")
        yield


def own_master_key(config: Config) -> Path | None:
    """Where the master key lies when nobody configured one; made now when there is none and nothing needs it yet.
    Raises StartRefused."""
    path = key_file(config.data_dir)
    if config.master_key is not None:
        return None
    if not path.exists() and not (config.data_dir / "control.db").exists():
        with suppress(FileExistsError):  # another process was faster
            make_master_key(path, Ids().random(32))
    return path


async def _make(config: Config, keys: KeyRing, ids: Ids, new: NewInstallation, password: str) -> Initialised:
    control = await Control.open(config.data_dir, keys, Clock(), ids)
    passwords = Passwords(keys.pepper, ids)
    session = ""
    try:
        await _need_nobody(control.db)
        hashed = await passwords.hash(password)
        async with control.write(OPERATOR) as tx:
            # Again where nobody can come between.
            await _need_nobody(tx)
            user_id = await accounts.create_user(tx, email=new.email, name=new.name, password_hash=hashed,
                                                 is_operator=True, locale=new.locale)
            record = await create_workspace(tx, config.data_dir, keys, ids, name=new.workspace,
                                            time_zone=new.time_zone)
            await accounts.add_member(tx, workspace_id=record.id, user_id=user_id, role=Role.OWNER)
            if new.options:
                await keep(tx, keys, new.options)
            if new.key_seen:
                await tx.audit("key.sheet_made", "installation", "", master_key_id=keys.master_key_id)
            if new.browser is not None:
                address, agent = new.browser
                session = (await accounts.sign_in(tx, ids, user_id=user_id, address=address, agent=agent,
                                                  now=Clock().real_now())).secret
    finally:
        passwords.close()
        await control.close()
    return Initialised(workspace_id=record.id, workspace_slug=record.slug, user_id=user_id, key_path=None,
                       password=None, session=session)


async def _need_nobody(db: Db) -> None:
    if await db.value("SELECT 1 FROM user LIMIT 1"):
        raise Conflict("this installation has its first person already; sign in instead")


def is_set_up(config: Config) -> bool:
    """Whether there is an installation with somebody in it. Raises StartRefused when it can't be opened, or is half
    there: then nothing may be put in its place."""
    if not (config.data_dir / "control.db").exists():
        if any((config.data_dir / "workspaces").glob("*/workspace.db")):
            raise StartRefused(f"{config.data_dir} holds workspaces and no control.db: put that back from the backup")
        return False
    with guest(config.data_dir):
        keys = keys_of(config)
        check_control(config.data_dir, keys)
        connection = open_connection(config.data_dir / "control.db", keys.control_file, writes=False)
        try:
            with translated(config.data_dir / "control.db"):
                known = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'user'").fetchone()
                return bool(known and connection.execute("SELECT 1 FROM user LIMIT 1").fetchone())
        finally:
            close_connection(connection)


def recovery_sheet(config: Config) -> str:
    """What somebody needs who has the backups and nothing else. It holds the master key. Raises StartRefused."""
    return sheet(keys_of(config).opened_by, data_dir=config.data_dir, public_url=config.public_url, at=Clock().now())


def write_secretly(path: Path, text: str) -> None:
    """A file that nobody else may read; never over another one. Raises StartRefused."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StartRefused(f"{path}: {error.strerror}") from error


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


async def new_api_key(config: Config, workspace: str, name: str, scope_text: str, *, days: int = USUAL_DAYS,
                      addresses: Sequence[str] = (), limits: Sequence[int] | None = None) -> accounts.NewKey:
    """A key for a script, which belongs to nobody. Raises Invalid, NotFound, Conflict."""
    async with opened(config) as (control, _):
        record = await named_workspace(control, workspace)
        async with control.write(OPERATOR) as tx:
            await api_keys.need_room(tx, record.id)
            return await accounts.create_api_key(tx, Ids(), workspace_id=record.id, name=name, scope_text=scope_text,
                                                 days=days, addresses=addresses, limits=limits)


async def list_api_keys(config: Config, workspace: str) -> list[ApiKey]:
    async with opened(config) as (control, _):
        return await api_keys.api_keys(control.db, (await named_workspace(control, workspace)).id)


async def revoke_api_key(config: Config, workspace: str, id_or_name: str) -> ApiKey:
    """By its id, its public part or its name. Raises NotFound."""
    async with opened(config) as (control, _):
        record = await named_workspace(control, workspace)
        found = await api_keys.api_key(control.db, record.id, id_or_name)
        async with control.write(OPERATOR) as tx:
            await api_keys.revoke_api_key(tx, workspace_id=record.id, key_id=found.id)
    return found
