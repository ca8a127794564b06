"""Repairs that the user can carry out by a form."""

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.core import HomeAssistant
import voluptuous as vol

from .const import CONF_DEFAULT_MODEL, default_model
from .coordinator import RivyaConfigEntry
from .forms import chosen_model, model_selector


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow that repairs an issue: there is one kind."""
    return DefaultModelFlow(str((data or {})["entry_id"]))


class DefaultModelFlow(RepairsFlow):
    """Choose another default model."""

    def __init__(self, entry_id: str) -> None:
        """Remember the account."""
        super().__init__()
        self._entry_id = entry_id

    async def async_step_init(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Start with the form; what comes here is the issue's id, and no input."""
        return await self.async_step_model()

    async def async_step_model(
        self, user_input: dict[str, str] | None = None
    ) -> RepairsFlowResult:
        """Offer the video models that the service has, and take the choice over."""
        entry: RivyaConfigEntry | None = self.hass.config_entries.async_get_entry(
            self._entry_id
        )
        if entry is None or not hasattr(entry, "runtime_data"):
            return self.async_abort(reason="account_not_loaded")
        if user_input is not None:
            model_id = chosen_model(user_input[CONF_DEFAULT_MODEL])
            self.hass.config_entries.async_update_entry(
                entry, options={**entry.options, CONF_DEFAULT_MODEL: model_id}
            )
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
            return self.async_create_entry(data={})
        catalog = entry.runtime_data.catalog
        return self.async_show_form(
            step_id="model",
            data_schema=vol.Schema(
                {
                    vol.Required(CONF_DEFAULT_MODEL): model_selector(
                        catalog.available("video")
                    )
                }
            ),
            description_placeholders={
                "account": entry.title,
                "model": default_model(entry.options),
            },
        )
