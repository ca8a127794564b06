"""Binary sensor: whether anything is being generated."""

from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import RivyaConfigEntry
from .entity import RivyaEntity

# Everything comes from the coordinator; nothing is fetched here.
PARALLEL_UPDATES = 0

GENERATING = BinarySensorEntityDescription(
    key="generating",
    translation_key="generating",
    device_class=BinarySensorDeviceClass.RUNNING,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: RivyaConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the binary sensor of an account."""
    async_add_entities([RivyaGenerating(entry.runtime_data, GENERATING)])


class RivyaGenerating(RivyaEntity, BinarySensorEntity):
    """On while a generation is not at its end."""

    @property
    @override
    def is_on(self) -> bool:
        """Return whether anything is going on."""
        return self.coordinator.data.active > 0
