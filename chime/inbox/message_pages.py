"""Writing: text, files, templates and the other kinds, reactions, sending again."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get, post
from litestar.response import Redirect, Response

from chime import channels, contacts, message_templates
from chime.contacts import normalise_phone
from chime.errors import ChimeError, Conflict, Invalid, NotFound, Refused
from chime.inbox import cards, doubts, form_values, forms, queries, scheduled_pages, sending, thread, undo
from chime.inbox.actions import open_thread
from chime.inbox.answered import Answered
from chime.inbox.files import store_upload
from chime.inbox.model import Message, Origin
from chime.inbox.pages import REPLY, SMALL, START
from chime.inbox.scheduled import Scheduled
from chime.inbox.sending import Draft
from chime.web.forms import form_fields, uploaded_file
from chime.web.here import Here
from chime.whatsapp import OutboundMessage, Person, parse_message

_ONE = "/w/{slug:str}/inbox/{conversation_id:str}"
_MESSAGE = _ONE + "/messages/{message_id:str}"
# The largest file WhatsApp takes, and what a form puts around it.
LARGEST_FORM = 110 * 1024 * 1024
KINDS = ("location", "contact", "buttons", "list", "link", "ask_location", "ask_phone", "ask_address")


@post(_ONE + "/messages", opt=REPLY, status_code=200)
async def create_message(here: Here, conversation_id: str) -> Response[Any]:
    """Any message a form can describe. Refused: the reason, and what was typed stays where it was."""
    fields = await form_fields(here.request)
    kind = fields.get("type", "text")
    try:
        message = await message_from(here, conversation_id, kind, fields)
        return await _taken(here, conversation_id, Draft(message=message, origin=Origin.AGENT), fields)
    except (Invalid, Refused, Conflict) as error:
        return await _not_taken(here, conversation_id, kind, fields, error)


async def _taken(here: Here, conversation_id: str, draft: Draft, fields: dict[str, str]) -> Response[Any]:
    """Sent, once the time to undo it is over; or scheduled, when the form names a moment."""
    draft = msgspec.structs.replace(
        draft, client_id=_client_id(here, fields), reply_to=fields.get("quoted_id") or None,
        last_seen=fields.get("anyway") or fields.get("seen") or None,
        hold=1000 * await undo.seconds(here.db, here.actor.id or ""))
    at = scheduled_pages.moment_of(here, fields)
    if at is not None:
        return await scheduled_pages.take(here, conversation_id, draft, at, fields)
    async with here.workspace.write(here.actor) as tx:
        message_id = await sending.queue_message(tx, conversation_id, draft)
    return await answer_bubble(here, conversation_id, message_id)


async def message_from(here: Here, conversation_id: str, kind: str, fields: dict[str, str]) -> OutboundMessage:
    if kind != "template":
        return forms.outbound(kind, fields)
    conversation = await thread.conversation_or_404(here, conversation_id)
    channel = await channels.channel(here.db, conversation.channel_id)
    template = await message_templates.template(
        here.db, channel.waba_id if channel else "", fields.get("template_name", ""),
        fields.get("template_language", ""))
    return forms.template_message(template, fields)


def _client_id(here: Here, fields: dict[str, str]) -> str | None:
    """The browser's own id of the message, made ours by the person's id: a second click sends nothing twice."""
    given = fields.get("client_id", "")[:64]
    return f"{here.actor.id}:{given}" if given else None


async def answer_bubble(here: Here, conversation_id: str, message_id: str) -> Response[Any]:
    """The message as it stands after something was done to it; the whole page for a form without scripts."""
    if not here.is_htmx and here.request.headers.get("x-csrf-token") is None:
        return Redirect(f"{here.base}/inbox/{conversation_id}", status_code=303)
    found = await queries.message(here.db, message_id)
    if found is None:
        raise NotFound("There is no such message.")
    return here.page("inbox/_message.html", message=found)


async def _not_taken(here: Here, conversation_id: str, kind: str, fields: dict[str, str],
                     error: ChimeError) -> Response[Any]:
    if isinstance(error, Answered):
        return await _answered(here, conversation_id, fields, error)
    errors = here.problems(error)
    if kind in KINDS and isinstance(error, Invalid) and here.is_htmx:
        return await compose(here, conversation_id, kind, errors=errors, values=fields, status=422)
    words = next(iter(errors.values()), str(error))
    if here.is_htmx or here.request.headers.get("x-csrf-token") is not None:
        return here.page("inbox/_send_error.html", status=422, message=words, errors=errors,
                         offers_template=_code(error) == "window_will_close", conversation_id=conversation_id)
    return here.page("inbox/not_sent.html", status=422, conversation_id=conversation_id, message=words, values=fields,
                     reply=None)


def _code(error: ChimeError) -> str:
    return error.code if isinstance(error, Refused) else ""


async def _answered(here: Here, conversation_id: str, fields: dict[str, str], error: Answered) -> Response[Any]:
    """A colleague was faster: their reply, and what can be done about one's own. Nothing typed is lost."""
    reply = await message_or_404(here, conversation_id, error.message_id)
    if here.is_htmx or here.request.headers.get("x-csrf-token") is not None:
        return here.page("inbox/_answered.html", status=409, reply=reply)
    return here.page("inbox/not_sent.html", status=409, conversation_id=conversation_id, reply=reply,
                     message=here.words(error.said), values=fields)


@post(_ONE + "/files", opt=REPLY, status_code=200, request_max_body_size=LARGEST_FORM)
async def create_file_message(here: Here, conversation_id: str) -> Response[Any]:
    """A file with an optional caption: stored here encrypted, then sent like any message."""
    conversation = await thread.conversation_or_404(here, conversation_id)
    fields = await form_fields(here.request)
    try:
        upload = await uploaded_file(here.request, "file")
        stored = await store_upload(here, conversation.channel_id, upload, as_voice=fields.get("voice") == "1")
        content: dict[str, Any] = {"id": stored.id}
        if fields.get("caption", "").strip() and stored.kind in ("image", "video", "document"):
            content["caption"] = fields["caption"].strip()
        if stored.kind == "document":
            content["filename"] = stored.filename
        if stored.is_voice:
            content["voice"] = True
        message = forms.parsed({"type": stored.kind, stored.kind: content}, {f"{stored.kind}.caption": "caption"})
        draft = Draft(message=message, origin=Origin.AGENT, media_id=stored.id)
        return await _taken(here, conversation_id, draft, fields)
    except Answered as error:
        return await _answered(here, conversation_id, fields, error)
    except (Invalid, Refused) as error:
        errors = here.problems(error)
        return here.page("inbox/_send_error.html", status=422, message=next(iter(errors.values())), errors=errors,
                         offers_template=_code(error) == "window_will_close", conversation_id=conversation_id)


@get(_ONE + "/compose/{kind:str}", opt=REPLY)
async def new_message(here: Here, conversation_id: str, kind: str) -> Response[bytes]:
    """The form of one kind of message."""
    if kind not in KINDS:
        raise NotFound("There is no such kind of message.")
    return await compose(here, conversation_id, kind, errors={}, values={}, status=200)


async def compose(here: Here, conversation_id: str, kind: str, *, errors: dict[str, str], values: dict[str, str],
                  status: int, editing: Scheduled | None = None) -> Response[bytes]:
    """The form of one kind of message, also of a scheduled one that is changed."""
    opened = await thread.load(here, conversation_id, with_items=False)
    chosen: dict[str, Any] = {}
    if kind == "template":
        found = await message_templates.template(here.db, opened.channel.waba_id, values.get("template_name", ""),
                                                 values.get("template_language", ""))
        if found is None:
            raise NotFound("There is no such template.")
        chosen = {"template": thread.TemplateChoice.of(found)}
    return here.page(f"inbox/_compose_{kind}.html", status=status, errors=errors, values=values, thread=opened,
                     seen=values.get("seen") or opened.newest_id, editing=editing, **chosen)


@get(_ONE + "/templates", opt=REPLY)
async def list_templates(here: Here, conversation_id: str) -> Response[bytes]:
    """The template picker."""
    opened = await thread.load(here, conversation_id, with_items=False)
    search = here.request.query_params.get("q", "").replace("\0", "")[:100]
    found = await message_templates.approved(here.db, opened.channel.waba_id, search)
    return here.page("inbox/_templates.html", thread=opened, q=search, seen=opened.newest_id,
                     templates=[thread.TemplateChoice.of(template) for template in found])


@post(_MESSAGE + "/reaction", opt=REPLY, status_code=200)
async def create_reaction(here: Here, conversation_id: str, message_id: str) -> Response[Any]:
    """`emoji`; empty takes ours back."""
    emoji = (await form_fields(here.request)).get("emoji", "")
    target = await message_or_404(here, conversation_id, message_id)
    if target.wamid is None:
        raise NotFound("There is no such message to react to.")
    message = parse_message({"type": "reaction", "reaction": {"message_id": target.wamid, "emoji": emoji}})
    async with here.workspace.write(here.actor) as tx:
        await sending.queue_message(tx, conversation_id, Draft(message=message, origin=Origin.AGENT))
    return await answer_bubble(here, conversation_id, message_id)


async def message_or_404(here: Here, conversation_id: str, message_id: str) -> Message:
    """The message, when it is in this conversation. Raises NotFound."""
    found = await queries.message(here.db, message_id)
    if found is None or found.conversation_id != conversation_id:
        raise NotFound("There is no such message.")
    return found


@post(_MESSAGE + "/undo", opt=REPLY | SMALL, status_code=200)
async def create_undo(here: Here, conversation_id: str, message_id: str) -> Response[Any]:
    """Take back what has not left: the script gets what it puts into the composer again, a plain form a page with the
    words."""
    await message_or_404(here, conversation_id, message_id)
    async with here.workspace.write(here.actor) as tx:
        row = await undo.take_back(tx, message_id)
    if not here.is_htmx:
        return here.page("inbox/not_sent.html", conversation_id=conversation_id, values={"text": row.text}, reply=None,
                         message=here.words("Taken back: it never left."))
    form = form_values.form_of(row.type, row.content, row.text)
    if form is not None and form[0] in (*KINDS, "template"):
        return await compose(here, conversation_id, form[0], errors={}, values=form[1], status=200)
    told = {"text": row.text, "filename": row.media.filename if row.media else "",
            "mime_type": row.media.mime_type if row.media else "", "voice": bool(row.media and row.media.is_voice),
            "quoted": row.quoted.id if row.quoted else "", "quote": row.quoted.preview if row.quoted else ""}
    return Response(msgspec.json.encode(told), media_type="application/json")


@post(_MESSAGE + "/retry", opt=REPLY, status_code=200)
async def create_retry(here: Here, conversation_id: str, message_id: str) -> Response[Any]:
    """Send a failed or doubtful message again."""
    await message_or_404(here, conversation_id, message_id)
    async with here.workspace.write(here.actor) as tx:
        await doubts.send_again(tx, message_id)
    return await answer_bubble(here, conversation_id, message_id)


@post(_MESSAGE + "/discard", opt=REPLY | SMALL, status_code=200)
async def delete_message(here: Here, conversation_id: str, message_id: str) -> Response[Any]:
    """Take a failed or doubtful message out of the thread."""
    await message_or_404(here, conversation_id, message_id)
    async with here.workspace.write(here.actor) as tx:
        await sending.discard(tx, message_id)
    if not here.is_htmx and here.request.headers.get("x-csrf-token") is None:
        return Redirect(f"{here.base}/inbox/{conversation_id}", status_code=303)
    return Response(b"", media_type="text/html")


@get("/w/{slug:str}/inbox/new", opt=START)
async def new_conversation(here: Here) -> Response[bytes]:
    """Perhaps to somebody whose card is in a message (`card`)."""
    card = await cards.card_named(here, here.request.query_params.get("card", ""))
    values = {"phone": card.phone, "name": card.name} if card else {}
    return await _new(here, errors={}, values=values, status=200)


async def _new(here: Here, *, errors: dict[str, str], values: dict[str, str], status: int) -> Response[bytes]:
    numbers = await channels.within_reach(here.db, here.actor.channels)
    templates = []
    for waba_id in dict.fromkeys(number.waba_id for number in numbers):
        templates += await message_templates.approved(here.db, waba_id)
    return here.page("inbox/_new.html", status=status, channels=numbers, errors=errors, values=values,
                     templates=[thread.TemplateChoice.of(template) for template in templates])


@post("/w/{slug:str}/inbox", opt=START, status_code=200)
async def create_conversation(here: Here) -> Response[Any]:
    """Write to somebody first, with a template."""
    fields = await form_fields(here.request)
    try:
        conversation_id = await _begin(here, fields)
    except (Invalid, Refused) as error:
        errors = here.problems(error)
        return await _new(here, errors=errors, values=fields, status=422)
    where = f"{here.base}/inbox/{conversation_id}?v=all"
    if here.is_htmx:
        return Response(b"", headers={"HX-Redirect": where})
    return Redirect(where, status_code=303)


async def _begin(here: Here, fields: dict[str, str]) -> str:
    problems: list[tuple[str, str]] = []
    try:
        phone = normalise_phone(fields.get("phone", ""))
    except Invalid as error:
        problems += [(problem.field, problem.message) for problem in error.errors]
    mine = await channels.within_reach(here.db, here.actor.channels)
    channel = next((one for one in mine if one.id == fields.get("channel_id", "")), None)
    if channel is None:
        problems.append(("channel_id", "Choose one of your numbers."))
    message = None
    try:
        template = await message_templates.template(here.db, channel.waba_id if channel else "",
                                                    fields.get("template_name", ""),
                                                    fields.get("template_language", ""))
        message = forms.template_message(template, fields)
    except Invalid as error:
        problems += [(problem.field, problem.message) for problem in error.errors]
    if problems or channel is None or message is None:
        raise Invalid(problems)
    async with here.workspace.write(here.actor) as tx:
        contact_id = (await contacts.recognise(tx, Person(phone=phone))).contact_id
        if fields.get("name", "").strip():
            await contacts.edit(tx, contact_id, name=fields["name"])
        opened = await open_thread(tx, channel.id, contact_id, at=tx.now)
        await sending.queue_message(tx, opened.id, Draft(message=message, origin=Origin.AGENT,
                                                         client_id=_client_id(here, fields)))
    return opened.id


ROUTES = [create_message, create_file_message, new_message, list_templates, create_reaction, create_undo,
          create_retry,
          delete_message, new_conversation, create_conversation]

