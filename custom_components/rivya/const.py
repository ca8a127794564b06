"""Names that several modules share."""

from collections.abc import Mapping
from datetime import timedelta
import logging
from typing import Any, Final

DOMAIN: Final = "rivya"
LOGGER: Final = logging.getLogger(__package__)

CONF_BASE_URL: Final = "base_url"
CONF_CONCURRENCY: Final = "concurrency"
CONF_DEFAULT_MODEL: Final = "default_model"

DEFAULT_CONCURRENCY: Final = 3
DEFAULT_MODEL: Final = "sora-2"
MAX_CONCURRENCY: Final = 20

EVENT_STATUS: Final = "rivya_generation_status"

CREDITS_INTERVAL: Final = timedelta(minutes=15)
CATALOG_INTERVAL: Final = timedelta(hours=12)


def default_model(options: Mapping[str, Any]) -> str:
    """Return the model that an account's options name, or the usual one."""
    model_id: str = options.get(CONF_DEFAULT_MODEL, DEFAULT_MODEL)
    return model_id


def loaded_signal(entry_id: str) -> str:
    """Return the name of the signal that tells that an account has been loaded."""
    return f"{DOMAIN}_loaded_{entry_id}"


def generation_signal(entry_id: str) -> str:
    """Return the name of the signal that carries an account's changes of status."""
    return f"{DOMAIN}_generation_{entry_id}"
