"""Meta's errors: every listed code has words and a verdict; pauses grow; headers are heeded; doubt stays doubt."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from chime.whatsapp.error_table import ERROR_RULES
from chime.whatsapp.errors import Effect, Verdict, classify, explain

RETRY, DELAY, DOUBT, REFUSE = Verdict.RETRY, Verdict.DELAY, Verdict.DOUBT, Verdict.REFUSE

# The table of whatsapp-messaging.md section 7, written down a second time: (verdict, codes).
LISTED: dict[Verdict, list[int]] = {
    RETRY: [4, 17, 32, 613, 80007, 130429, 131056, 131057, 131208],
    DELAY: [131049, 131053, 132015, 132069, 133000, 133008, 133009, 133015, 134101, 139101, 139102, 139103, 2494100],
    DOUBT: [1, 2, 131000, 131016, 133004],
    REFUSE: [
        0, 190, 3, 10, 200, 250, 299, 200005, 200006, 200007, 131005, 368, 131031, 130497, 131048, 131064, 133016, 33,
        100, 130403, 130472, 131008, 131009, 131021, 131026, 131030, 131035, 131036, 131037, 131042, 131044, 131045,
        131047, 131050, 131051, 131052, 131055, 131060, 131062, 131063, 132000, 132001, 132005, 132007, 132008, 132012,
        132018, 132016, 132068, 133005, 133006, 133010, 134011, 134100, 134102, 134103, 135000, 136024, 137000, 130501,
        131020, 131041, 131059, 131201, 131202, 131204, 131207, *range(131209, 131216), *range(138000, 138019),
        *range(139000, 139005), 139100, 139200, *range(147001, 147006), 1026, 1752041, 2388001, 2388012, 2388091,
        2388093, 2388103, 2388019, 2388039, 2388040, 2388047, 2388072, 2388073, 2388293, 2388299, 2388318, 2388330,
        *range(2494164, 2494169), 2494176, 2494177, 2494179, 2494191, 2593079, 2593085, 2593107, 2593108, 2593109,
    ],
}
EFFECTS: dict[str, list[int]] = {
    "reconnect_channel": [0, 10, 33, 190, 200, 299, 131005, 131045, 133006, 133010],
    "pause_channel": [368, 131031, 131037, 131048],
    "opt_out": [131050],
    "close_window": [131047],
    "slow_number": [130429, 131057],
    "slow_pair": [131056],
    "resync_template": [132000, 132001, 132008, 132012, 132015, 132016, 132018],
    "unreachable": [130497, 131026],
    "billing": [131042, 131044],
}


def refusal(code: Any, *, details: str = "", **error: Any) -> dict[str, Any]:
    return {"error": {"message": f"(#{code}) Refused", "type": "OAuthException", "code": code,
                      "error_data": {"messaging_product": "whatsapp", "details": details}, "fbtrace_id": "A1", **error}}


@pytest.mark.parametrize(("verdict", "code"), [(verdict, code) for verdict, codes in LISTED.items() for code in codes])
def test_every_listed_code_has_its_verdict_and_words(verdict: Verdict, code: int) -> None:
    rule = explain(code)
    assert (rule.code, rule.verdict) == (code, verdict)
    assert rule.title and not rule.title.endswith(".") and len(rule.title) <= 80
    assert rule.what_to_do.endswith(".")
    assert classify(400, refusal(code), 1).verdict is verdict


def test_the_table_lists_nothing_else() -> None:
    assert set(ERROR_RULES) == {code for codes in LISTED.values() for code in codes} | set(range(200, 300))


def test_every_effect_belongs_to_its_codes_only() -> None:
    assert set(EFFECTS) | {"none"} == set(get_args(Effect))
    for effect, codes in EFFECTS.items():
        found = {code for code, rule in ERROR_RULES.items() if rule.effect == effect}
        assert found - set(range(201, 299)) == set(codes)


def test_what_waits_has_a_pause_and_what_does_not_has_none() -> None:
    for code, rule in ERROR_RULES.items():
        assert (rule.delay_seconds is not None) == (rule.verdict in (RETRY, DELAY)), code
        assert (classify(400, refusal(code), 1).retry_after_seconds is not None) == (rule.delay_seconds is not None)


@pytest.mark.parametrize(("code", "title", "what_to_do"), [
    (131047, "24-hour window has closed", "Send a template."),
    (131026, "cannot receive WhatsApp messages", "Check the number."),
    (132000, "Template values do not match", "Synchronise the templates"),
    (132012, "Template values do not match", "Synchronise the templates"),
    (131049, "Meta limited marketing messages to this person", "Nothing to do"),
    (190, "expired or was revoked", "connect it again"),
])
def test_words_people_will_read_often(code: int, title: str, what_to_do: str) -> None:
    assert title in explain(code).title and what_to_do in explain(code).what_to_do


@pytest.mark.parametrize(("code", "details", "title", "effect"), [
    (131031, "Business account has been restricted", "locked or restricted", "pause_channel"),
    (131031, "The PIN does not match: two-step PIN check failed", "PIN is wrong", "none"),
    (100, "Invalid parameter", "did not accept a value", "none"),
    (100, "Parameter name is missing or empty", "Template values", "resync_template"),
    (100, "Object with ID '1' cannot be loaded due to missing permissions", "does not know this number",
     "reconnect_channel"),
    (131009, "Message ID is invalid", "too old or gone", "none"),
])
def test_details_tell_apart_what_shares_a_code(code: int, details: str, title: str, effect: str) -> None:
    rule = explain(code, details)
    assert title in rule.title and (rule.code, rule.effect) == (code, effect)
    failure = classify(400, refusal(code, details=details), 1)
    assert (failure.code, failure.title, failure.effect, failure.details) == (code, rule.title, effect, details)


# Codes nobody listed

def test_an_unlisted_code_is_refused_with_its_number() -> None:
    rule = explain(987654)
    assert rule.verdict is REFUSE and "987654" in rule.title and rule.effect == "none"
    assert classify(400, refusal(987654), 1).verdict is REFUSE


def test_an_unlisted_code_of_a_server_fault_is_in_doubt_and_of_a_limit_is_repeated() -> None:
    assert classify(503, refusal(987654), 1).verdict is DOUBT
    limited = classify(429, refusal(987654), 1)
    assert limited.verdict is RETRY and limited.retry_after_seconds == 1


def test_a_listed_code_goes_before_the_status() -> None:
    assert classify(500, refusal(131045), 1).verdict is REFUSE
    assert classify(500, refusal(131057), 1).verdict is RETRY
    assert classify(503, refusal(2), 1).verdict is DOUBT


# Transient errors

def test_what_meta_calls_transient_is_never_a_plain_refusal_nor_a_free_repeat() -> None:
    assert classify(400, refusal(100, is_transient=True), 1).verdict is DOUBT
    assert classify(400, refusal(100, is_transient="true"), 1).verdict is DOUBT
    assert classify(400, refusal(100, is_transient=False), 1).verdict is REFUSE
    # Refused before processing stays so: repeating it cannot send twice.
    assert classify(400, refusal(130429, is_transient=True), 1).verdict is RETRY
    assert classify(400, refusal(131049, is_transient=True), 1).verdict is DELAY


# Pauses

@pytest.mark.parametrize(("code", "pauses"), [
    (131056, [4, 16, 64, 256]), (130429, [1, 2, 4, 8]), (80007, [60, 120, 240, 480]),
    (131049, [86_400, 172_800, 345_600, 604_800]), (134101, [600, 600, 600, 600]), (131057, [60, 120, 240, 480]),
])
def test_pauses_grow_as_they_should(code: int, pauses: list[int]) -> None:
    assert [classify(400, refusal(code), attempt).retry_after_seconds for attempt in (1, 2, 3, 4)] == pauses


@pytest.mark.parametrize("attempt", [-5, 0, 50, 10**9])
def test_no_attempt_number_breaks_the_pause(attempt: int) -> None:
    for code in ERROR_RULES:
        pause = classify(400, refusal(code), attempt).retry_after_seconds
        assert pause is None or 0 < pause <= 7 * 86_400


def test_a_file_that_could_not_be_taken_is_tried_once_more_only() -> None:
    assert [classify(400, refusal(131053), attempt).verdict for attempt in (1, 2, 3)] == [DELAY, REFUSE, REFUSE]


def usage(*minutes: Any) -> str:
    return json.dumps({f"10{at}": [{"type": "messaging", "call_count": 100, "estimated_time_to_regain_access": wait}]
                       for at, wait in enumerate(minutes)})


@pytest.mark.parametrize(("code", "headers", "pause"), [
    (130429, {"Retry-After": "30"}, 30), (130429, {"retry-after": "0.5"}, 1),
    (80007, {"X-Business-Use-Case-Usage": usage(3, 19)}, 19 * 60),
    (80007, {"x-business-use-case-usage": usage("7"), "retry-after": "900"}, 900),
    (130429, {"x-business-use-case-usage": usage(19)}, 1),  # another budget than the number's own
    (80007, {"x-business-use-case-usage": "{oops"}, 60), (80007, {"x-business-use-case-usage": "[1]"}, 60),
    (80007, {"x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": null}]}'}, 60),
    (130429, {"Retry-After": "Sat, 21 Nov 2026 09:00:00 GMT"}, 1), (130429, {"Retry-After": "-5"}, 1),
    (130429, {"Retry-After": "nan"}, 1), (130429, {"Retry-After": "1e400"}, 1),
    (130429, {"Retry-After": "99999999"}, 3600), (131049, {"Retry-After": "5"}, 86_400),
])
def test_headers_lengthen_a_pause_and_nonsense_in_them_does_not(
    code: int, headers: dict[str, str], pause: float
) -> None:
    assert classify(400, refusal(code), 1, headers).retry_after_seconds == pause


def test_headers_make_no_pause_where_nothing_is_repeated() -> None:
    assert classify(400, refusal(131047), 1, {"Retry-After": "30"}).retry_after_seconds is None


# Shapes of answers

def test_the_error_may_come_bare_and_its_code_as_text() -> None:
    assert classify(400, refusal("131047")["error"], 1).effect == "close_window"
    assert classify(400, refusal("131047"), 1).code == 131047


def test_details_fall_back_to_the_message() -> None:
    assert classify(400, {"code": 100, "message": "(#100) Bad"}, 1).details == "(#100) Bad"
    assert classify(400, {"code": 100, "error_data": "oops"}, 1).details == ""


@pytest.mark.parametrize(("status", "verdict"), [
    (200, DOUBT), (302, DOUBT), (400, REFUSE), (401, REFUSE), (403, REFUSE), (408, DOUBT), (413, REFUSE), (429, RETRY),
    (500, DOUBT), (502, DOUBT), (504, DOUBT),
])
@pytest.mark.parametrize("body", [None, {}, {"error": None}, {"error": "down"}, {"error": {"code": None}}])
def test_an_answer_without_a_code_is_judged_by_its_status(
    status: int, verdict: Verdict, body: dict[str, Any] | None
) -> None:
    failure = classify(status, body, 1)
    assert (failure.verdict, failure.code) == (verdict, None)
    assert failure.title and failure.what_to_do
    # A proxy's 401 says nothing about the number's token.
    assert failure.effect == ("slow_number" if status == 429 else "none")


def test_a_bare_limit_grows_and_heeds_the_header() -> None:
    assert classify(429, None, 3).retry_after_seconds == 4
    assert classify(429, None, 1, {"Retry-After": "45"}).retry_after_seconds == 45


def test_the_words_of_the_table_never_quote_what_meta_said() -> None:
    details = "Message to +14155550123 failed"
    failure = classify(400, refusal(131026, details=details), 1)
    assert "4155550123" not in failure.title + failure.what_to_do
    assert failure.details == details
