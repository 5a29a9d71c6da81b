"""Saved views: a filter somebody comes back to, under a name. For oneself, a team or everybody.

A view shows each reader only what they may see anyway; it holds ids and no result. Private ones are for all who read
the inbox, shared ones for those who may share views, of a team for those in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from chime.db import Db
from chime.errors import Conflict, Forbidden, Invalid, NotFound
from chime.inbox.list_filter import Filter, parse
from chime.inbox.model import View
from chime.security.permissions import Actor, Permission, Reach
from chime.workspaces import Transaction

MOST_VIEWS = 1_000
MOST_IN_SIGHT = 100
LONGEST_NAME = 60


class Scope(StrEnum):
    """Who has it in their menu."""

    PERSONAL = "personal"
    TEAM = "team"
    EVERYONE = "everyone"


class SavedView(msgspec.Struct, frozen=True, kw_only=True):
    """One view; `query` is its filter as an address has it."""

    id: str
    name: str
    query: str
    scope: Scope
    owner_id: str | None
    team_id: str | None
    position: int
    created_at: int
    updated_at: int

    @property
    def filter(self) -> Filter:
        """What it asks for; one that this version does not know any more asks for all that is open."""
        try:
            return parse(self.query)
        except Invalid:
            return Filter()


class NewView(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to keep."""

    name: str
    filter: Filter
    scope: Scope = Scope.PERSONAL
    team_id: str | None = None


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """Who looks. What is a person's own is also their key's."""

    person_id: str
    teams_json: str
    sees_every_team: bool


def reader(actor: Actor) -> Reader:
    person = actor.on_behalf if actor.kind == "api_key" else actor.id
    return Reader(person_id=person or "", teams_json=msgspec.json.encode(sorted(actor.teams)).decode(),
                  sees_every_team=actor.grant(Permission.VIEWS_SHARE).reach is Reach.ALL)


def may_change(actor: Actor, scope: Scope, team_id: str | None) -> bool:
    """Own ones always; a team's for who shares in it; everybody's for who shares at all."""
    if scope is Scope.PERSONAL:
        return bool(reader(actor).person_id)
    reach = actor.grant(Permission.VIEWS_SHARE).reach
    if scope is Scope.TEAM:
        return reach is Reach.ALL or (reach is Reach.TEAM and team_id in actor.teams)
    return reach >= Reach.TEAM


_VIEW = ("SELECT id, name, filter AS query, scope, owner_id, team_id, position, created_at, updated_at "
         "FROM saved_view WHERE ")
# ?1 the person, ?2 whether every team is theirs, ?3 their teams.
_SEEN = ("((scope = 'personal' AND owner_id = ?1) OR scope = 'everyone' OR (scope = 'team' AND (?2 OR team_id IN "
         "(SELECT value FROM json_each(?3)))))")


def _who(who: Reader) -> tuple[str, int, str]:
    return who.person_id, int(who.sees_every_team), who.teams_json


async def views(db: Db, who: Reader) -> list[SavedView]:
    """Those in somebody's menu, in its order."""
    return await db.all(SavedView, _VIEW + _SEEN + " ORDER BY position, id LIMIT ?4", *_who(who), MOST_IN_SIGHT)


async def view(db: Db, who: Reader, view_id: str) -> SavedView | None:
    return await db.one(SavedView, _VIEW + "id = ?4 AND " + _SEEN, *_who(who), view_id)


async def create(tx: Transaction, new: NewView) -> str:
    """Its id; it stands last. Raises Invalid, Forbidden, Conflict."""
    new = _sound(new)
    _must_change(tx.actor, new.scope, new.team_id)
    if await tx.value("SELECT count(*) FROM saved_view") >= MOST_VIEWS:
        raise Conflict("There are 1,000 views already.")
    if len(await views(tx, reader(tx.actor))) >= MOST_IN_SIGHT:
        raise Conflict("You have 100 views already; delete one first.")
    view_id = tx.new_id()
    await tx.execute(
        "INSERT INTO saved_view (id, name, filter, scope, owner_id, team_id, position, created_at, updated_at) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, (SELECT coalesce(max(position), 0) + 1 FROM saved_view), ?7, ?7)", view_id,
        new.name, new.filter.query, new.scope.value, _owner(tx, new.scope), new.team_id, tx.now)
    await tx.audit("saved_view.created", "saved_view", view_id, scope=new.scope.value)
    return view_id


async def edit(tx: Transaction, view_id: str, new: NewView) -> None:
    """Everything of it, also whose it is. Raises NotFound, Forbidden, Invalid."""
    known = await _changeable(tx, view_id)
    new = _sound(new)
    _must_change(tx.actor, new.scope, new.team_id)
    await tx.execute("UPDATE saved_view SET name = ?, filter = ?, scope = ?, owner_id = ?, team_id = ?, updated_at = ? "
                     "WHERE id = ?", new.name, new.filter.query, new.scope.value, _owner(tx, new.scope), new.team_id,
                     tx.now, view_id)
    await tx.audit("saved_view.edited", "saved_view", view_id, scope=new.scope.value, was=known.scope.value)


async def delete(tx: Transaction, view_id: str) -> None:
    """Raises NotFound, Forbidden."""
    known = await _changeable(tx, view_id)
    await tx.execute("DELETE FROM saved_view WHERE id = ?", view_id)
    await tx.audit("saved_view.deleted", "saved_view", view_id, scope=known.scope.value)


async def move(tx: Transaction, view_id: str, *, before: str | None) -> None:
    """Stand in front of another view of one's menu, or last. Only views one may change give way, so that nobody
    reorders what is others'. Raises NotFound, Forbidden."""
    await _changeable(tx, view_id)
    seen = await views(tx, reader(tx.actor))
    order = [one.id for one in seen if one.id != view_id]
    place = order.index(before) if before in order else len(order)
    order.insert(place, view_id)
    await _renumber(tx, seen, order)
    await tx.audit("saved_view.moved", "saved_view", view_id, place=place)


async def _renumber(tx: Transaction, seen: Sequence[SavedView], order: Sequence[str]) -> None:
    """The same positions, dealt out in the new order."""
    positions = sorted(one.position for one in seen)
    known = {one.id: one for one in seen}
    for view_id, position in zip(order, positions, strict=True):
        one = known[view_id]
        if one.position != position and may_change(tx.actor, one.scope, one.team_id):
            await tx.execute("UPDATE saved_view SET position = ? WHERE id = ?", position, view_id)


async def _changeable(tx: Transaction, view_id: str) -> SavedView:
    known = await view(tx, reader(tx.actor), view_id)
    if known is None:
        raise NotFound("There is no such view.")
    _must_change(tx.actor, known.scope, known.team_id)
    return known


def _must_change(actor: Actor, scope: Scope, team_id: str | None) -> None:
    if not may_change(actor, scope, team_id):
        raise Forbidden("You can share a view only with teams of your own, if at all." if scope is Scope.TEAM
                        else "You can make and change only views of your own.")


def _owner(tx: Transaction, scope: Scope) -> str | None:
    return reader(tx.actor).person_id if scope is Scope.PERSONAL else None


def _sound(new: NewView) -> NewView:
    name = " ".join(new.name.replace("\0", "").split())
    problems = []
    if not 0 < len(name) <= LONGEST_NAME:
        problems.append(("name", "A name has 1 to 60 characters."))
    if new.scope is Scope.TEAM and not new.team_id:
        problems.append(("team_id", "Choose a team."))
    if new.filter.v is View.DOUBT:
        problems.append(("filter", "The list of doubts cannot be kept as a view."))
    if problems:
        raise Invalid(problems)
    return msgspec.structs.replace(new, name=name, team_id=new.team_id if new.scope is Scope.TEAM else None)
