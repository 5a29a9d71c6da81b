"""Which hosts outside this installation contacts, worked out from its configuration; there is no other way out."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from chime.config import Config

META = "graph.facebook.com"
# Where browsers have their messages sent: Chrome and what is made of it, Firefox, Safari, Edge.
PUSH_SERVICES = ("fcm.googleapis.com", "*.push.services.mozilla.com", "*.push.apple.com", "*.notify.windows.com")


class OutsideHost(msgspec.Struct, frozen=True, kw_only=True):
    """`purpose` is an English phrase from here, for `_()`."""

    host: str
    port: int
    purpose: str


def hosts(config: Config) -> list[OutsideHost]:
    """In the order in which they matter. A feature that lets people name addresses adds a line of its own."""
    graph = urlsplit(config.graph_url)
    name, port = graph.hostname or "", graph.port or (443 if graph.scheme == "https" else 80)
    found = [OutsideHost(host=name, port=port, purpose="WhatsApp messages and templates")]
    if name == META:
        found += [OutsideHost(host=host, port=443, purpose="files that customers sent")
                  for host in ("*.fbsbx.com", "*.fbcdn.net")]
    if config.mail_server is not None:
        found.append(OutsideHost(host=config.mail_server.host, port=config.mail_server.port, purpose="mails"))
    if config.public_url:
        own = urlsplit(config.public_url)
        found.append(OutsideHost(host=own.hostname or "", port=own.port or (443 if own.scheme == "https" else 80),
                                 purpose="our own address, to see from outside that it works"))
    if config.oidc is not None:
        issuer = urlsplit(config.oidc.issuer)
        found.append(OutsideHost(host=issuer.hostname or "", port=issuer.port or 443, purpose="signing in"))
    found += [OutsideHost(host=host, port=443, purpose="sealed messages to browsers whose people turned push on")
              for host in PUSH_SERVICES]
    found += [OutsideHost(host=host, port=port, purpose="named by the operator") for host, port in config.egress_allow]
    return found
