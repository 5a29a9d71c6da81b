"""Web push without anybody in between: sealing a message for one browser (RFC 8291 over RFC 8188) and proving to its
push service that it comes from the installation the browser subscribed to (VAPID, RFC 8292).

The browser's push service sees an address, a size and a time, never a word. Sizes say little: messages are padded.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import struct
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chime.errors import ChimeError

# A push service takes 4,096 bytes; the rest is its head, the tag and what marks the end.
LARGEST = 3_900
_PAD_TO = 512
_RECORD = 4_096
_POINT = 65
_AUTH = 16
VALID_SECONDS = 12 * 3600


class NotAKey(ChimeError):
    """A browser's key that is none."""


class PushAddress(msgspec.Struct, frozen=True):
    """Where a browser is rung and what is sealed for it. All of it is secret. `key` and `auth` are base64url."""

    endpoint: str
    key: str
    auth: str

    def __repr__(self) -> str:
        return "PushAddress(…)"

    def check(self) -> None:
        """Raises NotAKey for keys with which nothing could be sealed."""
        _public(unbase64(self.key))
        if len(unbase64(self.auth)) != _AUTH:
            raise NotAKey("the subscription's secret has another length")


class OwnKey(msgspec.Struct, frozen=True):
    """A key pair of ours; both are base64url. Browsers subscribe with the public one."""

    private: str
    public: str

    def __repr__(self) -> str:
        return f"OwnKey({self.public[:8]}…)"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unbase64(text: str) -> bytes:
    """Raises NotAKey."""
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotAKey("not base64url") from error


def new_key() -> OwnKey:
    made = ec.generate_private_key(ec.SECP256R1())
    return OwnKey(base64url(made.private_numbers().private_value.to_bytes(32, "big")), base64url(_point(made)))


def _point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _public(point: bytes) -> ec.EllipticCurvePublicKey:
    try:
        if len(point) != _POINT:
            raise ValueError("another length")
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError as error:
        raise NotAKey("not a point of the curve") from error


def _private(own: OwnKey) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(unbase64(own.private), "big"), ec.SECP256R1())


def _hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


def sealed_for(address: PushAddress, message: bytes) -> bytes:
    """The body of a push message that this browser alone can read. Raises NotAKey, ValueError when it is too long."""
    if len(message) > LARGEST:
        raise ValueError("the message is too long for a push")
    once = ec.generate_private_key(ec.SECP256R1())
    theirs, ours, salt = unbase64(address.key), _point(once), os.urandom(16)
    shared = once.exchange(ec.ECDH(), _public(theirs))
    key, nonce = _content_keys(shared, unbase64(address.auth), theirs, ours, salt)
    padding = min(-(len(message) + 1) % _PAD_TO, LARGEST - len(message))
    sealed = AESGCM(key).encrypt(nonce, message + b"\x02" + bytes(padding), b"")
    return salt + struct.pack(">IB", _RECORD, len(ours)) + ours + sealed


def opened(body: bytes, private: str, auth: str) -> bytes:
    """What a browser with these keys would read: for proofs. Raises cryptography's InvalidTag."""
    salt, length = body[:16], body[20]
    ours = body[21:21 + length]
    own = ec.derive_private_key(int.from_bytes(unbase64(private), "big"), ec.SECP256R1())
    key, nonce = _content_keys(own.exchange(ec.ECDH(), _public(ours)), unbase64(auth), _point(own), ours, salt)
    return AESGCM(key).decrypt(nonce, body[21 + length:], b"").rstrip(b"\0")[:-1]


def _content_keys(shared: bytes, auth: bytes, theirs: bytes, ours: bytes, salt: bytes) -> tuple[bytes, bytes]:
    secret = _hkdf(shared, auth, b"WebPush: info\0" + theirs + ours, 32)
    return (_hkdf(secret, salt, b"Content-Encoding: aes128gcm\0", 16),
            _hkdf(secret, salt, b"Content-Encoding: nonce\0", 12))


def authorization(own: OwnKey, endpoint: str, *, subject: str, now: int) -> str:
    """The header that proves who sends, to the service of this address and for half a day. `now` in seconds."""
    parts = urlsplit(endpoint)
    head = base64url(json.dumps({"typ": "JWT", "alg": "ES256"}).encode())
    claims = base64url(json.dumps({"aud": f"{parts.scheme}://{parts.netloc}", "exp": now + VALID_SECONDS,
                                   "sub": subject}).encode())
    signature = _private(own).sign(f"{head}.{claims}".encode(), ec.ECDSA(SHA256()))
    first, second = decode_dss_signature(signature)
    told = base64url(first.to_bytes(32, "big") + second.to_bytes(32, "big"))
    return f"vapid t={head}.{claims}.{told}, k={own.public}"


def claims_of(header: str, public: str) -> dict[str, object] | None:
    """What a push service reads from that header; None unless this key signed it."""
    token = header.removeprefix("vapid t=").partition(", k=")[0]
    head, claims, told = token.split(".")
    raw = unbase64(told)
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    try:
        _public(unbase64(public)).verify(signature, f"{head}.{claims}".encode(), ec.ECDSA(SHA256()))
    except InvalidSignature:
        return None
    found: dict[str, object] = json.loads(unbase64(claims))
    return found
