"""Serve a simulator on this machine: `python -m tests.simulator --port 0`."""

import argparse
import asyncio
import json
import logging
import signal
import sys

from aiohttp import web

from .app import create_app
from .faults import Fault
from .settings import Settings
from .state import Simulator

HOST = "127.0.0.1"
QUEUED_SHARE = 0.1


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulator", description=__doc__
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port, 0 for a free one (default)"
    )
    parser.add_argument("--key", default="rvya_sk_demo", help="the API key that works")
    parser.add_argument(
        "--credits", type=int, default=1000, help="credits of its account"
    )
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="how long a generation takes"
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="JSON",
        help='a fault, such as {"kind": "slow", "delay": 3}; may be repeated',
    )
    return parser.parse_args()


def simulator(options: argparse.Namespace) -> Simulator:
    """Return the service the command line describes."""
    settings = Settings(
        duration=options.seconds, queue_time=options.seconds * QUEUED_SHARE
    )
    service = Simulator(settings=settings, sleep=asyncio.sleep)
    service.add_account(key=options.key, credits=options.credits, name="demo")
    for fault in options.fault:
        service.faults.add(Fault(**json.loads(fault)))
    return service


async def serve(options: argparse.Namespace) -> None:
    """Serve until told to stop; the one line on stdout says where."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(create_app(simulator(options)), shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, options.port).start()
        port = runner.addresses[0][1]
        sys.stdout.write(
            json.dumps({"url": f"http://{HOST}:{port}", "key": options.key}) + "\n"
        )
        sys.stdout.flush()
        await stop.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    asyncio.run(serve(arguments()))
