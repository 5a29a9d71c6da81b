"""The delivery proof for scripts: the account, the events set aside, and another try for one of them."""

from __future__ import annotations

import msgspec
from litestar import get, post

from chime.clock import rfc3339
from chime.inbound import queries, retries
from chime.inbound.account import count
from chime.inbound.items import described
from chime.inbound.model import FIGURES, Account, Rejected, SetAside, since_moment
from chime.security.permissions import Permission
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import DAY_OR_MOMENT, PAGED, Moment, Operation, Parameter, api


class DayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The account of what was received on one day (UTC)."""

    day: str
    received: int
    applied: int
    duplicate: int
    rejected: int
    parked: int
    waiting: int
    difference: int


class ProofAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Events. `received` = `applied` + `duplicate` + `rejected` + `parked` + `waiting`, and `difference`, what is
    missing on either side, is 0; then `ok`. `summaries_of` tells when the oldest kept sum of a finished day was made
    that this uses."""

    ok: bool
    since: Moment | None
    counted_at: Moment
    summaries_of: Moment | None
    received: int
    applied: int
    duplicate: int
    rejected: int
    parked: int
    waiting: int
    difference: int
    days: tuple[DayAnswer, ...]


class RejectedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An event that could not be applied. `state` is open, dismissed, or settled when a retry put it into effect;
    `number` is the end of the phone number id, `delivery` and `path` its place in the journal."""

    id: str
    state: str
    received_at: Moment
    delivery: int
    path: str
    field: str
    number: str
    kind: str
    cause: str
    detail: str
    reason: str
    tries: int
    tried_at: Moment | None
    dismissed_by: str
    dismissal: str

    @classmethod
    def of(cls, item: SetAside) -> RejectedAnswer:
        told = msgspec.structs.asdict(item)
        told["delivery"] = told.pop("journal_id")
        told["received_at"] = rfc3339(item.received_at)
        told["tried_at"] = rfc3339(item.tried_at) if item.tried_at else None
        return cls(**told)


_FIGURES = {"received": 1240, "applied": 1201, "duplicate": 37, "rejected": 2, "parked": 0, "waiting": 0,
            "difference": 0}
_REJECTED = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0r", "state": "open", "received_at": "2026-11-21T09:29:00.000Z", "delivery": 4711,
    "path": "entry.0.changes.0.messages.4", "field": "messages", "number": "4555", "kind": "Unreadable",
    "cause": "CannotRead", "detail": "the message names no sender",
    "reason": "It could not be read: the message names no sender.", "tries": 0, "tried_at": None,
    "dismissed_by": "", "dismissal": ""}


@get("/api/v1/delivery-proof", opt=api(Permission.DELIVERY_READ, Operation(
    tag="delivery", summary="Account for what was delivered",
    description="Counts everything WhatsApp delivered to this workspace against what became of it.",
    answer=ProofAnswer,
    parameters=(Parameter(name="since", meaning="2026-11-01, an RFC 3339 time, 7d or 24h; else the beginning",
                          limits={"anyOf": (*DAY_OR_MOMENT, {"pattern": "^[0-9]{1,5}[dh]$"})}),),
    response_example={"ok": True, "since": None, "counted_at": "2026-11-21T09:30:00.000Z", "summaries_of": None,
                      **_FIGURES, "days": [{"day": "2026-11-21", **_FIGURES}]})))
async def show_delivery_proof(here: Here) -> ProofAnswer:
    text = query_of(here.request, "since").get("since")
    since = since_moment(text, here.now) if text else 0
    counted = await count(here.workspace, now=here.now, since=since)
    return ProofAnswer(
        ok=counted.ok, since=rfc3339(since) if since else None, counted_at=rfc3339(counted.counted_at),
        summaries_of=rfc3339(counted.summaries_of) if counted.summaries_of else None, **_figures(counted.total),
        days=tuple(DayAnswer(day=rfc3339(day.day)[:10], **_figures(day)) for day in counted.days))


def _figures(account: Account) -> dict[str, int]:
    return {name: getattr(account, name) for name in FIGURES}


@get("/api/v1/rejected-events", opt=api(Permission.DELIVERY_READ, Operation(
    tag="delivery", summary="List events that were set aside",
    description="Those that are not in effect, the newest first; nothing of what they say is told.",
    answer=Page[RejectedAnswer], parameters=PAGED,
    response_example={"items": [_REJECTED], "next_cursor": None})))
async def list_rejected_events(here: Here) -> Page[RejectedAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    rows = await queries.unsettled(here.db, before=after[1] if after else queries.LATEST_ID, limit=limit + 1)
    told = {item.id: item for item in await described(here.workspace, rows[:limit])}
    return page_of(rows, limit, place=_place, told=lambda row: RejectedAnswer.of(told[row.id]))


def _place(row: Rejected) -> tuple[int, str]:
    return row.at, row.id


@post("/api/v1/rejected-events/{rejected_id:str}/retry", status_code=200, opt=api(Permission.DELIVERY_RETRY, Operation(
    tag="delivery", summary="Try a rejected event again",
    description="Applies it once more out of the journal. `state` is settled when it is in effect now; else it stays "
                "as it was and `reason` is the new one.",
    answer=RejectedAnswer, refusals={409: "It is in effect already."},
    response_example=_REJECTED | {"state": "settled", "tries": 1, "tried_at": "2026-11-21T09:40:00.000Z"})))
@once
async def create_event_retry(here: Here, rejected_id: str) -> RejectedAnswer:
    found = await retries.retry(here.workspace, rejected_id, here.actor)
    return RejectedAnswer.of((await described(here.workspace, [found]))[0])


ROUTES = [show_delivery_proof, list_rejected_events, create_event_retry]
