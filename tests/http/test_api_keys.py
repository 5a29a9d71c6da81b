"""Keys of scripts: made by whoever holds what they grant, shown once, bound to their maker, networks and time."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from chime import accounts
from chime.accounts import api_keys
from chime.clock import DAY
from chime.errors import Conflict, Invalid
from chime.ids import Ids, public_part
from chime.security.crypto import digest
from chime.security.permissions import GRANTS, OPERATOR, Actor, Role
from tests.support.world import World, running_world

PAGE = "/w/acme/settings/api-keys"
SHOWN = re.compile(r"chime_[0-9a-z]{8}_[A-Za-z0-9_-]{49}")


async def made_by(client: httpx.AsyncClient, **fields: str | list[str]) -> str:
    answer = await client.post(PAGE, data={"name": "reports", "days": "90", "scope": ["inbox:read"], **fields})
    assert answer.status_code == 200, answer.text
    [key] = set(SHOWN.findall(answer.text))
    assert answer.headers["cache-control"] == "no-store"
    return key


async def works(world: World, key: str, path: str = "/api/v1/conversations") -> int:
    async with world.client(key) as script:
        return (await script.get(path)).status_code


def test_the_form_of_a_key_tells_a_mistyped_one() -> None:
    keys = [Ids().api_key() for _ in range(500)]
    assert all(SHOWN.fullmatch(key) and public_part(key) == key[6:14] for key in keys)
    for key in keys:
        for place in (7, 20, 60, len(key) - 1):
            wrong = key[:place] + ("A" if key[place] != "A" else "B") + key[place + 1:]
            assert public_part(wrong) is None
    assert public_part("chime_" + "x" * 43) is None


async def test_an_owner_makes_a_key_that_works_and_is_seen_once(world: World) -> None:
    alice = await world.session("alice")
    key = await made_by(alice)
    page = await alice.get(PAGE)
    assert key not in page.text and f"chime_{public_part(key)}_…" in page.text
    assert await works(world, key) == 200
    assert await works(world, key, "/api/v1/contacts") == 403, "only what was ticked"
    details = await world.services.control.db.value(
        "SELECT details_json FROM audit_event WHERE action = 'api_key.created' ORDER BY sequence DESC LIMIT 1")
    assert '"scopes":["inbox:read"]' in details and key[15:58] not in details
    stored = await world.services.control.db.rows("SELECT secret_hash, public_id FROM api_key WHERE public_id = ?",
                                                  public_part(key))
    assert stored == [(digest(key.encode()), public_part(key))]


async def test_a_form_without_scopes_makes_nothing_and_keeps_what_was_typed(world: World) -> None:
    alice = await world.session("alice")
    answer = await alice.post(PAGE, data={"name": "the typed name", "days": "30"})
    assert answer.status_code == 422 and "Choose at least one scope" in answer.text and "the typed name" in answer.text
    for wrong in ({"days": "731"}, {"days": "0"}, {"days": "x"}, {"addresses": "not-a-network"}, {"name": ""},
                  {"scope": ["everything:ever"]}):
        answer = await alice.post(PAGE, data={"name": "n", "days": "30", "scope": ["inbox:read"], **wrong})
        assert answer.status_code == 422, wrong


async def test_nobody_grants_more_than_they_hold(world: World) -> None:
    user = await world.services.control.db.value("SELECT id FROM user WHERE email = 'mo@example.com'")
    mo = Actor(kind="user", id=user, name="Mo", grants=GRANTS[Role.MANAGER])
    async with world.services.control.write(mo) as tx:
        with pytest.raises(Invalid, match="do not hold"):
            await api_keys.create_api_key(tx, Ids(), workspace_id=world.acme.workspace_id, name="n",
                                          scope_text="inbox:read,audit:read", made_by=user)


@pytest.mark.parametrize("name", ["mo", "bob", "vera"])
async def test_others_see_no_keys(world: World, name: str) -> None:
    somebody = await world.session(name)
    assert (await somebody.get(PAGE)).status_code == 403
    assert (await somebody.post(PAGE, data={"name": "n", "scope": "inbox:read"})).status_code == 403


async def test_a_key_ends_when_it_is_revoked_and_when_its_time_is_over(world: World) -> None:
    alice = await world.session("alice")
    first, second = await made_by(alice), await made_by(alice, days="30")
    row = await world.services.control.db.value("SELECT id FROM api_key WHERE public_id = ?", public_part(first))
    assert (await alice.post(f"{PAGE}/{row}/revocation")).status_code == 303
    assert [await works(world, first), await works(world, second)] == [401, 200]
    world.clock.pass_time(31 * DAY)
    assert await works(world, second) == 401


async def test_a_key_dies_with_the_membership_of_its_maker(world: World) -> None:
    alice = await world.session("alice")
    key = await made_by(alice)
    async with world.services.control.write(OPERATOR) as tx:
        charlie = await tx.value("SELECT id FROM user WHERE email = 'charlie@example.com'")
        await accounts.add_member(tx, workspace_id=world.acme.workspace_id, user_id=charlie, role=Role.OWNER)
        await tx.execute("DELETE FROM membership WHERE workspace_id = ? AND user_id = "
                         "(SELECT id FROM user WHERE email = 'alice@example.com')", world.acme.workspace_id)
    assert await works(world, key) == 401


async def test_a_key_is_held_to_its_networks(world: World) -> None:
    alice = await world.session("alice")
    here = await made_by(alice, addresses="127.0.0.0/8\n::1")
    elsewhere = await made_by(alice, addresses="203.0.113.7")
    assert [await works(world, here), await works(world, elsewhere)] == [200, 403]
    used = await world.services.control.db.rows("SELECT public_id FROM api_key WHERE used_at IS NOT NULL")
    assert (public_part(elsewhere),) not in used


def test_addresses_are_compared_as_networks() -> None:
    assert api_keys.is_within("203.0.113.9", ("203.0.113.0/24",))
    assert api_keys.is_within("::ffff:203.0.113.9", ("203.0.113.0/24",))
    assert api_keys.is_within("2001:db8::1", ("2001:db8::/32",))
    assert not api_keys.is_within("203.0.114.9", ("203.0.113.0/24",))
    assert not api_keys.is_within("", ("203.0.113.0/24",)) and not api_keys.is_within("1.2.3.4", ())


async def test_a_key_from_before_keys_had_a_public_part_goes_on(world: World) -> None:
    old = "chime_" + "o" * 43
    async with world.services.control.write(OPERATOR) as tx:
        await tx.execute("INSERT INTO api_key (id, workspace_id, name, scopes, secret_hash, last_four, created_at) "
                         "VALUES ('old', ?, 'old', 'inbox:read', ?, 'oooo', 0)", world.acme.workspace_id,
                         digest(old.encode()))
        await tx.audit("api_key.created", "api_key", "old")
    assert await works(world, old) == 200
    assert "chime_…oooo" in (await (await world.session("alice")).get(PAGE)).text


async def test_scripts_list_and_revoke_and_make_none(world: World) -> None:
    key = await world.key(world.acme, "api_keys:edit")
    async with world.client(key) as script:
        listed = (await script.get("/api/v1/api-keys")).json()["items"]
        assert listed[0]["shown"] == f"chime_{public_part(key)}_…" and key not in str(listed)
        assert (await script.post("/api/v1/api-keys", json={"name": "n", "scopes": ["all"]})).status_code == 405
        first = (await script.get("/api/v1/api-keys?limit=1")).json()
        rest = (await script.get(f"/api/v1/api-keys?limit=50&cursor={first['next_cursor']}")).json()["items"]
        assert [row["id"] for row in first["items"] + rest] == [row["id"] for row in listed]
        assert (await script.delete(f"/api/v1/api-keys/{world.acme.workspace_id}")).status_code == 404
        assert (await script.delete(f"/api/v1/api-keys/{listed[0]['id']}")).status_code == 204
        assert (await script.get("/api/v1/api-keys")).status_code == 401
    globex = await world.key(world.globex, "api_keys:edit")
    async with world.client(globex) as stranger:
        assert (await stranger.delete(f"/api/v1/api-keys/{listed[1]['id']}")).status_code == 404


async def test_a_workspace_has_ten_keys_at_most(world: World) -> None:
    alice = await world.session("alice")
    async with world.services.control.write(OPERATOR) as tx:
        for _ in range(api_keys.MOST_KEYS):
            await accounts.create_api_key(tx, Ids(), workspace_id=world.acme.workspace_id, name="n", scope_text="all")
        with pytest.raises(Conflict):
            await api_keys.need_room(tx, world.acme.workspace_id)
    answer = await alice.post(PAGE, data={"name": "one more", "days": "30", "scope": ["inbox:read"]})
    assert answer.status_code == 409 and "at most 10" in answer.text


async def test_a_keys_own_limits_hold(installation: Path, tmp_path: Path) -> None:
    async with running_world(installation, tmp_path / "data", rate_factor=1) as world:
        async with world.services.control.write(OPERATOR) as tx:
            for wrong in ((0, 1, 2), (3, 2, 1), (1, 2), (1, 2, 10_001)):
                with pytest.raises(Invalid):
                    await api_keys.create_api_key(tx, Ids(), workspace_id=world.acme.workspace_id, name="n",
                                                  scope_text="inbox:read", limits=wrong)
            made = await api_keys.create_api_key(tx, Ids(), workspace_id=world.acme.workspace_id, name="n",
                                                 scope_text="inbox:read", limits=(1, 1, 1))
        assert [await works(world, made.key), await works(world, made.key)] == [200, 429]


async def test_a_keys_own_limits_are_chosen_on_the_page_and_seen_there(world: World) -> None:
    alice = await world.session("alice")
    assert "calls in a second" not in (await alice.get(PAGE)).text
    own = {"limit_second": "5", "limit_ten": "40", "limit_minute": "150"}
    await made_by(alice, **own)
    await made_by(alice, name="quick", limit_second="30")
    await made_by(alice, name="usual")
    page = (await alice.get(PAGE)).text
    assert "at most 5 calls in a second, 40 in ten, 150 in a minute" in page
    assert "at most 30 calls in a second, 30 in ten, 100 in a minute" in page and page.count("calls in a second") == 2
    stored = await world.services.control.db.rows("SELECT name, limits_json FROM api_key WHERE made_by IS NOT NULL")
    assert dict(stored) == {"reports": "[[5,1.0],[40,10.0],[150,60.0]]", "quick": "[[30,1.0],[30,10.0],[100,60.0]]",
                            "usual": None}
    audited = await world.services.control.db.rows("SELECT json_extract(details_json, '$.limits') FROM audit_event "
                                                   "WHERE action = 'api_key.created' ORDER BY sequence DESC LIMIT 3")
    assert audited == [(None,), ("[30,30,100]",), ("[5,40,150]",)]
    async with world.client(await world.key(world.acme, "api_keys:edit")) as script:
        listed = {item["name"]: item["limits"] for item in (await script.get("/api/v1/api-keys")).json()["items"]}
    assert listed["reports"] == [5, 40, 150] and listed["usual"] is None


@pytest.mark.parametrize(("typed", "named"), [
    (("0", "", ""), {"limit_second"}), (("x", "20", "1.5"), {"limit_second", "limit_minute"}),
    (("3", "2", "100"), {"limit_ten"}), (("3", "20", "19"), {"limit_minute"}), (("", "", "10001"), {"limit_minute"}),
    (("-1", "", ""), {"limit_second"}), (("", "2", ""), {"limit_ten"}), (("99999", "", ""), {"limit_second"}),
])
async def test_a_wrong_limit_is_named_at_its_field(world: World, typed: tuple[str, ...], named: set[str]) -> None:
    alice = await world.session("alice")
    fields = dict(zip(("limit_second", "limit_ten", "limit_minute"), typed, strict=True))
    answer = await alice.post(PAGE, data={"name": "n", "days": "30", "scope": ["inbox:read"], **fields})
    assert answer.status_code == 422
    assert set(re.findall(r'id="(limit_[a-z]+)-error"', answer.text)) == named
    assert all(f'value="{text}"' in answer.text for text in typed if text)
    assert await world.services.control.db.value("SELECT count(*) FROM api_key WHERE made_by IS NOT NULL") == 0
