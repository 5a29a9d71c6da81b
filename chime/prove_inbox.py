"""`chime prove-inbox`: that everything Meta delivered is in effect, known, or set aside with its reason.

It reads the files beside a running appliance and changes nothing in them; a replay works in a scratch file of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from chime import inbound
from chime.clock import Clock, rfc3339
from chime.config import Config
from chime.inbound import Account, Proof, Replayed, SetAside, WorkspaceProof
from chime.setup import named_workspace, opened


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the options ask for. `since` as a person writes it."""

    since: str = ""
    workspace: str | None = None
    full: bool = False
    replay: bool = False
    scratch: Path | None = None


async def prove(config: Config, wishes: Wishes) -> Proof:
    """Raises Invalid for a moment that is none, NotFound for a workspace that is none."""
    now = Clock().now()
    since = inbound.since_moment(wishes.since, now) if wishes.since else 0
    async with opened(config) as (control, registry):
        records = ([await named_workspace(control, wishes.workspace)] if wishes.workspace
                   else await control.workspaces())
        found = []
        for record in records:
            async with registry.use(record.id) as workspace:
                found.append(await inbound.prove_workspace(
                    workspace, record, now=now, since=since, full=wishes.full, with_replay=wishes.replay,
                    scratch=wishes.scratch))
        if wishes.workspace:
            total = Account().plus(found[0])
            return Proof(since=since, total=total, workspaces=tuple(found))
        return await inbound.installation(control, found, since=since)


def as_json(proof: Proof) -> dict[str, Any]:
    """For scripts. Of all replays together: whether they are equal, how much was compared, what differs and where."""
    told: dict[str, Any] = {"ok": proof.ok, "since": rfc3339(proof.since) if proof.since else None}
    told |= {"total": proof.total, "workspaces": [_workspace(one) for one in proof.workspaces],
             "parked": [msgspec.structs.asdict(one) | {"received_at": rfc3339(one.received_at)}
                        for one in proof.parked], "parked_left_out": proof.parked_left_out}
    replays = [(one.workspace_id, one.replay) for one in proof.workspaces if one.replay is not None]
    told["replay"] = None if not replays else {
        "ok": all(replay.ok for _, replay in replays),
        "compared": sum(replay.compared for _, replay in replays),
        "differences": [{"workspace_id": workspace_id, **msgspec.structs.asdict(difference)}
                        for workspace_id, replay in replays for difference in replay.differences],
        "left_out": sum(replay.left_out for _, replay in replays),
        "recognised": [{"workspace_id": workspace_id, **replay.recognised} for workspace_id, replay in replays]}
    return told


def _workspace(one: WorkspaceProof) -> dict[str, Any]:
    told = msgspec.structs.asdict(one)
    del told["replay"]
    told["summaries_of"] = rfc3339(one.summaries_of) if one.summaries_of else None
    told["days"] = [msgspec.structs.asdict(day) | {"day": rfc3339(day.day)[:10]} for day in one.days]
    told["items"] = [msgspec.structs.asdict(item) | {
        "received_at": rfc3339(item.received_at), "tried_at": rfc3339(item.tried_at) if item.tried_at else None}
        for item in one.items]
    return told


def as_text(proof: Proof) -> str:
    """For people."""
    lines = [f"Since {rfc3339(proof.since)}" if proof.since else "Since the beginning"]
    for one in proof.workspaces:
        lines += [f"{one.name}: {_equation(one)}", *_remarks(one)]
        lines += [f"  set aside {_item(item)}" for item in one.items]
        if one.items_left_out:
            lines.append(f"  and {one.items_left_out} more")
        if one.replay is not None:
            lines += _replay(one.replay)
    lines += [f"parked {rfc3339(one.received_at)} number …{one.number or '?'} {one.field or 'no field'}: {one.reason}"
              for one in proof.parked]
    if proof.parked_left_out:
        lines.append(f"and {proof.parked_left_out} more that are parked")
    lines += [f"All of it: {_equation(proof.total)}", "Proved." if proof.ok else "NOT PROVED."]
    return "\n".join(lines)


def _equation(account: Account) -> str:
    return (f"{account.received} received = {account.applied} applied + {account.duplicate} duplicate + "
            f"{account.rejected} rejected + {account.parked} parked + {account.waiting} waiting; "
            f"difference {account.difference}")


def _remarks(one: WorkspaceProof) -> list[str]:
    remarks = []
    if one.summaries_of is not None:
        remarks.append(f"  finished days as summed up since {rfc3339(one.summaries_of)}; --full counts them again")
    if one.changed_summaries:
        remarks.append(f"  {one.changed_summaries} finished days are not what they were when they were summed up")
    return remarks


def _item(item: SetAside) -> str:
    dismissed = f" (dismissed by {item.dismissed_by}: {item.dismissal})" if item.state == "dismissed" else ""
    return (f"{rfc3339(item.received_at)} number …{item.number or '?'} {item.field or 'no field'} body "
            f"{item.journal_id} {item.path}: {item.reason}{dismissed}")


def _replay(replayed: Replayed) -> list[str]:
    words = "equal" if replayed.ok else f"{len(replayed.differences) + replayed.left_out} differences"
    lines = [f"  replay of {replayed.bodies} bodies, {replayed.compared} things compared: {words}"]
    lines += [f"    body {one.journal_id or 'none'} {one.path}: {one.what} {one.column}"
              for one in replayed.differences]
    lines += [f"    recognised: {number} {rule.replace('_', ' ')}" for rule, number in replayed.recognised.items()]
    return lines
