"""A request is checked and converted before a credit is spent, by data alone."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
import json
from typing import Any

import pytest

from custom_components.rivya.api import (
    REFERENCES,
    Availability,
    Catalog,
    Model,
    Parameter,
    RequestProblem,
    RivyaClient,
    RivyaRequestError,
    RivyaValidationError,
    prepare_request,
)
from tests.simulator import Simulator

from .conftest import GENERATIONS

PICTURE = {"url": "https://cdn.example.com/a.png", "kind": "image"}


def refusal(
    catalog: Catalog,
    model_id: str = "sora-2",
    prompt: str | None = "tide",
    params: Mapping[str, Any] | None = None,
) -> RivyaRequestError:
    """Return the error that a request meets before it is sent."""
    with pytest.raises(RivyaRequestError) as caught:
        prepare_request(catalog, model_id, prompt, params or {})
    return caught.value


def with_model(catalog: Catalog, model_id: str, **changes: Any) -> Catalog:
    """Return a catalog in which one model is different."""
    changed = replace(catalog.models[model_id], **changes)
    return Catalog([*catalog.models.values(), changed])


# Sora 2, as its page has it.


def test_nothing_is_sent_that_was_not_given(shipped: Catalog) -> None:
    body = prepare_request(shipped, "sora-2", "tide", {})
    assert body == {"model": "sora-2", "prompt": "tide"}
    nothing = {"n_frames": None, "aspect_ratio": None, REFERENCES: None}
    assert prepare_request(shipped, "sora-2", "tide", nothing) == body


def test_sora_2_takes_natural_types_and_sends_strings(shipped: Catalog) -> None:
    params = {
        "n_frames": 10,
        "aspect_ratio": "Portrait",
        "remove_watermark": True,
        "upload_method": "s3",
    }
    assert prepare_request(shipped, "sora-2", "tide", params)["params"] == {
        "n_frames": "10",
        "aspect_ratio": "portrait",
        "remove_watermark": "true",
        "upload_method": "s3",
    }


def test_sora_2_has_exactly_the_parameters_of_its_page(shipped: Catalog) -> None:
    parameters = shipped.models["sora-2"].parameters
    assert parameters is not None
    assert {each.key: set(each.options) for each in parameters} == {
        "n_frames": {"10", "15"},
        "aspect_ratio": {"landscape", "portrait"},
        "remove_watermark": {"true", "false"},
        "upload_method": {"s3", "oss"},
    }
    assert not any(each.required for each in parameters)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("n_frames", 12, "10, 15"),
        ("n_frames", "10s", "10, 15"),
        ("aspect_ratio", "16:9", "landscape, portrait"),
        ("aspect_ratio", 969, "landscape, portrait"),
        ("remove_watermark", "maybe", "true, false"),
        ("upload_method", "ftp", "s3, oss"),
    ],
)
def test_sora_2_refuses_what_its_page_does_not_list(
    shipped: Catalog, key: str, value: object, allowed: str
) -> None:
    error = refusal(shipped, params={key: value})
    assert error.reason is RequestProblem.INVALID_OPTION
    assert error.facts["parameter"] == key
    assert set(error.facts["allowed"].split(", ")) == set(allowed.split(", "))


async def test_sora_2_takes_ten_thousand_characters_and_not_one_more(
    shipped: Catalog, client: RivyaClient
) -> None:
    longest = prepare_request(shipped, "sora-2", "ö" * 10_000, {})
    await client.create_generation(longest, idempotency_key="long")
    error = refusal(shipped, prompt="ö" * 10_001)
    assert error.reason is RequestProblem.PROMPT_TOO_LONG
    assert error.facts == {"model": "sora-2", "length": "10001", "limit": "10000"}
    # The other reading of the contract draws the line at the same place.
    with pytest.raises(RivyaValidationError):
        await client.create_generation(
            longest | {"prompt": "ö" * 10_001}, idempotency_key="too long"
        )


# Every model.


def variations(model: Model) -> list[dict[str, Any]]:
    """Return requests in which every parameter takes its every option and end."""
    assert model.parameters is not None
    values = {each.key: _values(each) for each in model.parameters}
    count = max((len(each) for each in values.values()), default=1)
    return [
        {key: each[number % len(each)] for key, each in values.items()}
        for number in range(count)
    ]


def _values(parameter: Parameter) -> list[Any]:
    """Return what a parameter must accept."""
    match parameter.type:
        case "select":
            return list(parameter.options)
        case "number":
            ends = (parameter.minimum, parameter.maximum, parameter.default)
            return [end for end in ends if end is not None] or [7]
        case "text":
            return ["a text", "7"]
    return [[{"voice": "Adam", "text": "Good morning"}]]


async def test_all_models_accept_their_every_parameter_and_so_does_the_service(
    shipped: Catalog, client: RivyaClient, sim: Simulator
) -> None:
    sim.accounts[0].credits = 10**9
    sent = 0
    for model in shipped.models.values():
        prompt = "tide" if model.prompt_required else None
        for params in variations(model):
            body = prepare_request(shipped, model.id, prompt, params)
            assert body.get("params", {}) == params
            await client.create_generation(body, idempotency_key=f"key {sent}")
            sent += 1
    assert len(shipped.models) == 52
    assert len({each.body["model"] for each in sim.requests}) == 52
    assert [each.status for each in sim.requests_to("POST", GENERATIONS)] == [
        200
    ] * sent


async def test_all_models_with_uploads_accept_references_and_so_does_the_service(
    shipped: Catalog, client: RivyaClient, sim: Simulator
) -> None:
    sim.accounts[0].credits = 10**9
    sent = 0
    for model in shipped.models.values():
        for kind in (model.upload and model.upload.kinds) or ("image",):
            params = {REFERENCES: [PICTURE | {"kind": kind}]}
            if model.takes_references:
                body = prepare_request(shipped, model.id, "tide", params)
                await client.create_generation(body, idempotency_key=f"key {sent}")
                sent += 1
            else:
                error = refusal(shipped, model.id, params=params)
                assert error.reason is RequestProblem.UNKNOWN_PARAMETER
    assert [each.status for each in sim.requests] == [200] * sent
    assert len({each.body["model"] for each in sim.requests}) == 37


def test_every_default_of_the_tables_is_a_value_of_its_parameter(
    shipped: Catalog,
) -> None:
    for model in shipped.models.values():
        for parameter in model.parameters or ():
            assert parameter.convert(parameter.default) == parameter.default


def test_every_key_of_a_table_is_found_when_misspelt(shipped: Catalog) -> None:
    for model in shipped.models.values():
        for parameter in model.parameters or ():
            error = refusal(shipped, model.id, params={parameter.key + "x": 1})
            assert error.facts["nearest"] == parameter.key
            assert parameter.key in error.facts["allowed"].split(", ")


# Keys.


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("n_frame", "n_frames"),
        ("N_FRAMES", "n_frames"),
        ("aspectRatio", "aspect_ratio"),
        ("removeWatermark", "remove_watermark"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_and_the_allowed(
    shipped: Catalog, key: str, nearest: str
) -> None:
    error = refusal(shipped, params={key: 5})
    assert error.reason is RequestProblem.UNKNOWN_PARAMETER
    assert error.facts["model"] == "sora-2"
    assert error.facts["parameter"] == key
    assert error.facts["nearest"] == nearest
    assert "n_frames" in error.facts["allowed"].split(", ")


def test_the_nearest_key_is_spelt_as_the_model_spells_it(shipped: Catalog) -> None:
    model = next(
        model
        for model in shipped.models.values()
        if any(each.key == "aspectRatio" for each in model.parameters or ())
    )
    error = refusal(shipped, model.id, params={"aspect_ratio": "1:1"})
    assert error.facts["nearest"] == "aspectRatio"


def test_a_required_parameter_without_a_default_must_be_given(
    shipped: Catalog,
) -> None:
    error = refusal(shipped, "elevenlabs-dialogue-v3", None)
    assert error.reason is RequestProblem.MISSING_PARAMETER
    assert error.facts == {"model": "elevenlabs-dialogue-v3", "parameter": "dialogue"}


def test_a_required_parameter_with_a_default_is_sent(shipped: Catalog) -> None:
    body = prepare_request(shipped, "elevenlabs-turbo-2-5", "Hello", {})
    assert body["params"] == {"voice": "TX3LPaxmHKxFdv7VOQHJ"}
    body = prepare_request(shipped, "elevenlabs-turbo-2-5", "Hello", {"voice": None})
    assert body["params"] == {"voice": "TX3LPaxmHKxFdv7VOQHJ"}


def test_a_live_default_is_sent_as_the_wire_wants_it(shipped: Catalog) -> None:
    entry = {"key": "n_frames", "type": "select", "required": True, "default": 15}
    catalog = shipped.overlaid([{"id": "sora-2", "params": [entry]}])
    body = prepare_request(catalog, "sora-2", "tide", {})
    assert body["params"] == {"n_frames": "15"}


# Prompts.


@pytest.mark.parametrize("prompt", [None, "", "  \n"])
def test_a_prompt_is_needed(shipped: Catalog, prompt: str | None) -> None:
    error = refusal(shipped, prompt=prompt)
    assert error.reason is RequestProblem.PROMPT_REQUIRED
    assert error.facts == {"model": "sora-2"}


def test_a_model_may_do_without_a_prompt(shipped: Catalog) -> None:
    lines = [{"voice": "Adam", "text": "Good morning"}]
    params = {"dialogue": lines}
    body = prepare_request(shipped, "elevenlabs-dialogue-v3", None, params)
    assert body == {"model": "elevenlabs-dialogue-v3", "params": {"dialogue": lines}}


def test_a_model_without_a_limit_takes_any_prompt(shipped: Catalog) -> None:
    assert shipped.models["4o-image"].prompt_limit is None
    assert prepare_request(shipped, "4o-image", "x" * 100_000, {})["prompt"]


def test_half_a_character_is_no_prompt(shipped: Catalog) -> None:
    error = refusal(shipped, prompt="tide \ud83c")
    assert error.reason is RequestProblem.INVALID_PROMPT
    assert error.__cause__ is error.__context__ is None


def test_a_prompt_is_sent_as_it_is(shipped: Catalog) -> None:
    prompt = '  tide\t"coming"\n\U0001f30a\u0000 '
    assert prepare_request(shipped, "sora-2", prompt, {})["prompt"] == prompt


# Models.


def test_a_model_the_catalog_does_not_know_is_sent_as_is(shipped: Catalog) -> None:
    params = {"a": 5, "b": None, "c": [{"d": (1.5, True, None)}], REFERENCES: "new"}
    assert prepare_request(shipped, "sora-9", None, params) == {
        "model": "sora-9",
        "params": {"a": 5, "c": [{"d": [1.5, True, None]}], REFERENCES: "new"},
    }


@pytest.mark.parametrize(
    "availability", [Availability.COMING_SOON, Availability.STUDIO_ONLY]
)
def test_a_model_that_cannot_be_called_is_refused_before_money_is_spent(
    shipped: Catalog, availability: Availability
) -> None:
    catalog = with_model(shipped, "sora-2", availability=availability)
    error = refusal(catalog)
    assert error.reason is RequestProblem.MODEL_NOT_AVAILABLE
    assert error.facts == {"model": "sora-2", "availability": availability}


@pytest.mark.parametrize(
    "availability",
    [Availability.AVAILABLE, Availability.NOT_LISTED, Availability.UNKNOWN],
)
def test_a_model_that_may_work_is_tried(
    shipped: Catalog, availability: Availability
) -> None:
    catalog = with_model(shipped, "sora-2", availability=availability)
    assert prepare_request(catalog, "sora-2", "tide", {})["model"] == "sora-2"


def test_a_chat_model_is_refused(shipped: Catalog) -> None:
    catalog = shipped.overlaid([{"id": "gpt-5-2-chat", "category": "chat"}])
    error = refusal(catalog, "gpt-5-2-chat")
    assert error.reason is RequestProblem.CHAT_MODEL
    assert error.facts == {"model": "gpt-5-2-chat"}


# References and other structures.


@pytest.mark.parametrize(
    "value",
    [
        "https://cdn.example.com/a.png",
        PICTURE,
        [PICTURE, PICTURE],
        ["https://cdn.example.com/a.png"],
        [{"url": "https://cdn.example.com/a.png"}],
        [{"kind": "image"}],
        [PICTURE | {"kind": "video"}],
        [PICTURE | {"kind": 5}],
        [PICTURE | {"url": None}],
    ],
)
def test_references_are_checked_by_the_models_policy(
    shipped: Catalog, value: object
) -> None:
    error = refusal(shipped, params={REFERENCES: value})
    assert error.reason is RequestProblem.INVALID_REFERENCES
    assert error.facts == {"model": "sora-2", "kinds": "image", "limit": "1"}


def test_references_of_a_model_without_a_policy_need_url_and_kind(
    shipped: Catalog,
) -> None:
    catalog = with_model(shipped, "sora-2", upload=None)
    references = [PICTURE | {"kind": "hologram"}] * 20
    body = prepare_request(catalog, "sora-2", "tide", {REFERENCES: references})
    assert body["params"][REFERENCES] == references
    error = refusal(catalog, params={REFERENCES: [{}]})
    assert error.facts == {"model": "sora-2", "kinds": "any", "limit": "∞"}


@pytest.mark.parametrize(
    "value",
    [
        date(2026, 1, 1),
        {1: 2},
        {"\ud800": 2},
        {"a": {5}},
        b"bytes",
        float("nan"),
        float("inf"),
        10**30,
        "half \ud83c",
        [["half \ud83c"]],
        pytest.param(object(), id="object"),
    ],
    ids=repr,
)
def test_what_json_cannot_say_is_refused_before_it_is_sent(
    shipped: Catalog, value: object
) -> None:
    error = refusal(shipped, "sora-9", params={"new": value})
    assert error.reason is RequestProblem.INVALID_VALUE
    assert error.facts == {"parameter": "new"}
    lines = [{"voice": "Adam", "text": value}]
    error = refusal(shipped, "elevenlabs-dialogue-v3", params={"dialogue": lines})
    assert error.reason is RequestProblem.INVALID_VALUE
    error = refusal(shipped, params={REFERENCES: [PICTURE | {"name": value}]})
    assert error.reason is RequestProblem.INVALID_VALUE


def test_half_a_character_is_no_text_and_no_key(shipped: Catalog) -> None:
    error = refusal(shipped, "google-imagen4", params={"seed": "\ud83c"})
    assert error.reason is RequestProblem.INVALID_VALUE
    error = refusal(shipped, "sora-9", params={"\ud83c": 5})
    assert error.reason is RequestProblem.INVALID_VALUE


@pytest.mark.parametrize("depth", [10_000, 40])
@pytest.mark.parametrize("kind", ["list", "object"])
def test_depth_is_bounded(shipped: Catalog, kind: str, depth: int) -> None:
    value: Any = 5
    for _ in range(depth):
        value = [value] if kind == "list" else {"a": value}
    error = refusal(shipped, "sora-9", params={"new": value})
    assert error.reason is RequestProblem.INVALID_VALUE


def test_what_is_prepared_can_be_said_in_json(shipped: Catalog) -> None:
    value: Any = [{"a": [1, 2.5, "x", None, True]}]
    body = prepare_request(shipped, "sora-9", "tide", {"new": value})
    assert json.loads(json.dumps(body, allow_nan=False)) == body


def test_a_request_leaves_what_it_was_given_alone(shipped: Catalog) -> None:
    params = {"n_frames": 10, "remove_watermark": None}
    prepare_request(shipped, "sora-2", "tide", params)
    assert params == {"n_frames": 10, "remove_watermark": None}


def test_the_id_of_the_caller_goes_along(shipped: Catalog) -> None:
    body = prepare_request(shipped, "sora-2", "tide", {}, "kitchen-1")
    assert body["client_request_id"] == "kitchen-1"


def test_an_id_that_is_no_text_is_refused(shipped: Catalog) -> None:
    with pytest.raises(RivyaRequestError) as error:
        prepare_request(shipped, "sora-2", "tide", {}, "\ud800")
    assert error.value.reason is RequestProblem.INVALID_VALUE
    assert error.value.facts == {"parameter": "client_request_id"}


def test_names_that_are_more_than_text_become_plain(shipped: Catalog) -> None:
    class Node(str):
        """A text as Home Assistant's YAML loader makes it."""

        __slots__ = ("line",)

    body = prepare_request(shipped, "sora-9", Node("tide"), {Node("a"): {Node("b"): 5}})
    (key,) = body["params"]
    assert (
        type(key)
        is type(body["prompt"])
        is type(next(iter(body["params"][key])))
        is str
    )
