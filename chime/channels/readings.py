"""What Meta's answers about a token, a number, an account and an app mean for its connection. Pure rules.

Meta leaves out what a token may not read, and adds words it never documented; so what is missing or new makes no line
red: only what it says plainly does.
"""

from __future__ import annotations

from typing import Any

from chime.channels.queries import OurApp
from chime.checked import Check, bad, doubtful, good, skipped, words
from chime.clock import DAY, SECOND
from chime.whatsapp import Doubtful, GraphRefused, NotSent

# Days before a token ends at which somebody should know, and must.
TOKEN_ENDS_SOON, TOKEN_ENDS_NOW = 14, 3
SCOPES = ("whatsapp_business_management", "whatsapp_business_messaging")
# Without the first nothing arrives. What comes by the others is shown where it belongs when it comes.
NEEDED_FIELD = "messages"
USEFUL_FIELDS = ("account_alerts", "account_review_update", "account_update", "business_capability_update",
                 "message_template_quality_update", "message_template_status_update", "phone_number_name_update",
                 "phone_number_quality_update", "security", "template_category_update", "user_preferences")
OBJECT = "whatsapp_business_account"
MANAGER = "https://business.facebook.com/wa/manage/phone-numbers/"
SYSTEM_USERS = "https://business.facebook.com/settings/system-users"
_NAME_GOOD = frozenset({"", "APPROVED", "AVAILABLE_WITHOUT_REVIEW", "NONE"})


def dashboard(app: OurApp) -> str:
    """Where the app's webhooks are set at Meta."""
    return f"https://developers.facebook.com/apps/{app.app_id}/webhooks/"


def unheard(names: tuple[str, ...], error: GraphRefused | NotSent | Doubtful) -> list[Check]:
    """Meta refused to say, or could not be asked."""
    first, *rest = names
    if isinstance(error, GraphRefused):
        failure = error.failure
        where = "/settings/channels" if failure.effect == "reconnect_channel" else ""
        found = [bad(first, failure.title, failure.what_to_do, where=where)]
    else:
        found = [bad(first, str(error), words("Check that this server reaches WhatsApp: its network, its name service "
                                              "and CHIME_GRAPH_URL."))]
    return found + [skipped(name, words("not known: WhatsApp did not say")) for name in rest]


def about_token(found: dict[str, Any], app: OurApp, now: int) -> list[Check]:
    name, mend = words("access token"), "/settings/channels"
    if not found.get("is_valid", True):
        return [bad(name, words("Meta says that the access token is not valid"),
                    words("Make a new token for the system user in Meta’s business settings, then enter it under "
                          "Credentials of this number."), where=mend),
                skipped(words("permissions"), words("not known: WhatsApp did not say"))]
    if (other := str(found.get("app_id") or app.app_id)) != app.app_id:
        token = bad(name, words("the access token belongs to the Meta app %(other)s, and this number to %(ours)s"),
                    words("Make the token with the app %(ours)s, then enter it under Credentials of this number."),
                    where=mend, other=other, ours=app.app_id)
    else:
        token = _ending(name, _seconds(found.get("expires_at")), now, mend)
    return [token, _scopes(found)]


def _ending(name: str, ends: int, now: int, mend: str) -> Check:
    if not ends:
        return good(name, words("valid, without an end"))
    days = (ends * SECOND - now) // DAY
    advice = words("Make a token that does not end for a system user in Meta’s business settings, then enter it under "
                   "Credentials of this number.")
    if days < TOKEN_ENDS_NOW:
        return bad(name, words("the access token ends in %(days)s days"), advice, where=mend, days=max(0, days))
    if days < TOKEN_ENDS_SOON:
        return doubtful(name, words("the access token ends in %(days)s days"), advice, where=mend, days=days)
    return good(name, words("valid for %(days)s more days"), days=days)


def _seconds(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _scopes(found: dict[str, Any]) -> Check:
    given = found.get("scopes")
    if not isinstance(given, list):
        return skipped(words("permissions"), words("not known: WhatsApp did not say"))
    missing = [scope for scope in SCOPES if scope not in given]
    if missing:
        return bad(words("permissions"), words("the access token lacks %(missing)s"),
                   words("Make a token with both WhatsApp permissions for the system user, then enter it under "
                         "Credentials of this number."), where=SYSTEM_USERS, missing=", ".join(missing))
    return good(words("permissions"), words("the token may send messages and manage the account"))


def about_number(found: dict[str, Any]) -> list[Check]:
    return [_status(found), _quality(found), _limit(found), _display_name(found)]


def _status(found: dict[str, Any]) -> Check:
    status = str(found.get("status") or "CONNECTED").upper()
    if status != "CONNECTED":
        return bad(words("number"), words("Meta says that this number is %(status)s"),
                   words("Look at the number in WhatsApp Manager: it must be registered and connected before it can "
                         "send or receive."), where=MANAGER, status=status)
    health = found.get("health_status")
    sends = str(health.get("can_send_message", "")).upper() if isinstance(health, dict) else ""
    if sends == "BLOCKED":
        return bad(words("number"), words("Meta lets this number send nothing"),
                   words("WhatsApp Manager says why: payment, verification or a restriction of the account."),
                   where=MANAGER)
    if sends == "LIMITED":
        return doubtful(words("number"), words("Meta limits what this number may send"),
                        words("WhatsApp Manager says why: payment, verification or a restriction of the account."),
                        where=MANAGER)
    level = found.get("throughput")
    speed = str(level.get("level", "")) if isinstance(level, dict) else ""
    return good(words("number"), words("registered and connected, throughput %(level)s"), level=speed or "STANDARD")


def _quality(found: dict[str, Any]) -> Check:
    rating = str(found.get("quality_rating") or "UNKNOWN").upper()
    advice = words("People block or report what you send. Pause campaigns, and write only to people who asked for it.")
    if rating == "RED":
        return bad(words("quality"), words("Meta rates the quality of this number low"), advice, where=MANAGER)
    if rating == "YELLOW":
        return doubtful(words("quality"), words("Meta rates the quality of this number medium"), advice, where=MANAGER)
    return good(words("quality"), words("rated %(rating)s"), rating=rating)


def _limit(found: dict[str, Any]) -> Check:
    name = words("sending limit")
    tier = str(found.get("whatsapp_business_manager_messaging_limit") or "")
    if not tier:
        return skipped(name, words("not known: WhatsApp did not say"))
    if tier in ("TIER_50", "TIER_250"):
        return good(name, words("first messages to %(people)s people a day"),
                    words("Verify the business in Meta’s business settings to write to more."), where=MANAGER,
                    people=tier.removeprefix("TIER_"))
    return good(name, words("first messages to %(people)s people a day"), people=tier.removeprefix("TIER_"))


def _display_name(found: dict[str, Any]) -> Check:
    status = str(found.get("name_status") or "").upper()
    if status in ("DECLINED", "EXPIRED"):
        return doubtful(words("display name"), words("Meta says that the display name is %(status)s"),
                        words("Ask for another name in WhatsApp Manager; the number keeps working meanwhile."),
                        where=MANAGER, status=status)
    if status not in _NAME_GOOD:
        return good(words("display name"), words("Meta says that the display name is %(status)s"), status=status)
    return good(words("display name"), words("approved"))


def about_account(apps: list[dict[str, Any]], app: OurApp | None) -> list[Check]:
    """Whether our app hears of the account. When it doesn't nothing arrives, and no error says so."""
    name = words("webhook subscription")
    named = [str(_data(row).get("id", "")) for row in apps]
    if app is not None and app.app_id not in named:
        return [bad(name, words("our Meta app is not among the %(count)s apps that hear of this account"),
                    words("Without it Meta sends nothing. Press “Subscribe” beside this line, or subscribe the app to "
                          "the account at Meta."), where="/settings/connection", count=len(named))]
    if not named:
        return [bad(name, words("no app hears of this account"),
                    words("Without it Meta sends nothing. Subscribe the app to the account at Meta."))]
    return [good(name, words("our Meta app is among the %(count)s apps subscribed"), count=len(named))]


def _data(row: dict[str, Any]) -> dict[str, Any]:
    found = row.get("whatsapp_business_api_data")
    return found if isinstance(found, dict) else {}


def about_app(found: list[dict[str, Any]], app: OurApp, *, number: dict[str, Any], apps: list[dict[str, Any]]
              ) -> list[Check]:
    """What the app is sent, and to which address: the number's own, else the account's, else the app's."""
    ours = next((row for row in found if row.get("object") == OBJECT), None)
    if ours is None:
        return [bad(words("webhook fields"), words("the Meta app has no webhook for WhatsApp accounts"),
                    words("In Meta’s dashboard, under Webhooks, choose WhatsApp Business Account, enter our address "
                          "and the verify token, and subscribe to the field messages."),
                    where=dashboard(app)),
                _address(app, _override(app, number, apps))]
    return [_fields(ours, app), _address(app, _override(app, number, apps) or str(ours.get("callback_url") or ""))]


def _fields(row: dict[str, Any], app: OurApp) -> Check:
    name, listed = words("webhook fields"), row.get("fields")
    has = {str(one.get("name")) for one in listed if isinstance(one, dict)} if isinstance(listed, list) else set()
    if row.get("active") is False:
        return bad(name, words("Meta has switched the webhook of the app off"),
                   words("Save the webhook again in Meta’s dashboard, under Webhooks."), where=dashboard(app))
    if NEEDED_FIELD not in has:
        return bad(name, words("the app is not subscribed to the field messages: nothing arrives"),
                   words("Subscribe to it in Meta’s dashboard, under Webhooks, WhatsApp Business Account."),
                   where=dashboard(app))
    missing = [field for field in USEFUL_FIELDS if field not in has]
    if missing:
        return doubtful(name, words("the app is not subscribed to %(missing)s"),
                        words("Subscribe to them in Meta’s dashboard, under Webhooks, WhatsApp Business Account, so "
                              "that Chime hears of changes."), where=dashboard(app), missing=", ".join(missing))
    return good(name, words("complete"))


def _override(app: OurApp, number: dict[str, Any], apps: list[dict[str, Any]]) -> str:
    """An address that stands before the app's own."""
    configured = number.get("webhook_configuration")
    if isinstance(configured, dict) and configured.get("phone_number"):
        return str(configured["phone_number"])
    mine = next((row for row in apps if str(_data(row).get("id", "")) == app.app_id), {})
    return str(mine.get("override_callback_uri") or "")


def _address(app: OurApp, at_meta: str) -> Check:
    name = words("webhook address")
    if not app.callback_url:
        return skipped(name, words("CHIME_PUBLIC_URL is not set, so our own address is not known"))
    if not at_meta:
        return skipped(name, words("not known: WhatsApp did not say"))
    if at_meta.rstrip("/") != app.callback_url:
        return bad(name, words("Meta posts to another address than ours"),
                   words("Enter %(ours)s as the callback URL in Meta’s dashboard, under Webhooks."),
                   where=dashboard(app), ours=app.callback_url)
    return good(name, words("Meta posts to our address"))
