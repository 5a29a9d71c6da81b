"""A workspace's Connection page: each number, what was found of it, its last days, and looking again."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime import channels
from chime.channels import Channel
from chime.checked import State
from chime.doctor import actions, queries
from chime.doctor.alarms import CONNECTION
from chime.doctor.model import STALE_AFTER
from chime.doctor.watch import Doctor
from chime.errors import ChimeError, Refused
from chime.security.permissions import Permission
from chime.web.forms import form_fields
from chime.web.here import Here
from chime.whatsapp import Doubtful, GraphRefused, NotSent

SEE = {"permission": Permission.CHANNELS_CONNECT}
SMALL = {"permission": Permission.CHANNELS_CONNECT, "small": True}
PROVEN = {"permission": Permission.CHANNELS_CONNECT, "step_up": True}
PAGE = "/w/{slug:str}" + CONNECTION


async def _numbers(here: Here) -> list[Channel]:
    """Those the reader's membership is not limited away from."""
    return await channels.within_reach(here.db, here.actor.channels)


async def _one(here: Here, channel_id: str) -> Channel:
    """Raises NotFound."""
    return await channels.one_within_reach(here.db, here.actor.channels, channel_id)


@get(PAGE, opt=SEE)
async def show_connection(here: Here) -> Response[bytes]:
    return await _shown(here, "doctor/connection.html")


@get(PAGE + "/progress", opt=SEE)
async def show_connection_progress(here: Here) -> Response[bytes]:
    """The numbers alone, asked for while a look is under way."""
    return await _shown(here, "doctor/_connection.html")


async def _shown(here: Here, template: str, *, status: int = 200, error: str = "") -> Response[bytes]:
    control, now = here.services.control.db, here.services.clock.real_now()
    doctor: Doctor = here.request.app.state.doctor
    numbers = await _numbers(here)
    kept = await queries.kept(control, here.record.id)
    found = {channel.id: [one for one in kept if one.channel_id == channel.id] for channel in numbers}
    counts = {channel_id: {state.value: sum(one.state is state for one in rows) for state in State}
              for channel_id, rows in found.items()}
    return here.page(template, status=status, numbers=numbers, found=found, counts=counts, now=now, error=error,
                     days=await queries.days(control, here.record.id, now=now), stale_after=STALE_AFTER,
                     running=doctor.is_looking(here.record.id), there=here.base + CONNECTION,
                     said=here.request.query_params.get("said", ""))


@post(PAGE + "/looks", opt=SMALL, status_code=303)
async def create_connection_look(here: Here) -> Response[Any]:
    """Look now; the page shows how it goes."""
    doctor: Doctor = here.request.app.state.doctor
    try:
        await doctor.look_soon(here.record.id)
    except ChimeError as error:
        if error.status != 429:
            raise
        return await _refused(here, error)
    return Redirect(here.base + CONNECTION, status_code=303)


@post(PAGE + "/{channel_id:str}/reminders", opt=SMALL, status_code=303)
async def create_connection_reminder(here: Here, channel_id: str) -> Response[Any]:
    """They know; whoever else would be told hears of it again in a day."""
    channel = await _one(here, channel_id)
    name = (await form_fields(here.request)).get("name", "")
    try:
        async with here.services.control.write(here.actor) as tx:
            await actions.silence(tx, here.record.id, channel.id, name, now=here.services.clock.real_now())
    except ChimeError as error:
        if error.status not in (404, 422):
            raise
        return await _refused(here, error)
    return Redirect(f"{here.base}{CONNECTION}?said=silenced", status_code=303)


@post(PAGE + "/{channel_id:str}/subscription", opt=PROVEN, status_code=303)
async def create_connection_subscription(here: Here, channel_id: str) -> Response[Any]:
    """Have Meta send this account's webhooks to our app; then look whether it does."""
    channel = await _one(here, channel_id)
    try:
        await _subscribe(here, channel)
    except ChimeError as error:
        if error.status not in (409, 422):
            raise
        return await _refused(here, error)
    async with here.workspace.write(here.actor) as tx:
        await tx.audit("channel.subscribed", "channel", channel.id)
    doctor: Doctor = here.request.app.state.doctor
    await doctor.look(here.record.id)
    return Redirect(f"{here.base}{CONNECTION}?said=subscribed", status_code=303)


async def _subscribe(here: Here, channel: Channel) -> None:
    """Raises Refused."""
    token = await channels.access_token(here.db, here.workspace.vault, channel.id)
    app = await channels.our_app(here.services.control, channel.meta_app_id, here.services.config.public_url)
    try:
        await here.services.graph.subscribe_app(channel.waba_id, token, app_secret=app.secret if app else None)
    except GraphRefused as refusal:
        raise Refused(f"{refusal.failure.title} {refusal.failure.what_to_do}".strip(), code="meta_refused") from None
    except (NotSent, Doubtful):
        raise Refused("WhatsApp could not be asked just now; try again.", code="meta_unreached") from None


async def _refused(here: Here, error: ChimeError) -> Response[bytes]:
    return await _shown(here, "doctor/connection.html", status=error.status, error=here.words(error.said))


ROUTES = [show_connection, show_connection_progress, create_connection_look, create_connection_reminder,
          create_connection_subscription]
