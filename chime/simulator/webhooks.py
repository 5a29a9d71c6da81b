"""Posting webhooks as Meta does: signed over the raw bytes, batched, repeated, retried.

`Courier.publish` never waits. One worker posts in the order of publishing; a POST that is not answered with exactly
200 is repeated as a whole, later and later, beside the others. The queue is bounded: what does not fit is counted as
lost, never kept in memory. Nothing is logged of a body or an address but counts.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import httpx
import msgspec

from chime.log import Log
from chime.simulator.faults import Switches
from chime.simulator.model import App, World

log = Log("simulator")

QUEUE_LIMIT = 20_000
RETRY_LIMIT = 2_000
GATHER_SECONDS = 0.15
ANSWER_SECONDS = 20.0
# At once, then with decreasing frequency for a day and a half.
RETRY_DELAYS = (0.5, 2.0, 5.0, 15.0, 60.0, 300.0, 900.0, *([3600.0] * 35))

# Only these fields follow an override address; templates and account events always go to the app's own.
_OVERRIDABLE = {"messages", "smb_message_echoes", "smb_app_state_sync", "history", "messaging_handovers", "calls"}
# These fields belong to a number and carry no entry time; all others do.
_TIMELESS = {"messages", "smb_message_echoes", "history", "smb_app_state_sync"}


class Update(msgspec.Struct, kw_only=True):
    """One thing to tell an app."""

    app: App
    url: str
    waba_id: str
    field: str
    value: dict[str, Any]
    at: int


class Post(msgspec.Struct, kw_only=True):
    """One HTTP POST: the exact bytes and who signs them. `updates` is how many it holds."""

    url: str
    body: bytes
    signature: str
    updates: int


class Delivery(msgspec.Struct, kw_only=True):
    """How one attempt to post went; `status` is None when there was no answer."""

    at: int
    status: int | None
    attempt: int
    updates: int
    bytes: int


def encode(payload: object) -> bytes:
    """JSON as Meta writes it: ASCII, other characters as lower-case `\\uXXXX`, slashes as `\\/`."""
    # A slash can only stand inside a string, so replacing it in the text cannot break anything.
    return json.dumps(payload, ensure_ascii=True, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def sign(app_secret: str, body: bytes) -> str:
    """The value of `X-Hub-Signature-256`."""
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


def envelope(updates: Iterable[Update]) -> dict[str, Any]:
    """One body out of several updates: an entry per account, neighbours of one number and kind in one change."""
    entries: dict[str, dict[str, Any]] = {}
    for update in updates:
        entry = entries.setdefault(update.waba_id, {"id": update.waba_id, "changes": []})
        if update.field not in _TIMELESS:
            entry["time"] = update.at // 1000
        changes = entry["changes"]
        if not (changes and _merge(changes[-1], update)):
            changes.append({"value": dict(update.value), "field": update.field})
    return {"object": "whatsapp_business_account", "entry": list(entries.values())}


def _merge(change: dict[str, Any], update: Update) -> bool:
    """Put the items of `update` into the change before it when both hold the same list of the same number."""
    held, new = change["value"], update.value
    for items in ("messages", "statuses"):
        if change["field"] != update.field or items not in held or items not in new:
            continue
        if held["metadata"] != new["metadata"] or set(held) != set(new):
            continue
        held[items] = [*held[items], *new[items]]
        if "contacts" in held:
            held["contacts"] = [*held["contacts"], *[one for one in new["contacts"] if one not in held["contacts"]]]
        return True
    return False


class Courier:
    """Takes what is to be told and sees to it that it arrives."""

    def __init__(
        self, world: World, switches: Callable[[], Switches], *, retry_delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        self._world = world
        self._switches = switches
        self._retry_delays = retry_delays
        self._queue: asyncio.Queue[Update] = asyncio.Queue(QUEUE_LIMIT)
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: httpx.AsyncClient | None = None
        self._retrying = 0
        self._open = 0
        self._muted = False
        self.lost = 0
        self.deliveries: deque[Delivery] = deque(maxlen=500)

    @asynccontextmanager
    async def running(self, transport: httpx.AsyncBaseTransport | None = None) -> AsyncIterator[None]:
        """Post while inside, by `transport` if there is one. Leaving cancels what has not been posted and waits until
        nothing runs any more."""
        # trust_env off: a proxy named in the environment is not for a call to our own neighbour.
        limits = httpx.Limits(max_connections=20)
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False, limits=limits,
                                     transport=transport) as client:
            self._client = client
            self.spawn(self._work())
            try:
                yield
            finally:
                self._client = None
                for task in list(self._tasks):
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    def spawn(self, work: Any) -> None:
        """Run a coroutine of the simulator's; it ends with the simulator."""
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @contextmanager
    def muted(self, mute: bool = True) -> Iterator[None]:
        """Nothing published inside goes out (when `mute`)."""
        self._muted = mute
        try:
            yield
        finally:
            self._muted = False

    def publish(self, waba_id: str, field: str, value: dict[str, Any]) -> None:
        """Tell every app subscribed to the account. No subscription: silence, as with Meta."""
        if self._muted:
            return
        for subscription in list(self._world.subscriptions.get(waba_id, {}).values()):
            app = self._world.apps[subscription.app_id]
            url = app.webhook_url
            if subscription.override_url and field in _OVERRIDABLE:
                url = subscription.override_url
            update = Update(app=app, url=url, waba_id=waba_id, field=field, value=value, at=self._world.clock.now())
            try:
                self._queue.put_nowait(update)
            except asyncio.QueueFull:
                self.lost += 1
                log.warning("webhook queue is full", lost=self.lost)
            else:
                self._open += 1

    @property
    def open(self) -> int:
        """How many updates have neither arrived nor been given up."""
        return self._open

    async def verify(self, url: str, verify_token: str) -> bool:
        """Meta's handshake: ask the address for the challenge before using it."""
        challenge = str(int.from_bytes(self._world.ids.random(4), "big"))
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
        if self._client is None:
            return False
        try:
            answer = await self._client.get(url, params=query)
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return answer.status_code == 200 and answer.text == challenge

    async def _work(self) -> None:
        while True:
            updates = await self._gather()
            for start, end in _cuts(updates, self._switches().batch):
                try:
                    await self._deliver(_post(updates[start:end]))
                except Exception as error:
                    # One body that cannot be posted must not silence the worker for all others.
                    self._open -= end - start
                    self.lost += end - start
                    log.error("webhook lost", error)

    async def _gather(self) -> list[Update]:
        updates = [await self._queue.get()]
        switches = self._switches()
        if switches.batch == 1 and not switches.out_of_order:
            return updates
        most = QUEUE_LIMIT if switches.out_of_order else switches.batch
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER_SECONDS):
                while len(updates) < most:
                    updates.append(await self._queue.get())
        return updates[::-1] if self._switches().out_of_order else updates

    async def _deliver(self, post: Post) -> None:
        switches = self._switches()
        if switches.delay_ms:
            await asyncio.sleep(switches.delay_ms / 1000)
        arrived = await self._attempt(post, 1)
        if arrived and switches.deliver_twice:
            await self._attempt(post, 2)
        if arrived:
            self._open -= post.updates
        elif self._retrying < RETRY_LIMIT:
            self._retrying += 1
            self.spawn(self._retry(post))
        else:
            self._give_up(post)

    async def _retry(self, post: Post) -> None:
        try:
            for attempt, delay in enumerate(self._retry_delays, start=2):
                await asyncio.sleep(delay)
                if await self._attempt(post, attempt):
                    self._open -= post.updates
                    return
            self._give_up(post)
        finally:
            self._retrying -= 1

    def _give_up(self, post: Post) -> None:
        self._open -= post.updates
        self.lost += post.updates
        log.warning("webhook given up", updates=post.updates, lost=self.lost)

    async def _attempt(self, post: Post, attempt: int) -> bool:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "facebookexternalua",
            "X-Hub-Signature-256": post.signature,
        }
        status: int | None = None
        if self._client is not None:
            try:
                status = (await self._client.post(post.url, content=post.body, headers=headers)).status_code
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                log.info("webhook not answered", attempt=attempt, error=type(error).__name__)
        self.deliveries.append(
            Delivery(
                at=self._world.clock.now(), status=status, attempt=attempt, updates=post.updates, bytes=len(post.body)
            )
        )
        return status == 200


def _post(updates: Sequence[Update]) -> Post:
    body = encode(envelope(updates))
    first = updates[0]
    return Post(url=first.url, body=body, signature=sign(first.app.app_secret, body), updates=len(updates))


def _cuts(updates: Sequence[Update], size: int) -> list[tuple[int, int]]:
    """Where to cut: at most `size` updates, and one address and app, per POST."""
    cuts: list[tuple[int, int]] = []
    start = 0
    for end in range(1, len(updates) + 1):
        full = end - start == size
        if end == len(updates) or full or _target(updates[end]) != _target(updates[start]):
            cuts.append((start, end))
            start = end
    return cuts


def _target(update: Update) -> tuple[str, str]:
    return update.url, update.app.app_id
