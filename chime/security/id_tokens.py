"""Tokens in which a sign-in provider says who somebody is (OpenID Connect ID tokens): read, and believed or not.

Promises: only what was signed with a public key of the provider is believed, by one of three algorithms that stand here
and that fit the kind of the key; so `none`, a secret made of the public key and keys that a token brings along are
worth nothing. A token is for us, of this provider, of this very sign-in and of now, or it is refused. Why it was
refused is one word that holds nothing of it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from chime.clock import MINUTE, SECOND
from chime.errors import ChimeError
from chime.security.crypto import same

# How far the clocks of two well-kept machines may be apart, and how old a token may be that comes straight from there.
SKEW = MINUTE
OLDEST = 10 * MINUTE
LONGEST = 64 * 1024
MOST_KEYS = 100
_LEAST_RSA_BITS, _MOST_RSA_BITS = 2_048, 8_192
_BASE64 = re.compile(r"[A-Za-z0-9_-]*")
_SUBJECT = re.compile(r"[\x20-\x7e]{1,255}")
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class BadIdToken(ChimeError):
    """The token proves nothing. `reason` is one word for the log."""

    status = 422
    title = "The sign-in could not be checked"

    def __init__(self, reason: str) -> None:
        super().__init__("The sign-in provider's answer could not be checked.")
        self.reason = reason


class UnknownKey(BadIdToken):
    """It names a key that is not among those given: perhaps the provider has new ones."""

    def __init__(self) -> None:
        super().__init__("unknown_key")


class Key(msgspec.Struct, frozen=True):
    """A public key of the provider. `algorithms`: what it may have signed with."""

    id: str
    algorithms: frozenset[str]
    public: PublicKey


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What a token must say. `fresh_since`: when the person must have signed in there at the earliest, 0 for ever."""

    issuer: str
    client_id: str
    nonce: str
    now: int
    access_token: str = ""
    fresh_since: int = 0


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a token that was believed says; `all` holds everything, as the provider wrote it."""

    issuer: str
    subject: str
    all: dict[str, Any]

    def text(self, name: str) -> str:
        value = self.all.get(name)
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, or one text; under its name, or inside objects by a name with dots."""
        value = self.all.get(name)
        if value is None and "." in name:
            value = self.all
            for part in name.split("."):
                value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str):
            return (value,)
        return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def keys_of(document: bytes) -> tuple[Key, ...]:
    """The usable keys of a JWK set; those of other kinds are passed over. Raises BadIdToken for what is no set."""
    found = _object(document, "keys_unreadable").get("keys")
    if not isinstance(found, list) or len(found) > MOST_KEYS:
        raise BadIdToken("keys_unreadable")
    keys = (_key(one) for one in found if isinstance(one, dict))
    return tuple(key for key in keys if key is not None)


def _key(jwk: dict[str, Any]) -> Key | None:
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    try:
        make = _MAKERS.get((jwk.get("kty"), jwk.get("crv")))
        made = make(jwk) if make else None
    except (BadIdToken, ValueError, TypeError):
        return None
    if made is None:
        return None
    public, algorithms = made
    if "alg" in jwk:
        algorithms &= {jwk["alg"]} if isinstance(jwk["alg"], str) else set()
    name = jwk.get("kid", "")
    return Key(name, algorithms, public) if algorithms and isinstance(name, str) else None


def _rsa(jwk: dict[str, Any]) -> tuple[PublicKey, frozenset[str]] | None:
    number, exponent = (int.from_bytes(_bytes(jwk.get(name)), "big") for name in ("n", "e"))
    if not _LEAST_RSA_BITS <= number.bit_length() <= _MOST_RSA_BITS or exponent.bit_length() > 32:
        return None
    return rsa.RSAPublicNumbers(exponent, number).public_key(), frozenset({"RS256"})


def _p256(jwk: dict[str, Any]) -> tuple[PublicKey, frozenset[str]] | None:
    x, y = (int.from_bytes(_bytes(jwk.get(name)), "big") for name in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key(), frozenset({"ES256"})


def _ed25519(jwk: dict[str, Any]) -> tuple[PublicKey, frozenset[str]] | None:
    key = ed25519.Ed25519PublicKey.from_public_bytes(_bytes(jwk.get("x")))
    return key, frozenset({"EdDSA", "Ed25519"})


_Made = tuple[PublicKey, frozenset[str]] | None
_MAKERS: dict[tuple[Any, Any], Callable[[dict[str, Any]], _Made]] = {
    ("RSA", None): _rsa, ("EC", "P-256"): _p256, ("OKP", "Ed25519"): _ed25519}
ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA", "Ed25519"})


def believed(token: str, keys: tuple[Key, ...], expected: Expected) -> Claims:
    """What the token says. Raises BadIdToken, UnknownKey."""
    parts = token.split(".")
    if len(token) > LONGEST or len(parts) != 3 or not token.isascii():
        raise BadIdToken("unreadable")
    head = _object(_bytes(parts[0]), "unreadable")
    algorithm = head.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise BadIdToken("algorithm")
    # What must be understood and is not; or a payload that is not the one that was signed.
    if "crit" in head or "b64" in head or str(head.get("typ", "JWT")).upper() != "JWT":
        raise BadIdToken("header")
    key = _chosen(keys, head.get("kid"), algorithm)
    if not _is_signed(key.public, f"{parts[0]}.{parts[1]}".encode(), _bytes(parts[2])):
        raise BadIdToken("signature")
    claims = _object(_bytes(parts[1]), "unreadable")
    _check(claims, expected)
    if "at_hash" in claims:
        _check_access_token(claims["at_hash"], expected.access_token, algorithm)
    return Claims(issuer=expected.issuer, subject=claims["sub"], all=claims)


def _chosen(keys: tuple[Key, ...], name: Any, algorithm: str) -> Key:
    """By its name; without one only where there is no choice. A name that two keys have names none."""
    fitting = [key for key in keys if name is None or key.id == name]
    if not fitting:
        raise UnknownKey
    fitting = [key for key in fitting if algorithm in key.algorithms]
    if len(fitting) != 1:
        raise BadIdToken("key")
    return fitting[0]


def _is_signed(key: PublicKey, message: bytes, signature: bytes) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey):
            if len(signature) != 64:
                return False
            first, second = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
            key.verify(encode_dss_signature(first, second), message, ec.ECDSA(SHA256()))
        else:
            key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _check(claims: dict[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise BadIdToken("issuer")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in audiences:
        raise BadIdToken("audience")
    party = claims.get("azp")
    if (party is not None or len(audiences) > 1) and party != expected.client_id:
        raise BadIdToken("party")
    if not isinstance(claims.get("sub"), str) or not _SUBJECT.fullmatch(claims["sub"]):
        raise BadIdToken("subject")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not same(nonce.encode(), expected.nonce.encode()):
        raise BadIdToken("nonce")
    if _moment(claims, "exp") + SKEW <= expected.now:
        raise BadIdToken("expired")
    if not expected.now - OLDEST <= _moment(claims, "iat") <= expected.now + SKEW:
        raise BadIdToken("issued_at")
    if "nbf" in claims and _moment(claims, "nbf") > expected.now + SKEW:
        raise BadIdToken("not_yet")
    if expected.fresh_since and not expected.fresh_since - SKEW <= _moment(claims, "auth_time") <= expected.now + SKEW:
        raise BadIdToken("not_fresh")


def _moment(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise BadIdToken("not_fresh" if name == "auth_time" else f"no_{name}")
    return int(value * SECOND)


def _check_access_token(told: Any, access_token: str, algorithm: str) -> None:
    hashed = hashlib.sha512 if algorithm in ("EdDSA", "Ed25519") else hashlib.sha256
    full = hashed(access_token.encode()).digest()
    half = base64.urlsafe_b64encode(full[:len(full) // 2]).rstrip(b"=")
    if not access_token or not isinstance(told, str) or not same(told.encode(), half):
        raise BadIdToken("access_token")


def _bytes(text: Any) -> bytes:
    """Base64url without padding, in its one form: else one token could be written in several ways."""
    if not isinstance(text, str) or not _BASE64.fullmatch(text):
        raise BadIdToken("unreadable")
    try:
        found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise BadIdToken("unreadable") from None
    if base64.urlsafe_b64encode(found).rstrip(b"=").decode() != text:
        raise BadIdToken("unreadable")
    return found


def _object(document: bytes, reason: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(document)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise BadIdToken(reason) from None
    if not isinstance(found, dict):
        raise BadIdToken(reason)
    return found
