"""The README says what there is: its automations run, its tables are complete."""

from collections.abc import AsyncGenerator, Iterator
import json
import logging
from pathlib import Path
import re
from typing import Any

from homeassistant.components import persistent_notification
from homeassistant.components.media_player.const import MEDIA_PLAYER_PLAY_MEDIA_SCHEMA
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_mock_service,
)
import voluptuous as vol

from custom_components.rivya import const, event, services
from custom_components.rivya.const import DOMAIN, EVENT_STATUS
from custom_components.rivya.ledger import MAX_AGE, MAX_RECORDS, Status
from tests.conftest import KEY, Act, Time
from tests.simulator import Simulator

ROOT = Path(__file__).parents[1]
INTEGRATION = ROOT / "custom_components" / DOMAIN
README = (ROOT / "README.md").read_text()
TEXTS = json.loads((INTEGRATION / "translations" / "en.json").read_text())
SCHEMAS = {
    services.SERVICE_GENERATE: services.GENERATE_SCHEMA,
    services.SERVICE_GET_GENERATION: services.GET_GENERATION_SCHEMA,
    services.SERVICE_LIST_GENERATIONS: services.LIST_GENERATIONS_SCHEMA,
    services.SERVICE_LIST_MODELS: services.LIST_MODELS_SCHEMA,
}
POST = ("POST", "/api/v1/generations")
TV = "media_player.living_room_tv"


def blocks(language: str) -> list[str]:
    """Return the code of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def chapter(title: str) -> str:
    """Return what stands under a heading, up to the next one of any level."""
    found = re.search(
        rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", README, re.MULTILINE | re.DOTALL
    )
    assert found, f"README.md has no heading {title}"
    return found[1]


def tables(title: str) -> dict[str, list[list[str]]]:
    """Return the rows of a chapter's tables, by the first cell of their head."""
    found: dict[str, list[list[str]]] = {}
    for table in re.findall(r"(?:^\|.*\|\n)+", chapter(title), re.MULTILINE):
        head, _, *rows = (
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in table.splitlines()
        )
        found[head[0]] = rows
    return found


def names(cells: list[str]) -> list[str]:
    """Return what is written as code in some cells."""
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def first_cells(title: str, head: str) -> list[str]:
    """Return the first cells of a table."""
    return [row[0] for row in tables(title)[head]]


def fields(schema: vol.Schema) -> set[str]:
    """Return the fields that the schema of an action names."""
    content = schema.schema
    if isinstance(content, vol.All):
        content = content.validators[0]
    content = getattr(content, "schema", content)
    return {str(getattr(key, "schema", key)) for key in content}


def described_fields(action: dict[str, Any]) -> set[str]:
    """Return the fields of an action in services.yaml; sections are opened."""
    found: set[str] = set()
    for name, field in action["fields"].items():
        found |= set(field["fields"]) if "fields" in field else {name}
    return found


def messages() -> Iterator[str]:
    """Yield every text that tells of something going wrong."""
    yield from TEXTS["config"]["error"].values()
    yield from (text["message"] for text in TEXTS["exceptions"].values())
    yield from (text["title"] for text in TEXTS["issues"].values())


# What can be pasted runs.

AUTOMATIONS = [text for text in blocks("yaml") if "triggers" in parse_yaml(text)]


@pytest.fixture
async def morning_film(
    hass: HomeAssistant, account: MockConfigEntry
) -> AsyncGenerator[None]:
    """Set up the first automation; its clock is stopped in the end."""
    await paste(hass, 0)
    yield
    await hass.services.async_call(
        "automation", "turn_off", {"entity_id": "all"}, blocking=True
    )


@pytest.fixture
async def on_tv(hass: HomeAssistant, account: MockConfigEntry) -> list[ServiceCall]:
    """Set up the second automation, and return what is played."""
    schema = vol.Schema(
        MEDIA_PLAYER_PLAY_MEDIA_SCHEMA | {"entity_id": [str]}, required=False
    )
    calls = async_mock_service(hass, "media_player", "play_media", schema)
    hass.states.async_set(TV, "on")
    await paste(hass, 1)
    return calls


@pytest.fixture
async def notifications(
    hass: HomeAssistant, account: MockConfigEntry
) -> list[dict[str, Any]]:
    """Set up the third automation, and return the notifications that are shown."""
    assert await async_setup_component(hass, "persistent_notification", {})
    shown: list[dict[str, Any]] = []
    persistent_notification.async_register_callback(
        hass, lambda _, changed: shown.extend(changed.values())
    )
    await paste(hass, 2)
    return shown


async def paste(hass: HomeAssistant, number: int) -> None:
    """Set up one of the automations, as if pasted into the editor."""
    config = parse_yaml(AUTOMATIONS[number])
    assert await async_setup_component(hass, "automation", {"automation": [config]})
    await hass.async_block_till_done()
    assert len(hass.states.async_all("automation")) == 1
    assert hass.states.async_all("automation")[0].state == "on"


def test_there_are_three_automations_and_they_come_early() -> None:
    assert len(AUTOMATIONS) == 3
    assert README.index("## Three automations") < README.index("## Actions")


async def test_the_film_about_the_weather_reaches_the_phone(
    hass: HomeAssistant, morning_film, rivya: Simulator, time: Time
) -> None:
    # It is four in the morning in California, where the harness lives.
    hass.states.async_set("weather.home", "rainy", {"temperature": 7})
    phone = async_mock_service(hass, "notify", "mobile_app_phone")
    await time.pass_by(3 * 3600 - 60, step=60)
    assert not rivya.requests_to(*POST)
    await time.pass_by(120)
    (request,) = rivya.requests_to(*POST)
    assert "rainy at 7 degrees" in request.body["prompt"]
    assert request.body["params"] == {"aspect_ratio": "portrait"}
    assert not phone
    await time.pass_by(60)
    (call,) = phone
    (generation,) = rivya.generations.values()
    attributes = hass.states.get("event.rivya_generation").attributes
    assert attributes["task_id"] == generation.task_id
    assert call.data["data"] == dict.fromkeys(
        ("video", "url", "clickAction"), attributes["media_url"]
    )
    assert call.data["data"]["video"].startswith("http")


async def test_a_film_that_fails_is_not_announced_to_the_phone(
    hass: HomeAssistant, morning_film, rivya: Simulator, time: Time
) -> None:
    phone = async_mock_service(hass, "notify", "mobile_app_phone")
    rivya.settings.hold_all = True
    await trigger(hass, time)
    rivya.fail(next(iter(rivya.generations)))
    await time.pass_by(60)
    assert hass.states.get("sensor.rivya_latest_generation").state == "failed"
    assert not phone


async def test_a_result_is_played_on_the_tv_once(
    hass: HomeAssistant, account, on_tv, rivya: Simulator, time: Time, act: Act
) -> None:
    record = await act("generate", prompt="tide", wait=True)
    await time.settle()
    (call,) = on_tv
    assert call.data["entity_id"] == [TV]
    assert call.data["media_content_id"] == record["media_url"]
    # The event entity comes back with what happened last; that is no news.
    await time.until(hass.config_entries.async_reload(account.entry_id))
    await time.pass_by(60)
    assert len(on_tv) == 1


async def test_nothing_is_played_on_a_tv_that_is_off(
    hass: HomeAssistant, on_tv, time: Time, act: Act
) -> None:
    hass.states.async_set(TV, "off")
    record = await act("generate", prompt="tide", wait=True)
    await time.settle()
    assert record["status"] == "succeeded"
    assert not on_tv


async def test_a_failure_is_told_with_its_reason_and_its_cost(
    hass: HomeAssistant, notifications, rivya: Simulator, time: Time, act: Act
) -> None:
    record = await act("generate", prompt="tide")
    rivya.fail(record["task_id"], code="content_rejected", message="No tides.")
    await time.pass_by(60)
    (shown,) = notifications
    assert shown["title"] == "Generation with sora-2: failed"
    assert shown["message"] == "No tides. Credits reserved: 6, charged: 0."


async def test_an_unknown_outcome_is_told_too(
    hass: HomeAssistant, notifications, rivya: Simulator, time: Time, act: Act
) -> None:
    rivya.settings.hold_all = True
    record = await act("generate", prompt="tide")
    del rivya.generations[record["task_id"]]
    await time.pass_by(180)
    (shown,) = notifications
    assert shown["title"] == "Generation with sora-2: unknown"
    assert shown["message"].endswith("Credits reserved: 6, charged: 0.")


async def test_a_success_is_not_told_as_something_that_went_wrong(
    hass: HomeAssistant, notifications, time: Time, act: Act
) -> None:
    await act("generate", prompt="tide", wait=True)
    await time.settle()
    assert not notifications


async def trigger(hass: HomeAssistant, time: Time) -> None:
    """Run the automation without waiting for it."""
    (automation,) = hass.states.async_all("automation")
    await hass.services.async_call(
        "automation", "trigger", {"entity_id": automation.entity_id}
    )
    await time.settle()


async def test_the_example_of_an_action_can_be_performed(
    hass: HomeAssistant, account, rivya: Simulator, time: Time
) -> None:
    (text,) = (text for text in blocks("yaml") if "action" in parse_yaml(text))
    stop = {"stop": "done", "response_variable": "picture"}
    script = {"example": {"sequence": [parse_yaml(text), stop]}}
    assert await async_setup_component(hass, "script", {"script": script})
    record = await time.until(
        hass.services.async_call(
            "script", "example", blocking=True, return_response=True
        )
    )
    (request,) = rivya.requests_to(*POST)
    assert request.body["params"] == {"aspect_ratio": "16:9"}
    assert record["task_id"] in rivya.generations
    assert record["client_request_id"] == "hallway-picture"


async def test_the_debug_log_can_be_switched_on_and_holds_no_secret(
    hass: HomeAssistant, account, time: Time, act: Act, caplog
) -> None:
    (text,) = (text for text in blocks("yaml") if "logger" in parse_yaml(text))
    assert await async_setup_component(hass, "logger", parse_yaml(text))
    own = logging.getLogger(f"custom_components.{DOMAIN}")
    assert own.getEffectiveLevel() == logging.DEBUG
    await act("generate", prompt="a very private tide", wait=True)
    await time.until(account.runtime_data.async_refresh())
    lines = [each.getMessage() for each in caplog.records if each.name == own.name]
    assert lines
    assert KEY not in str(lines)
    assert "private tide" not in str(lines)


# What is told is there, and what is there is told.


async def test_all_actions_are_described(hass: HomeAssistant, account) -> None:
    told = set(re.findall(r"^### `rivya\.(\w+)`$", README, re.MULTILINE))
    assert told == set(hass.services.async_services_for_domain(DOMAIN)) == set(SCHEMAS)


@pytest.mark.parametrize("action", SCHEMAS)
def test_all_fields_of_an_action_are_described(action: str) -> None:
    described = parse_yaml((INTEGRATION / "services.yaml").read_text())
    told = names(first_cells(f"`rivya.{action}`", "Field"))
    assert len(told) == len(set(told))
    assert set(told) == fields(SCHEMAS[action]) == described_fields(described[action])


async def test_the_record_is_described_completely(
    hass: HomeAssistant, account, act: Act
) -> None:
    events = async_capture_events(hass, EVENT_STATUS)
    answer = await act("generate", prompt="tide", wait=True)
    record = set(answer) - {"timed_out"}
    assert set(names(first_cells("The record", "Key"))) == record
    assert set(events[-1].data) == record | {"config_entry_id"}
    (media,) = (row for row in tables("The record")["Key"] if row[0] == "`media`")
    assert set(names(media[1:])) == set(answer["media"][0])
    (example,) = map(json.loads, blocks("json"))
    assert set(example) == set(answer)
    assert set(example["media"][0]) == set(answer["media"][0])
    assert {key: type(value) for key, value in example.items()} == {
        key: type(value) for key, value in answer.items()
    } | {"duration": float}


async def test_the_error_of_a_record_is_described(
    account, rivya: Simulator, time: Time, act: Act
) -> None:
    record = await act("generate", prompt="tide")
    rivya.fail(record["task_id"])
    await time.pass_by(30)
    asked = await act("get_generation", generation_id=record["generation_id"])
    (error,) = (row for row in tables("The record")["Key"] if row[0] == "`error`")
    assert set(names(error[1:])) == set(asked["error"])


async def test_the_answers_of_the_other_actions_are_described(
    account, act: Act
) -> None:
    listed = await act("list_generations")
    assert set(listed) <= set(names([chapter("`rivya.list_generations`")]))
    catalog = await act("list_models", model="sora-2")
    assert set(catalog) <= set(names([chapter("`rivya.list_models`")]))
    told = names(first_cells("`rivya.list_models`", "Key of a model"))
    assert set(told) == set(catalog["models"][0])


def test_all_statuses_are_described() -> None:
    assert names(first_cells("The record", "Status")) == [each.value for each in Status]


def test_the_event_entity_is_described() -> None:
    types, attributes = re.findall(
        r"^Its (?:event types|attributes): (.*?)\.$",
        chapter("Events"),
        re.MULTILINE | re.DOTALL,
    )
    assert names([types]) == event.GENERATION.event_types
    assert names([attributes]) == list(event._ATTRIBUTES)
    translated = TEXTS["entity"]["event"]["generation"]["state_attributes"]
    assert {*names([attributes]), "event_type"} == set(translated)


async def test_all_entities_are_described(hass: HomeAssistant, account) -> None:
    there = {
        state.entity_id: state.name.removeprefix("Rivya ")
        for state in hass.states.async_all(("sensor", "binary_sensor", "event"))
    }
    told = {row[1].strip("`"): row[0] for row in tables("Entities")["Entity"]}
    assert told == there
    texts = TEXTS["entity"].values()
    assert set(told.values()) == {
        entity["name"] for platform in texts for entity in platform.values()
    }


def test_all_options_are_described() -> None:
    rows = tables("Options")["Option"]
    texts = TEXTS["options"]["step"]["init"]["data"]
    assert [row[0] for row in rows] == list(texts.values())
    assert dict(zip(texts, (row[1].strip("`") for row in rows), strict=True)) == {
        const.CONF_DEFAULT_MODEL: const.DEFAULT_MODEL,
        const.CONF_CONCURRENCY: str(const.DEFAULT_CONCURRENCY),
    }
    assert f"1 to {const.MAX_CONCURRENCY}." in rows[1][2]


def test_all_fields_of_the_set_up_are_described() -> None:
    form = TEXTS["config"]["step"]["user"]
    texts = form["data"] | form["sections"]["advanced"]["data"]
    assert first_cells("Installation", "Field") == list(texts.values())


@pytest.mark.parametrize("told", first_cells("Troubleshooting", "Message"))
def test_the_messages_to_look_up_exist(told: str) -> None:
    assert any(text.startswith(told) for text in messages())


def test_the_numbers_are_those_of_the_code() -> None:
    minutes = const.CREDITS_INTERVAL.total_seconds() / 60
    hours = const.CATALOG_INTERVAL.total_seconds() / 3600
    assert f"Every {minutes:g} minutes" in README
    assert f"Every {hours:g} hours" in README
    assert f"last {MAX_AGE.days} days are kept, up to {MAX_RECORDS:,}" in README


def test_the_headings_that_are_linked_exist() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= headings


def test_the_files_that_are_linked_or_named_exist() -> None:
    linked = re.findall(r"\]\((?!https?://|#)([^)]+)\)", README)
    named = re.findall(r"^(scripts/\w+)", "".join(blocks("shell")), re.MULTILINE)
    assert [path for path in linked + named if not (ROOT / path).exists()] == []


def test_there_are_few_badges_and_they_fit() -> None:
    badges = re.findall(
        r"^\[!\[[^]]+\]\(https://[^)]+\)\]\([^)]+\)$", README, re.MULTILINE
    )
    buttons = [badge for badge in badges if "my.home-assistant.io" in badge]
    assert len(badges) - len(buttons) <= 5
    minimum = json.loads((ROOT / "hacs.json").read_text())["homeassistant"]
    assert f"Home%20Assistant-{minimum.rpartition('.')[0]}%2B" in README


def test_the_changelog_tells_of_this_version() -> None:
    version = json.loads((INTEGRATION / "manifest.json").read_text())["version"]
    changes = (ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## (\S+) - \d{4}-\d\d-\d\d$", changes, re.MULTILINE)
    assert newest
    assert newest[1] == version
