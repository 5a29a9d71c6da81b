"""What the trust page names exists: every check has its claim, every proof its test, every heading its document."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from chime.trust import asvs
from chime.trust.claims import CHECKS, GROUPS, NOT_CLAIMED, claims
from tests.architecture.source import ROOT

# How many there are of each level in the standard (OWASP ASVS 5.0.0): 70, and 183 more.
LEVEL_1, LEVEL_2 = 70, 183


@cache
def named_in(file: str) -> frozenset[str]:
    """The tests of a file below `tests/`; empty when there is no such file."""
    path = ROOT / "tests" / file
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree)
                     if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"))


@cache
def headings() -> frozenset[str]:
    """The headings of SECURITY.md as a link names them."""
    text = (ROOT / asvs.DOCUMENT).read_text("utf-8")
    return frozenset(re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).strip().replace(" ", "-")
                     for line in text.splitlines() if line.startswith("#"))


def exists(proof: str) -> bool:
    file, _, name = proof.partition("::")
    if file.startswith(asvs.DOCUMENT):
        return file.partition("#")[2] in headings()
    found = named_in(file)
    return name in found if name else bool(found)


def test_what_does_not_exist_is_found() -> None:
    assert exists("unit/test_claims.py") and exists("unit/test_claims.py::test_what_does_not_exist_is_found")
    assert not exists("unit/test_no_such_file.py") and not exists("unit/test_claims.py::test_no_such_test")
    assert not exists("SECURITY.md#no-such-heading")


def test_every_claim_names_a_check_and_tests_that_exist() -> None:
    missing = [f"{claim.check}: {test}" for claim in claims() for test in claim.tests if not exists(test)]
    assert not missing, "\n".join(missing)
    assert {claim.check for claim in claims()} == set(CHECKS)
    words = [claim.words for claim in claims()]
    assert len(words) == len(set(words)) and all(claim.tests for claim in claims())
    assert len(GROUPS) >= 5 and len(NOT_CLAIMED) >= 5


def test_every_requirement_that_is_met_names_a_test_or_a_document_that_exists() -> None:
    missing = [f"{one.number}: {proof}" for one in asvs.requirements() for proof in one.proofs if not exists(proof)]
    assert not missing, "\n".join(missing)
    for one in asvs.requirements():
        assert bool(one.proofs) == (one.state == asvs.MET) and bool(one.reason) == (one.state != asvs.MET), one


def test_every_requirement_of_levels_1_and_2_is_there_once(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = [one.number for one in asvs.requirements()]
    assert len(numbers) == len(set(numbers)) == LEVEL_1 + LEVEL_2
    assert numbers == sorted(numbers, key=lambda number: [int(part) for part in number.split(".")])
    assert sum(one.level == 1 for one in asvs.requirements()) == LEVEL_1
    assert all(0 < len(one.words) <= 90 for one in asvs.requirements())
    with capsys.disabled():
        for one in asvs.counts():
            print(f"\nASVS 5.0 level {one.level}: {one.met} of {one.apply} met, {one.unmet} not, "
                  f"{one.not_applicable} not applicable")
