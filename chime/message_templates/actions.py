"""Keeping our copy of Meta's templates."""

from __future__ import annotations

from typing import Any

import msgspec

from chime.whatsapp.events import TemplateChanged
from chime.workspaces import Transaction

SYNC = "message_templates.sync"
# What a status webhook's event leaves the template in (whatsapp-messaging.md 4).
_STATUS = {"APPROVED": "APPROVED", "REINSTATED": "APPROVED", "UNARCHIVED": "APPROVED", "FLAGGED": "APPROVED"}


async def replace_all(tx: Transaction, waba_id: str, found: list[dict[str, Any]]) -> int:
    """Take over Meta's whole list; how many templates there are."""
    for row in found:
        await tx.execute(
            "INSERT INTO message_template (id, meta_template_id, waba_id, name, language, category, status, quality, "
            "parameter_format, components_json, synced_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (waba_id, name, language) DO UPDATE SET meta_template_id = excluded.meta_template_id, "
            "category = excluded.category, status = excluded.status, quality = excluded.quality, "
            "parameter_format = excluded.parameter_format, components_json = excluded.components_json, "
            "synced_at = excluded.synced_at",
            tx.new_id(), str(row.get("id", "")), waba_id, str(row.get("name", "")), str(row.get("language", "")),
            str(row.get("category", "")).upper(), str(row.get("status", "")).upper(), _quality(row),
            str(row.get("parameter_format") or "POSITIONAL").upper(),
            msgspec.json.encode(row.get("components") or []).decode(), tx.now)
    await tx.execute("DELETE FROM message_template WHERE waba_id = ? AND synced_at < ?", waba_id, tx.now)
    tx.publish("templates", waba_id)
    return len(found)


def _quality(row: dict[str, Any]) -> str:
    score = row.get("quality_score")
    return str(score.get("score", "UNKNOWN")).upper() if isinstance(score, dict) else "UNKNOWN"


async def apply_change(tx: Transaction, event: TemplateChanged) -> None:
    """News from a webhook: status, category or quality of one template."""
    if event.kind == "status":
        await tx.execute("UPDATE message_template SET status = ? WHERE meta_template_id = ?",
                         _STATUS.get(event.event, event.event), event.template_id)
    elif event.kind == "category" and event.event == "changed" and event.details.get("new_category"):
        await tx.execute("UPDATE message_template SET category = ? WHERE meta_template_id = ?",
                         str(event.details["new_category"]).upper(), event.template_id)
    elif event.kind == "quality":
        await tx.execute("UPDATE message_template SET quality = ? WHERE meta_template_id = ?",
                         event.event, event.template_id)
    tx.publish("templates", event.template_id)
