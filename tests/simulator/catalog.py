"""The catalog: the pages' tables (`models.json`) and the live entries made of them."""

import json
from pathlib import Path
from typing import Any

type Table = dict[str, Any]
type LiveEntry = dict[str, Any]

MODELS = Path(__file__).with_name("models.json")
PARAM_FIELDS = ("key", "type", "required", "default", "min", "max", "step", "options")

_TEXT_MODE = {"video": "text-to-video", "image": "text-to-image"}
_FILE_MODE = {
    ("video", "image"): "image-to-video",
    ("video", "video"): "video-to-video",
    ("image", "image"): "image-to-image",
}


def load_tables() -> dict[str, Table]:
    """Return the documented table of every model by id, a fresh copy each time."""
    return {
        table["id"]: table for table in json.loads(MODELS.read_text(encoding="utf-8"))
    }


def live_entry(table: Table) -> LiveEntry:
    """Return a model as the live catalog shows it, fields as in the example."""
    kinds = table["upload"]["kinds"] if table["upload"] else []
    modes = _file_modes(table["category"], kinds)
    takes_files = "file" in table["inputs"]
    return {
        "id": table["id"],
        "display_name": table["display_name"],
        "category": table["category"],
        "runtime": "async_task",
        "base_credits": table["base_credits"],
        "billing_type": table["billing_type"],
        "supported_modes": [_text_mode(table), *modes],
        "max_prompt_length": table["prompt_limit"],
        "reference_media": None,
        "params": [],
        "api_status": "available",
        "api_input_status": "partial_requires_files"
        if takes_files
        else "available_text",
        "supported_api_inputs": list(table["inputs"]),
        "requires_files_api": False,
        "requires_upload_for_modes": modes,
        "url_input_supported": takes_files,
        "file_kinds": list(kinds),
        "chat_capabilities": None,
        "notices": [],
    }


def live_params(table: Table) -> list[dict[str, Any]]:
    """Return a table's params in the shape the pages suggest (unverified)."""
    return [
        {field: param[field] for field in PARAM_FIELDS} for param in table["params"]
    ]


def table_of(entry: LiveEntry, tables: dict[str, Table]) -> Table | None:
    """Return what decides about a request: an entry's own params, else its table.

    A model added by a test without params has none: then any param is accepted.
    """
    documented = tables.get(entry["id"])
    if not entry.get("params"):
        return documented
    base = documented or {
        "upload": None,
        "inputs": entry.get("supported_api_inputs", ["text"]),
    }
    empty = dict.fromkeys(PARAM_FIELDS)
    return {**base, "params": [{**empty, **param} for param in entry["params"]]}


def _text_mode(table: Table) -> str:
    """Return the mode of a prompt alone; the names for sound and music are a guess."""
    if table["category"] == "audio":
        speaks = any(param["key"] in {"voice", "dialogue"} for param in table["params"])
        return "text-to-speech" if speaks else "text-to-audio"
    return _TEXT_MODE[table["category"]]


def _file_modes(category: str, kinds: list[str]) -> list[str]:
    """Return the modes that need an upload."""
    return [
        _FILE_MODE[category, kind] for kind in kinds if (category, kind) in _FILE_MODE
    ]
