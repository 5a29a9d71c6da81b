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
from litestar.types import Scope

from chime import (
    accounts,
    approvals,
    audit,
    erasure,
    exports,
    handover,
    inbound,
    inbox,
    quick_replies,
    restores,
    routing,
    service_level,
)
from chime.accounts import routes as account_routes
from chime.accounts import session_watch, trail_jobs
from chime.accounts.gauges import gauges as account_gauges
from chime.accounts.oidc import Provider
from chime.approvals import api as approval_api
from chime.approvals import pages as approval_pages
from chime.audit import api as audit_api
from chime.audit import pages as audit_pages
from chime.channels import api as channel_api
from chime.channels import credential_pages as channel_credential_pages
from chime.channels import jobs as channel_jobs
from chime.channels import pages as channel_pages
from chime.clock import Clock
from chime.config import Config
from chime.console import pages as console_pages
from chime.console import watch as watch_usage
from chime.contacts import api as contact_api
from chime.contacts import field_api, field_pages
from chime.data_queries import jobs as data_query_jobs
from chime.data_queries import pages as data_query_pages
from chime.doctor import connection_pages
from chime.doctor import pages as doctor_pages
from chime.erasure import pages as erasure_pages
from chime.erasure import retention_pages
from chime.errors import NotFound, Unavailable
from chime.exports import api as export_api
from chime.exports import pages as export_pages
from chime.first_run import address_pages, delivery_pages, welcome_pages
from chime.floor import routes as floor_routes
from chime.handover import pages as handover_pages
from chime.help import pages as help_pages
from chime.ids import Ids
from chime.inbound import api as inbound_api
from chime.inbound import pages as inbound_pages
from chime.inbound.actions import Journals
from chime.inbound.jobs import apply
from chime.inbox import api as inbox_api
from chime.inbox import jobs as inbox_jobs
from chime.inbox import routes as inbox_routes
from chime.inbox import search_jobs
from chime.inbox.presence import Presence
from chime.jobs import SWEEP_EVERY, Pace, Queue, Runner, Supervisor, Work
from chime.log import Log, net
from chime.message_templates import api as template_api
from chime.message_templates import jobs as template_jobs
from chime.notifications import jobs as notification_jobs
from chime.notifications import routes as notification_routes
from chime.palette import pages as palette_pages
from chime.practice import pages as practice_pages
from chime.prices import routes as price_routes
from chime.quick_replies import api as quick_reply_api
from chime.quick_replies import composer_pages as quick_reply_composer_pages
from chime.quick_replies import pages as quick_reply_pages
from chime.restores import routes as restore_routes
from chime.restores.appliance import kept_by, restorer
from chime.routing import api as routing_api
from chime.routing import availability_pages, presence
from chime.routing import pages as routing_pages
from chime.security import limits
from chime.security.addresses import Place
from chime.security.crypto import derive
from chime.security.limits import RateLimiter
from chime.security.passwords import Passwords
from chime.service_level import api as service_api
from chime.service_level import pages as service_pages
from chime.support import installation_pages
from chime.support import pages as support_pages
from chime.support.watch import Watch
from chime.trust import pages as trust_pages
from chime.web import errors, health, reference
from chime.web.application import Application
from chime.web.egress import Egress
from chime.web.guards import guard
from chime.web.headers import secured
from chime.web.here import open_here
from chime.web.live import Hub
from chime.web.mail import Mailer
from chime.web.origins import sound_hosts
from chime.web.pages import Pages
from chime.web.pages import Provider as ShownProvider
from chime.web.proxies import Proxies, counted_address
from chime.web.services import Services
from chime.web.static_files import StaticFiles, show_static_file
from chime.web.throttle import Throttle
from chime.whatsapp import GraphClient
from chime.workspaces import Control, KeyRing, Registry, Space
from chime.workspaces.closing import Closing
from chime.workspaces.registry import MOST_OPEN
from chime.workspaces.rotation import Rotator

if TYPE_CHECKING:
    from chime.simulator import Simulator
    from chime.workspaces.transaction import Committed

# Everything people and scripts can reach, feature by feature.
FEATURES: tuple[tuple[str, list[Any]], ...] = (
    ("health and static files", [*health.ROUTES, show_static_file]),
    ("trust page", trust_pages.ROUTES),
    ("after the first run", [*welcome_pages.ROUTES, *delivery_pages.ROUTES, *address_pages.ROUTES]),
    ("accounts: sign in, sign out", account_routes.SIGN_IN),
    ("accounts: a person's own pages", account_routes.OWN_PAGES),
    ("accounts: signing in with a provider", account_routes.PROVIDER),
    ("accounts: settings of a workspace", account_routes.WORKSPACE_SETTINGS),
    ("accounts: members and invitations", account_routes.MEMBERS),
    ("accounts: teams and roles", account_routes.TEAMS),
    ("accounts: API keys", account_routes.API_KEYS),
    ("accounts: erasing a workspace", account_routes.WORKSPACE_ERASURE),
    ("installation: keys", account_routes.INSTALLATION_KEYS),
    ("installation: workspaces and the machine", [*console_pages.ROUTES, *practice_pages.ROUTES]),
    ("channels: numbers and their credentials", [*channel_pages.ROUTES, *channel_credential_pages.ROUTES]),
    ("doctor: of the installation, of a workspace's numbers", [*doctor_pages.ROUTES, *connection_pages.ROUTES]),
    ("inbox: conversations", inbox_routes.CONVERSATIONS),
    ("inbox: messages", inbox_routes.MESSAGES),
    ("inbox: messages in doubt", inbox_routes.DOUBTS),
    ("inbox: snoozed and pinned conversations", inbox_routes.QUEUES),
    ("inbox: filters, saved views, many at once", inbox_routes.VIEWS),
    ("inbox: private notes", inbox_routes.NOTES),
    ("inbox: messages for later", inbox_routes.LATER),
    ("inbox: files", inbox_routes.FILES),
    ("inbox: around a conversation, contact panel, reasons, tags", inbox_routes.AROUND),
    ("contacts: custom fields", field_pages.ROUTES),
    ("notifications: bell, choices, push, the installed app", notification_routes.PAGES),
    ("prices: rate cards", price_routes.PAGES),
    ("quick replies", [*quick_reply_pages.ROUTES, *quick_reply_composer_pages.ROUTES]),
    ("routing: assignment, availability, shifts", [*routing_pages.ROUTES, *availability_pages.ROUTES]),
    ("hours and service level", service_pages.ROUTES),
    ("the supervisor's floor, and its API", floor_routes.ROUTES),
    ("delivery proof", inbound_pages.ROUTES),
    ("support access", [*support_pages.ROUTES, *installation_pages.ROUTES]),
    ("approvals", approval_pages.ROUTES),
    ("exports", export_pages.ROUTES),
    ("a workspace as one file", handover_pages.ROUTES),
    ("query your own data", data_query_pages.ROUTES),
    ("erasure and retention", [*erasure_pages.ROUTES, *retention_pages.ROUTES]),
    ("backups, restored copies, messages on hold", restore_routes.ROUTES),
    ("audit log", audit_pages.ROUTES),
    ("help and the command palette", [*help_pages.ROUTES, *palette_pages.ROUTES]),
    ("API: members, teams and invitations", account_routes.MEMBER_API),
    ("API: messages and conversations", inbox_routes.API),
    ("API: contacts", [*contact_api.ROUTES, *field_api.ROUTES]),
    ("API: notifications", notification_routes.API),
    ("API: quick replies", quick_reply_api.ROUTES),
    ("API: assignment, availability, shifts", routing_api.ROUTES),
    ("API: templates, rate cards", [*template_api.ROUTES, *price_routes.API]),
    ("API: hours and service level", service_api.ROUTES),
    ("API: channels", channel_api.ROUTES),
    ("API: API keys", account_routes.API_KEY_API),
    ("API: delivery proof", inbound_api.ROUTES),
    ("API: approvals and exports", [*approval_api.ROUTES, *export_api.ROUTES]),
    ("API: audit log", audit_api.ROUTES),
    ("API: reference", reference.ROUTES),
)
JOBS = [*service_level.JOBS, *trail_jobs.JOBS, *audit.JOBS, *approvals.JOBS, *exports.JOBS, *handover.JOBS,
        *restores.JOBS, *erasure.JOBS, *inbound.JOBS, *inbox_jobs.JOBS, *notification_jobs.JOBS, *quick_replies.JOBS,
        *routing.JOBS, *template_jobs.JOBS, *channel_jobs.JOBS, *data_query_jobs.JOBS]

_log = Log("app")
SWEEP_ALL_EVERY = 10
# Anybody may send a form to /sign-in; routes that take files say so themselves.
LARGEST_REQUEST = 2 * 1024 * 1024
DRAIN_SECONDS = 8.0


async def build(config: Config, keys: KeyRing, *, clock: Clock | None = None, ids: Ids | None = None,
                graph: GraphClient | None = None) -> Services:
    """Open control.db and put everything together; nothing runs yet."""
    clock, ids = clock or Clock(), ids or Ids()
    control = await Control.open(config.data_dir, keys, clock, ids, anchoring=audit.anchoring(config))
    registry = Registry(config.data_dir, control, clock, ids, space=Space(config.data_dir, config.disk_reserve))
    static = StaticFiles()
    graph = graph or GraphClient(config.graph_url, config.graph_version)
    hub = Hub(ids, factor=config.rate_factor)
    runner = Runner(registry, clock)
    mailer, egress = Mailer(control, clock, config), Egress(Place(*place) for place in config.egress_allow)
    runner.open_work = _work_opener(registry, control, graph, clock, runner, egress, mailer)
    runner.register(JOBS)
    loop = asyncio.get_running_loop()

    def ring(workspace_id: str, kind: str, object_id: str) -> None:
        loop.call_soon_threadsafe(runner.start, workspace_id, kind, object_id)

    def sweep(*, everywhere: bool = False) -> None:
        asyncio.run_coroutine_threadsafe(_sweep(control, registry, runner, everywhere), loop)

    queue = Queue(config.data_dir, ring, sweep)
    registry.on_commit = functools.partial(_after_commit, hub, queue, runner, clock)
    return Services(
        config=config, clock=clock, ids=ids, control=control, registry=registry, graph=graph, hub=hub, queue=queue,
        runner=runner, supervisor=Supervisor(), limiter=RateLimiter(clock.monotonic, factor=config.rate_factor),
        passwords=Passwords(keys.pepper, ids), throttle=Throttle(control, clock, derive(keys.links, "throttle")),
        pages=Pages(static, clock, ids, keys.links, demo=config.demo, live_position=lambda: hub.position,
                    has_space=lambda: registry.space.enough,
                    provider=ShownProvider(config.oidc.name, config.oidc.only) if config.oidc else None),
        mailer=mailer, egress=egress, static=static, by_session=accounts.by_session,
        by_api_key=accounts.by_api_key, actor_again=accounts.actor_again,
        denials=audit.Denials(control, registry, clock))


def _work_opener(registry: Registry, control: Control, graph: GraphClient, clock: Clock, runner: Runner,
                 egress: Egress, mailer: Mailer) -> Any:
    pace, log = Pace(clock), Log("jobs")

    @asynccontextmanager
    async def open_work(workspace_id: str) -> AsyncIterator[Work]:
        def start(kind: str, object_id: str, *, delay: float = 0.0) -> bool:
            if delay > 0:
                runner.start_later(workspace_id, kind, object_id, delay)
                return True
            return runner.start(workspace_id, kind, object_id)

        if not await control.is_active(workspace_id):
            raise NotFound("the workspace is suspended or erased")
        async with registry.use(workspace_id) as workspace:
            yield Work(workspace, control, graph, clock, pace, log, start, egress, mailer)

    return open_work


def _after_commit(hub: Hub, queue: Queue, runner: Runner, clock: Clock, workspace_id: str,
                  committed: Committed) -> None:
    """Browsers hear of it, the queue is rung. Both may be lost in a crash; the rows are not."""
    hub.publish(workspace_id, committed.nudges)
    if search_jobs.may_concern(committed.nudges):
        runner.start_later(workspace_id, search_jobs.INDEX, search_jobs.EVERYTHING, search_jobs.DELAY)
    for job in committed.jobs:
        delay = None if job.at is None else (job.at - clock.now()) / 1000
        if delay is None and runner.holds(workspace_id, job.kind, job.id):
            runner.start(workspace_id, job.kind, job.id)  # without a line in the queue's file for what runs anyway
            continue
        try:
            queue.nudge(workspace_id, job.kind, job.id, delay=delay)
        except Exception as error:  # whatever ails the queue's file, the change is saved and must not be refused
            _log.error("queue.not_rung", error, kind=job.kind)
            if delay is None or delay < SWEEP_EVERY:  # what is for later, a sweep finds when its time has come
                runner.start_later(workspace_id, job.kind, job.id, max(0.0, delay or 0.0))


async def _sweep(control: Control, registry: Registry, runner: Runner, is_asked: bool) -> None:
    """What is due in the open workspaces; in all of them when they are few or it `is_asked` for, else now and then."""
    runner.sweeps += 1
    active = [row.id for row in await control.workspaces() if row.state == "active"]
    everywhere = runner.swept and (is_asked or len(active) <= MOST_OPEN or runner.sweeps % SWEEP_ALL_EVERY == 0)
    await runner.sweep(active if everywhere else registry.open_ids)


def create_app(services: Services, *, simulator: Simulator | None = None) -> Litestar:
    """The ASGI application."""
    journals = Journals(services.control, services.registry, services.clock, services.ids)

    def start_apply(workspace_id: str) -> None:
        services.runner.start(workspace_id, inbound.APPLY, "journal")

    proxies = Proxies(services.config.trusted_proxies if services.config else ())
    def unverified(scope: Scope) -> float:
        return services.limiter.take(limits.UNVERIFIED.of(counted_address(proxies.caller(scope)))).retry_after

    webhooks = inbound.Webhooks(services.control, journals, services.registry, start_apply, unverified,
                                proxies.caller)
    handlers: list[Any] = []
    for _, routes in FEATURES:
        handlers += routes
    handlers += practice_pages.phone_routes(simulator)
    app = Application(
        route_handlers=handlers,
        guards=[guard],
        dependencies={"here": Provide(open_here)},
        before_request=inbox_api.lead_on,
        exception_handlers={Exception: errors.handle},
        lifespan=[functools.partial(_running, services, simulator)],
        state=State({"services": services,
                     "gauges": [_log_gauges, account_gauges, audit.gauges, inbound.gauges, inbox.gauges,
                                webhooks.gauges, lambda found: found.mailer.gauges()],
                     "webhooks": webhooks, "support": Watch(services), "provider": _provider(services),
                     "presence": Presence(services.clock.monotonic) if services.clock else None,
                     "hang_up": [simulator.hang_up] if simulator is not None else []}),
        request_max_body_size=LARGEST_REQUEST,
        openapi_config=None,
        logging_config=None,
    )
    # Around the router and no middleware of it: Litestar answers unknown paths and methods outside of those.
    app.asgi_handler = webhooks.before(proxies.before(secured(services.ids)(sound_hosts(app.asgi_handler))))
    app.state.backups = kept_by(services)
    app.state.gauges.append(app.state.backups.gauges)
    app.state.practice = practice_pages.practice_of(services, app)
    app.state.trust = trust_pages.trust_of(services, app)
    app.state.doctor = doctor_pages.doctor_of(services, app)
    app.state.gauges += [app.state.trust.gauges, app.state.doctor.gauges]
    return app


def _provider(services: Services) -> Provider | None:
    config = services.config
    if not config or config.oidc is None:
        return None
    return Provider(config.oidc, config.public_url, services.egress, services.clock)


@asynccontextmanager
async def _running(services: Services, simulator: Simulator | None, app: Litestar) -> AsyncIterator[None]:
    """From the first to the last moment of the process: the queue, the sweep of what a crash left, the drain."""
    async with AsyncExitStack() as stack:
        if simulator is not None:
            await stack.enter_async_context(simulator.running())
        control, registry, clock, run = services.control, services.registry, services.clock, services.supervisor.run
        run("templates", services.pages.compile_all)
        services.queue.start()
        run("sweep", services.queue.watch)
        registry.space.look()
        run("disk space", registry.space.watch)
        run("sessions", session_watch.watch(services))
        run("presence", presence.watch(services))
        run("mail", services.mailer.run)
        run("usage", lambda: watch_usage(services))
        run("support access", app.state.support.run)
        run("self-checks", app.state.trust.run)
        run("doctor", app.state.doctor.run)
        run("audit trail of the installation", audit.watch_installation(
            control, clock, services.mailer, services.denials.flush))
        run("keys", Rotator(control, registry, clock, services.ids).watch)
        run("parked deliveries", inbound.forgetting(services))
        run("backups", app.state.backups.run)
        run("closed workspaces", Closing(control, registry, clock, services.hub.end_streams_in).watch)
        run("practice", app.state.practice.run)
        run("restores", restorer(services, apply).watch)
        run("first sweep", _first_sweep(services))
        try:
            yield
        finally:
            await _drain(services)
            app.state.backups.close()


def _first_sweep(services: Services) -> Callable[[], Any]:
    async def sweep() -> None:
        for workspace_id in [row.id for row in await services.control.workspaces() if row.state == "active"]:
            # Files that are away must not hold up the other workspaces; the sweep below says which they are.
            with suppress(NotFound, Unavailable):
                async with services.registry.use(workspace_id) as workspace:
                    await inbox_jobs.forget_claims(workspace, services.clock)
            await services.runner.sweep([workspace_id])
        services.runner.swept = True

    return sweep


async def _drain(services: Services) -> None:
    """Let what runs finish, then close everything. Streams have said goodbye already (see chime.serve)."""
    services.hub.close()
    await asyncio.to_thread(services.queue.stop)
    await services.runner.stop(DRAIN_SECONDS)
    await services.supervisor.stop()
    await services.denials.close()
    await services.graph.close()
    services.passwords.close()
    await services.registry.close()
    await services.control.close()


async def _log_gauges(_: object) -> dict[str, int]:
    """What the log's second net had to mask; anything above 0 is a fault of ours."""
    kinds = ("meta_token", "api_key", "bearer", "wamid", "hex", "number")
    return {f'chime_log_masked_total{{kind="{kind}"}}': net.caught[kind] for kind in kinds}


def routes_of(app: Litestar) -> list[BaseRouteHandler]:
    """Every handler, for the tests that walk them."""
    return [handler for route in app.routes for handler in getattr(route, "route_handlers", [])]
