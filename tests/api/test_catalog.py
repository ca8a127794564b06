"""The catalog: shipped tables as the base, the live entries over them."""

from dataclasses import replace
import json
from pathlib import Path
from typing import Any

import pytest

from custom_components.rivya import api
from custom_components.rivya.api import (
    Availability,
    Catalog,
    Model,
    Parameter,
    RivyaClient,
    Upload,
)
from tests import simulator
from tests.simulator import Settings, Simulator

SHIPPED = Path(api.__file__).with_name("models.json")
CONTRACT = Path(simulator.__file__).with_name("models.json")


def overlaid(shipped: Catalog, **entry: Any) -> Model:
    """Return Sora 2 under a live entry."""
    return shipped.overlaid([{"id": "sora-2", **entry}]).models["sora-2"]


# The shipped tables.


def test_the_tables_are_those_of_the_contract() -> None:
    assert SHIPPED.read_bytes() == CONTRACT.read_bytes()


def test_all_tables_are_read(shipped: Catalog) -> None:
    tables = json.loads(CONTRACT.read_bytes())
    assert list(shipped.models) == [table["id"] for table in tables]
    assert len(shipped.models) == 52
    for table in tables:
        model = shipped.models[table["id"]]
        assert model.id == table["id"]
        assert model.name == table["display_name"]
        assert model.category == table["category"]
        assert model.prompt_limit == table["prompt_limit"]
        assert model.base_credits == table["base_credits"]
        assert model.billing_type == table["billing_type"]
        assert model.takes_references == ("file" in table["inputs"])
        assert model.parameters is not None
        assert [each.key for each in model.parameters] == [
            entry["key"] for entry in table["params"]
        ]
        assert (model.upload is None) == (table["upload"] is None)


def test_a_model_of_the_tables_is_complete(shipped: Catalog) -> None:
    model = shipped.models["wan-2-6"]
    assert model.upload == Upload(
        max_files=1,
        kinds=("image", "video"),
        policies=model.upload.policies if model.upload else (),
    )
    assert model.upload.policies[0]["max_mb"] == 10
    assert "image/png" in model.upload.policies[0]["mime_types"]
    assert model.prompt_required


def test_only_what_a_page_says_can_do_without_a_prompt(shipped: Catalog) -> None:
    assert [
        model.id for model in shipped.models.values() if not model.prompt_required
    ] == ["elevenlabs-dialogue-v3"]


def test_without_the_live_catalog_nothing_is_known_of_availability(
    shipped: Catalog,
) -> None:
    assert {model.availability for model in shipped.models.values()} == {
        Availability.UNKNOWN
    }
    assert shipped.available("video") == []


# The live catalog over them.


@pytest.mark.parametrize("live_params", ["empty", "table"])
async def test_the_services_own_catalog_says_the_same_as_the_tables(
    shipped: Catalog, client: RivyaClient, sim: Simulator, live_params: Any
) -> None:
    sim.settings.live_params = live_params
    live = shipped.overlaid(await client.get_models())
    assert list(live.models) == list(shipped.models)
    for model in live.models.values():
        assert model.availability is Availability.AVAILABLE
        assert (
            replace(model, availability=Availability.UNKNOWN)
            == (shipped.models[model.id])
        )
    assert Settings().live_params == "empty"
    counts = {kind: len(live.available(kind)) for kind in ("video", "image", "audio")}
    assert counts == {"video": 22, "image": 24, "audio": 6}


@pytest.mark.parametrize(
    ("api_status", "availability", "is_callable"),
    [
        ("available", Availability.AVAILABLE, True),
        ("coming_soon", Availability.COMING_SOON, False),
        ("studio_only", Availability.STUDIO_ONLY, False),
        ("retired", Availability.UNKNOWN, True),
        ("", Availability.UNKNOWN, True),
        (None, Availability.UNKNOWN, True),
        (5, Availability.UNKNOWN, True),
        (["available"], Availability.UNKNOWN, True),
    ],
)
def test_availability_is_the_services_word_and_a_new_word_forbids_nothing(
    shipped: Catalog, api_status: object, availability: Availability, is_callable: bool
) -> None:
    model = overlaid(shipped, api_status=api_status)
    assert model.availability is availability
    assert model.availability.is_callable is is_callable


def test_a_model_the_service_does_not_name_is_not_listed_and_stays(
    shipped: Catalog,
) -> None:
    live = shipped.overlaid([{"id": "z-image", "api_status": "available"}])
    assert live.models["sora-2"].availability is Availability.NOT_LISTED
    assert live.models["sora-2"].availability.is_callable
    assert live.models["z-image"].availability is Availability.AVAILABLE
    assert [model.id for model in live.available("image")] == ["z-image"]
    assert len(live.models) == 52


def test_an_entry_without_a_status_is_still_listed(shipped: Catalog) -> None:
    assert overlaid(shipped).availability is Availability.UNKNOWN


def test_a_live_entry_corrects_limits_and_prices(shipped: Catalog) -> None:
    model = overlaid(
        shipped,
        display_name="Sora Two",
        category="film",
        max_prompt_length=20_000,
        base_credits=0,
        billing_type="METERED",
    )
    assert model.name == "Sora Two"
    assert model.category == "film"
    assert model.prompt_limit == 20_000
    assert model.base_credits == 0
    assert model.billing_type == "METERED"
    assert model.parameters == shipped.models["sora-2"].parameters


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"max_prompt_length": None, "base_credits": None, "notices": None},
        {"max_prompt_length": 0, "base_credits": "6"},
        {"max_prompt_length": -1, "base_credits": True},
        {"max_prompt_length": 0.5, "base_credits": float("nan")},
        {"max_prompt_length": "10000", "display_name": 5, "category": []},
        {"max_prompt_length": 10**400, "base_credits": 10**400, "billing_type": {}},
        {"params": None},
        {"params": []},
        {"params": {}},
        {"params": "none"},
        {"params": [None, 5, "n_frames", [], {}]},
        {"params": [{"key": "n_frames"}, {"type": "select"}, {"key": "", "type": ""}]},
        {"params": [{"key": 5, "type": "select"}, {"key": "new", "type": None}]},
        {"brand_new": True, "supported_modes": ["text-to-smell"]},
    ],
)
def test_what_is_empty_or_of_another_shape_changes_nothing(
    shipped: Catalog, entry: dict[str, Any]
) -> None:
    model = overlaid(shipped, **entry)
    assert (
        replace(model, availability=Availability.UNKNOWN) == (shipped.models["sora-2"])
    )


def test_live_params_correct_and_extend_and_take_nothing_away(
    shipped: Catalog,
) -> None:
    before = shipped.models["sora-2"].parameters
    assert before is not None
    model = overlaid(
        shipped,
        params=[
            {"key": "n_frames", "type": "select", "options": ["10", "15", "25"]},
            {"key": "seed", "type": "number", "min": 1},
            {"garbage": True},
        ],
    )
    assert model.parameters is not None
    after = {each.key: each for each in model.parameters}
    assert set(after) == {each.key for each in before} | {"seed"}
    assert after["n_frames"].options == ("10", "15", "25")
    assert after["n_frames"].default == next(
        each.default for each in before if each.key == "n_frames"
    )
    assert after["seed"] == replace(Parameter.unknown("seed", "number"), minimum=1)


def test_a_parameter_of_another_type_is_another_parameter(shipped: Catalog) -> None:
    model = overlaid(
        shipped, params=[{"key": "n_frames", "type": "number", "min": 5, "max": 20}]
    )
    assert model.parameters is not None
    changed = next(each for each in model.parameters if each.key == "n_frames")
    assert changed.options == ()
    assert changed.default is None
    assert changed.convert("7") == 7


@pytest.mark.parametrize(
    ("notices", "texts"),
    [
        ([], ()),
        (None, ()),
        (5, ()),
        (["Ends on Friday"], ("Ends on Friday",)),
        ("Ends on Friday", ("Ends on Friday",)),
        ({"message": "Ends on Friday"}, ("Ends on Friday",)),
        ([{"message": "a"}, {"text": "b"}, {"title": "c"}], ("a", "b", "c")),
        ([{"message": "", "text": "b", "title": "c"}], ("b",)),
        ([{"severity": "low"}, {}, None, 5, "", [], {"message": 5}], ()),
        (["x" * 1000], ("x" * 500,)),
    ],
)
def test_notices_are_read_in_several_shapes(
    shipped: Catalog, notices: object, texts: tuple[str, ...]
) -> None:
    assert overlaid(shipped, notices=notices).notices == texts


def test_a_new_model_needs_no_new_client(shipped: Catalog) -> None:
    live = shipped.overlaid(
        [
            {
                "id": "sora-3",
                "display_name": "Sora 3",
                "category": "video",
                "base_credits": 9,
                "max_prompt_length": 50,
                "api_status": "available",
                "params": [],
            }
        ]
    )
    model = live.models["sora-3"]
    assert (model.name, model.base_credits, model.prompt_limit) == ("Sora 3", 9, 50)
    assert model.parameters is None
    assert not model.prompt_required
    assert model.takes_references
    assert live.available("video") == [model]
    assert "sora-3" not in shipped.models


def test_a_new_model_has_the_parameters_its_entry_describes(shipped: Catalog) -> None:
    entry = {"id": "sora-3", "params": [{"key": "n", "type": "select"}]}
    model = shipped.overlaid([entry]).models["sora-3"]
    assert model.parameters == (Parameter.unknown("n", "select"),)
    assert model.name == "sora-3"


@pytest.mark.parametrize("model_id", [None, "", 5, [], {}])
def test_an_entry_without_an_id_is_passed_over(
    shipped: Catalog, model_id: object
) -> None:
    live = shipped.overlaid([{"id": model_id, "api_status": "available"}])
    assert list(live.models) == list(shipped.models)


def test_the_shipped_catalog_stays_as_it_was(shipped: Catalog) -> None:
    before = dict(shipped.models)
    shipped.overlaid([{"id": "sora-2", "api_status": "studio_only", "base_credits": 1}])
    assert dict(shipped.models) == before
