"""What an error of Meta's means: words for a person, and whether the message may be sent again.

`explain` serves errors in webhooks, `classify` those of an answer. Branches on Meta's code and never on the HTTP
status, which is 400 even for throttling; only an answer without a code of Meta's is judged by its status.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from chime.whatsapp import lenient
from chime.whatsapp.error_table import ERROR_RULES, Effect, ErrorRule, Verdict

__all__ = ["Effect", "ErrorRule", "Failure", "Verdict", "classify", "every_rule", "explain"]

_NUMBER_LIMIT: Final = 130429
_PAIR_LIMIT: Final = 131056
_USER_MARKETING_LIMIT: Final = 131049
_CALL_LIMITS: Final = frozenset({4, 17, 32, 613, 80007})
_HOUR, _DAY = 3600, 86_400

# One code, two meanings: a word in Meta's details tells. A code there stands for that code's rule.
_BY_DETAILS: Final[tuple[tuple[int, str, ErrorRule | int], ...]] = (
    (131031, " pin", 133005),
    (100, "missing permissions", 33),  # "… does not exist, cannot be loaded due to missing permissions …"
    (100, "parameter name is missing", 132000),
    (131009, "message id", ErrorRule(
        code=131009, title="The message it refers to is too old or gone",
        what_to_do="Send it without the reference: only messages of the last 30 days can be answered or reacted to.",
    )),
)


class Failure(Struct, frozen=True, kw_only=True):
    """A refusal with its consequences. `code` is None when the answer held no error of Meta's. `details` are Meta's
    own words and may name a number: for the screen, never for a log."""

    verdict: Verdict
    retry_after_seconds: float | None = None
    code: int | None = None
    title: str
    what_to_do: str
    details: str = ""
    effect: Effect = "none"


def explain(code: int, details: str = "") -> ErrorRule:
    """The rule for a code; every code has one. `details` tell apart what shares a code."""
    lower = details.lower()
    for shared, word, rule in _BY_DETAILS:
        if code == shared and word in lower:
            # The number stays the one Meta gave: it is what people search for.
            return msgspec.structs.replace(ERROR_RULES[rule] if isinstance(rule, int) else rule, code=code)
    known = ERROR_RULES.get(code)
    if known is not None:
        return known
    return ErrorRule(
        code=code, title=f"WhatsApp refused it with error {code}",
        what_to_do="Look the code up in Meta's list of errors, then change the message or try again.",
    )


def every_rule() -> list[tuple[tuple[int, ...], ErrorRule]]:
    """All there is to know, for people who look something up: codes that mean the same stand together, by number."""
    alike: dict[tuple[str, str], list[int]] = {}
    for code, rule in sorted(ERROR_RULES.items()):
        alike.setdefault((rule.title, rule.what_to_do), []).append(code)
    found = [(tuple(codes), ERROR_RULES[codes[0]]) for codes in alike.values()]
    return found + [((code,), rule) for code, _, rule in _BY_DETAILS if isinstance(rule, ErrorRule)]


def classify(
    http_status: int, error_body: Mapping[str, Any] | None, attempt: int, headers: Mapping[str, str] | None = None
) -> Failure:
    """What to do about a refused call. `error_body` is Meta's `error` object, bare or in its wrapper; `attempt` counts
    this one, so it begins at 1; `headers` may ask for patience."""
    error = _error(error_body)
    code = lenient.number(error.get("code"))
    asked = {name.lower(): value for name, value in (headers or {}).items()}
    if code is None:
        return _by_status(http_status, error, attempt, asked)
    data = lenient.mapping(error.get("error_data"))
    details = lenient.text(data.get("details")) or lenient.text(error.get("message")) or ""
    rule = explain(code, details)
    verdict = _verdict(rule, http_status, attempt, transient=lenient.truth(error.get("is_transient")) is True)
    return Failure(
        verdict=verdict, retry_after_seconds=_pause(rule, verdict, attempt, asked), code=code, title=rule.title,
        what_to_do=rule.what_to_do, details=details, effect=rule.effect,
    )


def _error(body: Mapping[str, Any] | None) -> dict[str, Any]:
    found = lenient.mapping(body)
    return lenient.mapping(found["error"]) if "error" in found else found


def _verdict(rule: ErrorRule, http_status: int, attempt: int, *, transient: bool) -> Verdict:
    if rule.most_attempts is not None and attempt >= rule.most_attempts:
        return Verdict.REFUSE
    if rule.code not in ERROR_RULES and http_status == 429:  # seen in the wild with codes nobody lists
        return Verdict.RETRY
    unlisted_fault = rule.code not in ERROR_RULES and http_status >= 500
    if rule.verdict is Verdict.REFUSE and (transient or unlisted_fault):
        return Verdict.DOUBT
    return rule.verdict


def _by_status(http_status: int, error: dict[str, Any], attempt: int, asked: dict[str, str]) -> Failure:
    """An answer without a code: a proxy's, or Meta's front door."""
    details = lenient.text(error.get("message")) or ""
    if http_status == 429:
        rule = msgspec.structs.replace(ERROR_RULES[_NUMBER_LIMIT], title="Too many calls to Meta")
        return Failure(
            verdict=rule.verdict, retry_after_seconds=_pause(rule, rule.verdict, attempt, asked), title=rule.title,
            what_to_do=rule.what_to_do, details=details, effect=rule.effect,
        )
    if 400 <= http_status < 500 and http_status != 408:
        return Failure(
            verdict=Verdict.REFUSE, title=f"The call was refused with status {http_status}", details=details,
            what_to_do="The answer does not look like Meta's: check the server's proxy, firewall and Graph address.",
        )
    return Failure(
        verdict=Verdict.DOUBT, title="Meta's answer could not be understood", details=details,
        what_to_do="Look whether it arrived before sending it again: it may have been sent.",
    )


def _pause(rule: ErrorRule, verdict: Verdict, attempt: int, asked: dict[str, str]) -> float | None:
    if verdict not in (Verdict.RETRY, Verdict.DELAY):
        return None
    return max(_own_pause(rule, verdict, max(1, min(attempt, 12))), _asked_pause(rule, asked))


def _own_pause(rule: ErrorRule, verdict: Verdict, attempt: int) -> float:
    base = rule.delay_seconds or 1
    if rule.code == _PAIR_LIMIT:
        return float(min(4**attempt, _HOUR))  # Meta's own formula
    if rule.code == _USER_MARKETING_LIMIT:
        return float(min(base * 2 ** (attempt - 1), 7 * _DAY))
    return float(base if verdict is Verdict.DELAY else min(base * 2 ** (attempt - 1), _HOUR))


def _asked_pause(rule: ErrorRule, asked: dict[str, str]) -> float:
    """What the headers ask for. A date in Retry-After is passed over: Meta sends seconds; and no more than an hour of
    it is believed, because a wrong one would hold a message for ever."""
    pause = min(_seconds(asked.get("retry-after")), _HOUR)
    if rule.code in _CALL_LIMITS:
        pause = max(pause, 60 * _minutes_to_regain_access(asked.get("x-business-use-case-usage", "")))
    return min(pause, _DAY)


def _minutes_to_regain_access(usage: str) -> float:
    try:
        accounts = lenient.decode(usage.encode())
    except ValueError:
        return 0.0
    uses = [use for account in lenient.mapping(accounts).values() for use in lenient.mappings(account)]
    return max((_seconds(use.get("estimated_time_to_regain_access")) for use in uses), default=0.0)


def _seconds(value: object) -> float:
    try:
        seconds = float(value) if isinstance(value, str | int | float) else 0.0
    except (ValueError, OverflowError):
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
