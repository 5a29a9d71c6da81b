"""Backups of a workspace, on pages: how far back it can go, its copies, and what would come of a restore."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime import approvals, inbox
from chime.clock import MINUTE
from chime.errors import ChimeError, Conflict, Invalid, NotFound, TooMany
from chime.restores import actions, queries, shelf
from chime.restores.jobs import TAKE_OVER
from chime.restores.model import KIND, MUTED, Copy
from chime.restores.tallies import UNKNOWN, compare
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import Here
from chime.web.language import zone

SEE = {"permission": Permission.BACKUPS_READ}
RESTORE: dict[str, Any] = {"permission": Permission.BACKUPS_RESTORE}
_PAGE = "/w/{slug:str}/settings/backups"
COPY = _PAGE + "/copies/{copy_id:str}"


def _zone(here: Here) -> tzinfo:
    """The reader's: what they chose, else their browser's, else the workspace's."""
    return zone(here.identity.time_zone or here.request.cookies.get("zone", "") or here.record.time_zone)


async def _values(here: Here, **more: Any) -> dict[str, Any]:
    control, folder = here.services.control.db, here.services.config.backup_dir
    return {"kept": await shelf.kept(folder, here.record.id), "copies": await queries.copies(control, here.record.id),
            "standing": await shelf.standing(folder, here.services.clock),
            "restores": await queries.restores(control, here.record.id), "held": await inbox.count_held(here.db),
            "now": here.services.clock.real_now(), "errors": {}, "values": {},
            "said": here.request.query_params.get("said", "")} | more


@get(_PAGE, opt=SEE)
async def list_backups(here: Here) -> Response[Any]:
    """Of a copy: the page on which it is compared with its workspace."""
    if here.record.is_muted:
        slug = await here.services.control.db.value("SELECT slug FROM workspace WHERE id = ?", here.record.people_of)
        return Redirect(f"/w/{slug}/settings/backups/copies/{here.record.id}", status_code=303)
    return here.page("restores/index.html", **await _values(here))


@get(_PAGE + "/progress", opt=SEE | {"document": False})
async def show_progress(here: Here) -> Response[bytes]:
    """The lists that change while something is under way."""
    return here.page("restores/_lists.html", **await _values(here))


@post(_PAGE + "/copies", opt=RESTORE, status_code=303)
async def create_copy(here: Here) -> Response[Any]:
    """Open an earlier moment as a muted copy."""
    fields = await form_fields(here.request)
    try:
        at = await _moment(here, fields.get("at", ""))
        name = fields.get("name", "").strip() or f"{here.record.name[:50]} {short_moment(here, at)}"
        async with here.services.control.write(here.actor) as tx:
            await actions.ask_copy(tx, here.record.id, at=at, name=name, asked_by=here.actor.id or "",
                                   asked_name=here.actor.name)
    except (Invalid, Conflict) as error:
        return here.page("restores/index.html", status=error.status,
                         **await _values(here, errors=here.problems(error), values=fields))
    return Redirect(f"{here.base}/settings/backups?said=copying", status_code=303)


def short_moment(here: Here, at: int) -> str:
    """A day and time as the reader's clock has it."""
    return datetime.fromtimestamp(at / 1000, _zone(here)).strftime("%Y-%m-%d %H:%M")


async def _moment(here: Here, text: str) -> int:
    """A day and time of the reader's, that there is a backup of. Raises Invalid."""
    try:
        typed = datetime.fromisoformat(text)
        if typed.tzinfo is not None:
            raise ValueError
        at = int(typed.replace(tzinfo=_zone(here)).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise Invalid.field("at", "Choose a day and a time.") from error
    kept = await shelf.kept(here.services.config.backup_dir, here.record.id)
    if kept.first is None or kept.last is None:
        raise Invalid.field("at", "There is no backup of this workspace yet.")
    # The field knows minutes; the first and the last state lie somewhere in theirs.
    if not kept.first - MINUTE < at < max(kept.last, here.services.clock.real_now()) + MINUTE:
        raise Invalid.field("at", "There is no backup of that moment; choose one between the first and the last.")
    return min(max(at, kept.first), kept.last)


@get(COPY, opt=SEE)
async def show_copy(here: Here, copy_id: str) -> Response[bytes]:
    """What the copy holds, beside what the workspace holds now."""
    return await _show(here, await copy_here(here, copy_id))


async def copy_here(here: Here, copy_id: str) -> Copy:
    """One of this workspace. Raises NotFound."""
    found = await queries.copy(here.services.control.db, copy_id)
    if found is None or found.copied_from != here.record.id:
        raise NotFound("There is no such copy, or it was thrown away.")
    return found


async def _show(here: Here, copy: Copy, error: ChimeError | None = None, typed: str = "") -> Response[bytes]:
    tallies = []
    if copy.state == MUTED:
        async with here.services.registry.use(copy.id) as opened:
            tallies = await compare(opened, here.workspace)
    return here.page("restores/copy.html", status=error.status if error else 200, copy=copy, tallies=tallies,
                     unknown=UNKNOWN, waits=await queries.waits_for_approval(here.db, copy.id),
                     errors=here.problems(error) if error else {},
                     values={"reason": typed},
                     under_way=await queries.under_way(here.services.control.db, here.record.id))


@post(COPY + "/take-over", opt=RESTORE, status_code=303)
async def create_take_over(here: Here, copy_id: str) -> Response[Any]:
    """Ask for it; another person agrees."""
    copy = await copy_here(here, copy_id)
    reason = (await form_fields(here.request)).get("reason", "")
    if copy.state != MUTED or await queries.under_way(here.services.control.db, here.record.id) is not None:
        busy = Conflict("Something is under way with this workspace; wait for its end.")
        return await _show(here, copy, busy, reason)
    wanted = approvals.Wanted(
        kind=KIND, job=TAKE_OVER, permission=Permission.BACKUPS_RESTORE.value,
        decided_by=Permission.APPROVALS_DECIDE.value, parameters={"copy_id": copy.id, "as_of": copy.as_of},
        subject=short_moment(here, copy.as_of), reason=reason)
    try:
        await approvals.ask(here.services, here.record, here.workspace, here.actor, wanted=wanted, second=True)
    except (Invalid, TooMany) as error:
        return await _show(here, copy, error, reason)
    return Redirect(f"{here.base}/settings/approvals?said=requested", status_code=303)


@post(COPY + "/removal", opt=RESTORE, status_code=303)
async def delete_copy(here: Here, copy_id: str) -> Response[Any]:
    """Throw a copy away, for good."""
    await copy_here(here, copy_id)
    async with here.services.control.write(here.actor) as tx:
        await actions.throw_away(tx, copy_id)
    return Redirect(f"{here.base}/settings/backups?said=removed", status_code=303)


ROUTES = [list_backups, show_progress, create_copy, show_copy, create_take_over, delete_copy]
