"""Which passwords are taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from chime.errors import Invalid
from chime.security import password_rules
from chime.security.password_rules import check_rules, is_common

LIST = (Path(password_rules.__file__).parent / "common_passwords.txt").read_text("utf-8").split()
KNOWN = ("Kim Lee", "kim.lee@harbour-pottery.example", "chime.harbour.example", "Harbour Pottery")


def told(password: str, *, second_factor: bool = False) -> str:
    try:
        check_rules(password, second_factor=second_factor, context=KNOWN)
    except Invalid as error:
        return str(error)
    return ""


def test_the_list_holds_what_our_lengths_let_through() -> None:
    assert len(LIST) == len(set(LIST)) >= 3_000
    assert all(len(entry) >= 8 and entry == entry.casefold() for entry in LIST)
    assert sorted(LIST) == LIST


def test_none_of_the_list_is_taken() -> None:
    assert not [entry for entry in LIST if not told(entry, second_factor=True)]
    assert not [entry for entry in LIST if not told(entry.upper(), second_factor=True)]


@pytest.mark.parametrize("password", [
    "correct horse battery staple", "my dog eats green apples", "x8#kfl2-zz19vbqpw", "ein Löffel voll Honig",
    "मेरा घर बहुत दूर है", "a" * 3 + "bcdxyzpqrs" * 4, "the chime rings at noon", "Kim likes her tea cold",
    "welcome to the chime demo"])
def test_what_is_long_and_ones_own_is_taken(password: str) -> None:
    assert told(password) == ""


@pytest.mark.parametrize(("password", "why"), [
    ("short sentence", "at least 15"), ("x" * 257, "at most 256"), ("aaaaaaaaaaaaaaaa", "few different"),
    ("abababababababab", "few different"), ("abcdefghijklmnopq", "in a row"), ("qwertyuiopasdfgh", "in a row"),
    ("987654321098765", "in a row"), ("passwordpassword", "Many people"), ("P@ssw0rd!!!!!!!!2026", "Many people"),
    ("sunshinesunshine", "Many people"), ("$un5hine12345678", "Many people"), ("123456Michael654321", "Many people"),
    ("let me in let me in", "Many people"), ("KimLee-KimLee-1", "mostly a name"), ("harbour.pottery.2026", "mostly"),
    ("chime4harbour!2026", "mostly"), ("H4rb0ur-P0tt3ry-1", "mostly"), ("whatsappWhatsApp", "Many people")])
def test_what_is_guessed_first_is_not(password: str, why: str) -> None:
    assert why in told(password), told(password)


def test_with_a_second_factor_eight_are_enough() -> None:
    assert told("blue-Ket") and not told("blue-Ket", second_factor=True)
    assert "at least 8" in told("blue-Ke", second_factor=True)


def test_a_disguise_is_none() -> None:
    assert is_common("PASSWORD123") and is_common("p.a.s.s.w.o.r.d") and is_common("!!dragon!!")
    assert not is_common("dragons sleep in winter")
