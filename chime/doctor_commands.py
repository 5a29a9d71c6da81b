"""`chime doctor`: every check of the installation, each with what to do when it fails. It changes nothing.

What only the running service can see, or has asked Meta and the public address within the last hours, is taken from
what it kept; without it those are asked now.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from chime import channels
from chime.accounts.oidc import Provider
from chime.checked import Check, bad, good
from chime.clock import Clock
from chime.config import Config
from chime.db import Kind
from chime.db.migrate import pending
from chime.doctor import STALE_AFTER, Ground, Kept, Trips, kept, of_files, of_installation, of_number, self_checks
from chime.doctor.installation import of_the_machine
from chime.errors import ChimeError, NotFound
from chime.ids import Ids
from chime.security.addresses import Place
from chime.setup import keys_of, named_workspace, opened
from chime.trust.claims import CHECKS
from chime.trust.ground import Ground as TrustGround
from chime.trust.runner import examined
from chime.web.egress import Egress
from chime.whatsapp import GraphClient
from chime.workspaces.presence import guest


async def examine(config: Config) -> list[Check]:
    """All checks, in the order in which one would mend things."""
    try:
        keys = keys_of(config)
    except ChimeError as error:
        return [*of_the_machine(config), bad("master key", str(error), "Set CHIME_MASTER_KEY to the key this "
                                             "installation was made with.")]
    found = [good("master key", "present (id %(id)s)", id=keys.master_key_id)]
    try:
        with guest(config.data_dir):
            keys.fit()
            missing = pending(config.data_dir / "control.db", keys.control_file, Kind.CONTROL)
        found.append(bad("control.db", "%(count)s migrations missing", "Run `chime migrate`.", count=missing) if missing
                     else good("control.db", "opens, up to date"))
    except ChimeError as error:
        return [*of_the_machine(config), *found, _no_control(error)]
    try:
        async with _ground(config) as ground:
            return found + [check async for check in _of_ground(ground)]
    except ChimeError as error:
        return [*of_the_machine(config), *found, _no_control(error)]


def _no_control(error: ChimeError) -> Check:
    return bad("control.db", "%(error)s", "Check the master key and the data folder; restore a backup if the file is "
               "damaged.", error=str(error))


@asynccontextmanager
async def _ground(config: Config) -> AsyncIterator[Ground]:
    """What the doctor of a running service has, without the service. Raises StartRefused."""
    graph, clock = GraphClient(config.graph_url, config.graph_version), Clock()
    egress = Egress(Place(*place) for place in config.egress_allow)
    provider = Provider(config.oidc, config.public_url, egress, clock) if config.oidc else None
    try:
        async with opened(config) as (control, registry):
            yield Ground(config=config, control=control, registry=registry, clock=clock, ids=Ids(), graph=graph,
                         provider=provider.trouble if provider else None)
    finally:
        await graph.close()


async def _of_ground(ground: Ground) -> AsyncIterator[Check]:
    trips = Trips(ground)
    for check in await of_installation(replace(ground, more=(lambda: _claims(ground),)), trips):
        yield check
    async for check in of_files(ground):
        yield check
    async for check in _numbers(ground, trips):
        yield check


async def _claims(ground: Ground) -> list[Check]:
    """What the trust page tries hourly, as far as it can be tried without the running service."""
    about = TrustGround(config=ground.config, control=ground.control, registry=ground.registry, clock=ground.clock)
    return self_checks({name: await examined(about, name) for name in CHECKS})


async def _numbers(ground: Ground, trips: Trips) -> AsyncIterator[Check]:
    """Of every workspace whose files are in order; of the others their own line says so."""
    for record in await ground.control.workspaces():
        if record.state == "active":
            try:
                for check in await _of_workspace(ground, record.id, trips, fresh=True):
                    yield check
            except (ChimeError, OSError):
                continue


async def _of_workspace(ground: Ground, workspace_id: str, trips: Trips, *, fresh: bool,
                        channel_id: str | None = None) -> list[Check]:
    """`fresh`: what the running service found of a number within the last hours is good enough."""
    found: list[Check] = []
    known = await kept(ground.control.db, workspace_id) if fresh else []
    async with ground.registry.use(workspace_id) as workspace:
        for channel in await channels.channels(workspace.db):
            if channel_id in (None, channel.id):
                checks = _still_good(ground, known, channel.id) or await of_number(ground, workspace, channel, trips)
                found += [check.named(f"number {channel.display_phone}") for check in checks]
    return found


def _still_good(ground: Ground, known: list[Kept], channel_id: str) -> list[Check]:
    since = ground.clock.real_now() - STALE_AFTER
    return [one.check for one in known if one.channel_id == channel_id and one.at >= since]


async def examine_channels(config: Config, workspace: str, channel_id: str | None) -> list[Check]:
    """Every check of one number, or of all of a workspace's, asked now. Raises NotFound."""
    async with _ground(config) as ground:
        record = await named_workspace(ground.control, workspace)
        found = await _of_workspace(ground, record.id, Trips(ground), fresh=False, channel_id=channel_id)
    if not found:
        raise NotFound("there is no such channel; `chime channel list` shows them")
    return found
