"""Options that were set in the browser at the first run: kept in control.db, and read where nothing else sets them.

Promises: the command line, the environment, a configuration file and a credential win; a value passes the same checks
as one of the environment; nothing of it can be read without the master key, and no rotation of keys loses it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

import msgspec

from chime.config import Config, Setting, load
from chime.db import Db, StorageUnavailable, open_connection
from chime.db.connection import close_connection, translated
from chime.errors import ChimeError
from chime.security.crypto import CannotOpen, context, seal, unseal
from chime.workspaces.keys import KeyRing, find_masters, open_keys
from chime.workspaces.presence import guest
from chime.workspaces.transaction import Transaction

# Option -> the field of Config that holds it, checked.
KEPT = {"public_url": "public_url", "trusted_proxies": "trusted_proxies", "smtp_url": "mail_server",
        "mail_from": "mail_from"}
SOURCE = "set up in the browser"
_PREFIX = "setting:"
_IS_MADE = "SELECT 1 FROM sqlite_schema WHERE name = 'meta'"
_READ = "SELECT key, value FROM meta WHERE key GLOB 'setting:*'"


async def keep(tx: Transaction, keys: KeyRing, values: Mapping[str, str]) -> None:
    """Write these down; an empty value is forgotten. `tx` is control's. Raises StartRefused for a value that no start
    would take."""
    checked(values)
    for name, value in values.items():
        if name not in KEPT:
            raise KeyError(name)
        if not value:
            await tx.execute("DELETE FROM meta WHERE key = ?", _PREFIX + name)
            continue
        sealed = base64.b64encode(seal(_key(keys), value.encode(), context("meta", name))).decode()
        await tx.execute("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET "
                         "value = excluded.value", _PREFIX + name, sealed)
    await tx.audit("installation.changed", "installation", "", options=sorted(values))


async def kept(db: Db, keys: KeyRing) -> dict[str, str]:
    """What is written down. Raises CannotOpen for a value that was moved or damaged."""
    return _opened(await db.rows(_READ), keys)


def checked(values: Mapping[str, str]) -> Config:
    """The options as a start would read them. Raises StartRefused naming the one that is wrong."""
    return load(environment={f"CHIME_{name.upper()}": value for name, value in values.items() if value})


def settled(config: Config) -> Config:
    """`config` with what was set in the browser. Where the installation can't be opened it stays as it is: whoever
    needs the files says why they can't be had."""
    path = config.data_dir / "control.db"
    if not path.exists() or not any(_is_free(setting) for setting in config.settings):
        return config
    try:
        with guest(config.data_dir):
            masters = find_masters(config.data_dir, config.master_key, config.master_key_previous)
            keys = open_keys(config.data_dir, *masters)
            connection = open_connection(path, keys.control_file, writes=False)
            try:
                with translated(path):
                    # A start that was killed may have left a file with nothing in it.
                    rows = connection.execute(_READ).fetchall() if connection.execute(_IS_MADE).fetchone() else []
                found = _opened(rows, keys)
            finally:
                close_connection(connection)
        return with_settings(config, found)
    except (ChimeError, CannotOpen, StorageUnavailable):
        return config


def settled_anew(config: Config) -> Config:
    """`config` with what is written down by now, in the place of what was read before."""
    unset = checked({})
    mine = {one.option.name for one in config.settings if one.source == SOURCE}
    settings = tuple(Setting(one.option, one.option.default, "default") if one.option.name in mine else one
                     for one in config.settings)
    fields = {KEPT[name]: getattr(unset, KEPT[name]) for name in mine}
    return settled(msgspec.structs.replace(config, settings=settings, **fields))


def with_settings(config: Config, found: Mapping[str, str]) -> Config:
    """`config` with these values for whatever nothing else sets. Raises StartRefused."""
    free = {setting.option.name for setting in config.settings if _is_free(setting)}
    taken = {name: value for name, value in found.items() if name in free}
    if not taken:
        return config
    read = checked(taken)
    settings = tuple(Setting(setting.option, taken[setting.option.name], SOURCE)
                     if setting.option.name in taken else setting for setting in config.settings)
    fields = {KEPT[name]: getattr(read, KEPT[name]) for name in taken}
    return msgspec.structs.replace(config, settings=settings, **fields)


def _is_free(setting: Setting) -> bool:
    return setting.option.name in KEPT and setting.source == "default"


def _opened(rows: list[tuple[str, str]], keys: KeyRing) -> dict[str, str]:
    return {name: unseal(_key(keys), base64.b64decode(value), context("meta", name)).decode()
            for name, value in ((key.removeprefix(_PREFIX), value) for key, value in rows) if name in KEPT}


def _key(keys: KeyRing) -> bytes:
    """One that outlives every rotation: nobody would move these values to a newer one."""
    return keys.lasting("settings")
