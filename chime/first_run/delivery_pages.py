"""Having WhatsApp deliver here: what to paste at Meta, and trying the way at once.

A try is the doctor's own: a signed delivery that we post to ourselves through the public address, one with a wrong
signature after it, and then what Meta says of where it posts to. It takes effect nowhere, and no message is sent.
"""

from __future__ import annotations

import msgspec
from litestar import get, post
from litestar.response import Response

from chime import channels
from chime.channels import Channel
from chime.checked import Check, State, bad, doubtful, words
from chime.doctor import RoundTrip, round_trip
from chime.security.permissions import Permission
from chime.web.here import Here

PAGE = "/w/{slug:str}/settings/channels/{channel_id:str}/delivery"
SEE = {"permission": Permission.CHANNELS_CONNECT}
SMALL = {"permission": Permission.CHANNELS_CONNECT, "small": True}
# What a reason holds -> what to do about it.
_NAME = words("The name leads nowhere yet: look at its entry in the DNS; a new one may take an hour to be known.")
_BECAUSE = (
    ("Name or service not known", _NAME), ("No address associated", _NAME), ("name resolution", _NAME),
    ("Connection refused", words("Nothing listens there: does the reverse proxy run, on port 443 for https?")),
    ("Connect call failed", words("Nothing listens there: does the reverse proxy run, on port 443 for https?")),
    ("no answer in ten seconds", words("Something swallows it: does a firewall let port 443 through, and can this "
                                       "server reach its own address?")),
    ("TLS", words("The certificate is not believed: it must name this host, be valid today and come with its whole "
                  "chain.")),
    ("status 404", words("The reverse proxy answers by itself: let it send /webhooks/ to CHIME_BIND.")),
    ("status 50", words("The reverse proxy does not reach Chime: does it send to CHIME_BIND?")))
# What Meta says of the way to us; of the rest the Connection page tells.
_OF_THE_WAY = ("webhook subscription", "webhook fields", "webhook address")


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """`way` is empty when a delivery came through; `at_meta` what Meta says, in the order in which one
    would mend it."""

    way: tuple[Check, ...]
    milliseconds: int
    at_meta: tuple[Check, ...]

    @property
    def is_well(self) -> bool:
        return not self.way and all(one.state is State.OK for one in self.at_meta)


@get(PAGE, opt=SEE, include_in_schema=False)
async def show_delivery(here: Here, channel_id: str) -> Response[bytes]:
    return await _page(here, await channels.one_within_reach(here.db, here.actor.channels, channel_id))


@post(PAGE + "/tries", opt=SMALL, include_in_schema=False, status_code=200)
async def create_delivery_try(here: Here, channel_id: str) -> Response[bytes]:
    """Asked for by the page as soon as it is open, and by its button."""
    channel = await channels.one_within_reach(here.db, here.actor.channels, channel_id)
    return await _page(here, channel, tried=await _tried(here, channel))


async def _page(here: Here, channel: Channel, *, tried: Tried | None = None) -> Response[bytes]:
    config = here.services.config
    base = config.public_url or f"http://{config.bind_host}:{config.bind_port}"
    app = await channels.our_app(here.services.control, channel.meta_app_id, base)
    is_part = tried is not None and bool(here.request.headers.get("hx-request"))
    return here.page("first_run/_delivery.html" if is_part else "first_run/delivery.html", channel=channel,
                     tried=tried, webhook_url=app.callback_url if app else "", public_url=config.public_url,
                     there=f"{here.base}/settings/channels/{channel.id}")


async def _tried(here: Here, channel: Channel) -> Tried:
    trip, milliseconds = await _trip(here, channel)
    return Tried(way=trip, milliseconds=milliseconds, at_meta=await _at_meta(here, channel))


async def _trip(here: Here, channel: Channel) -> tuple[tuple[Check, ...], int]:
    """What is wrong with the way, and how long it took there and back, the wrong one too."""
    name, ground = words("our own delivery"), here.request.app.state.doctor.ground
    key = await ground.control.db.value("SELECT app_key FROM meta_app WHERE id = ?", channel.meta_app_id)
    app = await ground.control.app(key) if key else None
    if not ground.config.public_url or app is None:
        return (bad(name, words("no public address is set, so WhatsApp cannot find this server"),
                    words("Set it under Installation, Address and mail.")),), 0
    begun = ground.clock.monotonic()
    found: RoundTrip = await round_trip(ground, key, app.secret)
    took = round((ground.clock.monotonic() - begun) * 1000)
    if found.trouble:
        return (bad(name, found.trouble, _advice(found), reason=found.reason),), took
    if not ground.config.public_url.startswith("https://"):
        return (doubtful(name, words("it came through, but the public address is not https"),
                         words("WhatsApp delivers to https only: put a reverse proxy in front, as the example files "
                               "show.")),), took
    return (), took


def _advice(found: RoundTrip) -> str:
    """What to do about this very reason, where it says more than that nobody answered."""
    return next((advice for part, advice in _BECAUSE if part in found.reason), found.advice)


async def _at_meta(here: Here, channel: Channel) -> tuple[Check, ...]:
    services = here.services
    token = await channels.access_token(here.db, here.workspace.vault, channel.id)
    app = await channels.our_app(services.control, channel.meta_app_id, services.config.public_url)
    found = [check async for check in channels.examine(services.graph, channel, token, app,
                                                       now=services.clock.real_now())]
    return tuple(one for one in found if one.name in _OF_THE_WAY)


ROUTES = [show_delivery, create_delivery_try]
