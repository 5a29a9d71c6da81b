"""Rows as CSV or JSON lines.

CSV after RFC 4180, every cell in quotes. A cell that a spreadsheet would take for a formula gets an apostrophe before
it; so does one that begins with an apostrophe, and so taking one away gives back every cell as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

# The server adds the charset to a text.
MEDIA_TYPES = {"csv": "text/csv", "jsonl": "application/jsonl"}
_FORMULA = frozenset("=+-@＝＋－＠")
_CONTROL = frozenset("\t\r\n")
# Neither spaces nor marks without a width hide a sign from a spreadsheet.
_WITHOUT_WIDTH = frozenset("\ufeff\u200b\u200c\u200d\u2060\x00")


def guarded(cell: str) -> str:
    """The cell as text for every spreadsheet."""
    if cell[:1] == "'":
        return f"'{cell}"
    for sign in cell:
        if sign in _FORMULA or sign in _CONTROL:
            return f"'{cell}"
        if not sign.isspace() and sign not in _WITHOUT_WIDTH:
            return cell
    return cell


def unguarded(cell: str) -> str:
    """What was guarded, for whoever reads a file of ours back."""
    return cell[1:] if cell[:1] == "'" else cell


def csv_line(cells: Iterable[str]) -> str:
    return ",".join('"' + guarded(cell).replace('"', '""') + '"' for cell in cells) + "\r\n"


def field_text(value: Any) -> str:
    """A custom field as a cell, so that a number, a truth value and a text that only looks like one stay different."""
    if not isinstance(value, str):
        return "" if value is None else msgspec.json.encode(value).decode()
    return msgspec.json.encode(value).decode() if _looks_like_json(value) else value


def field_value(cell: str) -> Any:
    """The field of a cell."""
    return msgspec.json.decode(cell) if _looks_like_json(cell) else cell


def _looks_like_json(text: str) -> bool:
    if not text or text[0] not in '"-0123456789tfn':
        return False
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return True


def cell_text(value: Any) -> str:
    """Any value of a row as a cell: lists and objects as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def as_csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> bytes:
    """The rows without the line of names."""
    return "".join(csv_line(cell_text(row.get(name)) for name in columns) for row in rows).encode()


def as_json_lines(rows: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
