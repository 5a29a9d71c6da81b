"""The numbers of a workspace, for scripts. Their tokens are told to nobody."""

from __future__ import annotations

import msgspec
from litestar import get

from chime.channels import queries
from chime.channels.model import Channel
from chime.clock import rfc3339
from chime.security.permissions import Permission
from chime.web.here import Here
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, api


class ChannelAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A number to write from. `state` is connected, or reconnect when Meta refuses its token; `trouble` says why."""

    id: str
    display_phone: str
    verified_name: str
    phone_number_id: str
    waba_id: str
    quality: str
    state: str
    trouble: str
    created_at: Moment

    @classmethod
    def of(cls, channel: Channel) -> ChannelAnswer:
        same = {name: getattr(channel, name) for name in cls.__struct_fields__ if name != "created_at"}
        return cls(**same, created_at=rfc3339(channel.created_at))


@get("/api/v1/channels", opt=api(Permission.CHANNELS_READ, Operation(
    tag="channels", summary="List channels", description="The numbers you write from, the oldest first.",
    answer=Page[ChannelAnswer], parameters=PAGED,
    response_example={"items": [{
        "id": "01kafx2v9m3q8r5t7w1y4z6b0e", "display_phone": "+1 555-010-0200", "verified_name": "Chime Demo Shop",
        "phone_number_id": "411222333444555", "waba_id": "377001122334455", "quality": "GREEN",
        "state": "connected", "trouble": "", "created_at": "2026-11-21T09:00:00.000Z"}], "next_cursor": None})))
async def list_channels(here: Here) -> Page[ChannelAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor")) or (-1, "")
    rows = [row for row in await queries.within_reach(here.db, here.actor.channels) if (row.created_at, row.id) > after]
    return page_of(rows[:limit + 1], limit, place=lambda row: (row.created_at, row.id), told=ChannelAnswer.of)


ROUTES = [list_channels]
