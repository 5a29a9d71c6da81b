"""Help inside the product: every topic can be read, what is looked for is found, every error of Meta's is explained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest

from chime import resources
from chime.help import TOPICS, search
from chime.web.settings import SETTINGS
from chime.whatsapp.error_table import ERROR_RULES
from tests.support.world import World
from tools import messages


async def test_every_topic_is_listed_and_can_be_read_by_everybody(world: World) -> None:
    """Also by somebody who sees no conversation; from one to the next and back."""
    for name in ("alice", "vera"):
        client = await world.session(name)
        front = (await client.get(f"/w/{world.acme.slug}/help")).text
        for topic in TOPICS:
            assert f'/help/{topic.key}"' in front, topic.key
        for place, topic in enumerate(TOPICS):
            answer = await client.get(f"/w/{world.acme.slug}/help/{topic.key}")
            assert answer.status_code == 200 and answer.text.count("<h1") == 1, topic.key
            shown = re.sub(r"<[^>]+>", " ", answer.text.split("help-text", 1)[1].split("</article>", 1)[0])
            assert len(shown.split()) > 30, topic.key
            if place + 1 < len(TOPICS):
                assert f'/help/{TOPICS[place + 1].key}"' in answer.text, topic.key
    assert (await client.get(f"/w/{world.acme.slug}/help/none")).status_code == 404


@pytest.mark.parametrize(("typed", "key"), [
    ("24-hour", "window"), ("masked", "privacy"), ("STOP", "people"), ("BSUID", "glossary"), ("blue ticks", "writing"),
])
async def test_a_word_of_a_topic_finds_it(world: World, typed: str, key: str) -> None:
    client = await world.session("bob")
    answer = await client.get(f"/w/{world.acme.slug}/help", params={"q": typed})
    assert f'/help/{key}"' in answer.text and "In the inbox" not in answer.text
    part = await client.get(f"/w/{world.acme.slug}/help", params={"q": typed}, headers={"HX-Request": "true"})
    assert f'/help/{key}"' in part.text and "<html" not in part.text


async def test_what_is_not_there_is_said_in_words_and_nothing_typed_becomes_markup(world: World) -> None:
    client = await world.session("bob")
    answer = await client.get(f"/w/{world.acme.slug}/help", params={"q": 'zzzz"><script>'})
    assert "Nothing found" in answer.text and "<script>" not in answer.text.split("</head>")[1]
    assert (await client.get(f"/w/{world.acme.slug}/help", params={"q": "x" * 5000})).status_code == 200
    assert (await client.get(f"/w/{world.acme.slug}/help", params={"q": "?!"})).status_code == 200


async def test_every_error_of_metas_is_explained(world: World) -> None:
    client = await world.session("bob")
    page = (await client.get(f"/w/{world.acme.slug}/help/errors")).text
    listed = {rule.first for rule in search.find_errors("", "en")}
    assert all(f'id="e{first}"' in page for first in listed)
    for code, rule in ERROR_RULES.items():
        found = search.find_errors(str(code), "en")
        assert any(one.title == rule.title for one in found), code
    answer = await client.get(f"/w/{world.acme.slug}/help/errors", params={"q": "131047"})
    assert "131047" in answer.text and 'id="e131026"' not in answer.text
    front = await client.get(f"/w/{world.acme.slug}/help", params={"q": "131047"})
    assert "131047" in front.text


def test_neighbouring_codes_stand_together() -> None:
    assert search.spans([10, 200, 201, 202, 5]) == "5, 10, 200–202"
    assert search.matches(["temp"], ["a", "template"]) and not search.matches(["late"], ["template"])


async def test_every_link_to_help_and_from_it_leads_somewhere(world: World) -> None:
    client, topics = await world.session("alice"), {topic.key for topic in TOPICS}
    assert {one.help for one in SETTINGS if one.help} <= topics
    for one in SETTINGS:
        page = (await client.get(f"/w/{world.acme.slug}{one.path}")).text.partition("<main")[2]
        assert re.findall(r'/help/([\w-]+)"', page) == ([one.help] if one.help else []), one.key
    led: set[str] = set()
    for topic in TOPICS:
        text = (await client.get(f"/w/{world.acme.slug}/help/{topic.key}")).text.partition("<main")[2]
        led |= {unescape(found) for found in re.findall(r'href="(/[^"#]*)', text)}
    for address in led:
        assert (await client.get(address)).status_code == 200, address


# What stands with a capital letter within a sentence and is no control of ours: names, keys, Meta's own words.
NAMES = {"WhatsApp", "Meta", "Chime", "Python", "Shift", "Business Account", "Idempotency-Key", "October"}


def named_in_help() -> Iterator[tuple[str, list[str]]]:
    """What a topic's sentences name: each word with a capital letter in the middle, with what follows it."""
    for topic in TOPICS:
        source = resources.template_source(topic.template)
        for told in re.findall(r"{% trans trimmed %}(.*?){% endtrans %}", source, re.DOTALL):
            told = re.sub(r"<[^>]+>", "", re.sub(r"<kbd>.*?</kbd>", "a key", told))
            for sentence in re.split(r"(?<=[.!?:;])\s+", told):
                words = [word.strip("“”(),.;:?!").removesuffix("’s") for word in sentence.split()]
                yield from ((topic.key, words[place:place + 6]) for place in range(1, len(words))
                            if re.match(r"[A-Z][a-z]", words[place]))


def test_what_help_names_is_called_so_on_the_pages() -> None:
    shown = {str(text).rstrip("…:.") for message in messages.catalogue() if message.id
             for text in ([message.id] if isinstance(message.id, str) else message.id)}
    named = list(named_in_help())
    assert len(named) > 40
    unknown = [(key, words[0]) for key, words in named
               if not any(" ".join(words[:length]) in shown | NAMES for length in range(1, 7))]
    assert unknown == []
