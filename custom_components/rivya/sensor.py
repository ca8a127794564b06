"""Sensors: credits, and how the generations stand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import PERCENTAGE, EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .coordinator import RivyaConfigEntry, Snapshot
from .entity import RivyaEntity
from .ledger import Status

# Everything comes from the coordinator; nothing is fetched here.
PARALLEL_UPDATES = 0

IDLE = "idle"


@dataclass(frozen=True, kw_only=True)
class RivyaSensorDescription(SensorEntityDescription):
    """How a sensor reads the snapshot."""

    value_fn: Callable[[Snapshot], StateType | datetime]
    attributes_fn: Callable[[Snapshot], dict[str, Any] | None] = lambda _: None


def _latest(snapshot: Snapshot) -> dict[str, Any] | None:
    """Return which generation the state is about."""
    if (latest := snapshot.latest) is None:
        return None
    return {
        "generation_id": latest.generation_id,
        "model": latest.model,
        "created_at": latest.created_at.isoformat(),
        "error": latest.error.code if latest.error else None,
    }


SENSORS = (
    RivyaSensorDescription(
        key="credits",
        translation_key="credits",
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda snapshot: snapshot.credits,
    ),
    RivyaSensorDescription(
        key="credits_spent",
        translation_key="credits_spent",
        state_class=SensorStateClass.TOTAL_INCREASING,
        suggested_display_precision=0,
        value_fn=lambda snapshot: snapshot.spent,
    ),
    RivyaSensorDescription(
        key="active_generations",
        translation_key="active_generations",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda snapshot: snapshot.active,
        attributes_fn=lambda snapshot: {"waiting": snapshot.waiting},
    ),
    RivyaSensorDescription(
        key="latest_generation",
        translation_key="latest_generation",
        device_class=SensorDeviceClass.ENUM,
        options=[IDLE, *(status.value for status in Status)],
        value_fn=lambda snapshot: snapshot.latest.status if snapshot.latest else IDLE,
        attributes_fn=_latest,
    ),
    RivyaSensorDescription(
        key="estimated_progress",
        translation_key="estimated_progress",
        native_unit_of_measurement=PERCENTAGE,
        suggested_display_precision=0,
        value_fn=lambda snapshot: snapshot.progress,
        attributes_fn=lambda snapshot: {"estimated_seconds_left": snapshot.remaining},
    ),
    RivyaSensorDescription(
        key="last_finished",
        translation_key="last_finished",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda snapshot: snapshot.last_finished,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RivyaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of an account."""
    async_add_entities(
        RivyaSensor(entry.runtime_data, description) for description in SENSORS
    )


class RivyaSensor(RivyaEntity, SensorEntity):
    """A sensor that shows a part of the snapshot."""

    entity_description: RivyaSensorDescription
    _unrecorded_attributes = frozenset(
        {"created_at", "error", "estimated_seconds_left", "generation_id", "waiting"}
    )

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return the state."""
        return self.entity_description.value_fn(self.coordinator.data)

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        """Return the few facts that go with the state."""
        return self.entity_description.attributes_fn(self.coordinator.data)
