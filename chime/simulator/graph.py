"""The Graph API: what Chime calls at `CHIME_GRAPH_URL`. Every refusal has Meta's shape, status and code.

The order of a send is Meta's: token, number, limits (the switches), shape and content, acceptance. A send that is
answered with an error was not accepted; one that was accepted stands in the ledger.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from typing import Any, TypeAlias

from litestar import MediaType, Request, Response, Router, delete, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency, Provide
from litestar.exceptions import ClientException
from litestar.params import FromPath

from chime.security.limits import UNLIMITED
from chime.simulator import graph_answers
from chime.simulator.connections import drop
from chime.simulator.graph_errors import GraphError, bad, invalid, missing
from chime.simulator.model import UPLOADED_MEDIA_LIFE, Media, Number, Subscription, Token
from chime.simulator.sending import MEDIA_KINDS, read_send
from chime.simulator.simulator import Simulator

MEDIA_ROUTE = "/simulator/media"
MAX_UPLOAD = 101 << 20
# Meta takes these as `document`; they are not listed with a kind of their own.
_DOCUMENT_TYPES = ("text/plain", "application/")
# Public: the token in the header is the only credential, as with Meta; there is no cookie to forge a request with.
# Chime itself calls this in the demo, as often as it sends.
_OPTIONS = {"public": True, "no_csrf": True, "rate": UNLIMITED}

GraphRequest = Request[Any, Any, Any]
Injected: TypeAlias = NamedDependency[Simulator]
Id: TypeAlias = FromPath[str]
Answer = Response[dict[str, Any]]


@post("/{node:str}/messages", status_code=200)
async def create_message(request: GraphRequest, node: Id, simulator: Injected) -> Answer:
    """Send a message, mark one read, show that the business is typing."""
    number = _number(simulator, await _enter(simulator, request), node)
    body = await _json(request)
    if body.get("status") == "read":
        _mark_read(simulator, number, body)
        return Response({"success": True})
    _spoil(simulator)
    draft = read_send(simulator.world, number, body)
    limited = simulator.switches.pair_limit and draft.customer is not None
    if limited and draft.customer and not simulator.world.pair_allows(draft.customer, node):
        raise GraphError(131056, "Too many messages sent from this phone number to the same phone number.")
    dropped = simulator.switches.spend("accept_then_drop")
    answer = simulator.accept(number, draft, dropped=dropped)
    if dropped:
        await drop(request.receive)
    return Response(answer)


@post("/{node:str}/block_users", status_code=200)
async def create_block(request: GraphRequest, node: Id, simulator: Injected) -> Answer:
    """Block people who wrote within 24 hours."""
    number = _number(simulator, await _enter(simulator, request), node)
    return graph_answers.block(simulator, number, await _json(request), blocked=True)


@delete("/{node:str}/block_users", status_code=200)
async def delete_block(request: GraphRequest, node: Id, simulator: Injected) -> Answer:
    """Let people in again."""
    number = _number(simulator, await _enter(simulator, request), node)
    return graph_answers.block(simulator, number, await _json(request), blocked=False)


@post("/{node:str}/media", status_code=200, request_max_body_size=MAX_UPLOAD)
async def create_media(request: GraphRequest, node: Id, simulator: Injected) -> Answer:
    """Upload a file (multipart: messaging_product, type, file)."""
    number = _number(simulator, await _enter(simulator, request), node)
    try:
        form = await request.form()
    except ClientException as error:
        raise bad("The body is no valid multipart/form-data.") from error
    if form.get("messaging_product") != "whatsapp":
        raise bad("The parameter messaging_product is required.")
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise bad("The parameter file is required.")
    mime_type = str(form.get("type") or file.content_type or "")
    content = await file.read()
    _check_upload(mime_type, len(content))
    media = simulator.store_upload(number, content, mime_type, file.filename, UPLOADED_MEDIA_LIFE)
    return Response({"id": media.media_id})


@get("/{node:str}")
async def show_node(request: GraphRequest, node: Id, simulator: Injected) -> Answer:
    """A phone number with the asked fields, or a medium with a fresh address."""
    token = await _enter(simulator, request)
    if node in simulator.world.numbers:
        number = _number(simulator, token, node)
        return Response(graph_answers.phone_number(number, request.query_params.get("fields")))
    media = _media(simulator, request, node)
    return Response(graph_answers.media(simulator, media, f"{_origin(request)}{MEDIA_ROUTE}"))


@delete("/{node:str}", status_code=200)
async def delete_media(request: GraphRequest, node: Id, simulator: Injected) -> Answer:
    """Forget a medium."""
    await _enter(simulator, request)
    del simulator.world.media[_media(simulator, request, node).media_id]
    return Response({"success": True})


@get("/{node:str}/message_templates")
async def list_templates(request: GraphRequest, node: Id, simulator: Injected) -> Answer:
    """The templates of an account, a page at a time."""
    await _enter(simulator, request)
    _account(simulator, node)
    here = f"{_origin(request)}{request.url.path}"
    return Response(graph_answers.templates(simulator.world.templates[node], dict(request.query_params), here))


@get("/{node:str}/subscribed_apps")
async def list_subscriptions(request: GraphRequest, node: Id, simulator: Injected) -> Answer:
    """The apps that hear of this account."""
    await _enter(simulator, request)
    return Response(graph_answers.subscribed_apps(simulator.world, _account(simulator, node)))


@post("/{node:str}/subscribed_apps", status_code=200)
async def create_subscription(request: GraphRequest, node: Id, simulator: Injected) -> Answer:
    """Subscribe the token's app, perhaps at an address of its own, which is asked for the challenge first."""
    token = await _enter(simulator, request)
    apps = _account(simulator, node)
    body = await _json(request) if await request.body() else {}
    address = body.get("override_callback_uri")
    if address is not None:
        if not isinstance(address, str) or not address.startswith(("http://", "https://")) or len(address) > 200:
            raise bad("Param override_callback_uri must be an address of at most 200 characters.")
        if not await simulator.courier.verify(address, str(body.get("verify_token", ""))):
            raise GraphError(100, "The callback URL couldn't be validated.")
    apps[token.app_id] = Subscription(app_id=token.app_id, override_url=address)
    return Response({"success": True})


@delete("/{node:str}/subscribed_apps", status_code=200)
async def delete_subscription(request: GraphRequest, node: Id, simulator: Injected) -> Answer:
    """Unsubscribe the token's app: silence from here on."""
    token = await _enter(simulator, request)
    _account(simulator, node).pop(token.app_id, None)
    return Response({"success": True})


@get("/{node:str}/subscriptions")
async def list_app_subscriptions(request: GraphRequest, node: Id, simulator: Injected) -> Answer:
    """Where an app's webhooks go. Asked with the app's own token only."""
    app = simulator.world.apps.get(node)
    if app is None or _given_token(request) != f"{app.app_id}|{app.app_secret}":
        raise GraphError(190, "This API call requires an app access token.")
    return Response(graph_answers.subscriptions(app))


@get("/debug_token")
async def show_token(request: GraphRequest, simulator: Injected) -> Answer:
    """What a token is good for. An expired one may be asked about with a valid one, or with the app's own."""
    asked = request.query_params.get("input_token")
    if not asked:
        raise missing("input_token")
    given = _given_token(request)
    known_app = any(given == f"{app.app_id}|{app.app_secret}" for app in simulator.world.apps.values())
    if not known_app:
        _token(simulator, request)
    return Response(graph_answers.debug_token(simulator, asked))


@get("/{media_id:str}", media_type=MediaType.TEXT)
async def show_media(request: GraphRequest, media_id: Id, simulator: Injected) -> Response[bytes]:
    """The bytes of a medium. The address lives five minutes and needs the token."""
    await _enter(simulator, request)
    media = simulator.world.media_at(request.query_params.get("hash", ""))
    if media is None or media.media_id != media_id:
        return Response(b"Not found", status_code=404)
    return Response(media.content, media_type=media.mime_type)


def graph_routes(simulator: Simulator) -> list[Router]:
    """The Graph API and the host its media addresses point to."""

    def answer_refusal(_: GraphRequest, error: GraphError) -> Answer:
        return Response(error.body("A" + simulator.ids.code(22)), status_code=error.status)

    provide = {"simulator": Provide(lambda: simulator, sync_to_thread=False)}
    handlers = [
        create_message, create_media, show_node, delete_media, list_templates, list_subscriptions,
        create_subscription, delete_subscription, list_app_subscriptions, show_token, create_block, delete_block,
    ]
    graph = Router(
        "/simulator/graph/{version:str}", route_handlers=handlers, dependencies=provide, opt=_OPTIONS,
        exception_handlers={GraphError: answer_refusal}, include_in_schema=False,
    )
    media = Router(
        MEDIA_ROUTE, route_handlers=[show_media], dependencies=provide, opt=_OPTIONS,
        exception_handlers={GraphError: answer_refusal}, include_in_schema=False,
    )
    return [graph, media]


async def _enter(simulator: Simulator, request: GraphRequest) -> Token:
    """Wait as the switches say, then check the token."""
    if simulator.switches.answer_delay_ms:
        await asyncio.sleep(simulator.switches.answer_delay_ms / 1000)
    return _token(simulator, request)


def _given_token(request: GraphRequest) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in ("bearer", "oauth") and value:
        return value.strip()
    return str(request.query_params.get("access_token", ""))


def _token(simulator: Simulator, request: GraphRequest) -> Token:
    given = _given_token(request)
    if not given:
        raise GraphError(190, "An active access token must be used to query information about the current user.")
    token = simulator.world.tokens.get(given)
    if token is None:
        raise GraphError(190, "Invalid OAuth access token - Cannot parse access token")
    if token.expired or simulator.switches.token_expired:
        raise GraphError(190, "Error validating access token: Session has expired.")
    proof = request.query_params.get("appsecret_proof")
    if proof is not None:
        secret = simulator.world.apps[token.app_id].app_secret
        wanted = hmac.new(secret.encode(), given.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, proof):
            raise bad("Invalid appsecret_proof provided in the API argument")
    return token


def _number(simulator: Simulator, token: Token, node: str) -> Number:
    number = simulator.world.numbers.get(node)
    if number is None or (token.waba_ids and number.waba_id not in token.waba_ids):
        raise _unknown(node)
    return number


def _account(simulator: Simulator, node: str) -> dict[str, Subscription]:
    apps = simulator.world.subscriptions.get(node)
    if apps is None:
        raise _unknown(node)
    return apps


def _media(simulator: Simulator, request: GraphRequest, node: str) -> Media:
    media = simulator.world.find_media(node)
    if media is None:
        raise _unknown(node)
    owner = request.query_params.get("phone_number_id")
    if owner is not None and owner != media.phone_number_id:
        raise bad("The media does not belong to this phone number.")
    return media


def _unknown(node: str) -> GraphError:
    return GraphError(
        33,
        f"Unsupported request. Object with ID '{node}' does not exist, cannot be loaded due to missing permissions,"
        " or does not support this operation.",
    )


async def _json(request: GraphRequest) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise bad("The body is no valid JSON.") from error
    if not isinstance(body, dict):
        raise bad("The body must be a JSON object.")
    return body


def _mark_read(simulator: Simulator, number: Number, body: dict[str, Any]) -> None:
    if body.get("messaging_product") != "whatsapp":
        raise bad("The parameter messaging_product is required.")
    wamid = body.get("message_id")
    if not isinstance(wamid, str) or not wamid:
        raise missing("message_id")
    typing = body.get("typing_indicator")
    if typing is not None and typing != {"type": "text"}:
        raise invalid("typing_indicator", 'it must be {"type": "text"}')
    simulator.mark_read(number, wamid, typing=typing is not None)


def _spoil(simulator: Simulator) -> None:
    """The switches that refuse a send before it is looked at."""
    switches = simulator.switches
    if switches.spend("answer_429"):
        raise GraphError(130429, "Cloud API message throughput has been reached.", status=429)
    if switches.spend("answer_500"):
        raise GraphError(1, "An unknown error occurred")
    if switches.spend("error_next"):
        raise GraphError(switches.error_code)


def _check_upload(mime_type: str, size: int) -> None:
    plain = mime_type.partition(";")[0].strip()
    limits = [limit for kinds, limit in MEDIA_KINDS.values() if plain in kinds]
    if not limits and plain.startswith(_DOCUMENT_TYPES):
        limits = [MEDIA_KINDS["document"][1]]
    if not limits:
        raise bad(f"Param file must be a file with one of the supported types, got {plain or 'none'}.")
    if size == 0:
        raise bad("Param file is empty.")
    if size > max(limits):
        raise GraphError(131053, f"Media file size too big. Max file size we currently support: {max(limits)} bytes.")


def _origin(request: GraphRequest) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"
