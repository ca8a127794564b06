"""May this body become a generation? The model tables decide."""

from dataclasses import dataclass
from typing import Any

from .catalog import LiveEntry, Table, table_of
from .errors import ApiError, invalid
from .settings import Settings
from .values import accepted_value, is_web_url

type Json = dict[str, Any]

BODY_FIELDS = {"model", "prompt", "params", "client_request_id"}
REFERENCES = "referenceMediaItems"
REFERENCE_FIELDS: dict[str, type | tuple[type, ...]] = {
    "url": str,
    "kind": str,
    "name": str,
    "mimeType": str,
    "durationSeconds": (int, float),
    "durationToken": str,
}
ANY_KIND = ["image", "video", "audio"]


@dataclass(frozen=True, kw_only=True)
class ValidRequest:
    """A body that was accepted, with its params as the service understood them."""

    entry: LiveEntry
    table: Table
    prompt: str | None
    params: Json
    client_request_id: str | None


@dataclass(frozen=True)
class Validator:
    """The rules for one body, over the live catalog and the documented tables."""

    catalog: list[LiveEntry]
    tables: dict[str, Table]
    settings: Settings

    def validate(self, body: object) -> ValidRequest:
        """Return the request a body makes, or refuse it."""
        if not isinstance(body, dict):
            raise invalid("The request body must be a JSON object.")
        self._check_fields(body)
        entry = self._entry(body.get("model"))
        table = table_of(entry, self.tables)
        prompt = self._prompt(
            body, entry, required=table is None or table.get("prompt_required", True)
        )
        params = body.get("params", {})
        if not isinstance(params, dict):
            raise invalid("params must be an object.")
        return ValidRequest(
            entry=entry,
            table={"category": entry["category"], **(table or {"params": []})},
            prompt=prompt,
            params=dict(params) if table is None else self._params(params, table),
            client_request_id=self._client_request_id(body),
        )

    def _check_fields(self, body: Json) -> None:
        """Refuse `files`, and by setting every other unknown top-level field."""
        if "files" in body:
            raise invalid(f"files is not accepted; use params.{REFERENCES}.")
        unknown = sorted(body.keys() - BODY_FIELDS)
        if unknown and self.settings.unknown_fields == "reject":
            raise invalid(f"Unknown field: {unknown[0]}.")

    def _entry(self, model: object) -> LiveEntry:
        """Return the catalog entry of a model that can be called here."""
        if not isinstance(model, str) or not model:
            raise invalid("model is required and must be a string.")
        entry = next((entry for entry in self.catalog if entry["id"] == model), None)
        if entry is None:
            raise ApiError(self.settings.unknown_model, f"Unknown model: {model}.")
        if entry["category"] == "chat":
            raise invalid(f"{model} is a chat model and is not served here.")
        if entry["api_status"] != "available":
            raise invalid(
                f"{model} is not available through the API ({entry['api_status']})."
            )
        return entry

    def _prompt(self, body: Json, entry: LiveEntry, *, required: bool) -> str | None:
        """Return the prompt, there if the model needs one, no longer than it takes."""
        prompt = body.get("prompt")
        if "prompt" in body and not isinstance(prompt, str):
            raise invalid("prompt must be a string.")
        if prompt is None or not prompt.strip():
            if required:
                raise invalid("prompt is required for this model.")
            return prompt
        limit = entry["max_prompt_length"]
        if limit is not None and self._length(prompt) > limit:
            raise invalid(f"prompt is longer than {limit} characters.")
        return str(prompt)

    def _length(self, prompt: str) -> int:
        """Return a prompt's length in the unit of the settings."""
        match self.settings.prompt_unit:
            case "utf16":
                return len(prompt.encode("utf-16-le", "surrogatepass")) // 2
            case "utf8":
                return len(prompt.encode("utf-8", "surrogatepass"))
            case _:
                return len(prompt)

    def _client_request_id(self, body: Json) -> str | None:
        """Return the caller's trace id, a string within its limit."""
        value = body.get("client_request_id")
        if value is None:
            return None
        limit = self.settings.client_request_id_limit
        if not isinstance(value, str) or (limit is not None and len(value) > limit):
            raise invalid(
                f"client_request_id must be a string of at most {limit} characters."
            )
        return value

    def _params(self, params: Json, table: Table) -> Json:
        """Return the params by the model's table, or refuse the first that is wrong."""
        known = {param["key"]: param for param in table["params"]}
        accepted: Json = {}
        for key, value in params.items():
            if key == REFERENCES:
                accepted[key] = self._references(value, table)
            elif key in known:
                accepted[key] = accepted_value(known[key], value, self.settings)
            elif self.settings.unknown_params == "reject":
                raise invalid(f"Unknown parameter: params.{key}.")
        for key, param in known.items():
            if param["required"] and key not in accepted:
                raise invalid(f"params.{key} is required for this model.")
        return accepted

    def _references(self, items: object, table: Table) -> list[Json]:
        """Return the reference media, if the model takes these kinds and this many."""
        name = f"params.{REFERENCES}"
        if "file" not in table["inputs"]:
            raise invalid(f"{name}: this model takes no reference media.")
        if not isinstance(items, list):
            raise invalid(f"{name} must be a list.")
        upload = table["upload"] or {}
        most = upload.get("max_files")
        if most is not None and len(items) > most:
            raise invalid(f"{name}: at most {most} files.")
        for item in items:
            self._check_reference(name, item, upload.get("kinds") or ANY_KIND)
        return list(items)

    def _check_reference(self, name: str, item: object, kinds: list[str]) -> None:
        """Refuse a reference that lacks something, or has something odd."""
        if not isinstance(item, dict) or not {"url", "kind"} <= item.keys():
            raise invalid(f"{name}: every item needs url and kind.")
        for key, value in item.items():
            if key not in REFERENCE_FIELDS:
                if self.settings.unknown_params == "reject":
                    raise invalid(f"{name}: unknown field {key}.")
            elif isinstance(value, bool) or not isinstance(
                value, REFERENCE_FIELDS[key]
            ):
                raise invalid(f"{name}: {key} has the wrong type.")
        if item["kind"] not in kinds:
            raise invalid(f"{name}: kind must be one of {', '.join(kinds)}.")
        if not is_web_url(item["url"]):
            raise invalid(f"{name}: url must be a http or https address.")
