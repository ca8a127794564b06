"""Rivya for Home Assistant: a prompt becomes a video, an image or a sound."""

from homeassistant.const import CONF_API_KEY, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.typing import ConfigType

from .api import RivyaClient
from .const import CONF_BASE_URL, DOMAIN, loaded_signal
from .coordinator import RivyaConfigEntry, RivyaCoordinator
from .issues import async_delete_issues
from .services import async_setup_services
from .store import LedgerStore

PLATFORMS = [Platform.BINARY_SENSOR, Platform.EVENT, Platform.SENSOR]
CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions, which exist whether or not an account is loaded."""
    async_setup_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: RivyaConfigEntry) -> bool:
    """Set up an account and take up what it was doing."""
    client = RivyaClient(
        async_get_clientsession(hass),
        entry.data[CONF_API_KEY],
        base_url=entry.data[CONF_BASE_URL],
    )
    coordinator = RivyaCoordinator(hass, entry, client)
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator
    entry.async_on_unload(coordinator.generations.async_stop)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    coordinator.generations.start()
    async_dispatcher_send(hass, loaded_signal(entry.entry_id))
    return True


async def async_unload_entry(hass: HomeAssistant, entry: RivyaConfigEntry) -> bool:
    """Unload an account; what is pending stays in its ledger."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: RivyaConfigEntry) -> None:
    """Delete what belonged to a removed account."""
    async_delete_issues(hass, entry)
    await LedgerStore(hass, entry.entry_id).async_remove()
