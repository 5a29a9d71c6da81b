"""The sign-in provider, as we speak with it: OpenID Connect, authorization code with PKCE.

Promises: everything goes through the egress client; the provider's own document names where codes are exchanged and
keys are read, and only places of the issuer's own host count, of the few that belong to it, or that the operator
allowed; a code goes to no other place and once; no answer, token or claim reaches a log, only a word for what was
wrong. One provider for the installation; what it says is in `chime.security.id_tokens`.
"""

from __future__ import annotations

import asyncio
import base64
from typing import Any
from urllib.parse import quote_plus, urlencode

import msgspec

from chime.accounts.identities import MOST_GROUPS, Stranger, proven_email
from chime.clock import Clock
from chime.config import SignInProvider
from chime.errors import ChimeError
from chime.log import Log
from chime.security.addresses import NotAllowed, Place
from chime.security.crypto import digest, mac
from chime.security.id_tokens import BadIdToken, Claims, Expected, Key, UnknownKey, believed, keys_of
from chime.web.egress import Answer, Egress, Unreachable, Unreadable

ANSWERS = "/sign-in/provider/answer"
# Seconds for which what the provider says of itself counts, and between two looks for new keys or at one that fails.
KEPT = 3_600.0
LOOK_AGAIN = 30.0
LARGEST = 256 * 1024
# Who answers at other hosts than the issuer's, as their documents have said for years.
_KIN = {Place("accounts.google.com"): frozenset({Place("oauth2.googleapis.com"), Place("www.googleapis.com")})}
_log = Log("oidc")


class ProviderTrouble(ChimeError):
    """The provider does not answer as it should; `reason` is one word for the log."""

    status = 503
    title = "The sign-in provider does not answer"

    def __init__(self, reason: str) -> None:
        super().__init__("The sign-in provider cannot be used at this moment. Try again in a while; if it stays so, "
                         "tell whoever runs this server.")
        self.reason = reason


class NotFromProvider(ChimeError):
    """The answer a browser brought is not one to a question of this browser, or it says no."""

    status = 422
    title = "You are not signed in"

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class Question(msgspec.Struct, frozen=True):
    """What a sign-in under way is known by, made of the random bytes of its row: so of what goes to the provider
    nothing is stored, and the browser, which holds another secret, cannot work it out."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def of(cls, random: bytes) -> Question:
        return cls(*(_text(mac(random, f"oidc/{name}".encode())) for name in ("state", "nonce", "verifier")))

    @property
    def challenge(self) -> str:
        return _text(digest(self.verifier.encode()))


class _Document(msgspec.Struct, frozen=True):
    """What we need of the provider's document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: list[str] = []
    authorization_response_iss_parameter_supported: bool = False


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str
    access_token: str = ""


class Provider:
    """Asks the provider; remembers its document and keys."""

    def __init__(self, config: SignInProvider, public_url: str, egress: Egress, clock: Clock) -> None:
        self.config = config
        self._redirect_uri = public_url + ANSWERS
        self._egress = egress
        self._clock = clock
        self._lock, self._keys_lock = asyncio.Lock(), asyncio.Lock()
        self._document: tuple[float, _Document] | None = None
        self._failed: tuple[float, str] | None = None
        self._keys: tuple[float, tuple[Key, ...]] | None = None

    async def trouble(self) -> str:
        """Why it cannot be asked now, in one word; empty when it can."""
        try:
            await self.question_url(Question.of(b""))
        except ProviderTrouble as error:
            return error.reason
        return ""

    async def question_url(self, question: Question, *, fresh: bool = False) -> str:
        """Where the browser goes. `fresh`: the person shall show there again who they are. Raises ProviderTrouble."""
        document = await self._described()
        asked = {"response_type": "code", "client_id": self.config.client_id, "redirect_uri": self._redirect_uri,
                 "scope": self.config.scopes, "state": question.state, "nonce": question.nonce,
                 "code_challenge": question.challenge, "code_challenge_method": "S256"}
        if fresh:
            asked |= {"prompt": "login", "max_age": "0"}
        endpoint = document.authorization_endpoint
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def is_ours(self, issuer: str | None) -> bool:
        """Whether an answer that names its issuer, or does not, can be this provider's (RFC 9207)."""
        document = await self._described()
        if issuer is None:
            return not document.authorization_response_iss_parameter_supported
        return issuer == self.config.issuer

    async def who(self, code: str, question: Question, *, fresh_since: int = 0) -> tuple[Stranger, Claims]:
        """Whom the provider names for this code. Raises ProviderTrouble, BadIdToken, NotFromProvider."""
        tokens = await self._exchanged(code, question)
        expected = Expected(issuer=self.config.issuer, client_id=self.config.client_id, nonce=question.nonce,
                            now=self._clock.real_now(), access_token=tokens.access_token, fresh_since=fresh_since)
        try:
            claims = believed(tokens.id_token, await self._known_keys(), expected)
        except UnknownKey:
            claims = believed(tokens.id_token, await self._known_keys(newer=True), expected)
        return self._stranger(claims), claims

    def has_second_factor(self, claims: Claims) -> bool:
        """Whether the provider says that more than one factor was shown, and its word counts."""
        words = claims.text("acr").lower().replace("/", " ").replace(":", " ").replace("-", " ").split()
        return self.config.trusts_mfa and ("mfa" in claims.texts("amr") or "mfa" in words)

    def _stranger(self, claims: Claims) -> Stranger:
        groups = claims.texts(self.config.groups_claim)
        if len(groups) > MOST_GROUPS:
            raise BadIdToken("too_many_groups")
        elsewhere = claims.all.get("_claim_names")
        if isinstance(elsewhere, dict) and self.config.groups_claim in elsewhere:
            # Entra leaves the groups out when they are many. To take that for "none" would put the person out.
            raise BadIdToken("groups_left_out")
        email = proven_email(claims.issuer, claims.text("email"), claims.all.get("email_verified"),
                             claims.all.get("xms_edov"))
        return Stranger(issuer=claims.issuer, subject=claims.subject, email=email, groups=groups,
                        name=claims.text("name") or claims.text("preferred_username"))

    async def _described(self) -> _Document:
        """The provider's document, remembered for an hour; what failed is not asked for again at once."""
        async with self._lock:
            now = self._clock.monotonic()
            if self._document and now - self._document[0] < KEPT:
                return self._document[1]
            if self._failed and now - self._failed[0] < LOOK_AGAIN:
                raise ProviderTrouble(self._failed[1])
            try:
                document = await self._read_document()
            except ProviderTrouble as error:
                self._failed = (self._clock.monotonic(), error.reason)
                raise
            self._document, self._failed = (self._clock.monotonic(), document), None
            return document

    async def _read_document(self) -> _Document:
        body = await self._fetched(self.config.issuer.rstrip("/") + "/.well-known/openid-configuration", "document")
        try:
            document = msgspec.json.decode(body, type=_Document)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise _trouble("document_unreadable") from None
        if document.issuer != self.config.issuer:
            raise _trouble("other_issuer")
        for url in (document.authorization_endpoint, document.token_endpoint, document.jwks_uri):
            self._check_place(url)
        return document

    def _check_place(self, url: str) -> None:
        """Only where the issuer's own configuration leads: else a code, and our secret, could be sent anywhere."""
        try:
            own, found = self._egress.check(self.config.issuer), self._egress.check(url)
        except NotAllowed:
            raise _trouble("place_not_allowed") from None
        place, issuer = Place(found.host, found.port), Place(own.host, own.port)
        if place != issuer and place not in _KIN.get(issuer, frozenset()) and not found.allowed:
            raise _trouble("place_not_allowed")

    async def _known_keys(self, *, newer: bool = False) -> tuple[Key, ...]:
        """The provider's keys. `newer`: a token names one that is not among them, so look again, if not just done."""
        document = await self._described()
        async with self._keys_lock:
            now = self._clock.monotonic()
            if self._keys and now - self._keys[0] < (LOOK_AGAIN if newer else KEPT):
                return self._keys[1]
            keys = keys_of(await self._fetched(document.jwks_uri, "keys"))
            self._keys = (self._clock.monotonic(), keys)
            return keys

    async def _exchanged(self, code: str, question: Question) -> _Tokens:
        document = await self._described()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self._redirect_uri,
                "code_verifier": question.verifier}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        methods = document.token_endpoint_auth_methods_supported or ["client_secret_basic"]
        if self.config.client_secret and "client_secret_basic" in methods:
            pair = f"{quote_plus(self.config.client_id)}:{quote_plus(self.config.client_secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form["client_id"] = self.config.client_id
            if self.config.client_secret:
                form["client_secret"] = self.config.client_secret
        answer = await self._asked(document.token_endpoint, method="POST", headers=headers,
                                   body=urlencode(form).encode())
        if 400 <= answer.status < 500:
            _log.warning("oidc.code_refused", status=answer.status)
            raise NotFromProvider("The sign-in provider did not accept this sign-in. Begin again.", "code_refused")
        if answer.status != 200:
            raise _trouble("exchange")
        try:
            return msgspec.json.decode(answer.body, type=_Tokens)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise _trouble("tokens_unreadable") from None

    async def _fetched(self, url: str, what: str) -> bytes:
        answer = await self._asked(url, headers={"Accept": "application/json"})
        if answer.status != 200:
            raise _trouble(what)
        return answer.body

    async def _asked(self, url: str, **request: Any) -> Answer:
        try:
            return await self._egress.fetch(url, most=LARGEST, **request)
        except (Unreachable, Unreadable, NotAllowed) as error:
            raise _trouble(type(error).__name__.lower()) from None


def _trouble(reason: str) -> ProviderTrouble:
    _log.warning("oidc.trouble", reason=reason)
    return ProviderTrouble(reason)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
