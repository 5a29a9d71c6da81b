"""The simulator beside the appliance, for as long as there is a practice workspace and no real number.

It runs in this process and not in one of its own: so it needs no port that somebody could reach, nobody has to watch a
second process, and it ends with the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from chime.channels import access_token
from chime.clock import Clock
from chime.errors import NotFound, Unavailable
from chime.jobs import Runner
from chime.log import Log
from chime.message_templates import SYNC
from chime.practice import queries
from chime.practice.model import APP_ID, DISPLAY_PHONE, PHONE_NUMBER_ID, VERIFIED_NAME, WABA_ID
from chime.whatsapp import GraphClient
from chime.workspaces import Control, Registry

if TYPE_CHECKING:
    from chime.simulator import Simulator

LOOK_EVERY = 2.0
# Never called as an address: the transport leads to our own application.
_OURSELVES = "http://chime.invalid/webhooks/whatsapp/"
_log = Log("practice")


class Practice:
    """`application` is our own, which takes the simulator's webhooks. `phones` are the customers' phones as an
    application, None while nothing is simulated."""

    def __init__(self, control: Control, registry: Registry, graph: GraphClient, runner: Runner,
                 application: Callable[[], Any]) -> None:
        self._control = control
        self._registry = registry
        self._graph = graph
        self._runner = runner
        self._application = application
        self._changed = asyncio.Event()
        self._simulator: Simulator | None = None
        self.workspace_id = ""
        self.phones: Any = None

    def is_in(self, workspace_id: str) -> bool:
        """Whether this is the practice workspace, whether its simulator runs or not."""
        return bool(workspace_id) and workspace_id == self.workspace_id

    def look(self) -> None:
        """It was made or removed just now."""
        self._changed.set()

    def hang_up(self) -> None:
        """End the streams of open phones."""
        if self._simulator is not None:
            self._simulator.hang_up()

    async def run(self) -> None:
        """For ever."""
        while True:
            self._changed.clear()
            self.workspace_id = await queries.workspace_id(self._control.db) or ""
            if not self.workspace_id:
                await self._changed.wait()
                continue
            if workspace_id := await self._due():
                with suppress(NotFound, Unavailable):  # erased, suspended or locked this moment: looked at again
                    await self._simulate(workspace_id)
            await self._pause()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), LOOK_EVERY)

    async def _due(self) -> str | None:
        """The practice workspace, unless a real number has come: with an import, or from another program."""
        workspace_id = await queries.workspace_id(self._control.db)
        if workspace_id is None or await queries.real_number(self._control.db):
            return None
        return workspace_id

    async def _simulate(self, workspace_id: str) -> None:
        from chime.simulator import Simulator, graph_transport, phones, seed, webhook_transport  # 0.1 s of a start

        # A clock of its own: the phones cannot move that of the other workspaces.
        simulator = Simulator(Clock())
        fresh = await self._introduce(simulator, workspace_id)
        async with simulator.running(webhook_transport(self._application())):
            self._graph.simulator = graph_transport(simulator)
            self._simulator, self.phones = simulator, phones(simulator)
            _log.info("practice.begun", workspace=workspace_id)
            try:
                await seed(simulator, PHONE_NUMBER_ID, deliver=fresh)
                self._runner.start(workspace_id, SYNC, WABA_ID)
                while await self._due() == workspace_id:
                    await self._pause()
                    self._changed.clear()
            finally:
                self._graph.simulator = None
                self._simulator, self.phones = None, None
                _log.info("practice.ended", workspace=workspace_id)

    async def _introduce(self, simulator: Simulator, workspace_id: str) -> bool:
        """Let it know our app and number; whether the workspace holds no conversation yet."""
        control = self._control
        app_key = await control.db.value("SELECT app_key FROM meta_app WHERE app_id = ?", APP_ID)
        app = await control.app(app_key) if app_key else None
        route = await control.route(PHONE_NUMBER_ID)
        if app is None or route is None:
            raise NotFound("There is no practice workspace.")
        from chime.simulator import Number

        async with self._registry.use(workspace_id) as workspace:
            token = await access_token(workspace.db, workspace.vault, route.channel_id)
            fresh = not await workspace.db.value("SELECT 1 FROM conversation LIMIT 1")
        simulator.add_app(app_id=APP_ID, app_secret=app.secret.decode(), verify_token=app.verify_token.reveal(),
                          webhook_url=_OURSELVES + app_key, access_token=token.reveal())
        simulator.world.add_number(Number(phone_number_id=PHONE_NUMBER_ID, waba_id=WABA_ID, verified_name=VERIFIED_NAME,
                                          display_phone_number=DISPLAY_PHONE), subscribed_app=APP_ID)
        return fresh
