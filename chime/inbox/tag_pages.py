"""The settings page of tags, of contacts and of conversations: how many carry each; renamed, merged, deleted, had back.
Works without a script."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime.errors import ChimeError, NotFound
from chime.inbox import tag_changes
from chime.inbox.tag_changes import TagOf
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import Here

_EDIT = {"permission": Permission.TAGS_EDIT}
_SMALL = {"small": True}
_PAGE = "/w/{slug:str}/settings/tags"
_OF_CONTACTS = _PAGE + "/contact/{tag_id:str}"
_OF_TALKS = _PAGE + "/conversation/{thread_tag_id:str}"


@get(_PAGE, opt=_EDIT)
async def list_tag_settings(here: Here) -> Response[bytes]:
    return await _page(here)


async def _page(here: Here, *, error: ChimeError | None = None, wrong: str = "", typed: str = "") -> Response[bytes]:
    """`wrong` is the tag whose form was refused, as `typed` has its name."""
    return here.page(
        "inbox/tag_settings.html", status=error.status if error else 200, wrong=wrong, typed=typed,
        errors=here.problems(error) if error else {}, said=here.request.query_params.get("said", ""),
        groups=[(subject.value, await tag_changes.counted(here.db, subject)) for subject in TagOf],
        changes=await tag_changes.changes(here.db, here.now))


def _back(here: Here, said: str) -> Response[Any]:
    return Redirect(f"{here.base}/settings/tags?said={said}", status_code=303)


async def _rename(here: Here, subject: TagOf, tag_id: str) -> Response[Any]:
    name = (await form_fields(here.request)).get("name", "")
    try:
        async with here.workspace.write(here.actor) as tx:
            await tag_changes.rename(tx, subject, tag_id, name)
    except NotFound:
        raise
    except ChimeError as error:
        return await _page(here, error=error, wrong=tag_id, typed=name)
    return _back(here, "renamed")


async def _remove(here: Here, subject: TagOf, tag_id: str) -> Response[Any]:
    """Into another one (`into_id`), or for good."""
    fields = await form_fields(here.request)
    async with here.workspace.write(here.actor) as tx:
        if "into_id" in fields:
            await tag_changes.merge(tx, subject, tag_id, fields["into_id"])
        else:
            await tag_changes.delete(tx, subject, tag_id)
    return _back(here, "merged" if "into_id" in fields else "deleted")


@post(_OF_CONTACTS, opt=_EDIT | _SMALL, status_code=303)
async def update_contact_tag(here: Here, tag_id: str) -> Response[Any]:
    return await _rename(here, TagOf.CONTACT, tag_id)


@post(_OF_CONTACTS + "/removal", opt=_EDIT | _SMALL, status_code=303)
async def delete_contact_tag(here: Here, tag_id: str) -> Response[Any]:
    return await _remove(here, TagOf.CONTACT, tag_id)


@post(_OF_TALKS, opt=_EDIT | _SMALL, status_code=303)
async def update_talk_tag(here: Here, thread_tag_id: str) -> Response[Any]:
    return await _rename(here, TagOf.CONVERSATION, thread_tag_id)


@post(_OF_TALKS + "/removal", opt=_EDIT | _SMALL, status_code=303)
async def delete_talk_tag(here: Here, thread_tag_id: str) -> Response[Any]:
    return await _remove(here, TagOf.CONVERSATION, thread_tag_id)


@post(_PAGE + "/undo/{tag_change_id:str}", opt=_EDIT | _SMALL, status_code=303)
async def create_tag_undo(here: Here, tag_change_id: str) -> Response[Any]:
    try:
        async with here.workspace.write(here.actor) as tx:
            await tag_changes.undo(tx, tag_change_id)
    except NotFound:
        raise
    except ChimeError as error:
        return await _page(here, error=error)
    return _back(here, "restored")


ROUTES = [list_tag_settings, update_contact_tag, delete_contact_tag, update_talk_tag, delete_talk_tag, create_tag_undo]
