"""Rendering pages: the one Jinja environment, its filters, and what every page knows of its reader.

Autoescape is on, unknown names are errors, and no Markup is built from text except by `message_text`, which escapes
first.
"""

from __future__ import annotations

import asyncio
import functools
import gzip
import re
from collections.abc import Callable, Mapping, MutableMapping
from contextvars import ContextVar
from decimal import Decimal
from gettext import NullTranslations
from types import BuiltinMethodType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import msgspec
from jinja2 import Environment, FunctionLoader, StrictUndefined, Template, select_autoescape
from jinja2.environment import TemplateModule
from jinja2.runtime import Context, Macro
from litestar import Request
from litestar.response import Response
from markupsafe import Markup, escape

from chime import resources
from chime.clock import Clock, rfc3339
from chime.ids import Ids
from chime.phone import Phone, shown_text
from chime.security.crypto import mac, same
from chime.security.permissions import Permission
from chime.text_marks import plain
from chime.web.compiled_templates import CompiledTemplates
from chime.web.language import Reader, catalogue, to_the_minute
from chime.web.message_text import whatsapp_text
from chime.web.settings import Section, shown
from chime.web.static_files import StaticFiles

if TYPE_CHECKING:
    from chime.web.identity import Identity, SupportShown

PAUSE_BETWEEN_TEMPLATES = 0.002
_OPTIONS: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True,
                            "extensions": ["jinja2.ext.i18n", "chime.web.slim_templates.Slim"]}
_PHONE = "/simulator/phone/fragment"
_CALLED = frozenset({FunctionType, MethodType, BuiltinMethodType})
MOST_DRAWN = 1_000
_icons: dict[Any, str] = {}
_rows: dict[Any, str] = {}
_sayings: dict[Any, str] = {}
_SAID_ONCE = frozenset({"message_status", "message_price", "message_tick"})
_SPECIAL = re.compile("[&<>'\"]")
# For whom the page being rendered is. Macros of other files see no variables of the page, so it can't travel there.
_reader: ContextVar[Reader] = ContextVar("reader")
# What a page is drawn with. A macro that sees the page's variables is one of them, so that nothing of a page would go
# before the collector looks, with all the conversations that stood on it.
_contexts: ContextVar[list[Context]] = ContextVar("contexts")


class _Context(Context):
    """Jinja's own asks every callable four times what it wants to be told, at each of the 2,000 calls a thread makes.
    A macro wants the evaluation context, a function that is not marked nothing; the rest goes the long way. What is
    drawn from nothing but what it is given is drawn once: there are two hundred icons in a thread, and the rows of a
    list are the same for everybody who looks at it, but for those that just changed."""

    def call(self, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        kind = type(called)
        if kind is not Macro and (kind not in _CALLED or getattr(called, "jinja_pass_arg", None) is not None):
            return super().call(called, *args, **kwargs)
        kwargs.pop("_block_vars", None)
        kwargs.pop("_loop_vars", None)
        if kind is not Macro:
            return called(*args, **kwargs)
        if called.name == "icon":
            return self._once(_icons, None, called, args, kwargs)
        if called.name in _SAID_ONCE:
            return self._once(_sayings, called, called, args, kwargs)  # a macro is of one language
        if called.name == "conversation_row":
            # Its texts are of a language, as the macro is; its times of a zone and a day.
            reader = _reader.get()
            return self._once(_rows, (called, reader.zone, reader.today), called, args, kwargs)
        return called(self.eval_ctx, *args, **kwargs)

    def _once(self, drawn: dict[Any, str], when: Any, macro: Macro, args: tuple[Any, ...],
              kwargs: dict[str, Any]) -> str:
        # With the types: a label that is Markup equals a text that still has to be escaped.
        place = (when, args, tuple(map(type, args)), *kwargs.items(), *map(type, kwargs.values()))
        found = drawn.get(place)
        if found is None:
            if len(drawn) >= MOST_DRAWN:
                drawn.clear()
            found = drawn[place] = macro(self.eval_ctx, *args, **kwargs)
        return found


def _written(value: Any) -> str:
    """A value as a template writes it. `markupsafe.escape` makes a Markup of every text, 14 for each row of a list,
    only for it to be joined to the rest."""
    kind = type(value)
    if kind is Markup or (kind is str and _SPECIAL.search(value) is None):
        text: str = value
        return text
    return str(value) if kind is int else escape(value)


class _Template(Template):
    """A file of macros is made ready once. Jinja's own compares all the names that each of its readers knows with its
    own first, at every import; ours are the environment's, the same for all. And what was drawn with goes with it."""

    def render(self, *args: Any, **kwargs: Any) -> str:
        contexts: list[Context] = []
        drawing = _contexts.set(contexts)
        try:
            return super().render(*args, **kwargs)
        finally:
            for context in contexts:
                context.vars.clear()
            _contexts.reset(drawing)

    def new_context(self, vars: dict[str, Any] | None = None, shared: bool = False,
                    locals: Mapping[str, Any] | None = None) -> Context:
        context = super().new_context(vars, shared, locals)
        if vars is not None:  # none: the macros of a file, made ready once
            _contexts.get().append(context)
        return context

    @classmethod
    def _from_namespace(cls, environment: Environment, namespace: MutableMapping[str, Any],
                        globals: MutableMapping[str, Any]) -> Template:
        namespace["escape"] = _written
        return super()._from_namespace(environment, namespace, globals)

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:
        return super()._get_default_module()


class Person(msgspec.Struct, frozen=True):
    id: str
    name: str
    email: str


class Demo(msgspec.Struct, frozen=True):
    """Set when this is a demo, or the practice workspace: where the simulated customer's phone is, if the reader may
    see it."""

    phone_url: str
    is_practice: bool = False


class Provider(msgspec.Struct, frozen=True):
    """`provider` in every template where one is configured: what people call it, and whether it is the only way in."""

    name: str
    only: bool


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
    support: tuple[SupportShown, ...]
    support_waiting: int
    failing: int
    """Checks of the workspace's numbers that fail; shown to whoever may mend that"""

    @property
    def settings(self) -> tuple[Section, ...]:
        """The sections of the settings that the reader may see."""
        return shown(self.permissions) if self.workspace else ()


class Pages:
    """Renders templates. `csrf_key` signs the tokens that forms carry."""

    def __init__(self, static: StaticFiles, clock: Clock, ids: Ids, csrf_key: bytes, *, demo: bool,
                 live_position: Callable[[], str], has_space: Callable[[], bool],
                 provider: Provider | None = None) -> None:
        self._static = static
        self._clock = clock
        self._ids = ids
        self._live_position = live_position
        self._has_space = has_space
        self._csrf_key = csrf_key
        self._provider = provider
        self._demo = Demo(_PHONE) if demo else None
        self._environments: dict[str, Environment] = {}
        self.failing: Callable[[str], int] = lambda workspace_id: 0
        """How many checks of a workspace fail; the doctor's word"""
        self.practises_in: Callable[[str], bool] = lambda workspace_id: False
        """Whether a workspace's WhatsApp is simulated; the practice's word"""

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
        reading = _reader.set(Reader(language, zone, now))
        try:
            return environment.get_template(name).render(**values).encode()
        finally:
            _reader.reset(reading)

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
            base=f"/w/{workspace.slug}" if workspace else "", demo=self._demo or self._practice(identity),
            permissions=frozenset(permission.value for permission in identity.actor.permissions),
            locale=identity.locale, direction=Reader(identity.locale, "", now).locale.character_order[:3].replace(
                "lef", "ltr").replace("rig", "rtl"), now=now, build=self._static.build, live=self._live_position(),
            has_space=self._has_space(), support=identity.support, support_waiting=identity.support_waiting,
            failing=self.failing(workspace.id) if workspace else 0)

    def _practice(self, identity: Identity) -> Demo | None:
        if identity.workspace is None or not self.practises_in(identity.workspace.id):
            return None
        return Demo(_PHONE if identity.actor.may(Permission.INSTALLATION) else "", is_practice=True)

    def _environment(self, language: str) -> Environment:
        if language not in self._environments:
            self._environments[language] = self._new_environment(language)
        return self._environments[language]

    def _new_environment(self, language: str) -> Environment:
        environment = Environment(
            loader=FunctionLoader(resources.template_source), undefined=StrictUndefined, auto_reload=False,
            cache_size=400, bytecode_cache=_compiled,
            autoescape=select_autoescape(default_for_string=True, default=True), **_OPTIONS)
        environment.install_gettext_translations(catalogue(language), newstyle=True)  # type: ignore[attr-defined]
        environment.globals["_"] = environment.globals["gettext"] = _translator(catalogue(language))
        environment.context_class = _Context
        environment.template_class = _Template
        environment.globals["static"] = self._static.url
        environment.globals["icon_address"] = self._static.icons
        environment.globals["provider"] = self._provider
        environment.globals["integrity"] = self._static.integrity
        environment.filters.update(
            rfc3339=rfc3339, to_the_minute=to_the_minute, initials=initials,
            filesize=filesize, phone=phone, known_as=known_as, whatsapp_text=whatsapp_text, plain=plain,
            shown_text=shown_text, micros=micros)
        environment.filters.update({name: _readers(name) for name in
                                    ("clock_time", "day_label", "short_when", "full_when", "input_time", "duration",
                                     "in_words", "moment", "money", "number", "country", "on_day",
                                     "soon")})
        return environment

    async def compile_all(self) -> None:
        """Compile every template that no earlier start has, some milliseconds at a time: no reader should wait for it,
        and the start does not."""
        environment = self._environment("en")
        for name in resources.template_names():
            is_known = _compiled.knows(name, resources.template_source(name) or "")
            if not is_known:
                environment.get_template(name)
            await asyncio.sleep(0 if is_known else PAUSE_BETWEEN_TEMPLATES)
        _compiled.keep()


_compiled = CompiledTemplates(resources.template_folder(), _OPTIONS)


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
    def filtered(value: Any) -> str:
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


def phone(number: Phone | str | None) -> str:
    """A number as people read it: +1 415-555-0123. A person's is masked for who may not see it; one of ours is text."""
    if not number:
        return ""
    if isinstance(number, Phone) and not number.is_shown:
        return str(number)
    digits = number.digits if isinstance(number, Phone) else number
    import phonenumbers

    try:
        parsed = phonenumbers.parse(f"+{digits.lstrip('+')}", None)
    except phonenumbers.NumberParseException:
        return f"+{digits.lstrip('+')}"
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def known_as(title: str) -> str:
    """What a person is called; where only a number is known, as people read numbers."""
    return _spaced(title) if title[:1] == "+" and title[1:].isdigit() else title


@functools.lru_cache(maxsize=1024)
def _spaced(number: str) -> str:
    return phone(number)


def micros(price: str, quantity: int) -> int:
    """So many of a price in decimal digits, in millionths: what `money` shows. Binary fractions have no place in it."""
    return int(Decimal(price) * quantity * 1_000_000)
