"""Event: what happens to the generations."""

from typing import override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import generation_signal
from .coordinator import RivyaConfigEntry
from .entity import RivyaEntity
from .ledger import Generation, Status

# Events are pushed by the coordinator; nothing is fetched here.
PARALLEL_UPDATES = 0

SUBMITTED = "submitted"
GENERATION = EventEntityDescription(
    key="generation",
    translation_key="generation",
    event_types=[
        SUBMITTED,
        Status.PROCESSING.value,
        Status.SUCCEEDED.value,
        Status.FAILED.value,
        Status.UNKNOWN.value,
    ],
)
_ATTRIBUTES = (
    "generation_id",
    "task_id",
    "model",
    "client_request_id",
    "duration",
    "final_credits",
    "media_content_id",
    "media_url",
    "source_url",
    "error",
    "recovered",
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RivyaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the event entity of an account."""
    async_add_entities([RivyaGenerationEvent(entry.runtime_data, GENERATION)])


class RivyaGenerationEvent(RivyaEntity, EventEntity):
    """Tells of each step of each generation, once."""

    _unrecorded_attributes = frozenset(_ATTRIBUTES) - {"generation_id", "model"}

    @property
    @override
    def available(self) -> bool:
        """Return True: what has happened stays true while the service is away."""
        return True

    @override
    async def async_added_to_hass(self) -> None:
        """Listen for changes of status."""
        await super().async_added_to_hass()
        self.async_on_remove(
            async_dispatcher_connect(
                self.hass,
                generation_signal(self.coordinator.config_entry.entry_id),
                self._async_report,
            )
        )

    @callback
    def _async_report(self, generation: Generation, before: Status | None) -> None:
        """Tell what has happened; acceptance by the service is a step of its own."""
        if before is Status.SUBMITTING and generation.task_id is not None:
            self._async_tell(SUBMITTED, generation)
        if generation.status in self.event_types:
            self._async_tell(generation.status.value, generation)

    @callback
    def _async_tell(self, event_type: str, generation: Generation) -> None:
        """Write one event."""
        record = generation.as_record()
        self._trigger_event(event_type, {name: record[name] for name in _ATTRIBUTES})
        self.async_write_ha_state()
