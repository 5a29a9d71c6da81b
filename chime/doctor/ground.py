"""What the doctor may look at: the installation's files, Meta, its own public address; and the running service if
there is one."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from chime.checked import Check
from chime.clock import Clock
from chime.config import Config
from chime.ids import Ids
from chime.whatsapp import GraphClient
from chime.workspaces import Control, Registry

More = Callable[[], Awaitable[list[Check]]]


@dataclass(frozen=True)
class Ground:
    """`provider` asks the sign-in provider and gives the reason why not, empty when it answers. `more` are checks that
    other rooms make of the installation. `waiting` counts nudges of the queue; None without the running service. `tls`
    says whose certificates are believed, for tests."""

    config: Config
    control: Control
    registry: Registry
    clock: Clock
    ids: Ids
    graph: GraphClient
    provider: Callable[[], Awaitable[str]] | None = None
    more: tuple[More, ...] = ()
    waiting: Callable[[], int] | None = None
    tls: ssl.SSLContext | None = None
