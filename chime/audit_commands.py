"""What `chime audit …` does: examine the trails of an installation or an exported file, export one, hand out the
stand-alone verifier.

Examining changes nothing, so it can be done on files that are evidence; a file is examined without an installation.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from chime import audit
from chime.audit import export, verifier
from chime.audit.model import INSTALLATION, Filter
from chime.clock import Clock
from chime.config import Config
from chime.errors import ChimeError, Invalid, StartRefused
from chime.security.permissions import OPERATOR
from chime.setup import named_workspace, opened


def verify_file(path: str, *, key: str, anchors: list[str]) -> dict[str, Any]:
    """An exported file, with the very program that an auditor runs. Raises StartRefused when it is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return verifier.check(file, key=key, anchors=_notes(anchors))
    except (verifier.NoExport, OSError, UnicodeDecodeError) as error:
        raise StartRefused(f"{path}: {error}") from error


def _notes(paths: list[str]) -> list[str]:
    found: list[str] = []
    for path in paths:
        try:
            found += verifier.notes_of(Path(path).read_text("utf-8"))
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise StartRefused(f"{path}: holds no checkpoints ({error})") from error
    return found


async def verify(config: Config, *, workspace: str | None, anchors: list[str]) -> dict[str, Any]:
    """The trail of one workspace, or every trail there is. What the operator's anchor file holds is compared too, and
    it has to be there. Of checkpoints that somebody named, one at least has to be of these trails."""
    notes = _notes([*anchors, *([str(config.audit_anchor_file)] if _has_anchors(config) else [])])
    found: list[dict[str, Any]] = []
    fault = ""
    clock = Clock()
    async with opened(config) as (control, registry):
        if config.audit_anchor_file and not _has_anchors(config) and await audit.public_key(control):
            fault = (f"CHIME_AUDIT_ANCHOR_FILE: {config.audit_anchor_file} is not there, although checkpoints were "
                     "signed; the next one makes it anew")
        if not workspace:
            verdict = await audit.examine(audit.installation_trail(control), clock, anchors=notes)
            found.append({"trail": INSTALLATION, "name": INSTALLATION} | msgspec.structs.asdict(verdict))
        for record in [await named_workspace(control, workspace)] if workspace else await control.workspaces():
            try:
                async with registry.use(record.id) as open_workspace:
                    verdict = await audit.examine(audit.trail_of(open_workspace, control), clock, anchors=notes)
                found.append({"trail": record.id, "name": record.name} | msgspec.structs.asdict(verdict))
            except ChimeError as error:  # one file that is away must not keep the others from being examined
                found.append({"trail": record.id, "name": record.name, "ok": False, "rows": 0, "head": "",
                              "first_bad": None, "proven": 0, "reason": str(error), "anchors": 0})
    compared = sum(one["anchors"] for one in found)
    if anchors and not compared and all(one["ok"] for one in found):
        fault = fault or "none of the checkpoints that were kept elsewhere could be compared with these trails"
    bad = next((one for one in found if not one["ok"]), None)
    return {"ok": bad is None and not fault, "rows": sum(one["rows"] for one in found), "head": found[0]["head"],
            "first_bad": bad["first_bad"] if bad else None, "reason": bad["reason"] if bad else fault,
            "anchors": compared, "fault": fault, "trails": found}


def _has_anchors(config: Config) -> bool:
    return config.audit_anchor_file is not None and config.audit_anchor_file.exists()


def as_text(told: dict[str, Any]) -> str:
    """For people: a line for each trail, and one for what is wrong with what was kept elsewhere."""
    fault = told.get("fault", "")
    return "\n".join([*(_line(one) for one in told.get("trails", [told])), *([f"BAD  {fault}"] if fault else [])])


def _line(one: dict[str, Any]) -> str:
    name, rows, proven = one.get("name") or one.get("origin"), one["rows"], one["proven"]
    if one["ok"]:
        return (f"ok   {name}: {rows} rows, {proven} of them under a signature, {one['anchors']} checkpoints kept "
                f"elsewhere compared, root {one['head']}")
    where = f"first bad row {one['first_bad']}: " if one["first_bad"] else ""
    return f"BAD  {name}: {where}{one['reason']}; the first {proven} rows are what was signed"


async def export_to(config: Config, *, workspace: str | None, target: str | None) -> dict[str, Any]:
    """The whole trail of a workspace, or of the installation, into a file or to standard output."""
    count = 0
    async with opened(config) as (control, registry):
        record = await named_workspace(control, workspace) if workspace else None
        if record is None:
            count = await _export(audit.installation_trail(control), target)
        else:
            async with registry.use(record.id) as open_workspace:
                count = await _export(audit.trail_of(open_workspace, control), target)
    return {"file": target or "", "lines": count}


async def _export(trail: audit.Trail, target: str | None) -> int:
    made = await export.begin(trail, OPERATOR, Filter())
    count = 0
    if target is None:
        async for chunk in export.lines(trail, made, Filter()):
            sys.stdout.buffer.write(chunk)
            count += chunk.count(b"\n")
        sys.stdout.flush()
        return count
    try:
        with Path(target).open("xb") as file:  # noqa: ASYNC230 - a command: nobody else waits for this loop
            async for chunk in export.lines(trail, made, Filter()):
                file.write(chunk)
                count += chunk.count(b"\n")
    except FileExistsError as error:
        raise StartRefused(f"{target} is there already") from error
    except OSError as error:
        raise StartRefused(f"{target}: {error.strerror}") from error
    return count


async def accept(config: Config, *, workspace: str | None, reason: str) -> dict[str, Any]:
    """Go on signing a trail that is not the one signed last; the break and the reason stay in it. Raises Invalid."""
    if not reason.strip():
        raise Invalid.field("reason", "Say why the trail is not the one that was signed.")
    async with opened(config) as (control, registry):
        if not workspace:
            made = await audit.accept_as_it_is(audit.installation_trail(control), OPERATOR, reason=reason.strip())
        else:
            record = await named_workspace(control, workspace)
            async with registry.use(record.id) as open_workspace:
                made = await audit.accept_as_it_is(audit.trail_of(open_workspace, control), OPERATOR,
                                                   reason=reason.strip())
    return {"size": made.size, "note": made.note}


def verifier_source() -> str:
    """The text of the stand-alone verifier."""
    return (files("chime.audit") / "verifier.py").read_text("utf-8")


def write_verifier(target: str) -> None:
    """Put it into a new file."""
    try:
        with open(target, "x", encoding="utf-8") as file:
            file.write(verifier_source())
    except OSError as error:
        raise StartRefused(f"{target}: {error.strerror}") from error
