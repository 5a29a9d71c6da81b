"""`chime demo`: the whole appliance with a simulated WhatsApp and a sample shop, on a folder that is thrown away
unless one is named. Nothing outside the machine is contacted.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path

import msgspec
from litestar import Litestar

from chime import prices
from chime.accounts.sign_in_pages import DEMO_EMAIL, DEMO_PASSWORD
from chime.app import create_app
from chime.channels import NewChannel
from chime.clock import DAY, rfc3339
from chime.config import Config
from chime.errors import StartRefused
from chime.ids import Ids
from chime.message_templates import SYNC
from chime.prices import MARKETS, Category, NewCard, Rate
from chime.security.permissions import SYSTEM
from chime.security.scope import EVERYTHING
from chime.serve import address_of, listen, prepare, start
from chime.setup import connect, initialise, keys_of, opened
from chime.simulator import Number, Simulator, seed
from chime.web.services import Services
from chime.workspaces.keys import key_file, make_master_key

WORKSPACE = "Harbour Pottery"
NUMBER = Number(phone_number_id="411222333444555", waba_id="377001122334455", display_phone_number="+1 555-010-0200",
                verified_name=WORKSPACE)
APP_ID = "200300400500600"


class _World(msgspec.Struct, frozen=True, kw_only=True):
    """What the simulator must know of the sample installation."""

    app_secret: str
    verify_token: str
    access_token: str
    webhook_path: str
    fresh: bool


def run(config: Config, *, throw_away: bool, any_port: bool) -> None:
    """Block until a signal. Raises StartRefused."""
    with ExitStack() as stack:
        if throw_away:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chime-demo-"))) / "data"
            config = msgspec.structs.replace(config, data_dir=folder, master_key=Ids().random(32))
        sock = _listen(config, any_port=any_port)
        address = address_of(sock)
        config = msgspec.structs.replace(config, demo=True, graph_url=f"{address}/simulator/graph",
                                         public_url=config.public_url or address)
        world = asyncio.run(_prepare(config))
        keys = keys_of(config)
        prepare(config, keys)
        demo = _Demo(config, world, address)
        start(config, keys, sock=sock, make_app=demo.make_app, started=demo.begin)


def _listen(config: Config, *, any_port: bool) -> socket.socket:
    """The usual port, or any free one when that is taken and nobody asked for a certain one."""
    try:
        return listen(config)
    except StartRefused:
        if not any_port:
            raise
        return listen(msgspec.structs.replace(config, bind_port=0))


async def _prepare(config: Config) -> _World:
    """The sample installation: made once, read back when a named folder is used again."""
    if (config.data_dir / "control.db").exists():
        return await _read_back(config)
    if config.master_key is None:
        make_master_key(key_file(config.data_dir), Ids().random(32))
    await initialise(config, email=DEMO_EMAIL, name="Demo Owner", workspace=WORKSPACE, password=DEMO_PASSWORD)
    ids = Ids()
    secrets = {"app_secret": ids.token(24), "verify_token": ids.token(12), "access_token": f"EAA{ids.token(24)}"}
    made = await connect(config, WORKSPACE, NewChannel(
        phone_number_id=NUMBER.phone_number_id, waba_id=NUMBER.waba_id, display_phone=NUMBER.display_phone_number,
        app_id=APP_ID, **secrets))
    return _World(**secrets, webhook_path=made.webhook_path, fresh=True)


async def _read_back(config: Config) -> _World:
    async with opened(config) as (control, registry):
        key = await control.db.value("SELECT app_key FROM meta_app WHERE app_id = ?", APP_ID)
        app = await control.app(key) if key else None
        route = await control.route(NUMBER.phone_number_id)
        if app is None or route is None:
            raise StartRefused(f"{config.data_dir} is a real installation; choose another folder for the demo")
        async with registry.use(route.workspace_id) as workspace:
            sealed = await workspace.db.value("SELECT access_token_sealed FROM channel WHERE id = ?", route.channel_id)
            token = workspace.vault.open(sealed, table="channel", row=route.channel_id, column="access_token")
    return _World(app_secret=app.secret.decode(), verify_token=app.verify_token.reveal(),
                  access_token=token.reveal(), webhook_path=f"/webhooks/whatsapp/{key}", fresh=False)


class _Demo:
    """The simulator beside the appliance."""

    def __init__(self, config: Config, world: _World, address: str) -> None:
        self._config = config
        self._world = world
        self._address = address
        self._simulator: Simulator | None = None

    def make_app(self, services: Services) -> Litestar:
        simulator = Simulator(services.clock, services.ids)
        simulator.add_app(app_id=APP_ID, app_secret=self._world.app_secret, verify_token=self._world.verify_token,
                          webhook_url=self._address + self._world.webhook_path,
                          access_token=self._world.access_token)
        simulator.world.add_number(NUMBER, subscribed_app=APP_ID)
        self._simulator = simulator
        return create_app(services, simulator=simulator)

    async def begin(self, services: Services) -> None:
        """The sample conversations arrive as real webhooks; then people may sign in."""
        if self._simulator is None:
            return
        await seed(self._simulator, NUMBER.phone_number_id, deliver=self._world.fresh)
        route = await services.control.route(NUMBER.phone_number_id)
        if route is not None:
            services.runner.start(route.workspace_id, SYNC, NUMBER.waba_id)
            await self._hand_out(services, route.workspace_id)
        print(f"\nChime demo: {self._address}\n  sign in with  {DEMO_EMAIL}\n  password      {DEMO_PASSWORD}\n"
              f"  customer's phone, if you want it in a window of its own: {self._address}/simulator/phone\n"
              "Sample data only; nothing leaves this machine. Stop with Ctrl+C.\n", flush=True)

    async def _hand_out(self, services: Services, workspace_id: str) -> None:
        """Some of the sample conversations are the demo person's own, so that every view has something in it."""
        from chime import accounts, inbox

        if not self._world.fresh:
            return
        await services.runner.idle()
        people = await accounts.members(services.control.db, workspace_id)
        async with services.registry.use(workspace_id) as workspace:
            rows = await inbox.conversations(workspace.db, EVERYTHING, inbox.View.UNASSIGNED, user_id="")
            async with workspace.write(SYSTEM) as tx:
                await prices.create(tx, _sample_card(services.clock.now()))
                for row in rows[:5:2]:
                    await inbox.assign(tx, row.id, assignee_id=people[0].id, assignee_name=people[0].name)


def _sample_card(now: int) -> NewCard:
    """Prices to see where they are shown: the same everywhere, so that nobody takes them for Meta's, and called a
    sample wherever they stand."""
    amounts = {Category.MARKETING: 40_000, Category.UTILITY: 10_000, Category.AUTHENTICATION: 10_000}
    return NewCard(currency="USD", valid_from=rfc3339(now - 30 * DAY)[:10], name="Sample", is_sample=True, rates=[
        Rate(market=market, category=category, price_micros=micros) for market in MARKETS
        for category, micros in amounts.items()])
