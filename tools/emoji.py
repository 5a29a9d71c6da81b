"""Builds `chime/web/static/emoji/<language>.json`, what the emoji picker shows and searches, from the pinned package.

For developers only; the files are committed. Each is a list of groups in Unicode's order: `key`, and beside each other
`emoji`, `names` and `words` (what else it is found by), one line for each emoji. A `+` before an emoji says that it
takes a skin tone by the rule of `toned`, which emoji.js follows too; the rule is proved here for all of them.

    python tools/emoji.py [--tarballs DIR]
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import tempfile
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

from vendor import ROOT, member, packages, tarball

FOLDER = ROOT / "chime" / "web" / "static" / "emoji"
NEWEST = 16  # Unicode's version; what came later few devices can draw
# Bytes, compressed, and words for one emoji, of which smileys have up to twenty. Other languages have English.
MOST = {"en": (30_000, 6), "es": (40_000, 20), "pt": (40_000, 6), "hi": (40_000, 4)}
AS_TEXT = 0  # the kind that is a letter unless a mark says that it is a picture
COMPONENTS = 2  # Unicode's group of tones and hair, no emoji for a person to choose
TONES = [chr(0x1F3FB + step) for step in range(5)]
JOINER, AS_PICTURE, HANDSHAKE = "\u200d", "\ufe0f", "\U0001f91d"

Emoji = dict[str, Any]


def drawn(emoji: Emoji) -> str:
    """Its characters, fully qualified and no more, as phones send them."""
    if emoji["type"] == AS_TEXT and "-" not in emoji["hexcode"]:
        return str(emoji["emoji"])
    return "".join(chr(int(code, 16)) for code in emoji["hexcode"].split("-"))


def skins(emoji: Emoji) -> set[str]:
    """What Unicode has of it in skin tones, as far as devices can draw that."""
    return {drawn(skin) for skin in emoji.get("skins", ()) if skin["version"] <= NEWEST}


def bases(found: list[Emoji]) -> set[str]:
    """The characters that a tone may follow."""
    return {skin[0] for emoji in found for skin in skins(emoji) if skin[1:2] in TONES}


def toned(emoji: str, tone: str, takes: set[str]) -> str:
    """An emoji in one skin tone: the tone follows each body in it. The hands that two people hold are no third one."""
    def one(found: re.Match[str]) -> str:
        joiner, body = found[1], found[2]
        return found[0] if body not in takes or (joiner and body == HANDSHAKE) else joiner + body + tone

    return re.sub(f"({JOINER}?)(.){AS_PICTURE}?", one, emoji, flags=re.DOTALL)


def takes_tone(emoji: Emoji, takes: set[str]) -> bool:
    """Whether the rule makes exactly what Unicode has for each tone."""
    known = skins(emoji)
    return bool(known) and all(toned(drawn(emoji), tone, takes) in known for tone in TONES)


def words_of(emoji: Emoji, shared: Counter[str], most: int) -> list[str]:
    """What it is found by besides its name: nothing that the beginning of a word of it finds already, and of the rest
    what most emoji share, for slang is what few have."""
    kept: list[str] = []
    known = re.findall(r"\S+", plain(emoji["label"]))
    for tag in sorted(dict.fromkeys(plain(tag) for tag in emoji.get("tags", ())), key=len, reverse=True):
        word = re.sub(r"\s+", "_", tag)
        if not any(other.startswith(word) for other in known):
            known.append(word)
            kept.append(word)
    return sorted(sorted(kept, key=lambda word: (-shared[word], word))[:most])


def plain(text: str) -> str:
    """Lower case, in one form."""
    return unicodedata.normalize("NFC", text).lower().strip()


def groups(data: list[Emoji], keys: dict[str, str], most: int) -> list[dict[str, str]]:
    """The file of one language."""
    takes = bases(data)
    shared = Counter(re.sub(r"\s+", "_", plain(tag)) for emoji in data for tag in emoji.get("tags", ()))
    shown = sorted((emoji for emoji in data if emoji.get("group", COMPONENTS) != COMPONENTS
                    and emoji["version"] <= NEWEST), key=lambda emoji: int(emoji["order"]))
    found = []
    for number, key in keys.items():
        of = [emoji for emoji in shown if emoji["group"] == int(number)]
        if of:
            found.append({
                "key": key,
                "emoji": "\n".join("+" * takes_tone(emoji, takes) + drawn(emoji) for emoji in of),
                "names": "\n".join(unicodedata.normalize("NFC", emoji["label"]) for emoji in of),
                "words": "\n".join(" ".join(words_of(emoji, shared, most)) for emoji in of)})
    return found


def main() -> None:
    """Write the file of each language that stays small enough."""
    parser = argparse.ArgumentParser(description="build the emoji picker's data")
    parser.add_argument("--tarballs", type=Path, help="a directory that holds the tarballs")
    options = parser.parse_args()
    package = next(package for package in packages() if package["name"] == "emojibase-data")
    with tempfile.TemporaryDirectory() as temporary:
        data = tarball(package, options.tarballs or Path(temporary))
    keys = json.loads(member(data, "meta/groups.json"))["groups"]
    FOLDER.mkdir(exist_ok=True)
    for language, (most_bytes, most_words) in MOST.items():
        found = groups(json.loads(member(data, f"{language}/data.json")), keys, most_words)
        text = json.dumps(found, ensure_ascii=False, separators=(",", ":")) + "\n"
        size = len(gzip.compress(text.encode(), 9))
        print(f"{language}: {size} bytes compressed")
        if size > most_bytes:
            raise SystemExit(f"{language}: more than {most_bytes} bytes compressed")
        (FOLDER / f"{language}.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
