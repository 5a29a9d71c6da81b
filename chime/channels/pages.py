"""The workspace's numbers as pages: their state, the connection doctor, connecting and disconnecting one."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime.channels import checks, queries
from chime.channels.actions import CHECK, NewChannel, add, check_form, remove
from chime.channels.jobs import CONNECTED
from chime.channels.model import Channel
from chime.errors import ChimeError, Refused
from chime.security.permissions import Permission
from chime.security.vault import Secret
from chime.web.forms import form_fields
from chime.web.here import Here

READ = {"permission": Permission.CHANNELS_READ}
CONNECT = {"permission": Permission.CHANNELS_CONNECT, "step_up": True}
CHECKS = {"permission": Permission.CHANNELS_CONNECT, "small": True}
PAGE = "/w/{slug:str}/settings/channels"
_FIELDS = ("phone_number_id", "waba_id", "display_phone", "app_id")


async def shown(here: Here) -> list[Channel]:
    """Those the reader's membership is not limited away from."""
    return await queries.within_reach(here.db, here.actor.channels)


async def one(here: Here, channel_id: str) -> Channel:
    """Raises NotFound."""
    return await queries.one_within_reach(here.db, here.actor.channels, channel_id)


@get(PAGE, opt=READ)
async def list_channels(here: Here) -> Response[bytes]:
    return here.page("channels/index.html", channels=await shown(here), checked={}, errors={},
                     said=here.request.query_params.get("said", ""))


@post(PAGE + "/{channel_id:str}/checks", opt=CHECKS, status_code=200)
async def create_check(here: Here, channel_id: str) -> Response[bytes]:
    """Ask Meta now; nothing is changed but what is known of the number, by the job that asks every day."""
    channel = await one(here, channel_id)
    token = await queries.access_token(here.db, here.workspace.vault, channel_id)
    app = await queries.our_app(here.services.control, channel.meta_app_id, here.services.config.public_url)
    found = [check async for check in checks.examine(here.services.graph, channel, token, app,
                                                     now=here.services.clock.real_now())]
    here.services.runner.start(here.record.id, CHECK, channel_id)
    return here.page("channels/index.html", channels=await shown(here), checked={channel_id: found}, errors={}, said="")


@get(PAGE + "/new", opt=CONNECT)
async def new_channel(here: Here) -> Response[bytes]:
    return await _form(here, {})


async def _form(here: Here, values: dict[str, str], *, status: int = 200, errors: dict[str, str] | None = None
                ) -> Response[bytes]:
    kept = {name: value for name, value in values.items() if name in _FIELDS}
    apps = {row.meta_app_id for row in await queries.channels(here.db)}
    known = [app for app_id in sorted(apps)
             if (app := await queries.app_shown(here.services.control.db, app_id, here.record.id)) is not None]
    return here.page("channels/new.html", status=status, values=kept, errors=errors or {}, apps=known)


@post(PAGE, opt=CONNECT, status_code=303)
async def create_channel(here: Here) -> Response[Any]:
    """The token must read the number and the account, and a secret that is given must be the app's: so nobody connects
    what is another's."""
    fields = await form_fields(here.request)
    texts = {name: fields.get(name, "").strip() for name in (*_FIELDS, "access_token", "app_secret", "verify_token")}
    new = NewChannel(**{name: texts[name] for name in (*_FIELDS, "access_token")},
                     app_secret=texts["app_secret"] or None, verify_token=texts["verify_token"] or None)
    try:
        check_form(new)
        await _try(here, new)
        async with here.services.control.write(here.actor) as outer, here.workspace.write(here.actor) as inner:
            made = await add(outer, inner, new, control_vault=here.services.control.vault, vault=here.workspace.vault,
                             ids=here.services.ids, workspace_id=here.record.id)
            inner.enqueue(CHECK, made.channel_id)
        # Not with the inner transaction, which is the first to end: the job asks the outer one whose the number is.
        here.services.runner.start(here.record.id, CONNECTED, made.channel_id)
    except ChimeError as error:
        if error.status not in (409, 422):
            raise
        return await _form(here, fields, status=error.status, errors=here.problems(error))
    return Redirect(f"{here.base}/settings/channels/{made.channel_id}?said=connected", status_code=303)


async def _try(here: Here, new: NewChannel) -> None:
    """Raises Invalid, Refused."""
    control = here.services.control
    known = await queries.app_by_metas_id(control.db, new.app_id)
    app = await control.app_by_id(known) if known else None
    token = Secret(new.access_token)
    secret = Secret(new.app_secret) if new.app_secret else None
    if secret is not None:
        await checks.try_app_secret(here.services.graph, token, app_id=new.app_id, app_secret=secret)
    if known and new.verify_token:
        shown = await queries.app_shown(control.db, known, here.record.id)
        if shown is not None and shown.shared:
            raise Refused("Other workspaces use this Meta app as well; leave its verify token empty.",
                          code="shared_app")
    used = secret.reveal().encode() if secret else app.secret if app else None
    await checks.try_token(here.services.graph, token, phone_number_id=new.phone_number_id, waba_id=new.waba_id,
                           app_secret=used)


@post(PAGE + "/{channel_id:str}/removal", opt=CONNECT, status_code=303)
async def create_removal(here: Here, channel_id: str) -> Response[Any]:
    """The number's conversations stay readable; its token is gone."""
    await one(here, channel_id)
    async with here.services.control.write(here.actor) as outer, here.workspace.write(here.actor) as inner:
        await remove(outer, inner, channel_id)
    return Redirect(f"{here.base}/settings/channels?said=removed", status_code=303)


ROUTES = [list_channels, create_check, new_channel, create_channel, create_removal]
