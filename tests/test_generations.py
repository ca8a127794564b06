"""Submitting and following generations, against the simulated service."""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_API_KEY
from homeassistant.core import Event
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity_registry import RegistryEntryDisabler
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
)

from custom_components.rivya.ledger import Generation, Status
from tests.conftest import KEY, Act, Time, call, reload
from tests.simulator import Fault, Simulator

POST = ("POST", "/api/v1/generations")
POLLS = ("GET", "/api/v1/generations")


def statuses(events: list[Event]) -> list[str]:
    """Return the reported statuses in order."""
    return [event.data["status"] for event in events]


def ledger(entry: MockConfigEntry) -> list[Generation]:
    """Return what is on record, the newest first."""
    return list(entry.runtime_data.generations.ledger.newest_first())


def reserves(rivya: Simulator) -> int:
    """Return how often credits were taken."""
    return sum(charge.kind == "reserve" for charge in rivya.books)


async def test_a_generation_is_submitted_followed_and_reported_once(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    record = await act("generate", prompt="tide coming in", n_frames=10)
    assert record["status"] == "queued"
    assert record["reserved_credits"] == 6
    await time.pass_by(120)
    assert statuses(events) == ["submitting", "queued", "processing", "succeeded"]
    end = events[-1].data
    assert end["generation_id"] == record["generation_id"]
    assert end["task_id"] == record["task_id"]
    assert end["media_url"] == end["media"][0]["url"] == end["source_url"]
    assert end["media"][0]["mime_type"] == "video/mp4"
    assert end["duration"] == 60
    assert end["final_credits"] == 6
    assert end["config_entry_id"] == account.entry_id
    assert reserves(rivya) == 1


async def test_the_request_on_the_wire_is_as_the_contract_says(
    account, rivya: Simulator, act: Act
) -> None:
    record = await act(
        "generate",
        prompt="tide",
        n_frames=15,
        remove_watermark=True,
        params={"aspect_ratio": "portrait"},
        client_request_id="kitchen-1",
    )
    (request,) = rivya.requests_to(*POST)
    assert request.body == {
        "model": "sora-2",
        "prompt": "tide",
        "params": {
            "aspect_ratio": "portrait",
            "n_frames": "15",
            "remove_watermark": "true",
        },
        "client_request_id": "kitchen-1",
    }
    assert request.headers["idempotency-key"].endswith(record["generation_id"])
    assert record["client_request_id"] == "kitchen-1"


async def test_a_failed_generation_says_why(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    record = await act("generate", prompt="tide")
    rivya.fail(record["task_id"], code="content_rejected", message="No tides.")
    await time.pass_by(20)
    assert statuses(events)[-1] == "failed"
    assert events[-1].data["error"] == {
        "code": "content_rejected",
        "message": "No tides.",
        "request_id": None,
    }
    assert ledger(account)[0].spent == 0


async def test_nothing_is_asked_while_nothing_runs(
    account, rivya: Simulator, time: Time
) -> None:
    before = len(rivya.requests)
    await time.pass_by(600, step=10)
    assert len(rivya.requests) == before


async def test_credits_are_asked_every_quarter_of_an_hour(
    account, rivya: Simulator, time: Time
) -> None:
    before = len(rivya.requests_to("GET", "/api/v1/credits"))
    await time.pass_by(3600, step=10)
    assert 3 <= len(rivya.requests_to("GET", "/api/v1/credits")) - before <= 4


async def test_polling_is_sparse_then_dense_once_the_model_is_known(
    account, rivya: Simulator, time: Time, act: Act
) -> None:
    rivya.settings.duration = 120.0
    for _ in range(6):
        await act("generate", prompt="tide", wait=True)
    before = len(rivya.requests_to(*POLLS))
    record = await act("generate", prompt="tide")
    start = rivya.generations[record["task_id"]].created_at
    await time.pass_by(180)
    polls = [
        request.at - start
        for request in rivya.requests_to(*POLLS)[before:]
        if request.method == "GET"
    ]
    gaps = [late - early for early, late in pairwise(polls)]
    assert max(gaps) > 15
    assert gaps[-1] < 8
    assert polls[-1] - 120 < 8


async def test_a_hundred_generations_cost_no_more_requests_per_second_than_ten(
    hass, entry, rivya: Simulator, time: Time, act: Act
) -> None:
    hass.config_entries.async_update_entry(entry, options={"concurrency": 100})
    assert await time.until(hass.config_entries.async_setup(entry.entry_id))
    rivya.settings.hold_all = True
    for number in range(100):
        await act("generate", prompt=f"tide {number}")
    begin = rivya.requests[-1].at
    await time.pass_by(60)
    asked = [each for each in rivya.requests_to(*POLLS) if each.at > begin]
    assert 60 <= len(asked) <= 60 * 5 + 10
    assert len({each.path for each in asked}) == 100
    await time.until(hass.config_entries.async_unload(entry.entry_id))


async def test_polling_goes_on_with_every_entity_disabled_and_polling_switched_off(
    hass, entry, rivya: Simulator, time: Time, act: Act, events, entity_registry
) -> None:
    hass.config_entries.async_update_entry(entry, pref_disable_polling=True)
    assert await time.until(hass.config_entries.async_setup(entry.entry_id))
    for each in list(entity_registry.entities.values()):
        entity_registry.async_update_entity(
            each.entity_id, disabled_by=RegistryEntryDisabler.USER
        )
    await time.pass_by(60)
    await act("generate", prompt="tide")
    await time.pass_by(120)
    assert statuses(events)[-1] == "succeeded"
    await time.until(hass.config_entries.async_unload(entry.entry_id))


# The line.


async def test_more_than_the_limit_wait_in_line_and_go_in_order(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    records = [await act("generate", prompt=f"tide {number}") for number in range(5)]
    assert [record["status"] for record in records] == [
        "queued",
        "queued",
        "queued",
        "waiting",
        "waiting",
    ]
    assert len(rivya.generations) == 3
    rivya.finish(records[1]["task_id"])
    await time.pass_by(20)
    assert [each.prompt for each in rivya.generations.values()] == [
        "tide 0",
        "tide 1",
        "tide 2",
        "tide 3",
    ]
    await time.pass_by(240)
    assert statuses(events).count("succeeded") == 5
    assert reserves(rivya) == 5


async def test_nobody_overtakes_the_line(
    account, rivya: Simulator, time: Time, act: Act
) -> None:
    for number in range(4):
        await act("generate", prompt=f"tide {number}")
    rivya.finish(next(iter(rivya.generations)))
    late = await act("generate", prompt="late")
    assert late["status"] == "waiting"
    await time.pass_by(15)
    assert [each.prompt for each in rivya.generations.values()][3] == "tide 3"


async def test_a_line_is_taken_up_after_a_restart(
    hass, account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    for number in range(5):
        await act("generate", prompt=f"tide {number}")
    await reload(hass, account, time)
    await time.pass_by(300)
    assert statuses(events).count("succeeded") == 5
    assert reserves(rivya) == 5


async def test_a_disk_that_fails_holds_the_line_and_it_goes_on_afterwards(
    account, rivya: Simulator, time: Time, act: Act, storage
) -> None:
    for number in range(4):
        await act("generate", prompt=f"tide {number}")
    broken = break_disk(storage, account)
    rivya.finish(next(iter(rivya.generations)))
    await time.pass_by(40)
    assert len(rivya.generations) == 3
    assert ledger(account)[0].status is Status.WAITING
    broken.rmdir()
    await time.pass_by(90)
    assert len(rivya.generations) == 4


def break_disk(storage: Path, account: MockConfigEntry) -> Path:
    """Make the ledger impossible to write: a folder stands where the file was."""
    path = storage / f"rivya.{account.entry_id}"
    path.unlink(missing_ok=True)
    path.mkdir(parents=True)
    return path


# Trouble while submitting.


async def test_nothing_is_sent_when_the_ledger_cannot_be_written(
    account, rivya: Simulator, act: Act, storage, events
) -> None:
    break_disk(storage, account)
    with pytest.raises(HomeAssistantError) as error:
        await act("generate", prompt="tide")
    assert error.value.translation_key == "ledger_not_written"
    assert not rivya.requests_to(*POST)
    assert ledger(account) == []
    assert events == []


async def test_an_answer_lost_after_acceptance_is_charged_once(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    rivya.faults.add(Fault(kind="drop_after", method="POST", path=POST[1], times=2))
    record = await act("generate", prompt="tide")
    assert record["status"] == "queued"
    requests = rivya.requests_to(*POST)
    assert len(requests) == 3
    assert len({request.headers["idempotency-key"] for request in requests}) == 1
    assert len(rivya.generations) == reserves(rivya) == 1


async def test_an_unknown_outcome_is_answered_as_submitting_and_settled_later(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    rivya.faults.add(Fault(kind="drop_after", method="POST", path=POST[1], times=6))
    record = await act("generate", prompt="tide")
    assert record["status"] == "submitting"
    await time.pass_by(150)
    assert statuses(events)[-1] == "succeeded"
    assert len(rivya.generations) == reserves(rivya) == 1


async def test_an_outcome_that_stays_unknown_is_given_up_and_never_sent_afresh(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    rivya.faults.add(Fault(kind="drop_before", method="POST", path=POST[1], times=None))
    await act("generate", prompt="tide")
    await time.pass_by(1100, step=2)
    assert statuses(events) == ["submitting", "unknown"]
    assert events[-1].data["error"]["code"] == "outcome_unknown"
    count = len(rivya.requests_to(*POST))
    await time.pass_by(3600, step=30)
    assert len(rivya.requests_to(*POST)) == count


async def test_a_service_that_cannot_be_reached_fails_at_once_and_costs_nothing(
    account, server, rivya: Simulator, act: Act, events
) -> None:
    await server.close()
    with pytest.raises(HomeAssistantError) as error:
        await act("generate", prompt="tide")
    assert error.value.translation_key == "cannot_connect"
    assert statuses(events) == ["submitting", "failed"]
    assert not rivya.requests_to(*POST)


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        ({"status": 402, "code": "insufficient_credits"}, "insufficient_credits"),
        ({"status": 400, "code": "validation_failed"}, "refused"),
        ({"status": 403, "code": "api_scope_denied"}, "scope_missing"),
        ({"status": 503, "code": "public_api_disabled"}, "api_disabled"),
        ({"status": 409, "code": "idempotency_conflict"}, "idempotency_conflict"),
        ({"status": 418, "code": "new_code"}, "refused"),
    ],
)
async def test_a_refusal_is_an_error_and_the_end_of_that_generation(
    account, rivya: Simulator, act: Act, events, fault, key
) -> None:
    rivya.faults.add(
        Fault(kind="status", method="POST", path=POST[1], times=None, **fault)
    )
    with pytest.raises(HomeAssistantError) as error:
        await act("generate", prompt="tide")
    assert error.value.translation_key == key
    assert statuses(events) == ["submitting", "failed"]
    assert events[-1].data["error"]["code"] == fault["code"]
    assert reserves(rivya) == 0


async def test_a_conflict_after_our_own_retry_is_an_unknown_outcome(
    account, rivya: Simulator, act: Act, events
) -> None:
    rivya.faults.add(Fault(kind="drop_after", method="POST", path=POST[1], times=1))
    rivya.faults.add(
        Fault(
            kind="status",
            method="POST",
            path=POST[1],
            status=409,
            code="idempotency_conflict",
        )
    )
    record = await act("generate", prompt="tide")
    assert record["status"] == "unknown"
    assert len(rivya.requests_to(*POST)) == 2


async def test_a_rate_limit_puts_the_generation_in_line(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    rivya.faults.add(
        Fault(
            kind="status",
            method="POST",
            path=POST[1],
            status=429,
            code="rate_limited",
            headers={"Retry-After": "120"},
        )
    )
    record = await act("generate", prompt="tide")
    assert record["status"] == "waiting"
    await time.pass_by(110)
    assert len(rivya.requests_to(*POST)) == 1
    await time.pass_by(30)
    assert len(rivya.requests_to(*POST)) == 2
    await time.pass_by(120)
    assert statuses(events)[-1] == "succeeded"


async def test_a_refused_key_fails_the_generation_and_starts_reauth(
    hass, account, rivya: Simulator, act: Act
) -> None:
    rivya.set_key_state(KEY, "revoked")
    with pytest.raises(HomeAssistantError) as error:
        await act("generate", prompt="tide")
    assert error.value.translation_key == "auth_failed"
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["source"] == "reauth"


async def test_a_caller_that_goes_away_does_not_stop_the_submission(
    hass, account, rivya: Simulator, time: Time
) -> None:
    fault = Fault(kind="stall_after", method="POST", path=POST[1])
    rivya.faults.add(fault)
    submission = call(hass, "generate", prompt="tide")
    await fault.reached.wait()
    submission.cancel()
    await time.settle()
    fault.release()
    await time.pass_by(60)
    assert len(ledger(account)) == reserves(rivya) == 1
    assert ledger(account)[0].task_id in rivya.generations


# Trouble while following.


async def test_a_connection_lost_while_polling_is_said_once_and_recovers(
    hass, account, rivya: Simulator, time: Time, act: Act, events, caplog
) -> None:
    await act("generate", prompt="tide")
    fault = Fault(kind="drop_before", path="/api/v1/*", times=None)
    rivya.faults.add(fault)
    await time.pass_by(100)
    assert hass.states.get("sensor.rivya_credits").state == "unavailable"
    said = [each for each in caplog.records if each.levelname in ("ERROR", "WARNING")]
    assert len([each for each in said if each.name.endswith("rivya")]) == 1
    fault.times = 0
    await time.pass_by(120)
    assert hass.states.get("sensor.rivya_credits").state == "994"
    assert statuses(events)[-1] == "succeeded"
    assert caplog.text.count("Rivya answers again") == 1


async def test_a_rate_limit_while_polling_is_kept_by_all(
    account, rivya: Simulator, time: Time, act: Act
) -> None:
    for number in range(3):
        await act("generate", prompt=f"tide {number}")
    rivya.faults.add(
        Fault(
            kind="status",
            method="GET",
            path="/api/v1/generations",
            status=429,
            code="rate_limited",
            headers={"Retry-After": "45"},
        )
    )
    await time.pass_by(5)
    limited = next(each for each in rivya.requests if each.status == 429)
    await time.pass_by(60)
    after = [
        each.at - limited.at
        for each in rivya.requests_to(*POLLS)
        if each.at > limited.at + 2
    ]
    assert min(after) >= 45


async def test_a_rate_limit_without_a_time_slows_down_more_and_more(
    account, rivya: Simulator, time: Time, act: Act
) -> None:
    rivya.settings.hold_all = True
    await act("generate", prompt="tide")
    rivya.faults.add(
        Fault(
            kind="status",
            method="GET",
            path="/api/v1/generations",
            status=429,
            code="rate_limited",
            times=None,
        )
    )
    await time.pass_by(600)
    times = sorted(
        {each.at for each in rivya.requests_to(*POLLS) if each.status == 429}
    )
    gaps = [late - early for early, late in pairwise(times)]
    assert max(gaps) > 40
    assert len(times) < 60


async def test_a_refused_key_pauses_and_a_new_one_goes_on(
    hass, account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    await act("generate", prompt="tide")
    rivya.set_key_state(KEY, "expired")
    await time.pass_by(30)
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["source"] == "reauth"
    asked = len(rivya.requests)
    await time.pass_by(300)
    assert len(rivya.requests) == asked
    new = "rvya_sk_new"
    rivya.add_key(rivya.accounts[0], new)
    await time.until(
        hass.config_entries.flow.async_configure(
            flow["flow_id"],
            {CONF_API_KEY: new, "advanced": {"base_url": account.data["base_url"]}},
        )
    )
    await time.pass_by(30)
    assert statuses(events)[-1] == "succeeded"
    assert events[-1].data["recovered"] is True
    assert reserves(rivya) == 1


async def test_a_key_that_is_accepted_again_goes_on_by_itself(
    hass, account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    await act("generate", prompt="tide")
    rivya.set_key_state(KEY, "expired")
    await time.pass_by(30)
    rivya.set_key_state(KEY, "active")
    await time.pass_by(1000, step=5)
    assert statuses(events)[-1] == "succeeded"


async def test_not_found_right_after_submitting_is_forgiven(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    rivya.settings.visible_after = 20.0
    await act("generate", prompt="tide")
    await time.pass_by(120)
    assert statuses(events)[-1] == "succeeded"


async def test_not_found_later_is_an_unknown_end(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    rivya.settings.visible_after = 1e9
    await act("generate", prompt="tide")
    await time.pass_by(120)
    assert statuses(events) == ["submitting", "queued", "unknown"]
    assert events[-1].data["error"]["code"] == "not_found"


async def test_a_status_never_seen_before_keeps_polling(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    record = await act("generate", prompt="tide")
    rivya.set_status(record["task_id"], "upscaling")
    await time.pass_by(120)
    assert statuses(events) == ["submitting", "queued"]
    rivya.set_status(record["task_id"], None)
    await time.pass_by(30)
    assert statuses(events)[-1] == "succeeded"


async def test_a_generation_that_never_ends_is_given_up_after_a_day(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    rivya.settings.hold_all = True
    record = await act("generate", prompt="tide")
    await time.pass_by(86400, step=1800)
    await time.pass_by(600, step=10)
    assert statuses(events)[-1] == "unknown"
    assert events[-1].data["error"]["code"] == "deadline"
    rivya.finish(record["task_id"])
    asked = await act("get_generation", generation_id=record["generation_id"])
    assert asked["status"] == "succeeded"
    assert statuses(events)[-1] == "succeeded"


async def test_a_ledger_that_could_not_be_written_is_written_later(
    account, rivya: Simulator, time: Time, act: Act, storage, events
) -> None:
    await act("generate", prompt="tide")
    path = break_disk(storage, account)
    await time.pass_by(90)
    assert statuses(events)[-1] == "succeeded"
    path.rmdir()
    await time.pass_by(90)
    assert path.is_file()


# Restarts.


async def test_a_generation_that_ended_meanwhile_is_reported_after_the_restart(
    hass, account, rivya: Simulator, time: Time, act: Act, events, freezer
) -> None:
    record = await act("generate", prompt="tide")
    await time.until(hass.config_entries.async_unload(account.entry_id))
    freezer.tick(timedelta(minutes=5))
    await time.until(hass.config_entries.async_setup(account.entry_id))
    await time.pass_by(10)
    assert statuses(events) == ["submitting", "queued", "succeeded"]
    assert events[-1].data["generation_id"] == record["generation_id"]
    assert events[-1].data["recovered"] is True
    await reload(hass, account, time)
    await time.pass_by(60)
    assert len(events) == 3


async def test_a_submission_cut_off_by_a_restart_is_repeated_under_its_own_key(
    hass, account, rivya: Simulator, time: Time, events
) -> None:
    fault = Fault(kind="stall_after", method="POST", path=POST[1])
    rivya.faults.add(fault)
    submission = call(hass, "generate", prompt="tide")
    await fault.reached.wait()
    await time.until(hass.config_entries.async_unload(account.entry_id))
    with pytest.raises(HomeAssistantError) as error:
        await time.until(submission)
    assert error.value.translation_key == "interrupted"
    await time.until(hass.config_entries.async_setup(account.entry_id))
    await time.pass_by(120)
    assert statuses(events)[-1] == "succeeded"
    assert len(rivya.generations) == reserves(rivya) == 1
    first, second = rivya.requests_to(*POST)
    assert first.body == second.body
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


async def test_an_old_submission_is_not_repeated_after_a_restart(
    hass, account, rivya: Simulator, time: Time, events, freezer: FrozenDateTimeFactory
) -> None:
    fault = Fault(kind="stall_after", method="POST", path=POST[1])
    rivya.faults.add(fault)
    submission = call(hass, "generate", prompt="tide")
    await fault.reached.wait()
    await time.until(hass.config_entries.async_unload(account.entry_id))
    with pytest.raises(HomeAssistantError):
        await time.until(submission)
    freezer.tick(timedelta(hours=1))
    await time.until(hass.config_entries.async_setup(account.entry_id))
    await time.pass_by(40)
    assert statuses(events) == ["submitting", "unknown"]
    assert len(rivya.requests_to(*POST)) == 1


async def test_a_wait_goes_on_when_the_account_is_reloaded(
    hass, account, rivya: Simulator, time: Time, events
) -> None:
    submission = call(hass, "generate", prompt="tide", wait=True)
    await time.pass_by(10)
    await reload(hass, account, time)
    assert not submission.done()
    record = await time.until(submission)
    assert record["timed_out"] is False
    assert record["status"] == "succeeded"


async def test_a_wait_for_an_account_that_stays_away_ends_in_time(
    hass, account, rivya: Simulator, time: Time, events
) -> None:
    submission = call(hass, "generate", prompt="tide", wait=True, timeout=60)
    await time.pass_by(10)
    await time.until(hass.config_entries.async_unload(account.entry_id))
    record = await time.until(submission)
    assert record["timed_out"] is True
    await time.until(hass.config_entries.async_setup(account.entry_id))
    await time.pass_by(120)
    assert statuses(events)[-1] == "succeeded"


async def test_a_damaged_ledger_stops_the_setup_and_is_left_alone(
    hass, entry, storage, time: Time
) -> None:
    storage.mkdir(exist_ok=True)
    path = storage / f"rivya.{entry.entry_id}"
    path.write_text('{"version": 1, "data": {"generat')
    assert not await time.until(hass.config_entries.async_setup(entry.entry_id))
    assert entry.state is ConfigEntryState.SETUP_ERROR
    assert entry.error_reason_translation_key == "ledger_unreadable"
    assert path.read_text() == '{"version": 1, "data": {"generat'


async def test_removing_the_account_removes_its_ledger(
    hass, account, rivya: Simulator, time: Time, act: Act, storage
) -> None:
    await act("generate", prompt="tide")
    assert list(storage.glob("rivya.*"))
    await time.until(hass.config_entries.async_remove(account.entry_id))
    assert not list(storage.glob("rivya.*"))
