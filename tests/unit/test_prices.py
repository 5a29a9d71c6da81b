"""Prices without a server: reading cards, who is billed where, which card holds when, and that nothing is guessed."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from chime.errors import Invalid
from chime.inbox.costs import Line, ends_at
from chime.prices import table
from chime.prices.markets import chains, market_named
from chime.prices.model import (
    Account,
    Amount,
    Category,
    DatedRate,
    Free,
    FreeReason,
    Terms,
    Unknown,
    UnknownReason,
)
from chime.prices.overview import CardState, overview

INDIA = ZoneInfo("Asia/Kolkata")
META = """"Cost per message in INR, effective July 1, 2026",,,,,,
"Note: rates may change, see our pages",,,,,,
Market,Currency,Marketing,Utility,Authentication,"Authentication-
International",Service
India,INR,0.8631,0.1150,0.1150,2.4971,n/a
Rest of Central & Eastern Europe,INR,6.50,1.50,1.50,n/a,n/a
Turkiye,INR,0.90,,-,n/a,n/a
,,,,,,
"Authentication-International: for some markets only",,,,,,
"""


def moment(text: str, zone: ZoneInfo = INDIA) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def rate(micros: int, *, market: str = "IN", category: str = "utility", day: str = "2026-07-01", card: str = "a",
         at: int = 0, start: int = 0) -> DatedRate:
    return DatedRate(market=market, category=Category(category), price_micros=micros, tier_from=start, card_id=card,
                     valid_from=day, created_at=at, is_sample=False)


def terms(*rates: DatedRate, phone: str | None = "919812345678", is_shown: bool = True, currency: str = "INR",
          home: str = "IN", free: int | None = None) -> Terms:
    return Terms(account=Account(waba_id="1", currency=currency, time_zone="Asia/Kolkata", free_service=free),
                 zone=INDIA, chains=chains(phone, is_shown=is_shown) if phone else (), rates=rates,
                 has_cards=bool(rates), home=home)


def test_metas_file_reads_as_it_is() -> None:
    currency, rates = table.read(META.encode("utf-8-sig"))
    assert currency == "INR"
    assert {(one.market, one.category.value): one.price_micros for one in rates} == {
        ("IN", "marketing"): 863_100, ("IN", "utility"): 115_000, ("IN", "authentication"): 115_000,
        ("IN", "authentication_international"): 2_497_100,
        ("rest_of_central_eastern_europe", "marketing"): 6_500_000,
        ("rest_of_central_eastern_europe", "utility"): 1_500_000,
        ("rest_of_central_eastern_europe", "authentication"): 1_500_000, ("TR", "marketing"): 900_000}


@pytest.mark.parametrize(("text", "given"), [
    ("Market;Message type;From;To;List rate\nIndia;Utility;0;25,000,000;0,1150\nIndia;Utility;25000001;;0,0805\n",
     "INR"),
    ("country\tcategory\tvolume tier\tprice\tcurrency\nIN\tutility\t0:25000000\t0.115\tinr\n"
     "IN\tutility\t25,000,001+\t₹0.0805\tINR\n", "")])
def test_tiers_are_read_from_their_own_file(text: str, given: str) -> None:
    currency, rates = table.read(text.encode(), currency=given)
    assert currency == "INR"
    assert [(one.price_micros, one.tier_from, one.tier_to) for one in rates] == [
        (115_000, 0, 25_000_000), (80_500, 25_000_001, None)]


def test_what_does_not_fit_names_its_line_and_column() -> None:
    bad = META.replace("0.8631", "free").replace("Turkiye,INR,0.90", "Atlantis,USD,0.90").replace("6.50", "1,250")
    bad = bad.replace("INR,1,250,1.50", 'INR,"1,250",0.0000001')
    with pytest.raises(Invalid) as refused:
        table.read(bad.encode())
    assert [problem.field for problem in refused.value.errors] == [
        "5, Marketing", "6, Marketing", "6, Utility", "7, Market", "7, Currency"]
    for content, part in ((b"a,b\n1,2\n", "names the columns"), (b"\xff\xfe", "UTF-8"),
                          (b"Market,Marketing\n", "no price"), (b"Market,Marketing\nIndia,1\n", "currency"),
                          (b"x" * (table.LARGEST + 1), "larger"),
                          (b'Market,Marketing\n"India,1\n', "cannot be read"),
                          (b"Market,Utility\nIN,1\nIndia,2\n", "already")):
        with pytest.raises(Invalid) as refused:
            table.read(content)
        assert part in str(refused.value.errors[0].message), content


@pytest.mark.parametrize(("text", "micros"), [
    ("0.0250", 25_000), ("₹0.8631", 863_100), ("INR 0.5", 500_000), ("1,250.75", 1_250_750_000), ("0,115", 115_000),
    ("586", 586_000_000), ("0", 0), ("1,250", None), ("-1", None), ("0.0000001", None), ("", None), ("1e3", None),
    ("99999999", None), ("0.1.2", None)])
def test_a_price_is_read_exactly_or_not_at_all(text: str, micros: int | None) -> None:
    assert table.micros(text) == micros


@pytest.mark.parametrize(("phone", "shown", "found"), [
    ("919812345678", True, (("IN", "other"),)), ("8801712345678", True, (("BD", "rest_of_asia_pacific"),)),
    ("14155550101", True, (("north_america",),)), ("18095550101", True, (("rest_of_latin_america",),)),
    ("12425550101", True, (("other",),)), ("79161234567", True, (("RU", "other"),)),
    ("77011234567", True, (("KZ", "other"),)), ("821012345678", True, (("KR", "other"),)),
    ("447700900142", False, (("GB", "other"),)),
    ("18095550101", False, (("north_america",), ("rest_of_latin_america",), ("other",))),
    ("77011234567", False, (("RU", "other"), ("KZ", "other")))])
def test_the_market_is_that_of_the_calling_code(phone: str, shown: bool, found: tuple[tuple[str, ...], ...]) -> None:
    assert chains(phone, is_shown=shown) == found


@pytest.mark.parametrize(("name", "market"), [
    ("India", "IN"), ("Türkiye", "TR"), ("Turkey", "TR"), ("United Arab Emirates", "AE"), ("Hong Kong", "HK"),
    ("North America", "north_america"), ("Rest of Africa", "rest_of_africa"), ("Other", "other"), ("de", "DE"),
    ("Rest of Central and Eastern Europe", "rest_of_central_eastern_europe"), ("Atlantis", None),
    ("Canada", None), ("", None)])
def test_markets_are_known_by_metas_names(name: str, market: str | None) -> None:
    assert market_named(name) == market


def test_a_card_holds_from_midnight_at_the_account() -> None:
    found = terms(rate(100), rate(200, day="2026-12-01", card="b"))
    assert [_micros(found.price("utility", moment(at))) for at in (
        "2026-06-30T23:59", "2026-07-01T00:00", "2026-11-30T23:59:59", "2026-12-01T00:00")] == [None, 100, 100, 200]
    # The same day twice: what was entered last; and of a market with a rate of its own, that one.
    again = terms(rate(100, at=1), rate(300, at=2, card="b"), rate(900, market="other", day="2026-11-01", card="c"))
    assert _micros(again.price("utility", moment("2026-11-21T12:00"))) == 300


def _micros(price: object) -> int | None:
    return price.up_to_micros if isinstance(price, Amount) else None


def test_the_reply_window_is_free_until_october_and_charged_since() -> None:
    found = terms(rate(115), rate(863, category="marketing"), free=1000)
    before, after = moment("2026-09-30T23:59"), moment("2026-10-01T00:00")
    for category in ("service", "utility"):
        assert found.price(category, before, window_open=True) == Free(reason=FreeReason.WINDOW)
        assert _micros(found.price(category, after, window_open=True)) == 115, "service at the rate of utility"
    assert _micros(found.price("marketing", before, window_open=True)) == 863
    assert _micros(found.price("utility", before)) == 115
    told = found.price("service", after, window_open=True)
    assert isinstance(told, Amount) and told.free_a_month == 1000 and told.category == "service"
    assert found.price("marketing", after, from_ad=True) == Free(reason=FreeReason.AD)
    own = terms(rate(115), rate(90, category="service"))
    assert _micros(own.price("service", after, window_open=True)) == 90


def test_nothing_is_guessed() -> None:
    now, known = moment("2026-11-21T12:00"), rate(100)
    for found, category, reason in (
            (terms(), "utility", UnknownReason.NO_CARD),
            (terms(known, currency=""), "utility", UnknownReason.NO_CURRENCY),
            (terms(known, phone=None), "utility", UnknownReason.NO_NUMBER),
            (terms(known), "marketing", UnknownReason.NO_RATE),
            (terms(known), "surprise", UnknownReason.NO_CATEGORY),
            (terms(known, phone="4915112345678"), "utility", UnknownReason.NO_RATE),
            (terms(rate(1, market="north_america"), phone="14155550101", is_shown=False), "utility",
             UnknownReason.NO_RATE)):
        assert found.price(category, now) == Unknown(reason=reason)


def test_up_to_is_the_dearest_that_may_be_paid() -> None:
    now = moment("2026-11-21T12:00")
    tiers = terms(rate(115), rate(80, start=25_000_001))
    assert _micros(tiers.price("utility", now)) == 115
    code = (rate(115, category="authentication"), rate(2_497, category="authentication_international"))
    assert _micros(terms(*code).price("authentication", now)) == 115
    assert _micros(terms(*code, home="DE").price("authentication", now)) == 2_497
    masked = terms(rate(10, market="north_america"), rate(30, market="rest_of_latin_america"), rate(20, market="other"),
                   phone="18095550101", is_shown=False).price("utility", now)
    assert isinstance(masked, Amount) and (masked.up_to_micros, masked.market) == (30, "")


def test_the_overview_says_which_card_holds_and_when_that_changes() -> None:
    rates = [rate(100), rate(200, card="b", at=1), rate(300, day="2027-01-01", card="c")]
    found = overview("INR", rates, "Asia/Kolkata", moment("2026-11-21T12:00"))
    assert found.states == {"a": CardState.REPLACED, "b": CardState.IN_FORCE, "c": CardState.COMING}
    assert found.next_change == "2027-01-01" and found.rows[0].rates[Category.UTILITY][0].price_micros == 200


def test_an_ad_makes_72_hours_free_once_it_was_answered_in_time() -> None:
    hour = 3_600_000
    ad, post = (Line(is_ours=False, at=0, source=source, priced=None) for source in ("ad", "post"))

    def ours(at: int, priced: str | None = None) -> Line:
        return Line(is_ours=True, at=at, source=None, priced=priced)

    assert ends_at(ad, []) == 24 * hour and ends_at(post, []) == 0
    assert ends_at(ad, [ours(hour)]) == 73 * hour and ends_at(ad, [ours(25 * hour)]) == 0
    assert ends_at(ad, [ours(hour, "regular")]) == 0
    assert ends_at(post, [ours(hour, "free_entry_point")]) == 73 * hour
