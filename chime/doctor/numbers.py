"""Checks of one number: what Meta says of it, the way of a webhook to us, and whether WhatsApp has gone silent."""

from __future__ import annotations

from chime import channels
from chime.channels import Channel
from chime.checked import Check, bad, words
from chime.doctor import outside
from chime.doctor.ground import Ground
from chime.doctor.model import Found
from chime.doctor.outside import RoundTrip
from chime.doctor.silence import missed, silence
from chime.security.crypto import CannotOpen
from chime.workspaces import Workspace


class Trips:
    """Round trips of one look around: the numbers of one Meta app share an address."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._made: dict[str, RoundTrip] = {}

    async def of_app(self, meta_app_id: str) -> RoundTrip | None:
        if not self._ground.config.public_url:
            return None
        if meta_app_id not in self._made:
            key = await self._ground.control.db.value("SELECT app_key FROM meta_app WHERE id = ?", meta_app_id)
            app = await self._ground.control.app(key) if key else None
            if app is None:
                return None
            self._made[meta_app_id] = await outside.round_trip(self._ground, key, app.secret)
        return self._made[meta_app_id]

    async def any_app(self) -> tuple[str, bytes] | None:
        """Key and secret of whichever Meta app is known first; None while there is none."""
        key = await self._ground.control.db.value("SELECT app_key FROM meta_app ORDER BY created_at, id LIMIT 1")
        app = await self._ground.control.app(key) if key else None
        return (key, app.secret) if app is not None else None

    async def any_of_ours(self) -> RoundTrip | None:
        """Of whichever Meta app is known first; None while there is none."""
        meta_app_id = await self._ground.control.db.value("SELECT id FROM meta_app ORDER BY created_at, id LIMIT 1")
        return await self.of_app(meta_app_id) if meta_app_id else None


async def of_number(ground: Ground, workspace: Workspace, channel: Channel, trips: Trips) -> list[Check]:
    """Every check of one number, in the order in which one would mend things."""
    try:
        token = await channels.access_token(workspace.db, workspace.vault, channel.id)
    except CannotOpen:
        return [bad(words("access token"), words("the access token cannot be opened with this workspace’s keys"),
                    words("Enter it again under Credentials of this number."), where="/settings/channels")]
    app = await channels.our_app(ground.control, channel.meta_app_id, ground.config.public_url)
    found = [check async for check in channels.examine(ground.graph, channel, token, app,
                                                       now=ground.clock.real_now())]
    found.append(outside.signature_check(ground, await trips.of_app(channel.meta_app_id)))
    now = ground.clock.now()
    found.append(silence(channel, await missed(workspace, channel.id, now), now))
    return found


async def of_workspace(ground: Ground, workspace: Workspace, trips: Trips) -> list[Found]:
    """Of all its numbers."""
    return [Found(channel.id, check) for channel in await channels.channels(workspace.db)
            for check in await of_number(ground, workspace, channel, trips)]
