"""What all entities of an account have in common."""

from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import CONF_BASE_URL, DOMAIN
from .coordinator import RivyaCoordinator


class RivyaEntity(CoordinatorEntity[RivyaCoordinator]):
    """An entity of the account's device."""

    _attr_has_entity_name = True

    def __init__(
        self, coordinator: RivyaCoordinator, description: EntityDescription
    ) -> None:
        """Take identity, name and device from the description and the account."""
        super().__init__(coordinator)
        entry = coordinator.config_entry
        self.entity_description = description
        self._attr_unique_id = f"{entry.entry_id}_{description.key}"
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, entry.entry_id)},
            name=entry.title,
            manufacturer="Rivya",
            entry_type=DeviceEntryType.SERVICE,
            configuration_url=entry.data[CONF_BASE_URL],
        )
