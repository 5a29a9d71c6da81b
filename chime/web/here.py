"""`here`: what a handler of a workspace works with, opened for the length of one request."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from litestar import Request
from litestar.response import Response

from chime.db import Db
from chime.errors import ChimeError, Invalid, NotFound
from chime.security.permissions import Actor, Permission
from chime.security.scope import IN_HAND, IN_SIGHT, QUEUE_PERMISSIONS, THROUGH_HELD, Viewer, viewer
from chime.web.identity import Identity
from chime.web.language import catalogue
from chime.web.services import Services
from chime.workspaces import Workspace, WorkspaceRecord

AnyRequest = Request[Any, Any, Any]


class Here:
    """One request inside one workspace. A plain class: Litestar would rebuild a dataclass field by field."""

    def __init__(self, request: AnyRequest, services: Services, identity: Identity, record: WorkspaceRecord,
                 workspace: Workspace) -> None:
        self.request = request
        self.services = services
        self.identity = identity
        self.record = record
        self.workspace = workspace

    @property
    def db(self) -> Db:
        return self.workspace.db

    @property
    def actor(self) -> Actor:
        return self.identity.actor

    @property
    def permission(self) -> Permission:
        """What the route asked for."""
        found: Permission = self.request.route_handler.opt["permission"]
        return found

    @property
    def viewer(self) -> Viewer:
        """How far the actor's grant of the route's permission reaches; queries of private rows ask for it."""
        return viewer(self.actor, self.permission)

    @property
    def base(self) -> str:
        return f"/w/{self.record.slug}"

    @property
    def now(self) -> int:
        return self.services.clock.now()

    @property
    def is_htmx(self) -> bool:
        """Whether the page's script asked (it wants a fragment), not a plain form or link."""
        return self.request.headers.get("hx-request") == "true"

    def words(self, text: str) -> str:
        """A fixed text of ours in the reader's language."""
        return catalogue(self.identity.locale).gettext(text) if text else text

    def problems(self, error: ChimeError) -> dict[str, str]:
        """What is wrong, by field, in the reader's language; what belongs to no field under the empty name."""
        if isinstance(error, Invalid):
            return {problem.field: self.words(problem.message) for problem in error.errors}
        return {"": self.words(error.said)}

    def page(self, name: str, *, status: int = 200, headers: dict[str, str] | None = None,
             **values: Any) -> Response[bytes]:
        """A rendered template."""
        return self.services.pages.answer(self.request, name, status=status, headers=headers, **values)


async def open_here(request: AnyRequest) -> AsyncGenerator[Here, None]:
    """Litestar's dependency. The guard has run: the identity is in the scope."""
    services = Services.of(request)
    identity: Identity = request.scope["state"]["identity"]
    if identity.workspace is None:
        raise NotFound("There is no such workspace, or you are not a member of it.")
    async with services.registry.use(identity.workspace.id, stays=True) as workspace:
        here = Here(request, services, identity, identity.workspace, workspace)
        await _in_sight(here)
        yield here


async def _in_sight(here: Here) -> None:
    """What the path names and the actor does not reach is as absent as what does not exist. One place for every route,
    so no sibling can forget it. Raises NotFound."""
    seen = here.viewer
    if not seen.is_limited:
        return
    for name, value in here.request.path_params.items():
        if name == "conversation_id" and here.permission not in QUEUE_PERMISSIONS:
            found = await here.db.value(IN_HAND[seen.sight], value, *seen.held_values)
        elif name in IN_SIGHT:
            values = seen.held_values if name in THROUGH_HELD else seen.values
            found = await here.db.value(IN_SIGHT[name][seen.sight], value, *values)
        else:
            continue
        if not found:
            raise NotFound("There is no such thing here, or it is not yours to see.")
