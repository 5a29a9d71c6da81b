"""The one door to Meta's Graph API: every call, and what its failure means to the caller.

Meta knows no idempotency key, so each failure says what may be done about it (whatsapp-messaging.md 7):
`GraphRefused` Meta answered with an error, `failure.verdict` says whether and when to try again; `NotSent` nothing of
the request left this machine; `Doubtful` it may have taken effect. A call that is cancelled is doubtful too.
Promise: a token goes to the Graph host and Meta's media hosts only; no error holds a token, or anything of a body but
the words Meta itself wrote into `failure.details`; nothing is logged.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, NoReturn

import httpx
import msgspec
from msgspec import Struct

from chime import __version__
from chime.errors import ChimeError
from chime.ids import Ids
from chime.security.vault import Secret
from chime.whatsapp import lenient
from chime.whatsapp.errors import Failure, classify
from chime.whatsapp.lenient import mapping, mappings, text
from chime.whatsapp.transport import GraphTransport

# Meta's media host has refused the names HTTP libraries give themselves. Nothing here gains from compression, and
# an answer that is not packed cannot unpack to gigabytes.
_HEADERS = {"User-Agent": f"Chime/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
_TIMEOUTS = httpx.Timeout(connect=5, read=20, write=20, pool=10)
# Meta looks through a file before it answers.
_UPLOAD_TIMEOUTS = httpx.Timeout(connect=5, read=120, write=30, pool=10)
# Of a whole call, so that an answer that drips byte by byte ends too.
_DEADLINE = 60.0
_LONGEST_ANSWER = 16 << 20
_MEDIA_HOSTS = re.compile(r"(?:[a-z0-9-]+\.)*(?:fbsbx\.com|fbcdn\.net)")
_GRAPH_HOST = "graph.facebook.com"
_REDIRECTS = 2
_NODE = re.compile(r"[A-Za-z0-9_-]{1,128}")
_TOKEN = re.compile(r"[!-~]+")
_MIME_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}(?:; ?[\w-]+=[\w.+-]+)*", re.ASCII)
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


class GraphRefused(ChimeError):
    """Meta answered with an error. `failure` says what it means, `http_status` is of interest for media only."""

    status = 422
    title = "WhatsApp refused"

    def __init__(self, failure: Failure, *, http_status: int = 0) -> None:
        super().__init__(f"{failure.title} (code {failure.code}). {failure.what_to_do}")
        self.failure = failure
        self.http_status = http_status


class NotSent(ChimeError):
    """Certainly nothing happened at Meta: the request never left. It may be repeated freely."""

    status = 503
    title = "WhatsApp could not be reached"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Doubtful(ChimeError):
    """The request left and no answer says what became of it. A message must not be sent again blindly."""

    status = 503
    title = "WhatsApp did not answer clearly"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MediaTooLarge(ChimeError):
    """A file is larger than the caller takes. What came of it so far is no whole file."""

    status = 422
    title = "The file is too large"


class SendAccepted(Struct, frozen=True, kw_only=True):
    """Meta took the message; that it arrives, only a status says. `wa_id` may differ from the number written to."""

    wamid: str
    wa_id: str | None
    user_id: str | None
    message_status: str


class MediaLocation(Struct, frozen=True, kw_only=True):
    """Where a file can be fetched for the next five minutes."""

    url: str
    mime_type: str
    sha256: str | None
    size: int | None


class GraphClient:
    """Talks to one Graph API: Meta's, the simulator's or a test's. Safe to share between all workspaces."""

    def __init__(self, base_url: str, version: str, *, http: httpx.AsyncClient | None = None) -> None:
        self._base = f"{base_url.rstrip('/')}/{version}"
        self._origin = _origin(httpx.URL(base_url))
        self._own = http is None
        self._http = http or _http()

    async def close(self) -> None:
        """Close the connections, unless the caller brought the HTTP client."""
        if self._own:
            await self._http.aclose()

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

    async def upload_media(
        self, phone_number_id: str, token: Secret, content: AsyncIterator[bytes], *, size: int, mime_type: str,
        filename: str, app_secret: bytes | None = None,
    ) -> str:
        """Upload a file of exactly `size` bytes as it is read; gives its media id, good for 30 days on this number."""
        path = f"{_node('phone_number_id', phone_number_id)}/media"
        if not _MIME_TYPE.fullmatch(mime_type):
            raise NotSent("mime_type: this is not the name of a file type.")
        boundary = Ids().token(24)
        before, after = _form_around_file(boundary, mime_type, filename)
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(before) + size + len(after)),
        }
        answer = await self._call(
            "POST", path, token, app_secret=app_secret, headers=headers, body=_form(before, content, size, after),
            timeouts=_UPLOAD_TIMEOUTS, deadline=None,
        )
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
        if not self._trusts(target):
            raise NotSent("url: the address of the file is not one of Meta's.")
        for _ in range(_REDIRECTS + 1):
            headers = dict(_HEADERS)
            if self._trusts(target):
                headers["Authorization"] = _bearer(token)
            request = self._http.build_request("GET", target, headers=headers, timeout=_TIMEOUTS)
            async with self._exchange(request) as response:
                if not response.has_redirect_location:
                    async for chunk in self._file(response, token, limit_bytes):
                        yield chunk
                    return
                target = self._redirected(target, response.headers["location"])
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
            if after is None or after == query.get("after"):
                return found
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

    async def debug_token(self, token: Secret, app_id: str, app_secret: bytes) -> dict[str, Any]:
        """What a token is good for: `is_valid`, `expires_at` (0 = never), `scopes`, `granular_scopes`, `app_id`."""
        app_token = Secret(f"{_node('app_id', app_id)}|{app_secret.decode('utf-8', 'replace')}")
        _bearer(token)
        answer = await self._call("GET", "debug_token", app_token, query={"input_token": token.reveal()}, asked=token)
        return mapping(answer.get("data"))

    async def _call(
        self, method: str, path: str, token: Secret, *, app_secret: bytes | None = None,
        query: Mapping[str, str] | None = None, body: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None, attempt: int = 1, timeouts: httpx.Timeout = _TIMEOUTS,
        deadline: float | None = _DEADLINE, asked: Secret | None = None,
    ) -> dict[str, Any]:
        """One request to the Graph API and the JSON object it answers with. `asked` is a token asked about."""
        parameters = dict(query or {})
        if app_secret is not None:
            parameters["appsecret_proof"] = hmac.digest(app_secret, token.reveal().encode(), "sha256").hex()
        sent = {**_HEADERS, "Authorization": _bearer(token), **(headers or {})}
        if isinstance(body, bytes):
            sent["Content-Type"] = "application/json"
        request = self._http.build_request(
            method, f"{self._base}/{path}", params=parameters, headers=sent, content=body, timeout=timeouts
        )
        try:
            async with asyncio.timeout(deadline), self._exchange(request) as response:
                content = await _content(response)
        except TimeoutError:
            raise Doubtful("WhatsApp took too long to answer.") from None
        answer = _object(content)
        error = answer.get("error") if answer is not None else None
        if answer is None or isinstance(error, dict) or not response.is_success:
            secrets = [token.reveal(), *([asked.reveal()] if asked else [])]
            _refuse(response, error if isinstance(error, dict) else None, attempt, secrets)
        return answer

    @asynccontextmanager
    async def _exchange(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        """Hand the request over and have the head of its answer; errors of the network become our three."""
        with _in_our_words():
            response = await self._http.send(request, stream=True, follow_redirects=False)
        try:
            yield response
        finally:
            await response.aclose()

    async def _file(self, response: httpx.Response, token: Secret, limit_bytes: int) -> AsyncIterator[bytes]:
        if response.status_code != 200:
            error = mapping((_object(await _content(response)) or {}).get("error")) or None
            _refuse(response, error, 1, [token.reveal()])
        size = 0
        announced = lenient.number(response.headers.get("content-length")) or 0
        if announced > limit_bytes:
            raise MediaTooLarge(f"The file has {announced} bytes; at most {limit_bytes} are taken.")
        async for chunk in _chunks(response):
            size += len(chunk)
            if size > limit_bytes:
                raise MediaTooLarge(f"The file has more than {limit_bytes} bytes.")
            yield chunk

    def _trusts(self, url: httpx.URL) -> bool:
        """Whether a token may be shown to this address."""
        if _origin(url) == self._origin:
            return True
        metas = url.host == _GRAPH_HOST or _MEDIA_HOSTS.fullmatch(url.host) is not None
        return metas and _origin(url)[::2] == ("https", 443)

    def _redirected(self, source: httpx.URL, location: str) -> httpx.URL:
        """Where a redirect leads. Other hosts are asked without the token, and never over less than the source's TLS."""
        try:
            target = source.join(location)
        except (httpx.InvalidURL, ValueError):
            raise NotSent("The address of the file leads nowhere.") from None
        if target.scheme not in ("https", source.scheme) or not target.host or target.userinfo:
            raise NotSent("The address of the file leads to a place that is not safe.")
        return target


def _http() -> httpx.AsyncClient:
    """httpx on our transport. Cookies are refused: one client serves all workspaces."""
    cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx.AsyncClient(transport=GraphTransport(), cookies=cookies, trust_env=False, follow_redirects=False)


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


def _object(content: bytes) -> dict[str, Any] | None:
    """The JSON object in an answer, or None: a proxy's page, nothing at all, half an answer."""
    try:
        answer = lenient.decode(content)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _refuse(response: httpx.Response, error: dict[str, Any] | None, attempt: int, secrets: list[str]) -> NoReturn:
    """Raise what an answer without success means. Without Meta's own error only a plain refusal is certain."""
    status = response.status_code
    if error is None and (not 400 <= status < 500 or status == httpx.codes.REQUEST_TIMEOUT):
        raise Doubtful(f"WhatsApp answered with status {status} and nothing that can be read.")
    clean = None if error is None else _without(error, secrets)
    raise GraphRefused(classify(status, clean, attempt, response.headers), http_status=status)


def _without(value: Any, secrets: list[str]) -> Any:
    """`value` with the secrets masked: Meta quotes a malformed token in its message."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "…")
        return value
    if isinstance(value, dict):
        return {key: _without(item, secrets) for key, item in value.items()}
    return [_without(item, secrets) for item in value] if isinstance(value, list) else value


def _node(field: str, value: str) -> str:
    """An id of Meta's as part of a path; anything else could lead elsewhere."""
    if not _NODE.fullmatch(value):
        raise NotSent(f"{field}: this is not an id of Meta's.")
    return value


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


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def _form_around_file(boundary: str, mime_type: str, filename: str) -> tuple[bytes, bytes]:
    """What stands before and after the file in a multipart form."""
    fields = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("messaging_product", "whatsapp"), ("type", mime_type))
    )
    # Browsers' way to write a name into the header: only these three characters are encoded.
    name = filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    before = (
        f'{fields}--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {mime_type}\r\n\r\n"
    )
    return before.encode("utf-8", "replace"), f"\r\n--{boundary}--\r\n".encode()


async def _form(before: bytes, content: AsyncIterator[bytes], size: int, after: bytes) -> AsyncIterator[bytes]:
    """The whole form as it is sent. A file of another size breaks the request off, so nothing comes of it."""
    left = size
    yield before
    async for chunk in content:
        left -= len(chunk)
        if left < 0:
            break
        yield chunk
    if left != 0:
        raise NotSent("The file has another size than was announced.")
    yield after
