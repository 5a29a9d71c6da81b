"""What is typed, understood; and that the index and this side agree on what stands in a text."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from sqlcipher3 import dbapi2

from chime.inbox.search_words import EXCERPT, MOST_WORDS, Part, understood, words_in

TEXTS = ("Crème brûlée, 2 pieces!", "see you soon", "SOON we see", "price-list_2026.pdf", "thanks❤️ a lot 👍🏽",
         "请问今天几点关门", "मुझे दुकान का पता चाहिए", "هل لديكم توصيل؟", "ขอบคุณครับ", "cafe\u0301 au lait",
         "It's 5 o'clock; C++ & \"quoted\" words", "ÜBERGRÖSSE straße", "a", "", "🙂", "tab\tand\nline", "x_y-z.w",
         "İstanbul")


@pytest.mark.parametrize(("typed", "expression"), [
    ("order", '"order"*'), ("order 12", '"order" AND "12"*'), ('"see you" soon', '"see you" AND "soon"*'),
    ('"see you"', '"see you"'), ('"see yo', '"see yo"*'), ("“see you” a", '"see you" AND "a"'),
    ("foo-bar", '"foo bar"*'),
    ("你好 吗", '"你好"* AND "吗"*'), ("a OR b*", '"a" AND "OR" AND "b"'), ("❤️ love", '"love"*'),
    ("", ""), ("🙂 *", ""), ('""', ""), ("\0", ""), ("NEAR(a b)", '"NEAR a" AND "b"'), ("  order  ", '"order"*'),
])
def test_what_is_typed_becomes_words_in_quotes(typed: str, expression: str) -> None:
    assert understood(typed).expression == expression


def test_very_much_is_cut() -> None:
    assert len(understood("ab " * 500).terms) == MOST_WORDS


@pytest.fixture(scope="module")
def index() -> Iterator[Any]:
    """The tokenizer of m0011_search."""
    connection = dbapi2.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE words USING fts5(text, tokenize=\"unicode61 remove_diacritics 2 "
                       "categories 'L* N* Co Mn Mc' separators '\ufe0e\ufe0f'\")")
    for number, text in enumerate(TEXTS):
        connection.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (number, text))
    yield connection
    connection.close()


def test_both_sides_find_the_same(index: Any) -> None:
    chance = random.Random(11)
    pool = [match[0] for text in TEXTS for match in words_in(text)] + ["see", "yo", "so", "zz", "bru", "CAFE"]
    for _ in range(400):
        typed = " ".join(chance.sample(pool, chance.randint(1, 2)))
        if chance.random() < 0.3:
            typed = f'"{typed}"'
        words = understood(typed)
        found = {row[0] for row in index.execute("SELECT rowid FROM words WHERE words MATCH ?", (words.expression,))}
        assert found == {number for number, text in enumerate(TEXTS) if words.stand_in(text)}, typed


def test_a_term_may_stand_in_the_text_or_in_the_name_of_the_file() -> None:
    assert understood("walnut offer").stand_in("the walnut table", "offer.pdf")
    assert not understood('"walnut offer"').stand_in("the walnut", "offer.pdf")


@pytest.mark.parametrize(("typed", "text", "marked"), [
    ("soon", "See you Soon, sooner", ["Soon", "sooner"]), ('"see you"', "You see? See you", ["See you"]),
    ("creme", "Crème", ["Crème"]), ("zebra", "nothing of it", []), ("你好", "你好世界", ["你好世界"]),
    ("a b", "A b", ["A", "b"]),
])
def test_an_excerpt_marks_what_was_found(typed: str, text: str, marked: list[str]) -> None:
    parts = understood(typed).excerpt(text)
    assert [part.text for part in parts if part.marked] == marked
    assert "".join(part.text for part in parts) == text


def test_an_excerpt_of_a_long_text_stands_around_the_first_word() -> None:
    text = "begin " + "before " * 60 + "the walnut table " + "after " * 200
    parts = understood("walnut").excerpt(text)
    assert parts[0] == Part("…") and parts[-1] == Part("…") and Part("walnut", marked=True) in parts
    shown = "".join(part.text for part in parts)
    assert len(shown) <= EXCERPT + 2 and shown.strip("…").strip() in text
    assert shown[1:].split(" ")[0] == "before" and shown[:-1].split(" ")[-1] in ("after", ""), "no word is cut"


def test_an_excerpt_without_spaces_ends_all_the_same() -> None:
    shown = "".join(part.text for part in understood("x").excerpt("字" * 5000))
    assert len(shown) <= EXCERPT + 1
