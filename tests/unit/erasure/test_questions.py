"""What leads to a person is taken out of a saved question, and nothing else is."""

from __future__ import annotations

import pytest

from chime.erasure.questions import Known, Question, without

THEM = Known(phones=("14155550190",), ids=("01kafx2v9m3q8r5t7w1y4z6b0k", "US.777888999"),
             names=("Bea Okoye", "Rose", "Sinéad O'Brien", "A"))

FOUND = [
    ("SELECT * FROM contacts WHERE phone = '14155550190'", "SELECT * FROM contacts WHERE phone = '[erased]'"),
    ("SELECT 1 WHERE x = '+1 (415) 555-0190'", "SELECT 1 WHERE x = '[erased]'"),
    ("SELECT 1 FROM contacts WHERE phone LIKE '%5550190'", "SELECT 1 FROM contacts WHERE phone LIKE '%[erased]'"),
    ("SELECT 1 -- 0415.555.0190 called", "SELECT 1 -- [erased] called"),
    ("SELECT * FROM messages WHERE conversation_id = '01kafx2v9m3q8r5t7w1y4z6b0k'",
     "SELECT * FROM messages WHERE conversation_id = '[erased]'"),
    ("SELECT 'US.777888999'", "SELECT '[erased]'"),
    ("SELECT id FROM tags WHERE x = 'bea  okoye'", "SELECT id FROM tags WHERE x = '[erased]'"),
    ("SELECT name FROM contacts WHERE name LIKE '%Bea%Okoye%'",
     "SELECT name FROM contacts WHERE name LIKE '%[erased]%'"),
    ("SELECT 1 WHERE 'Sinéad O''Brien' = 1", "SELECT 1 WHERE '[erased]' = 1"),
    ("SELECT id FROM contacts WHERE name = 'rose'", "SELECT id FROM contacts WHERE name = '[erased]'"),
    ("SELECT text FROM messages /* of Rose */", "SELECT text FROM messages /* of [erased] */"),
]
KEPT = [
    "SELECT date(at) FROM messages WHERE at >= '2026-11-21 09:30:00' AND at < :to",
    "SELECT * FROM contacts WHERE phone = '14155550191'", "SELECT * FROM contacts WHERE phone LIKE '%0190'",
    "SELECT count(*) FROM contact_tags WHERE tag = 'Rose'", "SELECT name AS rose FROM contacts",
    "SELECT name FROM contacts WHERE name = 'Rosemary'", "SELECT name FROM contacts WHERE name = 'A'",
    "SELECT 1 WHERE x = 'Bea' OR x = 'Okoye'", "SELECT 1234567, 99999999999",
]


@pytest.mark.parametrize(("sql", "left"), FOUND)
def test_the_person_goes_and_the_question_stays(sql: str, left: str) -> None:
    assert without(Question(name="Late answers", sql=sql), THEM) == Question(name="Late answers", sql=left)


@pytest.mark.parametrize("sql", KEPT)
def test_what_is_not_theirs_stays(sql: str) -> None:
    assert without(Question(name="Rose garden", sql=sql), THEM) == Question(name="Rose garden", sql=sql)


def test_its_name_is_read_too() -> None:
    assert without(Question(name="Bea Okoye, +1 415 555 0190", sql="SELECT 1"), THEM).name == "[erased], [erased]"
    found = without(Question(name="What Rose wrote", sql="SELECT '14155550190'"), THEM)
    assert found == Question(name="What [erased] wrote", sql="SELECT '[erased]'"), "the question is about them"
