"""The check of a request before it is sent, and its body for the wire.

Everything follows from the catalog's data: what it does not know is sent as it is, for
the service has the last word and charges nothing for a refusal.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
import json
from typing import Any, Final

from .catalog import Catalog, Model
from .exceptions import RequestProblem, RivyaRequestError
from .models import is_link, number_or_none
from .parameters import Parameter

REFERENCES: Final = "referenceMediaItems"
"""The member of ``params`` that holds media given as input (API docs, create)."""

_MAX_DEPTH = 32


def prepare_request(
    catalog: Catalog,
    model_id: str,
    prompt: str | None,
    params: Mapping[str, Any],
    client_request_id: str | None = None,
) -> dict[str, Any]:
    """Check a request and return its body as it goes on the wire.

    Parameters that were not given stay away: their defaults are the service's
    business, unless the model requires them.

    Args:
        catalog: What the models accept.
        model_id: The model.
        prompt: The prompt, where the model takes one.
        params: The model's parameters with natural types.
        client_request_id: An id of the caller's own.

    Raises:
        RivyaRequestError: The request cannot be right; nothing was sent.

    """
    model = catalog.models.get(model_id) or Model.undocumented(model_id)
    _check_availability(model)
    _check_prompt(model, prompt)
    body: dict[str, Any] = {"model": model_id}
    if prompt:
        body["prompt"] = prompt
    if converted := _convert_parameters(model, params):
        body["params"] = converted
    if client_request_id is not None:
        body["client_request_id"] = client_request_id
    for key in ("model", "client_request_id"):
        if not _can_be_sent(body.get(key)):
            raise RivyaRequestError(RequestProblem.INVALID_VALUE, parameter=key)
    # Plain types only, and nothing of the caller's that could change later.
    plain: dict[str, Any] = json.loads(json.dumps(body))
    return plain


def _check_availability(model: Model) -> None:
    """Refuse a model that the service does not run for us."""
    if model.category == "chat":
        raise RivyaRequestError(RequestProblem.CHAT_MODEL, model=model.id)
    if not model.availability.is_callable:
        raise RivyaRequestError(
            RequestProblem.MODEL_NOT_AVAILABLE,
            model=model.id,
            availability=model.availability,
        )


def _check_prompt(model: Model, prompt: str | None) -> None:
    """Refuse a prompt that is missing, too long or no text.

    The contract does not say in which unit the limit counts; characters are the
    most generous reading, and the service has the last word.
    """
    prompt = prompt or ""
    if model.prompt_required and not prompt.strip():
        raise RivyaRequestError(RequestProblem.PROMPT_REQUIRED, model=model.id)
    if model.prompt_limit is not None and len(prompt) > model.prompt_limit:
        raise RivyaRequestError(
            RequestProblem.PROMPT_TOO_LONG,
            model=model.id,
            length=str(len(prompt)),
            limit=str(model.prompt_limit),
        )
    if not _can_be_sent(prompt):
        raise RivyaRequestError(RequestProblem.INVALID_PROMPT)


def _convert_parameters(model: Model, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters as the wire wants them."""
    known = {parameter.key: parameter for parameter in model.parameters or ()}
    converted: dict[str, Any] = {}
    for key, value in params.items():
        if model.parameters is None:
            result: Any = value
        elif key == REFERENCES and model.takes_references:
            result = _references(model, value)
        elif key in known:
            result = known[key].convert(value)
        else:
            raise _unknown(model, key, known)
        if not _can_be_sent({key: result}):
            raise RivyaRequestError(RequestProblem.INVALID_VALUE, parameter=key)
        if result is not None:
            converted[key] = result
    for key, parameter in known.items():
        if parameter.required and key not in converted:
            if (default := parameter.convert(parameter.default)) is None:
                raise RivyaRequestError(
                    RequestProblem.MISSING_PARAMETER, model=model.id, parameter=key
                )
            converted[key] = default
    return converted


def _can_be_sent(value: object, depth: int = 0) -> bool:
    """Tell whether any reader of JSON, our own records' too, gets a value back.

    Templates and YAML also make dates, NaN, halves of characters and keys that are
    no text.
    """
    match value:
        case None | bool():
            return True
        case str():
            return value == value.encode(errors="replace").decode()
        case int() | float():
            return number_or_none(value) is not None
        case list() | tuple() if depth < _MAX_DEPTH:
            return all(_can_be_sent(each, depth + 1) for each in value)
        case dict() if depth < _MAX_DEPTH:
            return all(
                isinstance(key, str)
                and _can_be_sent(key)
                and _can_be_sent(each, depth + 1)
                for key, each in value.items()
            )
    return False


def _unknown(
    model: Model, key: str, known: Mapping[str, Parameter]
) -> RivyaRequestError:
    """Return the error for an unknown parameter, naming the one that was meant."""
    nearest = get_close_matches(
        key.lower(), {name.lower(): name for name in known}, n=1
    )
    meant = next((name for name in known if [name.lower()] == nearest), "")
    return RivyaRequestError(
        RequestProblem.UNKNOWN_PARAMETER,
        model=model.id,
        parameter=key,
        nearest=meant,
        allowed=", ".join(known),
    )


def _references(model: Model, value: object) -> list[Mapping[str, Any]] | None:
    """Check ready-made references (API docs, create): ``url`` and ``kind`` each."""
    if value is None:
        return None
    kinds: Sequence[str] = model.upload.kinds if model.upload else ()
    most = model.upload.max_files if model.upload else None
    if (
        not isinstance(value, list)
        or not all(
            isinstance(item, Mapping)
            and is_link(item.get("url"))
            and isinstance(item.get("kind"), str)
            and (not kinds or item["kind"] in kinds)
            for item in value
        )
        or (most is not None and len(value) > most)
    ):
        raise RivyaRequestError(
            RequestProblem.INVALID_REFERENCES,
            model=model.id,
            kinds=", ".join(kinds) or "any",
            limit="∞" if most is None else str(most),
        )
    return value
