"""`chime serve` on an empty data folder: the wizard on the appliance's own port, until there is an installation.

Whoever is faster makes it, the browser or `chime init` at the shell: the other one is told, and the process goes on as
the appliance.
"""

from __future__ import annotations

import asyncio
import gc
import socket

import uvloop

from chime import practice
from chime.clock import Clock
from chime.config import Config
from chime.errors import ChimeError
from chime.first_run import Begun, Desk, Draft, Owner, announce, forget_announcement
from chime.first_run.application_pages import first_run_app
from chime.ids import Ids
from chime.log import Log
from chime.memory import keep_memory_private
from chime.security.permissions import OPERATOR
from chime.security.vault import Secret
from chime.serve import Interim, wait_until
from chime.setup import NewInstallation, begin, connect, is_set_up, opened, own_master_key
from chime.web.language import catalogue
from chime.workspaces import find_masters
from chime.workspaces.kept_settings import with_settings
from chime.workspaces.recovery_sheet import sheet

LOOK_EVERY = 1.0
_log = Log("first_run")


def first_run(config: Config, sock: socket.socket) -> bool:
    """Block until there is an installation; False when a signal ended it. Raises StartRefused."""
    gc.enable()
    keep_memory_private(config)
    config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        is_done = runner.run(_wait(config, sock))
    if is_done:
        forget_announcement(config.data_dir)
    return is_done


async def _wait(config: Config, sock: socket.socket) -> bool:
    def make(closed: asyncio.Event) -> Interim:
        own_master_key(config)
        # Whoever reads the address may follow it at once.
        sock.listen()
        desk = desk_of(config, Clock(), Ids(), port=sock.getsockname()[1], closed=closed)
        return first_run_app(desk), over(config, desk)

    return await wait_until(config, sock, make)


def desk_of(config: Config, clock: Clock, ids: Ids, *, port: int, closed: asyncio.Event) -> Desk:
    """A desk nobody sits at yet, its token announced. Raises StartRefused without a master key."""
    master = Secret(find_masters(config.data_dir, config.master_key, config.master_key_previous)[0].hex())

    def written() -> str:
        return sheet(bytes.fromhex(master.reveal()), data_dir=config.data_dir, public_url=config.public_url,
                     at=clock.now())

    async def begin_with(draft: Draft, browser: tuple[str, str]) -> Begun:
        return await begin_from(config, draft, browser)

    return Desk(config, announce(config, ids, clock, port), begin_with, written, clock=clock, ids=ids,
                closed=closed)


async def begin_from(config: Config, draft: Draft, browser: tuple[str, str]) -> Begun:
    """The installation of the answers, then the number. Without its number it is whole all the same: that can be
    connected in the settings. Raises Conflict, Invalid."""
    owner = draft.owner
    assert owner is not None
    made = await begin(config, NewInstallation(
        email=owner.email, name=owner.name, workspace=owner.workspace, password=owner.password.reveal(),
        time_zone=owner.time_zone, locale=owner.locale, options=draft.options(), browser=browser,
        key_seen=draft.key_seen))
    try:
        if draft.number is not None:
            await connect(with_settings(config, draft.options()), made.workspace_id, draft.number)
        elif draft.practises:
            await _practise(config, owner, made.user_id)
    except ChimeError as error:
        _log.error("first_run.not_connected", error)
    return Begun(slug=made.workspace_slug, session=made.session)


async def _practise(config: Config, owner: Owner, user_id: str) -> None:
    """A workspace to practise in; the appliance runs its simulator from the start on. Raises Conflict, Invalid."""
    async with opened(config) as (control, registry):
        await practice.make(control, registry, Ids(), OPERATOR, data_dir=config.data_dir, user_id=user_id,
                            name=practice.workspace_name(catalogue(owner.locale).gettext), time_zone=owner.time_zone)


async def over(config: Config, desk: Desk) -> None:
    """Returns when there is an installation, whoever made it."""
    while not desk.done.is_set():
        try:
            async with asyncio.timeout(LOOK_EVERY):
                await desk.done.wait()
        except TimeoutError:
            try:
                if await asyncio.to_thread(is_set_up, config):
                    return
            except ChimeError:
                continue  # in the making at this very moment
