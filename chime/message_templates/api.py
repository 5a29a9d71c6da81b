"""The templates of a workspace's accounts, for scripts."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get

from chime.clock import rfc3339
from chime.message_templates import queries
from chime.message_templates.queries import SyncedTemplate
from chime.security.permissions import Permission
from chime.web.here import Here
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, Parameter, api


class TemplateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A template in one language, in Meta's words. Only those whose `status` is APPROVED can be sent."""

    id: str
    meta_template_id: str
    waba_id: str
    name: str
    language: str
    category: str
    status: str
    quality: str
    parameter_format: str
    components: list[dict[str, Any]]
    synced_at: Moment

    @classmethod
    def of(cls, template: SyncedTemplate) -> TemplateAnswer:
        same = {name: getattr(template, name) for name in cls.__struct_fields__ if name != "synced_at"}
        return cls(**same, synced_at=rfc3339(template.synced_at))


@get("/api/v1/templates", opt=api(Permission.TEMPLATES_READ, Operation(
    tag="templates", summary="List templates",
    description="Chime's copy of what Meta has, the longest known first.",
    answer=Page[TemplateAnswer],
    parameters=(*PAGED, Parameter(name="name", meaning="Only templates of this name"),
                Parameter(name="status", meaning="Only those Meta has in this state, such as APPROVED")),
    response_example={"items": [{
        "id": "01kafx2v9m3q8r5t7w1y4z6b0f", "meta_template_id": "1188200330044", "waba_id": "377001122334455",
        "name": "order_confirmation", "language": "en", "category": "UTILITY", "status": "APPROVED",
        "quality": "GREEN", "parameter_format": "POSITIONAL",
        "components": [{"type": "BODY", "text": "Thank you, {{1}}! Your order {{2}} is in."}],
        "synced_at": "2026-11-21T09:00:00.000Z"}], "next_cursor": None})))
async def list_templates(here: Here) -> Page[TemplateAnswer]:
    query = query_of(here.request, "name", "status")
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    rows = await queries.templates_page(here.db, name=query.get("name", ""), status=query.get("status", "").upper(),
                                        after=after[1] if after else "", limit=limit + 1)
    return page_of(rows, limit, place=lambda row: (0, row.id), told=TemplateAnswer.of)


ROUTES = [list_templates]
