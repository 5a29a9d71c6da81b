"""Self-checks of the running application, asked from inside as a stranger would ask from outside."""

from __future__ import annotations

import ipaddress
import random
import re

import msgspec

from chime.security import limits
from chime.security.addresses import NotAllowed, may_call
from chime.security.limits import Limit, RateLimiter
from chime.trust.ground import Asgi, Ground
from chime.trust.inside import ask
from chime.trust.model import Broken, Route, Skipped
from chime.trust.public_routes import PUBLIC
from chime.web.egress import Egress

_NOT_RUNNING = "only the running service can be asked"
_REFUSALS = frozenset({303, 401, 403, 404, 429})
PROMISED = (Limit(3, 1), Limit(20, 10), Limit(100, 60))
_YEAR = 31_536_000
# What every answer must say; a pattern for each header.
HEADERS: dict[str, str] = {
    "content-security-policy": r"default-src 'none'(?!.*unsafe-(inline|eval)).*frame-ancestors 'none'",
    "x-content-type-options": r"nosniff$",
    "x-frame-options": r"DENY$",
    "referrer-policy": r"(same-origin|no-referrer)$",
    "permissions-policy": r".*camera=\(\)",
    "cross-origin-resource-policy": r"same-origin$",
    "strict-transport-security": r"max-age=\d+; includeSubDomains",
}
_ABSENT = ("server", "x-powered-by", "access-control-allow-origin", "access-control-allow-credentials")
# Addresses that lead inside, in some of the ways they can be written.
INSIDE = ("https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/", "https://192.168.1.1/",
          "https://169.254.169.254/latest/meta-data/", "https://[::ffff:169.254.169.254]/", "https://2130706433/",
          "https://0x7f.1/", "https://017700000001/", "https://100.64.0.1/", "https://[64:ff9b::7f00:1]/",
          "http://example.com/", "https://example.com:8443/", "https://user@example.com/", "ftp://example.com/")


def _app(ground: Ground) -> Asgi:
    if ground.app is None:
        raise Skipped(_NOT_RUNNING)
    return ground.app


async def permissions(ground: Ground) -> str:
    """Every address asks for a permission or stands in the short list of public ones; a stranger who opens any of the
    others gets nothing."""
    app = _app(ground)
    faults = [route.path for route in ground.routes if bool(route.permission) == route.is_public]
    faults += [route.path for route in ground.routes if route.is_public and not _is_listed(ground, route)]
    if faults:
        raise Broken(f"neither a permission nor on the list of public addresses: {', '.join(sorted(set(faults))[:5])}")
    asked = 0
    for number, route in enumerate(route for route in ground.routes if not route.is_public and "GET" in route.methods):
        answer = await ask(app, "GET", re.sub(r"{[^}]*}", "0" * 26, route.path), caller=1 + number % 60_000)
        if answer.status not in _REFUSALS:
            raise Broken(f"a stranger who asks for {route.path} is answered {answer.status}")
        asked += 1
    return f"{len(ground.routes)} addresses, {asked} asked without a session"


def _is_listed(ground: Ground, route: Route) -> bool:
    """The simulator is part of a demo only."""
    return route.path in PUBLIC or (ground.config.demo and route.path.startswith("/simulator"))


async def headers(ground: Ground) -> str:
    """What tells a browser to run nothing of strangers' is on every answer, errors too, and nothing lets another site
    read one."""
    app = _app(ground)
    paths = ("/healthz", "/sign-in", "/api/v1/openapi.json", "/api/v1/contacts", "/no/such/address")
    for path in paths:
        answer = await ask(app, "GET", path, headers={"origin": "https://evil.invalid"})
        for name, pattern in HEADERS.items():
            if not re.match(pattern, answer.header(name)):
                raise Broken(f"{path} ({answer.status}) says {name}: {answer.header(name) or 'nothing'}")
        lasts = re.match(r"max-age=(\d+)", answer.header("strict-transport-security"))
        if lasts is None or int(lasts[1]) < _YEAR:
            raise Broken(f"{path}: HTTPS is promised for less than a year")
        kind = answer.header("content-type")
        if answer.body and (not kind or (kind.startswith("text/") and "charset=utf-8" not in kind)):
            raise Broken(f"{path} does not say what it is: {kind or 'nothing'}")
        told = [name for name in _ABSENT if answer.header(name)]
        if told:
            raise Broken(f"{path} says {', '.join(told)}")
    return f"{len(HEADERS)} headers on {len(paths)} kinds of answers"


async def other_sites(ground: Ground) -> str:
    """A form that another site sends is refused."""
    app = _app(ground)
    for given in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
                  {"origin": "https://evil.invalid"}):
        answer = await ask(app, "POST", "/sign-in", body=b"email=a%40example.com&password=x",
                           headers=given | {"content-type": "application/x-www-form-urlencoded"})
        if answer.status not in (403, 429):
            raise Broken(f"a form of another site was answered {answer.status}")
    return "3 kinds of forms from elsewhere"


async def webhooks(ground: Ground) -> str:
    """A webhook that Meta did not sign is refused, and nothing of it is kept."""
    app, db = _app(ground), ground.control.db
    keys = [row[0] for row in await db.rows("SELECT app_key FROM meta_app LIMIT 5")]
    body = msgspec.json.encode({"object": "whatsapp_business_account", "entry": []})
    wrong = "sha256=" + "0" * 64
    for key in (*keys, "no-such-app"):
        for signature in (wrong, "", "sha1=" + "0" * 40):
            given = {"content-type": "application/json"} | ({"x-hub-signature-256": signature} if signature else {})
            answer = await ask(app, "POST", f"/webhooks/whatsapp/{key}", headers=given, body=body)
            if answer.status not in (401, 429):
                raise Broken(f"a webhook that is not signed was answered {answer.status}")
    return f"{3 * (len(keys) + 1)} forgeries refused"


async def exact_limits(ground: Ground) -> str:
    """The limiter as it runs here: 3 a second, 20 in ten seconds, 100 a minute, whatever moment one looks at."""
    if ground.limiter is None:
        raise Skipped(_NOT_RUNNING)
    now, chance = 0.0, random.Random(20_000)
    tried = RateLimiter(lambda: now)
    times: list[float] = []
    for _ in range(3_000):
        now += chance.choice((0.0, 0.01, 0.05, 0.3, 1.0, 2.5))
        if tried.take(limits.API.of("a caller that does not exist")).allowed:
            times.append(now)
    for limit in PROMISED:
        if any(later - first < limit.seconds for first, later in zip(times, times[limit.count:], strict=False)):
            raise Broken(f"more than {limit.count} calls were let through in {limit.seconds:g} seconds")
    if ground.limiter.policy(limits.API) != PROMISED:
        if ground.config.rate_factor != 1:
            raise Skipped(f"the operator allows {ground.config.rate_factor} times as many calls")
        raise Broken("the limits in force are not the promised ones")
    return f"{len(times)} of 3000 calls let through"


async def outside(ground: Ground) -> str:
    """An address that leads into the operator's network is refused before anything is resolved or opened."""
    egress = ground.egress or Egress()
    allowed = {host for host, _ in ground.config.egress_allow}
    tried = 0
    for address in INSIDE:
        if any(host in address for host in allowed):
            continue
        if _leads_somewhere(egress, address):
            raise Broken(f"{address} could be called")
        tried += 1
    return f"{tried} addresses refused"


def _leads_somewhere(egress: Egress, address: str) -> bool:
    """Whether it passes both questions: the one about how it is written, and the one before a connection."""
    try:
        target = egress.check(address)
        return may_call(ipaddress.ip_address(target.host), allowed=target.allowed)
    except (NotAllowed, ValueError):
        return False


async def https(ground: Ground) -> str:
    """People and Meta reach this installation over HTTPS."""
    address = ground.config.public_url
    if ground.config.demo or not address:
        raise Skipped("no public address is configured")
    if not address.startswith("https://"):
        raise Broken("the public address is not https")
    return "the public address is https"
