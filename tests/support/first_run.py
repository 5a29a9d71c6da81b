"""A Chime that waits to be set up, as a process, and a simulated WhatsApp that knows the number it will get."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import uvicorn

from chime.clock import Clock
from chime.simulator import Number, Pace, Simulator
from tests.support.made_once import simulator_app
from tests.support.processes import CHIME, Program, started
from tests.support.processes import free_port as any_port
from tests.support.world import free_port, serving

OWNER = {"name": "Ada Okafor", "email": "ada@example.com", "password": "a kettle sings in the yard",
         "workspace": "Okafor Tiles", "time_zone": "Africa/Lagos", "locale": "en"}
NUMBER = Number(phone_number_id="611222333444555", waba_id="677001122334455",
                display_phone_number="+1 555-010-0200", verified_name="Okafor Tiles")
APP_ID = "200300400500601"
SECRETS = {"app_secret": "an app secret of the first run", "verify_token": "a verify token of the first run",
           "access_token": "EAAfirstrunaccesstoken0123456789"}
NUMBER_FORM = {"display_phone": NUMBER.display_phone_number, "phone_number_id": NUMBER.phone_number_id,
               "waba_id": NUMBER.waba_id, "app_id": APP_ID, **SECRETS}


@contextmanager
def waiting(folder: Path, extra: Mapping[str, str] | None = None) -> Iterator[Program]:
    """`chime serve` on `folder/data`, which holds no installation."""
    port = any_port()
    log = folder / f"serve-{port}.log"
    with started([*CHIME, "serve", "--data", str(folder / "data"), "--bind", f"127.0.0.1:{port}"], log, port=port,
                 ready="/healthz", extra=extra) as program:
        yield program


def printed(program: Program) -> str:
    """The address with the code, as it stands in the output."""
    deadline = time.monotonic() + 20
    while not (found := re.findall(r"http://\S+/setup#\S+", program.output())):
        assert time.monotonic() < deadline, program.output()
        time.sleep(0.02)
    return str(found[-1])


@asynccontextmanager
async def meta() -> AsyncIterator[tuple[str, Simulator]]:
    """The address for CHIME_GRAPH_URL, and the simulator behind it; whether it delivers is up to `deliver_to`."""
    simulator = Simulator(Clock(), pace=Pace(sent=0.0, delivered=0.0, read=0.0))
    deliver_to(simulator, "http://127.0.0.1:9/later")
    simulator.world.add_number(NUMBER, subscribed_app=APP_ID)
    port = free_port()
    with simulator_app(simulator) as app:
        async with serving(uvicorn.Config(app, log_level="error", log_config=None, ws="none"), port):
            yield f"http://127.0.0.1:{port}/simulator/graph", simulator
            simulator.hang_up()


def deliver_to(simulator: Simulator, webhook_url: str) -> None:
    """What is done in Meta's dashboard at the end."""
    simulator.add_app(app_id=APP_ID, app_secret=SECRETS["app_secret"], verify_token=SECRETS["verify_token"],
                      access_token=SECRETS["access_token"], webhook_url=webhook_url)
