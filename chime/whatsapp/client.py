"""The one door to Meta's Graph API: every call, its deadlines, and what an error of the network means.

Calls fail with GraphRefused, NotSent or Doubtful (see `answers`); a call that is cancelled is doubtful.
Promise: a token goes to the Graph host and Meta's media hosts only, a simulated one to the simulator of this process
only, and nothing here is logged.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec

from chime import __version__
from chime.security.vault import Secret
from chime.whatsapp import lenient
from chime.whatsapp.answers import Doubtful, MediaLocation, MediaTooLarge, NotSent, SendAccepted, understand
from chime.whatsapp.lenient import mapping, mappings, text
from chime.whatsapp.simulated import is_simulated
from chime.whatsapp.transport import GraphTransport
from chime.whatsapp.upload_form import UploadForm

# Meta's media host has refused the names HTTP libraries give themselves. Nothing here gains from compression, and
# an answer that is not packed cannot unpack to gigabytes.
_HEADERS = {"User-Agent": f"Chime/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
_TIMEOUTS = httpx.Timeout(connect=5, read=20, write=20, pool=10).as_dict()
# Meta looks through a file before it answers.
_UPLOAD_TIMEOUTS = httpx.Timeout(connect=5, read=120, write=30, pool=10).as_dict()
# Of a whole call but an upload, so that an answer that drips byte by byte ends too.
_DEADLINE = 60.0
_LONGEST_ANSWER = 16 << 20
_GRAPH_HOST = "graph.facebook.com"
_MEDIA_HOST = re.compile(r"(?:[a-z0-9-]+\.)*(?:fbsbx\.com|fbcdn\.net)")
# No address that leads anywhere: what is asked of the simulator never leaves the process.
SIMULATOR = "http://simulator.invalid/simulator/graph/v1"
_SIMULATOR_ORIGIN = ("http", "simulator.invalid", 80)
_REDIRECTS = 2
_MOST_ADDRESSES = 4096
_NODE = re.compile(r"[A-Za-z0-9_-]{1,128}")
# Spaces inside are for app secrets, which stand in the header of `debug_token`.
_TOKEN = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_TEMPLATES_A_PAGE = 100
_TEMPLATE_PAGES = 200
_TEMPLATE_FIELDS = (
    "id,name,status,category,language,components,parameter_format,quality_score,rejected_reason,previous_category,"
    "correct_category,sub_category,message_send_ttl_seconds"
)
_NUMBER_FIELDS = (
    "id,display_phone_number,verified_name,quality_rating,status,name_status,new_name_status,"
    "code_verification_status,platform_type,throughput,health_status,webhook_configuration,"
    "is_official_business_account,last_onboarded_time,whatsapp_business_manager_messaging_limit,username"
)


class GraphClient:
    """Talks to one Graph API: Meta's, the simulator's or a test's. Safe to share between all workspaces."""

    def __init__(self, base_url: str, version: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._base = f"{base_url.rstrip('/')}/{version}"
        self._origin = _origin(httpx.URL(base_url))
        # The transport itself, without httpx's client around it: that keeps cookies and follows redirects, which we
        # refuse, and takes as long for each request as all the rest of a send.
        self._transport = transport or GraphTransport()
        self.simulator: httpx.AsyncBaseTransport | None = None
        """Where calls with a simulated token go, inside this process; without one nowhere"""
        self._addresses: dict[str, httpx.URL] = {}
        self.dated: tuple[str, float] | None = None
        """The clock of the last answer, and the loop's time when it came: what our own clock is held against"""

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def send(
        self, phone_number_id: str, token: Secret, body: Mapping[str, Any], *, attempt: int = 1,
        app_secret: bytes | None = None,
    ) -> SendAccepted:
        """Send one message. `attempt` (from 1) spaces the retries that a refusal proposes."""
        answer = await self._call(
            "POST", f"{_node('phone_number_id', phone_number_id)}/messages", token, app_secret=app_secret,
            body=msgspec.json.encode(body), attempt=attempt,
        )
        message = next(mappings(answer.get("messages")), {})
        contact = next(mappings(answer.get("contacts")), {})
        wamid = text(message.get("id"))
        if wamid is None:
            raise Doubtful("WhatsApp's answer names no message.")
        return SendAccepted(
            wamid=wamid, wa_id=lenient.phone(contact.get("wa_id")), user_id=lenient.user_id(contact.get("user_id")),
            message_status=text(message.get("message_status")) or "accepted",
        )

    async def mark_read(
        self, phone_number_id: str, token: Secret, body: Mapping[str, Any], *, app_secret: bytes | None = None
    ) -> None:
        """Mark a message and all before it as read; the body may also show that somebody is typing."""
        path = f"{_node('phone_number_id', phone_number_id)}/messages"
        await self._call("POST", path, token, app_secret=app_secret, body=msgspec.json.encode(body))

    async def block_user(
        self, phone_number_id: str, token: Secret, *, blocked: bool, phone: str | None, user_id: str | None,
        app_secret: bytes | None = None,
    ) -> None:
        """Block one person on a number, or let them in again; saying it twice does no harm. One person in a call, so
        that an answer is about nobody else."""
        who = {"user": f"+{phone}"} if phone else {"user_id": user_id}
        await self._call(
            "POST" if blocked else "DELETE", f"{_node('phone_number_id', phone_number_id)}/block_users", token,
            app_secret=app_secret,
            body=msgspec.json.encode({"messaging_product": "whatsapp", "block_users": [who]}),
        )

    async def upload_media(
        self, phone_number_id: str, token: Secret, content: AsyncIterator[bytes], *, size: int, mime_type: str,
        filename: str, app_secret: bytes | None = None,
    ) -> str:
        """Upload a file of exactly `size` bytes as it is read; gives its media id, good for 30 days on this number."""
        path = f"{_node('phone_number_id', phone_number_id)}/media"
        form = UploadForm(content, size=size, mime_type=mime_type, filename=filename)
        answer = await self._call("POST", path, token, app_secret=app_secret, headers=form.headers, body=form)
        media_id = text(answer.get("id"))
        if media_id is None:
            raise Doubtful("WhatsApp's answer names no file.")
        return media_id

    async def media_url(
        self, media_id: str, phone_number_id: str, token: Secret, *, app_secret: bytes | None = None
    ) -> MediaLocation:
        """Ask for a fresh address of a file; Meta checks that it belongs to the number."""
        query = {"phone_number_id": _node("phone_number_id", phone_number_id)}
        answer = await self._call("GET", _node("media_id", media_id), token, app_secret=app_secret, query=query)
        url = text(answer.get("url"))
        if url is None:
            raise Doubtful("WhatsApp's answer names no address for the file.")
        return MediaLocation(
            url=url, mime_type=text(answer.get("mime_type")) or "application/octet-stream",
            sha256=lenient.digest(answer.get("sha256")), size=lenient.number(answer.get("file_size")),
        )

    async def download(self, url: str, token: Secret, *, limit_bytes: int) -> AsyncGenerator[bytes, None]:
        """The bytes behind an address that `media_url` or a webhook gave. Close it when you stop early.

        The address may have come in a webhook, which whoever knows the app's secret can sign; so only the Graph host
        and Meta's media hosts are asked at all. Raises MediaTooLarge beyond `limit_bytes`.
        """
        target = _address(url)
        if not self._trusts(target, token):
            raise NotSent("url: the address of the file is not one of Meta's.")
        for _ in range(_REDIRECTS + 1):
            headers = dict(_HEADERS)
            if self._trusts(target, token):
                headers["Authorization"] = _bearer(token)
            request = httpx.Request("GET", target, headers=headers, extensions={"timeout": _TIMEOUTS})
            async with self._exchange(request, token) as response:
                if not response.has_redirect_location:
                    async for chunk in _file(response, token, limit_bytes):
                        yield chunk
                    return
                target = _redirected(target, response.headers["location"])
        raise NotSent("The address of the file leads around in circles.")

    async def templates(
        self, waba_id: str, token: Secret, *, app_secret: bytes | None = None
    ) -> list[dict[str, Any]]:
        """All message templates of an account, as Meta writes them."""
        path = f"{_node('waba_id', waba_id)}/message_templates"
        query = {"fields": _TEMPLATE_FIELDS, "limit": str(_TEMPLATES_A_PAGE)}
        found: list[dict[str, Any]] = []
        for _ in range(_TEMPLATE_PAGES):
            answer = await self._call("GET", path, token, app_secret=app_secret, query=query)
            found.extend(mappings(answer.get("data")))
            paging = mapping(answer.get("paging"))
            # `next` tells that there is more. It is not followed as it stands: Meta writes the token into it.
            after = text(mapping(paging.get("cursors")).get("after")) if paging.get("next") else None
            if after is None:
                return found
            if after == query.get("after"):
                break
            query["after"] = after
        raise Doubtful("WhatsApp's list of templates does not end.")

    async def phone_number(
        self, phone_number_id: str, token: Secret, *, app_secret: bytes | None = None
    ) -> dict[str, Any]:
        """What Meta knows of a number: its name, quality, limits, health."""
        path = _node("phone_number_id", phone_number_id)
        return await self._call("GET", path, token, app_secret=app_secret, query={"fields": _NUMBER_FIELDS})

    async def subscribed_apps(
        self, waba_id: str, token: Secret, *, app_secret: bytes | None = None
    ) -> list[dict[str, Any]]:
        """The apps that hear of an account. When ours is missing nothing arrives, and no error says so."""
        path = f"{_node('waba_id', waba_id)}/subscribed_apps"
        answer = await self._call("GET", path, token, app_secret=app_secret)
        return list(mappings(answer.get("data")))

    async def subscribe_app(self, waba_id: str, token: Secret, *, app_secret: bytes | None = None) -> None:
        """Have the token's app hear of an account."""
        path = f"{_node('waba_id', waba_id)}/subscribed_apps"
        await self._call("POST", path, token, app_secret=app_secret)

    async def subscriptions(self, app_id: str, app_secret: bytes) -> list[dict[str, Any]]:
        """Where an app's webhooks go, and which fields it hears of: `object`, `callback_url`, `active`, `fields`."""
        answer = await self._call("GET", f"{_node('app_id', app_id)}/subscriptions", _app_token(app_id, app_secret))
        return list(mappings(answer.get("data")))

    async def debug_token(self, token: Secret, app_id: str, app_secret: bytes) -> dict[str, Any]:
        """What a token is good for: `is_valid`, `expires_at` (0 = never), `scopes`, `granular_scopes`, `app_id`."""
        answer = await self._call("GET", "debug_token", _app_token(app_id, app_secret), asked=token)
        return mapping(answer.get("data"))

    async def _call(
        self, method: str, path: str, token: Secret, *, app_secret: bytes | None = None,
        query: Mapping[str, str] | None = None, body: bytes | AsyncIterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None, attempt: int = 1, asked: Secret | None = None,
    ) -> dict[str, Any]:
        """One request to the Graph API and the JSON object it answers with. `asked` is a token asked about."""
        upload = body is not None and not isinstance(body, bytes)
        parameters = dict(query or {})
        secrets = [token.reveal()]
        if asked is not None:
            parameters["input_token"] = asked.reveal()
            secrets.append(asked.reveal())
        if app_secret is not None:
            parameters["appsecret_proof"] = hmac.digest(app_secret, token.reveal().encode(), "sha256").hex()
        sent = {**_HEADERS, "Authorization": _bearer(token), **(headers or {})}
        if isinstance(body, bytes):
            sent["Content-Type"] = "application/json"
        address = self._address(path, parameters, simulated=is_simulated(token.reveal()))
        request = httpx.Request(
            method, address, headers=sent, content=body,
            extensions={"timeout": _UPLOAD_TIMEOUTS if upload else _TIMEOUTS},
        )
        try:
            async with asyncio.timeout(None if upload else _DEADLINE), self._exchange(request, token) as response:
                content = await _content(response)
        except TimeoutError:
            raise Doubtful("WhatsApp took too long to answer.") from None
        if method == "GET":
            self.dated = (response.headers.get("date", ""), asyncio.get_running_loop().time())
        return understand(response.status_code, response.headers, content, attempt=attempt, secrets=secrets)

    @asynccontextmanager
    async def _exchange(self, request: httpx.Request, token: Secret) -> AsyncIterator[httpx.Response]:
        """Hand a request over and have the head of its answer; the rest is read inside, the connection freed after."""
        transport = self.simulator if is_simulated(token.reveal()) else self._transport
        if transport is None:
            raise NotSent("The simulated WhatsApp does not run.")
        with _in_our_words():
            response = await transport.handle_async_request(request)
        try:
            yield response
        finally:
            await response.aclose()

    def _address(self, path: str, parameters: Mapping[str, str], *, simulated: bool) -> httpx.URL:
        """The address of a node. httpx takes 60 µs to read one, so those of our own numbers are kept."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        address = self._addresses.get(path + query)
        if address is None:
            address = httpx.URL(f"{SIMULATOR if simulated else self._base}/{path}{query}")
            if path.endswith("/messages") and len(self._addresses) < _MOST_ADDRESSES:
                self._addresses[path + query] = address
        return address

    def _trusts(self, url: httpx.URL, token: Secret) -> bool:
        """Whether a token may be shown to this address."""
        scheme, host, port = _origin(url)
        if is_simulated(token.reveal()):
            return (scheme, host, port) == _SIMULATOR_ORIGIN
        if (scheme, host, port) == self._origin:
            return True
        return (scheme, port) == ("https", 443) and (host == _GRAPH_HOST or _MEDIA_HOST.fullmatch(host) is not None)


@contextmanager
def _in_our_words() -> Iterator[None]:
    """An error of httpx as one of ours. Its own text may hold an address with a token in it, so it is dropped."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout):
        raise NotSent("No connection to WhatsApp could be made.") from None
    except httpx.PoolTimeout:
        raise NotSent("Too many calls to WhatsApp wait for their turn.") from None
    except (httpx.UnsupportedProtocol, httpx.InvalidURL):
        raise NotSent("The address is none that can be called.") from None
    except httpx.TimeoutException:
        raise Doubtful("WhatsApp did not answer in time.") from None
    except httpx.RequestError:
        raise Doubtful("The connection to WhatsApp broke before the answer was there.") from None


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    with _in_our_words():
        async for chunk in response.aiter_bytes():
            yield chunk


async def _content(response: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in _chunks(response):
        content += chunk
        if len(content) > _LONGEST_ANSWER:
            raise Doubtful("WhatsApp's answer is too long to be one.")
    return bytes(content)


async def _file(response: httpx.Response, token: Secret, limit_bytes: int) -> AsyncIterator[bytes]:
    if response.status_code != httpx.codes.OK:
        content = await _content(response)
        understand(response.status_code, response.headers, content, attempt=1, secrets=[token.reveal()])
        raise Doubtful(f"The file came with status {response.status_code}.")
    announced = lenient.number(response.headers.get("content-length")) or 0
    if announced > limit_bytes:
        raise MediaTooLarge(f"The file has {announced} bytes; at most {limit_bytes} are taken.")
    size = 0
    async for chunk in _chunks(response):
        size += len(chunk)
        if size > limit_bytes:
            raise MediaTooLarge(f"The file has more than {limit_bytes} bytes.")
        yield chunk


def _node(field: str, value: str) -> str:
    """An id of Meta's as part of a path; anything else could lead elsewhere."""
    if not _NODE.fullmatch(value):
        raise NotSent(f"{field}: this is not an id of Meta's.")
    return value


def _app_token(app_id: str, app_secret: bytes) -> Secret:
    return Secret(f"{_node('app_id', app_id)}|{app_secret.decode('utf-8', 'replace')}")


def _bearer(token: Secret) -> str:
    value = token.reveal()
    if not _TOKEN.fullmatch(value):
        raise NotSent("token: it is empty or holds characters that no token has.")
    return f"Bearer {value}"


def _address(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise NotSent("url: the address of the file cannot be read.") from None
    if address.userinfo:
        raise NotSent("url: the address of the file cannot be read.")
    return address


def _redirected(source: httpx.URL, location: str) -> httpx.URL:
    """Where a redirect leads: any host (which gets no token unless it is Meta's), but never from TLS to plain text."""
    try:
        target = source.join(location)
    except (httpx.InvalidURL, ValueError):
        raise NotSent("The address of the file leads nowhere.") from None
    if target.scheme not in ("https", source.scheme) or not target.host or target.userinfo:
        raise NotSent("The address of the file leads to a place that is not safe.")
    return target


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)
