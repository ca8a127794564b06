"""Diagnostics: what helps to find a fault, and by its nature cannot hold a secret.

An allow-list. No key, address, prompt, parameter or link is in it; neither is any text
of the service.
"""

from collections import Counter
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .api import DEFAULT_BASE_URL
from .const import CONF_BASE_URL, CONF_CONCURRENCY, CONF_DEFAULT_MODEL
from .coordinator import RivyaConfigEntry
from .ledger import Generation

_LATEST = 20


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: RivyaConfigEntry
) -> dict[str, Any]:
    """Return how an account stands."""
    account = {
        "state": entry.state.value,
        "reason": entry.error_reason_translation_key,
        "is_default_service": entry.data[CONF_BASE_URL] == DEFAULT_BASE_URL,
        "options": {
            name: entry.options.get(name)
            for name in (CONF_CONCURRENCY, CONF_DEFAULT_MODEL)
        },
    }
    if entry.state is not ConfigEntryState.LOADED:
        return {"account": account}
    coordinator = entry.runtime_data
    generations = coordinator.generations
    ledger = generations.ledger
    catalog = coordinator.catalog.models.values()
    return {
        "account": account,
        "service": {
            "answers": coordinator.last_update_success,
            "credits": coordinator.data.credits,
            "schedule": generations.diagnostics(),
        },
        "catalog": Counter(model.availability.value for model in catalog),
        "ledger": {
            "spent": ledger.spent,
            "statuses": Counter(
                generation.status.value for generation in ledger.generations.values()
            ),
            "latest": [
                _generation(generation)
                for generation, _ in zip(
                    ledger.newest_first(), range(_LATEST), strict=False
                )
            ],
        },
    }


def _generation(generation: Generation) -> dict[str, Any]:
    """Return the facts of a generation that give nothing away."""
    error = generation.error
    return {
        "generation_id": generation.generation_id,
        "status": generation.status.value,
        "has_task_id": generation.task_id is not None,
        "age": generation.age(dt_util.utcnow()),
        "duration": generation.duration,
        "reserved_credits": generation.reserved_credits,
        "final_credits": generation.final_credits,
        "results": len(generation.urls),
        "perhaps_sent": generation.perhaps_sent,
        "recovered": generation.recovered,
        "error": error and {"code": error.code, "request_id": error.request_id},
    }
