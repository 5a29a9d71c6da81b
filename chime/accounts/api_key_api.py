"""The workspace's API keys for scripts: seen and revoked. A key makes no keys: whoever got hold of one could otherwise
leave another behind."""

from __future__ import annotations

import msgspec
from litestar import delete, get

from chime.accounts import api_keys
from chime.accounts.api_keys import ApiKey
from chime.clock import rfc3339
from chime.security.permissions import Permission
from chime.web.here import Here
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, api


class ApiKeyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A key, without what opens anything. `shown` is enough to know it by; `maker` is null for one made at the
    shell. `limits` are calls in one second, in ten and in sixty; null for the usual ones."""

    id: str
    name: str
    shown: str
    scopes: tuple[str, ...]
    addresses: tuple[str, ...]
    limits: tuple[int, int, int] | None
    maker: str | None
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    used_at: Moment | None

    @classmethod
    def of(cls, key: ApiKey) -> ApiKeyAnswer:
        return cls(
            id=key.id, name=key.name, shown=key.shown, scopes=tuple(key.scope_list), addresses=key.addresses or (),
            limits=_limits(key.limits), maker=key.maker, created_at=rfc3339(key.created_at),
            expires_at=_moment(key.expires_at), revoked_at=_moment(key.revoked_at), used_at=_moment(key.used_at))


def _limits(limits: tuple[tuple[int, float], ...] | None) -> tuple[int, int, int] | None:
    return None if limits is None else (limits[0][0], limits[1][0], limits[2][0])


def _moment(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


_EXAMPLE = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0k", "name": "reports", "shown": "chime_7k2m9q4t_…", "scopes": ["inbox:read"],
    "addresses": ["203.0.113.0/24"], "limits": None, "maker": "Alice", "created_at": "2026-11-21T09:00:00.000Z",
    "expires_at": "2027-11-21T09:00:00.000Z", "revoked_at": None, "used_at": "2026-11-21T09:41:00.000Z"}


@get("/api/v1/api-keys", opt=api(Permission.API_KEYS_EDIT, Operation(
    tag="api keys", summary="List API keys", description="The newest first, revoked ones too. No key is told again.",
    answer=Page[ApiKeyAnswer], parameters=PAGED, response_example={"items": [_EXAMPLE], "next_cursor": None})))
async def list_api_keys(here: Here) -> Page[ApiKeyAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    rows = await api_keys.api_keys(here.services.control.db, here.record.id)
    if after is not None:
        rows = [row for row in rows if (-row.created_at, row.id) > (-after[0], after[1])]
    return page_of(rows[:limit + 1], limit, place=lambda row: (row.created_at, row.id), told=ApiKeyAnswer.of)


@delete("/api/v1/api-keys/{key_id:str}", status_code=204, opt=api(Permission.API_KEYS_EDIT, Operation(
    tag="api keys", summary="Revoke an API key", status=204,
    description="From the next call on it opens nothing. A key may revoke itself.")))
async def delete_api_key(here: Here, key_id: str) -> None:
    async with here.services.control.write(here.actor) as tx:
        await api_keys.revoke_api_key(tx, workspace_id=here.record.id, key_id=key_id)


ROUTES = [list_api_keys, delete_api_key]
