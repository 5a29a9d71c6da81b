"""Canaries: secrets, numbers and words to be looked for in files, in a log and in answers, and who may be told them.

A canary is found at any byte and in any of the ways it may be written: as it is, in hexadecimal digits, in base64, as
in JSON, in an address or in a page, and a number however it is spaced.
"""

from __future__ import annotations

import base64
import functools
import html
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from tests.support.world import MASTER_KEY, World

SECRET, NUMBER, WORDS = "secret", "number", "words"
# Who may read everything of Acme; who may, but not a number; all others may read nothing of it.
WHOLE = {"alice", "mo", "kim", "ada", "test", "acme-key"}
MASKED = {"bob", "vera", "anna", "oscar", "masked-key", "dana"}
READERS = {SECRET: set[str](), NUMBER: WHOLE, WORDS: WHOLE | MASKED}


@dataclass(frozen=True)
class Canary:
    """`shown`: the answers that tell it once, each as who, method and the beginning of the path."""

    what: str
    plain: bytes
    kind: str
    shown: tuple[tuple[str, str, str], ...] = ()

    def forms(self) -> set[bytes]:
        """The ways it may be written."""
        spelled = {self.plain, self.plain.hex().encode(), self.plain.hex().upper().encode()}
        for offset in range(3):  # where it stands in a base64 text decides over its letters
            padded = b"\0" * offset + self.plain
            letters = base64.b64encode(padded)[(0, 2, 3)[offset]:]
            letters = letters[:-4] if len(padded) % 3 else letters
            spelled |= {letters, letters.translate(bytes.maketrans(b"+/", b"-_"))}
        try:
            text = self.plain.decode()
        except UnicodeDecodeError:
            return spelled
        spelled |= {text.encode("utf-16-le"), json.dumps(text)[1:-1].encode(), quote(text).encode(),
                    quote_plus(text).encode(), html.escape(text).encode()}
        if self.kind == NUMBER:
            digits = re.sub(r"\D", "", text)
            spelled |= {digits.encode(), f"{digits[:5]} {digits[5:]}".encode()}
        return spelled

    def may_be_told(self, told: Told) -> bool:
        return told.who in READERS[self.kind] or any(
            who == told.who and method == told.method and told.path.startswith(path)
            for who, method, path in self.shown)


@dataclass
class Told:
    """One request and its answer, as they passed Chime's door."""

    method: str
    path: str
    who: str = "nobody"
    status: int = 0
    asked: bytes = b""
    answer: bytearray = field(default_factory=bytearray)


@dataclass
class Door:
    """Keeps everything that passes: heads, bodies and streams alike."""

    kept: list[Told] = field(default_factory=list)

    def before(self, app: Any) -> Any:
        async def run(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            told = Told(scope["method"], scope["path"])
            heads = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]  # to read what is answered
            told.asked = scope["raw_path"] + scope["query_string"] + b"".join(name + value for name, value in heads)
            self.kept.append(told)

            async def hear() -> Any:
                message = await receive()
                told.asked += message.get("body", b"")
                return message

            async def say(message: Any) -> None:
                told.status = message.get("status", told.status)
                told.answer += b"".join(name + b": " + value + b"\n" for name, value in message.get("headers", ()))
                told.answer += message.get("body", b"")
                identity = scope.get("state", {}).get("identity")
                if identity is not None:
                    told.who = identity.email.partition("@")[0] or identity.actor.name
                await send(message)

            await app(scope | {"headers": heads}, hear, say)

        return run


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file, and every name, as it stands on disk."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return found | {"the names of the files": "\n".join(found).encode()}


@functools.cache
def beginnings(canaries: tuple[Canary, ...]) -> dict[int, list[tuple[Canary, bytes]]]:
    """Every form of each by its first eight bytes."""
    found: dict[int, list[tuple[Canary, bytes]]] = {}
    for canary in canaries:
        for form in canary.forms():
            assert len(form) >= 8, canary
            found.setdefault(int.from_bytes(form[:8], sys.byteorder), []).append((canary, form))
    return found


def standing_in(content: bytes, canaries: tuple[Canary, ...]) -> set[Canary]:
    """Those that can be read somewhere in it, at any byte."""
    known = beginnings(canaries)
    words, seen = known.keys(), set()
    for shift in range(8):
        length = (len(content) - shift) // 8 * 8
        if length > 0:
            seen |= set(words).intersection(memoryview(content)[shift:shift + length].cast("Q"))
    return {canary for word in seen for canary, form in known[word] if form in content}


def in_files(canaries: tuple[Canary, ...], files: dict[str, bytes]) -> list[str]:
    """There is no exception: all that is stored is encrypted, and what is not (the queue) holds ids alone."""
    return [f"{canary.what} in {place}" for place, content in files.items()
            for canary in standing_in(content, canaries)]


def standing_in_text(content: bytes, canaries: tuple[Canary, ...]) -> set[Canary]:
    """The same, and numbers however they are spaced."""
    squeezed = re.sub(rb"&nbsp;|\xc2\xa0|[\s().\-+]", b"", content)
    return standing_in(content, canaries) | {
        canary for canary in standing_in(squeezed, canaries) if canary.kind == NUMBER}


def in_log(canaries: tuple[Canary, ...], said: dict[str, str]) -> list[str]:
    return [f"{canary.what} in {place}" for place, text in said.items()
            for canary in standing_in_text(text.encode(), canaries)]


def in_answers(canaries: tuple[Canary, ...], kept: list[Told]) -> list[str]:
    return [f"{canary.what} told to {told.who} by {told.method} {told.path}" for told in kept
            for canary in standing_in_text(bytes(told.answer), canaries) if not canary.may_be_told(told)]


async def keys_of(world: World) -> list[Canary]:
    """Every key of the installation as it is in memory."""
    ring = world.services.control.keys
    found = {"the master key's bytes": MASTER_KEY, "the pepper": ring.pepper}
    for number, one in enumerate(ring.bundle.generations):
        found |= {f"{name} {number}": getattr(one, name) for name in ("control_file", "field", "parked", "links",
                                                                       "wrap")}
    for tenant in (world.acme, world.globex):
        keys = await world.services.control.workspace_keys(tenant.workspace_id)
        found |= {f"{tenant.slug}'s workspace.db key": bytes(keys.workspace_file),
                  f"{tenant.slug}'s journal.db key": bytes(keys.journal_file)}
        found |= {f"{tenant.slug}'s root {version}": root.secret for version, root in keys.roots.items()}
    return [Canary(what, key, SECRET) for what, key in found.items()]
