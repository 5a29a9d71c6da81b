"""A hostile server under several names, and a client that may call two of them."""

from __future__ import annotations

import ipaddress
import ssl

from chime.security.addresses import Place
from chime.web.egress import Egress
from tests.support.hostile_server import Hostile


class Yard:
    """A hostile server under several names, and the client that may call two of them."""

    def __init__(self, server: Hostile, tls: ssl.SSLContext) -> None:
        self.server = server
        self.url = f"https://hostile.example:{server.port}/"
        self.other = f"https://other.example:{server.port}/"
        self.egress = self.client(tls)
        self._tls = tls

    def client(self, tls: ssl.SSLContext, total: float = 15) -> Egress:
        async def resolve(host: str, _: int) -> list[str]:
            try:
                return [str(ipaddress.ip_address(host))]
            except ValueError:
                return ["127.0.0.1"]

        port = self.server.port
        return Egress([Place("hostile.example", port), Place("other.example", port)], tls=tls, resolve=resolve,
                      total=total)

    def hasty(self, total: float) -> Egress:
        return self.client(self._tls, total)
