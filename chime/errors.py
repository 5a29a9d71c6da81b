"""What can go wrong, said once. Each error carries words for the person who must act on it.

The web kit turns these into pages and problem documents, the command line into one line and an exit status.
Promise: a message of these errors never holds a customer's text, number or a secret, so it may be shown and logged.
"""

from __future__ import annotations

from collections.abc import Iterable


class Sentence(str):
    """A sentence with values in it, as it reads in English. The catalogues (`chime/web/language.py`) say it in other
    languages, where the values may stand elsewhere and numbers are written otherwise."""

    template: str
    values: dict[str, str | int]

    def __new__(cls, template: str, **values: str | int) -> Sentence:
        made = super().__new__(cls, template % {
            name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()})
        made.template, made.values = template, values
        return made


class ChimeError(Exception):
    """Base of everything Chime raises on purpose."""

    status = 500
    title = "Something went wrong"

    @property
    def said(self) -> str:
        """What it says, for a catalogue to say in another language: `str` of it would be English only."""
        return str(self) if not self.args or not isinstance(self.args[0], Sentence) else self.args[0]


class StartRefused(ChimeError):
    """The installation cannot be used as it is; one line says what to do. Nothing was touched."""


class NotFound(ChimeError):
    """There is no such thing, or this person may not know that there is."""

    status = 404
    title = "Not found"


class Forbidden(ChimeError):
    """The person is known and may not do this."""

    status = 403
    title = "Not allowed"

    @classmethod
    def without(cls, permission: str) -> Forbidden:
        """What they lack is named, so that they can ask for it."""
        return cls(Sentence("This needs the permission %(permission)s.", permission=permission))


class NotSignedIn(ChimeError):
    """No valid session or key came with the request."""

    status = 401
    title = "Sign in first"


class Conflict(ChimeError):
    """What was asked for no longer fits what is stored."""

    status = 409
    title = "Changed meanwhile"


class TooMany(ChimeError):
    """A limit is reached; `retry_after` says in seconds when to come again."""

    status = 429
    title = "Too many requests"

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(ChimeError):
    """Storage cannot take it now; nothing was lost, the sender shall repeat."""

    status = 503
    title = "Not available right now"


class FieldError(ChimeError):
    """One field and what is wrong with it."""

    status = 422

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class Invalid(ChimeError):
    """Input that cannot be taken: every field with its own message, so that all can be mended at once."""

    status = 422
    title = "Some fields need attention"

    def __init__(self, errors: Iterable[tuple[str, str]]) -> None:
        self.errors = tuple(FieldError(field, message) for field, message in errors)
        super().__init__("; ".join(str(error) for error in self.errors))

    @classmethod
    def field(cls, field: str, message: str) -> Invalid:
        """The common case of a single field."""
        return cls([(field, message)])


class Refused(ChimeError):
    """A rule of the product forbids it (the reply window is closed, the person opted out, …)."""

    status = 422
    title = "Refused"

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code
