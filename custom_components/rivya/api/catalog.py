"""What models exist and what they accept.

The tables shipped in ``models.json`` (API docs, model pages) are the base. The live
``GET /models`` overlays what it has: availability, limits, credits, notices, models.
Nothing here knows any model by name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
import json
from pathlib import Path
from typing import Any, Self, override

from .models import number_or_none, text_or_none
from .parameters import Parameter

_SHIPPED = Path(__file__).with_name("models.json")


class Availability(StrEnum):
    """Whether a model can be called (API docs, models: ``api_status``)."""

    AVAILABLE = "available"
    COMING_SOON = "coming_soon"
    STUDIO_ONLY = "studio_only"
    NOT_LISTED = "not_listed"
    """The live catalog was read and does not name it. It may still work."""

    UNKNOWN = "unknown"
    """The live catalog was not read, or says something newer than this client."""

    @classmethod
    @override
    def _missing_(cls, value: object) -> Availability:
        """Take a status never seen before for one that forbids nothing."""
        return cls.UNKNOWN

    @property
    def is_callable(self) -> bool:
        """Whether a generation may be tried."""
        return self not in (Availability.COMING_SOON, Availability.STUDIO_ONLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """The references a model takes (model pages, upload policy)."""

    max_files: int | None
    kinds: tuple[str, ...]
    policies: tuple[Mapping[str, Any], ...]
    """For each kind: ``kind``, ``max_mb`` and ``mime_types``, as the page has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model: what it costs and what it accepts."""

    id: str
    name: str
    category: str | None
    """``video``, ``image``, ``audio`` or ``chat``; others may appear."""

    prompt_limit: int | None
    """Most characters of a prompt; None where none is stated."""

    prompt_required: bool
    base_credits: float | None
    billing_type: str | None
    parameters: tuple[Parameter, ...] | None
    """None where nobody has said what the model accepts: anything goes."""

    upload: Upload | None
    takes_references: bool
    availability: Availability = Availability.UNKNOWN
    notices: tuple[str, ...] = ()

    @property
    def is_callable(self) -> bool:
        """Whether a generation with it may be tried."""
        return self.category != "chat" and self.availability.is_callable

    @classmethod
    def from_table(cls, data: Mapping[str, Any]) -> Self:
        """Read a model of the shipped tables."""
        upload = data["upload"]
        return cls(
            id=data["id"],
            name=data["display_name"],
            category=data["category"],
            prompt_limit=data["prompt_limit"],
            prompt_required=data.get("prompt_required", True),
            base_credits=data["base_credits"],
            billing_type=data["billing_type"],
            parameters=tuple(Parameter.from_dict(entry) for entry in data["params"]),
            upload=upload
            and Upload(
                max_files=upload["max_files"],
                kinds=tuple(upload["kinds"]),
                policies=tuple(upload["policies"]),
            ),
            takes_references="file" in data["inputs"],
        )

    @classmethod
    def undocumented(cls, model_id: str) -> Self:
        """Return a model of which only the id is known."""
        return cls(
            id=model_id,
            name=model_id,
            category=None,
            prompt_limit=None,
            prompt_required=False,
            base_credits=None,
            billing_type=None,
            parameters=None,
            upload=None,
            takes_references=True,
        )

    def overlaid(self, entry: Mapping[str, Any]) -> Model:
        """Return the model with what an entry of the live catalog adds or corrects.

        Members that are absent, empty or of an unexpected shape change nothing.
        """
        limit = number_or_none(entry.get("max_prompt_length"))
        base_credits = number_or_none(entry.get("base_credits"))
        return replace(
            self,
            name=text_or_none(entry.get("display_name")) or self.name,
            category=text_or_none(entry.get("category")) or self.category,
            prompt_limit=int(limit) if limit and limit >= 1 else self.prompt_limit,
            base_credits=self.base_credits if base_credits is None else base_credits,
            billing_type=text_or_none(entry.get("billing_type")) or self.billing_type,
            parameters=_overlaid_parameters(self.parameters, entry.get("params")),
            availability=Availability(str(entry.get("api_status"))),
            notices=_notices(entry.get("notices")),
        )


class Catalog:
    """The models by id."""

    def __init__(self, models: Iterable[Model]) -> None:
        """Hold these models."""
        self.models: Mapping[str, Model] = {model.id: model for model in models}

    @classmethod
    def shipped(cls) -> Self:
        """Read the tables that come with this client: blocking, from a file."""
        return cls(map(Model.from_table, json.loads(_SHIPPED.read_bytes())))

    def overlaid(self, entries: Iterable[Mapping[str, Any]]) -> Catalog:
        """Return the catalog as the service's live entries correct and extend it."""
        models = {
            model_id: replace(model, availability=Availability.NOT_LISTED)
            for model_id, model in self.models.items()
        }
        for entry in entries:
            if model_id := text_or_none(entry.get("id")):
                known = self.models.get(model_id) or Model.undocumented(model_id)
                models[model_id] = known.overlaid(entry)
        return Catalog(models.values())

    def available(self, category: str) -> list[Model]:
        """Return the models of a category that the service says can be called."""
        return [
            model
            for model in self.models.values()
            if model.category == category
            and model.availability is Availability.AVAILABLE
        ]


def _overlaid_parameters(
    known: tuple[Parameter, ...] | None, live: object
) -> tuple[Parameter, ...] | None:
    """Return the known parameters with those the live entry describes.

    The shape of live entries is not documented: one that does not look like a
    parameter is passed over, and none is taken away.
    """
    merged = {parameter.key: parameter for parameter in known or ()}
    for entry in live if isinstance(live, list) else ():
        if not isinstance(entry, Mapping):
            continue
        key, kind = text_or_none(entry.get("key")), text_or_none(entry.get("type"))
        if key is None or kind is None:
            continue
        base = merged.get(key)
        if base is None or base.type != kind:
            base = Parameter.unknown(key, kind)
        merged[key] = base.overlaid(entry)
    return tuple(merged.values()) or known


def _notices(value: object) -> tuple[str, ...]:
    """Return the texts of a model's notices, whose shape is not documented."""
    texts = []
    for notice in value if isinstance(value, list) else (value,):
        if isinstance(notice, Mapping):
            notice = notice.get("message") or notice.get("text") or notice.get("title")  # noqa: PLW2901 - the text within
        if text := text_or_none(notice):
            texts.append(text)
    return tuple(texts)
