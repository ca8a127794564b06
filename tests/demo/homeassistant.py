"""A Home Assistant of its own: a configuration and the process that runs on it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
import shutil
from types import TracebackType
from typing import Self

import aiohttp

from .api import HomeAssistantApi
from .errors import DemoError
from .process import LOOPBACK, Program, free_port
from .storage import DASHBOARD, write_storage

REPOSITORY = Path(__file__).parents[2]
CONFIGURATION = Path(__file__).parent / "config"

# Generous: two busy cores may compile everything for the first time.
_START_DEADLINE = 300
_STOP_GRACE = 60
_POLL = 0.1


class DemoHomeAssistant:
    """Home Assistant with the integration of this checkout.

    Start, stop, kill and restart as often as wanted: the configuration stays.
    """

    def __init__(self, folder: Path) -> None:
        """Choose a port, and keep everything below the given folder."""
        self.folder = folder
        self.config = folder / "config"
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.api = HomeAssistantApi(self.url)
        self.program = Program(
            "home-assistant",
            folder,
            "-m",
            "homeassistant",
            "-c",
            str(self.config),
            "--skip-pip",
        )

    @property
    def dashboard_url(self) -> str:
        """The page to open in a browser."""
        return f"{self.url}/{DASHBOARD}"

    async def __aenter__(self) -> Self:
        """Write the configuration and start."""
        await asyncio.to_thread(self.prepare)
        await self.api.__aenter__()
        try:
            await self.start()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; the folder belongs to whoever gave it."""
        await self._close()

    async def _close(self) -> None:
        """End the session and the process."""
        try:
            await self.api.__aexit__(None, None, None)
        finally:
            await self.stop()

    def prepare(self) -> None:
        """Fill the configuration folder."""
        shutil.copytree(CONFIGURATION, self.config)
        shutil.copytree(
            REPOSITORY / "custom_components" / "rivya",
            self.config / "custom_components" / "rivya",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        (self.config / "media").mkdir()
        write_storage(self.config, self.port)

    async def start(self) -> None:
        """Start the process, and return when it runs and the owner is signed in."""
        await self.program.start(cwd=self.config)
        try:
            async with self.blamed_when_dead(), asyncio.timeout(_START_DEADLINE):
                await self._until_running()
        except TimeoutError:
            raise DemoError(
                self.program.complaint(f"was not ready after {_START_DEADLINE} s")
            ) from None

    async def _until_running(self) -> None:
        """Wait for the API, let the owner in, wait for the end of the start."""
        while not await self.api.answers("/manifest.json"):
            self.program.check()
            await asyncio.sleep(_POLL)
        await self.api.onboard()
        await self.api.log_in()
        while (await self.api.request("GET", "/api/config"))["state"] != "RUNNING":
            self.program.check()
            await asyncio.sleep(_POLL)

    @asynccontextmanager
    async def blamed_when_dead(self) -> AsyncIterator[None]:
        """Explain a lost connection by the end of the process, if that is the cause."""
        try:
            yield
        except aiohttp.ClientError:
            await asyncio.sleep(_POLL)
            self.program.check()
            raise

    async def stop(self) -> None:
        """Stop the process as an administrator would."""
        await self.program.stop(_STOP_GRACE)

    async def kill(self) -> None:
        """Take the process away without a warning, as a power cut does."""
        await self.program.kill()

    async def restart(self) -> None:
        """Stop, if it runs, and start on the same configuration and address."""
        await self.stop()
        await self.start()
