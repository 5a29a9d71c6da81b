"""The audit trail for scripts: its rows, the proof of one of them, and what was signed last."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get

from chime.audit import export, queries
from chime.audit.model import Event
from chime.audit.trail import look_into, origin, public_key, ranges, trail_of
from chime.audit.view import FILTERS, LONGEST, before_of, filter_of
from chime.clock import rfc3339
from chime.errors import Invalid, NotFound
from chime.security import signed_note
from chime.security.merkle import TILE, consistency_proof
from chime.security.permissions import Permission
from chime.web.here import Here
from chime.web.listing import Page, page_of, page_size, query_of
from chime.web.reference import DAY_OR_MOMENT, PAGED, Moment, Operation, Parameter, api


class AuditEventAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what. `sequence` is the row's place in the trail, from 1; `hash` its leaf in the Merkle tree."""

    sequence: int
    at: Moment
    actor: dict[str, str | None]
    on_behalf_of: str
    session_id: str
    address: str
    agent_hash: str
    action: str
    object: dict[str, str]
    result: str
    details: dict[str, Any]
    hash: str

    @classmethod
    def of(cls, event: Event) -> AuditEventAnswer:
        return cls(
            sequence=event.sequence, at=rfc3339(event.at), on_behalf_of=event.on_behalf, session_id=event.session_id,
            actor={"kind": event.actor_kind, "id": event.actor_id, "name": event.actor_name}, address=event.address,
            agent_hash=event.agent_hash, action=event.action, result=event.result.value, details=event.details,
            object={"kind": event.object_kind, "id": event.object_id}, hash=event.hash.hex())


class ProofAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """That a row is in the trail that `note` (a signed C2SP checkpoint) stands for: the RFC 6962 inclusion proof, in
    hexadecimal digits from the leaf up."""

    sequence: int
    leaf: str
    proof: tuple[str, ...]
    size: int
    note: str


class CheckpointAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was signed last, the key to check it, and, when `since` was given, the RFC 6962 proof that the trail of that
    many rows is the beginning of this one."""

    size: int
    signed_at: Moment
    note: str
    key: str
    consistency: tuple[str, ...]


_SHORT: dict[str, Any] = {"maxLength": LONGEST}
_EVENT = {
    "sequence": 4711, "at": "2026-11-21T09:30:00.000Z",
    "actor": {"kind": "user", "id": "01kafx2v9m3q8r5t7w1y4z6b0k", "name": "Alice"}, "on_behalf_of": "",
    "session_id": "01kafx2v9m3q8r5t7w1y4z6b0s", "address": "203.0.113.9", "agent_hash": "9f86d081884c7d65",
    "action": "member.role_changed", "object": {"kind": "member", "id": "01kafx2v9m3q8r5t7w1y4z6b0m"},
    "result": "done", "details": {"before": {"role": "agent"}, "after": {"role": "manager"}},
    "hash": "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7",
}
_NOTE = ("chime.example.com/audit/01kafx2v9m3q8r5t7w1y4z6b0w\n4800\nvNxsk0eBCv3b0mWe1Jr6Pz3eT2xU5nH0q4m3o0zq2p8=\n"
         "time 2026-11-21T09:40:00.000Z\n\n— chime.example.com/audit/01kafx2v9m3q8r5t7w1y4z6b0w Az3g...\n")


@get("/api/v1/audit-events", opt=api(Permission.AUDIT_READ, Operation(
    tag="audit", summary="List audit events", description="The newest first.", answer=Page[AuditEventAnswer],
    parameters=(*PAGED,
                Parameter(name="action", meaning="Only this action; `member.` for all of that kind", limits=_SHORT),
                Parameter(name="actor_id", meaning="Only what this person or key did", limits=_SHORT),
                Parameter(name="object", meaning="Only what was done to this, as kind:id",
                          limits=_SHORT | {"pattern": "^([^:]+:.+)?$"}),
                Parameter(name="result", meaning="Only what was done, or refused", choices=("done", "denied")),
                Parameter(name="since", meaning="From this day (UTC) or moment on", limits={"anyOf": DAY_OR_MOMENT}),
                Parameter(name="until", meaning="Up to the end of this day, or before this moment",
                          limits={"anyOf": DAY_OR_MOMENT})),
    response_example={"items": [_EVENT], "next_cursor": None})))
async def list_audit_events(here: Here) -> Page[AuditEventAnswer]:
    query = query_of(here.request, *FILTERS)
    limit, before = page_size(query.get("limit")), before_of(query.get("cursor"))
    rows = await queries.page(here.db, filter_of(query), before=before, limit=limit + 1)
    return page_of(rows, limit, place=lambda row: (row.sequence, ""), told=AuditEventAnswer.of)


@get("/api/v1/audit-events/{sequence:str}/proof", opt=api(Permission.AUDIT_READ, Operation(
    tag="audit", summary="Prove an audit event", answer=ProofAnswer,
    description="Against the last checkpoint. A row that came after it has no proof yet; within ten minutes it has.",
    response_example={"sequence": 4711, "leaf": _EVENT["hash"], "proof": [_EVENT["hash"]], "size": 4800,
                      "note": _NOTE})))
async def show_proof(here: Here, sequence: str) -> ProofAnswer:
    trail = trail_of(here.workspace, here.services.control)
    found = await queries.event(here.db, int(sequence)) if sequence.isascii() and sequence.isdigit() and len(
        sequence) < 16 else None
    made = await queries.newest_checkpoint(here.db)
    if found is None or made is None or made.size < found.sequence:
        raise NotFound("There is no such row, or no checkpoint stands for it yet.")
    known = await ranges(here.db)
    await look_into(here.db, known, found.sequence - 1)
    proof = await export.proof_of(trail, found, made)
    return ProofAnswer(sequence=found.sequence, leaf=known.root(found.sequence - 1, found.sequence).hex(),
                       proof=tuple(beside.hex() for beside in proof), size=made.size, note=made.note)


@get("/api/v1/audit-checkpoint", opt=api(Permission.AUDIT_READ, Operation(
    tag="audit", summary="Read the last signed checkpoint", answer=CheckpointAnswer,
    description="Keep it elsewhere: nothing before it can then be changed without showing.",
    parameters=(Parameter(name="since", meaning="The size of an earlier checkpoint to prove this one against",
                          is_number=True, limits={"minimum": 1}),),
    refusals={404: "Nothing is signed yet; within ten minutes it is."},
    response_example={"size": 4800, "signed_at": "2026-11-21T09:40:00.000Z", "note": _NOTE,
                      "key": "chime.example.com/audit/01kafx2v9m3q8r5t7w1y4z6b0w+033de0ae+Ac4...", "consistency": []})))
async def show_checkpoint(here: Here) -> CheckpointAnswer:
    since = query_of(here.request, "since").get("since")
    trail, made = trail_of(here.workspace, here.services.control), await queries.newest_checkpoint(here.db)
    public = await public_key(here.services.control)
    if made is None or public is None:
        raise NotFound("Nothing is signed yet; within ten minutes it is.")
    old = _old(since, made.size)
    proof: list[bytes] = []
    if old % TILE and old < await queries.cut_to(here.db):
        raise Invalid.field("since", "The rows of that time are gone; only whole thousands can be proved from there.")
    if 0 < old < made.size:
        known = await ranges(here.db)
        await look_into(here.db, known, old - 1, old, made.size - 1)
        proof = consistency_proof(old, made.size, known.root)
    return CheckpointAnswer(size=made.size, signed_at=rfc3339(made.at), note=made.note,
                            key=signed_note.verifier_key(await origin(trail), public),
                            consistency=tuple(beside.hex() for beside in proof))


def _old(text: str | None, size: int) -> int:
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 16) or not 1 <= int(text) <= size:
        raise Invalid.field("since", f"A whole number from 1 to {size}.")
    return int(text)


ROUTES = [list_audit_events, show_proof, show_checkpoint]
