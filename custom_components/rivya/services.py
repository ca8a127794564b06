"""The actions: what they take, and what they answer."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, cast

from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv, service
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.util.json import JsonValueType
import voluptuous as vol

from .api import Model, Parameter, RivyaError, Upload, prepare_request
from .const import DOMAIN, default_model, loaded_signal
from .coordinator import RivyaConfigEntry, RivyaCoordinator
from .errors import translated_for_user
from .ledger import Generation, Status

SERVICE_GENERATE: Final = "generate"
SERVICE_GET_GENERATION: Final = "get_generation"
SERVICE_LIST_GENERATIONS: Final = "list_generations"
SERVICE_LIST_MODELS: Final = "list_models"

ATTR_CATEGORY: Final = "category"
ATTR_CLIENT_REQUEST_ID: Final = "client_request_id"
ATTR_GENERATION_ID: Final = "generation_id"
ATTR_LIMIT: Final = "limit"
ATTR_MODEL: Final = "model"
ATTR_PARAMS: Final = "params"
ATTR_PROMPT: Final = "prompt"
ATTR_STATUS: Final = "status"
ATTR_TASK_ID: Final = "task_id"
ATTR_TEXT: Final = "text"
ATTR_TIMEOUT: Final = "timeout"
ATTR_WAIT: Final = "wait"

PARAMETER_FIELDS: Final = (
    "aspect_ratio",
    "n_frames",
    "remove_watermark",
    "upload_method",
)
"""Parameters that are fields of their own: those of the default model."""

DEFAULT_TIMEOUT: Final = timedelta(minutes=10)
MAX_TIMEOUT: Final = timedelta(hours=24)
MAX_CLIENT_REQUEST_ID: Final = 128
MAX_ID: Final = 255

_ID = vol.All(cv.string, vol.Strip, vol.Length(min=1, max=MAX_ID))
_SCALAR = vol.Any(bool, int, float, str)
_ACCOUNT = {vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string}

GENERATE_SCHEMA: Final = vol.Schema(
    {
        **_ACCOUNT,
        vol.Optional(ATTR_PROMPT): cv.string,
        vol.Optional(ATTR_MODEL): _ID,
        **{vol.Optional(field): _SCALAR for field in PARAMETER_FIELDS},
        vol.Optional(ATTR_PARAMS, default=dict): {cv.string: object},
        vol.Optional(ATTR_CLIENT_REQUEST_ID): vol.All(
            cv.string, vol.Length(min=1, max=MAX_CLIENT_REQUEST_ID)
        ),
        vol.Optional(ATTR_WAIT, default=False): cv.boolean,
        vol.Optional(ATTR_TIMEOUT, default=DEFAULT_TIMEOUT): vol.All(
            cv.positive_time_period, vol.Range(max=MAX_TIMEOUT)
        ),
    }
)
GET_GENERATION_SCHEMA: Final = vol.Schema(
    vol.All(
        {
            **_ACCOUNT,
            vol.Exclusive(ATTR_GENERATION_ID, "id"): _ID,
            vol.Exclusive(ATTR_TASK_ID, "id"): _ID,
        },
        cv.has_at_least_one_key(ATTR_GENERATION_ID, ATTR_TASK_ID),
    )
)
LIST_GENERATIONS_SCHEMA: Final = vol.Schema(
    {
        **_ACCOUNT,
        vol.Optional(ATTR_STATUS): vol.All(
            cv.ensure_list, [vol.In([status.value for status in Status])]
        ),
        vol.Optional(ATTR_MODEL): _ID,
        vol.Optional(ATTR_TEXT): cv.string,
        vol.Optional(ATTR_LIMIT, default=20): vol.All(
            vol.Coerce(int), vol.Range(min=1, max=500)
        ),
    }
)
LIST_MODELS_SCHEMA: Final = vol.Schema(
    {
        **_ACCOUNT,
        vol.Optional(ATTR_CATEGORY): vol.All(cv.ensure_list, [cv.string]),
        vol.Optional(ATTR_MODEL): _ID,
    }
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    for name, handler, schema, answers in (
        (SERVICE_GENERATE, _generate, GENERATE_SCHEMA, SupportsResponse.OPTIONAL),
        (
            SERVICE_GET_GENERATION,
            _get_generation,
            GET_GENERATION_SCHEMA,
            SupportsResponse.ONLY,
        ),
        (
            SERVICE_LIST_GENERATIONS,
            _list_generations,
            LIST_GENERATIONS_SCHEMA,
            SupportsResponse.ONLY,
        ),
        (SERVICE_LIST_MODELS, _list_models, LIST_MODELS_SCHEMA, SupportsResponse.ONLY),
    ):
        hass.services.async_register(
            DOMAIN, name, handler, schema=schema, supports_response=answers
        )


async def _generate(call: ServiceCall) -> ServiceResponse:
    """Submit a generation; wait for its end when asked."""
    coordinator = _coordinator(call)
    model_id = call.data.get(
        ATTR_MODEL, default_model(coordinator.config_entry.options)
    )
    try:
        body = prepare_request(
            coordinator.catalog,
            model_id,
            call.data.get(ATTR_PROMPT),
            _params(call),
            call.data.get(ATTR_CLIENT_REQUEST_ID),
        )
    except RivyaError as err:
        raise translated_for_user(err) from err
    notices = coordinator.check_model(model_id)
    model = coordinator.catalog.models.get(model_id)
    generations = coordinator.generations
    generation = await generations.async_generate(
        body, model.category if model else None, call.context
    )
    if call.data[ATTR_WAIT]:
        generation = await _wait(coordinator, generation, call.data[ATTR_TIMEOUT])
    if not call.return_response:
        return None
    answer = _record(generation)
    answer["timed_out"] = call.data[ATTR_WAIT] and generation.status.is_pending
    if notices:
        answer["notices"] = list(notices)
    return answer


async def _wait(
    coordinator: RivyaCoordinator, generation: Generation, limit: timedelta
) -> Generation:
    """Return a generation at its end, or as it is when the time is up.

    It goes on when the account is reloaded, and so does the wait.
    """
    generation_id = generation.generation_id
    with suppress(TimeoutError):
        async with asyncio.timeout(limit.total_seconds()):
            while generation.status.is_pending:
                await coordinator.generations.journal.async_wait(generation_id)
                ledger = coordinator.generations.ledger
                generation = ledger.generations.get(generation_id, generation)
                if generation.status.is_pending:
                    coordinator = await _reloaded(coordinator)
    ledger = coordinator.generations.ledger
    return ledger.generations.get(generation_id, generation)


async def _reloaded(old: RivyaCoordinator) -> RivyaCoordinator:
    """Return the coordinator that takes the place of one that has been unloaded."""
    entry, loaded = old.config_entry, asyncio.Event()

    @callback
    def go_on() -> None:
        loaded.set()

    unsubscribe = async_dispatcher_connect(
        old.hass, loaded_signal(entry.entry_id), go_on
    )
    try:
        if getattr(entry, "runtime_data", old) is old:
            await loaded.wait()
    finally:
        unsubscribe()
    return entry.runtime_data


async def _get_generation(call: ServiceCall) -> ServiceResponse:
    """Return one generation, as the service sees it while it runs."""
    generations = _coordinator(call).generations
    task_id = call.data.get(ATTR_TASK_ID)
    if task_id is not None:
        generation = generations.ledger.by_task(task_id)
    else:
        generation = generations.ledger.generations.get(call.data[ATTR_GENERATION_ID])
    try:
        if generation is not None:
            return _record(await generations.async_ask(generation))
        if task_id is not None:
            return _record(await generations.async_adopt(task_id))
    except RivyaError as err:
        raise translated_for_user(err) from err
    raise ServiceValidationError(
        translation_domain=DOMAIN, translation_key="unknown_generation"
    )


async def _list_generations(call: ServiceCall) -> ServiceResponse:
    """Return the generations on record, the newest first."""
    ledger = _coordinator(call).generations.ledger
    found = [each for each in ledger.newest_first() if _matches(each, call.data)]
    shown = found[: call.data[ATTR_LIMIT]]
    return {"total": len(found), "generations": [_record(each) for each in shown]}


async def _list_models(call: ServiceCall) -> ServiceResponse:
    """Return what models there are and what they accept."""
    categories = call.data.get(ATTR_CATEGORY)
    model_id = call.data.get(ATTR_MODEL)
    return {
        "models": [
            _model(model)
            for model in _coordinator(call).catalog.models.values()
            if (categories is None or model.category in categories)
            and model_id in (None, model.id)
        ]
    }


def _coordinator(call: ServiceCall) -> RivyaCoordinator:
    """Return the coordinator of the account that a call is for.

    Raises:
        ServiceValidationError: There is none, or more than one and none was named.

    """
    entry: RivyaConfigEntry = service.async_get_config_entry(
        call.hass, DOMAIN, call.data.get(ATTR_CONFIG_ENTRY_ID)
    )
    return entry.runtime_data


def _params(call: ServiceCall) -> dict[str, Any]:
    """Return all parameters of a call, wherever they stand.

    Raises:
        ServiceValidationError: One stands in two places with two values.

    """
    params = dict(call.data[ATTR_PARAMS])
    for field in PARAMETER_FIELDS:
        if field not in call.data:
            continue
        if params.get(field, call.data[field]) != call.data[field]:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="parameter_twice",
                translation_placeholders={"parameter": field},
            )
        params[field] = call.data[field]
    return params


def _matches(generation: Generation, wanted: dict[str, Any]) -> bool:
    """Tell whether a generation is one of those asked for."""
    text = wanted.get(ATTR_TEXT, "").casefold()
    return (
        generation.status in wanted.get(ATTR_STATUS, (generation.status,))
        and wanted.get(ATTR_MODEL) in (None, generation.model)
        and text in (generation.prompt or "").casefold()
    )


def _record(generation: Generation) -> dict[str, JsonValueType]:
    """Return the record that the actions answer."""
    return cast("dict[str, JsonValueType]", generation.as_record())


def _model(model: Model) -> dict[str, JsonValueType]:
    """Return what a user needs to know of a model."""
    return {
        "id": model.id,
        "name": model.name,
        "category": model.category,
        "availability": model.availability.value,
        "base_credits": model.base_credits,
        "billing_type": model.billing_type,
        "prompt_limit": model.prompt_limit,
        "prompt_required": model.prompt_required,
        "params": _parameters(model.parameters or ()),
        "references": _references(model.upload),
        "notices": list(model.notices),
    }


def _references(upload: Upload | None) -> JsonValueType:
    """Return what media a model takes as input."""
    if upload is None:
        return None
    return {
        "max_files": upload.max_files,
        "kinds": list(upload.kinds),
        "policies": [dict(policy) for policy in upload.policies],
    }


def _parameters(parameters: Iterable[Parameter]) -> list[JsonValueType]:
    """Return what a user needs to know of parameters."""
    return [
        {
            "key": parameter.key,
            "type": parameter.type,
            "required": parameter.required,
            "default": parameter.default,
            "min": parameter.minimum,
            "max": parameter.maximum,
            "step": parameter.step,
            "options": list(parameter.options),
            "description": parameter.description,
        }
        for parameter in parameters
    ]
