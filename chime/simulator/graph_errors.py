"""Refusals as the Graph API words them: HTTP status, code, title, details.

Written from Meta's error pages and on purpose not shared with Chime's own table of codes: the two sides must be able
to disagree.
"""

from __future__ import annotations

from typing import Any

# code -> (HTTP status, title)
_TITLES: dict[int, tuple[int, str]] = {
    0: (401, "AuthException"),
    1: (500, "An unknown error occurred"),
    2: (503, "Service temporarily unavailable"),
    3: (500, "API Method"),
    4: (400, "API Too Many Calls"),
    10: (403, "Permission Denied"),
    33: (400, "Parameter value is not valid"),
    100: (400, "Invalid parameter"),
    190: (401, "Access token has expired"),
    200: (403, "Permissions error"),
    368: (403, "Temporarily blocked for policies violations"),
    80007: (400, "Rate limit issues"),
    130403: (400, "User is blocked"),
    130429: (400, "Rate limit hit"),
    130472: (400, "User's number is part of an experiment"),
    130497: (403, "Business account is restricted from messaging users in this country"),
    131000: (500, "Something went wrong"),
    131005: (403, "Access denied"),
    131008: (400, "Required parameter is missing"),
    131009: (400, "Parameter value is not valid"),
    131016: (500, "Service unavailable"),
    131021: (400, "Recipient cannot be sender"),
    131026: (400, "Message undeliverable"),
    131030: (400, "Recipient phone number not in allowed list"),
    131031: (403, "Account has been locked"),
    131037: (400, "Display name approval needed"),
    131042: (400, "Business eligibility payment issue"),
    131047: (400, "Re-engagement message"),
    131048: (400, "Spam rate limit hit"),
    131049: (400, "This message was not delivered to maintain healthy ecosystem engagement."),
    131050: (400, "User has stopped marketing messages"),
    131051: (400, "Unsupported message type"),
    131052: (400, "Media download error"),
    131053: (400, "Media upload error"),
    131056: (400, "(Business Account, Consumer Account) pair rate limit hit"),
    131057: (500, "Account in maintenance mode"),
    131062: (400, "Business-scoped user id is not supported for this message"),
    132000: (400, "Number of parameters does not match the expected number of params"),
    132001: (404, "Template name does not exist in the translation"),
    132005: (400, "Translated text too long"),
    132007: (400, "Template format character policy violated"),
    132008: (400, "Parameter value is invalid"),
    132012: (400, "Parameter format does not match format in the created template"),
    132015: (400, "Template is paused"),
    132016: (400, "Template is disabled"),
    132018: (400, "Template parameter has a problem"),
    133004: (503, "Server temporarily unavailable"),
    133010: (400, "Phone number not registered"),
}

# These have no "(#code)" in front of their message and no error_data.
_PLAIN = {1, 2, 33, 100, 190}

HELP_ADDRESS = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"


class GraphError(Exception):
    """A refusal. `details` is what Meta says about this very request."""

    def __init__(self, code: int, details: str = "", *, status: int | None = None) -> None:
        known_status, title = _TITLES.get(code, (400, "Something went wrong"))
        super().__init__(f"{code}: {details or title}")
        self.code = code
        self.title = title
        self.details = details or title
        self.status = status or known_status

    def body(self, trace: str) -> dict[str, Any]:
        """The JSON Meta answers with."""
        kind = "GraphMethodException" if self.code == 33 else "OAuthException"
        error: dict[str, Any] = {"message": self._message(), "type": kind, "code": self.code}
        if self.code not in _PLAIN:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        if self.status >= 500:
            error["is_transient"] = True
        error["fbtrace_id"] = trace
        return {"error": error}

    def in_webhook(self) -> dict[str, Any]:
        """The same as an item of `errors` in a webhook."""
        return {
            "code": self.code,
            "title": self.title,
            "message": self.title,
            "error_data": {"details": self.details},
            "href": HELP_ADDRESS,
        }

    def _message(self) -> str:
        if self.code == 100:
            return f"(#100) {self.details}"
        return self.details if self.code in _PLAIN else f"(#{self.code}) {self.title}"


def missing(parameter: str) -> GraphError:
    """131008: something required is not there."""
    return GraphError(131008, f"Parameter '{parameter}' is mandatory")


def invalid(parameter: str, why: str) -> GraphError:
    """131009: something is there and cannot be."""
    return GraphError(131009, f"Parameter '{parameter}' is not valid: {why}")


def bad(details: str) -> GraphError:
    """100: the shape of the request is wrong."""
    return GraphError(100, details)


def too_long(parameter: str, limit: int) -> GraphError:
    """100: a text is over its limit."""
    return GraphError(100, f"Param {parameter} must be at most {limit} characters long.")
