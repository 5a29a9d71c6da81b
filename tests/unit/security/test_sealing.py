"""XAES-256-GCM as C2SP has it; what is sealed opens in its place, with its key, and nowhere else (CRY-2, CRY-4)."""

from __future__ import annotations

import json
import os
import pickle
import random
from itertools import product

import msgspec
import pytest

from chime.ids import Ids
from chime.security.crypto import CannotOpen, context, own_key, seal, unseal
from chime.security.vault import Secret, Vault
from chime.security.versions import KeyVersions
from chime.workspaces.control_key import new_bundle
from chime.workspaces.keys import WorkspaceKeys, new_root

# The two vectors of C2SP's XAES-256-GCM.md.
VECTORS = (
    (b"\x01" * 32, b"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
    (b"\x03" * 32, b"c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
)
NONCE = b"ABCDEFGHIJKLMNOPQRSTUVWX"


@pytest.mark.parametrize(("key", "associated", "expected"), VECTORS)
def test_the_published_vectors(key: bytes, associated: bytes, expected: str) -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    assert AESGCM(own_key(key, NONCE)).encrypt(NONCE[12:], b"XAES-256-GCM", associated).hex() == expected


def _places() -> list[tuple[str, str, str, str]]:
    return list(product(("acme", "globex", "control"), ("channel", "meta_app", "totp"), ("r1", "r2", "r11", "1"),
                        ("access_token", "app_secret", "access")))


def test_no_value_opens_anywhere_but_in_its_place() -> None:
    """CRY-2: every value in every other place, also one that differs only in how its parts are cut."""
    keys = KeyVersions({1: os.urandom(32)}, 1)
    places = _places()
    sealed = {place: Vault(keys, place[0]).seal("value", table=place[1], row=place[2], column=place[3])
              for place in places}
    refusals = set()
    for source, target in product(places, places):
        vault = Vault(keys, target[0])
        if source == target:
            assert vault.open(sealed[source], table=target[1], row=target[2], column=target[3]).reveal() == "value"
            continue
        with pytest.raises(CannotOpen) as refused:
            vault.open(sealed[source], table=target[1], row=target[2], column=target[3])
        refusals.add(str(refused.value))
    assert len(refusals) == 1, "nobody learns from the refusal how near they were"


def test_parts_of_a_place_cannot_be_cut_otherwise() -> None:
    cuts = [("a", "bc"), ("ab", "c"), ("abc",), ("abc", ""), ("", "abc"), ("a", "b", "c")]
    assert len({context(*cut) for cut in cuts}) == len(cuts)


def test_a_value_of_another_version_or_workspace_does_not_open() -> None:
    first, second = new_root(Ids()), new_root(Ids())
    keys = WorkspaceKeys({1: first, 2: second}, "acme")
    sealed = keys.vault.seal("value", table="t", row="r", column="c")
    assert keys.vault.open(sealed, table="t", row="r", column="c").reveal() == "value"
    for other in (WorkspaceKeys({1: first}, "acme"), WorkspaceKeys({2: first}, "acme"),
                  WorkspaceKeys({2: second}, "globex")):
        with pytest.raises(CannotOpen):
            other.vault.open(sealed, table="t", row="r", column="c")


@pytest.mark.parametrize("rounds", [2_000, pytest.param(200_000, marks=pytest.mark.nightly)])
def test_a_changed_byte_never_gives_another_value(rounds: int) -> None:
    luck, key = random.Random(7), os.urandom(32)
    sealed = seal(key, b"the value" * 4, b"place", key_version=3)
    for _ in range(rounds):
        changed = bytearray(sealed)
        changed[luck.randrange(len(sealed))] ^= 1 << luck.randrange(8)
        with pytest.raises(CannotOpen):
            unseal(key, bytes(changed), b"place")
    for size in range(len(sealed)):
        with pytest.raises(CannotOpen):
            unseal(key, sealed[:size], b"place")


@pytest.mark.parametrize("count", [100_000, pytest.param(5_000_000, marks=pytest.mark.nightly)])
def test_nonces_do_not_repeat_not_even_in_processes_that_began_as_one(count: int) -> None:
    """CRY-4: eight processes forked from one state, as machines that are cloned."""
    share, pipes = count // 8, []
    for _ in range(8):
        reading, writing = os.pipe()
        if os.fork() == 0:
            key = b"k" * 32
            with os.fdopen(writing, "wb") as out:
                for _ in range(share):
                    out.write(seal(key, b"", b"")[5:29])
            os._exit(0)
        os.close(writing)
        pipes.append(reading)
    seen: set[bytes] = set()
    for reading in pipes:
        with os.fdopen(reading, "rb") as found:
            data = found.read()
        seen.update(data[start:start + 24] for start in range(0, len(data), 24))
        os.wait()
    assert len(seen) == share * 8


def test_a_secret_has_no_form_that_leaves_the_process() -> None:
    secret = Secret("nobody may see this")
    forms = [str(secret), repr(secret), f"{secret}", f"{secret!r}", f"{secret:>30}", "%s" % secret, "{}".format(secret),  # noqa: UP031, UP032
             repr([secret]), repr({"key": secret}), str(ValueError(secret))]
    assert not [form for form in forms if "nobody" in form]
    for encode in (json.dumps, msgspec.json.encode, msgspec.msgpack.encode, pickle.dumps):
        with pytest.raises((TypeError, NotImplementedError)):
            encode(secret)
    assert not hasattr(secret, "__dict__")
    assert secret.last_four == "this" and Secret("short").last_four == ""
    assert secret == Secret("nobody may see this") != Secret("another")


def test_keys_have_no_form_either() -> None:
    bundle = new_bundle(Ids(), at=0)
    versions = KeyVersions({1: b"k" * 32}, 1)
    texts = [repr(bundle), repr(bundle.newest), repr(versions), str(new_root(Ids()))]
    for secret in (bundle.pepper, bundle.newest.wrap, b"k" * 32):
        assert not [text for text in texts if secret.hex() in text or repr(secret)[2:-1] in text]
    with pytest.raises(TypeError):
        pickle.dumps(versions)
