"""Blanks of a quick reply: what fills them, what stands when nothing does, and what is refused at saving."""

from __future__ import annotations

import pytest

from chime.errors import Invalid
from chime.quick_replies.model import NewReply, Scope, checked, may_change
from chime.quick_replies.variables import NAMES, check_variables, fill, first_name
from chime.security.permissions import GRANTS, Actor, Role

VALUES = {"contact.name": "Maya Chen", "contact.first_name": "Maya", "contact.username": "", "agent.name": "Bob"}


@pytest.mark.parametrize(("text", "shown"), [
    ("Hello {{contact.first_name}}!", "Hello Maya!"),
    ("{{ contact.name }} and {{contact.name|nobody}}", "Maya Chen and Maya Chen"),
    ("Hi {{contact.username|there}}", "Hi there"),
    ("Hi {{contact.username | my friend }}", "Hi my friend"),
    ("{{contact.fields.city|your town}}", "your town"),
    ("no blanks {at} all {}", "no blanks {at} all {}"),
    ("*{{agent.name}}*\n_{{agent.name}}_", "*Bob*\n_Bob_"),
])
def test_blanks_are_filled(text: str, shown: str) -> None:
    filled = fill(text, VALUES)
    assert (filled.text, filled.missing) == (shown, ())


def test_what_nothing_fills_stays_and_is_told_once() -> None:
    filled = fill("{{ contact.username }}, {{contact.fields.city}}, {{contact.username|}}", VALUES)
    assert filled.text == "{{contact.username}}, {{contact.fields.city}}, {{contact.username}}"
    assert filled.missing == ("contact.username", "contact.fields.city")


def test_a_value_is_no_template() -> None:
    """A customer who calls themselves by a blank gets no more than their name."""
    assert fill("{{contact.name}}", {"contact.name": "{{agent.name}}", "agent.name": "Bob"}).text == "{{agent.name}}"


@pytest.mark.parametrize("name", NAMES)
def test_every_name_that_is_offered_is_taken(name: str) -> None:
    assert check_variables(f"{{{{{name}}}}} {{{{{name}|words}}}}") == []


@pytest.mark.parametrize(("text", "part"), [
    ("{{contact.nmae}}", "contact.nmae"), ("{{}}", "There is no"), ("{{contact.fields.}}", "contact.fields."),
    ("{{contact.name", "not closed"), ("contact.name}}", "not closed"),
    ("{{session.token|x}}", "session.token"),
])
def test_what_is_no_name_is_refused_by_name(text: str, part: str) -> None:
    assert part in " ".join(check_variables(text))


@pytest.mark.parametrize(("name", "first"), [("Maya Chen", "Maya"), ("Maya", "Maya"), ("  Ana  Lu ", "Ana"), ("", "")])
def test_first_names(name: str, first: str) -> None:
    assert first_name(name) == first


def test_every_wrong_field_is_told_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        checked(NewReply(code="two words", title=" ", text="{{what}}", category="x" * 41, scope=Scope.TEAM),
                has_files=False)
    assert {problem.field for problem in refused.value.errors} == {"code", "title", "text", "category", "team_id"}


def test_what_was_typed_is_tidied() -> None:
    found = checked(NewReply(code=" /Öffnung-1 ", title=" Opening \n hours ", text="a\r\nb \n", team_id="t"),
                    has_files=False)
    assert (found.code, found.title, found.text, found.team_id) == ("öffnung-1", "Opening hours", "a\nb", None)


@pytest.mark.parametrize(("role", "own", "my_team", "other_team", "everyone"), [
    (Role.OWNER, True, True, True, True), (Role.ADMIN, True, True, True, True), (Role.MANAGER, True, True, False, True),
    (Role.MEMBER, True, False, False, False), (Role.AGENT, True, False, False, False),
    (Role.ANALYST, False, False, False, False), (Role.VIEWER, False, False, False, False),
])
def test_who_may_change_whose(role: Role, own: bool, my_team: bool, other_team: bool, everyone: bool) -> None:
    actor = Actor(kind="user", id="u", name="U", grants=GRANTS[role], teams=frozenset({"mine"}))
    assert [may_change(actor, scope, team) for scope, team in (
        (Scope.PERSONAL, None), (Scope.TEAM, "mine"), (Scope.TEAM, "other"), (Scope.EVERYONE, None))] == [
            own, my_team, other_team, everyone]


def test_a_key_of_the_shell_has_no_replies_of_its_own() -> None:
    key = Actor(kind="api_key", id="k", name="K", grants=GRANTS[Role.OWNER])
    assert not may_change(key, Scope.PERSONAL, None) and may_change(key, Scope.EVERYONE, None)
