"""A forgotten person stands in no saved question, in no request for the answer of one, and in no answer made before."""

from __future__ import annotations

from chime.approvals.model import State
from tests.http.data_setup import newest, standing
from tests.http.inbox_setup import rows, talk
from tests.http.test_erasure import forgotten, traces
from tests.support.world import World

PAGE = "/w/acme/settings/queries"


async def test_saved_questions_forget_the_person(world: World) -> None:
    said = await talk(world, "hello", name="Zebrafinch Questioned", phone="14155550177")
    await talk(world, "hello", name="Maya Lindqvist", phone="14155550178")
    alice = await world.session("alice")
    questions = {
        "Zebrafinch Questioned": "SELECT * FROM contacts WHERE name LIKE '%zebrafinch questioned%'",
        "zebrafinch questioned": f"SELECT text FROM messages WHERE conversation_id = '{said.id}'",
        "By number": "SELECT count(*) FROM contacts WHERE phone = '14155550177'",
        "Of Maya": "SELECT count(*) FROM contacts WHERE phone = '14155550178' OR name = 'Maya Lindqvist'",
    }
    for number, (name, sql) in enumerate(questions.items()):
        shared = {"is_shared": "1"} if number == 1 else {}
        answer = await alice.post(PAGE, data={"name": name, "sql": sql, **shared})
        assert answer.status_code == 303, answer.text
    await alice.post(f"{PAGE}/export", data={"sql": questions["By number"], "reason": "a number"})
    await world.settle(40)
    theirs = await newest(world)
    await alice.post(f"{PAGE}/export", data={"sql": "SELECT name FROM contacts"})
    await world.settle(40)
    general = await newest(world)
    assert (await standing(world, general.id)).state in (State.REQUESTED, State.READY)
    erasure_id = await forgotten(world, said.contact_id)
    saved = await rows(world, world.acme, "SELECT name, sql FROM data_query ORDER BY id")
    assert [row[0] for row in saved] == ["[erased]", "[erased]", "By number", "Of Maya"]
    assert saved[2][1] == "SELECT count(*) FROM contacts WHERE phone = '[erased]'"
    assert saved[3][1] == questions["Of Maya"], "others' stay"
    assert not await rows(world, world.acme, "SELECT 1 FROM approval WHERE id = ?", theirs.id)
    assert not await rows(world, world.acme, "SELECT 1 FROM export_file WHERE id = ?", theirs.id)
    assert (await standing(world, general.id)).state is not State.READY, "it may hold the person"
    assert not await traces(world, (b"14155550177", b"ebrafinch", b"EBRAFINCH", b"zebrafinch"))
    trail = await rows(world, world.acme, "SELECT action, count(*) FROM audit_event WHERE action IN "
                       "('data_query.person_removed', 'approval.removed') GROUP BY action ORDER BY action")
    assert trail == [("approval.removed", 1), ("data_query.person_removed", 3)]
    certificate = await alice.get(f"/w/acme/settings/erasures/{erasure_id}")
    assert "Saved questions that named them</dt><dd>4<" in certificate.text
    assert (await alice.get(PAGE)).status_code == 200
