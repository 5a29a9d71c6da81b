"""Numbers and ids that changed hands: nobody's words end up in somebody else's conversation."""

from __future__ import annotations

from typing import Any

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
