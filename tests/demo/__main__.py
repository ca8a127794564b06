"""Run the demo: stay until interrupted, or generate one result and stop."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
import json
from pathlib import Path
import signal
import sys
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from .arguments import Options, parse
from .errors import DemoError
from .homeassistant import DemoHomeAssistant
from .once import Record, generate, place_for, save
from .simulator import Service, simulated_service


def progress(text: str) -> None:
    """Say what happens, away from the result."""
    print(text, file=sys.stderr, flush=True)


@asynccontextmanager
async def demo(options: Options) -> AsyncIterator[DemoHomeAssistant]:
    """Give a running Home Assistant with the account set up; leave nothing behind."""
    async with AsyncExitStack() as stack:
        temporary = TemporaryDirectory(prefix="rivya-demo-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(temporary))
        if options.api_key is None:
            progress("Starting the simulated service")
            service = await stack.enter_async_context(
                simulated_service(folder, options.seconds)
            )
        else:
            progress(f"Using {options.base_url}: generations cost credits")
            service = Service(options.base_url, options.api_key)
        progress("Starting Home Assistant")
        home_assistant = await stack.enter_async_context(DemoHomeAssistant(folder))
        async with home_assistant.blamed_when_dead():
            progress("Adding the account")
            await home_assistant.api.add_account(service.api_key, service.base_url)
            yield home_assistant
        progress("Stopping")


async def once(options: Options, prompt: str, out: Path) -> Record:
    """Generate one result into the file, and return its record."""
    with place_for(out) as part:
        async with demo(options) as home_assistant:
            progress(f"Generating: {prompt}")
            record = await generate(home_assistant.api, options.action_data())
            progress("Fetching the result")
            await save(record["source_url"], part)
            part.replace(out)
    return record


async def stay(options: Options) -> None:
    """Keep Home Assistant running until it ends or somebody wants it to."""
    async with demo(options) as home_assistant:
        print(f"\nOpen {home_assistant.dashboard_url} (no login needed).", flush=True)
        print("Ctrl-C stops everything.\n", flush=True)
        while True:
            home_assistant.program.check()
            await asyncio.sleep(1)


async def until_signalled[T](work: Coroutine[Any, Any, T]) -> T:
    """Do the work; the first signal cancels it, later ones leave it to clean up."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        if not task.cancelling():
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupt)
    return await task


def run(options: Options) -> None:
    """Do what the options say, to the end."""
    if options.prompt is None or options.out is None:
        with suppress(asyncio.CancelledError):
            asyncio.run(until_signalled(stay(options)))
        progress("Stopped")
    else:
        work = once(options, options.prompt, options.out)
        record = asyncio.run(until_signalled(work))
        print(json.dumps(record, ensure_ascii=False), flush=True)


def main() -> int:
    """Run the demo, and return the exit code."""
    try:
        run(parse())
    except asyncio.CancelledError, KeyboardInterrupt:
        progress("demo: interrupted")
    except (DemoError, aiohttp.ClientError, OSError) as error:
        progress(f"demo: {error}")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
