"""The composition root: what Chime is made of, built once; and the whole product as a list of routes.

Read `FEATURES` top to bottom as the table of contents.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler

from chime import accounts, inbound, inbox
from chime.accounts import pages as account_pages
from chime.channels import api as channel_api
from chime.channels import jobs as channel_jobs
from chime.clock import Clock
from chime.config import Config
from chime.contacts import api as contact_api
from chime.errors import NotFound, Unavailable
from chime.ids import Ids
from chime.inbound import api as inbound_api
from chime.inbound import pages as inbound_pages
from chime.inbound.actions import Journals
from chime.inbox import api as inbox_api
from chime.inbox import contact_pages, doubt_pages, media_pages, message_pages, search_jobs
from chime.inbox import jobs as inbox_jobs
from chime.inbox import pages as inbox_pages
from chime.jobs import Pace, Queue, Runner, Supervisor, Work
from chime.log import Log
from chime.message_templates import api as template_api
from chime.message_templates import jobs as template_jobs
from chime.security.limits import RateLimiter
from chime.security.passwords import Passwords
from chime.web import errors, health, reference
from chime.web.guards import guard
from chime.web.headers import secured
from chime.web.here import open_here
from chime.web.live import Hub
from chime.web.pages import Pages
from chime.web.services import Services
from chime.web.static_files import StaticFiles, show_static_file
from chime.whatsapp import GraphClient
from chime.workspaces import Control, KeyRing, Registry, Space
from chime.workspaces.registry import MOST_OPEN

if TYPE_CHECKING:
    from chime.simulator import Simulator
    from chime.workspaces.transaction import Committed

# Everything people and scripts can reach, feature by feature.
FEATURES: tuple[tuple[str, list[Any]], ...] = (
    ("health and static files", [*health.ROUTES, show_static_file]),
    ("accounts: sign in, sign out", account_pages.ROUTES),
    ("inbox: conversations", inbox_pages.ROUTES),
    ("inbox: messages", message_pages.ROUTES),
    ("inbox: messages in doubt", doubt_pages.ROUTES),
    ("inbox: files", media_pages.ROUTES),
    ("inbox: contact panel", contact_pages.ROUTES),
    ("delivery proof", inbound_pages.ROUTES),
    ("API: messages and conversations", inbox_api.ROUTES),
    ("API: contacts", contact_api.ROUTES),
    ("API: templates", template_api.ROUTES),
    ("API: channels", channel_api.ROUTES),
    ("API: delivery proof", inbound_api.ROUTES),
    ("API: reference", reference.ROUTES),
)
JOBS = [*inbound.JOBS, *inbox_jobs.JOBS, *template_jobs.JOBS, *channel_jobs.JOBS]

_log = Log("app")
SWEEP_ALL_EVERY = 10
# Anybody may send a form to /sign-in; routes that take files say so themselves.
LARGEST_REQUEST = 2 * 1024 * 1024
DRAIN_SECONDS = 8.0


async def build(config: Config, keys: KeyRing, *, clock: Clock | None = None, ids: Ids | None = None,
                graph: GraphClient | None = None) -> Services:
    """Open control.db and put everything together; nothing runs yet."""
    clock, ids = clock or Clock(), ids or Ids()
    control = await Control.open(config.data_dir, keys, clock, ids)
    registry = Registry(config.data_dir, control, clock, ids, space=Space(config.data_dir, config.disk_reserve))
    static = StaticFiles()
    graph = graph or GraphClient(config.graph_url, config.graph_version)
    hub = Hub(ids)
    runner = Runner(registry, clock)
    runner.open_work = _work_opener(registry, control, graph, clock, runner)
    runner.register(JOBS)
    loop = asyncio.get_running_loop()

    def ring(workspace_id: str, kind: str, object_id: str) -> None:
        loop.call_soon_threadsafe(runner.start, workspace_id, kind, object_id)

    def sweep() -> None:
        asyncio.run_coroutine_threadsafe(_sweep(control, registry, runner), loop)

    queue = Queue(config.data_dir, ring, sweep)
    registry.on_commit = functools.partial(_after_commit, hub, queue, runner, clock)
    return Services(
        config=config, clock=clock, ids=ids, control=control, registry=registry, graph=graph, hub=hub, queue=queue,
        runner=runner, supervisor=Supervisor(), limiter=RateLimiter(), passwords=Passwords(keys.pepper, ids),
        pages=Pages(static, clock, ids, keys.links, demo=config.demo, live_position=lambda: hub.position,
                    has_space=lambda: registry.space.enough),
        static=static, by_session=accounts.by_session,
        by_api_key=accounts.by_api_key)


def _work_opener(registry: Registry, control: Control, graph: GraphClient, clock: Clock, runner: Runner) -> Any:
    pace, log = Pace(clock), Log("jobs")

    @asynccontextmanager
    async def open_work(workspace_id: str) -> AsyncIterator[Work]:
        def start(kind: str, object_id: str, *, delay: float = 0.0) -> bool:
            if delay > 0:
                runner.start_later(workspace_id, kind, object_id, delay)
                return True
            return runner.start(workspace_id, kind, object_id)

        async with registry.use(workspace_id) as workspace:
            yield Work(workspace=workspace, control=control, graph=graph, clock=clock, pace=pace, log=log, start=start)

    return open_work


def _after_commit(hub: Hub, queue: Queue, runner: Runner, clock: Clock, workspace_id: str,
                  committed: Committed) -> None:
    """Browsers hear of it, the queue is rung. Both may be lost in a crash; the rows are not."""
    hub.publish(workspace_id, committed.nudges)
    if search_jobs.may_concern(committed.nudges):
        runner.start_later(workspace_id, search_jobs.INDEX, search_jobs.EVERYTHING, search_jobs.DELAY)
    for job in committed.jobs:
        delay = None if job.at is None else (job.at - clock.now()) / 1000
        try:
            queue.nudge(workspace_id, job.kind, job.id, delay=delay)
        except Exception as error:  # whatever ails the queue's file, the change is saved and must not be refused
            _log.error("queue.not_rung", error, kind=job.kind)
            if delay is None:
                runner.start(workspace_id, job.kind, job.id)


async def _sweep(control: Control, registry: Registry, runner: Runner) -> None:
    """Once a minute: what is due in the open workspaces; in all of them when they are few, else now and then."""
    runner.sweeps += 1
    active = [row.id for row in await control.workspaces() if row.state == "active"]
    few = len(active) <= MOST_OPEN
    await runner.sweep(active if few or runner.sweeps % SWEEP_ALL_EVERY == 0 else registry.open_ids)


def create_app(services: Services, *, simulator: Simulator | None = None) -> Litestar:
    """The ASGI application."""
    journals = Journals(services.control, services.registry, services.clock, services.ids)

    def start_apply(workspace_id: str) -> None:
        services.runner.start(workspace_id, inbound.APPLY, "journal")

    webhooks = inbound.Webhooks(services.control, journals, services.registry, start_apply)
    handlers: list[Any] = []
    for _, routes in FEATURES:
        handlers += routes
    if simulator is not None:
        from chime.simulator import routes as simulator_routes

        handlers += simulator_routes(simulator)
    app = Litestar(
        route_handlers=handlers,
        guards=[guard],
        dependencies={"here": Provide(open_here)},
        exception_handlers={Exception: errors.handle},
        lifespan=[functools.partial(_running, services, simulator)],
        state=State({"services": services, "gauges": [inbound.gauges, inbox.gauges, webhooks.gauges],
                     "webhooks": webhooks,
                     "hang_up": [simulator.hang_up] if simulator is not None else []}),
        request_max_body_size=LARGEST_REQUEST,
        openapi_config=None,
        logging_config=None,
    )
    # Around the router and no middleware of it: Litestar answers unknown paths and methods outside of those.
    app.asgi_handler = webhooks.before(secured(services.ids)(app.asgi_handler))
    return app


@asynccontextmanager
async def _running(services: Services, simulator: Simulator | None, app: Litestar) -> AsyncIterator[None]:
    """From the first to the last moment of the process: the queue, the sweep of what a crash left, the drain."""
    async with AsyncExitStack() as stack:
        if simulator is not None:
            await stack.enter_async_context(simulator.running())
        services.pages.compile_all()
        services.queue.start()
        services.registry.space.look()
        services.supervisor.run("disk space", services.registry.space.watch)
        services.supervisor.run("first sweep", _first_sweep(services))
        try:
            yield
        finally:
            await _drain(services)


def _first_sweep(services: Services) -> Callable[[], Any]:
    async def sweep() -> None:
        active = [row.id for row in await services.control.workspaces() if row.state == "active"]
        for workspace_id in active:
            # Files that are away must not hold up the other workspaces; the sweep below says which they are.
            with suppress(NotFound, Unavailable):
                async with services.registry.use(workspace_id) as workspace:
                    await inbox_jobs.forget_claims(workspace, services.clock)
        await services.runner.sweep(active)

    return sweep


async def _drain(services: Services) -> None:
    """Let what runs finish, then close everything. Streams have said goodbye already (see chime.serve)."""
    services.hub.close()
    await asyncio.to_thread(services.queue.stop)
    await services.runner.stop(DRAIN_SECONDS)
    await services.supervisor.stop()
    await services.graph.close()
    services.passwords.close()
    await services.registry.close()
    await services.control.close()


def routes_of(app: Litestar) -> list[BaseRouteHandler]:
    """Every handler, for the tests that walk them."""
    return [handler for route in app.routes for handler in getattr(route, "route_handlers", [])]
