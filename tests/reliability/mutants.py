"""Real webhook bodies, broken in every way we could think of: their structure, their values, their bytes.

The n-th mutant of a seed is always the same, so a failing one needs no more than its number to be seen again; those
that failed once, and one of each notable kind, are kept as files in `mutants/` and come first in every run.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.reliability.appliance import Number
from tests.reliability.traffic import phone_of
from tests.unit.whatsapp.payloads import AT, DANA, DANA_ID, NUMBER, VALUES, WABA

KEPT = Path(__file__).with_name("mutants")
STRANGER = "999888777666555"
# What the standard library cannot write: put into the text afterwards.
RAW = "@raw%d@"
RAWS = (b"1e999", b"-1e999", b"NaN", b"Infinity", b"9" * 40, b"9" * 5_000, b"-0", b"1E+2", b"0.1e-400", b"01", b"'x'",
        b"\"\\ud83d\"", b"\"\\udc00\\ud83d\"", b"\"\\u0000\"", b"\"a\\u0000b\"", b"[" * 500 + b"]" * 500,
        b"[" * 60_000 + b"]" * 60_000, b"{\"a\":" * 300 + b"1" + b"}" * 300, b"\"\xff\xfe\"", b"\"\xc3\"", b"\"\t\"",
        b"{\"id\":1,\"id\":2}", b"{\"\":1}", b"{\"\\u0000\":1}", b"tru", b"")
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**31, 2**63 - 1, 2**63, 2**64, -2**63, 10**30, 1e308, "", " ", "0", "-1", "null",
    "\x00", "\x00\x00x", "\x1b[31m", "\u202eabc\u202c", "e\u0301" * 50, "👩‍👩‍👧‍👦" * 20, "\ufeffx", "\ufffe", "ﷺ", "𝕏",
    "'; DROP TABLE message; --", "<script>alert(1)</script>", "{{7*7}}", "%s%n", "../../etc/passwd", "x" * 70_000,
    [], {}, [[]], [{}], [None], {"": None}, {"a": {"a": {"a": {}}}}, [1, "1", None], "2026-11-21T00:00:00Z", str(AT),
    AT, AT * 1000, -AT, "99999999999999999999", "0x10", "1_000", "١٢٣", " 5 ", "wamid.", "+", "+1 555", "US.", "🇩🇪")
# Meta's own are not larger than this, but for the few that the scenario of sizes is for.
LARGEST = 300_000


def kept() -> list[bytes]:
    """Those in the folder, by name. They name the sample's number and account, which stand for the first of a run.
    Raises FileNotFoundError when there is none: a run without them must not look like one with them."""
    found = [path.read_bytes() for path in sorted(KEPT.glob("*.bin"))]
    if not found:
        raise FileNotFoundError(f"no kept mutants in {KEPT}")
    return found


class Mutants:
    """The mutants of one seed, for some numbers. Every fiftieth is left whole."""

    def __init__(self, seed: int, numbers: list[Number]) -> None:
        self._seed = seed
        self._numbers = numbers
        self._kept = kept()
        self._values = list(VALUES.values())
        self._keys = sorted({key for value in self._values for key in _keys(value)})
        self._structural: tuple[Callable[[random.Random, Any], Any], ...] = (
            self._drop, self._odd, self._odd, self._odd, self._raw, self._wrap, self._rename, self._add, self._swap,
            self._repeat, self._retarget, self._deep)
        self._bytewise: tuple[Callable[[random.Random, bytes], bytes], ...] = (
            _flip, _cut, _insert, _truncate, _splice, _reencode, _twice, _pad)

    def __getitem__(self, place: int) -> bytes:
        """The body at this place. Kept ones come first."""
        if place < len(self._kept):
            return self._targeted(self._kept[place], self._numbers[0])
        luck = random.Random((self._seed << 32) + place)
        body = self._sound(luck, place)
        if place % 50 == 0:
            return _encoded(luck, body)
        for _ in range(luck.choice((1, 1, 1, 2, 3, 6))):
            body = luck.choice(self._structural)(luck, body)
        encoded = _encoded(luck, body)
        while luck.random() < 0.2:
            encoded = luck.choice(self._bytewise)(luck, encoded)
        return encoded if len(encoded) <= LARGEST else encoded[-LARGEST:]

    def _sound(self, luck: random.Random, place: int) -> Any:
        """A body as Meta would send it, with one to four changes of one or more workspaces."""
        entries = []
        for _ in range(luck.choice((1, 1, 1, 1, 2))):
            changes = [copy.deepcopy(luck.choice(self._values)) for _ in range(luck.choice((1, 1, 1, 2)))]
            text = json.dumps({"id": WABA, "time": AT, "changes": changes})
            customer = phone_of(luck.randrange(500))
            text = text.replace(DANA_ID, f"US.m{customer}").replace(DANA, customer)
            if luck.random() < 0.9:
                text = text.replace("wamid.", f"wamid.m{place}.")
            entries.append(json.loads(self._targeted(text.encode(), luck.choice(self._numbers))))
        return {"object": "whatsapp_business_account", "entry": entries}

    @staticmethod
    def _targeted(body: bytes, number: Number) -> bytes:
        return body.replace(NUMBER.encode(), number.phone_number_id.encode()).replace(
            WABA.encode(), number.waba_id.encode())

    # One structural change each; `body` may already be anything.

    def _drop(self, luck: random.Random, body: Any) -> Any:
        holder, key = _somewhere(luck, body)
        if holder is not None:
            del holder[key]
        return body

    def _odd(self, luck: random.Random, body: Any) -> Any:
        return _put(luck, body, lambda _: copy.deepcopy(luck.choice(ODD)))

    def _raw(self, luck: random.Random, body: Any) -> Any:
        return _put(luck, body, lambda _: RAW % luck.randrange(len(RAWS)))

    def _wrap(self, luck: random.Random, body: Any) -> Any:
        """A list for an object, an object for a list, text for a number and the other way."""
        def wrapped(value: Any) -> Any:
            if isinstance(value, dict):
                return luck.choice((list(value.items()), list(value.values()), [value], json.dumps(value)))
            if isinstance(value, list):
                return luck.choice(({str(i): item for i, item in enumerate(value)}, value[:1] and value[0], [value]))
            if isinstance(value, str):
                return int(value) if value.isdecimal() and len(value) < 30 else luck.choice(([value], {"body": value}))
            return luck.choice((str(value), [value], {"value": value}))

        return _put(luck, body, wrapped)

    def _rename(self, luck: random.Random, body: Any) -> Any:
        holder, key = _somewhere(luck, body)
        if isinstance(holder, dict):
            holder[luck.choice(self._keys)] = holder.pop(key)
        return body

    def _add(self, luck: random.Random, body: Any) -> Any:
        """A known key where it does not belong."""
        holder, _ = _somewhere(luck, body)
        if isinstance(holder, dict):
            other, name = _somewhere(luck, luck.choice(self._values))
            holder[luck.choice(self._keys)] = copy.deepcopy(other[name]) if other is not None else None
        return body

    def _swap(self, luck: random.Random, body: Any) -> Any:
        one, first = _somewhere(luck, body)
        two, second = _somewhere(luck, body)
        if one is not None and two is not None:
            one[first], two[second] = copy.deepcopy(two[second]), copy.deepcopy(one[first])
        return body

    def _repeat(self, luck: random.Random, body: Any) -> Any:
        """An item or a whole list again, now and then very often."""
        often = 200 if len(_places(body)) < 100 else 3

        def repeated(value: Any) -> Any:
            return value * luck.choice((2, often)) if isinstance(value, list) else [value, value]

        return _put(luck, body, repeated)

    def _retarget(self, luck: random.Random, body: Any) -> Any:
        """Another workspace's number or account, or nobody's."""
        other = luck.choice(self._numbers)
        ids = {number.phone_number_id for number in self._numbers} | {number.waba_id for number in self._numbers}

        def moved(value: Any) -> Any:
            return luck.choice((other.phone_number_id, other.waba_id, int(other.phone_number_id), STRANGER, None))

        return _put(luck, body, moved, lambda value: value in ids if isinstance(value, str) else False)

    def _deep(self, luck: random.Random, body: Any) -> Any:
        """The value far down in itself."""
        def buried(value: Any) -> Any:
            for _ in range(luck.choice((1, 10, 120))):
                value = {"value": value} if luck.random() < 0.5 else [value]
            return value

        return _put(luck, body, buried)


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every holder with every key of it. Not into what is already very deep."""
    found: list[tuple[Any, Any]] = []
    level = [value]
    for _ in range(40):
        holders = [each for each in level if isinstance(each, dict | list)]
        level = []
        for holder in holders:
            for key in list(holder) if isinstance(holder, dict) else range(min(len(holder), 20)):
                found.append((holder, key))
                level.append(holder[key])
        if len(found) > 2_000:
            break
    return found


def _somewhere(luck: random.Random, body: Any) -> tuple[Any, Any]:
    places = _places(body)
    return luck.choice(places) if places else (None, None)


def _put(luck: random.Random, body: Any, make: Callable[[Any], Any],
         fits: Callable[[Any], bool] = lambda _: True) -> Any:
    """A new value in some place; now and then for the whole body."""
    places = [(holder, key) for holder, key in _places(body) if fits(holder[key])]
    if not places or luck.random() < 0.01:
        return make(body)
    holder, key = luck.choice(places)
    holder[key] = make(holder[key])
    return body


def _encoded(luck: random.Random, body: Any) -> bytes:
    """In one of the ways JSON can be written."""
    style = luck.random()
    try:
        text = json.dumps(body, separators=(",", ":"), ensure_ascii=style < 0.9, indent=1 if style > 0.98 else None)
    except RecursionError:
        text = "[]"
    encoded = text.encode("utf-8", "surrogatepass")
    if style < 0.5:
        encoded = encoded.replace(b"/", b"\\/")
    if b"@raw" in encoded:
        for index, raw in enumerate(RAWS):
            encoded = encoded.replace(b'"%s"' % (RAW % index).encode(), raw)
    return encoded


def _flip(luck: random.Random, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(luck.choice((1, 1, 3, 20))):
        if changed:
            changed[luck.randrange(len(changed))] ^= 1 << luck.randrange(8)
    return bytes(changed)


def _cut(luck: random.Random, body: bytes) -> bytes:
    start = luck.randrange(len(body) + 1)
    return body[:start] + body[start + luck.choice((1, 2, 10, 100)):]


def _insert(luck: random.Random, body: bytes) -> bytes:
    start = luck.randrange(len(body) + 1)
    inserted = luck.choice((luck.randbytes(3), b"\x00", b"{", b"]", b'"', b",", b"\\u0000", b"\\ud800", b"/**/",
                            b"\xef\xbb\xbf", b"\r\n", b"\xf0\x9f\x92\xa9"))
    return body[:start] + inserted + body[start:]


def _truncate(luck: random.Random, body: bytes) -> bytes:
    return body[:luck.randrange(len(body) + 1)]


def _splice(luck: random.Random, body: bytes) -> bytes:
    if not body:
        return body
    start, end = sorted(luck.randrange(len(body)) for _ in range(2))
    return body[:start] + body[end:] + body[start:end]


def _reencode(luck: random.Random, body: bytes) -> bytes:
    return body.decode("utf-8", "replace").encode(luck.choice(("utf-16", "utf-8-sig", "utf-16-le", "utf-32")))


def _twice(luck: random.Random, body: bytes) -> bytes:
    """Two bodies in one, or a key twice."""
    brace = body.find(b"{", luck.randrange(len(body) + 1))
    end = body.find(b",", brace)
    if brace < 0 or end < 0 or luck.random() < 0.2:
        return body + body
    return body[:brace + 1] + body[brace + 1:end + 1] + body[brace + 1:]


def _pad(luck: random.Random, body: bytes) -> bytes:
    return luck.choice((b" ", b"\n", b"\x00", b"\t")) * luck.choice((1, 5_000)) + body
