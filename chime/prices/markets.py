"""Markets: what Meta bills by. The calling code of the recipient says which; North America's takes the area code too.

A market is written as the two letters of its country, or as the name of a group of countries that share a rate. A
country may get a rate of its own later, so what a number costs is looked up under its country first.
"""

from __future__ import annotations

import unicodedata
from functools import cache

from chime.phone import country_code

OTHER = "other"
NORTH_AMERICA = "north_america"
LATIN_AMERICA = "rest_of_latin_america"
# Countries without a rate of their own, by what they are billed as; some of them have one since 2026.
_GROUPS: dict[str, str] = {
    NORTH_AMERICA: "US CA",
    "rest_of_africa": "DZ AO BJ BW BF BI CM TD CG ER ET GA GM GH GW CI KE LS LR LY MG MW ML MR MA MZ NA NE RW SN SL SO "
                      "SS SD SZ TZ TG TN UG ZM ZW",
    "rest_of_asia_pacific": "AF AU BD KH CN HK JP LA MN NP NZ PG PH SG LK TW TJ TH TM UZ VN",
    "rest_of_central_eastern_europe": "AL AM AZ BY BG HR CZ GE GR HU LV LT MD MK PL RO RS SK SI UA",
    LATIN_AMERICA: "BO CR DO EC SV GT HT HN JM NI PA PY PR UY VE",
    "rest_of_middle_east": "BH IQ JO KW LB OM QA YE",
    "rest_of_western_europe": "AT BE DK FI IE NO PT SE CH",
}
GROUPS = (*_GROUPS, OTHER)
_GROUP_OF = {country: group for group, countries in _GROUPS.items() for country in countries.split()}
# Those that Meta names by themselves on its cards, for a form to offer.
OWN = ("AE", "AR", "BD", "BR", "CL", "CO", "DE", "EG", "ES", "FR", "GB", "HK", "HU", "ID", "IL", "IN", "IQ",
       "IT", "KW", "KZ", "LK", "MA", "MX", "MY", "NG", "NL", "NP", "OM", "PE", "PK", "PL", "QA", "RO", "RU",
       "SA", "SG", "TR", "UA", "ZA")
MARKETS = (*GROUPS, *OWN)
_LATIN_AREAS = frozenset({"809", "829", "849", "658", "876", "787", "939"})
_CARIBBEAN_AREAS = frozenset({"242", "246", "264", "268", "284", "340", "345", "441", "473", "649", "664", "721", "758",
                              "767", "784", "868", "869"})
_KAZAKHSTAN = ("76", "77")

Chain = tuple[str, ...]
"""Markets to look under, the narrowest first."""


def chains(digits: str, *, is_shown: bool) -> tuple[Chain, ...]:
    """Where a number may be billed. To whom the number is masked, only its calling code is known: then there may be
    several, so that a price tells them no more than the mask does."""
    code = country_code(digits)
    if code == "1":
        found = ((NORTH_AMERICA,), (LATIN_AMERICA,), (OTHER,))
        return found if not is_shown else (found[_american(digits)],)
    if code == "7":
        russia, kazakhstan = _chain("RU"), _chain("KZ")
        return ((kazakhstan if digits.startswith(_KAZAKHSTAN) else russia),) if is_shown else (russia, kazakhstan)
    return (_chain(_country(code)),)


def home_of(digits: str) -> str:
    """The country, or for shared codes the market, of a number of one's own."""
    return chains(digits, is_shown=True)[0][0]


def _american(digits: str) -> int:
    area = digits[1:4]
    return 1 if area in _LATIN_AREAS else 2 if area in _CARIBBEAN_AREAS else 0


@cache
def _country(code: str) -> str:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    return str(COUNTRY_CODE_TO_REGION_CODE.get(int(code), ("",))[0]) if code.isdecimal() else ""


def _chain(country: str) -> Chain:
    group = _GROUP_OF.get(country, OTHER)
    return (country, group) if country else (group,)


def market_named(text: str) -> str | None:
    """The market that a card calls so: a country by its English name or its two letters, or a group."""
    name = _plain(text)
    if name in _GROUP_NAMES:
        return _GROUP_NAMES[name]
    return _countries().get(name)


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold().replace("&", "and"))
    return "".join(letter for letter in letters if letter.isalnum())


_GROUP_NAMES = {_plain(name): name for name in GROUPS} | {
    "restofcentralandeasterneurope": "rest_of_central_eastern_europe", "restofcee": "rest_of_central_eastern_europe",
    "restofapac": "rest_of_asia_pacific", "restoflatam": LATIN_AMERICA, "allothers": OTHER, "othercountries": OTHER,
}
_ALIASES = {"uae": "AE", "uk": "GB", "turkey": "TR", "hongkong": "HK", "kingdomofsaudiarabia": "SA",
            "russianfederation": "RU", "thenetherlands": "NL", "czechrepublic": "CZ", "ivorycoast": "CI",
            "swaziland": "SZ", "republicofthecongo": "CG"}


@cache
def _countries() -> dict[str, str]:
    """Those that have a calling code to themselves: a rate of another would never be found."""
    from babel import Locale
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    billed = {regions[0] for code, regions in COUNTRY_CODE_TO_REGION_CODE.items() if code != 1} | {"KZ"}
    names = {_plain(str(name)): code for code, name in Locale("en").territories.items() if code in billed}
    return names | {code.casefold(): code for code in names.values()} | _ALIASES
