"""The repair for a default model that the service no longer offers, both directions."""

from collections.abc import AsyncGenerator
from typing import Any

from homeassistant.components.repairs import DOMAIN as REPAIRS
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_API_KEY
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.rivya.const import (
    CATALOG_INTERVAL,
    CONF_BASE_URL,
    CONF_CONCURRENCY,
    CONF_DEFAULT_MODEL,
    DOMAIN,
)
from tests.simulator import Fault, Simulator

from .conftest import Act, Time

MODELS = "/api/v1/models"


@pytest.fixture(autouse=True)
async def _unload(hass: HomeAssistant) -> AsyncGenerator[None]:
    """Unload at the end whatever a test or a repair has loaded."""
    yield
    for entry in hass.config_entries.async_loaded_entries(DOMAIN):
        await hass.config_entries.async_unload(entry.entry_id)


def issue_of(hass: HomeAssistant, entry: MockConfigEntry) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue(
        DOMAIN, f"default_model_gone_{entry.entry_id}"
    )


def withdraw(rivya: Simulator, model_id: str) -> None:
    rivya.catalog.remove(rivya.model(model_id))


async def start_repair(hass: HomeAssistant, entry: MockConfigEntry) -> Any:
    assert await async_setup_component(hass, REPAIRS, {})
    issue = issue_of(hass, entry)
    assert issue
    return await hass.data[REPAIRS]["flow_manager"].async_init(
        DOMAIN, data={"issue_id": issue.issue_id}
    )


async def choose(hass: HomeAssistant, time: Time, flow: Any, model_id: str) -> Any:
    result = await hass.data[REPAIRS]["flow_manager"].async_configure(
        flow["flow_id"], {CONF_DEFAULT_MODEL: model_id}
    )
    await time.settle()
    return result


def offered(form: Any) -> list[str]:
    field = form["data_schema"].schema[CONF_DEFAULT_MODEL]
    return [option["value"] for option in field.config["options"]]


async def test_no_repair_while_the_default_model_is_offered(
    hass: HomeAssistant, account: MockConfigEntry
) -> None:
    assert issue_of(hass, account) is None


async def test_a_default_model_that_is_gone_raises_a_repair(
    hass: HomeAssistant, rivya: Simulator, entry: MockConfigEntry
) -> None:
    withdraw(rivya, "sora-2")
    assert await hass.config_entries.async_setup(entry.entry_id)
    issue = issue_of(hass, entry)
    assert issue
    assert issue.is_fixable
    assert issue.severity is ir.IssueSeverity.WARNING
    assert issue.translation_key == "default_model_gone"
    assert issue.translation_placeholders == {"account": "Rivya", "model": "sora-2"}


@pytest.mark.parametrize("status", ["coming_soon", "studio_only"])
async def test_a_default_model_that_cannot_be_called_raises_a_repair(
    hass: HomeAssistant, rivya: Simulator, entry: MockConfigEntry, status: str
) -> None:
    rivya.model("sora-2")["api_status"] = status
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert issue_of(hass, entry)


async def test_a_status_never_seen_before_raises_none(
    hass: HomeAssistant, rivya: Simulator, entry: MockConfigEntry
) -> None:
    rivya.model("sora-2")["api_status"] = "limited_edition"
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert issue_of(hass, entry) is None


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500},
        {"kind": "body", "body": {"object": "list", "data": []}},
    ],
    ids=["an error", "no models"],
)
async def test_a_catalog_that_cannot_be_read_raises_none(
    hass: HomeAssistant,
    rivya: Simulator,
    entry: MockConfigEntry,
    time: Time,
    fault: dict[str, Any],
) -> None:
    rivya.faults.add(Fault(path=MODELS, times=None, **fault))
    assert await time.until(hass.config_entries.async_setup(entry.entry_id))
    assert issue_of(hass, entry) is None


async def test_a_model_that_goes_and_comes_back_takes_the_repair_with_it(
    hass: HomeAssistant, rivya: Simulator, account: MockConfigEntry, time: Time
) -> None:
    entry = rivya.model("sora-2")
    half_a_day = CATALOG_INTERVAL.total_seconds() + 1800
    rivya.catalog.remove(entry)
    await time.pass_by(half_a_day, step=300)
    assert issue_of(hass, account)
    rivya.catalog.append(entry)
    await time.pass_by(half_a_day, step=300)
    assert issue_of(hass, account) is None


async def test_the_repair_offers_the_video_models_there_are(
    hass: HomeAssistant, rivya: Simulator, entry: MockConfigEntry
) -> None:
    withdraw(rivya, "sora-2")
    rivya.model("sora-2-pro")["api_status"] = "coming_soon"
    assert await hass.config_entries.async_setup(entry.entry_id)
    form = await start_repair(hass, entry)
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "model"
    assert form["description_placeholders"] == {"account": "Rivya", "model": "sora-2"}
    assert set(offered(form)) == {
        each["id"]
        for each in rivya.catalog
        if each["category"] == "video" and each["api_status"] == "available"
    }
    assert offered(form)
    assert "sora-2-pro" not in offered(form)


async def test_the_choice_becomes_the_default_model_and_ends_the_repair(
    hass: HomeAssistant, rivya: Simulator, entry: MockConfigEntry, time: Time, act: Act
) -> None:
    hass.config_entries.async_update_entry(entry, options={CONF_CONCURRENCY: 7})
    withdraw(rivya, "sora-2")
    assert await hass.config_entries.async_setup(entry.entry_id)
    coordinator = entry.runtime_data
    form = await start_repair(hass, entry)
    result = await choose(hass, time, form, " wan-2-6 ")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {CONF_CONCURRENCY: 7, CONF_DEFAULT_MODEL: "wan-2-6"}
    assert entry.state is ConfigEntryState.LOADED
    assert entry.runtime_data is not coordinator
    assert issue_of(hass, entry) is None
    assert (await act("generate", prompt="A boat"))["model"] == "wan-2-6"


async def test_a_choice_that_is_not_offered_either_raises_the_repair_again(
    hass: HomeAssistant, rivya: Simulator, entry: MockConfigEntry, time: Time
) -> None:
    withdraw(rivya, "sora-2")
    assert await hass.config_entries.async_setup(entry.entry_id)
    await choose(hass, time, await start_repair(hass, entry), "sora-3")
    issue = issue_of(hass, entry)
    assert issue
    assert issue.translation_placeholders == {"account": "Rivya", "model": "sora-3"}
    form = await start_repair(hass, entry)
    assert form["description_placeholders"]["model"] == "sora-3"


async def test_another_default_in_the_options_ends_the_repair_too(
    hass: HomeAssistant, rivya: Simulator, entry: MockConfigEntry, time: Time
) -> None:
    withdraw(rivya, "sora-2")
    assert await hass.config_entries.async_setup(entry.entry_id)
    form = await hass.config_entries.options.async_init(entry.entry_id)
    await hass.config_entries.options.async_configure(
        form["flow_id"], {CONF_DEFAULT_MODEL: "wan-2-6", CONF_CONCURRENCY: 3}
    )
    await time.settle()
    assert issue_of(hass, entry) is None


async def test_each_account_has_a_repair_of_its_own(
    hass: HomeAssistant, rivya: Simulator, entry: MockConfigEntry, time: Time
) -> None:
    rivya.add_account(key="rvya_sk_other")
    other = MockConfigEntry(
        domain=DOMAIN,
        title="Rivya 2",
        data=dict(entry.data) | {CONF_API_KEY: "rvya_sk_other"},
    )
    other.add_to_hass(hass)
    withdraw(rivya, "sora-2")
    assert await hass.config_entries.async_setup(entry.entry_id)
    issue = issue_of(hass, other)
    assert issue
    assert issue.translation_placeholders == {"account": "Rivya 2", "model": "sora-2"}
    await choose(hass, time, await start_repair(hass, entry), "wan-2-6")
    assert issue_of(hass, entry) is None
    assert issue_of(hass, other)
    assert CONF_DEFAULT_MODEL not in other.options


async def test_a_removed_account_takes_its_repair_with_it(
    hass: HomeAssistant, rivya: Simulator, entry: MockConfigEntry
) -> None:
    withdraw(rivya, "sora-2")
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.config_entries.async_remove(entry.entry_id)
    assert issue_of(hass, entry) is None


async def test_the_repair_of_an_account_that_is_not_loaded_says_so(
    hass: HomeAssistant, rivya: Simulator, entry: MockConfigEntry
) -> None:
    withdraw(rivya, "sora-2")
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.config_entries.async_unload(entry.entry_id)
    result = await start_repair(hass, entry)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "account_not_loaded"
    assert issue_of(hass, entry)


async def test_an_account_removed_under_an_open_form_changes_nothing(
    hass: HomeAssistant, rivya: Simulator, entry: MockConfigEntry, time: Time
) -> None:
    withdraw(rivya, "sora-2")
    assert await hass.config_entries.async_setup(entry.entry_id)
    form = await start_repair(hass, entry)
    await hass.config_entries.async_remove(entry.entry_id)
    result = await choose(hass, time, form, "wan-2-6")
    assert result["reason"] == "account_not_loaded"


async def test_the_repair_works_through_home_assistants_interface(
    hass: HomeAssistant,
    rivya: Simulator,
    entry: MockConfigEntry,
    hass_client: ClientSessionGenerator,
) -> None:
    withdraw(rivya, "sora-2")
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert await async_setup_component(hass, REPAIRS, {})
    issue = issue_of(hass, entry)
    assert issue
    client = await hass_client()
    response = await client.post(
        "/api/repairs/issues/fix",
        json={"handler": DOMAIN, "issue_id": issue.issue_id},
    )
    form = await response.json()
    assert form["type"] == "form"
    assert [field["name"] for field in form["data_schema"]] == [CONF_DEFAULT_MODEL]
    text = await response.text()
    assert entry.data[CONF_API_KEY] not in text
    assert entry.data[CONF_BASE_URL] not in text
