"""The workspace's API keys as a page: made and shown once, listed, revoked. Works without a script."""

from __future__ import annotations

import re
from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime.accounts import api_keys
from chime.accounts.api_keys import MOST_DAYS, MOST_KEYS, USUAL_DAYS
from chime.accounts.model import NewKey
from chime.clock import DAY
from chime.errors import ChimeError
from chime.security.limits import API
from chime.security.permissions import API_SCOPES, Permission
from chime.web.forms import form_fields, form_lists
from chime.web.here import Here
from chime.web.permission_words import PERMISSIONS

EDIT = {"permission": Permission.API_KEYS_EDIT}
CHANGE = {"permission": Permission.API_KEYS_EDIT, "step_up": True}
_PAGE = "/w/{slug:str}/settings/api-keys"
_DAYS = (30, 90, USUAL_DAYS, MOST_DAYS)
# A key that nobody used for so long is worth a question.
_UNUSED = 90 * DAY


_LIMITS = ("limit_second", "limit_ten", "limit_minute")
_EMPTY: dict[str, Any] = {"name": "", "days": str(USUAL_DAYS), "addresses": "", "scopes": (),
                          **dict.fromkeys(_LIMITS, "")}


@get(_PAGE, opt=EDIT)
async def list_api_keys(here: Here) -> Response[bytes]:
    return await _page(here, _EMPTY)


async def _page(here: Here, typed: dict[str, Any], *, status: int = 200, errors: dict[str, str] | None = None,
                made: NewKey | None = None) -> Response[bytes]:
    keys = await api_keys.api_keys(here.services.control.db, here.record.id)
    now = here.services.clock.real_now()
    living = [key for key in keys if key.revoked_at is None and (key.expires_at is None or key.expires_at > now)]
    grantable = {scope.value for scope in API_SCOPES if here.actor.may(scope)}
    groups = [(group, [one for one in permissions if one.key in grantable]) for group, permissions in PERMISSIONS]
    return here.page(
        "api_keys/index.html", status=status, errors=errors or {}, typed=typed, made=made, living=living,
        ended=[key for key in keys if key not in living][:20], full=len(living) >= MOST_KEYS, most=MOST_KEYS,
        groups=[(group, permissions) for group, permissions in groups if permissions], days=_DAYS, now=now,
        usual=[limit.count for limit in API.limits],
        words={one.key: one.words for _, permissions in PERMISSIONS for one in permissions},
        quiet_since=now - _UNUSED, said=here.request.query_params.get("said", ""))


@post(_PAGE, opt=CHANGE, status_code=200)
async def create_api_key(here: Here) -> Response[bytes]:
    """The answer is the only page that ever shows the key."""
    fields, lists = await form_fields(here.request), await form_lists(here.request, "scope")
    typed = _EMPTY | fields | {"scopes": tuple(lists["scope"])}
    days = int(typed["days"]) if re.fullmatch(r"[0-9]{1,5}", typed["days"]) else 0
    try:
        limits = api_keys.limits_from([typed[name] for name in _LIMITS], _LIMITS)
        async with here.services.control.write(here.actor) as tx:
            await api_keys.need_room(tx, here.record.id)
            made = await api_keys.create_api_key(
                tx, here.services.ids, workspace_id=here.record.id, name=typed["name"],
                scope_text=",".join(typed["scopes"]), made_by=here.actor.id, days=days, limits=limits,
                addresses=[line for line in typed["addresses"].splitlines() if line.strip()])
    except ChimeError as error:
        if error.status not in (409, 422):
            raise
        return await _page(here, typed, status=error.status, errors=here.problems(error))
    return await _page(here, _EMPTY, made=made)


@post(_PAGE + "/{key_id:str}/revocation", opt=CHANGE, status_code=303)
async def create_revocation(here: Here, key_id: str) -> Response[Any]:
    async with here.services.control.write(here.actor) as tx:
        await api_keys.revoke_api_key(tx, workspace_id=here.record.id, key_id=key_id)
    return Redirect(f"{here.base}/settings/api-keys?said=revoked", status_code=303)


ROUTES = [list_api_keys, create_api_key, create_revocation]
