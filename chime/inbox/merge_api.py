"""Making two contacts one, and parting them again, for scripts."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from litestar import delete, get, post

from chime import audit, contacts
from chime.audit import Reading
from chime.clock import rfc3339
from chime.contacts import Choice, Consent, Contact, Tag
from chime.errors import NotFound
from chime.inbox import merge_pages, merging
from chime.security.permissions import Permission
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import query_of
from chime.web.reference import Moment, Operation, Parameter, api

_MERGE = "/api/v1/contacts/{contact_id:str}/merge"


class CreateMerge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`other_id` becomes part of the contact. Where both have something the contact's own stays, but for what is
    named here: `name`, `number`, keys of fields. `tag_ids` are the tags to keep, null for those of both."""

    other_id: str
    name: bool = False
    number: bool = False
    fields: tuple[str, ...] = ()
    tag_ids: tuple[str, ...] | None = None


class MergeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was done; it can be undone until `undo_until`."""

    id: str
    contact_id: str
    other_id: str
    at: Moment
    undo_until: Moment


class JoiningAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation of the other contact. `into_id` is the one on the same number that it would join; null when it
    only moves. `messages` counts up to 1,000."""

    id: str
    into_id: str | None
    messages: int


class ConflictAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What both have and differ in: `name`, `number` or, with its key, a `field`. The contact's own stays unless the
    merge is told to take the other's."""

    of: Literal["name", "number", "field"]
    key: str | None
    own: Any
    other: Any


class MergePreview(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge of the two would do. `tags` are those of both; `marketing_consent` is the stricter decision, which
    stays whatever is chosen."""

    contact_id: str
    other_id: str
    conversations: tuple[JoiningAnswer, ...]
    conflicts: tuple[ConflictAnswer, ...]
    tags: tuple[Tag, ...]
    marketing_consent: Consent


@get(_MERGE, opt=api(Permission.CONTACTS_EDIT, Operation(
    tag="contacts", summary="Preview a merge of two contacts", answer=MergePreview,
    description="What of the other contact would move and join, and what both have and differ in. Changes nothing.",
    parameters=(Parameter(name="other_id", meaning="The contact that would become part of this one"),),
    refusals={403: "Some of their conversations are not the key's to change."},
    response_example={
        "contact_id": "01kafx2v9m3q8r5t7w1y4z6b0c", "other_id": "01kafx2v9m3q8r5t7w1y4z6b0d",
        "conversations": [{"id": "01kafx2v9m3q8r5t7w1y4z6b0h", "into_id": "01kafx2v9m3q8r5t7w1y4z6b0k",
                           "messages": 12}],
        "conflicts": [{"of": "field", "key": "city", "own": "Pune", "other": "Goa"}],
        "tags": [{"id": "01kafx2v9m3q8r5t7w1y4z6b0t", "name": "vip"}], "marketing_consent": "opted_out"})))
async def show_merge_answer(here: Here, contact_id: str) -> MergePreview:
    query = query_of(here.request, "other_id")
    mine = await contacts.contact(here.db, contact_id)
    if mine is None:
        raise NotFound("There is no such contact.")
    theirs = await merge_pages.other_of(here, contact_id, query.get("other_id", ""))
    audit.read(here, Reading.CONTACT, contact_id)
    audit.read(here, Reading.CONTACT, theirs.id)
    return MergePreview(
        contact_id=mine.id, other_id=theirs.id, conflicts=tuple(await _conflicts(here, mine, theirs)),
        conversations=tuple(JoiningAnswer(id=one.id, into_id=one.into_id, messages=one.messages)
                            for one in await merging.joining(here.db, kept=mine.id, gone=theirs.id)),
        tags=tuple({tag.id: tag for tag in (*mine.tags, *theirs.tags)}.values()),
        marketing_consent=contacts.stricter(mine, theirs).marketing_consent)


async def _conflicts(here: Here, mine: Contact, theirs: Contact) -> list[ConflictAnswer]:
    own, other = (one.name or one.profile_name for one in (mine, theirs))
    found = [ConflictAnswer(of="name", key=None, own=own, other=other)] if own and other and own != other else []
    if mine.phone and theirs.phone:
        found.append(ConflictAnswer(of="number", key=None, own=str(mine.phone), other=str(theirs.phone)))
    return found + [ConflictAnswer(of="field", key=one.key, own=one.mine, other=one.theirs)
                    for one in await merge_pages.differing(here, mine, theirs)]


@post(_MERGE, status_code=200, opt=api(Permission.CONTACTS_EDIT, Operation(
    tag="contacts", summary="Merge two contacts", body=CreateMerge, answer=MergeAnswer,
    description="For two contacts that are one person. Their conversations on the same number join; of two decisions "
                "about marketing the stricter stays. For a week it can be undone.",
    refusals={403: "Some of their conversations are not the key's to change."},
    request_example={"other_id": "01kafx2v9m3q8r5t7w1y4z6b0d"},
    response_example={"id": "01kafx2v9m3q8r5t7w1y4z6b0m", "contact_id": "01kafx2v9m3q8r5t7w1y4z6b0c",
                      "other_id": "01kafx2v9m3q8r5t7w1y4z6b0d", "at": "2026-11-21T09:30:00.000Z",
                      "undo_until": "2026-11-28T09:30:00.000Z"}), small=True))
@once
async def create_merge_answer(here: Here, contact_id: str) -> MergeAnswer:
    body = await json_body(here.request, CreateMerge)
    other = await merge_pages.other_of(here, contact_id, body.other_id)
    choice = Choice(name=body.name, number=body.number, fields=frozenset(body.fields),
                    tags=None if body.tag_ids is None else frozenset(body.tag_ids))
    async with here.workspace.write(here.actor) as tx:
        await merging.merge(tx, kept=contact_id, gone=other.id, choice=choice)
        made = await merging.newest(tx, contact_id, tx.now)
    if made is None:
        raise NotFound("There is no such contact.")
    return MergeAnswer(id=made.id, contact_id=made.kept_id, other_id=made.gone_id, at=rfc3339(made.at),
                       undo_until=rfc3339(made.at + merging.UNDO_FOR))


@delete(_MERGE, opt=api(Permission.CONTACTS_EDIT, Operation(
    tag="contacts", summary="Undo a merge of contacts", status=204,
    description="The last one into this contact, for a week. What was changed since stays as it is."), small=True))
async def delete_merge_answer(here: Here, contact_id: str) -> None:
    async with here.workspace.write(here.actor) as tx:
        await merging.undo(tx, contact_id)


ROUTES = [show_merge_answer, create_merge_answer, delete_merge_answer]
