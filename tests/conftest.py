"""Fixtures: the simulated service, an account at it, and time that only tests move."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestServer
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_API_KEY
from homeassistant.core import Event, HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from syrupy.assertion import SnapshotAssertion

# Before the harness' own package of this name wins.
from custom_components.rivya.const import CONF_BASE_URL, DOMAIN, EVENT_STATUS
from tests.simulator import Settings, Simulator, create_app

KEY = "rvya_sk_test_0123456789"


@pytest.fixture
def hass_config_dir(hass_tmp_config_dir: str) -> str:
    """Give each test a configuration folder of its own."""
    return hass_tmp_config_dir


@pytest.fixture(autouse=True)
def _integration(enable_custom_integrations: None) -> None:
    """Let Home Assistant find the integration."""


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Compare as Home Assistant does."""
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


@pytest.fixture
def rivya(freezer: FrozenDateTimeFactory) -> Simulator:
    """Return the simulated service: an account, and generations of a minute."""
    freezer.move_to("2026-11-22T12:00:00+00:00")
    simulator = Simulator(settings=Settings(seed=1, duration=60.0, queue_time=6.0))
    simulator.add_account(key=KEY, credits=1000)
    return simulator


@pytest.fixture
async def server(rivya: Simulator, socket_enabled: None) -> AsyncGenerator[TestServer]:
    """Serve the simulated service."""
    server = TestServer(create_app(rivya), host="127.0.0.1")
    await server.start_server(access_log=None)
    yield server
    await server.close()


@pytest.fixture
def base_url(server: TestServer) -> str:
    """Return where the simulated service is."""
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture
def entry(hass: HomeAssistant, base_url: str) -> MockConfigEntry:
    """Return an account at the simulated service, not set up yet."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Rivya",
        data={CONF_API_KEY: KEY, CONF_BASE_URL: base_url},
        entry_id="01KAPGK0R3V1YA000000ACCNT1",
    )
    entry.add_to_hass(hass)
    return entry


@pytest.fixture
async def account(
    hass: HomeAssistant, entry: MockConfigEntry
) -> AsyncGenerator[MockConfigEntry]:
    """Return an account that is set up."""
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    yield entry
    if entry.state is ConfigEntryState.LOADED:
        await hass.config_entries.async_unload(entry.entry_id)
        await hass.async_block_till_done()


class Time:
    """Moves Home Assistant, the integration and the service through time together.

    The event loop's clock is frozen as well: its timers fire when time is moved, and
    never by themselves.
    """

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
        """Take what is to be moved."""
        self._loop = hass.loop
        # A step that moves time is no slow one.
        self._loop.slow_callback_duration = float("inf")
        self._freezer = freezer

    async def settle(self) -> None:
        """Let everything happen that happens now, until all wait for a later time."""
        calm = 0
        while calm < 5:
            await asyncio.sleep(0)
            calm = calm + 1 if self._is_calm() else 0

    async def pass_by(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass."""
        for _ in range(round(seconds / step)):
            await self.settle()
            self._freezer.tick(timedelta(seconds=step))
        await self.settle()

    async def until[T](self, work: Awaitable[T], *, limit: float = 7200) -> T:
        """Let time pass until something is done, and return what came of it."""
        task = asyncio.ensure_future(work)
        for _ in range(round(limit)):
            await self.settle()
            if task.done():
                return task.result()
            self._freezer.tick(timedelta(seconds=1))
        task.cancel()
        message = f"Not done after {limit} s"
        raise AssertionError(message)

    def _is_calm(self) -> bool:
        """Tell whether neither the event loop nor its threads have anything to do."""
        executor: Any = getattr(self._loop, "_default_executor", None)
        threads_idle = executor is None or (
            executor._work_queue.empty()
            and executor._idle_semaphore._value >= len(executor._threads)
        )
        return threads_idle and not getattr(self._loop, "_ready", ())


@pytest.fixture
def time(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Time:
    """Return the one who moves time."""
    return Time(hass, freezer)


type Act = Callable[..., Awaitable[Any]]


@pytest.fixture
def act(hass: HomeAssistant, time: Time) -> Act:
    """Return a function that performs an action and returns its answer."""

    async def perform(name: str, **data: Any) -> Any:
        return await time.until(
            hass.services.async_call(
                DOMAIN, name, data, blocking=True, return_response=True
            )
        )

    return perform


@pytest.fixture
def storage(hass: HomeAssistant) -> Path:
    """Return the folder where the ledgers lie."""
    return Path(hass.config.path(".storage"))


@pytest.fixture
def events(hass: HomeAssistant) -> list[Event]:
    """Return the changes of status as they are reported."""
    return async_capture_events(hass, EVENT_STATUS)


def call(hass: HomeAssistant, name: str, **data: Any) -> asyncio.Task[Any]:
    """Perform an action without waiting for it."""
    return hass.async_create_task(
        hass.services.async_call(
            DOMAIN, name, data, blocking=True, return_response=True
        )
    )


async def reload(hass: HomeAssistant, entry: MockConfigEntry, time: Time) -> None:
    """Reload an account."""
    assert await time.until(hass.config_entries.async_reload(entry.entry_id))
    await time.settle()
