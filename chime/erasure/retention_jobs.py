"""Once a day each rule of retention removes what is old enough."""

from __future__ import annotations

from chime.clock import DAY
from chime.db import Db
from chime.erasure import retention
from chime.jobs import JobKind, Work
from chime.security.permissions import SYSTEM

APPLY = "erasure.let_go"


async def apply(work: Work, name: str) -> None:
    """One rule, once."""
    kind = retention.Kind(name)
    rule = next(one for one in await retention.rules(work.workspace.db) if one.kind is kind)
    removed = await retention.apply(work.workspace, rule, now=work.clock.real_now())
    async with work.workspace.ingest("retention") as tx:
        tx.actor = SYSTEM
        await retention.done(tx, kind, removed)


async def to_apply(db: Db, now: int) -> list[str]:
    """Those that did not run for a day. One that keeps for ever has nothing to do."""
    return [rule.kind.value for rule in await retention.rules(db)
            if rule.days is not None and now - (rule.last_at or 0) >= DAY]


JOBS = [JobKind(APPLY, apply, to_apply, at_once=1)]
