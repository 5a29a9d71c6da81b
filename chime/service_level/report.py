"""The reports: how fast customers were answered, and how content they were, over a stretch of time.

Percentiles are counted in the database, over rows that were written when each clock ended. What customers wrote is told
only as far as its reader sees their conversations.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import StrEnum

import msgspec

from chime.db import Db
from chime.phone import shown_text
from chime.security.scope import HELD, Viewer
from chime.service_level.model import SCORES
from chime.working_time import Clock

MOST_COMMENTS = 100
_SLICE = 500


class By(StrEnum):
    """What the lines of a report are."""

    ALL = "all"
    AGENT = "agent"
    TEAM = "team"
    CHANNEL = "channel"


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """How one clock ended for one agent, team or number (`who`, None where nobody is known); working milliseconds."""

    kind: Clock
    who: str | None
    count: int
    within: int
    median: int
    p90: int

    @property
    def share(self) -> int:
        """Whole percent within the target."""
        return self.within * 100 // self.count


_TIMES = (
    "SELECT kind, who, many, sum(is_within), max(CASE WHEN place = (many + 1) / 2 THEN took END), "
    "max(CASE WHEN place = (many * 9 + 9) / 10 THEN took END) FROM (SELECT kind, who, took, is_within, "
    "row_number() OVER (PARTITION BY kind, who ORDER BY took) AS place, count(*) OVER (PARTITION BY kind, who) AS many "
    "FROM (SELECT kind, ")
_OF = (" AS who, took, took <= minutes * 60000 AS is_within FROM response_time WHERE ended_at >= ? AND ended_at < ?)) "
       "GROUP BY kind, who ORDER BY kind, many DESC, who LIMIT 1000")
_TIMES_BY = {By.ALL: _TIMES + "NULL" + _OF, By.AGENT: _TIMES + "agent_id" + _OF, By.TEAM: _TIMES + "team_id" + _OF,
             By.CHANNEL: _TIMES + "channel_id" + _OF}


async def times(db: Db, since: int, until: int, by: By) -> list[Times]:
    """Of each clock that ended in between, the line with the most first."""
    return [Times(kind=Clock(kind), who=who, count=count, within=within, median=median, p90=p90)
            for kind, who, count, within, median, p90 in await db.rows(_TIMES_BY[by], since, until)]


class Ratings(msgspec.Struct, frozen=True, kw_only=True):
    """What customers said of one agent, team or number. `scores` counts from five down to one."""

    who: str | None
    asked: int
    not_asked: int
    scores: tuple[int, ...]

    @property
    def count(self) -> int:
        return sum(self.scores)

    @property
    def average(self) -> float | None:
        """With one decimal; None when nobody answered."""
        if not self.count:
            return None
        return round(sum(score * count for score, count in zip(SCORES, self.scores, strict=True)) / self.count, 1)


_RATINGS = "SELECT "
_RATED = (" AS who, sum(asked_at IS NOT NULL), sum(asked_at IS NULL), sum(score IS 5), sum(score IS 4), "
          "sum(score IS 3), sum(score IS 2), sum(score IS 1) FROM satisfaction WHERE closed_at >= ? AND closed_at < ? "
          "GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1000")
_RATINGS_BY = {By.ALL: _RATINGS + "NULL" + _RATED, By.AGENT: _RATINGS + "agent_id" + _RATED,
               By.TEAM: _RATINGS + "team_id" + _RATED, By.CHANNEL: _RATINGS + "channel_id" + _RATED}


async def ratings(db: Db, since: int, until: int, by: By) -> list[Ratings]:
    """Of the conversations that were resolved in between."""
    return [Ratings(who=row[0], asked=row[1], not_asked=row[2], scores=tuple(row[3:]))
            for row in await db.rows(_RATINGS_BY[by], since, until)]


async def reasons(db: Db, since: int, until: int) -> dict[str, int]:
    """Why nobody was asked, and how often."""
    return dict(await db.rows("SELECT reason, count(*) FROM satisfaction WHERE closed_at >= ? AND closed_at < ? "
                              "AND reason <> '' GROUP BY reason ORDER BY 2 DESC", since, until))


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One rating with its comment. Of a conversation that its reader may not see, neither the comment nor which it
    is."""

    id: str
    closed_at: int
    channel_id: str
    team_id: str | None
    agent_id: str | None
    reason: str
    asked_at: int | None
    score: int | None
    answered_at: int | None
    conversation_id: str | None
    comment: str | None


_ANSWERS = (
    "SELECT satisfaction.id, satisfaction.closed_at, satisfaction.channel_id, satisfaction.team_id, "
    "satisfaction.agent_id, satisfaction.reason, satisfaction.asked_at, satisfaction.score, satisfaction.answered_at, "
    "conversation.id AS conversation_id, message.text AS comment FROM satisfaction LEFT JOIN conversation "
    "ON conversation.id = satisfaction.conversation_id")
_COMMENT = (" LEFT JOIN message ON message.id = satisfaction.comment_id AND message.conversation_id = conversation.id "
            "AND message.revoked_at IS NULL ")
_BY_ID = ("WHERE satisfaction.closed_at >= ? AND satisfaction.closed_at < ? AND satisfaction.id > ? "
          "ORDER BY satisfaction.id LIMIT ?")
_WITH_WORDS = ("WHERE satisfaction.closed_at >= ? AND satisfaction.closed_at < ? AND message.text <> '' "
               "ORDER BY satisfaction.answered_at DESC LIMIT ?")
FIRST = ""


async def comments(db: Db, viewer: Viewer, since: int, until: int) -> list[Answer]:
    """The newest comments that somebody may read."""
    found = await db.all(Answer, _ANSWERS + HELD[viewer.sight] + _COMMENT + _WITH_WORDS, *viewer.held_values, since,
                         until, MOST_COMMENTS)
    return [_shown(one) for one in found]


async def answers(db: Db, viewer: Viewer, since: int, until: int, *, after: str, limit: int) -> list[Answer]:
    """A page of every time somebody was asked, or was not, in the order of their ids."""
    found = await db.all(Answer, _ANSWERS + HELD[viewer.sight] + _COMMENT + _BY_ID, *viewer.held_values, since, until,
                         after, limit)
    return [_shown(one) for one in found]


async def all_answers(db: Db, viewer: Viewer, since: int, until: int) -> AsyncIterator[Answer]:
    after = FIRST
    while found := await answers(db, viewer, since, until, after=after, limit=_SLICE):
        for one in found:
            yield one
        after = found[-1].id


def _shown(answer: Answer) -> Answer:
    """Numbers in their words are as masked as everywhere."""
    return msgspec.structs.replace(answer, comment=shown_text(answer.comment)) if answer.comment else answer
