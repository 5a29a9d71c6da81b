"""The page of quick replies: found, made, changed, deleted and had back, their files served. Works without a script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlencode

from litestar import get, post
from litestar.response import Redirect, Response, Stream

from chime import accounts
from chime.errors import ChimeError, Invalid, NotFound
from chime.quick_replies import actions, forms, queries, table
from chime.quick_replies.files import stored
from chime.quick_replies.forms import Typed
from chime.quick_replies.model import MOST_FILES, QuickReply, Scope, may_change, reader
from chime.quick_replies.variables import NAMES, fill
from chime.security import limits
from chime.security.permissions import Permission, Reach
from chime.web.forms import form_fields, form_lists, read_form, uploaded_file
from chime.web.headers import MEDIA_POLICY
from chime.web.here import Here
from chime.web.listing import decode_cursor, encode_cursor
from chime.web.uploads import Upload
from chime.workspaces import Transaction

READ = {"permission": Permission.INBOX_REPLY}
EDIT = {"permission": Permission.INBOX_QUICK_REPLIES}
SMALL = {"small": True}
_PAGE = "/w/{slug:str}/replies"
_ONE = _PAGE + "/{reply_id:str}"
# What a form with the largest file WhatsApp takes has; several files share it.
LARGEST_FORM = 110 * 1024 * 1024
# Shown inside our pages; everything else is only ever downloaded.
_INLINE = frozenset({"image/jpeg", "image/png"})
_MOST_TOLD = 50
# What stands in the blanks of a preview. Names people know as examples, never a customer's.
_SAMPLE = {"contact.name": "Maya Chen", "contact.first_name": "Maya", "contact.phone": "+1 ••••• ••123",
           "contact.username": "@maya"}


@get(_PAGE, opt=READ)
async def list_replies(here: Here) -> Response[bytes]:
    asked = here.request.query_params
    search, category = asked.get("q", "").replace("\0", "")[:100], asked.get("category", "").replace("\0", "")[:40]
    scope = _scope(asked.get("scope", ""))
    who, after = reader(here.actor), decode_cursor(asked.get("cursor"))
    rows = await queries.replies(here.db, who, search=search, scope=scope, category=category or None,
                                 after=after[1] if after else queries.FIRST, limit=queries.PAGE + 1)
    shown = rows[:queries.PAGE]
    kept = {name: value for name, value in (("q", search), ("category", category)) if value}
    place = {"scope": scope.value if scope else "", "cursor": encode_cursor(0, shown[-1].id)} if shown else {}
    more = urlencode(kept | place) if len(rows) > queries.PAGE else ""
    return here.page(
        "quick_replies/index.html", replies=shown, more=more, scope=scope.value if scope else "",
        narrowed=urlencode(kept), q=search, category=category,
        categories=await queries.categories(here.db, who), teams=await _team_names(here),
        editable={reply.id for reply in shown if may_change(here.actor, reply.scope, reply.team_id)},
        said=asked.get("said", ""), undo=asked.get("undo", "")[:40])


def _scope(text: str) -> Scope | None:
    if not text:
        return None
    try:
        return Scope(text)
    except ValueError as error:
        raise NotFound("There is no such list.") from error


async def _team_names(here: Here) -> dict[str, str]:
    return await accounts.team_names(here.services.control.db, here.record.id)


@get(_PAGE + "/table", opt=EDIT)
async def show_table(here: Here) -> Response[bytes]:
    """All in sight as CSV, without their files."""
    found = await queries.replies(here.db, reader(here.actor), limit=actions.MOST_REPLIES)
    return Response(table.as_csv(found, await _team_names(here)), media_type="text/csv", headers={
        "Content-Disposition": 'attachment; filename="quick-replies.csv"', "Cache-Control": "no-store"})


@post(_PAGE + "/table", opt=EDIT, status_code=303, request_max_body_size=table.LARGEST + 64 * 1024)
async def create_from_table(here: Here) -> Response[Any]:
    """Every row of a CSV file, or none when one does not fit."""
    try:
        content = await (await uploaded_file(here.request, "table")).read(table.LARGEST + 1)
        rows = table.from_csv(content, await _team_names(here))
        async with here.workspace.write(here.actor) as tx:
            await actions.create_all(tx, rows)
    except Invalid as error:
        problems = [f"{problem.field}: {here.words(problem.message)}" for problem in error.errors]
        return here.page("quick_replies/refused_table.html", status=422, problems=problems[:_MOST_TOLD],
                         more=max(0, len(problems) - _MOST_TOLD))
    return _back(here, "imported")


@get(_PAGE + "/new", opt=EDIT)
async def new_reply(here: Here) -> Response[bytes]:
    return await _form(here, Typed(), None)


@get(_ONE, opt=EDIT)
async def show_reply(here: Here, reply_id: str) -> Response[bytes]:
    found = await _reply_or_404(here, reply_id)
    return await _form(here, Typed.of(found), found)


async def _reply_or_404(here: Here, reply_id: str) -> QuickReply:
    found = await queries.reply(here.db, reader(here.actor), reply_id)
    if found is None:
        raise NotFound("There is no such quick reply.")
    return found


async def _form(here: Here, typed: Typed, reply: QuickReply | None, *, status: int = 200,
                errors: dict[str, str] | None = None) -> Response[bytes]:
    scopes = _scopes(here)
    return here.page(
        "quick_replies/form.html", status=status, typed=typed, reply=reply, errors=errors or {}, scopes=scopes,
        edits=reply is None or may_change(here.actor, reply.scope, reply.team_id), variables=NAMES,
        teams={team_id: name for team_id, name in (await _team_names(here)).items()
               if may_change(here.actor, Scope.TEAM, team_id)}, most_files=MOST_FILES,
        categories=await queries.categories(here.db, reader(here.actor)), preview=_preview(here, typed.text),
        preview_files=reply.files if reply else ())


def _scopes(here: Here) -> tuple[str, ...]:
    reach = here.actor.grant(Permission.INBOX_QUICK_REPLIES).reach
    return tuple(scope.value for scope in Scope) if reach >= Reach.TEAM else (Scope.PERSONAL.value,)


def _preview(here: Here, text: str) -> str:
    """As a customer would read it."""
    agent = here.actor.name
    return fill(text, _SAMPLE | {"agent.name": agent, "agent.first_name": agent.split(" ")[0],
                                 "workspace.name": here.record.name, "channel.name": here.record.name}).text


@post(_PAGE + "/preview", opt=EDIT | SMALL | {"rate": limits.READ}, status_code=200)
async def create_preview(here: Here) -> Response[bytes]:
    """The bubble of what is being typed, with the files of the one it is typed for; nothing is kept."""
    text = (await form_fields(here.request)).get("text", "")
    found = await queries.reply(here.db, reader(here.actor), here.request.query_params.get("reply", ""))
    return here.page("quick_replies/_preview.html", preview=_preview(here, text.strip()),
                     preview_files=found.files if found else ())


@post(_PAGE, opt=EDIT, status_code=303, request_max_body_size=LARGEST_FORM)
async def create_reply(here: Here) -> Response[Any]:
    typed = await _typed(here)
    try:
        new = forms.meant(typed, await _team_names(here))
        async with stored(here, typed.uploads) as files, here.workspace.write(here.actor) as tx:
            await actions.create(tx, new, files)
    except ChimeError as error:
        return await _not_saved(here, typed, None, error)
    return _back(here, "created")


@post(_ONE, opt=EDIT, status_code=303, request_max_body_size=LARGEST_FORM)
async def update_reply(here: Here, reply_id: str) -> Response[Any]:
    found = await _reply_or_404(here, reply_id)
    typed = await _typed(here)
    try:
        new = forms.meant(typed, await _team_names(here))
        async with stored(here, typed.uploads) as files, here.workspace.write(here.actor) as tx:
            await actions.edit(tx, reply_id, new, added=files, dropped=typed.dropped)
    except ChimeError as error:
        return await _not_saved(here, typed, found, error)
    return _back(here, "saved")


async def _typed(here: Here) -> Typed:
    fields, lists = await form_fields(here.request), await form_lists(here.request, "drop")
    uploads = [value for value in (await read_form(here.request)).getall("files", []) if isinstance(value, Upload)]
    return forms.typed(fields, lists["drop"], uploads)


async def _not_saved(here: Here, typed: Typed, reply: QuickReply | None, error: ChimeError) -> Response[bytes]:
    if error.status not in (403, 409, 422):
        raise error
    return await _form(here, typed, reply, status=error.status, errors=here.problems(error))


def _back(here: Here, said: str, **more: str) -> Response[Any]:
    return Redirect(f"{here.base}/replies?{urlencode({'said': said, **more})}", status_code=303)


@post(_ONE + "/removal", opt=EDIT | SMALL, status_code=303)
async def create_reply_removal(here: Here, reply_id: str) -> Response[Any]:
    await _done(here, lambda tx: actions.delete(tx, reply_id))
    return _back(here, "deleted", undo=reply_id)


@post(_ONE + "/restoration", opt=EDIT | SMALL, status_code=303)
async def create_reply_restoration(here: Here, reply_id: str) -> Response[Any]:
    await _done(here, lambda tx: actions.restore(tx, reply_id))
    return _back(here, "restored")


async def _done(here: Here, verb: Callable[[Transaction], Awaitable[None]]) -> None:
    async with here.workspace.write(here.actor) as tx:
        await verb(tx)


@get(_PAGE + "/files/{file_id:str}", opt=READ | {"rate": limits.FILE, "document": False})
async def show_reply_file(here: Here, file_id: str) -> Response[Any]:
    """A file of a quick reply in sight, for the page and for the composer, which puts it into its tray."""
    found = await queries.file(here.db, reader(here.actor), file_id)
    if found is None:
        raise NotFound("There is no such file.")
    inline = found.mime_type in _INLINE
    size = here.workspace.files.size(file_id)
    headers = {"Content-Disposition": f"{'inline' if inline else 'attachment'}; filename*=UTF-8''"
                                      f"{quote(found.filename, safe='')}",
               "Content-Security-Policy": MEDIA_POLICY, "Cache-Control": "private, max-age=3600",
               "Content-Length": str(size)}
    return Stream(here.workspace.files.read(file_id, 0, size), headers=headers,
                  media_type=found.mime_type if inline else "application/octet-stream")


ROUTES = [list_replies, show_table, create_from_table, new_reply, show_reply, create_preview, create_reply,
          update_reply, create_reply_removal, create_reply_restoration, show_reply_file]
