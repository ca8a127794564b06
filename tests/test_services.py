"""The actions: what they accept, refuse and answer."""

from typing import Any

from homeassistant.const import CONF_API_KEY
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion
import voluptuous as vol

from custom_components.rivya.const import CONF_BASE_URL, DOMAIN
from tests.conftest import Act, Time
from tests.simulator import Simulator

POST = ("POST", "/api/v1/generations")


@pytest.fixture
async def second(
    hass: HomeAssistant, account: MockConfigEntry, rivya: Simulator, time: Time
) -> MockConfigEntry:
    """Return a second account that is set up."""
    rivya.add_account(key="rvya_sk_second", credits=50)
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="Rivya 2",
        data=account.data | {CONF_API_KEY: "rvya_sk_second"},
    )
    entry.add_to_hass(hass)
    assert await time.until(hass.config_entries.async_setup(entry.entry_id))
    return entry


# What is refused before anything is sent.


@pytest.mark.parametrize(
    ("data", "key", "facts"),
    [
        ({}, "prompt_required", {"model": "sora-2"}),
        ({"prompt": "  "}, "prompt_required", {}),
        (
            {"prompt": "x" * 10_001},
            "prompt_too_long",
            {"length": "10001", "limit": "10000"},
        ),
        ({"prompt": "\ud800"}, "invalid_prompt", {}),
        (
            {"prompt": "tide", "params": {"n_frame": 10}},
            "unknown_parameter",
            {
                "parameter": "n_frame",
                "nearest": "n_frames",
                "allowed": "n_frames, aspect_ratio, remove_watermark, upload_method",
            },
        ),
        ({"prompt": "tide", "params": {"zzz": 1}}, "unknown_parameter_far", {}),
        (
            {"prompt": "tide", "n_frames": 12},
            "invalid_option",
            {"value": "12", "allowed": "10, 15"},
        ),
        ({"prompt": "tide", "n_frames": True}, "invalid_option", {}),
        ({"prompt": "tide", "aspect_ratio": "square"}, "invalid_option", {}),
        ({"prompt": "tide", "params": {"n_frames": [10]}}, "invalid_text", {}),
        (
            {"prompt": "tide", "n_frames": 10, "params": {"n_frames": 15}},
            "parameter_twice",
            {"parameter": "n_frames"},
        ),
        (
            {"prompt": "tide", "model": "z-image", "n_frames": 10},
            "unknown_parameter_far",
            {"model": "z-image"},
        ),
        (
            {"prompt": "tide", "model": "seedance-2", "params": {"duration": 99}},
            "out_of_range",
            {"minimum": "4", "maximum": "15"},
        ),
        (
            {"prompt": "tide", "params": {"referenceMediaItems": [{"url": "x"}]}},
            "invalid_references",
            {"limit": "1", "kinds": "image"},
        ),
    ],
)
async def test_wrong_input_is_refused_before_anything_is_sent(
    account, rivya: Simulator, act: Act, data: dict[str, Any], key: str, facts
) -> None:
    with pytest.raises(ServiceValidationError) as error:
        await act("generate", **data)
    assert error.value.translation_key == key
    assert facts.items() <= (error.value.translation_placeholders or {}).items()
    assert not rivya.requests_to(*POST)
    assert not account.runtime_data.generations.ledger.generations


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"prompt": "tide", "promt": "x"}, ["promt"]),
        ({"prompt": "tide", "timeout": -1}, ["timeout"]),
        ({"prompt": "tide", "timeout": {"days": 2}}, ["timeout"]),
        ({"prompt": "tide", "wait": "perhaps"}, ["wait"]),
        ({"prompt": "tide", "params": ["n_frames"]}, ["params"]),
        ({"prompt": "tide", "model": ""}, ["model"]),
        ({"prompt": "tide", "client_request_id": "x" * 129}, ["client_request_id"]),
        ({"prompt": "tide", "n_frames": {"a": 1}}, ["n_frames"]),
        ({"prompt": {"a": 1}}, ["prompt"]),
    ],
)
async def test_input_of_the_wrong_form_is_refused_by_the_schema(
    account, rivya: Simulator, act: Act, data: dict[str, Any], path: list[str]
) -> None:
    with pytest.raises(vol.Invalid) as error:
        await act("generate", **data)
    assert list(error.value.path)[:1] == path
    assert not rivya.requests_to(*POST)


@pytest.mark.parametrize("status", ["coming_soon", "studio_only"])
async def test_a_model_that_cannot_be_called_is_refused(
    hass, entry, rivya: Simulator, time: Time, act: Act, status: str
) -> None:
    rivya.model("veo3-1-fast")["api_status"] = status
    await time.until(hass.config_entries.async_setup(entry.entry_id))
    with pytest.raises(ServiceValidationError) as error:
        await act("generate", prompt="tide", model="veo3-1-fast")
    assert error.value.translation_key == "model_not_available"
    assert not rivya.requests_to(*POST)
    await time.until(hass.config_entries.async_unload(entry.entry_id))


async def test_a_chat_model_is_refused(
    hass, entry, rivya: Simulator, time: Time, act: Act
) -> None:
    rivya.catalog.append({"id": "talker", "category": "chat"})
    await time.until(hass.config_entries.async_setup(entry.entry_id))
    with pytest.raises(ServiceValidationError) as error:
        await act("generate", prompt="tide", model="talker")
    assert error.value.translation_key == "chat_model"
    await time.until(hass.config_entries.async_unload(entry.entry_id))


# What is accepted.


async def test_a_model_nobody_knows_is_sent_as_it_is_with_a_warning_once(
    account, rivya: Simulator, act: Act, caplog
) -> None:
    for _ in range(2):
        with pytest.raises(HomeAssistantError):
            await act("generate", prompt="tide", model="brand-new", params={"a": [1]})
    assert rivya.requests_to(*POST)[0].body == {
        "model": "brand-new",
        "prompt": "tide",
        "params": {"a": [1]},
    }
    assert caplog.text.count("does not name the model brand-new") == 1


async def test_a_notice_on_a_model_is_logged_once_and_answered(
    hass, entry, rivya: Simulator, time: Time, act: Act, caplog
) -> None:
    rivya.model("sora-2")["notices"] = ["Slower than usual today."]
    await time.until(hass.config_entries.async_setup(entry.entry_id))
    for _ in range(2):
        record = await act("generate", prompt="tide")
        assert record["notices"] == ["Slower than usual today."]
    assert caplog.text.count("Slower than usual today.") == 1
    await time.until(hass.config_entries.async_unload(entry.entry_id))


async def test_the_default_model_is_an_option(
    hass, entry, rivya: Simulator, time: Time, act: Act
) -> None:
    hass.config_entries.async_update_entry(entry, options={"default_model": "z-image"})
    await time.until(hass.config_entries.async_setup(entry.entry_id))
    assert (await act("generate", prompt="tide"))["model"] == "z-image"
    await time.until(hass.config_entries.async_unload(entry.entry_id))


async def test_a_model_without_a_prompt_needs_none(
    account, rivya: Simulator, act: Act
) -> None:
    lines = [{"voice": "Adam", "text": "Tide."}]
    await act("generate", model="elevenlabs-dialogue-v3", params={"dialogue": lines})
    assert rivya.requests_to(*POST)[0].body == {
        "model": "elevenlabs-dialogue-v3",
        "params": {"dialogue": lines},
    }


async def test_without_a_wish_for_an_answer_there_is_none(
    hass, account, rivya: Simulator, time: Time
) -> None:
    await time.until(
        hass.services.async_call(DOMAIN, "generate", {"prompt": "t"}, blocking=True)
    )
    assert len(rivya.generations) == 1


async def test_waiting_answers_with_the_finished_record(account, act: Act) -> None:
    record = await act("generate", prompt="tide", wait=True)
    assert record["status"] == "succeeded"
    assert record["timed_out"] is False
    assert record["media_url"].endswith(".mp4")


async def test_waiting_for_a_failure_answers_with_the_failure(
    account, rivya: Simulator, time: Time, act: Act
) -> None:
    rivya.settings.failure = lambda _: rivya_error()
    record = await act("generate", prompt="tide", wait=True)
    assert record["status"] == "failed"
    assert record["error"]["code"] == "generation_failed"


def rivya_error() -> Any:
    """Return how the simulated service says that a generation failed."""
    from tests.simulator.records import TaskError  # noqa: PLC0415 - only here

    return TaskError("generation_failed", "The generation failed.")


async def test_a_wait_that_is_too_short_says_so_and_the_generation_goes_on(
    account, time: Time, act: Act
) -> None:
    record = await act("generate", prompt="tide", wait=True, timeout={"seconds": 20})
    assert record["timed_out"] is True
    assert record["status"] in ("queued", "processing")
    assert record["task_id"]
    await time.pass_by(90)
    later = await act("get_generation", generation_id=record["generation_id"])
    assert later["status"] == "succeeded"


# Several accounts.


async def test_with_several_accounts_one_must_be_named(
    account, second, rivya: Simulator, act: Act
) -> None:
    with pytest.raises(ServiceValidationError):
        await act("generate", prompt="tide")
    await act("generate", prompt="tide", config_entry_id=second.entry_id)
    assert rivya.accounts[1].credits == 44
    assert rivya.accounts[0].credits == 1000


async def test_an_account_that_does_not_exist_is_named_in_the_error(
    account, act: Act
) -> None:
    with pytest.raises(ServiceValidationError) as error:
        await act("list_models", config_entry_id="nobody")
    assert error.value.translation_key == "service_config_entry_not_found"


# Looking things up.


async def test_a_running_generation_is_asked_for_afresh(
    account, rivya: Simulator, act: Act
) -> None:
    record = await act("generate", prompt="tide")
    rivya.finish(record["task_id"])
    asked = await act("get_generation", task_id=record["task_id"])
    assert asked["status"] == "succeeded"
    assert asked["generation_id"] == record["generation_id"]


async def test_a_finished_generation_is_answered_without_asking(
    account, rivya: Simulator, act: Act
) -> None:
    record = await act("generate", prompt="tide", wait=True)
    before = len(rivya.requests)
    again = await act("get_generation", generation_id=record["generation_id"])
    assert again["status"] == "succeeded"
    assert len(rivya.requests) == before


async def test_a_task_that_was_started_elsewhere_is_taken_over(
    hass, account, rivya: Simulator, time: Time, act: Act
) -> None:
    record = await act("generate", prompt="tide")
    await time.until(hass.config_entries.async_remove(account.entry_id))
    other = MockConfigEntry(domain=DOMAIN, title="Rivya", data=account.data)
    other.add_to_hass(hass)
    await time.until(hass.config_entries.async_setup(other.entry_id))
    adopted = await act("get_generation", task_id=record["task_id"])
    assert adopted["status"] in ("queued", "processing")
    assert adopted["model"] == "sora-2"
    assert adopted["prompt"] is None
    await time.pass_by(90)
    later = await act("get_generation", generation_id=adopted["generation_id"])
    assert later["status"] == "succeeded"
    assert hass.states.get("event.rivya_generation").attributes["event_type"] == (
        "succeeded"
    )
    await time.until(hass.config_entries.async_unload(other.entry_id))


async def test_a_finished_task_that_is_taken_over_is_no_news(
    hass, account, rivya: Simulator, time: Time, act: Act
) -> None:
    record = await act("generate", prompt="tide", wait=True)
    account.runtime_data.generations.ledger.discard(record["generation_id"])
    before = hass.states.get("event.rivya_generation").state
    adopted = await act("get_generation", task_id=record["task_id"])
    assert adopted["status"] == "succeeded"
    assert hass.states.get("event.rivya_generation").state == before


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"generation_id": "01NOBODY"}, "unknown_generation"),
        ({"task_id": "task_nobody"}, "not_found"),
        ({"task_id": "../credits"}, "not_found"),
    ],
)
async def test_an_unknown_generation_is_an_error(
    account, act: Act, data: dict[str, Any], key: str
) -> None:
    with pytest.raises(ServiceValidationError) as error:
        await act("get_generation", **data)
    assert error.value.translation_key == key


@pytest.mark.parametrize("data", [{}, {"generation_id": "a", "task_id": "b"}])
async def test_exactly_one_id_must_be_given(account, act: Act, data) -> None:
    with pytest.raises(vol.Invalid):
        await act("get_generation", **data)


async def test_generations_are_listed_newest_first_and_filtered(
    account, rivya: Simulator, time: Time, act: Act
) -> None:
    first = await act("generate", prompt="Ebbe und Flut")
    await time.pass_by(1)
    second = await act("generate", prompt="a lighthouse", model="z-image", wait=True)
    both = await act("list_generations")
    assert both["total"] == 2
    assert [each["generation_id"] for each in both["generations"]] == [
        second["generation_id"],
        first["generation_id"],
    ]
    for data, expected in (
        ({"status": "succeeded", "model": "z-image"}, 1),
        ({"status": ["failed", "unknown"]}, 0),
        ({"model": "sora-2"}, 1),
        ({"text": "FLUT"}, 1),
        ({"text": "desert"}, 0),
    ):
        assert (await act("list_generations", **data))["total"] == expected
    one = await act("list_generations", limit=1)
    assert one["total"] == 2
    assert len(one["generations"]) == 1


async def test_models_are_listed_with_what_they_accept(
    account, act: Act, snapshot: SnapshotAssertion
) -> None:
    assert len((await act("list_models"))["models"]) == 52
    videos = (await act("list_models", category="video"))["models"]
    assert {model["category"] for model in videos} == {"video"}
    assert await act("list_models", model="sora-2") == snapshot
    assert await act("list_models", model="z-image") == snapshot


async def test_an_error_of_the_service_while_looking_up_is_told(
    account, server, act: Act
) -> None:
    record = await act("generate", prompt="tide")
    await server.close()
    with pytest.raises(HomeAssistantError) as error:
        await act("get_generation", generation_id=record["generation_id"])
    assert error.value.translation_key == "cannot_connect"


async def test_the_record_has_the_same_form_everywhere(
    hass, account, act: Act, snapshot: SnapshotAssertion
) -> None:
    record = await act("generate", prompt="tide", n_frames=15, client_request_id="k")
    assert sorted(record) == snapshot
    assert account.data[CONF_BASE_URL] not in str(
        {**record, "media": None, "media_url": None, "source_url": None}
    )
