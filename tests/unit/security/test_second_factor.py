"""The codes of authenticator apps, recovery codes, and what a QR code holds."""

from __future__ import annotations

import pytest

from chime.ids import Ids
from chime.security.second_factor import (
    STEP,
    accepted_step,
    app_link,
    code_of,
    new_recovery_codes,
    new_secret,
    plain_recovery_code,
    secret_bytes,
    step_of,
)
from chime.web.qr import qr

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(("second", "code"), [
    (59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037"),
    (20000000000, "353130")])
def test_the_codes_of_rfc_6238(second: int, code: str) -> None:
    assert code_of(SECRET, step_of(second * 1000)) == code


def test_a_code_counts_for_its_step_and_the_ones_beside_and_never_twice() -> None:
    now = 1_000 * STEP + 1
    code = code_of(SECRET, 1_000)
    assert accepted_step(SECRET, code, now, 0) == 1_000
    assert accepted_step(SECRET, f"{code[:3]} {code[3:]}", now, 0) == 1_000
    assert accepted_step(SECRET, code, now - STEP, 0) == 1_000
    assert accepted_step(SECRET, code, now + STEP, 0) == 1_000
    assert accepted_step(SECRET, code, now + 2 * STEP, 0) is None
    assert accepted_step(SECRET, code, now, 1_000) is None
    assert accepted_step(SECRET, code_of(SECRET, 999), now, 1_000) is None
    for wrong in ("", "00000", "0000000", "abcdef", "١٢٣٤٥٦", code[:-1]):
        assert accepted_step(SECRET, wrong, now, 0) is None


def test_secrets_have_160_bits_and_recovery_codes_80() -> None:
    assert len(secret_bytes(new_secret(Ids()))) == 20
    codes = new_recovery_codes(Ids())
    assert len(set(codes)) == 10 and all(len(plain_recovery_code(code)) == 16 for code in codes)


def test_a_recovery_code_may_be_typed_as_people_type() -> None:
    assert plain_recovery_code(" abcd efgh-ijkl  0181 ") == "ABCDEFGHIJKLOIBI"
    assert plain_recovery_code("ä–½") == ""


def test_the_link_of_an_app_names_account_and_issuer() -> None:
    link = app_link("ABCD", "kim+x@example.com")
    assert link == "otpauth://totp/Chime%3Akim%2Bx%40example.com?secret=ABCD&issuer=Chime"


def test_a_qr_code_is_squares_within_a_quiet_zone() -> None:
    found = qr("otpauth://totp/x")
    assert found.size > 25 and found.path.startswith("M4 4h7v1h-7z")
    assert set(found.path) <= set("Mhvz- 0123456789")
