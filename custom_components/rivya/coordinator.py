"""The coordinator: credits, catalog and what the entities show of the ledger."""

from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed, ConfigEntryError
from homeassistant.helpers.debounce import Debouncer
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .api import (
    Availability,
    Catalog,
    RivyaAuthError,
    RivyaClient,
    RivyaError,
)
from .const import (
    CATALOG_INTERVAL,
    CONF_CONCURRENCY,
    CREDITS_INTERVAL,
    DEFAULT_CONCURRENCY,
    DOMAIN,
    LOGGER,
)
from .errors import is_out_of_reach, translated
from .generations import Generations
from .issues import async_check_default_model
from .ledger import Generation, Status
from .store import LedgerUnreadableError

_CREDITS_COOLDOWN = 5.0
_MIN_RETRY = 60.0

type RivyaConfigEntry = ConfigEntry[RivyaCoordinator]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the entities show."""

    credits: float
    spent: float
    active: int
    """Generations that are not at their end, those in line included."""

    waiting: int
    latest: Generation | None
    """The generation asked for last."""

    progress: float | None
    """Estimated progress of the latest one in percent; None where it means nothing."""

    remaining: float | None
    """Estimated seconds that the latest one still takes."""

    last_finished: datetime | None


class RivyaCoordinator(DataUpdateCoordinator[Snapshot]):
    """One account.

    Home Assistant's interval refreshes credits and, now and then, the catalog; the
    generations are followed by :class:`Generations` and published from here.
    """

    config_entry: RivyaConfigEntry

    def __init__(
        self, hass: HomeAssistant, entry: RivyaConfigEntry, client: RivyaClient
    ) -> None:
        """Prepare; nothing is read or sent."""
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=DOMAIN,
            update_interval=CREDITS_INTERVAL,
            always_update=False,
        )
        self.client = client
        self.catalog = Catalog(())
        self._shipped = self.catalog
        self._catalog_due = 0.0
        self._credits: float = 0
        self._answered_until = 0.0
        self._credits_debouncer = Debouncer(
            hass,
            LOGGER,
            cooldown=_CREDITS_COOLDOWN,
            immediate=True,
            function=self._async_update_credits,
            background=True,
        )
        entry.async_on_unload(self._credits_debouncer.async_shutdown)
        self._warned_models: set[str] = set()
        self._best_progress: tuple[str, float] = ("", 0.0)
        self.generations = Generations(
            hass,
            entry,
            client,
            concurrency=entry.options.get(CONF_CONCURRENCY, DEFAULT_CONCURRENCY),
            on_answer=self._show_answer,
            on_change=self._publish,
            on_end=self._credits_debouncer.async_schedule_call,
        )

    @override
    async def _async_setup(self) -> None:
        """Read the ledger and the shipped catalog."""
        try:
            await self.generations.journal.async_load()
        except LedgerUnreadableError as err:
            raise ConfigEntryError(
                translation_domain=DOMAIN,
                translation_key=err.translation_key,
                translation_placeholders=err.translation_placeholders,
            ) from err
        self._shipped = await self.hass.async_add_executor_job(Catalog.shipped)
        self.catalog = self._shipped

    @override
    async def _async_update_data(self) -> Snapshot:
        """Fetch credits and, when it is due, the catalog."""
        try:
            self._credits = await self.client.get_credits()
        except RivyaAuthError as err:
            raise translated(err, ConfigEntryAuthFailed) from err
        except RivyaError as err:
            answered_lately = self.hass.loop.time() < self._answered_until
            if self.data is None or (is_out_of_reach(err) and not answered_lately):
                raise self._failure(err) from err
            LOGGER.debug("The balance could not be read: %s", err)
        await self._async_update_catalog()
        self.generations.key_accepted()
        return self._snapshot()

    def _failure(self, error: RivyaError) -> UpdateFailed:
        """Return what a failed update raises, with when to try again if known."""
        failure = translated(error, UpdateFailed)
        if error.retry_after is not None:
            failure.retry_after = min(
                max(error.retry_after, _MIN_RETRY), CREDITS_INTERVAL.total_seconds()
            )
        return failure

    async def _async_update_catalog(self) -> None:
        """Overlay the catalog with the live one; without it the old one stays."""
        now = self.hass.loop.time()
        if now < self._catalog_due:
            return
        try:
            entries = await self.client.get_models()
        except RivyaError as err:
            LOGGER.debug("The live catalog could not be read: %s", err)
            return
        self._catalog_due = now + CATALOG_INTERVAL.total_seconds()
        if entries:
            self.catalog = self._shipped.overlaid(entries)
            async_check_default_model(self.hass, self.config_entry, self.catalog)

    async def _async_update_credits(self) -> None:
        """Fetch the balance after a generation has ended."""
        try:
            self._credits = await self.client.get_credits()
        except RivyaError as err:
            LOGGER.debug("The balance could not be read: %s", err)
        else:
            self.generations.answered()
            self._publish()

    def check_model(self, model_id: str) -> tuple[str, ...]:
        """Return the service's notices on a model; log once what is odd about it."""
        model = self.catalog.models.get(model_id)
        notices = model.notices if model else ()
        if model_id not in self._warned_models:
            self._warned_models.add(model_id)
            if model is None or model.availability is Availability.NOT_LISTED:
                LOGGER.warning(
                    "Rivya's catalog does not name the model %s; it is sent as it is",
                    model_id,
                )
            for notice in notices:
                LOGGER.warning("Rivya says of the model %s: %s", model_id, notice)
        return notices

    @callback
    def _publish(self) -> None:
        """Show the ledger as it is now."""
        if (snapshot := self._snapshot()) == self.data:
            return
        self.data = snapshot
        self.async_update_listeners()

    @callback
    def _show_answer(self, error: RivyaError | None) -> None:
        """Show whether the service answers as it should; log it when that changes."""
        if error is not None:
            self.async_set_update_error(self._failure(error))
            return
        self._answered_until = self.hass.loop.time() + _MIN_RETRY
        if not self.last_update_success:
            LOGGER.info("Rivya answers again")
            self.async_set_updated_data(self._snapshot())

    def _snapshot(self) -> Snapshot:
        """Return what the entities show."""
        ledger = self.generations.ledger
        latest = next(ledger.newest_first(), None)
        progress, remaining = self._progress(latest) if latest else (None, None)
        return Snapshot(
            credits=self._credits,
            spent=ledger.spent,
            active=len(ledger.pending()),
            waiting=len(ledger.pending(Status.WAITING)),
            latest=latest,
            progress=progress,
            remaining=remaining,
            last_finished=ledger.last_finished,
        )

    def _progress(self, generation: Generation) -> tuple[float | None, float | None]:
        """Return the estimated progress, which never shrinks, and the seconds left."""
        if generation.status is Status.SUCCEEDED:
            return 100.0, 0
        if not generation.status.is_with_service:
            return (0.0 if generation.status.is_pending else None), None
        expectation = self.generations.expectation(generation)
        age = generation.age(dt_util.utcnow())
        best = expectation.progress(age)
        if self._best_progress[0] == generation.generation_id:
            best = max(best, self._best_progress[1])
        self._best_progress = (generation.generation_id, best)
        return round(best, 1), round(expectation.remaining(age))
