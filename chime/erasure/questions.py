"""Saved questions that name the person, and requests for the answer of one: SQL is typed by people, who write a number,
an id or a name into it.

Promises: what leads to the person is taken out of a question's words and name, and the rest of the question stays for
whoever saved it; a request for such an answer ends and is deleted, and answers already made go with all other exports.
A number is known however it is grouped, from seven digits on. A name of one word is often an ordinary word too (Rose,
May): it is taken out only where it stands as a value in a question that looks at names or texts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

import msgspec

from chime import approvals, contacts, exports
from chime.approvals import Ending, State
from chime.db import Db
from chime.erasure import actions
from chime.workspaces import Transaction, Workspace

ERASED = "[erased]"
ASKED_BY = "data_queries.export"
FEWEST_DIGITS = 7
_NUMBER = re.compile(r"\+?\d(?:[ ().\-]{0,3}\d){6,}")
_VALUES = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_LOOKS_AT_WORDS = re.compile(r"\b(?:name|profile_name|username|author_name|text|value)\b", re.IGNORECASE)
_SHORTEST_WORD = 3


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What leads to the person: numbers as digits, ids, names."""

    phones: tuple[str, ...]
    ids: tuple[str, ...]
    names: tuple[str, ...]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    sql: str


def without(question: Question, known: Known) -> Question:
    """The question without the person; the same when they are not in it."""
    sql = _without_numbers(question.sql, known)
    name = _without_numbers(question.name, known)
    words = [_spelled(one) for one in known.names if len(one.split()) == 1 and len(one) >= _SHORTEST_WORD]
    for one in (_spelled(one) for one in known.names if len(one.split()) > 1):
        sql, name = one.sub(ERASED, sql), one.sub(ERASED, name)
    if _LOOKS_AT_WORDS.search(sql):
        for one in words:
            sql = "".join(_within_values(sql, one))
    if sql != question.sql:
        for one in words:
            name = one.sub(ERASED, name)
    return Question(name=name, sql=sql)


def _without_numbers(text: str, known: Known) -> str:
    for one in known.ids:
        text = text.replace(one, ERASED)
    return _NUMBER.sub(lambda found: ERASED if _is_theirs(found[0], known.phones) else found[0], text)


def _is_theirs(number: str, phones: Collection[str]) -> bool:
    """The whole number, or enough of it to find them by."""
    digits = "".join(filter(str.isdigit, number)).lstrip("0")
    return len(digits) >= FEWEST_DIGITS and any(digits in phone or phone in digits for phone in phones)


def _within_values(sql: str, name: re.Pattern[str]) -> Iterator[str]:
    """The question piece by piece, the name taken out of what stands in its values only."""
    place = 0
    for found in _VALUES.finditer(sql):
        yield sql[place:found.start()]
        yield name.sub(ERASED, found[0])
        place = found.end()
    yield sql[place:]


def _spelled(name: str) -> re.Pattern[str]:
    """A name as it stands in SQL: quotes doubled, and what LIKE takes for anything between its words."""
    words = (re.escape(word).replace("'", "'{1,2}") for word in name.split())
    return re.compile(r"(?<!\w)" + r"[\s%_]+".join(words) + r"(?!\w)", re.IGNORECASE)


async def known_of(db: Db, contact_ids: Sequence[str]) -> Known:
    """Before the contacts are gone."""
    ids = msgspec.json.encode(list(contact_ids)).decode()
    identities = await contacts.identities(db, contact_ids)
    threads = await db.rows("SELECT id FROM conversation WHERE contact_id IN (SELECT value FROM json_each(?))", ids)
    named = await db.rows("SELECT name, profile_name, username FROM contact WHERE id IN "
                          "(SELECT value FROM json_each(?))", ids)
    return Known(phones=tuple(one.value for one in identities if one.kind == "phone" and one.value),
                 ids=(*contact_ids, *(row[0] for row in threads),
                      *(one.value for one in identities if one.kind == "user_id" and one.value)),
                 names=tuple({name.strip() for row in named for name in row if name and name.strip()}))


async def forget(workspace: Workspace, tx: Transaction, erasure_id: str, contact_ids: Sequence[str]) -> None:
    """Take the person out of what was saved and asked for. May be done twice."""
    known = await known_of(tx, contact_ids)
    changed = 0
    for query_id, owner_id, is_shared, name, sql in await tx.rows(
            "SELECT id, owner_id, is_shared, name, sql FROM data_query"):
        rest = without(Question(name=name, sql=sql), known)
        if (rest.name, rest.sql) != (name, sql):
            free = await _free_name(tx, query_id, rest.name, "" if is_shared else owner_id)
            await tx.execute("UPDATE data_query SET name = ?, sql = ?, updated_at = ? WHERE id = ?", free, rest.sql,
                             tx.now, query_id)
            await tx.audit("data_query.person_removed", "data_query", query_id, erasure_id=erasure_id)
            changed += 1
    changed += await _forget_requests(workspace, tx, known)
    if changed:
        await actions.add(tx, erasure_id, questions=changed)


async def _free_name(tx: Transaction, query_id: str, name: str, owner_id: str) -> str:
    """Two questions about the same person may be called the same now."""
    wanted, number = name, 1
    while await tx.value("SELECT 1 FROM data_query WHERE name = ? AND id <> ? AND iif(is_shared, '', owner_id) = ?",
                         wanted, query_id, owner_id):
        number += 1
        wanted = f"{name} {number}"
    return wanted


async def _forget_requests(workspace: Workspace, tx: Transaction, known: Known) -> int:
    """What was asked for never changes, so a request that names the person goes as a whole; the trail keeps that it
    was there."""
    count = 0
    for approval_id, text, reason in await tx.rows("SELECT id, parameters_json, reason FROM approval WHERE job = ?",
                                                   ASKED_BY):
        parameters = msgspec.json.decode(text, type=dict[str, object])
        asked = Question(name=f"{parameters.get('name', '')} {reason}", sql=str(parameters.get("sql", "")))
        if without(asked, known) == asked:
            continue
        row = await approvals.found(tx, approval_id)
        if row.ended_at is None:
            await approvals.end(tx, row, State.CANCELLED, Ending.ERASURE)
        exports.folder(workspace, b"\0" * 32).remove(approval_id)
        await tx.execute("DELETE FROM export_file WHERE id = ?", approval_id)
        await tx.execute("DELETE FROM approval WHERE id = ?", approval_id)
        await tx.audit("approval.removed", "approval", approval_id, kind=row.kind)
        count += 1
    return count
