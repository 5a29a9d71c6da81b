"""Looking around: every check of the installation, and of the files of its workspaces."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from chime import audit, channels, inbound, trust
from chime.checked import Check, bad, good, words
from chime.db import Kind
from chime.db.migrate import pending
from chime.doctor import installation, machinery, outside, proxy
from chime.doctor.ground import Ground
from chime.doctor.numbers import Trips
from chime.errors import ChimeError
from chime.log import Log
from chime.workspaces import Workspace
from chime.workspaces.registry import workspace_folder

_log = Log("doctor")
Step = Callable[[], Awaitable[list[Check]]]


async def of_installation(ground: Ground, trips: Trips) -> list[Check]:
    """In the order in which one would mend things. A check that fails itself costs none of the others."""
    found = installation.of_the_machine(ground.config)
    for name, step in _steps(ground, trips).items():
        found += await guarded(name, step)
    return found


def _steps(ground: Ground, trips: Trips) -> dict[str, Step]:
    async def from_outside() -> list[Check]:
        return [await outside.certificate(ground), await outside.headers(ground),
                outside.forwarded(ground, await trips.any_of_ours() if outside.is_https(ground) else None)]

    async def through_the_proxy() -> list[Check]:
        if not outside.is_https(ground):
            return []
        return await proxy.checks(ground, await trips.any_app())

    steps: dict[str, Step] = {"certificate": from_outside, "reverse proxy from outside": through_the_proxy}
    for name, check in _MACHINERY.items():
        steps[name] = functools.partial(_one, check, ground)
    steps["backup"] = functools.partial(machinery.backups, ground)
    if ground.config.oidc is not None:
        steps["sign-in provider"] = lambda: machinery.provider(ground)
    return steps | {f"further {number}": more for number, more in enumerate(ground.more, start=1)}


async def _clock(ground: Ground) -> Check:
    return machinery.clock(ground)


_MACHINERY = {"clock": _clock, "queue": machinery.backlog, "deliveries": machinery.parked, "keys": machinery.keys,
              "audit trail": machinery.trails, "mail": machinery.mail}


async def _one(check: Callable[[Ground], Awaitable[Check]], ground: Ground) -> list[Check]:
    return [await check(ground)]


async def guarded(name: str, step: Step) -> list[Check]:
    """What cannot be looked at is not in order, and nobody should think it is."""
    try:
        return await step()
    except Exception as error:  # whatever it is, the other checks go on and this line says so
        _log.error("doctor.check_failed", error, check=name)
        return [bad(name, words("could not be looked at: %(error)s"), words("The log says more (doctor.check_failed)."),
                    error=type(error).__name__)]


def self_checks(found: dict[str, trust.Finding]) -> list[Check]:
    """What the trust page tries hourly."""
    advice = words("A control does not hold: /security says which claim stands on it.")
    checks = []
    for name, finding in sorted(found.items()):
        if finding.state is trust.State.BROKEN:
            checks.append(bad(f"security: {name}", "%(found)s", advice, where="/security", found=finding.detail))
        elif finding.state is trust.State.HOLDS:
            checks.append(good(f"security: {name}", "%(found)s", found=finding.detail))
    return checks


async def of_files(ground: Ground) -> AsyncIterator[Check]:
    """The files of every workspace, looked through: for the command line, as it takes a while."""
    for record in await ground.control.workspaces():
        name = f"workspace {record.slug}"
        try:
            keys = await ground.registry.keys(record.id)
            folder = workspace_folder(ground.config.data_dir, record.id)
            missing = (pending(folder / "workspace.db", keys.workspace_file, Kind.WORKSPACE)
                       + pending(folder / "journal.db", keys.journal_file, Kind.JOURNAL))
            async with ground.registry.use(record.id) as workspace:
                for check in await _of_files(workspace, record.slug, name, missing):
                    yield check
        except (ChimeError, OSError) as error:
            yield bad(name, "%(error)s", words("Restore this workspace from a backup."), error=str(error))


async def _of_files(workspace: Workspace, slug: str, name: str, missing: int) -> list[Check]:
    state = await _integrity(workspace)
    numbers = await channels.channels(workspace.db)
    rejected = await inbound.open_count(workspace.db)
    alarm = await audit.alarm(workspace.db)
    values: dict[str, Any] = {"state": state, "numbers": len(numbers), "events": rejected}
    said = words("integrity %(state)s, %(numbers)s numbers, %(events)s events set aside")
    if state == "ok" and missing == 0:
        found = [good(name, said, **values)]
    else:
        found = [bad(name, said, words("Run `chime migrate`; restore from a backup if the file is damaged."), **values)]
    if alarm is not None:
        found.append(bad(f"{name}: audit trail", "%(reason)s",
                         words("Examine it with `chime audit verify --workspace %(slug)s`."), reason=alarm.reason,
                         slug=slug))
    if rejected:
        found.append(good(f"{name}: set aside", words("%(count)s events could not be applied"),
                          words("Retry or dismiss them at /w/%(slug)s/delivery."), count=rejected, slug=slug))
    return found


async def _integrity(workspace: Workspace) -> str:
    """`ok`, or what is wrong with the first of its two files that is damaged."""
    for db in (workspace.db, workspace.journal_db):
        state: str = await db.value("PRAGMA quick_check(1)")
        if state != "ok":
            return f"of {db.path.name}: {state}"
    return "ok"
