"""Exports on a page: what to ask for, and the one fetch. Works without a script."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get, post
from litestar.response import Redirect, Response, Stream

from chime import accounts, approvals
from chime.errors import Invalid, TooMany
from chime.exports import files
from chime.exports.asking import ask, ask_for_subject
from chime.exports.marks import trace
from chime.exports.model import Asked, Kind
from chime.security import limits
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import Here

_PAGE = "/w/{slug:str}/settings/exports"
_ASKING: dict[str, Any] = {"step_up": True, "rate": limits.EXPORT}


async def _values(here: Here, **more: Any) -> dict[str, Any]:
    asker = await accounts.requester_of(here.services.control.db, here.actor)
    kinds = {kind.value for kind in Kind}
    return {
        "tags": await here.db.rows("SELECT id, name FROM tag ORDER BY name LIMIT 500"),
        "numbers": await here.db.rows("SELECT id, display_phone FROM channel ORDER BY created_at LIMIT 100"),
        "mine": [row for row in await approvals.of_person(here.db, asker.person_id or "") if row.kind in kinds],
        "alone": not await accounts.exports_need_approval(here.services.control.db, here.record.id),
        "sees_numbers": here.actor.sees_numbers, "errors": {}, "values": {}, "asked": "", "names": {}, "traced": None,
        "now": here.services.clock.real_now()} | more


@get(_PAGE, opt={"permission": Permission.CONTACTS_EXPORT})
async def show_exports(here: Here) -> Response[bytes]:
    return here.page("exports/index.html", **await _values(here))


@post(_PAGE + "/contacts", opt=_ASKING | {"permission": Permission.CONTACTS_EXPORT}, status_code=303)
async def create_contacts_export(here: Here) -> Response[Any]:
    return await _asked(here, Kind.CONTACTS)


@post(_PAGE + "/conversations", opt=_ASKING | {"permission": Permission.INBOX_EXPORT}, status_code=303)
async def create_conversations_export(here: Here) -> Response[Any]:
    return await _asked(here, Kind.CONVERSATIONS)


async def _asked(here: Here, kind: Kind) -> Response[Any]:
    fields = await form_fields(here.request)
    given: dict[str, Any] = {name: fields[name] for name in Asked.__struct_fields__ if name in fields}
    try:
        await ask(here, kind, msgspec.convert(given | {"masked": "masked" in fields}, Asked))
    except (Invalid, TooMany) as error:
        values = await _values(here, errors=here.problems(error), values=fields, asked=kind.value)
        return here.page("exports/index.html", status=error.status, **values)
    return _to_requests(here)


def _to_requests(here: Here) -> Response[Any]:
    return Redirect(f"{here.base}/settings/approvals?said=requested", status_code=303)


@post("/w/{slug:str}/contacts/{contact_id:str}/export", opt=_ASKING | {"permission": Permission.DATA_EXPORT},
      status_code=303)
async def create_subject_export(here: Here, contact_id: str) -> Response[Any]:
    """Everything about one person."""
    await ask_for_subject(here, contact_id)
    return _to_requests(here)


@post(_PAGE + "/{approval_id:str}/file", opt={"permission": Permission.WORKSPACE_READ}, status_code=200)
async def create_download(here: Here, approval_id: str) -> Response[Any]:
    """The one fetch: no GET, because it changes what is there."""
    return await download(here, approval_id)


async def download(here: Here, approval_id: str) -> Response[Any]:
    """The file as it comes off the disk. That it was fetched is written down before. Raises as `files.fetch`."""
    control = here.services.control.db
    asker = await accounts.requester_of(control, here.actor)
    fetched = await files.fetch(here.workspace, control, approval_id, asker=asker, actor=here.actor,
                                now=here.services.clock.real_now())
    headers = {"Content-Disposition": f'attachment; filename="{fetched.filename}"', "Cache-Control": "no-store",
               "Content-Length": str(fetched.size), "X-Content-Type-Options": "nosniff"}
    return Stream(_read(here, fetched), headers=headers, media_type=fetched.media_type)


async def _read(here: Here, fetched: files.Fetched) -> Any:
    # The request's own hold on the workspace ends with its handler; the file is read after that.
    async with here.services.registry.use(here.record.id) as workspace:
        async for part in files.content(workspace, fetched):
            yield part


@post(_PAGE + "/trace", opt={"permission": Permission.APPROVALS_DECIDE}, status_code=200)
async def create_trace(here: Here) -> Response[bytes]:
    """Which export a leaked row comes from."""
    text = (await form_fields(here.request)).get("reference", "")
    found = await trace(here.db, text)
    row = await approvals.approval(here.db, found) if found else None
    return here.page("exports/trace.html", traced=row, asked=text[:40])


ROUTES = [show_exports, create_contacts_export, create_conversations_export, create_subject_export, create_download,
          create_trace]

