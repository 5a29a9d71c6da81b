"""Whom a note calls."""

from __future__ import annotations

import pytest

from chime.inbox.notes import Mentionable, mentioned

NAMED = [Mentionable("Ana", ("a",)), Mentionable("Ana Maria", ("am",)), Mentionable("Support", ("a", "b")),
         Mentionable("Zoë (night)", ("z",)), Mentionable("李雷", ("l",))]


@pytest.mark.parametrize(("text", "called"), [
    ("@Ana please", {"a"}), ("@ana", {"a"}), ("hello @Ana Maria!", {"am"}), ("@Ana Maria and @Ana", {"am", "a"}),
    ("@Support: look", {"a", "b"}), ("@Zoë (night)?", {"z"}), ("问 @李雷", {"l"}), ("(@Ana)", {"a"}),
    ("ana", set()), ("@Anatole", set()), ("mail@ana", set()), ("@@Ana", set()), ("@nobody", set()), ("@", set()),
])
def test_mentioned(text: str, called: set[str]) -> None:
    assert mentioned(text, NAMED) == called
