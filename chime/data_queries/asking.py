"""Answering a question: who asks, what is written down first, and what the views look like for them."""

from __future__ import annotations

from chime import accounts
from chime.data_queries.catalogue import CATALOGUE
from chime.data_queries.model import WORDS, Period, fingerprint
from chime.db import Db
from chime.db.questions import SECONDS, Answer, Listed, Question, View
from chime.errors import ChimeError, Forbidden
from chime.security.permissions import Actor, Permission, Reach
from chime.workspaces import Control, Record, Workspace
from chime.workspaces.presence import lock_of


class NotAnswered(ChimeError):
    """A question that has no answer: what is wrong with it, at which word and place."""

    status = 422
    title = "The question cannot be answered"

    def __init__(self, answer: Answer) -> None:
        super().__init__(WORDS[answer.problem])
        self.answer = answer


def need_everything(actor: Actor) -> None:
    """A question can't be narrowed to somebody's numbers or teams. Raises Forbidden."""
    if actor.grant(Permission.DATA_QUERY).reach is not Reach.ALL or actor.channels is not None:
        raise Forbidden("Only who may see all conversations of all numbers can ask questions of all data.")


async def ask(workspace: Workspace, control: Control, actor: Actor, *, sql: str, period: Period, query_id: str = "",
              masked: bool = False, people_of: str = "") -> Answer:
    """The answer; that it was asked is on disk before. `masked` also for who would see numbers whole, `people_of` the
    workspace whose members a copy has. Raises Forbidden, NotAnswered, Unavailable."""
    need_everything(actor)
    await workspace.records.first(Record(
        actor=actor, action="data_query.asked", object_kind="data_query", object_id=query_id,
        details={"sql_sha256": fingerprint(sql)}))
    found = await answer(workspace, control, sql=sql, period=period, masked=masked or not actor.sees_numbers,
                         people_of=people_of)
    if found.problem:
        raise NotAnswered(found)
    return found


async def answer(workspace: Workspace, control: Control, *, sql: str, period: Period, masked: bool,
                 seconds: float = SECONDS, people_of: str = "") -> Answer:
    """The answer, whoever asks."""
    question = Question(sql=sql, values=period.values, views=views_for(masked=masked), seconds=seconds,
                        lists=await _lists(control.db, people_of or workspace.id))
    return await workspace.questions.ask(workspace.db.path, workspace.db.key, lock_of(control.keys.data_dir), question)


def views_for(*, masked: bool) -> tuple[View, ...]:
    """Those that stand in the workspace's file."""
    return tuple(one.view(masked=masked) for one in CATALOGUE if not one.is_listed)


async def _lists(control: Db, workspace_id: str) -> tuple[Listed, ...]:
    """People and teams stand in control.db, which no question reaches."""
    people = await accounts.members(control, workspace_id)
    teams = await accounts.team_names(control, workspace_id)
    return (Listed(name="members", columns=("id", "name", "role"),
                   rows=tuple((one.id, one.name, one.role) for one in people)),
            Listed(name="teams", columns=("id", "name"), rows=tuple(teams.items())))
