"""OWASP ASVS 5.0, levels 1 and 2: each requirement by its number, with our few words for it (the standard has its own),
whether Chime meets it, and what proves that.

`met` needs a test that exists or a heading of SECURITY.md; a test of ours holds every line to that. `n/a` and `unmet`
say why. The tables stand in `asvs_input`, `asvs_identity` and `asvs_platform`, each requirement with its number,
level, state and words, and below it the proofs, or the reason.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import msgspec

from chime.trust import asvs_identity, asvs_input, asvs_platform

MET, NOT_APPLICABLE, UNMET = "met", "n/a", "unmet"
STATES = (MET, UNMET, NOT_APPLICABLE)
STANDARD = "OWASP ASVS 5.0"
DOCUMENT = "SECURITY.md"
# Our names for the chapters, by number.
CHAPTERS = {
    1: "Encoding and cleaning", 2: "Checking input and steps", 3: "In the browser", 4: "HTTP and services", 5: "Files",
    6: "Signing in", 7: "Sessions", 8: "Permissions", 9: "Tokens that speak for themselves", 10: "OAuth and OpenID",
    11: "Cryptography", 12: "On the wire", 13: "Configuration", 14: "Protecting data", 15: "Code and dependencies",
    16: "Logs and errors", 17: "WebRTC"}


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """`proofs` are tests, as `file` or `file::test` below `tests/`, or headings of the document."""

    number: str
    level: int
    state: str
    words: str
    proofs: tuple[str, ...]
    reason: str

    @property
    def chapter(self) -> int:
        return int(self.number.partition(".")[0])


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many of a level are in each state."""

    level: int
    met: int
    unmet: int
    not_applicable: int

    @property
    def apply(self) -> int:
        return self.met + self.unmet


def _read(text: str) -> list[Requirement]:
    found: list[Requirement] = []
    for line in text.strip().splitlines():
        if line.startswith(" "):
            last = found[-1]
            if last.state == MET:
                found[-1] = msgspec.structs.replace(last, proofs=(*last.proofs, *line.strip().split("; ")))
            else:
                found[-1] = msgspec.structs.replace(last, reason=f"{last.reason} {line.strip()}".strip())
            continue
        number, level, state, words = line.split(" ", 3)
        if state not in STATES:
            raise ValueError(f"{number}: {state}")
        found.append(Requirement(number=number, level=int(level), state=state, words=words, proofs=(), reason=""))
    return found


@cache
def requirements() -> tuple[Requirement, ...]:
    """All of them, in the standard's order."""
    return tuple(one for table in (asvs_input, asvs_identity, asvs_platform) for one in _read(table.REQUIREMENTS))


def by_chapter() -> list[tuple[str, list[Requirement]]]:
    """Grouped, with the chapter's number and name."""
    return [(f"{number} {name}", [one for one in requirements() if one.chapter == number])
            for number, name in CHAPTERS.items()]


def counts() -> tuple[Counts, ...]:
    """Level 1, and both levels together, as the standard counts them."""
    made = []
    for level in (1, 2):
        states = Counter(one.state for one in requirements() if one.level <= level)
        made.append(Counts(level=level, met=states[MET], unmet=states[UNMET], not_applicable=states[NOT_APPLICABLE]))
    return tuple(made)
