"""The emoji a browser fetches when somebody first wants one: small, in step, and no tone where Unicode has none."""

from __future__ import annotations

import gzip
import importlib
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
STATIC = ROOT / "chime" / "web" / "static"
sys.path.insert(0, str(ROOT / "tools"))

tool = importlib.import_module("emoji")  # tools/emoji.py, which makes the files

LANGUAGES = sorted(path.stem for path in (STATIC / "emoji").glob("*.json"))


def groups(language: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads((STATIC / "emoji" / f"{language}.json").read_text("utf-8"))
    return found


def test_the_script_asks_for_the_languages_there_are() -> None:
    script = (STATIC / "js" / "emoji_data.js").read_text("utf-8")
    named = re.search(r"NAMED = \[(.*?)\]", script)
    assert named is not None
    assert sorted([*re.findall(r"'(\w+)'", named[1]), "en"]) == LANGUAGES == sorted(tool.MOST)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_list_is_small_and_in_step(language: str) -> None:
    path = STATIC / "emoji" / f"{language}.json"
    assert len(gzip.compress(path.read_bytes(), 9)) <= tool.MOST[language][0]
    english = [(group["key"], group["emoji"]) for group in groups("en")]
    assert [(group["key"], group["emoji"]) for group in groups(language)] == english
    for group in groups(language):
        signs, names, words = (group[part].split("\n") for part in ("emoji", "names", "words"))
        assert len(signs) == len(names) == len(words)
        assert len(set(signs)) == len(signs)
        assert all(names)


def test_every_group_has_its_place_in_the_picker() -> None:
    template = (ROOT / "templates" / "inbox" / "_emoji.html").read_text("utf-8")
    placed = set(re.findall(r'\("([\w-]+)", "\W+", _\(', template))
    assert {group["key"] for group in groups("en")} == placed - {"recent"}


@pytest.mark.parametrize(("plain", "dark"), [
    ("👍", "👍🏿"), ("✌️", "✌🏿"), ("🕵️‍♂️", "🕵🏿‍♂️"), ("🤝", "🤝🏿"), ("🧑‍🤝‍🧑", "🧑🏿‍🤝‍🧑🏿"),
    ("❤️", "❤️"), ("👨‍👩‍👦", "👨‍👩‍👦"),
])
def test_a_tone_follows_each_body(plain: str, dark: str) -> None:
    (takes,) = {one["emoji"] for one in groups("en") if one["key"] == "people-body"}
    marked = {one.removeprefix("+") for one in takes.split("\n") if one.startswith("+")}
    bodies = {one[0] for one in marked}
    assert tool.toned(plain, "🏿", bodies) == dark if plain in marked else plain == dark


def test_each_stands_as_phones_send_it() -> None:
    """A heart that is a letter without its mark has it, a thumb that needs none has none."""
    known = {one.removeprefix("+") for group in groups("en") for one in group["emoji"].split("\n")}
    assert {"❤️", "👍", "✌️", "5️⃣", "🇧🇷", "#️⃣"} <= known
