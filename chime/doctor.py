"""`chime doctor`: every check of the installation, each with what to do when it fails. It changes nothing."""

from __future__ import annotations

import shutil
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from chime import channels, inbound
from chime.config import Config
from chime.db import Kind
from chime.db.migrate import pending
from chime.errors import ChimeError
from chime.security.crypto import CannotOpen
from chime.workspaces import Control, KeyRing, Registry, Workspace, find_master_key
from chime.workspaces.registry import workspace_folder

# Shares of the disk below which a person should know, and soon.
SCARCE, VERY_SCARCE = 0.15, 0.05


class Check(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    ok: bool
    detail: str
    what_to_do: str = ""


async def examine(config: Config) -> list[Check]:
    """All checks, in the order in which one would mend things."""
    found = [_folder(config), _disk(config), _address(config)]
    try:
        keys = KeyRing(find_master_key(config.data_dir, config.master_key))
    except ChimeError as error:
        return [*found, Check(name="master key", ok=False, detail=str(error),
                              what_to_do="Set CHIME_MASTER_KEY to the key this installation was made with.")]
    found.append(Check(name="master key", ok=True, detail=f"present (id {keys.master_key_id})"))
    try:
        from chime.serve import prepare
        from chime.setup import opened

        missing = pending(config.data_dir / "control.db", keys.control_file, Kind.CONTROL)
        found.append(Check(name="control.db", ok=missing == 0, detail=f"{missing} migrations missing" if missing
                           else "opens, up to date", what_to_do="Run `chime migrate`." if missing else ""))
        prepare(config, keys)
        async with opened(config) as (control, registry):
            found.append(await _parked(control))
            found += [check async for check in _workspaces(config, control, registry)]
    except ChimeError as error:
        found.append(Check(name="control.db", ok=False, detail=str(error),
                           what_to_do="Check the master key and the data folder; restore a backup if the file is "
                                      "damaged."))
    return found


async def _parked(control: Control) -> Check:
    """Not wrong in itself: perhaps nobody has connected the number yet."""
    number = await inbound.parked_count(control.db)
    return Check(name="deliveries", ok=True, detail=f"{number} parked for numbers that nobody has connected",
                 what_to_do="`chime prove-inbox` shows them; they are delivered when `chime channel add` connects the "
                            "number." if number else "")


def _folder(config: Config) -> Check:
    folder = config.data_dir
    if not (folder / "control.db").exists():
        return Check(name="data folder", ok=False, detail=f"{folder} holds no installation",
                     what_to_do="Run `chime init`, or name the right folder with --data.")
    open_to_others = [path.name for path in (folder, folder / "control.db")
                      if stat.S_IMODE(path.stat().st_mode) & 0o077]
    return Check(name="data folder", ok=not open_to_others,
                 detail=f"{folder}" if not open_to_others else f"others may read {', '.join(open_to_others)}",
                 what_to_do=f"Run: chmod -R go= {folder}" if open_to_others else "")


def _disk(config: Config) -> Check:
    place = config.data_dir if config.data_dir.exists() else Path(config.data_dir.anchor or ".")
    total, _, free = shutil.disk_usage(place)
    share, reserve = free / total, f"{config.disk_reserve // 2**20} MB"
    when = "now" if free < config.disk_reserve else "soon" if share < VERY_SCARCE else "one of these days"
    advice = f"Free some space {when}: below {reserve} (CHIME_DISK_RESERVE_MB) Chime takes nothing new."
    enough = share >= SCARCE and free >= config.disk_reserve
    return Check(name="disk", ok=free >= config.disk_reserve, detail=f"{free // 2**20} MB free ({share:.0%})",
                 what_to_do="" if enough else advice)


def _address(config: Config) -> Check:
    if not config.public_url:
        return Check(name="public address", ok=True, detail="not set: Meta's webhooks need one",
                     what_to_do="Set CHIME_PUBLIC_URL to the https address of your reverse proxy.")
    secure = config.public_url.startswith("https://")
    return Check(name="public address", ok=secure, detail=config.public_url,
                 what_to_do="" if secure else "Meta posts to https only: put a reverse proxy in front.")


async def _integrity(workspace: Workspace) -> str:
    """`ok`, or what is wrong with the first of its two files that is damaged."""
    for db in (workspace.db, workspace.journal_db):
        state: str = await db.value("PRAGMA quick_check(1)")
        if state != "ok":
            return f"of {db.path.name}: {state}"
    return "ok"


async def _workspaces(config: Config, control: Control, registry: Registry) -> AsyncIterator[Check]:
    for record in await control.workspaces():
        name = f"workspace {record.slug}"
        try:
            keys = await registry.keys(record.id)
            folder = workspace_folder(config.data_dir, record.id)
            missing = (pending(folder / "workspace.db", keys.workspace_file, Kind.WORKSPACE)
                       + pending(folder / "journal.db", keys.journal_file, Kind.JOURNAL))
            async with registry.use(record.id) as workspace:
                state = await _integrity(workspace)
                numbers = await channels.channels(workspace.db)
                rejected = await inbound.open_count(workspace.db)
        except (ChimeError, CannotOpen, OSError) as error:
            yield Check(name=name, ok=False, detail=str(error), what_to_do="Restore this workspace from a backup.")
            continue
        ok = state == "ok" and missing == 0
        yield Check(name=name, ok=ok, detail=f"integrity {state}, {len(numbers)} numbers, {rejected} events set aside",
                    what_to_do="" if ok else "Run `chime migrate`; restore from a backup if the file is damaged.")
        if rejected:
            yield Check(name=f"{name}: set aside", ok=True, detail=f"{rejected} events could not be applied",
                        what_to_do=f"Retry or dismiss them at /w/{record.slug}/delivery.")
        for channel in numbers:
            good = channel.state == "connected"
            yield Check(name=f"number {channel.display_phone}", ok=good, detail=channel.trouble or "connected",
                        what_to_do="" if good else "Make a new access token and run `chime channel add` again after "
                                                   "`chime channel remove`.")
