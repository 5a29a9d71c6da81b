"""One number's page: what is known of it, what to paste into Meta's dashboard, and each of its credentials, which are
replaced one by one. None is ever shown; an empty field changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime.channels import checks, credentials, queries
from chime.channels.actions import CHECK
from chime.channels.model import Channel
from chime.channels.pages import CONNECT, PAGE, one
from chime.errors import ChimeError, Invalid, NotFound
from chime.security.vault import Secret
from chime.web.forms import form_fields
from chime.web.here import Here

_ONE = PAGE + "/{channel_id:str}"
Replace = Callable[[Here, Channel, Secret], Awaitable[None]]


@get(_ONE, opt=CONNECT)
async def show_channel(here: Here, channel_id: str) -> Response[bytes]:
    return await _page(here, await one(here, channel_id))


async def _page(here: Here, channel: Channel, *, status: int = 200, errors: dict[str, str] | None = None
                ) -> Response[bytes]:
    app = await queries.app_shown(here.services.control.db, channel.meta_app_id, here.record.id)
    config = here.services.config
    base = config.public_url or f"http://{config.bind_host}:{config.bind_port}"
    return here.page("channels/channel.html", status=status, channel=channel, app=app, errors=errors or {},
                     webhook_url=f"{base}/webhooks/whatsapp/{app.app_key}" if app else "",
                     said=here.request.query_params.get("said", ""))


async def _replaced(here: Here, channel_id: str, field: str, replace: Replace) -> Response[Any]:
    channel = await one(here, channel_id)
    text = (await form_fields(here.request)).get(field, "").strip()
    try:
        if not text:
            raise Invalid.field(field, "Nothing was entered, so nothing was changed.")
        await replace(here, channel, Secret(text))
    except ChimeError as error:
        if error.status != 422:
            raise
        problems = here.problems(error)
        return await _page(here, channel, status=422, errors={field: problems.get(field) or problems.get("", "")})
    return Redirect(f"{here.base}/settings/channels/{channel_id}?said={field}", status_code=303)


@post(_ONE + "/access-token", opt=CONNECT, status_code=303)
async def edit_access_token(here: Here, channel_id: str) -> Response[Any]:
    return await _replaced(here, channel_id, "access_token", _replace_token)


async def _replace_token(here: Here, channel: Channel, token: Secret) -> None:
    app = await here.services.control.app_by_id(channel.meta_app_id)
    await checks.try_token(here.services.graph, token, phone_number_id=channel.phone_number_id, waba_id=channel.waba_id,
                           app_secret=app.secret if app else None)
    async with here.workspace.write(here.actor) as tx:
        await credentials.replace_token(tx, here.workspace.vault, channel.id, token)
        tx.enqueue(CHECK, channel.id)


@post(_ONE + "/app-secret", opt=CONNECT, status_code=303)
async def edit_app_secret(here: Here, channel_id: str) -> Response[Any]:
    return await _replaced(here, channel_id, "app_secret", _replace_secret)


async def _replace_secret(here: Here, channel: Channel, secret: Secret) -> None:
    control = here.services.control
    app = await queries.app_shown(control.db, channel.meta_app_id, here.record.id)
    if app is None:
        raise NotFound("There is no such app.")
    token = await queries.access_token(here.db, here.workspace.vault, channel.id)
    await checks.try_app_secret(here.services.graph, token, app_id=app.app_id, app_secret=secret)
    async with control.write(here.actor) as tx:
        await credentials.replace_app_secret(tx, control.vault, app.id, secret)


@post(_ONE + "/previous-app-secret/removal", opt=CONNECT, status_code=303)
async def create_previous_secret_removal(here: Here, channel_id: str) -> Response[Any]:
    channel = await one(here, channel_id)
    async with here.services.control.write(here.actor) as tx:
        await credentials.forget_previous_app_secret(tx, channel.meta_app_id)
    return Redirect(f"{here.base}/settings/channels/{channel_id}?said=forgotten", status_code=303)


@post(_ONE + "/verify-token", opt=CONNECT, status_code=303)
async def edit_verify_token(here: Here, channel_id: str) -> Response[Any]:
    return await _replaced(here, channel_id, "verify_token", _replace_verify_token)


async def _replace_verify_token(here: Here, channel: Channel, token: Secret) -> None:
    control = here.services.control
    async with control.write(here.actor) as tx:
        await credentials.replace_verify_token(tx, control.vault, channel.meta_app_id, token,
                                               workspace_id=here.record.id)


ROUTES = [show_channel, edit_access_token, edit_app_secret, create_previous_secret_removal, edit_verify_token]
