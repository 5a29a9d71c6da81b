"""Meta's error codes as data: what each means, what a person can do about it, whether it may be sent again.

Source: whatsapp-messaging.md section 7 (Meta's error page as of 30 September 2026 and three production clients). Words
hold no number, name or text of anybody's, so they may be shown, stored and logged.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Literal

from msgspec import Struct

Effect = Literal[
    "none",
    "reconnect_channel",  # the token or the number's set-up is broken: stop its queue until somebody mends it
    "pause_channel",  # Meta holds the number back: nothing more for a while
    "opt_out",  # the person stopped marketing
    "close_window",  # our idea of the reply window was wrong
    "slow_number",  # the number sends too fast
    "slow_pair",  # too fast to this one person; others go on
    "resync_template",  # our copy of the template is old
    "unreachable",  # nothing arrives at this recipient
    "billing",  # Meta wants a payment method
]


class Verdict(StrEnum):
    """What may be done with the message."""

    RETRY = "retry"  # refused before anything was done with it: again, soon
    DELAY = "delay"  # again, but not before the time given
    DOUBT = "doubt"  # it may have been sent: only a status or a person can tell
    REFUSE = "refuse"  # never again by itself


class ErrorRule(Struct, frozen=True, kw_only=True):
    """One code. `most_attempts` is set where waiting helps only so often."""

    code: int
    title: str
    what_to_do: str
    verdict: Verdict = Verdict.REFUSE
    delay_seconds: int | None = None
    effect: Effect = "none"
    most_attempts: int | None = None


_RETRY, _DELAY, _DOUBT, _REFUSE = Verdict.RETRY, Verdict.DELAY, Verdict.DOUBT, Verdict.REFUSE
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

_RECONNECT = "Open the number's settings and connect it again with a valid access token."
_PERMISSIONS = ("Check in Meta's Business settings that the token has whatsapp_business_messaging and "
                "whatsapp_business_management and that the account is assigned to its user; then connect again.")
_SLOWLY = "Nothing to do: Chime sends it again by itself, more slowly."
_WAIT = "Nothing to do: Chime tries again by itself."
_UNSURE = "Look whether it arrived before sending it again: it may have been sent."
_REPORT = "This is likely a mistake in how the message was made. Check its content, or report it with the code."
_TEMPLATE = "Synchronise the templates, then choose the template again and fill in its values."
_GROUPS = "Check the group in WhatsApp; Chime does not send to groups."
_CALLS = "Check the calling settings of the number in WhatsApp Manager."
_MANAGER = "Open WhatsApp Manager and follow its instructions for the account."
_MIGRATION = "Finish or restart the move of the number in WhatsApp Manager."
_SIGNUP = "Go through the sign-up in Meta's Business settings again."
_EDIT_TEMPLATE = "Change the template as the message says and submit it again."

Row = tuple[int | Iterable[int], str, str, Verdict, int | None, Effect]

_ROWS: Final[tuple[Row, ...]] = (
    # Access
    (0, "Meta does not accept the access token", _RECONNECT, _REFUSE, None, "reconnect_channel"),
    (190, "The access token expired or was revoked", _RECONNECT, _REFUSE, None, "reconnect_channel"),
    (3, "The Meta app lacks a capability", _PERMISSIONS, _REFUSE, None, "none"),
    ((10, *range(200, 300)), "The access token lacks a permission", _PERMISSIONS, _REFUSE, None, "reconnect_channel"),
    (131005, "Meta denied access", _PERMISSIONS, _REFUSE, None, "reconnect_channel"),
    (range(200005, 200008), "Template statistics are not available", "Switch template insights on in WhatsApp Manager.",
     _REFUSE, None, "none"),
    (33, "Meta does not know this number any more", "Check the phone number id, then connect the number again.",
     _REFUSE, None, "reconnect_channel"),
    # The account and its standing
    (368, "Meta blocked the account for a while because of its policies", _MANAGER, _REFUSE, None, "pause_channel"),
    (131031, "Meta locked or restricted the account", _MANAGER, _REFUSE, None, "pause_channel"),
    (130497, "Messages to this country are not allowed",
     "Your kind of business may not write to people in this country. Reach them another way.", _REFUSE, None,
     "unreachable"),
    (131037, "The number's display name is not approved", "Have the display name approved in WhatsApp Manager.",
     _REFUSE, None, "pause_channel"),
    (131042, "There is a problem with the payment method",
     "Open Billing in Meta's Business settings, mend the payment method, then send again.", _REFUSE, None, "billing"),
    (131044, "There is a problem with the payment method for calls",
     "Open Billing in Meta's Business settings and mend the payment method.", _REFUSE, None, "billing"),
    (131045, "The number is not registered correctly", "Register the number again in its settings.", _REFUSE, None,
     "reconnect_channel"),
    (133010, "The number is not registered", "Register the number with its PIN in its settings.", _REFUSE, None,
     "reconnect_channel"),
    (133006, "The number must be verified again", "Verify the number in WhatsApp Manager, then register it.", _REFUSE,
     None, "reconnect_channel"),
    (134011, "Meta's terms for payments are not accepted", "Accept the terms in WhatsApp Manager.", _REFUSE, None,
     "none"),
    # Limits
    (4, "The Meta app made too many calls", _WAIT, _RETRY, _MINUTE, "none"),
    ((17, 32, 613), "Too many calls to Meta", _WAIT, _RETRY, _MINUTE, "none"),
    (80007, "The WhatsApp account made too many calls", _WAIT, _RETRY, _MINUTE, "none"),
    (130429, "The number sends faster than its limit", _SLOWLY, _RETRY, 1, "slow_number"),
    (131056, "Too many messages to this person in a short time", _SLOWLY, _RETRY, 4, "slow_pair"),
    (131048, "Meta limits this number because people blocked or reported it",
     "Stop campaigns on this number, write only to people who expect it, and watch the quality rating.", _REFUSE, None,
     "pause_channel"),
    (131064, "Meta limits templates because of wrong categories",
     "Give the templates their right category in WhatsApp Manager.", _REFUSE, None, "none"),
    (133016, "The number was registered too often", "Wait 72 hours before registering it again.", _REFUSE, None,
     "none"),
    # It may have gone out
    (1, "Meta could not handle the message", _UNSURE, _DOUBT, None, "none"),
    ((2, 131016, 133004), "WhatsApp was not available for a moment", _UNSURE, _DOUBT, None, "none"),
    (131000, "Something went wrong at Meta", _UNSURE, _DOUBT, None, "none"),
    # The message
    (100, "Meta did not accept a value of the message", _REPORT, _REFUSE, None, "none"),
    (131008, "A required value is missing", _REPORT, _REFUSE, None, "none"),
    (131009, "A value of the message is not valid", _REPORT, _REFUSE, None, "none"),
    (131051, "WhatsApp does not support this kind of message", "Send it as another kind of message.", _REFUSE, None,
     "none"),
    (131053, "WhatsApp could not take the file",
     "Check its type and size: JPEG, PNG, MP4, PDF and OGG with Opus work. Attach it again.", _DELAY, 30, "none"),
    (131052, "The customer's file could not be fetched", "Ask the customer to send it again.", _REFUSE, None, "none"),
    (131055, "This way of sending is not allowed", "Use another kind of template or message.", _REFUSE, None, "none"),
    (131057, "The account is in maintenance for a minute", _WAIT, _RETRY, _MINUTE, "slow_number"),
    (2494100, "The number is in maintenance for some minutes", _WAIT, _DELAY, 5 * _MINUTE, "none"),
    (131060, "WhatsApp could not hand over this message", "Ask the customer to send it again.", _REFUSE, None, "none"),
    ((131035, 131036), "The content of this message is gone", "Ask the customer to send it again.", _REFUSE, None,
     "none"),
    (130501, "WhatsApp does not hand over this kind of group message", _GROUPS, _REFUSE, None, "none"),
    # The recipient
    (131021, "The recipient is the sender", "Choose another recipient than the number itself.", _REFUSE, None, "none"),
    (131026, "This number cannot receive WhatsApp messages",
     "Check the number. The person may not use WhatsApp, have an old version or not have accepted its terms.",
     _REFUSE, None, "unreachable"),
    (1026, "The person's WhatsApp cannot show this kind of message", "Send it as plain text.", _REFUSE, None, "none"),
    (131030, "The recipient is not on the test number's list",
     "Add the recipient in Meta's app dashboard under API setup, or use a real number.", _REFUSE, None, "none"),
    (130403, "You blocked this person", "Unblock the person first.", _REFUSE, None, "none"),
    (130472, "This person is part of an experiment of Meta's",
     "Don't send it again as marketing; other kinds of message arrive. It was not charged.", _REFUSE, None, "none"),
    (131047, "The 24-hour window has closed", "Send a template.", _REFUSE, None, "close_window"),
    (131049, "Meta limited marketing messages to this person",
     "Nothing to do: Chime tries again after a day or later. Writing more often makes it worse.", _DELAY, _DAY, "none"),
    (131050, "This person stopped marketing messages", "Send no marketing. Only the person can allow it again.",
     _REFUSE, None, "opt_out"),
    (131062, "This message needs the person's phone number",
     "Ask for the number first: WhatsApp does not send this kind to a user id.", _REFUSE, None, "none"),
    (137000, "The person's identity has changed",
     "Make sure it is still the same person, then send again.", _REFUSE, None, "none"),
    (135000, "WhatsApp refused the message without a reason", _REPORT, _REFUSE, None, "none"),
    # Templates
    (132000, "Template values do not match", _TEMPLATE, _REFUSE, None, "resync_template"),
    (132001, "The template does not exist in this language or is not approved", _TEMPLATE, _REFUSE, None,
     "resync_template"),
    (132005, "The text is too long with these values", "Shorten the values.", _REFUSE, None, "none"),
    (132007, "The template's text breaks a rule of Meta's", "Change the values or the template's text.", _REFUSE, None,
     "none"),
    ((132008, 132012, 132018), "Template values do not match", _TEMPLATE, _REFUSE, None, "resync_template"),
    (132015, "Meta paused the template because of its quality",
     "Chime tries again in some hours. Better use another template and improve this one.", _DELAY, 3 * _HOUR,
     "resync_template"),
    (132016, "Meta disabled the template", "Use another template; this one cannot be sent any more.", _REFUSE, None,
     "resync_template"),
    (132068, "The template's form is blocked", "Mend the flow in WhatsApp Manager.", _REFUSE, None, "none"),
    (132069, "The template's form is limited to ten an hour", _WAIT, _DELAY, _HOUR, "none"),
    (131063, "Marketing templates are switched off for this account here",
     "Switch them on in WhatsApp Manager, or send through the Marketing Messages API.", _REFUSE, None, "none"),
    (134100, "Only marketing templates go this way", "Choose a marketing template.", _REFUSE, None, "none"),
    (134101, "Meta is still preparing the template", _WAIT, _DELAY, 10 * _MINUTE, "none"),
    ((134102, 134103), "The template cannot be sent this way", "Send it the ordinary way.", _REFUSE, None, "none"),
    (139200, "Meta does not allow messages without a template here", "Send a template.", _REFUSE, None, "none"),
    ((2388019, 2388039, 2388040, 2388047, 2388072, 2388073, 2388293, 2388299, 2388318, 2388330),
     "Meta did not accept the template", _EDIT_TEMPLATE, _REFUSE, None, "none"),
    # Registration
    (133000, "The number was not deregistered completely", "Deregister it again, then register it.", _DELAY, _MINUTE,
     "none"),
    (133005, "The PIN is wrong", "Enter the number's two-step verification PIN, or reset it in WhatsApp Manager.",
     _REFUSE, None, "none"),
    ((133008, 133009), "The PIN was tried too often", "Wait as long as Meta says, then try once more.", _DELAY, _HOUR,
     "none"),
    (133015, "The number was deleted a moment ago", "Wait five minutes, then register it.", _DELAY, 5 * _MINUTE,
     "none"),
    (136024, "The verification code could not be sent or checked", "Ask for a new code, by call if not by SMS.",
     _REFUSE, None, "none"),
    ((2388001, 2388012, 2388091, 2388093, 2388103, 2593079, 2593085), "The number's move failed", _MIGRATION, _REFUSE,
     None, "none"),
    ((1752041, *range(2494164, 2494169), 2494176, 2494177, 2494179), "The sign-up failed", _SIGNUP, _REFUSE, None,
     "none"),
    (2494191, "Another app leads this conversation", "Ask for the conversation to be handed over.", _REFUSE, None,
     "none"),
    (2593107, "The history was fetched already", "Nothing to do.", _REFUSE, None, "none"),
    (2593108, "The history can be fetched only in the first 24 hours", "Connect the number again.", _REFUSE, None,
     "none"),
    (2593109, "The owner of the phone did not share the history", "Ask the owner, then connect again.", _REFUSE, None,
     "none"),
    # Groups, calls, flows, blocking, usernames
    ((131020, 131041, 131059, 131201, 131202, 131204, 131207, *range(131209, 131216)), "The group did not allow it",
     _GROUPS, _REFUSE, None, "none"),
    (131208, "Too many changes to groups", _WAIT, _RETRY, _MINUTE, "none"),
    (range(138000, 138019), "The call was not possible", _CALLS, _REFUSE, None, "none"),
    (range(139000, 139005), "The flow cannot be used", "Mend or publish the flow in WhatsApp Manager.", _REFUSE, None,
     "none"),
    (139100, "Some people could not be blocked or unblocked",
     "Only people who wrote in the last 24 hours can be blocked. See which ones failed.", _REFUSE, None, "none"),
    (range(139101, 139104), "The block list could not be changed now", _WAIT, _DELAY, _MINUTE, "none"),
    (range(147001, 147006), "The username cannot be used",
     "Choose another one, or see WhatsApp Manager for the reason.", _REFUSE, None, "none"),
)

# Meta reports a file it could not fetch once more than it is worth trying.
_MOST_ATTEMPTS: Final = {131053: 2}


def _codes(codes: int | Iterable[int]) -> Iterable[int]:
    return (codes,) if isinstance(codes, int) else codes


ERROR_RULES: Final[dict[int, ErrorRule]] = {
    code: ErrorRule(
        code=code, title=title, what_to_do=what_to_do, verdict=verdict, delay_seconds=delay, effect=effect,
        most_attempts=_MOST_ATTEMPTS.get(code),
    )
    for codes, title, what_to_do, verdict, delay, effect in _ROWS
    for code in _codes(codes)
}
