"""What the tests of signing in with a provider share: a world with one, people at it, browsers that go and come."""

from __future__ import annotations

import html
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from chime.config import SignInProvider
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider, oidc_provider
from tests.support.world import PASSWORD, World, running_world

ONWARD = re.compile(r'content="0; url=([^"]+)"')
TOKEN = re.compile(r'name="csrf[-_]token" (?:content|value)="([^"]+)"')


@dataclass
class Yard:
    """A world, its provider, and the trust in the provider's certificate that browsers have."""

    world: World
    provider: OidcProvider
    tls: ssl.SSLContext

    async def browser(self) -> httpx.AsyncClient:
        """Nobody is signed in with it."""
        return await self.world._stack.enter_async_context(
            httpx.AsyncClient(base_url=self.world.base, timeout=20, verify=self.tls))

    async def known(self, name: str) -> httpx.AsyncClient:
        """Signed in with a password."""
        return await with_token(await self.signed_in_by_password(name))

    async def signed_in_by_password(self, name: str) -> httpx.AsyncClient:
        client = await self.browser()
        answer = await client.post("/sign-in", data={"email": f"{name}@example.com", "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return client

    def becomes(self, subject: str, *, email: str | None = None, groups: list[str] | None = None,
                verified: object = True, **claims: Any) -> None:
        """Whom the provider signs in next."""
        self.provider.person = {"sub": subject, "email": email or f"{subject}@example.com", "email_verified": verified,
                                "name": subject.capitalize(), "groups": groups or [], **claims}

    async def leave(self, client: httpx.AsyncClient, path: str = "/sign-in/provider", **fields: str) -> str:
        """Press the button; where it leads."""
        page = await client.post(path, data=fields)
        assert page.status_code == 200, page.text
        return html.unescape(ONWARD.search(page.text)[1])  # type: ignore[index]

    async def sent_back(self, client: httpx.AsyncClient, url: str) -> str:
        """Sign in at the provider; the address to which it sends the browser."""
        answer = await client.get(url)
        assert answer.status_code == 302, answer.text
        return str(answer.headers["location"])

    async def sign_in(self, client: httpx.AsyncClient, **fields: str) -> httpx.Response:
        """There and back; the answer to the way back."""
        return await client.get(await self.sent_back(client, await self.leave(client, **fields)))

    async def rule(self, group: str, role: str, *, workspace: str = "", agreed: bool = True) -> None:
        """A rule that somebody agreed to, or that waits."""
        at = 1 if agreed else None
        async with self.world.services.control.ingest("test") as tx:
            await tx.execute("INSERT INTO group_role (id, workspace_id, group_name, role, created_at, agreed_at) "
                             "VALUES (?, ?, ?, ?, 1, ?)", tx.new_id(), workspace or self.world.acme.workspace_id, group,
                             role, at)

    async def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return await self.world.services.control.db.rows(sql, *values)

    async def role(self, email: str, workspace: str = "acme") -> str:
        """What somebody is in a workspace; empty for nobody."""
        found = await self.rows("SELECT role FROM membership JOIN user ON user.id = user_id JOIN workspace "
                                "ON workspace.id = workspace_id WHERE email = ? AND slug = ?", email, workspace)
        return found[0][0] if found else ""

    async def is_in(self, client: httpx.AsyncClient) -> bool:
        return (await client.get("/me")).status_code == 200


async def with_token(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Unsafe calls carry the token, as forms do."""
    page = await client.get("/me")
    client.headers["X-CSRF-Token"] = TOKEN.search(page.text)[1]  # type: ignore[index]
    return client


@asynccontextmanager
async def oidc_world(installation: Path, folder: Path, monkeypatch: pytest.MonkeyPatch,
                     **options: Any) -> AsyncIterator[Yard]:
    """`options` are those of the provider in the configuration that shall be others."""
    async with oidc_provider(folder) as (provider, pem):
        # Believed as an operator's own authority is: by what this machine trusts.
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        config = SignInProvider(**{"issuer": provider.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
                                   "name": "Test Login", "scopes": "openid email profile", "groups_claim": "groups",
                                   "only": False, "trusts_mfa": False, **options})
        port = int(provider.issuer.rpartition(":")[2])
        async with running_world(installation, folder / "data", oidc=config,
                                 egress_allow=(("localhost", port),)) as world:
            provider.redirect_uri = f"{world.base}/sign-in/provider/answer"
            provider.clock = lambda: world.clock.real_now() / 1000
            yield Yard(world, provider, ssl.create_default_context(cafile=str(pem)))
