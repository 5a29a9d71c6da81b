"""Running the self-checks: a while after the start, then hourly, and when an operator asks; what they found is kept.

A check that fails is asked once more a moment later, for a file may be exchanged just then. A claim that is found
broken, or holds again, is an event of the log and a row of the installation's audit trail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from chime.clock import HOUR, SECOND
from chime.log import Log
from chime.security.permissions import SYSTEM
from chime.trust.claims import CHECKS
from chime.trust.ground import Ground
from chime.trust.model import Broken, Finding, Skipped, State
from chime.workspaces import Control

FIRST_AFTER = 15.0
EVERY = HOUR / SECOND
# Found longer ago than this, a state is told as old.
STALE_AFTER = 3 * HOUR
ASK_AGAIN_IN = 1.0
LONGEST_CHECK = 120.0
LONGEST_DETAIL = 300
_log = Log("trust")


class Trust:
    """The self-checks of a running service."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.first_after = FIRST_AFTER
        self._one_at_a_time = asyncio.Lock()
        self._asked: asyncio.Task[list[Finding]] | None = None

    @property
    def is_running(self) -> bool:
        """Whether checks run at this moment."""
        return self._one_at_a_time.locked()

    async def run(self) -> None:
        """For ever."""
        await asyncio.sleep(self.first_after)
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look_now(self, seconds: float) -> bool:
        """Have everything looked at, and wait so long for it; whether it was done by then. Asked again meanwhile, it is
        the same look."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.create_task(self.look())
        done, _ = await asyncio.wait({self._asked}, timeout=seconds)
        return bool(done)

    async def look(self) -> list[Finding]:
        """Run every check now and keep what it found."""
        async with self._one_at_a_time:
            found = [await examined(self.ground, name) for name in CHECKS]
            return await _kept(self.ground, found)

    async def gauges(self, _: object) -> dict[str, int]:
        """How many claims were found broken last."""
        found = await findings(self.ground.control)
        return {"chime_trust_checks_broken": sum(one.state is State.BROKEN for one in found.values())}


async def examined(ground: Ground, name: str) -> Finding:
    """One check, once more if it is broken the first time."""
    finding = await _once(ground, name)
    if finding.state is State.BROKEN:
        await asyncio.sleep(ASK_AGAIN_IN)
        finding = await _once(ground, name)
    return finding


async def _once(ground: Ground, name: str) -> Finding:
    began = ground.clock.monotonic()
    try:
        async with asyncio.timeout(LONGEST_CHECK):
            state, detail = State.HOLDS, await CHECKS[name](ground)
    except Skipped as reason:
        state, detail = State.SKIPPED, str(reason)
    except Broken as reason:
        state, detail = State.BROKEN, str(reason)
    except Exception as error:  # what cannot be looked at is not proved, and nobody should think it is
        _log.error("trust.check_failed", error, check=name)
        state, detail = State.BROKEN, f"could not be looked at: {type(error).__name__}"
    now = ground.clock.real_now()
    return Finding(name=name, state=state, detail=detail[:LONGEST_DETAIL], at=now, since=now,
                   milliseconds=round((ground.clock.monotonic() - began) * 1000))


async def findings(control: Control) -> dict[str, Finding]:
    """The newest of each check, by its name."""
    found = await control.db.all(Finding, "SELECT name, state, detail, at, since, milliseconds FROM trust_finding")
    return {finding.name: finding for finding in found}


async def _kept(ground: Ground, found: list[Finding]) -> list[Finding]:
    before = await findings(ground.control)
    turned = [one for one in found if _is_broken(before.get(one.name)) != (one.state is State.BROKEN)]
    async with ground.control.ingest("self-checks") as tx:
        for one in found:
            await tx.execute(
                "INSERT INTO trust_finding (name, state, detail, at, since, milliseconds) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET since = iif(state = excluded.state, since, excluded.since), "
                "state = excluded.state, detail = excluded.detail, at = excluded.at, "
                "milliseconds = excluded.milliseconds", one.name, one.state.value, one.detail, one.at, one.since,
                one.milliseconds)
    await _tell(ground, turned)
    return found


def _is_broken(finding: Finding | None) -> bool:
    return finding is not None and finding.state is State.BROKEN


async def _tell(ground: Ground, turned: Iterable[Finding]) -> None:
    for one in turned:
        if one.state is State.BROKEN:
            _log.error("trust.broken", check=one.name)
        async with ground.control.write(SYSTEM) as tx:
            if one.state is State.BROKEN:
                await tx.audit("trust.break_found", "self_check", one.name)
            else:
                await tx.audit("trust.break_mended", "self_check", one.name)
