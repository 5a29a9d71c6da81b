"""A form that met "Confirm that it is you" arrives as it was sent: every value of every field, but nothing secret."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from chime.clock import MINUTE
from chime.security.permissions import Permission
from tests.http.inbox_setup import without_script
from tests.http.people_setup import control, id_of
from tests.support.world import PASSWORD, World

SETTINGS = "/w/acme/settings"
ROLES = ["admin", "manager", "agent"]
Pairs = list[tuple[str, str]]
_TEMPLATES = Path(__file__).parents[2] / "templates"
# Where a name stands in front of the word that hides what is typed, and the two macros that always hide it.
_HIDDEN = re.compile(r'\bname="([a-z_]+)" type="password"|field\("([a-z_]+)"[^\n]*?(?:type="password"|"one-time-code")'
                     r'|\bsecret(?:_field)?\("([a-z_]+)"')


async def send(browser: httpx.AsyncClient, path: str, pairs: Pairs) -> httpx.Response:
    return await browser.post(path, content=urlencode(pairs), headers={
        "Content-Type": "application/x-www-form-urlencoded", "Referer": f"{browser.base_url}{path}"})


def hidden(page: httpx.Response) -> Pairs:
    """What the page's form sends by itself."""
    return [(html.unescape(name), html.unescape(value)) for name, value in
            re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page.text)]


async def through(world: World, path: str, pairs: Pairs) -> httpx.Response:
    """Alice sends a form without a fresh proof, mistypes her password once, and goes on as the pages lead."""
    browser, token = without_script(world, await world.session("alice"))
    async with browser:
        world.clock.pass_time(11 * MINUTE)
        asked = await send(browser, path, [("csrf_token", token), *pairs])
        assert asked.status_code == 403 and "Confirm that it is you" in asked.text
        again = await send(browser, "/me/confirm", [*hidden(asked), ("password", "not the password of alice")])
        assert again.status_code == 422
        confirmed = await send(browser, "/me/confirm", [*hidden(again), ("password", PASSWORD)])
        to = re.search(r'action="([^"]*)" data-continue', confirmed.text)
        assert confirmed.status_code == 200 and to is not None and to[1] == path
        return await send(browser, to[1], hidden(confirmed))


async def test_every_role_that_needs_a_second_factor_still_does(world: World) -> None:
    done = await through(world, f"{SETTINGS}/security", [
        *(("second_factor_role", role) for role in ROLES), ("exports_need_approval", "yes"), ("idle_minutes", ""),
        ("addresses", "")])
    assert done.status_code == 303, done.text
    saved = (await control(world, "SELECT policy_json FROM workspace_policy"))[0][0]
    assert sorted(json.loads(saved)["second_factor_roles"]) == sorted(ROLES)


async def test_a_key_gets_every_scope_it_was_made_for(world: World) -> None:
    scopes = ["contacts:read", "inbox:read", "inbox:reply"]
    done = await through(world, f"{SETTINGS}/api-keys", [
        ("name", "till"), ("days", "30"), ("addresses", ""), ("limit_second", ""), ("limit_ten", ""),
        ("limit_minute", ""), *(("scope", scope) for scope in scopes)])
    assert done.status_code == 200, done.text
    assert [scope for scope in scopes if scope not in await scopes_of(world, "till")] == []


async def scopes_of(world: World, name: str) -> str:
    return str((await control(world, "SELECT scopes FROM api_key WHERE name = ?", name))[0][0])


async def test_an_invitation_is_into_every_team_that_was_ticked(world: World) -> None:
    alice = await world.session("alice")
    for name in ("North", "South"):
        await alice.post(f"{SETTINGS}/teams", data={"name": name})
    teams = [row[0] for row in await control(world, "SELECT id FROM team ORDER BY id")]
    done = await through(world, f"{SETTINGS}/invitations", [
        ("email", "zoe@example.com"), ("role", "agent"), ("numbers", "all"), *(("team", one) for one in teams)])
    assert done.status_code == 200, done.text
    invited = (await control(world, "SELECT teams_json FROM invitation"))[0][0]
    assert sorted(json.loads(invited)) == teams and len(teams) == 2


async def test_limits_switch_off_only_the_module_that_was_not_ticked(world: World) -> None:
    bob = await id_of(world, "bob")
    page = await (await world.session("alice")).get(f"{SETTINGS}/members/{bob}")
    modules = re.findall(r'name="module" value="([^"]+)"', page.text)
    done = await through(world, f"{SETTINGS}/members/{bob}/limits",
                         [*(("module", one) for one in modules[1:]), ("numbers", "all")])
    assert done.status_code == 303, done.text
    off = (await control(world, "SELECT modules_off FROM membership WHERE user_id = ?", bob))[0][0]
    assert modules[0] in off and not [one for one in modules[1:] if one in off]


async def test_a_role_keeps_the_permissions_whose_names_sound_like_secrets(world: World) -> None:
    done = await through(world, f"{SETTINGS}/roles", [
        ("name", "Machines"), ("may-api_keys:edit", "all"), ("may-inbox:read", "all")])
    assert done.status_code == 303, done.text
    grants = json.loads((await control(world, "SELECT grants_json FROM custom_role"))[0][0])
    assert {"api_keys:edit", "inbox:read"} <= set(grants)


def secret_names() -> list[str]:
    """Of every field of any page whose text is hidden while it is typed, or is a code."""
    found = set[str]()
    for page in _TEMPLATES.rglob("*.html"):
        found |= {name for names in _HIDDEN.findall(page.read_text("utf-8")) for name in names if name}
    return sorted(found)


async def test_what_is_hidden_on_some_page_is_carried_by_none_and_every_permission_is(world: World) -> None:
    names = secret_names()
    assert {"access_token", "again", "app_secret", "code", "current", "passphrase", "password", "repeated",
            "verify_token"} <= set(names)
    browser, token = without_script(world, await world.session("alice"))
    async with browser:
        world.clock.pass_time(11 * MINUTE)
        asked = await send(browser, f"{SETTINGS}/roles", [
            ("csrf_token", token), *((name, "typed in secret") for name in [*names, "answer", "new_password"]),
            *((f"may-{one.value}", "all") for one in Permission)])
    assert asked.status_code == 403 and "enter those again" in asked.text and "typed in secret" not in asked.text
    assert {name for name, _ in hidden(asked)} >= {f"kept-may-{one.value}" for one in Permission}


@pytest.mark.parametrize("length", [20_000, 20_001])
async def test_what_is_carried_is_as_short_and_clean_as_any_form(world: World, length: int) -> None:
    alice = await world.session("alice")
    answer = await alice.post("/me/confirm", data={
        "password": PASSWORD, "to": f"{SETTINGS}/roles", "kept-name": ["a\0b", "x" * length]})
    if length > 20_000:
        assert answer.status_code == 422
    else:
        assert [value[:5] for name, value in hidden(answer) if name == "name"] == ["ab", "xxxxx"]
