"""A small installation to migrate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from chime.config import Config, load
from chime.db import open_connection
from chime.setup import initialise, keys_of
from tests.support.world import MASTER_KEY, PASSWORD


async def installed(folder: Path) -> Config:
    config = msgspec.structs.replace(load(data=str(folder / "data"), environment={}), master_key=MASTER_KEY)
    await initialise(config, email="a@example.com", name="A", workspace="First", password=PASSWORD)
    return config


@asynccontextmanager
async def file_of(config: Config) -> AsyncIterator[Any]:
    """control.db, open to write."""
    connection = open_connection(config.data_dir / "control.db", keys_of(config).control_file, writes=True)
    try:
        yield connection
    finally:
        connection.close()
