#!/usr/bin/env python3
"""Checks an exported audit trail of Chime, on any machine, with nothing but Python 3.11 and this file.

    python3 -I -S verifier.py EXPORT.jsonl [--key KEY] [--anchor FILE]... [--json]

KEY is the public key of the installation (what the audit page shows, or its base64 alone). Without one the signatures
are checked against the key in the file, which shows that the file is whole, not whose it is. An anchor is a checkpoint
that was kept elsewhere: a file with one signed note, or the lines of CHIME_AUDIT_ANCHOR_FILE. Everything before the
newest anchor is what it was then, or this says so; `anchors` is how many were compared with the rows. A key with a name
is of the trail of that name alone, and when anchors are given, one of them has to be of this trail.

Each row's hash is SHA-256 over a zero byte and the row as RFC 8785 JSON; the hashes are the leaves of an RFC 6962
Merkle tree; its root is signed with Ed25519 (RFC 8032) as a C2SP checkpoint. It shares no code with the program it
checks. Exit status 0: nothing was changed. 1: something was. 2: this is no export.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

HASHED = ("sequence", "form", "at", "actor_kind", "actor_id", "actor_name", "on_behalf", "session_id", "address",
          "agent_hash", "action", "object_kind", "object_id", "result", "details_json", "previous_hash")
HASHED_BEFORE = ("at", "actor_kind", "actor_id", "actor_name", "action", "object_kind", "object_id", "details_json")
FORMAT = "chime-audit/1"
WRITTEN = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))
NOT_LINKED = "a row does not follow the one before"
NAMED_KEY = re.compile(r"(\S+)\+[0-9a-f]{8}\+(\S+)")
# Edwards25519: p, d, and the base point.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
BASE_Y = 4 * pow(5, P - 2, P) % P
Point = tuple[int, int, int, int]


class NoExport(Exception):
    """The file is not one that Chime writes."""


class Note(NamedTuple):
    """A checkpoint, whoever signed it."""

    origin: str
    size: int
    root: bytes
    text: str


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def add(a: Point, b: Point) -> Point:
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    x, y, z, t = f - e, h - g, h + g, f + e
    return x * y % P, z * t % P, y * z % P, x * t % P


def times(number: int, point: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = add(total, point)
        point, number = add(point, point), number >> 1
    return total


def x_of(y: int, sign: int) -> int | None:
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return P - x if (x & 1) != sign else x


def point_of(data: bytes) -> Point | None:
    number = int.from_bytes(data, "little")
    y = number & ((1 << 255) - 1)
    x = x_of(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % P)


def is_signature(public: bytes, message: bytes, signature: bytes) -> bool:
    if len(public) != 32 or len(signature) != 64:
        return False
    key, r, base_x = point_of(public), point_of(signature[:32]), x_of(BASE_Y, 0)
    s = int.from_bytes(signature[32:], "little")
    if key is None or r is None or base_x is None or s >= ORDER:
        return False
    hashed = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    left, right = times(s, (base_x, BASE_Y, 1, base_x * BASE_Y % P)), add(r, times(hashed, key))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


def key_of(text: str) -> bytes:
    """The 32 bytes of a verifier key (`name+id+base64`), or of base64 alone."""
    named = NAMED_KEY.fullmatch(text.strip())
    try:
        data = base64.b64decode(named[2] if named else text.strip(), validate=True)
    except ValueError as error:
        raise NoExport(f"the key cannot be read: {error}") from error
    data = data[1:] if len(data) == 33 and data[0] == 1 else data
    if len(data) != 32:
        raise NoExport("the key is no Ed25519 key")
    return data


def note_of(text: str) -> Note:
    origin, size, root = text.split("\n")[:3]
    return Note(origin, int(size), base64.b64decode(root, validate=True), text)


def trail_of(origin: str) -> str:
    """The trail's own id, whatever the host was called."""
    return origin.rpartition("/audit/")[2]


def is_signed(note: Note, public: bytes) -> bool:
    """Whether this key signed the note (C2SP signed-note)."""
    said, _, signatures = note.text.partition("\n\n")
    for line in signatures.split("\n"):
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.rpartition(" ")
        if (dash, name) != ("—", note.origin):
            continue
        data = base64.b64decode(encoded, validate=True)
        if data[:4] == sha256(name.encode() + b"\n\1" + public)[:4] and is_signature(
                public, said.encode() + b"\n", data[4:]):
            return True
    return False


def hash_of(row: dict[str, Any]) -> bytes:
    """The hash that a row must have."""
    if row["form"] == 1:
        return sha256(bytes.fromhex(row["previous_hash"]) + canonical([row[name] for name in HASHED_BEFORE]))
    return sha256(b"\0" + canonical([row[name] for name in HASHED]))


def canonical(values: list[Any]) -> bytes:
    return WRITTEN.encode(values).encode()


def leaf_of(row: dict[str, Any]) -> bytes:
    hashed = bytes.fromhex(row["hash"])
    return sha256(b"\0" + hashed) if row["form"] == 1 else hashed


def push(peaks: list[tuple[int, bytes]], leaf: bytes) -> None:
    level = 0
    while peaks and peaks[-1][0] == level:
        leaf, level = sha256(b"\1" + peaks.pop()[1] + leaf), level + 1
    peaks.append((level, leaf))


def root_of(peaks: list[tuple[int, bytes]]) -> bytes:
    root = peaks[-1][1] if peaks else sha256(b"")
    for _, peak in reversed(peaks[:-1]):
        root = sha256(b"\1" + peak + root)
    return root


def leads_to(row: dict[str, Any], size: int, root: bytes) -> bool:
    """Whether the row's proof leads up to this root (RFC 9162 2.1.3.2)."""
    at, last, found = row["sequence"] - 1, size - 1, leaf_of(row)
    for beside in map(bytes.fromhex, row["proof"]):
        if last == 0:
            return False
        if at & 1 or at == last:
            found = sha256(b"\1" + beside + found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = sha256(b"\1" + found + beside)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def fault_of(row: dict[str, Any], expected: int | None, previous: str | None) -> str:
    """What is wrong with a row by itself, and after the one before it."""
    if expected is not None and row["sequence"] != expected:
        return "a row is missing" if row["sequence"] > expected else "a row stands twice"
    if previous is not None and row["previous_hash"] != previous:
        return NOT_LINKED
    return "" if hash_of(row).hex() == row["hash"] else "a row is not what it was when it was written"


def check(lines: Iterable[str], *, key: str = "", anchors: Iterable[str] = ()) -> dict[str, Any]:
    """What is true of an export. Raises NoExport."""
    try:
        return _checked(_parsed(lines), key, list(anchors))
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise NoExport(f"this is no audit trail that Chime wrote: {type(error).__name__} {error}") from error


def _parsed(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    yield from (json.loads(line) for line in lines if line.strip())


def _checked(entries: Iterator[dict[str, Any]], key: str, anchors: list[str]) -> dict[str, Any]:
    head = next(entries, {})
    if head.get("format") != FORMAT:
        raise NoExport("the first line does not say that this is an audit trail of Chime")
    public, whole, row = key_of(key or head["key"]), bool(head["whole"]), next(entries, None)
    # Under another host it is of this trail all the same, and then a fault: a trail keeps the name it was signed with.
    kept = [note for note in map(note_of, anchors) if trail_of(note.origin) == trail_of(head["origin"])]
    notes: list[Note] = []
    while row is not None and "checkpoint" in row:
        notes.append(note_of(row["checkpoint"]))
        row = next(entries, None)
    told = {"origin": head["origin"], "whole": whole, "key_given": bool(key)}
    rows = entries if row is None else chain([row], entries)
    forged = _forged(head, key or head["key"], public, notes[-1:], kept, is_anchored=bool(anchors))
    if whole:
        return told | _whole(rows, head, notes, kept, public, forged)
    return told | {"anchors": 0} | _choice(rows, notes[-1] if notes and not forged else None,
                                           forged or "nothing is signed")


def _forged(head: dict[str, Any], key: str, public: bytes, newest: list[Note], kept: list[Note], *, is_anchored: bool
            ) -> str:
    """What is wrong with the name, or with a note that should be of this name and key."""
    name = NAMED_KEY.fullmatch(key.strip())
    if name and name[1] != head["origin"]:
        return f"the key is that of {name[1]}"
    if is_anchored and not kept:
        return "no checkpoint that was kept elsewhere is of this trail"
    for note in (*newest, *kept):
        if note.origin != head["origin"]:
            return f"the checkpoint of {note.size} rows has another name: {note.origin}"
        if not is_signed(note, public):
            return f"the checkpoint of {note.size} rows is not signed by this key"
    return ""


def _whole(rows: Iterable[dict[str, Any]], head: dict[str, Any], notes: list[Note], kept: list[Note], public: bytes,
           forged: str) -> dict[str, Any]:
    """All rows: the chain, and the tree at each size that was signed."""
    notes = notes + kept
    peaks = [(int(level), bytes.fromhex(peak)) for level, peak in head["peaks"]]
    size = cut = int(head["cut_to"])
    wanted, roots, count, bad = {note.size for note in notes}, {cut: root_of(peaks)}, 0, ""
    previous = None if cut else "00" * 32
    for row in rows:
        count += 1
        bad = bad or fault_of(row, size + 1, previous)
        if not bad:
            push(peaks, leaf_of(row))
            size, previous = size + 1, row["hash"]
            if size in wanted:
                roots[size] = root_of(peaks)
    holding = sorted((note for note in notes if roots.get(note.size) == note.root), key=lambda note: -note.size)
    changed = sorted(note.size for note in notes if note.size in roots and roots[note.size] != note.root)
    # Where two stories were signed, neither stands from there on.
    end = changed[0] if changed else size + 1
    proven = next((note.size for note in holding if note.size < end and is_signed(note, public)), 0)
    newest = max((note.size for note in notes), default=0)
    first, reason = None, forged
    if changed:
        first, reason = proven + 1, f"rows from {proven + 1} to {changed[0]} are not those that were signed"
    elif bad:
        first, reason = (proven if bad == NOT_LINKED else size) + 1, bad
    elif newest > size:
        first, reason = size + 1, f"{newest - size} rows are missing at the end"
    elif proven < size or not holding:
        first, reason = proven + 1, reason or "no signature stands for the last rows"
    return {"ok": not reason, "rows": count, "head": root_of(peaks).hex(), "first_bad": first, "proven": proven,
            "reason": reason, "anchors": sum(note.size in roots for note in kept)}


def _choice(rows: Iterable[dict[str, Any]], signed: Note | None, forged: str) -> dict[str, Any]:
    """Some rows, each with its way up to the signed root. That none was left out nobody can tell."""
    count, first, reason = 0, None, "" if signed else forged
    for row in rows:
        count += 1
        fault = fault_of(row, None, None)
        if signed and not fault and not leads_to(row, signed.size, signed.root):
            fault = "a row is not one of those that were signed"
        if fault and (first is None or row["sequence"] < first):
            first, reason = row["sequence"], fault
    return {"ok": not reason, "rows": count, "head": signed.root.hex() if signed else "", "first_bad": first,
            "proven": 0 if reason else count, "reason": reason}


def notes_of(text: str) -> list[str]:
    """The signed notes of an anchor file."""
    return [entry["note"] for entry in _parsed(text.split("\n"))] if text.lstrip().startswith("{") else [text]


def main(arguments: list[str]) -> int:
    asked = argparse.ArgumentParser(prog="verifier.py", description="Checks an exported audit trail of Chime.")
    asked.add_argument("export")
    asked.add_argument("--key", default="", help="the installation's public key")
    asked.add_argument("--anchor", action="append", default=[], help="a file with checkpoints kept elsewhere")
    asked.add_argument("--json", action="store_true")
    options = asked.parse_args(arguments)
    try:
        anchors = [note for path in options.anchor for note in notes_of(Path(path).read_text("utf-8"))]
        with open(options.export, encoding="utf-8") as file:
            told = check(file, key=options.key, anchors=anchors)
    except (NoExport, OSError, ValueError, KeyError) as error:
        print(f"verifier: {error}", file=sys.stderr)
        return 2
    print(json.dumps(told) if options.json else "\n".join(f"{name}: {value}" for name, value in told.items()))
    return 0 if told["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
