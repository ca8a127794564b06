"""What Home Assistant finds in its storage at its first start."""

import json
from pathlib import Path
from typing import Any

from .process import LOOPBACK

DASHBOARD = "rivya-demo"

_LONG_AGO = "2026-11-01T00:00:00+00:00"

# By YAML the address would only be tried for five minutes, then given up.
_HTTP = {
    "server_host": [LOOPBACK],
    "cors_allowed_origins": [],
    "login_attempts_threshold": -1,
    "ip_ban_enabled": True,
    "ssl_profile": "intermediate_v6",
    "use_x_frame_options": True,
    "created_at": _LONG_AGO,
    "error": None,
    "error_message": None,
}

# The Marketplace wants its catalog from the internet, unless somebody disabled it.
_MARKETPLACE = {
    "created_at": _LONG_AGO,
    "data": {},
    "disabled_by": "user",
    "discovery_keys": {},
    "domain": "marketplace",
    "entry_id": "01M7QC1BR00000000000000000",
    "minor_version": 1,
    "modified_at": _LONG_AGO,
    "options": {},
    "pref_disable_new_entities": False,
    "pref_disable_polling": False,
    "source": "system",
    "subentries": [],
    "title": "",
    "unique_id": None,
    "version": 1,
}


def write_storage(config: Path, port: int) -> None:
    """Decide what a person would otherwise click, so that nothing wants the internet.

    The steps of onboarding but the owner count as done: they would set up a weather
    forecast and the like.
    """
    address = {**_HTTP, "server_port": port}
    _write(
        config,
        "http",
        (3, 1),
        {"stable": address, "pending": None, "yaml_migration_done": True},
    )
    _write(
        config,
        "onboarding",
        (4, 1),
        {"done": ["core_config", "analytics", "integration"]},
    )
    _write(
        config, "frontend.system_data", (1, 1), {"core": {"default_panel": DASHBOARD}}
    )
    _write(config, "core.config_entries", (1, 5), {"entries": [_MARKETPLACE]})


def _write(
    config: Path, key: str, version: tuple[int, int], data: dict[str, Any]
) -> None:
    """Write one document as Home Assistant does."""
    major, minor = version
    folder = config / ".storage"
    folder.mkdir(exist_ok=True)
    document = {"version": major, "minor_version": minor, "key": key, "data": data}
    (folder / key).write_text(json.dumps(document))
