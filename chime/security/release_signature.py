"""Signatures of releases: Ed25519 over the SHA-512 of a file, by a key that lies on no server."""

from __future__ import annotations

import hashlib
from contextlib import suppress

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

# So that a signature of something else under the same key never counts for a release.
_CONTEXT = b"chime-signature-1\n"


class ReleaseKey:
    """A public key that releases may be signed with."""

    def __init__(self, public: Ed25519PublicKey) -> None:
        self._public = public
        self.id = hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]

    def signed(self, signature: bytes, sha512: bytes) -> bool:
        """Whether this key signed the file with this digest."""
        try:
            self._public.verify(signature, _CONTEXT + sha512)
        except InvalidSignature:
            return False
        return True


def read_key(pem: bytes) -> ReleaseKey | None:
    """A key as `openssl pkey -pubout` writes it; None when it is none, or of another kind."""
    with suppress(ValueError):
        public = load_pem_public_key(pem)
        if isinstance(public, Ed25519PublicKey):
            return ReleaseKey(public)
    return None
