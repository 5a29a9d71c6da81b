"""Keys of scripts: made once, shown once, stored as a hash. `tx` is control's.

A key belongs to the membership of who made it: it reaches what it was scoped to and no more than its maker does today,
and dies with the membership. One made at the shell belongs to nobody and reaches what it was scoped to.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

import msgspec

from chime.accounts.model import NewKey, check_name
from chime.clock import DAY
from chime.db import Db
from chime.errors import Conflict, Invalid, NotFound, Sentence
from chime.ids import Ids, public_part
from chime.security.crypto import digest
from chime.security.limits import API
from chime.security.permissions import Permission, scopes
from chime.workspaces import Transaction

USUAL_DAYS, MOST_DAYS = 365, 730
MOST_KEYS = 10
MOST_ADDRESSES = 50
MOST_CALLS = 10_000
_SPANS = (1.0, 10.0, 60.0)


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as people see it. `public_id` is empty for one made before keys had one; `maker` for one of the shell;
    `limits` for one with the usual."""

    id: str
    name: str
    public_id: str | None
    last_four: str
    scopes: str
    addresses: tuple[str, ...] | None
    limits: tuple[tuple[int, float], ...] | None
    maker: str | None
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    used_at: int | None

    @property
    def shown(self) -> str:
        """Enough to know it by."""
        return f"chime_{self.public_id}_…" if self.public_id else f"chime_…{self.last_four}"

    @property
    def scope_list(self) -> list[str]:
        return self.scopes.split(",")


_KEY = ("SELECT api_key.id, api_key.name, public_id, last_four, scopes, addresses_json, limits_json, "
        "user.name AS maker, api_key.created_at, expires_at, revoked_at, used_at FROM api_key "
        "LEFT JOIN user ON user.id = api_key.made_by")


async def api_keys(db: Db, workspace_id: str) -> list[ApiKey]:
    """Those of a workspace, the newest first; revoked ones stay to be seen."""
    return await db.all(ApiKey, f"{_KEY} WHERE api_key.workspace_id = ? ORDER BY api_key.created_at DESC, api_key.id "
                        "LIMIT 500", workspace_id)


async def api_key(db: Db, workspace_id: str, id_or_name: str) -> ApiKey:
    """By id, public part or name. Raises NotFound."""
    found = await db.one(ApiKey, f"{_KEY} WHERE api_key.workspace_id = ?1 AND (api_key.id = ?2 OR public_id = ?2 "
                         "OR (api_key.name = ?2 AND revoked_at IS NULL)) ORDER BY api_key.created_at DESC LIMIT 1",
                         workspace_id, id_or_name)
    if found is None:
        raise NotFound("There is no such API key.")
    return found


async def create_api_key(
    tx: Transaction, ids: Ids, *, workspace_id: str, name: str, scope_text: str, made_by: str | None = None,
    days: int = USUAL_DAYS, addresses: Sequence[str] = (), limits: Sequence[int] | None = None,
) -> NewKey:
    """A key for a script; its text is told once. `limits` are calls a second, in ten and in sixty, if others than the
    usual. Raises Invalid."""
    granted = _granted(scope_text)
    if made_by is not None:
        beyond = sorted(scope.value for scope in granted if not tx.actor.may(scope))
        if beyond:
            raise Invalid.field("scopes", Sentence("You do not hold this yourself: %(beyond)s.",
                                                   beyond=", ".join(beyond)))
    if not 1 <= days <= MOST_DAYS:
        raise Invalid.field("days", Sentence("A key lasts from 1 to %(most)s days.", most=MOST_DAYS))
    networks, name = check_networks(addresses), check_name(name)
    own_limits = check_limits(limits) if limits is not None else None
    key, key_id = ids.api_key(), tx.new_id()
    scope_names = sorted(scope.value for scope in granted)
    await tx.execute(
        "INSERT INTO api_key (id, workspace_id, name, scopes, secret_hash, last_four, created_at, expires_at, made_by, "
        "public_id, addresses_json, limits_json) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        key_id, workspace_id, name, ",".join(scope_names), digest(key.encode()), key[-4:], tx.now,
        tx.now + days * DAY, made_by, public_part(key), _json(networks) if networks else None,
        _json(own_limits) if own_limits else None)
    await tx.audit("api_key.created", "api_key", key_id, workspace_id=workspace_id, days=days,
                   scopes=scope_names, addresses=len(networks), limits=list(limits) if limits else None)
    return NewKey(key_id, key)


def _granted(scope_text: str) -> list[Permission]:
    try:
        return list(scopes(scope_text))
    except ValueError as error:
        words = "Choose at least one scope." if str(error) == "none given" else f"No such scope: {error}."
        raise Invalid.field("scopes", f"{words} Use `all`, or names with commas.") from error


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def check_limits(limits: Sequence[int]) -> list[tuple[int, float]]:
    """Raises Invalid."""
    if len(limits) != 3 or not 1 <= limits[0] <= limits[1] <= limits[2] <= MOST_CALLS:
        raise Invalid.field("limits", Sentence("Three numbers that grow, such as 3,20,100: calls in one second, in ten "
                                               "and in sixty, %(most)s at most.", most=MOST_CALLS))
    return list(zip(limits, _SPANS, strict=True))


def limits_from(texts: Sequence[str], names: Sequence[str]) -> tuple[int, ...] | None:
    """The three limits as typed, empty for the usual; None when all are. Raises Invalid naming each that is wrong."""
    if not any(text.strip() for text in texts):
        return None
    found, problems, least = [], [], 1
    for text, name, usual in zip(texts, names, API.limits, strict=True):
        typed = text.strip()
        calls = int(typed) if re.fullmatch(r"[0-9]{1,5}", typed) else 0 if typed else max(usual.count, least)
        if not 1 <= calls <= MOST_CALLS:
            problems.append((name, Sentence("A whole number from 1 to %(most)s, or nothing for the usual limit.",
                                            most=MOST_CALLS)))
        elif calls < least:
            problems.append((name, Sentence("Not fewer than in the shorter time: at least %(least)s.", least=least)))
        found.append(calls)
        least = max(least, min(calls, MOST_CALLS))
    if problems:
        raise Invalid(problems)
    return tuple(found)


def check_networks(addresses: Sequence[str]) -> list[str]:
    """Addresses or networks as people write them, in their usual form. Raises Invalid."""
    found, wrong = [], []
    for text in addresses:
        try:
            found.append(str(ipaddress.ip_network(text.strip())))
        except ValueError:
            wrong.append(text.strip()[:60])
    if wrong:
        raise Invalid.field("addresses", Sentence("Not an address or network: %(wrong)s. Write 203.0.113.7 or "
                                                  "203.0.113.0/24, one on a line.", wrong=", ".join(wrong[:3])))
    if len(found) > MOST_ADDRESSES:
        raise Invalid.field("addresses", Sentence("At most %(most)s addresses or networks.", most=MOST_ADDRESSES))
    return found


def is_within(address: str, networks: Sequence[str]) -> bool:
    """Whether a caller's address is in one of them."""
    try:
        caller = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(caller, ipaddress.IPv6Address) and caller.ipv4_mapped is not None:
        caller = caller.ipv4_mapped
    return any(caller in ipaddress.ip_network(network) for network in networks)


async def need_room(tx: Transaction, workspace_id: str) -> None:
    """Raises Conflict when the workspace has all the keys it may have."""
    living = await tx.value("SELECT count(*) FROM api_key WHERE workspace_id = ? AND revoked_at IS NULL "
                            "AND (expires_at IS NULL OR expires_at > ?)", workspace_id, tx.now)
    if living >= MOST_KEYS:
        raise Conflict(Sentence("A workspace has at most %(most)s keys; revoke one that is not needed any more.",
                                most=MOST_KEYS))


async def revoke_api_key(tx: Transaction, *, workspace_id: str, key_id: str) -> None:
    """From the next call on it opens nothing. Raises NotFound."""
    if await tx.execute("UPDATE api_key SET revoked_at = ? WHERE id = ? AND workspace_id = ? AND revoked_at IS NULL",
                        tx.now, key_id, workspace_id):
        await tx.audit("api_key.revoked", "api_key", key_id, workspace_id=workspace_id)
    elif not await tx.value("SELECT 1 FROM api_key WHERE id = ? AND workspace_id = ?", key_id, workspace_id):
        raise NotFound("There is no such API key.")
