"""The Merkle tree, the signed notes and the canonical rows against published vectors, and the stand-alone verifier's
own arithmetic against the library's."""

from __future__ import annotations

import base64
import json
import random

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chime.audit import verifier
from chime.security import signed_note
from chime.security.merkle import (
    TILE,
    GrowingTree,
    Peaks,
    Ranges,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    leaf_hash,
    root_by_inclusion,
)

# Of the certificate transparency project: eight inputs and the roots over the first one, two, … of them.
INPUTS = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = ("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
         "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
         "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
         "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
         "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
         "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
         "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
         "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")
# RFC 8032 7.1: public key, message, signature.
SIGNATURES = (
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246"
     "55141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb"
     "00d291612bb0c00"),
)


def tree_of(leaves: list[bytes]) -> GrowingTree:
    tree = GrowingTree()
    for leaf in leaves:
        tree.add(leaf)
    return tree


@pytest.mark.parametrize("count", range(1, 9))
def test_roots_are_those_of_certificate_transparency(count: int) -> None:
    leaves = [leaf_hash(bytes.fromhex(text)) for text in INPUTS[:count]]
    assert tree_of(leaves).root().hex() == ROOTS[count - 1]
    peaks: list[tuple[int, bytes]] = []
    for leaf in leaves:
        verifier.push(peaks, leaf)
    assert verifier.root_of(peaks).hex() == ROOTS[count - 1]


def ranges_of(leaves: list[bytes]) -> Ranges:
    tree = tree_of(leaves)
    known = Ranges([root for _, root in tree.new_tiles])
    for tile in range(0, len(leaves) // TILE + 1):
        known.put(tile, leaves[tile * TILE:(tile + 1) * TILE])
    return known


def test_every_proof_in_small_trees() -> None:
    leaves = [leaf_hash(str(number).encode()) for number in range(40)]
    roots = [b"", *(tree_of(leaves[:size]).root() for size in range(1, 41))]
    known = ranges_of(leaves)
    for size in range(1, 41):
        for index in range(size):
            proof = inclusion_proof(index, size, known.root)
            assert root_by_inclusion(index, size, leaves[index], proof) == roots[size]
            assert root_by_inclusion(index, size, leaf_hash(b"another"), proof) != roots[size]
            if proof:
                assert root_by_inclusion(index, size, leaves[index], proof[:-1]) != roots[size]
        for old in range(1, size + 1):
            proof = consistency_proof(old, size, known.root)
            assert is_consistent(old, size, roots[old], roots[size], proof)
            assert not is_consistent(old, size, leaf_hash(b"another"), roots[size], proof)
            assert not is_consistent(old, size, roots[old], roots[size], [*proof, roots[1]])


def test_proofs_across_tiles() -> None:
    leaves = [leaf_hash(str(number).encode()) for number in range(3 * TILE + 77)]
    whole, known, chance = tree_of(leaves), ranges_of(leaves), random.Random(1)
    assert [number for number, _ in whole.new_tiles] == [0, 1, 2]
    for _ in range(60):
        size = chance.randint(1, len(leaves))
        index, old = chance.randrange(size), chance.randint(1, size)
        root = tree_of(leaves[:size]).root()
        row = {"sequence": index + 1, "form": 2, "hash": leaves[index].hex()}
        proof = inclusion_proof(index, size, known.root)
        assert root_by_inclusion(index, size, leaves[index], proof) == root
        assert verifier.leads_to(row | {"proof": [beside.hex() for beside in proof]}, size, root)
        assert is_consistent(old, size, tree_of(leaves[:old]).root(), root, consistency_proof(old, size, known.root))


def test_a_tree_goes_on_from_its_tiles_and_from_its_peaks() -> None:
    leaves = [leaf_hash(str(number).encode()) for number in range(2 * TILE + 9)]
    whole = tree_of(leaves)
    later = GrowingTree(root for _, root in whole.new_tiles)
    for leaf in leaves[2 * TILE:]:
        later.add(leaf)
    assert (later.size, later.root()) == (whole.size, whole.root())
    again = Peaks(whole.peaks())
    assert (again.size, again.root()) == (whole.size, whole.root())


@pytest.mark.parametrize(("public", "message", "signature"), SIGNATURES)
def test_the_verifier_knows_the_signatures_of_rfc_8032(public: str, message: str, signature: str) -> None:
    key, text, signed = (bytes.fromhex(one) for one in (public, message, signature))
    assert verifier.is_signature(key, text, signed)
    assert not verifier.is_signature(key, text + b"x", signed)


def test_the_verifier_agrees_with_the_library_and_refuses_every_flipped_bit() -> None:
    chance = random.Random(2)
    for _ in range(6):
        secret, message = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32)), chance.randbytes(60)
        public, signature = secret.public_key().public_bytes_raw(), secret.sign(message)
        assert verifier.is_signature(public, message, signature)
        for place in chance.sample(range(512), 4):
            flipped = bytearray(signature)
            flipped[place // 8] ^= 1 << place % 8
            assert not verifier.is_signature(public, message, bytes(flipped))
    # The same signature with the group's order added to its second half: a verifier must not take it (RFC 8032 5.1.7).
    s = int.from_bytes(signature[32:], "little") + verifier.ORDER
    assert not verifier.is_signature(public, message, signature[:32] + s.to_bytes(32, "little"))


def test_a_note_is_signed_for_its_text_its_name_and_its_key() -> None:
    seed, other = bytes(range(32)), bytes(range(1, 33))
    said = signed_note.Statement(origin="chime.example.com/audit/a", size=7, root=bytes(32), time="2026-11-21")
    note, public = signed_note.sign(seed, said), signed_note.public_key(seed)
    assert signed_note.read(note) == said
    for check in (signed_note.is_signed, lambda text, key: verifier.is_signed(verifier.note_of(text), key)):
        assert check(note, public)
        assert not check(note, signed_note.public_key(other))
        assert not check(note.replace("\n7\n", "\n8\n"), public)
        assert not check(note.replace("audit/a", "audit/b"), public)
        assert not check(note.partition("\n\n")[0] + "\n\n", public)
    named = signed_note.verifier_key(said.origin, public)
    assert verifier.key_of(named) == verifier.key_of(base64.b64encode(public).decode()) == public


def test_both_programs_write_a_row_in_the_same_bytes() -> None:
    """RFC 8785 of texts, whole numbers and null: every letter there is, and the ones that are escaped."""
    chance = random.Random(3)
    for _ in range(2_000):
        spans = chance.choices(((0, 128), (0, 0xD800), (0xE000, 0x110000)), k=chance.randrange(12))
        letters = [chr(chance.randrange(*span)) for span in spans]
        row = ["".join(letters), chance.randrange(-2**53, 2**53), None, "\u2028\x7f\"\\/\b\f\n\r\t\x00"]
        assert msgspec.json.encode(row) == verifier.canonical(row) == json.dumps(
            row, ensure_ascii=False, separators=(",", ":")).encode()
