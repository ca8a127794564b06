"""The repairs that an account can raise, and when they go away."""

from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .api import Availability, Catalog
from .const import DOMAIN, default_model

_NOT_OFFERED = frozenset(
    {Availability.COMING_SOON, Availability.NOT_LISTED, Availability.STUDIO_ONLY}
)


@callback
def async_check_default_model(
    hass: HomeAssistant, entry: ConfigEntry[Any], catalog: Catalog
) -> None:
    """Raise a repair while the live catalog does not offer the default model."""
    model_id = default_model(entry.options)
    model = catalog.models.get(model_id)
    if model is not None and model.availability not in _NOT_OFFERED:
        ir.async_delete_issue(hass, DOMAIN, _default_model_issue(entry))
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        _default_model_issue(entry),
        data={"entry_id": entry.entry_id},
        is_fixable=True,
        severity=ir.IssueSeverity.WARNING,
        translation_key="default_model_gone",
        translation_placeholders={"account": entry.title, "model": model_id},
    )


@callback
def async_delete_issues(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Take back what an account has raised."""
    ir.async_delete_issue(hass, DOMAIN, _default_model_issue(entry))


def _default_model_issue(entry: ConfigEntry[Any]) -> str:
    """Return the id of the repair about an account's default model."""
    return f"default_model_gone_{entry.entry_id}"
