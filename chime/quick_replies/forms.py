"""The form of a quick reply: what was typed, what it means, and what of it may be chosen."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from chime.errors import Invalid
from chime.quick_replies.model import NewReply, QuickReply, Scope
from chime.web.uploads import Upload


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """The fields as they stand in the form; `dropped` are the files whose box is ticked."""

    code: str = ""
    title: str = ""
    category: str = ""
    text: str = ""
    scope: str = Scope.PERSONAL.value
    team_id: str = ""
    dropped: tuple[str, ...] = ()
    uploads: tuple[Upload, ...] = ()

    def get(self, name: str) -> str:
        """As the macros of forms ask for a field."""
        found: str = getattr(self, name)
        return found

    @classmethod
    def of(cls, reply: QuickReply) -> Typed:
        return cls(code=reply.code, title=reply.title, category=reply.category, text=reply.text,
                   scope=reply.scope.value, team_id=reply.team_id or "")


def typed(fields: dict[str, str], dropped: Sequence[str], uploads: Sequence[Upload]) -> Typed:
    return Typed(code=fields.get("code", ""), title=fields.get("title", ""), category=fields.get("category", ""),
                 text=fields.get("text", ""), scope=fields.get("scope", Scope.PERSONAL.value),
                 team_id=fields.get("team_id", ""), dropped=tuple(dropped), uploads=tuple(uploads))


def meant(form: Typed, teams: Collection[str]) -> NewReply:
    """What shall be saved. Raises Invalid for a scope or a team there is not."""
    if form.scope not in set(Scope):
        raise Invalid.field("scope", "Choose who sees it.")
    scope = Scope(form.scope)
    if scope is Scope.TEAM and form.team_id not in teams:
        raise Invalid.field("team_id", "Choose a team.")
    return NewReply(code=form.code, title=form.title, category=form.category, text=form.text, scope=scope,
                    team_id=form.team_id if scope is Scope.TEAM else None)
