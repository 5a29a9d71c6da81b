"""The languages of the interface: each catalogue belongs to the texts there are now, is compiled, breaks no page."""

from __future__ import annotations

import gettext
import io
from pathlib import Path

import pytest

from chime import resources
from chime.web import errors as error_pages
from tools import translations

LANGUAGES = ("ar", "es", "hi", "id", "pt")
# What came after the last round of translating is shown in English.
LEAST_TRANSLATED = 0.97


def test_each_language_is_there() -> None:
    assert {name.removesuffix(".mo") for name in resources.catalogue_files()} == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_is_whole_and_compiled(language: str) -> None:
    current = translations.catalogue(language)
    file = translations.LOCALE / f"{language}.po"
    assert file.read_bytes() == translations.as_po(current), "run tools/translations.py compile"
    assert file.with_suffix(".mo").read_bytes() == translations.as_mo(current), "run tools/translations.py compile"
    texts = [message for message in current if message.id]
    translated = [message for message in texts if all(translations.texts(message))]
    assert len(translated) >= LEAST_TRANSLATED * len(texts), f"{len(texts) - len(translated)} are missing"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_takes_what_the_page_puts_into_it(language: str) -> None:
    words = gettext.GNUTranslations(io.BytesIO(resources.catalogue_files()[f"{language}.mo"]))
    current = translations.catalogue(language)
    for message in current:
        if message.id and all(translations.texts(message)):
            assert not translations.problems(message, translations.texts(message), current), message.id
    for number in (0, 1, 2, 3, 5, 11, 100):
        shown = words.ngettext("%(num)s conversation", "%(num)s conversations", number) % {"num": number}
        assert shown and "%(" not in shown


def test_a_translation_that_would_break_a_page_is_refused() -> None:
    current = translations.catalogue("es")
    message = current.get("%(age)s ago")
    assert message is not None
    assert translations.problems(message, ["hace %(age)s"], current) == []
    for wrong in (["hace un rato"], ["hace %(edad)s"], [""], ["hace %(age)s", "otra"], ["<b>hace</b> %(age)s"]):
        assert translations.problems(message, wrong, current), wrong


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_word_with_several_senses_is_translated_in_each(language: str) -> None:
    current = translations.catalogue(language)
    senses = [message for message in current if message.context]
    assert len(senses) >= 15
    assert [message.id for message in senses if not all(translations.texts(message))] == []
    words = gettext.GNUTranslations(io.BytesIO(resources.catalogue_files()[f"{language}.mo"]))
    assert words.pgettext("action", "Open") != words.gettext("Open"), "a button is no state"
    assert words.pgettext("sorting", "Order") != words.gettext("Order"), "a sorted list is no purchase"


def test_a_sense_is_asked_for_and_taken_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(translations, "LOCALE", tmp_path)
    assert "action\x04Open" in translations.missing("fr", 10_000)
    assert translations.take("fr", {"action\x04Open": "Ouvrir", "Open": "Ouverte", "no sense\x04Open": "?"}) == [
        "'no sense\\x04Open': there is no such text (any more)"]
    taken = translations.catalogue("fr")
    assert [taken.get("Open", context=sense).string for sense in ("action", None)] == ["Ouvrir", "Ouverte"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_an_error_speaks_the_readers_language(language: str) -> None:
    words = gettext.GNUTranslations(io.BytesIO(resources.catalogue_files()[f"{language}.mo"]))
    for text in (*error_pages.texts(), "Changed meanwhile", "Some fields need attention"):
        assert words.gettext(text) != text
