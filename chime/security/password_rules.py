"""Which passwords are taken: NIST 800-63B-4. Long, not among the commonest, not made of the person's own context; no
rule about kinds of characters, no expiry, no hints.

The list of the commonest ships with the program (`common_passwords.txt`), so nothing is asked of anybody outside.
Digits and marks around a word, a letter written as a digit, and a word said twice make none of them uncommon.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from chime.errors import Invalid, Sentence

SHORTEST = 15
SHORTEST_WITH_SECOND_FACTOR = 8
LONGEST = 256
_FEWEST_DIFFERENT = 5
_PLAIN_LETTERS = str.maketrans("013457@$!|", "oleastasil")
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop",
         "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p")
_NEIGHBOURS = frozenset(row[at:at + 2][::step] for row in _ROWS for at in range(len(row) - 1) for step in (1, -1))
# Words of ours that everybody here knows.
_OURS = ("chime", "whatsapp")


def check_rules(password: str, *, second_factor: bool = False, context: Iterable[str] = ()) -> None:
    """Raises Invalid. `second_factor`: the person has one, so the password need not stand alone. `context`: names,
    addresses and workspaces that a guesser would know."""
    shortest = SHORTEST_WITH_SECOND_FACTOR if second_factor else SHORTEST
    if len(password) < shortest:
        words = (f"Use at least {SHORTEST_WITH_SECOND_FACTOR} characters." if second_factor else
                 f"Use at least {SHORTEST} characters; a short sentence is easy to remember.")
        raise Invalid.field("password", words)
    if len(password) > LONGEST:
        raise Invalid.field("password", Sentence("Use at most %(most)s characters.", most=LONGEST))
    if len(set(password)) < _FEWEST_DIFFERENT or _is_walk(_folded(password)):
        raise Invalid.field("password", "Use more than a few different characters, and not in a row.")
    if is_common(password):
        raise Invalid.field("password", "Many people use this password, so it is guessed first. Choose another.")
    if _is_context(password, context):
        raise Invalid.field("password", "This is mostly a name, an address or a word everybody here knows. "
                                        "Choose another.")


def stands_alone(password: str) -> bool:
    """Whether it is long enough to be the only factor."""
    return len(password) >= SHORTEST


def is_common(password: str) -> bool:
    """Whether it is one of the commonest, or one of them in disguise."""
    folded = _folded(password)
    for text in (folded, folded.translate(_PLAIN_LETTERS), re.sub(r"[\W\d_]+$", "", folded).translate(_PLAIN_LETTERS),
                 re.sub(r"[\s._-]+", "", folded)):
        once = _said_once(text)
        if text in _common() or once in _common() or _core(once) in _cores():
            return True
    return False


def _folded(password: str) -> str:
    return unicodedata.normalize("NFKC", password).casefold()


def _core(text: str) -> str:
    """Without the digits and marks around it."""
    return re.sub(r"^[\W\d_]+|[\W\d_]+$", "", text)


def _said_once(text: str) -> str:
    """`abcabcabc` is `abc`."""
    period = (text + text).find(text, 1)
    return text[:period]


def _is_walk(text: str) -> bool:
    """Whether nearly all of it runs along the alphabet, the digits or a row of keys, or stands still."""
    pairs = [text[at:at + 2] for at in range(len(text) - 1)]
    near = sum(pair in _NEIGHBOURS or pair[0] == pair[1] for pair in pairs)
    return near >= 0.8 * len(pairs)


def _is_context(password: str, context: Iterable[str]) -> bool:
    """Whether fewer than five letters are left when what a guesser knows is taken out."""
    known = {part for text in (*context, *_OURS) for part in re.split(r"[\W_]+", _folded(text)) if len(part) >= 3}
    for text in (_folded(password), _folded(password).translate(_PLAIN_LETTERS)):
        left = text
        for word in sorted(known, key=len, reverse=True):
            left = left.replace(word, "")
        if left != text and len(re.sub(r"[\W\d_]+", "", left)) < 5:
            return True
    return False


@cache
def _common() -> frozenset[str]:
    return frozenset((files("chime") / "security" / "common_passwords.txt").read_text("utf-8").split())


@cache
def _cores() -> frozenset[str]:
    """The words inside the commonest passwords."""
    return frozenset(core for core in map(_core, _common()) if len(core) >= 3)
