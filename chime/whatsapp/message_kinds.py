"""The kinds of message that are no template and ask nothing: text, files, a place, contact cards, a reaction.

Each Struct is the API's JSON of that kind and the part of Meta's body with the same name. Limits: whatsapp-messaging.md
section 5.2, counted in characters (code points), never in UTF-16 units.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from chime.whatsapp.shape import Ruled

Named = Annotated[str, Meta(min_length=1, max_length=1000)]
Identifier = Annotated[str, Meta(min_length=1, max_length=512)]
Caption = Annotated[str, Meta(max_length=1024)]
Address = Annotated[str, Meta(min_length=1, max_length=2000)]


def web_address_problem(url: str) -> str | None:
    """What is wrong with a link that Meta or the customer's phone shall open."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and not any(map(str.isspace, url))
    except ValueError:  # brackets without an address between them
        fits = False
    return None if fits else "must be an address that begins with https:// or http://"


class Quoted(Ruled, frozen=True, kw_only=True):
    """The message that is answered."""

    message_id: Identifier


class Kind(Ruled, frozen=True, kw_only=True, tag_field="type"):
    """Base of all kinds of message."""

    @property
    def type(self) -> str:
        """Meta's word for the kind, as in the JSON."""
        return str(self.__struct_config__.tag)


class Answer(Kind, frozen=True, kw_only=True):
    """A kind that can quote what it answers."""

    context: Quoted | None = None


class Text(Ruled, frozen=True, kw_only=True):
    """`preview_url` shows a card of the first link."""

    body: Annotated[str, Meta(min_length=1, max_length=4096)]
    preview_url: bool = False


class TextMessage(Answer, frozen=True, kw_only=True, tag="text"):
    """Words."""

    text: Text


class File(Ruled, frozen=True, kw_only=True):
    """A file at Meta by id, or anywhere by a link that Meta fetches (and keeps for ten minutes by its address)."""

    id: Identifier | None = None
    link: Address | None = None

    def rules(self) -> Iterable[tuple[str, str]]:
        if self.id is None and self.link is None:
            yield "id", "is missing: give either id or link"
        if self.id is not None and self.link is not None:
            yield "link", "cannot be given together with id"
        problem = web_address_problem(self.link) if self.link is not None else None
        if problem:
            yield "link", problem


class CaptionedFile(File, frozen=True, kw_only=True):
    """A picture or a film with words below it."""

    caption: Caption | None = None


class AudioFile(File, frozen=True, kw_only=True):
    """`voice` shows it as a voice note; that needs OGG with Opus, mono, and plays by itself up to 512 KB."""

    voice: bool = False


class NamedFile(File, frozen=True, kw_only=True):
    """`filename` is what the customer sees, and by its ending gives the icon; without it: "Untitled"."""

    filename: Annotated[str, Meta(min_length=1, max_length=240)] | None = None


class DocumentFile(NamedFile, frozen=True, kw_only=True):
    """A file with its name and words below it."""

    caption: Caption | None = None


class ImageMessage(Answer, frozen=True, kw_only=True, tag="image"):
    """A picture."""

    image: CaptionedFile


class VideoMessage(Answer, frozen=True, kw_only=True, tag="video"):
    """A film."""

    video: CaptionedFile


class AudioMessage(Answer, frozen=True, kw_only=True, tag="audio"):
    """Sound or a voice note."""

    audio: AudioFile


class DocumentMessage(Answer, frozen=True, kw_only=True, tag="document"):
    """Any other file."""

    document: DocumentFile


class StickerMessage(Answer, frozen=True, kw_only=True, tag="sticker"):
    """A sticker."""

    sticker: File


class Place(Ruled, frozen=True, kw_only=True):
    """A point on the map. Meta takes the degrees as numbers and as strings, so we do."""

    latitude: float | str
    longitude: float | str
    name: Named | None = None
    address: Named | None = None

    def rules(self) -> Iterable[tuple[str, str]]:
        for field, value, most in (("latitude", self.latitude, 90), ("longitude", self.longitude, 180)):
            try:
                fits = -most <= float(value) <= most
            except ValueError:
                fits = False
            if not fits:
                yield field, f"must be degrees between -{most} and {most}"


class LocationMessage(Answer, frozen=True, kw_only=True, tag="location"):
    """A place."""

    location: Place


class CardName(Ruled, frozen=True, kw_only=True):
    """`formatted_name` and, Meta demands, at least one part of it."""

    formatted_name: Named
    first_name: Named | None = None
    last_name: Named | None = None
    middle_name: Named | None = None
    suffix: Named | None = None
    prefix: Named | None = None

    def rules(self) -> Iterable[tuple[str, str]]:
        if not any((self.first_name, self.last_name, self.middle_name, self.suffix, self.prefix)):
            yield "first_name", "is missing: besides formatted_name one part of the name is needed"


class CardPhone(Ruled, frozen=True, kw_only=True):
    """`wa_id` makes the card's "Message" button work."""

    phone: Named | None = None
    wa_id: Named | None = None
    type: Named | None = None


class CardEmail(Ruled, frozen=True, kw_only=True):
    """An email address on a card."""

    email: Named
    type: Named | None = None


class CardUrl(Ruled, frozen=True, kw_only=True):
    """A link on a card."""

    url: Address
    type: Named | None = None


class CardAddress(Ruled, frozen=True, kw_only=True):
    """A postal address on a card."""

    street: Named | None = None
    city: Named | None = None
    state: Named | None = None
    zip: Named | None = None
    country: Named | None = None
    country_code: Named | None = None
    type: Named | None = None


class CardOrganisation(Ruled, frozen=True, kw_only=True):
    """Where the person works."""

    company: Named | None = None
    department: Named | None = None
    title: Named | None = None


class Card(Ruled, frozen=True, kw_only=True):
    """One contact card."""

    name: CardName
    phones: tuple[CardPhone, ...] = ()
    emails: tuple[CardEmail, ...] = ()
    urls: tuple[CardUrl, ...] = ()
    addresses: tuple[CardAddress, ...] = ()
    org: CardOrganisation | None = None
    birthday: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None


class ContactsMessage(Answer, frozen=True, kw_only=True, tag="contacts"):
    """Contact cards."""

    contacts: Annotated[tuple[Card, ...], Meta(min_length=1, max_length=257)]


class Reaction(Ruled, frozen=True, kw_only=True):
    """`emoji` "" takes the reaction back. One emoji can have many code points: regional flags reach fourteen."""

    message_id: Identifier
    emoji: Annotated[str, Meta(max_length=20)]

    def rules(self) -> Iterable[tuple[str, str]]:
        if self.emoji and (self.emoji.isascii() or any(map(str.isspace, self.emoji))):
            yield "emoji", "must be one emoji, or empty to take the reaction back"


class ReactionMessage(Kind, frozen=True, kw_only=True, tag="reaction"):
    """An emoji on a message. It names its message itself, so it takes no `context`."""

    reaction: Reaction
