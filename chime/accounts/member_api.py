"""Members, teams and invitations, for scripts. A key gives no more than it was scoped to, as a person no more than they
hold."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import delete, get, patch, post
from msgspec import UNSET, Meta, UnsetType

from chime.accounts import invitations, member_pages, member_queries, membership, teams
from chime.accounts.changes import changing
from chime.accounts.invitation_letters import invitation_mail
from chime.accounts.invitations import NewInvitation
from chime.accounts.member_queries import Invitation, MemberDetails, Team
from chime.clock import rfc3339
from chime.errors import NotFound, Refused
from chime.security.permissions import Permission, Reach
from chime.web.forms import json_body
from chime.web.here import Here
from chime.web.idempotency import once
from chime.web.listing import Page, decode_cursor, page_of, page_size, query_of
from chime.web.reference import PAGED, Moment, Operation, api

_MEMBER = "/api/v1/members/{member_id:str}"
_TEAM = "/api/v1/teams/{team_id:str}"
_INVITATION = "/api/v1/invitations/{invitation_id:str}"


class MemberAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A person of the workspace. `role` is a built-in one or the id of a role of the workspace's own; `state` active,
    suspended or, for an owner whom no owner has confirmed yet, unconfirmed. `channels` is null for every number."""

    id: str
    name: str
    email: str
    role: str
    state: str
    teams: tuple[str, ...]
    channels: tuple[str, ...] | None
    has_second_factor: bool
    created_at: Moment
    last_seen_at: Moment | None

    @classmethod
    def of(cls, found: MemberDetails) -> MemberAnswer:
        return cls(id=found.id, name=found.name, email=found.email, role=found.role, state=found.state,
                   teams=found.teams, channels=found.channels, has_second_factor=found.has_second_factor,
                   created_at=rfc3339(found.created_at),
                   last_seen_at=rfc3339(found.seen_at) if found.seen_at else None)


class TeamAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A team and the ids of its members."""

    id: str
    name: str
    members: tuple[str, ...]
    created_at: Moment

    @classmethod
    def of(cls, team: Team) -> TeamAnswer:
        return cls(id=team.id, name=team.name, members=team.members, created_at=rfc3339(team.created_at))


class CreateTeam(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new team, without members."""

    name: str
    members: Annotated[tuple[str, ...], Meta(max_length=500)] = ()


class UpdateTeam(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only what is given changes. `members` replaces all of them."""

    name: str | UnsetType = UNSET
    members: Annotated[tuple[str, ...], Meta(max_length=500)] | UnsetType = UNSET


class InvitationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation that nobody has accepted. Its link is in the mail and nowhere else."""

    id: str
    email: str
    role: str
    teams: tuple[str, ...]
    channels: tuple[str, ...] | None
    created_at: Moment
    expires_at: Moment

    @classmethod
    def of(cls, found: Invitation) -> InvitationAnswer:
        return cls(id=found.id, email=found.email, role=found.role, teams=found.teams, channels=found.channels,
                   created_at=rfc3339(found.created_at), expires_at=rfc3339(found.expires_at))


class CreateInvitation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`channels` are the only numbers the person will see; leave it out for all."""

    email: str
    role: str
    teams: Annotated[tuple[str, ...], Meta(max_length=200)] = ()
    channels: Annotated[tuple[str, ...], Meta(max_length=200)] | None = None


_MEMBER_EXAMPLE = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0e", "name": "Mo Haddad", "email": "mo@example.com", "role": "manager",
    "state": "active", "teams": ["01kafx2v9m3q8r5t7w1y4z6b0f"], "channels": None, "has_second_factor": True,
    "created_at": "2026-11-21T09:30:00.000Z", "last_seen_at": "2026-11-21T09:41:00.000Z",
}
_TEAM_EXAMPLE = {"id": "01kafx2v9m3q8r5t7w1y4z6b0f", "name": "Support", "members": ["01kafx2v9m3q8r5t7w1y4z6b0e"],
                 "created_at": "2026-11-21T09:30:00.000Z"}
_INVITATION_EXAMPLE: dict[str, object] = {
    "id": "01kafx2v9m3q8r5t7w1y4z6b0g", "email": "ana@example.com", "role": "agent", "teams": [], "channels": None,
    "created_at": "2026-11-21T09:30:00.000Z", "expires_at": "2026-11-24T09:30:00.000Z",
}


@get("/api/v1/members", opt=api(Permission.MEMBERS_READ, Operation(
    tag="members", summary="List members", description="In the order in which their accounts were made.",
    answer=Page[MemberAnswer], parameters=PAGED,
    response_example={"items": [_MEMBER_EXAMPLE], "next_cursor": None})))
async def list_member_answers(here: Here) -> Page[MemberAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    place, seen = after[1] if after else member_queries.FIRST, list[MemberDetails]()
    while len(seen) <= limit:
        rows = await member_queries.members_page(here.services.control.db, here.record.id, after=place, limit=200)
        seen += [row for row in rows if member_queries.may_see(here.actor, row)]
        if len(rows) < 200:
            break
        place = rows[-1].id
    return page_of(seen[:limit + 1], limit, place=lambda row: (0, row.id), told=MemberAnswer.of)


@delete(_MEMBER, opt=api(Permission.MEMBERS_EDIT, Operation(
    tag="members", summary="Remove a member", status=204,
    description="Out of the workspace at once: their pages, streams, keys and open invitations.",
    refusals={409: "This is the last owner."})))
async def delete_member(here: Here, member_id: str) -> None:
    async with changing(here) as tx:
        await membership.remove(tx, here.record.id, member_id)
    member_pages.departed(here, member_id)


@get("/api/v1/teams", opt=api(Permission.MEMBERS_READ, Operation(
    tag="teams", summary="List teams", description="In the order in which they were made.",
    answer=Page[TeamAnswer], parameters=PAGED, response_example={"items": [_TEAM_EXAMPLE], "next_cursor": None})))
async def list_team_answers(here: Here) -> Page[TeamAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    everything = here.actor.grant(Permission.MEMBERS_READ).reach is Reach.ALL
    known = sorted(await member_queries.teams(here.services.control.db, here.record.id), key=lambda team: team.id)
    rows = [team for team in known if (everything or team.id in here.actor.teams)
            and (after is None or team.id > after[1])]
    return page_of(rows[:limit + 1], limit, place=lambda team: (0, team.id), told=TeamAnswer.of)


@post("/api/v1/teams", status_code=201, opt=api(Permission.TEAMS_EDIT, Operation(
    tag="teams", summary="Create a team", status=201, body=CreateTeam, answer=TeamAnswer,
    refusals={409: "There are too many teams."}, request_example={"name": "Support"},
    response_example=_TEAM_EXAMPLE | {"members": []})))
@once
async def create_team_answer(here: Here) -> TeamAnswer:
    body = await json_body(here.request, CreateTeam)
    async with changing(here) as tx:
        team_id = await teams.create(tx, here.record.id, body.name)
        if body.members:
            await teams.set_members(tx, here.record.id, team_id, body.members)
    return await _team(here, team_id)


async def _team(here: Here, team_id: str) -> TeamAnswer:
    found = await member_queries.team(here.services.control.db, here.record.id, team_id)
    if found is None:
        raise NotFound("There is no such team.")
    return TeamAnswer.of(found)


@patch(_TEAM, opt=api(Permission.TEAMS_EDIT, Operation(
    tag="teams", summary="Change a team", body=UpdateTeam, answer=TeamAnswer,
    description="Only what is given changes.", request_example={"name": "Front desk"},
    response_example=_TEAM_EXAMPLE | {"name": "Front desk"})))
async def update_team_answer(here: Here, team_id: str) -> TeamAnswer:
    body = await json_body(here.request, UpdateTeam)
    async with changing(here) as tx:
        if body.name is not UNSET:
            await teams.rename(tx, here.record.id, team_id, body.name)
        if body.members is not UNSET:
            await teams.set_members(tx, here.record.id, team_id, body.members)
    return await _team(here, team_id)


@delete(_TEAM, opt=api(Permission.TEAMS_EDIT, Operation(
    tag="teams", summary="Delete a team", status=204, description="Its conversations are everybody's from then on.")))
async def delete_team_answer(here: Here, team_id: str) -> None:
    async with changing(here) as tx:
        await teams.delete(tx, here.record.id, team_id)
    member_pages.team_gone(here)


@get("/api/v1/invitations", opt=api(Permission.MEMBERS_INVITE, Operation(
    tag="invitations", summary="List open invitations", description="In the order in which they were made.",
    answer=Page[InvitationAnswer], parameters=PAGED,
    response_example={"items": [_INVITATION_EXAMPLE], "next_cursor": None})))
async def list_invitation_answers(here: Here) -> Page[InvitationAnswer]:
    query = query_of(here.request)
    limit, after = page_size(query.get("limit")), decode_cursor(query.get("cursor"))
    rows = await member_queries.invitations(here.services.control.db, here.record.id,
                                            after=after[1] if after else member_queries.FIRST)
    seen = [row for row in rows if member_queries.may_see_invitation(here.actor, row)]
    return page_of(seen[:limit + 1], limit, place=lambda row: (0, row.id), told=InvitationAnswer.of)


@post("/api/v1/invitations", status_code=201, opt=api(Permission.MEMBERS_INVITE, Operation(
    tag="invitations", summary="Invite somebody", status=201, body=CreateInvitation, answer=InvitationAnswer,
    description="Mails a link that is good for three days and for one acceptance by this address. Where the "
                "installation sends no mail, invite from the settings, which show the link once.",
    refusals={403: "The role grants more than the key holds.", 409: "There is such a member or invitation already."},
    request_example={"email": "ana@example.com", "role": "agent"}, response_example=_INVITATION_EXAMPLE)))
@once
async def create_invitation_answer(here: Here) -> InvitationAnswer:
    body = await json_body(here.request, CreateInvitation)
    mailer = here.services.mailer
    if not mailer.configured:
        raise Refused("This installation sends no mail, and a link is told to nobody but a person: invite from the "
                      "settings.", code="no_mail")
    new = NewInvitation(email=body.email, role=body.role, teams=body.teams, channels=body.channels)
    async with changing(here) as tx:
        made = await invitations.invite(tx, here.services.ids, here.record.id, new)
        await mailer.send(made.email, *invitation_mail(mailer.link(f"/invitations/{made.token}"), here.record.name,
                                                       here.actor.name), tx=tx)
    found = await member_queries.invitation(here.services.control.db, here.record.id, made.id)
    if found is None:
        raise NotFound("There is no such invitation.")
    return InvitationAnswer.of(found)


@delete(_INVITATION, opt=api(Permission.MEMBERS_INVITE, Operation(
    tag="invitations", summary="Revoke an invitation", status=204, description="Its link is dead at once.")))
async def delete_invitation_answer(here: Here, invitation_id: str) -> None:
    async with changing(here) as tx:
        await invitations.revoke(tx, here.record.id, invitation_id)


ROUTES = [list_member_answers, delete_member, list_team_answers, create_team_answer, update_team_answer,
          delete_team_answer, list_invitation_answers, create_invitation_answer, delete_invitation_answer]
