"""Quick replies as CSV: taken along, and brought in again or written in a spreadsheet. Files are not in it.

What is written here reads back as it was, and no cell is a formula to a spreadsheet.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from chime import exports
from chime.errors import Invalid
from chime.quick_replies.model import NewReply, QuickReply, Scope

COLUMNS = ("code", "title", "category", "scope", "team", "text")
LARGEST = 4 * 1024 * 1024
MOST_ROWS = 2_000


def as_csv(replies: Sequence[QuickReply], teams: Mapping[str, str]) -> bytes:
    lines = [exports.csv_line(COLUMNS)]
    lines += [exports.csv_line((one.code, one.title, one.category, one.scope.value, teams.get(one.team_id or "", ""),
                                one.text)) for one in replies]
    return "".join(lines).encode()


def from_csv(content: bytes, teams: Mapping[str, str]) -> list[NewReply]:
    """The rows of a file. Raises Invalid for what is no such table, and naming each row whose scope or team is
    unknown."""
    if len(content) > LARGEST:
        raise Invalid.field("table", "This file is larger than 4 MB.")
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True, restval=""))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Invalid.field("table", "This file is no CSV in UTF-8.") from error
    if not rows or not {"code", "title", "text"} <= rows[0].keys():
        raise Invalid.field("table", "The first line has to name the columns: code, title, text and more.")
    if len(rows) > MOST_ROWS:
        raise Invalid.field("table", "A table has at most 2,000 rows.")
    known = {name: team_id for team_id, name in teams.items()}
    problems: list[tuple[str, str]] = []
    found = [_read(number, row, known, problems) for number, row in enumerate(rows, start=2)]
    if problems:
        raise Invalid(problems)
    return found


def _read(number: int, row: Mapping[str, str], teams: Mapping[str, str], problems: list[tuple[str, str]]) -> NewReply:
    cells = {name: exports.unguarded(row.get(name) or "").replace("\0", "") for name in COLUMNS}
    scope = cells["scope"].strip().lower() or Scope.PERSONAL.value
    if scope not in set(Scope):
        problems.append((f"{number}, scope", "One of personal, team, everyone."))
        scope = Scope.PERSONAL.value
    if scope == Scope.TEAM and cells["team"] not in teams:
        problems.append((f"{number}, team", "There is no such team."))
    return NewReply(code=cells["code"], title=cells["title"], category=cells["category"], text=cells["text"],
                    scope=Scope(scope), team_id=teams.get(cells["team"]))
