"""ID tokens: what is believed, and every way to lie that we know of."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from chime.security.id_tokens import BadIdToken, Claims, Expected, UnknownKey, believed, keys_of
from tests.support.oidc_provider import SigningKey, new_key, signed_with_secret, text, token_of

NOW = 1_790_000_000
KEYS = {kind: new_key(f"key of {kind}", kind) for kind in ("RS256", "ES256", "EdDSA")}
PUBLISHED = keys_of(json.dumps({"keys": [key.jwk for key in KEYS.values()]}).encode())
GOOD = {"iss": "https://issuer.example", "aud": "chime", "sub": "s-1", "nonce": "the nonce", "iat": NOW,
        "exp": NOW + 300}


def read(token: str, keys: Any = PUBLISHED, **changed: Any) -> Claims:
    expected = {"issuer": "https://issuer.example", "client_id": "chime", "nonce": "the nonce", "now": NOW * 1000}
    return believed(token, keys, Expected(**(expected | changed)))


def reason(token: str, keys: Any = PUBLISHED, **changed: Any) -> str:
    with pytest.raises(BadIdToken) as caught:
        read(token, keys, **changed)
    assert not any(len(part) > 20 and part in str(caught.value) for part in token.split("."))
    return caught.value.reason


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


@pytest.mark.parametrize("kind", list(KEYS))
def test_a_good_token_is_believed(kind: str) -> None:
    said = {"groups": ["a", 1, "b"], "realm": {"roles": ["r"]}, "hd": "example.com"}
    claims = read(token_of(GOOD | said, KEYS[kind]))
    assert claims.subject == "s-1" and claims.texts("groups") == ("a", "b")
    assert claims.texts("realm.roles") == ("r",) and claims.texts("hd") == ("example.com",)
    assert claims.texts("no.such.thing") == claims.texts("none") == ()
    assert read(token_of(GOOD | {"aud": ["chime", "account"], "azp": "chime"}, KEYS[kind]))


@pytest.mark.parametrize(("claims", "expected"), [
    (GOOD | {"iss": "https://issuer.example/"}, "issuer"), (without("iss"), "issuer"),
    (GOOD | {"aud": "chime2"}, "audience"), (GOOD | {"aud": []}, "audience"), (without("aud"), "audience"),
    (GOOD | {"aud": ["chime", "other"]}, "party"), (GOOD | {"azp": "other"}, "party"),
    (GOOD | {"aud": {"chime": 1}}, "audience"),
    (GOOD | {"sub": ""}, "subject"), (without("sub"), "subject"), (GOOD | {"sub": 7}, "subject"),
    (GOOD | {"sub": "x" * 256}, "subject"), (GOOD | {"nonce": "another"}, "nonce"), (without("nonce"), "nonce"),
    (GOOD | {"nonce": "the nonc\u00e9"}, "nonce"),
    (GOOD | {"exp": NOW - 61}, "expired"), (without("exp"), "no_exp"), (GOOD | {"exp": "soon"}, "no_exp"),
    (GOOD | {"exp": True}, "no_exp"), (GOOD | {"exp": 1e300}, "no_exp"), (GOOD | {"iat": NOW + 61}, "issued_at"),
    (GOOD | {"iat": NOW - 601}, "issued_at"), (without("iat"), "no_iat"), (GOOD | {"nbf": NOW + 61}, "not_yet"),
    (GOOD | {"at_hash": "AAAA"}, "access_token"), (GOOD | {"at_hash": 5}, "access_token"),
])
def test_what_a_token_says_must_fit(claims: dict[str, Any], expected: str) -> None:
    for key in KEYS.values():
        assert reason(token_of(claims, key), access_token="given") == expected


def test_the_person_must_have_been_there_lately_when_asked_for() -> None:
    key = KEYS["ES256"]
    assert read(token_of(GOOD | {"auth_time": NOW - 30}, key), fresh_since=(NOW - 60) * 1000)
    for claims in (GOOD, GOOD | {"auth_time": NOW - 121}, GOOD | {"auth_time": NOW + 90}, GOOD | {"auth_time": "x"}):
        assert reason(token_of(claims, key), fresh_since=(NOW - 60) * 1000) == "not_fresh"


@pytest.mark.parametrize("kind", list(KEYS))
def test_the_access_token_belongs_to_it(kind: str) -> None:
    hashed = (hashlib.sha512 if kind == "EdDSA" else hashlib.sha256)(b"access").digest()
    claims = GOOD | {"at_hash": text(hashed[:len(hashed) // 2])}
    assert read(token_of(claims, KEYS[kind]), access_token="access")
    assert reason(token_of(claims, KEYS[kind]), access_token="another") == "access_token"
    assert reason(token_of(claims, KEYS[kind])) == "access_token"


def test_no_other_algorithm_counts() -> None:
    """`none` in all spellings, and a public key taken for a secret (T-confusion)."""
    key = KEYS["RS256"]
    for name in ("none", "None", "NONE", "", "HS256", "HS512", "RS1", "RS512", "PS256", "ES512", None, 5, ["RS256"]):
        assert reason(token_of(GOOD, key, alg=name)) == "algorithm", name
        head = text(json.dumps({"alg": name, "kid": key.id}).encode())
        assert reason(f"{head}.{text(json.dumps(GOOD).encode())}.") == "algorithm", name
    public = key.private.public_key()
    for encoding, form in ((serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
                           (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)):
        assert reason(signed_with_secret(GOOD, key, public.public_bytes(encoding, form))) == "algorithm"
    assert reason(signed_with_secret(GOOD, key, json.dumps(key.jwk).encode())) == "algorithm"


def test_the_key_is_the_providers_and_of_the_algorithms_kind() -> None:
    stranger = new_key("key of RS256", "RS256")
    assert reason(token_of(GOOD, stranger)) == "signature"
    assert reason(token_of(GOOD, stranger, jwk=stranger.jwk, jku="https://evil.example/keys")) == "signature"
    with pytest.raises(UnknownKey):
        read(token_of(GOOD, KEYS["RS256"], kid="no such key"))
    assert reason(token_of(GOOD, KEYS["RS256"], kid="key of ES256")) == "key"
    assert reason(token_of(GOOD, KEYS["RS256"], alg="ES256")) == "key"
    twins = keys_of(json.dumps({"keys": [stranger.jwk, KEYS["RS256"].jwk]}).encode())
    assert reason(token_of(GOOD, KEYS["RS256"]), twins) == "key", "a name that two keys have names none"
    assert read(token_of(GOOD, KEYS["RS256"], kid=None)), "only one can be meant"
    two = keys_of(json.dumps({"keys": [new_key("a").jwk, new_key("b").jwk]}).encode())
    assert reason(token_of(GOOD, KEYS["EdDSA"], kid=None), two) == "key"


@pytest.mark.parametrize("head", [{"crit": ["exp"]}, {"b64": False}, {"typ": "at+jwt"}, {"typ": "logout+jwt"}])
def test_a_head_that_asks_for_more_is_refused(head: dict[str, Any]) -> None:
    assert reason(token_of(GOOD, KEYS["ES256"], **head)) == "header"


def test_the_form_is_the_one_form() -> None:
    good = token_of(GOOD, KEYS["EdDSA"])
    head, body, signature = good.split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    for token in ("", ".", "..", good + ".", f"{head}.{body}", f"{head}.{body}.{signature}.{signature}", good + "=",
                  f" {good}", good + "\n", f"{head}.{body}.{base64.b64encode(raw).decode()}", f"{head}.{body}.",
                  "x" * 70_000, "é" + good, f"{text(b'[]')}.{body}.{signature}", f"{text(b'{')}.{body}.{signature}"):
        assert reason(token) in ("unreadable", "algorithm", "signature"), token[:50]


def test_any_changed_letter_is_noticed() -> None:
    """Each letter of a token of each kind, made another: never believed, never anything but BadIdToken."""
    chance = random.Random(5)
    for key in KEYS.values():
        token = token_of(GOOD, key)
        for place in range(len(token)):
            other = chance.choice([letter for letter in "ABCxyz019-_.=" if letter != token[place]])
            reason(token[:place] + other + token[place + 1:])


def test_sets_of_keys_are_read_with_care() -> None:
    small = SigningKey("small", KEYS["RS256"].private).jwk | {"n": text(b"\x81" * 128)}
    odd = [small, {"kty": "oct", "k": "AAAA", "kid": "secret"}, {"kty": "RSA"}, {"kty": "EC", "crv": "P-256", "x": "AA",
           "y": "AA"}, {"kty": "RSA", "key_ops": 5}, KEYS["ES256"].jwk | {"use": "enc"},
           KEYS["ES256"].jwk | {"alg": "RS256"},
           KEYS["ES256"].jwk | {"key_ops": ["sign"]}, KEYS["ES256"].jwk | {"kid": 5}, 7, None, {"kty": ["RSA"]}]
    for one in odd:
        assert keys_of(json.dumps({"keys": [one]}).encode()) == (), one
    for document in (b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": "x"}', b"\xff", b"[" * 100_000,
                     json.dumps({"keys": [{}] * 101}).encode()):
        with pytest.raises(BadIdToken):
            keys_of(document)
