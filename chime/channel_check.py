"""`chime channel check`: the connection doctor. Asks Meta what a number needs to work: token, number, subscription."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from chime import channels
from chime.channels import Channel
from chime.config import Config
from chime.doctor import Check
from chime.errors import NotFound
from chime.security.vault import Secret
from chime.setup import named_workspace, opened
from chime.whatsapp import Doubtful, GraphClient, GraphRefused, NotSent
from chime.workspaces import Control


async def examine_channels(config: Config, workspace: str, channel_id: str | None) -> list[Check]:
    """Every check of one number, or of all of a workspace's. Raises NotFound."""
    graph = GraphClient(config.graph_url, config.graph_version)
    found: list[Check] = []
    try:
        async with opened(config) as (control, registry):
            record = await named_workspace(control, workspace)
            async with registry.use(record.id) as opened_workspace:
                for channel in await channels.channels(opened_workspace.db):
                    if channel_id not in (None, channel.id):
                        continue
                    token = await channels.access_token(opened_workspace.db, opened_workspace.vault, channel.id)
                    found += [check async for check in _examine(graph, control, channel, token)]
    finally:
        await graph.close()
    if not found:
        raise NotFound("there is no such channel; `chime channel list` shows them")
    return found


async def _examine(graph: GraphClient, control: Control, channel: Channel, token: Secret) -> AsyncIterator[Check]:
    app = await control.app_by_id(channel.meta_app_id)
    secret = app.secret if app else None
    yield await _asked(f"{channel.display_phone}: token and number",
                       graph.phone_number(channel.phone_number_id, token, app_secret=secret), _about_number,
                       "Check the phone number id, and that the token's system user may use this number.")
    yield await _asked(f"{channel.display_phone}: webhook subscription",
                       graph.subscribed_apps(channel.waba_id, token, app_secret=secret), _about_subscription,
                       "Without it Meta sends nothing. Subscribe the app to the account (POST subscribed_apps).")


async def _asked(name: str, call: Any, about: Any, what_to_do: str) -> Check:
    try:
        ok, detail = about(await call)
    except GraphRefused as refusal:
        return Check(name=name, ok=False, detail=refusal.failure.title, what_to_do=refusal.failure.what_to_do)
    except (NotSent, Doubtful) as error:
        return Check(name=name, ok=False, detail=str(error), what_to_do="Check the network and CHIME_GRAPH_URL.")
    return Check(name=name, ok=ok, detail=detail, what_to_do="" if ok else what_to_do)


def _about_number(found: dict[str, Any]) -> tuple[bool, str]:
    status = str(found.get("status") or "CONNECTED")
    return status == "CONNECTED", f"{found.get('verified_name', '')} {status} quality {found.get('quality_rating', '')}"


def _about_subscription(found: list[Any]) -> tuple[bool, str]:
    return bool(found), f"{len(found)} apps subscribed"
