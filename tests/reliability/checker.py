"""The independent checker: opens an installation's files with their keys, by its own hand and SQL, and says which
promises are broken (security-reliability.md 3.2). It changes nothing.

Of a process that has ended it reads copies: closing the last connection of a file would do the recovery that the next
start has to do. Beside a running process it reads the files themselves.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from sqlcipher3 import dbapi2

from chime.workspaces import KeyRing, open_keys
from tests.reliability.appliance import Appliance, Number
from tests.reliability.traffic import RANK, Effects
from tests.support.world import MASTER_KEY

STATES_IN = frozenset({"received"})
STATES_OUT = frozenset({"queued", "sending", "unconfirmed", "sent", "delivered", "read", "played", "failed"})
FEW = 3


class Files:
    """The open files of an installation, workspaces by the place of their number."""

    def __init__(self, control: Any, workspaces: list[Any], journals: list[Any], keys: KeyRing,
                 numbers: list[Number]) -> None:
        self.numbers = numbers
        self.keys = keys
        self.control = control
        self.workspaces = workspaces
        self.journals = journals

    def all(self) -> Iterator[tuple[str, Any]]:
        yield "control.db", self.control
        for index, (workspace, journal) in enumerate(zip(self.workspaces, self.journals, strict=True)):
            yield f"workspace.db of {index}", workspace
            yield f"journal.db of {index}", journal


@contextmanager
def opened(appliance: Appliance, *, only: int | None = None) -> Iterator[Files]:
    """The files to read, of all workspaces or of one: copies when no process runs on them."""
    with ExitStack() as stack:
        folder = appliance.data_dir
        if not appliance.runs:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chime-checker-")))
            folder = scratch / "data"
            shutil.copytree(appliance.data_dir, folder, ignore=shutil.ignore_patterns("*-shm", "media", ".lock"))
        keys = open_keys(folder, MASTER_KEY)
        control = stack.enter_context(_opened(folder / "control.db", keys.control_file))
        workspaces, journals = [], []
        numbers = appliance.numbers if only is None else [appliance.numbers[only]]
        for number in numbers:
            version, wrapped = control.execute("SELECT version, wrapped FROM workspace_key WHERE workspace_id = ? "
                                               "ORDER BY version DESC", (number.workspace_id,)).fetchone()
            own = keys.unwrap(wrapped, number.workspace_id, version)
            place = folder / "workspaces" / number.workspace_id
            workspaces.append(stack.enter_context(_opened(place / "workspace.db", own.workspace_file)))
            journals.append(stack.enter_context(_opened(place / "journal.db", own.journal_file)))
        yield Files(control, workspaces, journals, keys, numbers)


@contextmanager
def _opened(path: Path, key: bytes) -> Iterator[Any]:
    connection = dbapi2.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute("PRAGMA query_only = ON")
        yield connection
    finally:
        connection.close()


async def until_applied(appliance: Appliance, seconds: float = 60.0) -> float:
    """Wait until all that is stored now is applied; the seconds it took. Raises TimeoutError."""
    begun = time.monotonic()
    with opened(appliance) as files:
        stored = [_last(journal, "SELECT max(id) FROM webhook_body") for journal in files.journals]
        while any(_last(workspace, "SELECT max(journal_id) FROM applied_body") < last
                  for workspace, last in zip(files.workspaces, stored, strict=True)):
            if time.monotonic() - begun > seconds:
                raise TimeoutError(f"not everything stored was applied within {seconds} s")
            await asyncio.sleep(0.02)
    return time.monotonic() - begun


def _last(file: Any, question: str) -> int:
    return int(file.execute(question).fetchone()[0] or 0)


def unsound(files: Files, *, ids_repeat: bool = False) -> list[str]:
    """I9 to I11: every file whole, every reference met, the audit chain unbroken, every message in a legal state, and
    nothing of one workspace in the files of another. `ids_repeat`: Meta used some ids for several numbers."""
    faults = [fault for name, file in files.all() for fault in _damage(name, file)]
    if faults:
        return faults
    for name, file in [("control.db", files.control), *_named(files.workspaces)]:
        faults += [f"{name}: {fault}" for fault in broken_chain(file)]
    for name, file in _named(files.workspaces):
        for direction, status, count in file.execute("SELECT direction, status, count(*) FROM message GROUP BY 1, 2"):
            if status not in (STATES_IN if direction == "in" else STATES_OUT):
                faults.append(f"{name}: {count} messages are {direction} and {status}")
    return faults + _strange_bodies(files) + ([] if ids_repeat else _shared_ids(files))


def _shared_ids(files: Files) -> list[str]:
    """The messages of one workspace that stand in another's file."""
    known: dict[str, int] = {}
    shared = []
    for index, file in enumerate(files.workspaces if len(files.workspaces) > 1 else ()):
        for (wamid,) in file.execute("SELECT wamid FROM message WHERE wamid IS NOT NULL "
                                     "UNION SELECT wamid FROM message_status"):
            if known.setdefault(wamid, index) != index:
                shared.append((wamid, known[wamid], index))
    return _some("messages of one workspace are in the file of another", shared)


def _strange_bodies(files: Files) -> list[str]:
    """What came for one workspace's number and is in another's journal."""
    every = {number.phone_number_id for number in files.numbers}
    strange = [(index, journal_id) for index, (number, journal) in enumerate(
        zip(files.numbers, files.journals, strict=True)) if len(every) > 1
        for journal_id, body in journal.execute("SELECT id, body FROM webhook_body")
        if _named_in(body) & every - {number.phone_number_id}]
    return _some("bodies of one workspace's number are in the journal of another", strange)


def _named_in(body: bytes) -> set[str]:
    """The numbers that the changes of a body say they are of."""
    try:
        entries = json.loads(body)["entry"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return set()
    found = set()
    for entry in entries if isinstance(entries, list) else ():
        listed = entry.get("changes") if isinstance(entry, dict) else ()
        for change in listed if isinstance(listed, list) else ():
            with suppress(KeyError, TypeError):
                found.add(str(change["value"]["metadata"]["phone_number_id"]))
    return found


def _damage(name: str, file: Any) -> list[str]:
    faults = []
    try:
        for check in ("integrity_check", "foreign_key_check", "cipher_integrity_check"):
            found = file.execute(f"PRAGMA {check}").fetchmany(FEW)
            if found and found != [("ok",)]:
                faults.append(f"{name}: {check} says {found}")
    except dbapi2.Error as error:
        faults.append(f"{name}: {error}")
    return faults


def _named(workspaces: list[Any]) -> list[tuple[str, Any]]:
    return [(f"workspace {index}", file) for index, file in enumerate(workspaces)]


def broken_chain(file: Any) -> list[str]:
    """Where the audit rows stop following from each other; each row's hash covers the one before."""
    before = b"\0" * 32
    rows = file.execute("SELECT sequence, form, at, actor_kind, actor_id, actor_name, on_behalf, session_id, address, "
                        "agent_hash, action, object_kind, object_id, result, details_json, previous_hash, hash "
                        "FROM audit_event ORDER BY sequence")
    for number, (sequence, *words, previous, own) in enumerate(rows, start=1):
        if sequence != number:
            return [f"the audit rows leave out {number}"]
        hashed = hashlib.sha256(b"\0" + msgspec.json.encode((sequence, *words, before.hex()))).digest()
        if previous != before or own != hashed:
            return [f"audit row {sequence} does not follow from the one before"]
        before = own
    return []


def unaccounted(files: Files, *, rejected: bool = False) -> list[str]:
    """I1, I2 in the accounts: every stored body was applied once, and each of its events is in one of the columns;
    in that of the rejected ones only where some are expected."""
    faults = []
    for (name, workspace), journal in zip(_named(files.workspaces), files.journals, strict=True):
        accounts = {journal_id: (applied + duplicate + aside, aside) for journal_id, applied, duplicate, aside
                    in workspace.execute("SELECT journal_id, applied, duplicate, rejected FROM applied_body")}
        stored = {}
        for journal_id, body in journal.execute("SELECT id, body FROM webhook_body"):
            stored[journal_id] = _events_of(body)
        wrong = [journal_id for journal_id, count in stored.items() if accounts.get(journal_id, (-1,))[0] != count]
        if wrong or accounts.keys() - stored.keys():
            faults.append(f"{name}: the accounts of {len(wrong)} of {len(stored)} stored bodies are wrong or missing, "
                          f"{len(accounts.keys() - stored.keys())} are of bodies that are not stored")
        aside = sum(aside for _, aside in accounts.values())
        if aside and not rejected:
            faults.append(f"{name}: {aside} events were set aside")
    return faults


def _events_of(body: bytes) -> int:
    return sum(max(1, sum(len(change["value"].get(key, ())) for key in ("messages", "statuses", "message_echoes")))
               for entry in json.loads(body)["entry"] for change in entry["changes"])


def not_in_effect(workspace: Any, expected: Effects, name: str) -> list[str]:
    """I2, I3: what must be in effect is, once, and nothing else is. Messages that Chime itself sent are left out."""
    found = _messages(workspace)
    wrong = [wamid for wamid, (direction, words) in expected.messages.items()
             if wamid not in found or found[wamid][:2] != (direction, words)
             or (found[wamid][3] or 0) != expected.edited.get(wamid, 0)]
    faults = _some(f"{name}: messages are missing or have other words", wrong)
    faults += _some(f"{name}: messages stand elsewhere than their furthest status", [
        wamid for wamid, status in expected.standing.items() if wamid in found and found[wamid][2] != status])
    statuses = _statuses(workspace)
    faults += _some(f"{name}: statuses are missing", [pair for pair in expected.statuses if not statuses[pair]])
    reactions = dict(workspace.execute("SELECT wamid, emoji FROM reaction JOIN message ON message.id = message_id "
                                       "WHERE side = 'in'").fetchall())
    faults += _some(f"{name}: reactions are missing", [
        wamid for wamid, emoji in expected.reactions.items() if wamid in found and reactions.get(wamid) != emoji])
    faults += _some(f"{name}: messages nobody wrote", list(found.keys() - expected.messages.keys()))
    faults += _some(f"{name}: statuses nobody told", list(statuses.keys() - expected.statuses))
    return faults + _twice(workspace, statuses, name) + _counts(workspace, expected, name)


def lost(workspace: Any, expected: Effects, name: str) -> list[str]:
    """The same while more is on its way: what must be there is there, and may have gone further already."""
    found, statuses = _messages(workspace), _statuses(workspace)
    faults = _some(f"{name}: messages are missing", [
        wamid for wamid, (direction, _) in expected.messages.items() if found.get(wamid, ("",))[0] != direction])
    faults += _some(f"{name}: messages stand behind a status", [
        wamid for wamid, status in expected.standing.items()
        if wamid in found and RANK.get(found[wamid][2], -1) < RANK[status]])
    faults += _some(f"{name}: statuses are missing", [pair for pair in expected.statuses if not statuses[pair]])
    return faults + _twice(workspace, statuses, name)


def _messages(workspace: Any) -> dict[str, tuple[str, str, str, int | None]]:
    return {wamid: tuple(rest) for wamid, *rest in workspace.execute(
        "SELECT wamid, direction, text, status, edited_at FROM message WHERE origin IN ('customer', 'phone')")}


def _statuses(workspace: Any) -> Counter[tuple[str, str]]:
    return Counter(workspace.execute(
        "SELECT wamid, status FROM message_status WHERE message_id IS NULL OR message_id NOT IN "
        "(SELECT id FROM message WHERE origin IN ('agent', 'api'))").fetchall())


def _twice(workspace: Any, statuses: Counter[tuple[str, str]], name: str) -> list[str]:
    messages = workspace.execute("SELECT wamid FROM message WHERE wamid IS NOT NULL GROUP BY channel_id, wamid "
                                 "HAVING count(*) > 1").fetchall()
    return (_some(f"{name}: messages are there twice", messages)
            + _some(f"{name}: statuses are there twice", [pair for pair, count in statuses.items() if count > 1]))


def _counts(workspace: Any, expected: Effects, name: str) -> list[str]:
    """Applied twice would show here even where a row is unique: unread counters and the accounts."""
    unread = Counter({phone: count for phone, count in workspace.execute(
        "SELECT phone, sum(unread_count) FROM conversation JOIN contact ON contact.id = contact_id GROUP BY phone")
        if count})
    faults = _some(f"{name}: unread counts are wrong", [
        (phone, unread[phone], expected.unread[phone]) for phone in unread.keys() | expected.unread.keys()
        if unread[phone] != expected.unread[phone]])
    applied = workspace.execute("SELECT coalesce(sum(applied), 0) FROM applied_body").fetchone()[0]
    if applied != expected.events:
        faults.append(f"{name}: the accounts say that {applied} events were applied, there were {expected.events}")
    return faults


def _some(fault: str, wrong: list[Any]) -> list[str]:
    return [f"{fault} ({len(wrong)}, such as {wrong[:FEW]})"] if wrong else []
