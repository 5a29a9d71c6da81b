"""A workspace's name, time zone and security policy. `tx` is control's.

What an owner saved of the policy is a floor: an admin may tighten any of it and take back what they tightened, but not
go below what an owner last decided. Nobody can lock themselves out: the address they save from must stay allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from zoneinfo import available_timezones

import msgspec

from chime.accounts import member_queries
from chime.accounts.authority import authority
from chime.accounts.model import Policy
from chime.errors import Invalid, NotFound
from chime.security import networks
from chime.security.permissions import Permission, Role
from chime.workspaces import Transaction

SHORTEST_IDLE, LONGEST_IDLE = 5, 480
MOST_NETWORKS = 50
_FLOOR = "An owner decided this; an admin can make it stricter, not weaker."


@cache
def time_zones() -> tuple[str, ...]:
    """The names people choose from, by continent and place."""
    return tuple(sorted(name for name in available_timezones()
                        if name == "UTC" or ("/" in name and not name.startswith(("Etc/", "SystemV/", "US/")))))


async def edit(tx: Transaction, workspace_id: str, *, name: str, time_zone: str) -> None:
    """Raises Forbidden, Invalid."""
    await authority(tx, workspace_id, Permission.WORKSPACE_EDIT)
    rows = await tx.rows("SELECT name, time_zone FROM workspace WHERE id = ?", workspace_id)
    if not rows:
        raise NotFound("There is no such workspace.")
    name = " ".join(name.split())
    problems = []
    if not 1 <= len(name) <= 80:
        problems.append(("name", "Give the workspace a name of at most 80 characters."))
    elif await tx.value("SELECT 1 FROM workspace WHERE name = ? AND id <> ?", name, workspace_id):
        problems.append(("name", "There is a workspace of this name already."))
    if time_zone not in time_zones():
        problems.append(("time_zone", "Choose a time zone from the list."))
    if problems:
        raise Invalid(problems)
    before, after = {"name": rows[0][0], "time_zone": rows[0][1]}, {"name": name, "time_zone": time_zone}
    if before == after:
        return
    await tx.execute("UPDATE workspace SET name = ?, time_zone = ? WHERE id = ?", name, time_zone, workspace_id)
    await tx.audit("workspace.edited", "workspace", workspace_id, workspace_id=workspace_id, before=before,
                   after=after)


async def save_policy(tx: Transaction, workspace_id: str, policy: Policy) -> None:
    """The whole policy but for the set of roles, which the page of roles chooses. Raises Forbidden, Invalid."""
    actor = await authority(tx, workspace_id, Permission.SECURITY_EDIT)
    saved = await member_queries.saved_policy(tx, workspace_id)
    roles = set(Role) | {role.id for role in await member_queries.custom_roles(tx, workspace_id)}
    problems = [*_faults(policy, roles, address=tx.actor.origin.address if tx.actor.kind == "user" else None)]
    owns = actor.role == Role.OWNER
    if not owns and saved.owner_policy is not None and not problems:
        problems += [(field, _FLOOR) for field in weaker_fields(policy, saved.owner_policy)]
    if problems:
        raise Invalid(problems)
    policy = msgspec.structs.replace(policy, role_preset=saved.policy.role_preset)
    if policy == saved.policy and not owns:
        return
    await store_policy(tx, workspace_id, policy, owner_policy=policy if owns else saved.owner_policy)
    before, after = msgspec.structs.asdict(saved.policy), msgspec.structs.asdict(policy)
    changed = [name for name in before if before[name] != after[name]]
    await tx.audit("security_policy.saved", "workspace", workspace_id, workspace_id=workspace_id,
                   before={name: before[name] for name in changed}, after={name: after[name] for name in changed})


async def store_policy(tx: Transaction, workspace_id: str, policy: Policy, *, owner_policy: Policy | None) -> None:
    """Write it down; the caller audits."""
    await tx.execute(
        "INSERT INTO workspace_policy (workspace_id, policy_json, owner_policy_json) VALUES (?, ?, ?) "
        "ON CONFLICT (workspace_id) DO UPDATE SET policy_json = excluded.policy_json, "
        "owner_policy_json = excluded.owner_policy_json", workspace_id, msgspec.json.encode(policy).decode(),
        msgspec.json.encode(owner_policy).decode() if owner_policy else None)


def _faults(policy: Policy, roles: set[str], *, address: str | None) -> Iterator[tuple[str, str]]:
    if not set(policy.second_factor_roles) <= roles:
        yield "second_factor_roles", "There is no such role."
    if policy.idle_minutes is not None and not SHORTEST_IDLE <= policy.idle_minutes <= LONGEST_IDLE:
        yield "idle_minutes", "From 5 to 480 minutes, or nothing for the usual length."
    try:
        for text in policy.addresses:
            networks.parse(text)
    except ValueError:
        yield "addresses", "One address or network to a line, as in 203.0.113.7 or 198.51.100.0/24."
        return
    if len(policy.addresses) > MOST_NETWORKS:
        yield "addresses", "At most 50 addresses and networks."
    elif policy.addresses and address is not None and not networks.holds(policy.addresses, address):
        yield "addresses", "Your own address is not among them: you would lock yourself out."


def weaker_fields(policy: Policy, floor: Policy) -> list[str]:
    """The fields in which a policy asks for less than the floor."""
    idle, least = policy.idle_minutes or LONGEST_IDLE + 1, floor.idle_minutes or LONGEST_IDLE + 1
    weaker = {
        "second_factor_roles": not set(floor.second_factor_roles) <= set(policy.second_factor_roles),
        "members_masked": floor.members_masked and not policy.members_masked,
        "mask_in_text": floor.mask_in_text and not policy.mask_in_text,
        "addresses": bool(floor.addresses) and not (policy.addresses
                                                    and networks.lie_within(policy.addresses, floor.addresses)),
        "idle_minutes": idle > least,
        "exports_need_approval": floor.exports_need_approval and not policy.exports_need_approval,
        "support_allowed": policy.support_allowed and not floor.support_allowed,
    }
    return [name for name, is_weaker in weaker.items() if is_weaker]
