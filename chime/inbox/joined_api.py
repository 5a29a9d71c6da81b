"""A script may still know a conversation by the id it had before it became part of another one.

Every route of the API whose path names a conversation works on the one that it became, and tells its id in what it
answers. A redirect would do the same only for those clients that follow it with the method and the body they sent.
Promise: what somebody does not reach under its own id they do not reach under an old one either: the scope of the
request is asked after this.
"""

from __future__ import annotations

from typing import Any

from litestar import Request

from chime.inbox.merging import leads_to
from chime.web.services import Services

_NAME = "conversation_id"


async def lead_on(request: Request[Any, Any, Any]) -> None:
    """Before a handler runs, once the guard has let the request in."""
    if _NAME not in request.path_params or not request.route_handler.opt.get("api"):
        return
    identity = request.scope["state"]["identity"]
    if identity.workspace is None:
        return
    async with Services.of(request).registry.use(identity.workspace.id) as workspace:
        joined = await leads_to(workspace.db, request.path_params[_NAME])
    if joined is not None:
        request.scope["path_params"] = {**request.path_params, _NAME: joined}
