"""What the Graph API answers when it is asked for something: numbers, media, templates, subscriptions, tokens."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from litestar import Response

from chime.simulator import identifiers
from chime.simulator.graph_errors import bad
from chime.simulator.model import MEDIA_ADDRESS_LIFE, App, Media, Number, Subscription, Template, World
from chime.simulator.simulator import Simulator

SCOPES = ["business_management", "whatsapp_business_management", "whatsapp_business_messaging"]
MAX_PAGE = 1_000

_NUMBER_FIELDS = ("verified_name", "code_verification_status", "display_phone_number", "quality_rating")
_TEMPLATE_FIELDS = (
    "id", "name", "status", "category", "language", "components", "parameter_format", "quality_score",
    "rejected_reason", "previous_category", "correct_category", "sub_category", "message_send_ttl_seconds",
)
_TEMPLATE_DEFAULT = ("name", "parameter_format", "components", "language", "status", "category", "id")


def phone_number(number: Number, asked: str | None) -> dict[str, Any]:
    """`GET /{PNID}?fields=`; without fields Meta's default ones."""
    digits = number.display_phone_number
    known: dict[str, Any] = {
        "id": number.phone_number_id,
        "display_phone_number": f"+{digits[:-10]} {digits[-10:-7]}-{digits[-7:-4]}-{digits[-4:]}",
        "verified_name": number.verified_name,
        "quality_rating": number.quality_rating,
        "status": number.status,
        "name_status": number.name_status,
        "new_name_status": "NONE",
        "code_verification_status": "VERIFIED",
        "platform_type": "CLOUD_API",
        "account_mode": "LIVE",
        "throughput": {"level": "STANDARD"},
        "health_status": _health(number),
        "webhook_configuration": {"phone_number": number.override_url} if number.override_url else {},
        "is_official_business_account": False,
        "is_pin_enabled": True,
        "last_onboarded_time": "2026-01-05T09:00:00+0000",
        "whatsapp_business_manager_messaging_limit": number.messaging_limit,
        "messaging_limit_tier": number.messaging_limit,
        "username": None,
    }
    fields = _fields(asked, _NUMBER_FIELDS)
    unknown = [name for name in fields if name not in known]
    if unknown:
        raise bad(f"Tried accessing nonexisting field ({unknown[0]}) on node type (WhatsAppBusinessPhoneNumber)")
    return {name: known[name] for name in dict.fromkeys((*fields, "id")) if known[name] is not None}


def block(simulator: Simulator, number: Number, body: dict[str, Any], *, blocked: bool) -> Response[dict[str, Any]]:
    """`POST|DELETE /{PNID}/block_users`: who cannot be blocked is named beside an error, the others are blocked."""
    given = body.get("block_users")
    if body.get("messaging_product") != "whatsapp" or not isinstance(given, list) or not given:
        raise bad("The parameters messaging_product and block_users are required.")
    done, failed = [], []
    for one in given:
        address = str(one.get("user") or one.get("user_id") or "")
        customer = simulator.world.customer_at(address.lstrip("+"))
        chat = simulator.world.conversation(customer, number.phone_number_id) if customer else None
        if chat is None or (blocked and chat.window_until <= simulator.clock.now()):
            failed.append({"input": address, "errors": [{"code": 131047, "message": "Re-engagement required"}]})
            continue
        chat.blocked = blocked
        done.append({"input": address, "wa_id": customer.address if customer else ""})
    answer: dict[str, Any] = {"messaging_product": "whatsapp",
                              "block_users": {"added_users" if blocked else "removed_users": done}}
    if not failed:
        return Response(answer)
    answer["block_users"]["failed_users"] = failed
    answer["error"] = {"message": "(#139100) Failed to block/unblock users", "type": "OAuthException", "code": 139100}
    return Response(answer, status_code=400)


def _health(number: Number) -> dict[str, Any]:
    state = number.can_send or ("AVAILABLE" if number.status == "CONNECTED" else "BLOCKED")
    entities = [("PHONE_NUMBER", number.phone_number_id), ("WABA", number.waba_id)]
    return {
        "can_send_message": state,
        "entities": [{"entity_type": kind, "id": name, "can_send_message": state} for kind, name in entities],
    }


def media(simulator: Simulator, found: Media, route: str) -> dict[str, Any]:
    """`GET /{MEDIA_ID}`: an address that lives five minutes."""
    expires = (simulator.clock.now() + MEDIA_ADDRESS_LIFE) // 1000
    query = urlencode({"ext": expires, "hash": simulator.world.media_address(found)})
    return {
        "messaging_product": "whatsapp",
        "url": f"{route}/{found.media_id}?{query}",
        "mime_type": found.mime_type,
        "sha256": found.sha256,
        "file_size": len(found.content),
        "id": found.media_id,
    }


def templates(known: dict[str, Template], query: dict[str, Any], here: str) -> dict[str, Any]:
    """`GET /{WABA}/message_templates`: filters, cursor paging, `next` only when there is more."""
    wanted = [template for template in known.values() if _matches(template, query)]
    try:
        limit = int(query.get("limit", 25))
    except ValueError as error:
        raise bad("Param limit must be an integer.") from error
    if not 1 <= limit <= MAX_PAGE:
        raise bad(f"Param limit must be from 1 to {MAX_PAGE}.")
    start = _start(query.get("after"))
    page = wanted[start : start + limit]
    fields = _fields(query.get("fields"), _TEMPLATE_DEFAULT)
    answer: dict[str, Any] = {"data": [_template(template, fields) for template in page]}
    if page:
        after = identifiers.cursor(start + len(page))
        answer["paging"] = {"cursors": {"before": identifiers.cursor(start), "after": after}}
        if start + len(page) < len(wanted):
            keep = {key: item for key, item in query.items() if key != "access_token"}
            answer["paging"]["next"] = f"{here}?{urlencode({**keep, 'after': after})}"
    return answer


def _matches(template: Template, query: dict[str, Any]) -> bool:
    name = query.get("name")
    exact = all(
        query.get(key) in (None, getattr(template, key)) for key in ("language", "status", "category")
    )
    return exact and (name is None or name in template.name)


def _start(after: str | None) -> int:
    position = identifiers.cursor_position(after) if after else 0
    if position is None:
        raise bad("Param after is no cursor of this list.")
    return position


def _template(template: Template, fields: tuple[str, ...]) -> dict[str, Any]:
    known: dict[str, Any] = {
        "id": template.template_id,
        "name": template.name,
        "status": template.status,
        "category": template.category,
        "language": template.language,
        "components": template.components,
        "parameter_format": template.parameter_format,
        "quality_score": {"score": template.quality},
        "rejected_reason": "NONE",
    }
    unknown = [name for name in fields if name not in _TEMPLATE_FIELDS]
    if unknown:
        raise bad(f"Tried accessing nonexisting field ({unknown[0]}) on node type (WhatsAppMessageTemplate)")
    return {name: known[name] for name in dict.fromkeys((*fields, "id")) if name in known}


def subscribed_apps(world: World, apps: dict[str, Subscription]) -> dict[str, Any]:
    """`GET /{WABA}/subscribed_apps`."""
    rows: list[dict[str, Any]] = []
    for subscription in apps.values():
        app = world.apps[subscription.app_id]
        row: dict[str, Any] = {
            "whatsapp_business_api_data": {
                "id": app.app_id,
                "name": app.name,
                "link": f"https://www.facebook.com/games/?app_id={app.app_id}",
            }
        }
        if subscription.override_url:
            row["override_callback_uri"] = subscription.override_url
        rows.append(row)
    return {"data": rows}


def subscriptions(app: App) -> dict[str, Any]:
    """`GET /{APP}/subscriptions`: where an app's webhooks go and what it hears of."""
    fields = [{"name": name, "version": "v26.0"} for name in app.fields]
    return {"data": [{"object": "whatsapp_business_account", "callback_url": app.webhook_url,
                      "active": app.webhook_active, "fields": fields}]}


def debug_token(simulator: Simulator, asked: str) -> dict[str, Any]:
    """`GET /debug_token`: valid or not, whose, and for which accounts."""
    world = simulator.world
    token = world.tokens.get(asked)
    if token is None:
        error = {"code": 190, "message": "Invalid OAuth access token."}
        return {"data": {"error": error, "is_valid": False, "scopes": []}}
    expired = token.expired or simulator.switches.token_expired
    scopes = [scope for scope in SCOPES if scope not in token.lacks]
    accounts = list(token.waba_ids) or sorted(world.subscriptions)
    data: dict[str, Any] = {
        "app_id": token.app_id,
        "type": "SYSTEM_USER",
        "application": world.apps[token.app_id].name,
        "data_access_expires_at": 0,
        "expires_at": token.expires_at,
        "is_valid": not expired,
        "scopes": [] if expired else scopes,
        "granular_scopes": [{"scope": scope, "target_ids": accounts} for scope in scopes[1:]],
        "user_id": "122100000000000001",
    }
    if expired:
        data["error"] = {"code": 190, "message": "Error validating access token: Session has expired.", "subcode": 463}
    return {"data": data}


def _fields(asked: str | None, default: tuple[str, ...]) -> tuple[str, ...]:
    """The top-level names of a `fields` parameter: `a,b{c},d` asks for a, b and d."""
    if not asked:
        return default
    names: list[str] = []
    depth, name = 0, ""
    for character in f"{asked},":
        if character in "{(":
            depth += 1
        elif character in "})":
            depth -= 1
        elif character == "," and depth == 0:
            names.append(name.strip())
            name = ""
        elif depth == 0:
            name += character
    return tuple(one for one in names if one)
