"""Rendering pages: the one Jinja environment, its filters, and what every page knows of its reader.

Autoescape is on, unknown names are errors, and no Markup is built from text except in `whatsapp_text`, which escapes
first.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from contextvars import ContextVar
from gettext import NullTranslations
from typing import TYPE_CHECKING, Any

import msgspec
from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape
from litestar import Request
from litestar.response import Response
from markupsafe import Markup, escape

from chime import resources
from chime.clock import Clock, rfc3339
from chime.ids import Ids
from chime.security.crypto import mac, same
from chime.web.language import Reader, catalogue
from chime.web.static_files import StaticFiles

if TYPE_CHECKING:
    from chime.web.identity import Identity

_FORMATS = (  # WhatsApp's marks, as its own clients show them
    (re.compile(r"```(.+?)```", re.S), r"<code>\1</code>"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])"), r"<strong>\1</strong>"),
    (re.compile(r"(?<![\w_])_(?=\S)([^_\n]+?)(?<=\S)_(?![\w_])"), r"<em>\1</em>"),
    (re.compile(r"(?<![\w~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\w~])"), r"<s>\1</s>"),
)
# For whom the page being rendered is. Macros of other files see no variables of the page, so it can't travel there.
_reader: ContextVar[Reader] = ContextVar("reader")
_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]']")


class Person(msgspec.Struct, frozen=True):
    id: str
    name: str
    email: str


class Demo(msgspec.Struct, frozen=True):
    """Set when this is a demo: where the simulated customer's phone is."""

    phone_url: str


class PageContext(msgspec.Struct, frozen=True, kw_only=True):
    """`page` in every template of a signed-in person."""

    user: Person
    workspace: Any
    workspaces: tuple[Any, ...]
    csrf_token: str
    theme: str
    base: str
    demo: Demo | None
    permissions: frozenset[str]
    locale: str
    direction: str
    now: int
    build: str
    live: str
    has_space: bool


class Pages:
    """Renders templates. `csrf_key` signs the tokens that forms carry."""

    def __init__(self, static: StaticFiles, clock: Clock, ids: Ids, csrf_key: bytes, *, demo: bool,
                 live_position: Callable[[], str], has_space: Callable[[], bool]) -> None:
        self._static = static
        self._clock = clock
        self._ids = ids
        self._live_position = live_position
        self._has_space = has_space
        self._csrf_key = csrf_key
        self._demo = Demo("/simulator/phone/fragment") if demo else None
        self._environments: dict[str, Environment] = {}

    def csrf_token(self, session_id: str) -> str:
        """A token for a session's forms; another one on every page, because pages are compressed and a secret that
        stays the same could be guessed from their sizes (BREACH)."""
        salt = self._ids.code(12)
        return f"{salt}.{self._signed(session_id, salt)}"

    def is_csrf_token(self, session_id: str, token: str) -> bool:
        """Whether a form's token was made for this session."""
        salt, _, signature = token.partition(".")
        return same(self._signed(session_id, salt), signature)

    def _signed(self, session_id: str, salt: str) -> str:
        return mac(self._csrf_key, f"csrf/{session_id}/{salt}".encode()).hex()[:40]

    def render(self, request: Request[Any, Any, Any], name: str, **values: Any) -> bytes:
        """A template for the reader of this request."""
        identity: Identity | None = request.scope.setdefault("state", {}).get("identity")
        now = self._clock.now()
        language = identity.locale if identity else "en"
        zone = (identity.time_zone if identity else "") or request.cookies.get("zone", "")
        if not zone and identity and identity.workspace:
            zone = identity.workspace.time_zone
        environment = self._environment(language)
        if identity is not None:
            values["page"] = self._page(request, identity, now)
        token = _reader.set(Reader(language, zone, now))
        try:
            return environment.get_template(name).render(**values).encode()
        finally:
            _reader.reset(token)

    def answer(self, request: Request[Any, Any, Any], name: str, *, status: int = 200,
               headers: dict[str, str] | None = None, **values: Any) -> Response[bytes]:
        """The same as a response that nobody may store."""
        body = self.render(request, name, **values)
        given = {"Cache-Control": "no-store"} | (headers or {})
        if len(body) > 1000 and "gzip" in request.headers.get("accept-encoding", ""):
            body = gzip.compress(body, 6, mtime=0)
            given["Content-Encoding"] = "gzip"
        return Response(body, status_code=status, media_type="text/html", headers=given)

    def _page(self, request: Request[Any, Any, Any], identity: Identity, now: int) -> PageContext:
        workspace = identity.workspace
        theme = request.cookies.get("theme", "system")
        return PageContext(
            user=Person(identity.actor.id or "", identity.actor.name, identity.email),
            workspace=workspace, workspaces=identity.workspaces,
            csrf_token=self.csrf_token(identity.session_id), theme=theme if theme in ("light", "dark") else "system",
            base=f"/w/{workspace.slug}" if workspace else "", demo=self._demo,
            permissions=frozenset(permission.value for permission in identity.actor.permissions),
            locale=identity.locale, direction=Reader(identity.locale, "", now).locale.character_order[:3].replace(
                "lef", "ltr").replace("rig", "rtl"), now=now, build=self._static.build, live=self._live_position(),
            has_space=self._has_space())

    def _environment(self, language: str) -> Environment:
        if language not in self._environments:
            self._environments[language] = self._new_environment(language)
        return self._environments[language]

    def _new_environment(self, language: str) -> Environment:
        environment = Environment(
            loader=FunctionLoader(resources.template_source), undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True, auto_reload=False, cache_size=400, extensions=["jinja2.ext.i18n"],
            autoescape=select_autoescape(default_for_string=True, default=True))
        environment.install_gettext_translations(catalogue(language), newstyle=True)  # type: ignore[attr-defined]
        environment.globals["_"] = environment.globals["gettext"] = _translator(catalogue(language))
        environment.globals["static"] = self._static.url
        environment.filters.update(
            rfc3339=rfc3339, initials=initials, filesize=filesize, phone=phone, whatsapp_text=whatsapp_text)
        environment.filters.update({name: _readers(name) for name in
                                    ("clock_time", "day_label", "short_when", "full_when", "duration")})
        return environment

    def compile_all(self) -> None:
        """Compile every template now: the first reader should not wait for it, and a broken one stops the start."""
        environment = self._environment("en")
        for name in resources.template_names():
            environment.get_template(name)


def _translator(words: NullTranslations) -> Callable[..., Markup]:
    """`_` of the templates. It does what Jinja's own does, without asking the context each time: a thread says some
    six hundred words, which was a third of the time it took to draw."""
    known: dict[str, Markup] = {}

    def translate(message: str, **values: Any) -> Markup:
        text = known.get(message)
        if text is None:
            text = known[message] = Markup(words.gettext(message))
        return text % values if values else text

    return translate


def _readers(name: str) -> Any:
    """A filter that formats for the reader of the page being rendered."""
    def filtered(value: int) -> str:
        found: str = getattr(_reader.get(), name)(value)
        return found

    return filtered


def initials(name: str) -> str:
    """Up to two letters to stand for a name."""
    words = [word for word in re.split(r"[\s._@+-]+", name) if word[:1].isalnum()]
    letters = "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words[:1]))
    return letters.upper() or "?"


def filesize(size: int | None) -> str:
    """1.2 MB."""
    if size is None:
        return ""
    value = float(size)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def phone(digits: str | None) -> str:
    """A number as people read it: +1 415-555-0123."""
    if not digits:
        return ""
    import phonenumbers

    try:
        number = phonenumbers.parse(f"+{digits.lstrip('+')}", None)
    except phonenumbers.NumberParseException:
        return f"+{digits.lstrip('+')}"
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def whatsapp_text(text: str) -> Markup:
    """A message's text with WhatsApp's marks and links; everything else is escaped first."""
    pieces: list[str] = []
    position = 0
    for match in _LINK.finditer(text):
        pieces.append(_formatted(text[position:match.start()]))
        address = str(escape(match.group(0)))
        pieces.append(f'<a href="{address}" target="_blank" rel="noopener noreferrer nofollow">{address}</a>')
        position = match.end()
    pieces.append(_formatted(text[position:]))
    return Markup("".join(pieces))


def _formatted(text: str) -> str:
    safe = str(escape(text))
    for pattern, replacement in _FORMATS:
        safe = pattern.sub(replacement, safe)
    return safe
