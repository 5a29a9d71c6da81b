"""Numbers and ids that changed hands: nobody's words end up in somebody else's conversation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.webhook_bodies import Customer, body, inbound, rows, seconds, system, take, text
from tests.support.world import ACME_NUMBER, World

HTMX = {"HX-Request": "true"}
SAID = ("SELECT contact.phone, contact.user_id, group_concat(text, ', ' ORDER BY message.at) FROM message "
        "JOIN conversation ON conversation.id = conversation_id JOIN contact ON contact.id = contact_id "
        "GROUP BY contact.id ORDER BY contact.phone")


async def say(world: World, who: Customer, at: int, words: str) -> None:
    await take(world, body(ACME_NUMBER, inbound(ACME_NUMBER, who, text(who, f"wamid.{words}", at, words))))


def moved(before: Customer, after: Customer, at: int) -> dict[str, Any]:
    return system(ACME_NUMBER, f"wamid.s{at}", at, before.phone, type="user_changed_number", wa_id=after.phone,
                  user_id=after.user_id, previous_user_id=before.user_id)


async def test_whoever_has_a_number_that_was_given_up_is_somebody_else(world: World) -> None:
    at = seconds(world, 1000)
    before, after = Customer("Dana", "14155550123", "US.D1"), Customer("Dana", "14155550999", "US.D2")
    stranger = Customer("Noor", "14155550123", "US.N1")
    await say(world, before, at, "one")
    await take(world, body(ACME_NUMBER, moved(before, after, at + 10)))
    await say(world, stranger, at + 20, "two")
    await say(world, before, at + 5, "late")
    await say(world, after, at + 30, "three")
    await say(world, stranger, at + 40, "four")
    assert await rows(world, world.acme, SAID) == [
        ("14155550123", "US.N1", "two, four"), ("14155550999", "US.D2", "one, late, three")]
    # The stranger goes on to a third number: the first customer has no part in it.
    third = Customer("Noor", "14155550777", "US.N2")
    await take(world, body(ACME_NUMBER, moved(stranger, third, at + 50)))
    await say(world, third, at + 60, "five")
    assert await rows(world, world.acme, SAID) == [
        ("14155550777", "US.N2", "two, four, five"), ("14155550999", "US.D2", "one, late, three")]
    assert await rows(world, world.acme, "SELECT 1 FROM rejected_event") == []


async def test_news_that_names_another_persons_number_takes_nothing_from_them(world: World) -> None:
    """Who gave the number up long ago changes their id; the number is named once more, and is another customer's."""
    at = seconds(world, 1000)
    dana, noor = Customer("Dana", None, "US.D1"), Customer("Noor", "14155550123", "US.N1")
    await say(world, dana, at, "one")
    await say(world, noor, at + 1, "two")
    await take(world, body(ACME_NUMBER, moved(Customer("Dana", noor.phone, "US.D1"), Customer(
        "Dana", "14155550999", "US.D2"), at + 10)))
    await say(world, noor, at + 20, "three")
    assert await rows(world, world.acme, SAID) == [
        ("14155550123", "US.N1", "two, three"), ("14155550999", "US.D2", "one")]


async def test_parted_again_neither_has_the_others_id(world: World) -> None:
    """The id of the other one was learnt while the two were one; it must not make them one again, for good."""
    at = seconds(world, 1000)
    kept = Customer("Kim", "14155550101", "US.K1")
    nameless, gone = Customer("Gus", "14155550199"), Customer("Gus", "14155550199", "US.G1")
    await say(world, kept, at, "one")
    await say(world, nameless, at + 1, "two")
    ids = dict(await rows(world, world.acme, "SELECT phone, id FROM contact"))
    alice, address = await world.session("alice"), f"/w/acme/contacts/{ids[kept.phone]}/merge"
    assert (await alice.post(address, data={"other_id": ids[gone.phone]}, headers=HTMX)).status_code == 200
    await say(world, gone, at + 2, "three")
    await say(world, kept, at + 3, "four")
    assert len(await rows(world, world.acme, SAID)) == 1
    assert (await alice.delete(address, headers=HTMX)).status_code == 200
    await say(world, gone, at + 4, "five")
    await say(world, kept, at + 5, "six")
    assert await rows(world, world.acme, SAID) == [
        ("14155550101", "US.K1", "one, three, four, six"), ("14155550199", "US.G1", "two, five")]


async def test_news_of_a_stranger_may_link_two_who_are_known(world: World) -> None:
    """The number of one, the id of the other: they were one all along, and the news is not refused for it."""
    at = seconds(world, 1000)
    await say(world, Customer("Dana", "14155550999"), at, "one")
    await say(world, Customer("Dana", None, "US.D2"), at + 1, "two")
    await take(world, body(ACME_NUMBER, moved(Customer("Dana", "14155550123", "US.D1"), Customer(
        "Dana", "14155550999", "US.D2"), at + 10)))
    await say(world, Customer("Dana", "14155550123", "US.D1"), at + 5, "late")
    assert await rows(world, world.acme, "SELECT 1 FROM rejected_event") == []
    assert await rows(world, world.acme, SAID) == [("14155550999", "US.D2", "one, two, late")]


@pytest.mark.parametrize("ids", [("", "", ""), ("US.D1", "US.D2", "US.D3")])
async def test_whoever_goes_back_to_a_former_number_is_answered_there(world: World, ids: tuple[str, ...]) -> None:
    at = seconds(world, 1000)
    first, away, back = (Customer("Dana", phone, user_id or None) for phone, user_id in zip(
        ("14155550123", "14155550999", "14155550123"), ids, strict=True))
    await say(world, first, at, "one")
    await take(world, body(ACME_NUMBER, moved(first, away, at + 10)))
    await say(world, away, at + 20, "two")
    await take(world, body(ACME_NUMBER, moved(away, back, at + 30)))
    await say(world, back, at + 40, "three")
    assert await rows(world, world.acme, SAID) == [("14155550123", ids[2] or None, "one, two, three")]


@pytest.mark.parametrize("case", ["numbers only", "two who became one", "an old trail"])
async def test_a_new_holder_is_somebody_else_however_the_number_was_given_up(world: World, case: str) -> None:
    at = seconds(world, 1000)
    with_ids = case != "numbers only"
    before = Customer("Dana", "14155550123", "US.D1" if with_ids else None)
    after = Customer("Dana", "14155550999", "US.D2" if with_ids else None)
    if case == "two who became one":
        await say(world, Customer("Dana", None, "US.D1"), at, "by id")
        await say(world, Customer("Dana", "14155550123"), at + 1, "by number")
    await say(world, before, at + 2, "one")
    await take(world, body(ACME_NUMBER, moved(before, after, at + 10)))
    if case == "an old trail":
        async with world.workspace(world.acme) as workspace, workspace.ingest("test") as tx:
            await tx.execute("INSERT INTO meta (key, value) SELECT 'audit_cut_to', max(sequence) FROM audit_event")
            await tx.execute("DELETE FROM audit_event")
    await say(world, Customer("Noor", "14155550123", "US.N1"), at + 400, "two")
    found = await rows(world, world.acme, SAID)
    assert [(phone, user_id) for phone, user_id, _ in found] == [("14155550123", "US.N1"), (after.phone, after.user_id)]
    assert found[0][2] == "two"


async def test_a_number_that_was_given_up_and_taken_by_another_makes_the_two_not_one(world: World) -> None:
    """Told by news, before its new holder wrote a word."""
    at = seconds(world, 1000)
    dana, away = Customer("Dana", "14155550123", "US.D1"), Customer("Dana", "14155550999", "US.D2")
    noor, taken = Customer("Noor", "14155550777", "US.N1"), Customer("Noor", "14155550123", "US.N2")
    await say(world, dana, at, "one")
    await say(world, noor, at + 1, "two")
    await take(world, body(ACME_NUMBER, moved(dana, away, at + 10)))
    await take(world, body(ACME_NUMBER, moved(noor, taken, at + 20)))
    await say(world, taken, at + 30, "three")
    await say(world, away, at + 40, "four")
    assert await rows(world, world.acme, SAID) == [
        ("14155550123", "US.N2", "two, three"), ("14155550999", "US.D2", "one, four")]


async def test_news_that_comes_late_brings_nothing_back(world: World) -> None:
    at = seconds(world, 1000)
    first, second, third = (Customer("Dana", phone) for phone in ("14155550123", "14155550999", "14155550555"))
    await say(world, first, at, "one")
    await take(world, body(ACME_NUMBER, moved(second, third, at + 20)))
    await take(world, body(ACME_NUMBER, moved(first, second, at + 10)))
    await say(world, third, at + 30, "two")
    assert [row[0] for row in await rows(world, world.acme, SAID)] == ["14155550555"]


async def test_of_a_number_that_somebody_has_again_an_unknown_id_is_theirs(world: World) -> None:
    """The news of their return comes before that of their leaving."""
    at = seconds(world, 1000)
    home, away = Customer("Dana", "14155550123"), Customer("Dana", "14155550999")
    await say(world, home, at, "one")
    await take(world, body(ACME_NUMBER, moved(away, home, at + 20)))
    await take(world, body(ACME_NUMBER, moved(home, away, at + 10)))
    await say(world, Customer("Dana", "14155550123", "US.D1"), at + 30, "two")
    assert await rows(world, world.acme, SAID) == [("14155550123", "US.D1", "one, two")]
    assert await rows(world, world.acme, "SELECT 1 FROM rejected_event") == []
