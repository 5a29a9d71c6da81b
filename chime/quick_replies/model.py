"""What a quick reply is, who sees one and who may change it."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

import msgspec

from chime.clock import HOUR
from chime.errors import Invalid
from chime.quick_replies.variables import check_variables
from chime.security.permissions import Actor, Permission, Reach

MOST_FILES = 10
LONGEST_TEXT = 4096
# So long somebody can have a deleted one back.
UNDO_FOR = HOUR
_CODE = re.compile(r"[\w-]{1,32}")
_LONGEST = (("title", 80, "A title has 1 to 80 characters."), ("category", 40, "A category has at most 40 characters."),
            ("text", LONGEST_TEXT, "WhatsApp takes at most 4,096 characters in one message."))


class Scope(StrEnum):
    """Whose it is."""

    PERSONAL = "personal"
    TEAM = "team"
    EVERYONE = "everyone"


class ReplyFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a quick reply, sent as a message of its own. `kind` is what it is best sent as."""

    id: str
    kind: str
    mime_type: str
    filename: str
    size: int


class StoredFile(ReplyFile, frozen=True, kw_only=True):
    """A file that is on disk and not yet a quick reply's."""

    sha256: str


class QuickReply(msgspec.Struct, frozen=True, kw_only=True):
    """One quick reply with its files in order."""

    id: str
    code: str
    title: str
    category: str
    text: str
    scope: Scope
    owner_id: str | None
    team_id: str | None
    used_count: int
    used_at: int | None
    created_at: int
    updated_at: int
    files: tuple[ReplyFile, ...] = ()


class NewReply(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody typed, to be saved."""

    code: str
    title: str
    text: str
    category: str = ""
    scope: Scope = Scope.PERSONAL
    team_id: str | None = None

    @property
    def words(self) -> str:
        """What a search looks in."""
        return " ".join((self.code, self.title, self.category, self.text)).casefold()


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """Who looks: their own, their teams', everybody's; whoever manages all of them sees every team's."""

    person_id: str
    teams_json: str
    sees_every_team: bool


def reader(actor: Actor) -> Reader:
    """What is a person's own is also their key's."""
    person = actor.on_behalf if actor.kind == "api_key" else actor.id
    return Reader(person_id=person or "", teams_json=msgspec.json.encode(sorted(actor.teams)).decode(),
                  sees_every_team=actor.grant(Permission.INBOX_QUICK_REPLIES).reach is Reach.ALL)


def may_change(actor: Actor, scope: Scope, team_id: str | None) -> bool:
    """Own ones with any reach, those of one's teams and everybody's from the reach of a team on."""
    reach = actor.grant(Permission.INBOX_QUICK_REPLIES).reach
    if scope is Scope.PERSONAL:
        return reach is not Reach.NONE and bool(reader(actor).person_id)
    if scope is Scope.TEAM:
        return reach is Reach.ALL or (reach is Reach.TEAM and team_id in actor.teams)
    return reach >= Reach.TEAM


def checked(new: NewReply, *, has_files: bool) -> NewReply:
    """Tidied up. Raises Invalid naming every field that does not fit."""
    code = unicodedata.normalize("NFC", new.code.strip().removeprefix("/")).lower()
    text = new.text.replace("\r\n", "\n").strip()
    found = msgspec.structs.replace(new, code=code, text=text, title=" ".join(new.title.split()),
                                    category=" ".join(new.category.split()),
                                    team_id=(new.team_id or None) if new.scope is Scope.TEAM else None)
    problems = []
    if not _CODE.fullmatch(code):
        problems.append(("code", "A shortcut has 1 to 32 letters, digits, - or _, and no spaces."))
    if not found.title:
        problems.append(("title", "Give it a title."))
    if not text and not has_files:
        problems.append(("text", "Write a text or add a file."))
    if found.scope is Scope.TEAM and found.team_id is None:
        problems.append(("team_id", "Choose a team."))
    problems += [(name, words) for name, most, words in _LONGEST if len(getattr(found, name)) > most]
    problems += [("text", words) for words in check_variables(text)]
    if problems:
        raise Invalid(problems)
    return found
