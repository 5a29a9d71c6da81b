"""Forgetting a person, on pages: what would go, who asked and agreed, and the certificate of what went."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get, post
from litestar.response import Redirect, Response

from chime import approvals, contacts
from chime.clock import rfc3339
from chime.erasure import queries
from chime.erasure.model import COUNTED, JOB, KIND, Erasure
from chime.errors import ChimeError, Invalid, NotFound, TooMany
from chime.phone import Phone
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import Here

SEE = {"permission": Permission.DATA_ERASE}
_ASK = "/w/{slug:str}/contacts/{contact_id:str}/erasure"
_ALL = "/w/{slug:str}/settings/erasures"
_ONE = _ALL + "/{erasure_id:str}"
SHOWN = 25


@get(_ASK, opt=SEE)
async def new_erasure(here: Here, contact_id: str) -> Response[bytes]:
    """What would be removed, counted first."""
    return await _form(here, contact_id)


async def _form(here: Here, contact_id: str, *, error: ChimeError | None = None, typed: str = "") -> Response[bytes]:
    found = await _contact(here, contact_id)
    return here.page("erasure/new.html", status=error.status if error else 200, contact=found,
                     preview=await queries.preview(here.db, here.workspace.journal_db.long_reads, contact_id),
                     errors=here.problems(error) if error else {}, typed=typed)


async def _contact(here: Here, contact_id: str) -> contacts.Contact:
    found = await contacts.contact(here.db, contact_id)
    if found is None:
        raise NotFound("There is no such contact.")
    return found


@post(_ASK, opt=SEE | {"step_up": True}, status_code=303)
async def create_erasure(here: Here, contact_id: str) -> Response[Any]:
    """Ask for it; another person agrees."""
    reason = (await form_fields(here.request)).get("reason", "")
    found = await _contact(here, contact_id)
    seen = await queries.preview(here.db, here.workspace.journal_db.long_reads, contact_id)
    parameters = {"contact_id": contact_id, "messages": seen.messages, "files": seen.files,
                  "conversations": seen.conversations}
    wanted = approvals.Wanted(kind=KIND, job=JOB, permission=Permission.DATA_ERASE.value,
                              decided_by=Permission.DATA_ERASE.value, parameters=parameters, reason=reason,
                              subject=_subject(found))
    try:
        await approvals.ask(here.services, here.record, here.workspace, here.actor, wanted=wanted, second=True)
    except (Invalid, TooMany) as error:
        return await _form(here, contact_id, error=error, typed=reason)
    return Redirect(f"{here.base}/settings/approvals?said=requested", status_code=303)


def _subject(contact: contacts.Contact) -> str:
    """What to call the person to whoever decides; a number only masked."""
    phone = Phone(contact.phone.digits).masked if contact.phone else None
    known = contact.name or contact.profile_name or (f"@{contact.username}" if contact.username else "")
    return " ".join(filter(None, (known, phone))) or "WhatsApp user"


@get(_ALL, opt=SEE)
async def list_erasures(here: Here) -> Response[bytes]:
    before = here.request.query_params.get("before", "")
    rows = await queries.erasures(here.db, before=before, limit=SHOWN + 1)
    return here.page("erasure/index.html", erasures=rows[:SHOWN], before=before,
                     older=rows[SHOWN - 1].id if rows[SHOWN:] else "")


async def _erasure(here: Here, erasure_id: str) -> Erasure:
    found = await queries.erasure(here.db, erasure_id)
    if found is None:
        raise NotFound("There is no such erasure.")
    return found


async def _recorded(here: Here, found: Erasure) -> tuple[int, str]:
    """Where the audit log holds the end of it: the row's number and hash."""
    rows = await here.db.rows("SELECT sequence, hash FROM audit_event WHERE object_kind = 'contact' AND object_id = ? "
                              "AND action = 'contact.erased' AND details_json LIKE ? ORDER BY sequence DESC LIMIT 1",
                              found.contact_id, f"%{found.id}%")
    return (rows[0][0], rows[0][1].hex()) if rows else (0, "")


@get(_ONE, opt=SEE)
async def show_erasure(here: Here, erasure_id: str) -> Response[bytes]:
    """The certificate."""
    found = await _erasure(here, erasure_id)
    sequence, row_hash = await _recorded(here, found)
    return here.page("erasure/certificate.html", erasure=found, counted=COUNTED, sequence=sequence, row_hash=row_hash)


@get(_ONE + "/certificate", opt=SEE)
async def show_certificate(here: Here, erasure_id: str) -> Response[bytes]:
    """The same as JSON."""
    found = await _erasure(here, erasure_id)
    sequence, row_hash = await _recorded(here, found)
    told = {
        "erasure": found.id, "workspace": here.record.id, "contact": found.contact_id,
        "after_a_restore": found.again, "requested_by": found.requester_name or None,
        "approved_by": found.approver_name or None, "begun_at": rfc3339(found.begun_at),
        "finished_at": rfc3339(found.finished_at) if found.finished_at else None,
        "removed": {name: found.counts.get(name, 0) for name in COUNTED if name != "mentions"},
        "files_written_anew": bool(found.counts.get("rewritten")),
        "still_mentioned_by_others": found.counts.get("mentions", 0),
        "audit": {"sequence": sequence, "hash": row_hash} if sequence else None}
    return Response(msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n", media_type="application/json",
                    headers={"Content-Disposition": f'attachment; filename="erasure-{found.id}.json"',
                             "Cache-Control": "no-store"})


ROUTES = [new_erasure, create_erasure, list_erasures, show_erasure, show_certificate]
