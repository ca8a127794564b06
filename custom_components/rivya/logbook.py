"""Lines for the logbook that a person can read."""

from collections.abc import Callable
from typing import Any, Final

from homeassistant.components.logbook import (
    LOGBOOK_ENTRY_CONTEXT_ID,
    LOGBOOK_ENTRY_ICON,
    LOGBOOK_ENTRY_MESSAGE,
    LOGBOOK_ENTRY_NAME,
    LazyEventPartialState,
)
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN, EVENT_STATUS
from .ledger import Status

_MESSAGES: Final[dict[str, str]] = {
    Status.WAITING: "generation with {model} waits in line",
    Status.SUBMITTING: "generation with {model} is being submitted",
    Status.QUEUED: "generation with {model} was accepted",
    Status.PROCESSING: "generation with {model} has started",
    Status.SUCCEEDED: "generation with {model} succeeded",
    Status.FAILED: "generation with {model} failed",
    Status.UNKNOWN: "generation with {model} has an unknown outcome",
}

_OTHER: Final = "generation with {model}: {status}"


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[
        [str, str, Callable[[LazyEventPartialState], dict[str, Any]]], None
    ],
) -> None:
    """Describe the changes of status."""

    @callback
    def describe(event: LazyEventPartialState) -> dict[str, Any]:
        """Return the line for one change."""
        # The recorder stores an event that is too large without its data.
        entry_id = event.data.get("config_entry_id", "")
        entry = hass.config_entries.async_get_entry(entry_id)
        status = event.data.get("status", "?")
        message = _MESSAGES.get(status, _OTHER).format(
            model=event.data.get("model", "?"), status=status
        )
        duration, spent = event.data.get("duration"), event.data.get("final_credits")
        if status == Status.SUCCEEDED and duration is not None:
            message += f" after {duration:.0f} s"
        if status == Status.SUCCEEDED and spent:
            message += f" for {spent:g} credits"
        return {
            LOGBOOK_ENTRY_NAME: entry.title if entry else "Rivya",
            LOGBOOK_ENTRY_MESSAGE: message,
            LOGBOOK_ENTRY_ICON: "mdi:movie-open-star",
            LOGBOOK_ENTRY_CONTEXT_ID: event.context_id,
        }

    async_describe_event(DOMAIN, EVENT_STATUS, describe)
