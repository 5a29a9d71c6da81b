"""Exports for scripts: ask, look how far it is, fetch once."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get, post
from litestar.response import Response
from msgspec import UNSET, UnsetType

from chime import accounts, approvals
from chime.approvals import Approval
from chime.clock import rfc3339
from chime.errors import NotFound
from chime.exports.asking import ask
from chime.exports.model import JOB, Asked, Kind
from chime.exports.pages import download
from chime.security import limits
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, api

_ALL = "/api/v1/exports"
_ONE = _ALL + "/{approval_id:str}"


class ExportAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An export. `state` goes requested, approved, running, ready, downloaded; or ends as rejected, cancelled, expired
    or failed. A file that is ready can be fetched once before `expires_at`."""

    id: str
    kind: str
    state: str
    requested_by: str
    approved_by: str | None
    rows: int
    expected_rows: int
    masked: bool
    requested_at: Moment
    expires_at: Moment
    reason_it_ended: str | None

    @classmethod
    def of(cls, row: Approval) -> ExportAnswer:
        return cls(id=row.id, kind=row.kind.removesuffix("_export"), state=row.state.value,
                   requested_by=row.requester_name, approved_by=row.approver_name or None, rows=row.done,
                   expected_rows=row.parameters.get("expected", 0), masked=row.parameters.get("masked", False),
                   requested_at=rfc3339(row.requested_at), expires_at=rfc3339(row.expires_at),
                   reason_it_ended=row.ending or None)


class AskForContacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`format` is csv or jsonl. `masked` masks phone numbers, also for a key that may see them."""

    format: str = "csv"
    tag_id: str | UnsetType = UNSET
    marketing_consent: str | UnsetType = UNSET
    masked: bool = False
    reason: str = ""


class AskForConversations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Messages of a time span; the days are UTC and the last one is included."""

    format: str = "csv"
    state: str | UnsetType = UNSET
    channel_id: str | UnsetType = UNSET
    first_day: str | UnsetType = UNSET
    last_day: str | UnsetType = UNSET
    masked: bool = False
    reason: str = ""


_EXAMPLE = {"id": "01kafx2v9m3q8r5t7w1y4z6b0c", "kind": "contacts", "state": "requested",
            "requested_by": "Backup script", "approved_by": None, "rows": 0, "expected_rows": 1250, "masked": False,
            "requested_at": "2026-11-21T09:30:00.000Z", "expires_at": "2026-11-22T09:30:00.000Z",
            "reason_it_ended": None}


def _given(body: Any) -> Asked:
    return Asked(**{name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET})


@post(_ALL, status_code=202, opt=api(Permission.CONTACTS_EXPORT, Operation(
    tag="exports", summary="Ask for an export of contacts", status=202, body=AskForContacts, answer=ExportAnswer,
    description="Another person approves it in the dashboard, unless the workspace's policy says otherwise.",
    request_example={"format": "csv", "reason": "monthly backup"}, response_example=_EXAMPLE)))
@once
async def create_export(here: Here) -> ExportAnswer:
    body = await json_body(here.request, AskForContacts)
    return await _asked(here, Kind.CONTACTS, _given(body))


@post(_ALL + "/conversations", status_code=202, opt=api(Permission.INBOX_EXPORT, Operation(
    tag="exports", summary="Ask for an export of conversations", status=202, body=AskForConversations,
    answer=ExportAnswer, description="One row a message. Approved as an export of contacts is.",
    request_example={"format": "jsonl", "first_day": "2026-11-01", "last_day": "2026-11-20"},
    response_example=_EXAMPLE | {"kind": "conversations"})))
@once
async def create_conversation_export(here: Here) -> ExportAnswer:
    return await _asked(here, Kind.CONVERSATIONS, _given(await json_body(here.request, AskForConversations)))


async def _asked(here: Here, kind: Kind, asked: Asked) -> ExportAnswer:
    # As for people; the limits of a key alone would allow a hundred a minute.
    here.services.limiter.need(limits.EXPORT.of(here.record.id, here.actor.id or ""))
    return ExportAnswer.of(await ask(here, kind, asked))


@get(_ALL, opt=api(Permission.WORKSPACE_READ, Operation(
    tag="exports", summary="List own exports", answer=Page[ExportAnswer], parameters=PAGED,
    description="Those asked for by the person behind the key, or by the key itself; newest first.",
    response_example={"items": [_EXAMPLE], "next_cursor": None})))
async def list_exports(here: Here) -> Page[ExportAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    asker = await accounts.requester_of(here.services.control.db, here.actor)
    rows = await approvals.of_requester(here.db, asker.person_id, asker.key_id, job=JOB,
                                        before=after[1] if after else None, limit=limit + 1)
    return page_of(rows, limit, place=lambda row: (row.requested_at, row.id), told=ExportAnswer.of)


@get(_ONE, opt=api(Permission.WORKSPACE_READ, Operation(
    tag="exports", summary="Read an export", answer=ExportAnswer, response_example=_EXAMPLE)))
async def show_export(here: Here, approval_id: str) -> ExportAnswer:
    return ExportAnswer.of(await _own(here, approval_id))


async def _own(here: Here, approval_id: str) -> Approval:
    asker = await accounts.requester_of(here.services.control.db, here.actor)
    row = await approvals.approval(here.db, approval_id)
    if row is None or row.job != JOB or not approvals.is_whose(row, asker):
        raise NotFound("There is no such export.")
    return row


@post(_ONE + "/file", status_code=200, opt=api(Permission.WORKSPACE_READ, Operation(
    tag="exports", summary="Fetch the file", answer=bytes,
    refusals={409: "It is not ready, was fetched already or is over."},
    description="Once: a second call is refused, also when the first one broke off.")))
async def create_export_download(here: Here, approval_id: str) -> Response[Any]:
    await _own(here, approval_id)
    return await download(here, approval_id)


ROUTES = [create_export, create_conversation_export, list_exports, show_export, create_export_download]
