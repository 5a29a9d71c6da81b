"""The settings' front page, the members of a workspace, and what can be done to one of them. Works without a script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import get, post
from litestar.response import Redirect, Response

from chime.accounts import member_queries, membership, ownership, teams
from chime.accounts.authority import effective, may_give, may_touch
from chime.accounts.changes import changing
from chime.accounts.member_queries import MemberDetails
from chime.accounts.model import EVERYBODY, UNASSIGN
from chime.accounts.notify import notify
from chime.errors import ChimeError, NotFound
from chime.security.permissions import MODULES, PRESETS, Permission, Role
from chime.web.forms import form_fields, form_lists
from chime.web.here import Here
from chime.web.permission_words import MODULE_WORDS, ROLES
from chime.workspaces import Transaction

READ = {"permission": Permission.MEMBERS_READ}
EDIT = {"permission": Permission.MEMBERS_EDIT, "step_up": True}
HAND_OVER = {"permission": Permission.WORKSPACE_TRANSFER, "step_up": True}
_SETTINGS = "/w/{slug:str}/settings"
_ONE = _SETTINGS + "/members/{member_id:str}"


@get(_SETTINGS, opt={"permission": Permission.WORKSPACE_READ})
async def show_settings(here: Here) -> Response[bytes]:
    """The sections, each with a line; on a phone this is the way to them."""
    return here.page("settings/index.html", offer=await member_queries.offer(
        here.services.control.db, here.record.id, here.now))


@get(_SETTINGS + "/members", opt=READ)
async def list_members(here: Here) -> Response[bytes]:
    return await shown(here)


async def shown(here: Here, *, status: int = 200, errors: dict[str, str] | None = None) -> Response[bytes]:
    """The page of all members, with what went wrong."""
    control, workspace_id, asked = here.services.control.db, here.record.id, here.request.query_params
    people = [one for one in await member_queries.members(control, workspace_id)
              if member_queries.may_see(here.actor, one)]
    invited = [one for one in await member_queries.invitations(control, workspace_id)
               if member_queries.may_see_invitation(here.actor, one)] if here.actor.may(
                   Permission.MEMBERS_INVITE) else []
    typed = " ".join(asked.get("q", "").split())[:80]
    found = [one for one in people if typed.lower() in one.name.lower() or typed.lower() in one.email.lower()]
    return here.page(
        "accounts/members.html", status=status, errors=errors or {}, members=found, total=len(people), q=typed,
        invitations=invited, teams=await _team_names(here), said=asked.get("said", ""), role_words=ROLES,
        offer=await member_queries.offer(control, workspace_id, here.now))


async def _team_names(here: Here) -> dict[str, str]:
    return {team.id: team.name for team in await member_queries.teams(here.services.control.db, here.record.id)}


async def _member(here: Here, member_id: str) -> MemberDetails:
    found = await member_queries.member(here.services.control.db, here.record.id, member_id)
    if found is None or not member_queries.may_see(here.actor, found):
        raise NotFound("There is no such member.")
    return found


@get(_ONE, opt=READ)
async def show_member(here: Here, member_id: str) -> Response[bytes]:
    return await _one(here, member_id)


async def _one(here: Here, member_id: str, *, status: int = 200, errors: dict[str, str] | None = None,
               values: dict[str, Any] | None = None) -> Response[bytes]:
    """One member; `values` are what was typed, when it could not be taken."""
    found = await _member(here, member_id)
    grants = effective(found.role, found.role_grants, modules_off=found.modules_off, masked=found.masked)
    edits = here.actor.may(Permission.MEMBERS_EDIT) and may_touch(here.actor, Permission.MEMBERS_EDIT, found.role,
                                                                  grants)
    known = await member_queries.teams(here.services.control.db, here.record.id)
    reached = {team.id for team in known if teams.reaches_every_team(here.actor) or team.id in here.actor.teams}
    return here.page(
        "accounts/member.html", status=status, errors=errors or {}, member=found, edits=edits, role_words=ROLES,
        roles=await _roles(here, found) if edits else [], modules=MODULE_WORDS, teams=known, reached=reached,
        numbers=await member_queries.numbers(here.db), values=values or {},
        said=here.request.query_params.get("said", ""),
        offer=await member_queries.offer(here.services.control.db, here.record.id, here.now))


async def _roles(here: Here, found: MemberDetails) -> list[tuple[str, str, str]]:
    """What may be chosen for this member: roles of the workspace's set, its own ones, and the one they have."""
    choices = await role_choices(here, Permission.MEMBERS_EDIT, modules_off=found.modules_off, masked=found.masked)
    choices = [choice for choice in choices if choice[0] != Role.OWNER]
    if found.role not in {choice[0] for choice in choices}:
        named = ROLES.get(found.role)
        choices.insert(0, (found.role, here.words(named.words) if named else found.custom_name,
                           here.words(named.about) if named else ""))
    return choices


async def role_choices(here: Here, permission: Permission, *, modules_off: str = "", masked: bool = False
                       ) -> list[tuple[str, str, str]]:
    """The roles that the reader may give by this permission: key, name, what it is."""
    control = here.services.control.db
    saved = await member_queries.saved_policy(control, here.record.id)
    choices = []
    for role in PRESETS[saved.policy.role_preset]:
        grants = effective(role.value, member_queries.built_in(role), modules_off=modules_off, masked=masked)
        if may_give(here.actor, permission, role.value, grants):
            named = ROLES[role.value]
            choices.append((role.value, here.words(named.words), here.words(named.about)))
    for custom in await member_queries.custom_roles(control, here.record.id):
        grants = effective(custom.id, custom.known_grants, modules_off=modules_off, masked=masked)
        if may_give(here.actor, permission, custom.id, grants):
            choices.append((custom.id, custom.name, here.words("A role of this workspace’s own.")))
    return choices


async def _done(here: Here, member_id: str, verb: Callable[[Transaction], Awaitable[None]], said: str, *,
                values: dict[str, Any] | None = None, gone: bool = False) -> Response[Any]:
    """Do it and go back to the member, or to the list when they are gone; what is refused stays on the page."""
    try:
        async with changing(here) as tx:
            await verb(tx)
    except ChimeError as error:
        if error.status not in (403, 409, 422) or not here.actor.may(Permission.MEMBERS_READ):
            raise
        return await _one(here, member_id, status=error.status, errors=here.problems(error), values=values)
    here.services.hub.end_streams_of(member_id, here.record.id)
    if gone and member_id == here.actor.id:
        return Redirect("/", status_code=303)
    return Redirect(f"{here.base}/settings/members{'' if gone else '/' + member_id}?said={said}", status_code=303)


@post(_ONE + "/role", opt=EDIT, status_code=303)
async def edit_member_role(here: Here, member_id: str) -> Response[Any]:
    role = (await form_fields(here.request)).get("role", "")
    return await _done(here, member_id, lambda tx: membership.change_role(tx, here.record.id, member_id, role), "role",
                       values={"role": role})


@post(_ONE + "/limits", opt=EDIT, status_code=303)
async def edit_member_limits(here: Here, member_id: str) -> Response[Any]:
    """`module` names those that stay on, `channel` the only numbers when `numbers` is `some`."""
    fields, lists = await form_fields(here.request), await form_lists(here.request, "module", "channel")
    off = [module for module in MODULES if module not in lists["module"]]
    channels = lists["channel"] if fields.get("numbers") == "some" else None
    return await _done(here, member_id, lambda tx: membership.limit(
        tx, here.record.id, member_id, modules_off=off, channels=channels, masked=fields.get("masked") == "yes"),
        "limits")


@post(_ONE + "/teams", opt={"permission": Permission.TEAMS_EDIT}, status_code=303)
async def edit_member_teams(here: Here, member_id: str) -> Response[Any]:
    chosen = (await form_lists(here.request, "team"))["team"]
    return await _done(here, member_id, lambda tx: teams.set_teams(tx, here.record.id, member_id, chosen), "teams")


@post(_ONE + "/suspension", opt=EDIT, status_code=303)
async def create_suspension(here: Here, member_id: str) -> Response[Any]:
    answer = await _done(here, member_id, lambda tx: membership.suspend(tx, here.record.id, member_id), "suspended")
    return _out(here, member_id, answer)


@post(_ONE + "/resumption", opt=EDIT, status_code=303)
async def create_resumption(here: Here, member_id: str) -> Response[Any]:
    return await _done(here, member_id, lambda tx: membership.resume(tx, here.record.id, member_id), "resumed")


@post(_ONE + "/removal", opt=EDIT, status_code=303)
async def create_removal(here: Here, member_id: str) -> Response[Any]:
    answer = await _done(here, member_id, lambda tx: membership.remove(tx, here.record.id, member_id), "removed",
                         gone=True)
    return _out(here, member_id, answer)


def _out(here: Here, member_id: str, answer: Response[Any]) -> Response[Any]:
    if answer.status_code == 303:
        departed(here, member_id)
    return answer


def departed(here: Here, member_id: str) -> None:
    """Somebody is no active member any more: what they hold open ends now, what they had in hand is anybody's."""
    here.services.hub.end_streams_of(member_id, here.record.id)
    team_gone(here)


def team_gone(here: Here) -> None:
    """Have the inbox let go of people and teams that are not there any more, now and not with the next sweep."""
    here.services.runner.start(here.record.id, UNASSIGN, EVERYBODY)


@post(_ONE + "/confirmation", opt=HAND_OVER, status_code=303)
async def create_confirmation(here: Here, member_id: str) -> Response[Any]:
    return await _done(here, member_id, lambda tx: membership.confirm(tx, here.record.id, member_id), "confirmed")


@post(_ONE + "/ownership-offer", opt=HAND_OVER, status_code=303)
async def create_ownership_offer(here: Here, member_id: str) -> Response[Any]:
    keeps = (await form_fields(here.request)).get("keeps") != "no"
    await _member(here, member_id)
    return await _done(here, member_id, lambda tx: _offer(here, tx, member_id, keeps=keeps), "offered")


async def _offer(here: Here, tx: Transaction, member_id: str, *, keeps: bool) -> None:
    await ownership.offer(tx, here.record.id, member_id, keeps_ownership=keeps)
    await notify(here.services, tx, member_id, "ownership_offered", path=f"{here.base}/settings/ownership",
                 workspace=here.record.name, by=here.actor.name)


async def _decided(here: Here, verb: Callable[[Transaction, str], Awaitable[None]], said: str) -> Response[Any]:
    async with changing(here) as tx:
        await verb(tx, here.record.id)
    there = "/settings/members" if here.actor.may(Permission.MEMBERS_READ) else ""
    return Redirect(f"{here.base}{there}?said={said}", status_code=303)


@post(_SETTINGS + "/ownership/withdrawal", opt=HAND_OVER, status_code=303)
async def create_offer_withdrawal(here: Here) -> Response[Any]:
    return await _decided(here, ownership.withdraw, "withdrawn")


@get(_SETTINGS + "/ownership", opt={"permission": Permission.WORKSPACE_READ})
async def show_ownership_offer(here: Here) -> Response[bytes]:
    """For the one who was asked."""
    found = await member_queries.offer(here.services.control.db, here.record.id, here.now)
    if found is None or found.to_user_id != here.actor.id:
        raise NotFound("Nobody offered you this workspace.")
    return here.page("accounts/ownership.html", offer=found)


@post(_SETTINGS + "/ownership/acceptance", opt={"permission": Permission.WORKSPACE_READ, "step_up": True},
      status_code=303)
async def create_offer_acceptance(here: Here) -> Response[Any]:
    return await _decided(here, ownership.accept, "owner")


@post(_SETTINGS + "/ownership/refusal", opt={"permission": Permission.WORKSPACE_READ}, status_code=303)
async def create_offer_refusal(here: Here) -> Response[Any]:
    return await _decided(here, ownership.decline, "declined")


ROUTES = [show_settings, list_members, show_member, edit_member_role, edit_member_limits, edit_member_teams,
          create_suspension, create_resumption, create_removal, create_confirmation, create_ownership_offer,
          create_offer_withdrawal, show_ownership_offer, create_offer_acceptance, create_offer_refusal]
