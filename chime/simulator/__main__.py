"""`python -m chime.simulator`: the simulator as a process of its own, beside any Chime."""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from pathlib import Path
from types import FrameType

import uvicorn

from chime import log
from chime.clock import Clock
from chime.simulator import Number, Pace, Simulator, create_app, seed


class Server(uvicorn.Server):
    """uvicorn waits for open streams when it stops; the phone pages' streams are ended first."""

    def __init__(self, config: uvicorn.Config, simulator: Simulator) -> None:
        super().__init__(config)
        self._simulator = simulator
        self._loop = asyncio.get_running_loop()
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._simulator.hang_up)
        super().handle_exit(sig, frame)


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal comes. 0 when it ended as asked, 1 with one line when it could not start."""
    options = _parser().parse_args(arguments)
    log.configure("text", "info")
    try:
        simulator = _build(options)
    except (OSError, ValueError) as error:
        print(f"The simulator did not start: {error}", file=sys.stderr)
        return 1
    asyncio.run(_serve(simulator, options))
    return 0


async def _serve(simulator: Simulator, options: argparse.Namespace) -> None:
    host, port = options.bind
    config = uvicorn.Config(
        create_app(simulator), host=host, port=port, log_level="warning", timeout_graceful_shutdown=3, ws="none",
    )
    server = Server(config, simulator)
    serving = asyncio.create_task(server.serve())
    listening = asyncio.create_task(server.listening.wait())
    await asyncio.wait({serving, listening}, return_when=asyncio.FIRST_COMPLETED)
    listening.cancel()
    if server.started:
        print(f"Phone: http://{host}:{port}/simulator/phone  Graph: http://{host}:{port}/simulator/graph", flush=True)
        if options.sample:
            await seed(simulator, options.phone_number_id)
    await serving


def _build(options: argparse.Namespace) -> Simulator:
    pace = Pace(sent=0.0, delivered=0.0, read=0.0) if options.no_pause else None
    simulator = Simulator(Clock(), pace=pace)
    simulator.add_app(
        app_id=options.app_id,
        app_secret=_secret(options.app_secret_file),
        verify_token=_secret(options.verify_token_file),
        webhook_url=options.webhook_url,
        access_token=_secret(options.access_token_file),
    )
    simulator.world.add_number(
        Number(
            phone_number_id=options.phone_number_id,
            waba_id=options.waba_id,
            display_phone_number=options.display_phone,
            verified_name=options.name,
        ),
        subscribed_app=None if options.unsubscribed else options.app_id,
    )
    return simulator


def _secret(path: Path) -> str:
    text = path.read_text("utf-8").strip()
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError("give HOST:PORT")
    return host, int(port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chime.simulator", description=__doc__)
    parser.add_argument("--bind", type=_address, default=("127.0.0.1", 9700), help="HOST:PORT (127.0.0.1:9700)")
    parser.add_argument("--app-id", required=True)
    parser.add_argument("--app-secret-file", type=Path, required=True)
    parser.add_argument("--verify-token-file", type=Path, required=True)
    parser.add_argument("--access-token-file", type=Path, required=True)
    parser.add_argument("--webhook-url", required=True, help="where Chime takes webhooks")
    parser.add_argument("--phone-number-id", required=True)
    parser.add_argument("--waba-id", required=True)
    parser.add_argument("--display-phone", default="15550100200", help="the business's number, digits only")
    parser.add_argument("--name", default="Chime Demo Shop", help="the business's verified name")
    parser.add_argument("--unsubscribed", action="store_true", help="the app is not subscribed to the account yet")
    parser.add_argument("--sample", action="store_true", help="fill in the sample customers and conversations")
    parser.add_argument("--no-pause", action="store_true", help="statuses follow each other at once")
    return parser


if __name__ == "__main__":
    sys.exit(main())
