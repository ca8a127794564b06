"""Keeps the ledger on disk, and in step with what is reported."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from copy import replace
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.util import dt as dt_util
from homeassistant.util.file import WriteError

from .api import Task
from .const import DOMAIN, EVENT_STATUS, LOGGER, generation_signal
from .ledger import Generation, GenerationError, Ledger, Status
from .store import LedgerStore

SAVE_AGAIN: Final = 60.0
"""Seconds before a ledger that is not on disk yet is written again."""


class Journal:
    """The ledger of one account, with all that goes with a change of it."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        on_end: Callable[[str], None],
    ) -> None:
        """Prepare; nothing is read.

        Args:
            hass: Home Assistant.
            entry: The account.
            on_end: Called with the id of a generation that nothing more is done for.

        """
        self.ledger = Ledger()
        self.save_at: float | None = None
        """When to write if nobody has done so, on the event loop's clock; None when
        all is on disk."""

        self._hass = hass
        self._entry_id = entry.entry_id
        self._store = LedgerStore(hass, entry.entry_id)
        self._on_end = on_end
        self._contexts: dict[str, Context] = {}
        self._waiters: defaultdict[str, list[asyncio.Future[None]]] = defaultdict(list)
        self.unwritten: set[str] = set()
        """Generations that are just being written for the first time."""

        self._resumed: set[str] = set()
        self._changes = 0
        self._closed = False

    async def async_load(self) -> None:
        """Read the ledger.

        Raises:
            LedgerUnreadableError: It is there and cannot be read.

        """
        self.ledger = await self._store.async_load()

    def resume(self) -> list[Generation]:
        """Return what was pending when Home Assistant stopped.

        Whether a submission had gone out by then, nobody knows.
        """
        self.ledger.prune(dt_util.utcnow())
        for generation in self.ledger.pending(Status.SUBMITTING):
            self.ledger.put(replace(generation, perhaps_sent=True))
        pending = self.ledger.pending()
        self._resumed = {
            generation.generation_id
            for generation in pending
            if generation.status is not Status.WAITING
        }
        return pending

    def report_unreported(self) -> None:
        """Report the ends that are on record and were never reported."""
        for generation in list(self.ledger.generations.values()):
            if generation.status.is_terminal and not generation.announced:
                told = replace(generation, announced=True, recovered=True)
                self._put(told)
                self._announce(told, None)

    async def async_begin(self, generation: Generation, context: Context) -> None:
        """Record a new generation; it is on disk when this returns.

        Raises:
            HomeAssistantError: It could not be written, and is not recorded.

        """
        self._put(generation)
        self.unwritten.add(generation.generation_id)
        try:
            await self._async_write()
        except WriteError as err:
            self.ledger.discard(generation.generation_id)
            self._touch()
            # Another's write may have taken it along.
            await self.async_save()
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="ledger_not_written"
            ) from err
        finally:
            self.unwritten.discard(generation.generation_id)
        self._contexts[generation.generation_id] = context
        self._announce(generation, None)

    async def async_release(self, waiting: list[Generation]) -> bool:
        """Let generations go from the line; return whether that is on disk.

        If it is not, they stay in line.
        """
        now = dt_util.utcnow()
        released = [each.moved(Status.SUBMITTING, now) for each in waiting]
        for generation in released:
            self._put(generation)
        if not await self.async_save():
            for generation in waiting:
                self._put(generation)
            return False
        for generation in released:
            self._announce(generation, Status.WAITING)
        return True

    def adopt(self, generation: Generation) -> None:
        """Record a generation that was not started here. An end it has is no news."""
        self._put(replace(generation, announced=generation.status.is_terminal))

    def observe(self, generation_id: str, task: Task) -> Generation:
        """Record what the service says of a generation, and return it."""
        before = self.ledger.generations[generation_id]
        generation = before.observed(task, dt_util.utcnow())
        if generation.status.is_terminal and generation_id in self._resumed:
            generation = replace(generation, recovered=True)
        self._resumed.discard(generation_id)
        self.record(generation)
        return generation

    def give_up(self, generation_id: str, error: GenerationError) -> None:
        """Record that nobody can say how a generation ended."""
        generation = self.ledger.generations[generation_id]
        if generation.status.is_pending:
            self.record(generation.moved(Status.UNKNOWN, dt_util.utcnow(), error))

    def record(self, generation: Generation) -> None:
        """Put a generation into the ledger and report a new status: one step."""
        before = self.ledger.generations[generation.generation_id]
        if generation == before:
            return
        if generation.status.is_terminal:
            generation = replace(generation, announced=True)
        self._put(generation)
        if generation.status is before.status:
            return
        self._announce(generation, before.status)
        if not generation.status.is_pending:
            self._contexts.pop(generation.generation_id, None)
            self._release_waiters(generation.generation_id)
            self.ledger.prune(dt_util.utcnow())
            self._on_end(generation.generation_id)

    async def async_save(self) -> bool:
        """Write what has changed, or set a time to try again. Returns whether it is."""
        if self.save_at is None:
            return True
        try:
            await self._async_write()
        except WriteError as err:
            self.save_at = self._hass.loop.time() + SAVE_AGAIN
            LOGGER.error("The ledger could not be written, will try again: %s", err)
            return False
        return True

    async def async_wait(self, generation_id: str) -> None:
        """Return when nothing more is done for a generation, or the journal closes."""
        if self._closed or not self.ledger.generations[generation_id].status.is_pending:
            return
        future: asyncio.Future[None] = self._hass.loop.create_future()
        self._waiters[generation_id].append(future)
        try:
            await future
        finally:
            if generation_id in self._waiters:
                self._waiters[generation_id].remove(future)

    async def async_close(self) -> None:
        """Let go whoever waits, and write what is not written yet."""
        self._closed = True
        for generation_id in list(self._waiters):
            self._release_waiters(generation_id)
        await self.async_save()

    def _put(self, generation: Generation) -> None:
        """Put a generation into the ledger, which then has to be written."""
        self.ledger.put(generation)
        self._touch()

    def _touch(self) -> None:
        """Note that the ledger has to be written."""
        self.save_at = self._hass.loop.time() + SAVE_AGAIN
        self._changes += 1

    async def _async_write(self) -> None:
        """Write the ledger. All is on disk then, unless something changed meanwhile.

        Raises:
            WriteError: It could not be written.

        """
        changes = self._changes
        await self._store.async_save(self.ledger)
        if changes == self._changes:
            self.save_at = None

    def _release_waiters(self, generation_id: str) -> None:
        """Let go whoever waits for a generation."""
        for future in self._waiters.pop(generation_id, ()):
            if not future.done():
                future.set_result(None)

    def _announce(self, generation: Generation, before: Status | None) -> None:
        """Tell automations, the event entity and the logbook of a new status."""
        self._hass.bus.async_fire(
            EVENT_STATUS,
            {"config_entry_id": self._entry_id} | generation.as_record(),
            context=self._contexts.get(generation.generation_id),
        )
        async_dispatcher_send(
            self._hass, generation_signal(self._entry_id), generation, before
        )
