"""The written-down schema is what the steps make, and the steps are one unbroken sequence for each kind of file."""

from __future__ import annotations

import re

import pytest

from chime.db.migrate import Kind, names, schema
from chime.resources import schema_text
from tests.architecture.source import ROOT


@pytest.mark.parametrize("kind", list(Kind))
def test_schema_file_is_a_fresh_apply(kind: Kind) -> None:
    assert schema_text(kind.value) == schema(kind), "run `python -m migrations`"


@pytest.mark.parametrize("kind", list(Kind))
def test_steps_are_numbered_without_a_gap(kind: Kind) -> None:
    assert names(kind)
    for number, name in enumerate(names(kind), start=1):
        assert re.fullmatch(rf"m{number:04d}_[a-z][a-z_]*", name), f"{kind.value}/{name} is not number {number}"


def test_every_folder_of_steps_is_a_kind() -> None:
    folders = {path.name for path in (ROOT / "migrations").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == {kind.value for kind in Kind}


@pytest.mark.parametrize("kind", list(Kind))
def test_tables_are_strict_and_know_no_workspace(kind: Kind) -> None:
    """STRICT: a number's column refuses a text. And what is in a workspace's own file needs no column saying so."""
    tables = re.findall(r"CREATE TABLE (\w+) \((.*?)\n\)(.*?);", schema_text(kind.value), re.DOTALL)
    assert tables
    loose = [name for name, _, ending in tables if "STRICT" not in ending]
    assert not loose, loose
    if kind is not Kind.CONTROL:
        assert not [name for name, body, _ in tables if re.search(r"\bworkspace_id\b", body)]
