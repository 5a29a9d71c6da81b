"""Signs release files with an Ed25519 key; `chime upgrade` takes a file only with such a signature beside it.

    python packaging/sign.py new-key FILE          makes FILE (keep it off the network) and FILE.pub (goes into
                                                   chime/releases/release_keys/, or a server's /etc/chime/release-keys/)
    python packaging/sign.py sign KEY FILE…        writes FILE.sig beside each

Keys are PEM as `openssl genpkey -algorithm ed25519` writes them. What is signed is a fixed line and the SHA-512 of the
file, so a key that lives in another device can sign without seeing the file. Promise: a key is never written over.
"""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

SIGNED = b"chime-signature-1\n"


def key_id(key: Ed25519PublicKey) -> str:
    """How a signature names its key."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def public_text(key: Ed25519PublicKey) -> bytes:
    """As servers keep it."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def new_key(file: Path) -> Ed25519PrivateKey:
    """Make a key and write both halves down."""
    key = Ed25519PrivateKey.generate()
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
        target.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    file.with_name(f"{file.name}.pub").write_bytes(public_text(key.public_key()))
    return key


def read_key(file: Path) -> Ed25519PrivateKey:
    """Ends with a line that says what is wrong with it."""
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        sys.exit(f"{file}: is no signing key ({error}); python packaging/sign.py new-key FILE makes one")
    if not isinstance(key, Ed25519PrivateKey):
        sys.exit(f"{file}: is a key of another kind; Ed25519 is needed")
    return key


def sign(key: Ed25519PrivateKey, file: Path) -> Path:
    """Write the signature of `file` beside it; its path."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha512").digest()
    target = file.with_name(f"{file.name}.sig")
    target.write_text(
        f"chime-signature: 1\nkey: {key_id(key.public_key())}\nsha512: {digest.hex()}\n"
        f"signature: {base64.b64encode(key.sign(SIGNED + digest)).decode()}\n", "ascii")
    return target


def main(arguments: list[str]) -> None:
    match arguments:
        case ["new-key", file]:
            print(key_id(new_key(Path(file)).public_key()))
        case ["sign", file, *files] if files:
            key = read_key(Path(file))
            for name in files:
                sign(key, Path(name))
        case _:
            sys.exit(str(__doc__))


if __name__ == "__main__":
    main(sys.argv[1:])
