"""A sign-in provider of our own, over real HTTPS: small, strict where Chime must be right, and wrong wherever a test
wants it to be.

It checks what a good provider checks (redirect address letter by letter, PKCE, client secret, one use of a code), so a
sign-in that works with it keeps the protocol.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.support.world import free_port, serving

CLIENT_ID = "chime of the tests"
CLIENT_SECRET = "a client's secret: with/odd+characters"
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@dataclass
class SigningKey:
    """A key of the provider, and how it signs."""

    id: str
    private: Private

    @property
    def algorithm(self) -> str:
        kinds = {rsa.RSAPrivateKey: "RS256", ec.EllipticCurvePrivateKey: "ES256"}
        return next((name for kind, name in kinds.items() if isinstance(self.private, kind)), "EdDSA")

    @property
    def jwk(self) -> dict[str, str]:
        base = {"kid": self.id, "use": "sig", "alg": self.algorithm}
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            return base | {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        if isinstance(public, ec.EllipticCurvePublicKey):
            point = public.public_numbers()
            return base | {"kty": "EC", "crv": "P-256", "x": text(point.x.to_bytes(32, "big")),
                           "y": text(point.y.to_bytes(32, "big"))}
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return base | {"kty": "OKP", "crv": "Ed25519", "x": text(raw)}

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(message, padding.PKCS1v15(), hashes.SHA256())
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            first, second = decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA256())))
            return first.to_bytes(32, "big") + second.to_bytes(32, "big")
        return self.private.sign(message)


def new_key(name: str, kind: str = "EdDSA") -> SigningKey:
    if kind == "RS256":
        return SigningKey(name, rsa.generate_private_key(65_537, 2_048))
    return SigningKey(name, ec.generate_private_key(ec.SECP256R1()) if kind == "ES256"
                      else ed25519.Ed25519PrivateKey.generate())


def token_of(claims: dict[str, Any], key: SigningKey, **head: Any) -> str:
    """A signed token; `head` changes or adds to its head, None takes away."""
    full = {"alg": key.algorithm, "kid": key.id, "typ": "JWT"} | head
    parts = [text(json.dumps(part).encode()) for part in
             ({name: value for name, value in full.items() if value is not None}, claims)]
    return ".".join((*parts, text(key.sign(".".join(parts).encode()))))


def signed_with_secret(claims: dict[str, Any], key: SigningKey, secret: bytes) -> str:
    """HS256: what a verifier that takes a public key for a secret would believe."""
    parts = [text(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": key.id}, claims)]
    return ".".join((*parts, text(hmac.digest(secret, ".".join(parts).encode(), "sha256"))))


@dataclass
class OidcProvider:
    """What the provider knows, whom it signs in next, and what it gets wrong."""

    issuer: str
    key: SigningKey
    redirect_uri: str = ""
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    person: dict[str, Any] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)
    keys: list[SigningKey] = field(default_factory=list)
    clock: Callable[[], float] = time.time
    mend: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
    write: Callable[[dict[str, Any]], str] | None = None
    delay: dict[str, float] = field(default_factory=dict)
    huge: set[str] = field(default_factory=set)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def count(self, path: str) -> int:
        return sum(1 for asked, _ in self.asked if asked == path)

    def claims(self, question: dict[str, str]) -> dict[str, Any]:
        now = int(self.clock())
        found = {"iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + 300, "nonce": question["nonce"],
                 **self.person}
        if question.get("max_age") == "0":
            found.setdefault("auth_time", now)
        return self.mend(found)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (message := await receive()).get("more_body", False):
            body += message.get("body", b"")
        body += message.get("body", b"")
        query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode()).items()}
        form = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
        path = scope["path"]
        self.asked.append((path, query | form))
        await asyncio.sleep(self.delay.get(path, 0))
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status, content, location = self._answer(path, query, form, headers)
        told = [(b"content-type", b"application/json")]
        if location:
            told.append((b"location", location.encode()))
        raw = json.dumps(content).encode()
        await send({"type": "http.response.start", "status": status, "headers": told})
        await send({"type": "http.response.body", "body": raw + b" " * (2_000_000 if path in self.huge else 0)})

    def _answer(self, path: str, query: dict[str, str], form: dict[str, str],
                headers: dict[str, str]) -> tuple[int, Any, str]:
        if path == "/.well-known/openid-configuration":
            return 200, {"issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize",
                         "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/keys",
                         "response_types_supported": ["code"]} | self.document, ""
        if path == "/keys":
            return 200, {"keys": [key.jwk for key in self.keys or [self.key]]}, ""
        if path == "/authorize":
            return self._authorize(query)
        return self._exchange(form, headers) if path == "/token" else (404, {}, "")

    def _authorize(self, query: dict[str, str]) -> tuple[int, Any, str]:
        right = {"response_type": "code", "client_id": self.client_id, "redirect_uri": self.redirect_uri,
                 "code_challenge_method": "S256"}
        if any(query.get(name) != value for name, value in right.items()) or "openid" not in query["scope"].split():
            return 400, {"error": "invalid_request"}, ""
        code = text(os.urandom(16))
        self.codes[code] = query
        return 302, {}, f"{self.redirect_uri}?{urlencode({'code': code, 'state': query['state']})}"

    def _exchange(self, form: dict[str, str], headers: dict[str, str]) -> tuple[int, Any, str]:
        scheme, _, pair = headers.get("authorization", "").partition(" ")
        name, _, secret = base64.b64decode(pair).decode().partition(":") if scheme == "Basic" else ("", "", "")
        if (unquote_plus(name), unquote_plus(secret)) != (self.client_id, self.client_secret):
            return 401, {"error": "invalid_client"}, ""
        question = self.codes.pop(form.get("code", ""), None)
        challenge = text(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (question is None or form.get("redirect_uri") != question["redirect_uri"]
                or challenge != question["code_challenge"]):
            return 400, {"error": "invalid_grant"}, ""
        claims = self.claims(question)
        return 200, {"id_token": self.write(claims) if self.write else token_of(claims, self.key),
                     "access_token": "an access token nobody needs", "token_type": "Bearer"}, ""


def certificate(folder: Path) -> Path:
    """Key and certificate of `localhost`; who trusts it reads it from this file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(key, hashes.SHA256()))
    path = folder / "provider.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return path


@asynccontextmanager
async def oidc_provider(folder: Path) -> AsyncIterator[tuple[OidcProvider, Path]]:
    """A running provider on a loopback port, and the file with its certificate."""
    pem, port = certificate(folder), free_port()
    found = OidcProvider(f"https://localhost:{port}", new_key("first"))
    config = uvicorn.Config(found, log_level="error", log_config=None, ws="none", lifespan="off", ssl_certfile=str(pem),
                            ssl_version=ssl.PROTOCOL_TLS_SERVER)
    async with serving(config, port):
        yield found, pem
