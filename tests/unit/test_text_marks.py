"""WhatsApp's marks: drawn in a thread, left out where a text is one line among others."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chime.text_marks import plain
from chime.web.message_text import whatsapp_text

MARKED = [
    ("*Sale* today", "<strong>Sale</strong> today", "Sale today"),
    ("_so_ ~not~ ```x = 1```", "<em>so</em> <s>not</s> <code>x = 1</code>", "so not x = 1"),
    ("*_both_*", "<strong><em>both</em></strong>", "both"),
    ("(*in brackets*).", "(<strong>in brackets</strong>).", "(in brackets)."),
]
UNMARKED = ["2 * 3 * 4", "snake_case_name", "a*b*c", "* no *", "*two\nlines*", "~", "**", "5*", "~about~5", "`x`"]


@pytest.mark.parametrize(("text", "html", "words"), MARKED)
def test_marks_are_drawn_or_left_out(text: str, html: str, words: str) -> None:
    assert whatsapp_text(text) == html
    assert plain(text) == words


@pytest.mark.parametrize("text", UNMARKED)
def test_what_is_no_mark_stays(text: str) -> None:
    assert whatsapp_text(text) == plain(text) == text


@given(st.text(alphabet="*_~` ab\n.", max_size=40))
def test_nothing_but_marks_goes(text: str) -> None:
    left = iter(text)
    assert all(letter in left for letter in plain(text)), "in the same order"
    assert plain(text).translate(str.maketrans("", "", "*_~`")) == text.translate(str.maketrans("", "", "*_~`"))


def test_words_are_escaped_before_marks_are_drawn() -> None:
    assert whatsapp_text("*<b>* & <script>") == "<strong>&lt;b&gt;</strong> &amp; &lt;script&gt;"
    assert whatsapp_text("<i>") == "&lt;i&gt;"
    link = 'href="https://a.example/?x=1&amp;y=*2*"'
    assert link in whatsapp_text('*<b>* https://a.example/?x=1&y=*2*')
    assert "<b>" not in whatsapp_text("<b> https://a.example/ <b>")


@given(st.text(alphabet="*_~` <>&\"'/ab\n.:?=https", max_size=60))
def test_whatever_is_written_there_are_no_tags_but_ours(text: str) -> None:
    html = str(whatsapp_text(text))
    bare = re.sub(r'</?(?:strong|em|s|code)>|<a href="https?://[^"<>]*" target="_blank" rel="[a-z ]+">|</a>', "", html)
    assert not set(bare) & set("<>\"'"), html
    assert re.sub(r"[*_~`]", "", unescape(bare)) == re.sub(r"[*_~`]", "", text), "no word is lost, none comes"


@pytest.mark.parametrize("address", ["https://a.example/\"onmouseover=x", "https://a.example/'><script>", "http://<b>",
                                     "javascript://a", "https://a.example/?a=1&lt;b&gt;*c*"])
def test_an_address_stays_within_its_quotes(address: str) -> None:
    html = str(whatsapp_text(f"see {address} now"))
    for found in re.findall(r"<a ([^>]*)>", html):
        assert re.fullmatch(r'href="https?://[^"<>]*" target="_blank" rel="noopener noreferrer nofollow"', found)
    assert "<script" not in html and "<b>" not in html and 'href="javascript' not in html
