"""What the tests of the egress client share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.hostile_server import certificate, hostile_server
from tests.unit.web.egress_yard import Yard


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    server_side, client_side = certificate(tmp_path)
    async with hostile_server(server_side) as server:
        yield Yard(server, client_side)
