"""Real webhook bodies, broken in structure, values and bytes, rightly signed: nothing fails and nothing is dropped.

A round is a body. None is answered with a 5xx; what is JSON is taken; every change of a body that was taken stands in a
journal or is parked, every stored body is in the accounts, and Chime's own proof says the same. A fault names the place
of the body, which the same seed gives again; put such a body into `tests/reliability/mutants/` to keep it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from chime.prove_inbox import Wishes, prove
from chime.security.crypto import context
from tests.reliability.appliance import Appliance
from tests.reliability.checker import Files, opened, unsound, until_applied
from tests.reliability.mutants import Mutants, kept
from tests.reliability.scenario import Options, Outcome, Watch
from tests.reliability.senders import Sender

SHORT, NIGHTLY, RELEASE = 1_000, 100_000, 1_000_000
CONNECTIONS = 64
TOLD = 5
FAILURES = ("webhook.not_stored", "request.failed", "job.failed", "Traceback")
# Everything that can be stored must be in effect or set aside after this.
APPLIED_WITHIN = 600
# Below what Chime itself reads.
DEEPEST = 50


async def run(options: Options) -> Outcome:
    watch = Watch("mutated-bodies", options)
    async with Appliance.install(options.folder, workspaces=("Acme", "Globex", "Initech")) as appliance:
        await appliance.start()
        mutants = Mutants(options.seed, appliance.numbers)
        watch.figures["kept_ones_among_them"] = min(len(kept()), options.rounds)
        taken = await _post_all(watch, options, appliance, mutants)
        try:
            watch.figures["in_effect_after_seconds"] = round(await until_applied(appliance, APPLIED_WITHIN), 1)
        except TimeoutError as late:
            watch.faults.append(str(late))
        watch.figures["resident_mb"] = appliance.resident_megabytes()
        watch.expect(await appliance.is_ready(), "the process is not ready any more")
        await appliance.stop()
        watch.faults += [f"the log says: {line}" for line in appliance.log.splitlines()
                         if any(event in line for event in FAILURES)][:TOLD]
        with opened(appliance) as files:
            watch.faults += unsound(files, ids_repeat=True) + _dropped(watch, files, mutants, taken)
        proof = await prove(appliance.config, Wishes(full=True))
        watch.expect(proof.ok, f"the delivery proof finds a difference of {proof.total.difference}")
        watch.expect(proof.total.waiting == 0, f"{proof.total.waiting} events were never applied")
    return watch.outcome()


async def _post_all(watch: Watch, options: Options, appliance: Appliance, mutants: Mutants) -> dict[bytes, int]:
    """Post every mutant once: the hash of each that was taken, with its place."""
    sender = Sender(appliance.port, appliance.webhook_path, options.luck(), connections=CONNECTIONS)
    taken: dict[bytes, int] = {}
    answers: Counter[int] = Counter()
    places = iter(range(options.rounds))

    async def post() -> None:
        for place in places:
            body = mutants[place]
            status = await sender.post(body)
            answers[status] += 1
            if status == 200:
                taken.setdefault(hashlib.sha256(body).digest(), place)
            if not _may_be(status, body) and len(watch.faults) < TOLD:
                watch.faults.append(f"mutant {place} was answered {status}: {base64.b64encode(body[:600]).decode()}")

    begun = time.monotonic()
    await asyncio.gather(*(post() for _ in range(CONNECTIONS)))
    watch.figures |= {"answers": {str(status): count for status, count in sorted(answers.items())},
                      "posts_per_second": round(options.rounds / (time.monotonic() - begun))}
    await sender.close()
    return taken


def _may_be(status: int, body: bytes) -> bool:
    """JSON is taken, whatever its shape. What the standard library refuses may be refused."""
    return status == 200 or (status == 400 and _decoded(body) is _NO_JSON)


_NO_JSON = object()


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return _NO_JSON


def _dropped(watch: Watch, files: Files, mutants: Mutants, taken: dict[bytes, int]) -> list[str]:
    """What was taken and is nowhere; and stored bodies with less in the accounts than they have changes."""
    faults, whole, parts = [], set[bytes](), set[bytes]()
    for index, (workspace, journal) in enumerate(zip(files.workspaces, files.journals, strict=True)):
        accounts = dict(workspace.execute("SELECT journal_id, applied + duplicate + rejected FROM applied_body"))
        for journal_id, body in journal.execute("SELECT id, body FROM webhook_body"):
            _note(body, whole, parts)
            least = max(1, sum(1 for _ in _changes(body)))
            if accounts.pop(journal_id, 0) < least:
                faults.append(f"workspace {index}: body {journal_id} has {least} changes and fewer in the accounts")
        if accounts:
            faults.append(f"workspace {index}: {len(accounts)} accounts of bodies that are not stored")
    parked = 0
    for parked_id, sealed in files.control.execute("SELECT id, body_sealed FROM parked_delivery"):
        parked += 1
        _note(files.keys.parked.unseal(sealed, context("parked_delivery", parked_id)), whole, parts)
    lost = [place for key, place in taken.items()
            if key not in whole and not _in_parts(mutants[place], parts)]
    rejected = Counter(row[0] for file in files.workspaces for row in file.execute("SELECT reason FROM rejected_event"))
    watch.figures |= {"taken": len(taken), "parked": parked, "set_aside": dict(rejected.most_common(20))}
    if lost:
        told = base64.b64encode(mutants[lost[0]][:600]).decode()
        faults.append(f"{len(lost)} taken bodies are dropped in part, such as mutants {lost[:TOLD]}: {told}")
    return faults[:TOLD]


def _note(body: bytes, whole: set[bytes], parts: set[bytes]) -> None:
    whole.add(hashlib.sha256(body).digest())
    parts.update(_changes(body))


def _in_parts(body: bytes, parts: set[bytes]) -> bool:
    """Whether each change of a body that was divided between its owners is stored with one of them."""
    return all(change in parts for change in _changes(body))


def _changes(body: bytes) -> Iterator[bytes]:
    """A hash for each change; for each entry that has none."""
    decoded = _storable(_decoded(body))
    if not isinstance(decoded, dict) or not isinstance(decoded.get("entry"), list):
        return
    for entry in decoded["entry"]:
        listed = entry.get("changes") if isinstance(entry, dict) else None
        for change in listed if isinstance(listed, list) and listed else [entry]:
            try:
                told = json.dumps(change, sort_keys=True)
            except RecursionError:
                told = "too deep to compare"
            yield hashlib.sha256(told.encode()).digest()


def _storable(value: Any, depth: int = 0) -> Any:
    """Without what no JSON of Meta's holds and a divided body is not given back: half characters, U+0000 also in keys,
    numbers without end, what is nested beyond all reason."""
    if depth > DEEPEST and isinstance(value, dict | list):
        return None
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "")
    if isinstance(value, dict):
        return {_storable(key): _storable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item, depth + 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
