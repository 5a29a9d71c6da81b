"""`/me/sessions`: where somebody is signed in, and ending it there."""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Response

from chime.accounts.device_words import device_words, is_handheld
from chime.accounts.me_pages import OWN, SMALL, Me
from chime.accounts.sessions import end_session, end_sessions_of, sessions_of
from chime.errors import NotFound

AnyRequest = Request[Any, Any, Any]


@get("/me/sessions", opt=OWN, include_in_schema=False)
async def list_sessions(request: AnyRequest) -> Response[bytes]:
    me = Me(request)
    found = await sessions_of(me.db, me.id, me.now)
    shown = [{"id": session.id, "device": device_words(session.agent), "handheld": is_handheld(session.agent),
              "address": session.address, "since": session.created_at, "seen_at": session.seen_at,
              "here": session.id == me.identity.session_id} for session in found]
    shown.sort(key=lambda session: not session["here"])
    return await me.page("me/sessions.html", sessions=shown)


@post("/me/sessions/{session_id:str}/end", opt=OWN | SMALL, include_in_schema=False)
async def delete_own_session(request: AnyRequest, session_id: str) -> Redirect:
    me = Me(request)
    async with me.services.control.write(me.identity.actor) as tx:
        if not await tx.value("SELECT 1 FROM session WHERE id = ? AND user_id = ?", session_id, me.id):
            raise NotFound("This session is over already.")
        await end_session(tx, session_id)
    me.services.hub.end_streams_of_sessions({session_id})
    return Redirect("/me/sessions?said=ended", status_code=303)


@post("/me/sessions/end-others", opt=OWN | SMALL, include_in_schema=False)
async def delete_other_sessions(request: AnyRequest) -> Redirect:
    me = Me(request)
    async with me.services.control.write(me.identity.actor) as tx:
        ended = await end_sessions_of(tx, me.id, but=me.identity.session_id)
    me.services.hub.end_streams_of_sessions(ended)
    return Redirect("/me/sessions?said=ended-others", status_code=303)


ROUTES = [list_sessions, delete_own_session, delete_other_sessions]
