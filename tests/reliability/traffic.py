"""What customers and phones do, drawn at random and put into webhook bodies: messages, edits, reactions, echoes,
statuses; several of them in a body, some bodies and some events told again.

Each event is a `Fact`; `Effects` says what a list of facts must leave behind, whatever their order and repetition.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tests.reliability.appliance import Number
from tests.reliability.senders import Delivery
from tests.support.webhook_bodies import Customer, bodies, change, contact, message

REPEATS = 0.1
# So much of it is for a stranger where there is one: enough for every fourth body.
STRANGE = 0.1
# In every message and every name, to be looked for where none may be.
WORDS, NAMES = "the xylophones of", "Zebedee Customer"
STATUSES = ("sent", "delivered", "read")
RANK = {"sent": 0, "delivered": 1, "read": 2}


class Fact(msgspec.Struct, frozen=True):
    """Something that happened at WhatsApp. `about` is the wamid it concerns; `at` in unix seconds."""

    kind: str
    number: int
    customer: int
    wamid: str
    about: str
    at: int
    words: str


def phone_of(index: int) -> str:
    """The number of a customer. None looks like two counters side by side, as the names of backups' segments have them
    (…1555-0000001…): it is looked for there, with signs between the digits too."""
    return f"1555{7_310_000 + index}"


def customer(index: int) -> Customer:
    """One of those who write."""
    return Customer(f"{NAMES} {index}", phone_of(index), f"US.traffic{index}")


class Traffic:
    """Draws facts and bodies for some numbers."""

    def __init__(self, numbers: list[Number], luck: random.Random, *, name: str = "t", customers: int = 200,
                 strangers: Sequence[Number] = ()) -> None:
        """`strangers`: numbers of the same app that nobody has connected; in a fact their places follow the others'."""
        self._numbers = [*numbers, *strangers]
        self._known = len(numbers)
        self._luck = luck
        self._name = name
        self._begun = int(time.time()) - 600
        self._customers = [customer(index) for index in range(customers)]
        self._count = 0
        self._said: deque[Fact] = deque(maxlen=500)
        self._owed: list[Fact] = []
        self._changed: Counter[str] = Counter()
        self._bodies: list[Delivery] = []
        self.facts: set[Fact] = set()
        """Everything that was put into a body."""

    def delivery(self) -> Delivery:
        """A body with one to eight facts; now and then one that was there before."""
        if self._bodies and self._luck.random() < REPEATS / 2:
            return self._luck.choice(self._bodies)
        facts = [self.fact() for _ in range(self._luck.choice((1, 1, 1, 2, 3, 8)))]
        if self.facts and self._luck.random() < REPEATS / 2:
            facts.append(self._luck.choice(self._bodies).tells[0])
        made = self.body(facts)
        if len(self._bodies) < 5_000:
            self._bodies.append(made)
        return made

    def body(self, facts: list[Fact], *, together: bool = False) -> Delivery:
        """These facts in one body: each in a change of its own, or `together` in as few changes as they fit in."""
        self.facts.update(facts)
        changes: dict[int, list[dict[str, Any]]] = defaultdict(list)
        if together:
            for number in sorted({fact.number for fact in facts}):
                changes[number] = self._together([fact for fact in facts if fact.number == number])
        else:
            for fact in facts:
                changes[fact.number] += self._together([fact])
        entries = [(self._numbers[number], listed) for number, listed in changes.items()]
        return Delivery(json.dumps(bodies(*entries)).encode(), tuple(facts))

    def _together(self, facts: list[Fact]) -> list[dict[str, Any]]:
        """As few changes of one number as hold these facts, which keep their order within each kind of list."""
        number = self._numbers[facts[0].number]
        fields: dict[str, dict[str, Any]] = defaultdict(dict)
        for fact in facts:
            field, key, item = self._item(fact)
            if key != "statuses":
                fields[field].setdefault("contacts", {})[fact.customer] = contact(self._customers[fact.customer])
            fields[field].setdefault(key, []).append(item)
        return [change(number, field, **{key: list(listed.values()) if key == "contacts" else listed
                                         for key, listed in parts.items()}) for field, parts in fields.items()]

    def text(self, number: int | None = None) -> Fact:
        """A customer writes."""
        customer = self._luck.randrange(len(self._customers))
        number = self._anybody() if number is None else number
        return self._new("text", number, customer, words=f"{self._name} says {WORDS} {self._count}")

    def poison(self) -> Fact:
        """Something that cannot take effect, and must not keep anything else from doing so."""
        return self._new("poison", self._luck.randrange(self._known), 0,
                         words=self._luck.choice(("no id", "no item", "fails midway")))

    def fact(self) -> Fact:
        """Something happens."""
        drawn = self._luck.random()
        if self._owed and drawn < 0.45:
            return self._owed.pop(self._luck.randrange(len(self._owed)))
        if self._said and drawn < 0.6:
            about = self._luck.choice(self._said)
            # Two changes of one message in the same second have no order, at Meta either.
            self._changed[about.wamid] += 1
            kind = self._luck.choice(("edit", "reaction"))
            words = f"{self._name} mends {WORDS} {self._count}" if kind == "edit" else self._luck.choice("👍🎉🙏")
            return self._new(kind, about.number, about.customer, about=about.wamid, words=words,
                             later=self._changed[about.wamid])
        if drawn < 0.7:
            echo = self._new("echo", self._anybody(), self._luck.randrange(len(self._customers)),
                             words=f"{self._name} echoes {WORDS} {self._count}")
            self._owed += [self._new("status", echo.number, echo.customer, about=echo.wamid, words=status)
                           for status in STATUSES]
            return echo
        said = self.text()
        self._said.append(said)
        return said

    def _anybody(self) -> int:
        """The place of the number that something happens to."""
        if len(self._numbers) > self._known and self._luck.random() < STRANGE:
            return self._luck.randrange(self._known, len(self._numbers))
        return self._luck.randrange(self._known)

    def _new(self, kind: str, number: int, customer: int, *, words: str, about: str = "", later: int = 0) -> Fact:
        self._count += 1
        wamid = f"wamid.{self._name}.{self._count}"
        return Fact(kind, number, customer, wamid, about or wamid, self._begun + min(self._count // 500, 300) + later,
                    words)

    def _item(self, fact: Fact) -> tuple[str, str, Any]:
        """The field, the list and the item that tell a fact."""
        customer = self._customers[fact.customer]
        if fact.kind == "status":
            return "messages", "statuses", {"id": fact.about, "status": fact.words, "timestamp": str(fact.at),
                                            "recipient_id": customer.phone}
        if fact.kind == "echo":
            return "smb_message_echoes", "message_echoes", {
                "from": "15550100000", "to": customer.phone, "to_user_id": customer.user_id, "id": fact.wamid,
                "timestamp": str(fact.at), "type": "text", "text": {"body": fact.words}}
        if fact.kind == "poison":
            return "messages", "messages", _poison(fact, customer)
        parts: dict[str, Any] = {
            "text": {"text": {"body": fact.words}},
            "edit": {"edit": {"original_message_id": fact.about, "message": {
                "type": "text", "text": {"body": fact.words}}}},
            "reaction": {"reaction": {"message_id": fact.about, "emoji": fact.words}}}[fact.kind]
        return "messages", "messages", message(customer, fact.wamid, fact.at, type=fact.kind, **parts)


def _poison(fact: Fact, customer: Customer) -> Any:
    """An item that can't take effect: without an id, no item at all, or one that fails in the midst of its effects
    (the evidence of the STOP, its own id, is longer than any)."""
    if fact.words == "no id":
        return {"from": customer.phone, "timestamp": str(fact.at), "type": "text", "text": {"body": fact.wamid}}
    if fact.words == "no item":
        return fact.wamid
    return message(customer, fact.wamid + "x" * 2100, fact.at, type="text", text={"body": "STOP"})


class Effects:
    """What must be left of some facts in the file of one number's workspace."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self.messages: dict[str, tuple[str, str]] = {}
        """wamid -> direction and words, after all edits"""
        self.unread: Counter[str] = Counter()
        """customer's phone -> messages nobody has read"""
        self.statuses: set[tuple[str, str]] = set()
        self.standing: dict[str, str] = {}
        """wamid -> the furthest status"""
        self.reactions: dict[str, str] = {}
        self.edited: dict[str, int] = {}
        """wamid -> when it was last edited, in milliseconds"""
        self.events = 0
        self._edits: dict[str, str] = {}
        for fact in sorted((fact for fact in facts if fact.kind != "poison"), key=lambda each: (each.at, each.wamid)):
            self.events += 1
            getattr(self, f"_{fact.kind}")(fact)
        for wamid, words in self._edits.items():
            if wamid in self.messages:
                self.messages[wamid] = (self.messages[wamid][0], words)

    def _text(self, fact: Fact) -> None:
        self.messages[fact.wamid] = ("in", fact.words)
        self.unread[phone_of(fact.customer)] += 1

    def _echo(self, fact: Fact) -> None:
        self.messages[fact.wamid] = ("out", fact.words)

    def _edit(self, fact: Fact) -> None:
        self._edits[fact.about] = fact.words
        self.edited[fact.about] = fact.at * 1000

    def _reaction(self, fact: Fact) -> None:
        self.reactions[fact.about] = fact.words

    def _status(self, fact: Fact) -> None:
        self.statuses.add((fact.about, fact.words))
        if RANK[fact.words] >= RANK[self.standing.get(fact.about, "sent")]:
            self.standing[fact.about] = fact.words
