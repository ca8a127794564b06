"""The entities, the logbook and what they show."""

from types import SimpleNamespace

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events
from syrupy.assertion import SnapshotAssertion

from custom_components.rivya.const import EVENT_STATUS
from custom_components.rivya.logbook import async_describe_events
from tests.conftest import Act, Time
from tests.simulator import Fault, Simulator


def state(hass: HomeAssistant, entity_id: str) -> str:
    """Return the state of an entity."""
    found = hass.states.get(entity_id)
    assert found is not None
    return found.state


async def test_the_entities_of_an_account(
    hass, account, entity_registry, snapshot: SnapshotAssertion
) -> None:
    shown = {
        entry.entity_id: {
            "unique_id": entry.unique_id,
            "translation_key": entry.translation_key,
            "category": entry.entity_category and entry.entity_category.value,
            "state": hass.states.get(entry.entity_id).state,
            "attributes": {
                str(name): value if isinstance(value, list) else str(value)
                for name, value in hass.states.get(entry.entity_id).attributes.items()
            },
        }
        for entry in er.async_entries_for_config_entry(
            entity_registry, account.entry_id
        )
    }
    assert shown == snapshot


async def test_the_device_is_a_service(hass, account, device_registry) -> None:
    (device,) = dr.async_entries_for_config_entry(device_registry, account.entry_id)
    assert device.entry_type is dr.DeviceEntryType.SERVICE
    assert (device.name, device.manufacturer) == ("Rivya", "Rivya")


async def test_the_entities_follow_a_generation(
    hass, account, rivya: Simulator, time: Time, act: Act
) -> None:
    assert state(hass, "sensor.rivya_latest_generation") == "idle"
    assert state(hass, "sensor.rivya_estimated_progress") == "unknown"
    await act("generate", prompt="tide")
    assert state(hass, "binary_sensor.rivya_generating") == "on"
    assert state(hass, "sensor.rivya_active_generations") == "1"
    assert state(hass, "sensor.rivya_latest_generation") == "queued"
    progress = []
    for _ in range(25):
        await time.pass_by(2)
        progress.append(float(state(hass, "sensor.rivya_estimated_progress")))
    assert progress == sorted(progress)
    assert 0 < progress[5] < progress[-1] <= 95
    await time.pass_by(40)
    assert state(hass, "sensor.rivya_estimated_progress") == "100.0"
    assert state(hass, "binary_sensor.rivya_generating") == "off"
    assert state(hass, "sensor.rivya_credits") == "994"
    assert state(hass, "sensor.rivya_credits_spent") == "6"
    assert state(hass, "sensor.rivya_last_finished") == "2026-11-22T12:01:00+00:00"


async def test_estimated_progress_stops_at_95_percent_until_the_end(
    hass, account, rivya: Simulator, time: Time, act: Act
) -> None:
    rivya.settings.hold_all = True
    await act("generate", prompt="tide")
    await time.pass_by(20_000, step=200)
    assert float(state(hass, "sensor.rivya_estimated_progress")) == 95


async def test_a_failed_generation_has_no_progress(
    hass, account, rivya: Simulator, time: Time, act: Act
) -> None:
    record = await act("generate", prompt="tide")
    rivya.fail(record["task_id"])
    await time.pass_by(20)
    assert state(hass, "sensor.rivya_estimated_progress") == "unknown"
    latest = hass.states.get("sensor.rivya_latest_generation")
    assert latest.state == "failed"
    assert latest.attributes["error"] == "generation_failed"


async def test_credits_spent_survive_a_restart(
    hass, account, time: Time, act: Act
) -> None:
    await act("generate", prompt="tide", wait=True)
    await time.until(hass.config_entries.async_unload(account.entry_id))
    await time.until(hass.config_entries.async_setup(account.entry_id))
    assert state(hass, "sensor.rivya_credits_spent") == "6"
    assert state(hass, "sensor.rivya_latest_generation") == "succeeded"


async def test_the_event_entity_tells_each_step_once(
    hass, account, rivya: Simulator, time: Time, act: Act
) -> None:
    changes = async_capture_events(hass, "state_changed")
    await act("generate", prompt="tide")
    await time.pass_by(120)
    told = [
        change.data["new_state"].attributes["event_type"]
        for change in changes
        if change.data["entity_id"] == "event.rivya_generation"
    ]
    assert told == ["submitted", "processing", "succeeded"]
    attributes = hass.states.get("event.rivya_generation").attributes
    assert attributes["media_url"].endswith(".mp4")
    assert attributes["source_url"] == attributes["media_url"]
    assert attributes["final_credits"] == 6
    assert "prompt" not in attributes


async def test_a_generation_that_is_refused_is_told_as_failed_only(
    hass, account, rivya: Simulator, act: Act
) -> None:
    rivya.accounts[0].credits = 0
    with pytest.raises(Exception, match="credits"):
        await act("generate", prompt="tide")
    event = hass.states.get("event.rivya_generation")
    assert event.attributes["event_type"] == "failed"
    assert event.attributes["error"]["code"] == "insufficient_credits"


async def test_no_state_holds_a_prompt_a_link_or_a_key(
    hass, account, rivya: Simulator, time: Time, act: Act
) -> None:
    await act("generate", prompt="a very private tide", wait=True)
    for each in hass.states.async_all():
        assert "private" not in str(each.as_dict())
        assert "http" not in each.state
        assert "rvya_sk" not in str(each.as_dict())


async def test_entities_are_unavailable_while_the_service_is_away(
    hass, account, rivya: Simulator, time: Time, act: Act
) -> None:
    rivya.faults.add(Fault(kind="status", path="/api/v1/credits", status=500, times=9))
    await time.pass_by(960, step=5)
    assert state(hass, "sensor.rivya_credits") == "unavailable"
    assert state(hass, "event.rivya_generation") == "unknown"
    await time.pass_by(3600, step=5)
    assert state(hass, "sensor.rivya_credits") == "1000"


async def test_the_logbook_has_lines_a_person_can_read(hass, account, time) -> None:
    described = {}
    async_describe_events(
        hass, lambda domain, event, describe: described.update({event: describe})
    )
    describe = described[EVENT_STATUS]
    common = {"config_entry_id": account.entry_id, "model": "sora-2"}
    lines = [
        describe(SimpleNamespace(data=common | facts, context_id=None))
        for facts in (
            {"status": "waiting"},
            {"status": "queued"},
            {"status": "succeeded", "duration": 61.4, "final_credits": 6},
            {"status": "failed", "config_entry_id": "removed"},
            {"status": "status of a newer version"},
        )
    ]
    lines.append(describe(SimpleNamespace(data={}, context_id=None)))
    assert [(line["name"], line["message"]) for line in lines] == [
        ("Rivya", "generation with sora-2 waits in line"),
        ("Rivya", "generation with sora-2 was accepted"),
        ("Rivya", "generation with sora-2 succeeded after 61 s for 6 credits"),
        ("Rivya", "generation with sora-2 failed"),
        ("Rivya", "generation with sora-2: status of a newer version"),
        ("Rivya", "generation with ?: ?"),
    ]


async def test_an_unknown_outcome_is_told_by_the_event_entity(
    hass,
    account,
    rivya: Simulator,
    time: Time,
    act: Act,
    freezer: FrozenDateTimeFactory,
) -> None:
    rivya.settings.visible_after = 1e9
    await act("generate", prompt="tide")
    await time.pass_by(120)
    event = hass.states.get("event.rivya_generation")
    assert event.attributes["event_type"] == "unknown"
    assert state(hass, "sensor.rivya_latest_generation") == "unknown"
