"""Approvals for scripts: what waits, what was, and deciding; by a key behind which a person stands."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import get, post
from msgspec import Meta

from chime.approvals import queries
from chime.approvals.model import Approval, State
from chime.approvals.pages import decide
from chime.clock import rfc3339
from chime.errors import Forbidden, Invalid, NotFound
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, Parameter, api

_ALL = "/api/v1/approvals"
_ONE = _ALL + "/{approval_id:str}"


class ApprovalAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A request. `parameters` are all of what would run; `fingerprint` is the beginning of the hash that binds them,
    and what a decision names."""

    id: str
    kind: str
    state: str
    needs: str
    decided_by: str
    fingerprint: str
    parameters: dict[str, Any]
    requested_by: str
    approved_by: str | None
    reason: str
    requested_at: Moment
    expires_at: Moment

    @classmethod
    def of(cls, row: Approval) -> ApprovalAnswer:
        return cls(id=row.id, kind=row.kind, state=row.state.value, needs=row.needs.value, decided_by=row.decided_by,
                   fingerprint=row.fingerprint, parameters=row.parameters, requested_by=row.requester_name,
                   approved_by=row.approver_name or None, reason=row.reason, requested_at=rfc3339(row.requested_at),
                   expires_at=rfc3339(row.expires_at))


class Decide(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`fingerprint` is that of the request as it was read: nothing else is agreed to."""

    decision: Literal["approve", "reject"]
    fingerprint: Annotated[str, Meta(max_length=64)]
    reason: Annotated[str, Meta(max_length=300)] = ""


_EXAMPLE = {"id": "01kafx2v9m3q8r5t7w1y4z6b0c", "kind": "contacts_export", "state": "requested", "needs": "person",
            "decided_by": "approvals:decide", "fingerprint": "5a3c09d1e4b7f286", "parameters": {"format": "csv"},
            "requested_by": "Mo", "approved_by": None, "reason": "monthly backup",
            "requested_at": "2026-11-21T09:30:00.000Z", "expires_at": "2026-11-22T09:30:00.000Z"}


@get(_ALL, opt=api(Permission.APPROVALS_DECIDE, Operation(
    tag="approvals", summary="List requests", description="Newest first.", answer=Page[ApprovalAnswer],
    parameters=(*PAGED, Parameter(name="state", meaning="Only those in this state",
                                  choices=tuple(state.value for state in State))),
    response_example={"items": [_EXAMPLE], "next_cursor": None})))
async def list_requests(here: Here) -> Page[ApprovalAnswer]:
    query = query_of(here.request, "state")
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    if query.get("state") not in (None, *State):
        raise Invalid.field("state", "Say one of: " + ", ".join(State) + ".")
    rows = await queries.page(here.db, state=query.get("state", ""), before=after[1] if after else queries.LATEST_ID,
                              limit=limit + 1)
    return page_of(rows, limit, place=lambda row: (row.requested_at, row.id), told=ApprovalAnswer.of)


@get(_ONE, opt=api(Permission.APPROVALS_DECIDE, Operation(
    tag="approvals", summary="Read a request", answer=ApprovalAnswer, response_example=_EXAMPLE)))
async def show_request(here: Here, approval_id: str) -> ApprovalAnswer:
    return ApprovalAnswer.of(await _found(here, approval_id))


async def _found(here: Here, approval_id: str) -> Approval:
    row = await queries.approval(here.db, approval_id)
    if row is None:
        raise NotFound("There is no such request.")
    return row


@post(_ONE + "/decision", status_code=200, opt=api(Permission.APPROVALS_DECIDE, Operation(
    tag="approvals", summary="Agree or refuse", body=Decide, answer=ApprovalAnswer,
    description="Nobody decides about what they asked for themselves. To forget a person also needs data:erase.",
    refusals={409: "It is decided already, its time is over, or the fingerprint is another."},
    request_example={"decision": "approve", "fingerprint": "5a3c09d1e4b7f286"},
    response_example=_EXAMPLE | {"state": "approved", "approved_by": "Alice"})))
@once
async def create_request_decision(here: Here, approval_id: str) -> ApprovalAnswer:
    body = await json_body(here.request, Decide)
    needed = Permission((await _found(here, approval_id)).decided_by)
    if not here.actor.may(needed):
        raise Forbidden.without(needed.value)
    return ApprovalAnswer.of(await decide(here, approval_id, needed, decision=body.decision,
                                          fingerprint=body.fingerprint, reason=body.reason))


ROUTES = [list_requests, show_request, create_request_decision]
