"""Moments in which two things happen at once."""

import asyncio
from copy import replace
from datetime import timedelta
import json
from pathlib import Path
from typing import Any

from homeassistant.const import (
    EVENT_HOMEASSISTANT_FINAL_WRITE,
    EVENT_HOMEASSISTANT_STARTED,
)
from homeassistant.core import CoreState
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util.file import WriteError
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
)

from custom_components.rivya import store as store_module
from custom_components.rivya.api import Task
from custom_components.rivya.generations import REPLAY_WINDOW
from custom_components.rivya.ledger import Status
from custom_components.rivya.pace import MAX_PAUSE
from tests.conftest import KEY, Act, Time, call, reload
from tests.simulator import Fault, Simulator
from tests.test_generations import POLLS, POST, break_disk, ledger, reserves, statuses


def on_disk(storage: Path, entry: MockConfigEntry) -> list[str]:
    """Return the statuses in the recent part of the ledger on disk."""
    content = json.loads((storage / f"rivya.{entry.entry_id}").read_text())
    return [each["status"] for each in content["data"]["generations"]]


def hold_results_back(rivya: Simulator) -> Fault:
    """Let generations succeed without a result."""
    no_result = {"result": None}
    fault = Fault(
        kind="mutate",
        path=POLLS[1],
        times=None,
        mutate=lambda answer: answer | no_result,
    )
    rivya.faults.add(fault)
    return fault


class SlowDisk:
    """Holds back each write of a ledger until told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand between the store and the disk."""
        self._write = store_module._write
        self._loop = asyncio.get_running_loop()
        self.began = asyncio.Event()
        self.go = asyncio.Event()
        monkeypatch.setattr(store_module, "_write", self)

    def __call__(self, *args: Any) -> None:
        """Write, when it is time."""
        self._loop.call_soon_threadsafe(self.began.set)
        asyncio.run_coroutine_threadsafe(self.go.wait(), self._loop).result()
        self._write(*args)


async def test_a_question_under_way_at_a_reload_changes_nothing_afterwards(
    hass, account, rivya: Simulator, time: Time, act: Act, events, storage
) -> None:
    record = await act("generate", prompt="tide")
    rivya.finish(record["task_id"])
    fault = Fault(kind="stall_after", method="GET", path=POLLS[1])
    rivya.faults.add(fault)
    question = call(hass, "get_generation", generation_id=record["generation_id"])
    await fault.reached.wait()
    await reload(hass, account, time)
    await act("generate", prompt="second tide")
    fault.release()
    with pytest.raises(HomeAssistantError) as error:
        await time.until(question)
    assert error.value.translation_key == "interrupted"
    await time.pass_by(100)
    assert statuses(events).count("succeeded") == 2
    assert on_disk(storage, account) == ["succeeded", "succeeded"]


async def test_generations_that_are_being_written_at_a_reload_are_not_lost(
    hass, account, rivya: Simulator, time: Time, events, monkeypatch
) -> None:
    disk = SlowDisk(monkeypatch)
    calls = [call(hass, "generate", prompt=f"tide {number}") for number in range(2)]
    await disk.began.wait()
    unload = hass.async_create_task(hass.config_entries.async_unload(account.entry_id))
    for _ in range(20):
        await asyncio.sleep(0)
    disk.go.set()
    assert await time.until(unload)
    results = await time.until(asyncio.gather(*calls, return_exceptions=True))
    assert await time.until(hass.config_entries.async_setup(account.entry_id))
    await time.pass_by(150)
    assert statuses(events).count("succeeded") == 2
    assert len(rivya.generations) == reserves(rivya) == 2
    for result in results:
        is_told = isinstance(result, dict) or result.translation_key == "interrupted"
        assert is_told


async def test_a_saver_that_is_cancelled_does_not_write_over_a_newer_ledger(
    hass, account, rivya: Simulator, time: Time, storage, monkeypatch
) -> None:
    journal = account.runtime_data.generations.journal
    disk = SlowDisk(monkeypatch)
    first = call(hass, "generate", prompt="first tide")
    await disk.began.wait()
    saver = asyncio.ensure_future(journal.async_save())
    await asyncio.sleep(0)
    saver.cancel()
    second = call(hass, "generate", prompt="second tide")
    await asyncio.sleep(0)
    disk.go.set()
    await time.until(asyncio.gather(first, second))
    assert on_disk(storage, account) == ["queued", "queued"]


async def test_what_ends_while_the_archive_is_written_is_in_one_of_the_files(
    hass, account, rivya: Simulator, time: Time, act: Act, storage, monkeypatch
) -> None:
    await act("generate", prompt="tide")
    journal = account.runtime_data.generations.journal
    (running,) = ledger(account)
    for number in range(60):
        ended = replace(
            running,
            generation_id=f"0{number:03}",
            status=Status.SUCCEEDED,
            task_id=None,
        )
        journal.ledger.put(ended)
    write = store_module._write

    def end_meanwhile(path: Path, *args: Any) -> None:
        if path.name.endswith(".archive"):
            journal.ledger.put(replace(running, status=Status.SUCCEEDED))
        write(path, *args)

    monkeypatch.setattr(store_module, "_write", end_meanwhile)
    await journal._store.async_save(journal.ledger)
    loaded = await journal._store.async_load()
    assert len(loaded.generations) == 61
    assert loaded.by_task(running.task_id).status is Status.SUCCEEDED


async def test_what_could_not_be_written_is_written_when_home_assistant_stops(
    hass, account, rivya: Simulator, time: Time, act: Act, storage, events
) -> None:
    await act("generate", prompt="tide")
    path = break_disk(storage, account)
    await time.pass_by(90)
    assert statuses(events)[-1] == "succeeded"
    path.rmdir()
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await time.settle()
    assert on_disk(storage, account) == ["succeeded"]


async def test_an_end_on_disk_that_was_not_reported_is_reported_at_the_next_start(
    hass, account, rivya: Simulator, time: Time, act: Act, storage, events
) -> None:
    await act("generate", prompt="tide", wait=True)
    await time.until(hass.config_entries.async_unload(account.entry_id))
    path = storage / f"rivya.{account.entry_id}"
    path.write_text(path.read_text().replace('"announced":true', '"announced":false'))
    count = len(events)
    assert await time.until(hass.config_entries.async_setup(account.entry_id))
    await time.settle()
    assert statuses(events)[count:] == ["succeeded"]
    assert events[-1].data["recovered"] is True
    await reload(hass, account, time)
    await time.settle()
    assert len(events) == count + 1


async def test_a_key_that_works_again_is_noticed_by_the_next_success(
    hass, account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    await act("generate", prompt="tide")
    rivya.set_key_state(KEY, "expired")
    await time.pass_by(1000, step=5)
    rivya.set_key_state(KEY, "active")
    await act("generate", prompt="second tide")
    await time.pass_by(120)
    assert statuses(events).count("succeeded") == 2
    assert hass.states.get("sensor.rivya_credits").state == "988"


async def test_those_in_line_wait_for_another_key(
    hass, account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    for number in range(4):
        await act("generate", prompt=f"tide {number}")
    rivya.set_key_state(KEY, "revoked")
    generations = account.runtime_data.generations
    first = ledger(account)[-1]
    ended = Task.from_dict({"id": first.task_id, "status": "succeeded"})
    generations.journal.observe(first.generation_id, ended)
    await generations._async_advance_line()
    await time.pass_by(60)
    assert statuses(events).count("failed") == 0
    assert ledger(account)[0].status is Status.WAITING


async def test_a_404_that_is_not_rivyas_own_does_not_end_a_generation(
    hass, account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    rivya.settings.hold_all = True
    record = await act("generate", prompt="tide")
    await time.pass_by(120)
    fault = Fault(kind="status", path=POLLS[1], status=404, raw=b"<html>", times=None)
    rivya.faults.add(fault)
    await time.pass_by(300)
    fault.times = 0
    rivya.finish(record["task_id"])
    await time.pass_by(100)
    assert statuses(events)[-1] == "succeeded"


async def test_one_not_found_in_between_does_not_end_a_generation(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    rivya.settings.duration = 300.0
    await act("generate", prompt="tide")
    await time.pass_by(120)
    rivya.faults.add(
        Fault(kind="status", path=POLLS[1], status=404, code="not_found", times=1)
    )
    await time.pass_by(300)
    assert statuses(events)[-1] == "succeeded"


async def test_an_unload_lets_a_submission_under_way_end(
    hass, account, rivya: Simulator, time: Time, events, storage
) -> None:
    fault = Fault(kind="stall_after", method="POST", path=POST[1])
    rivya.faults.add(fault)
    submission = call(hass, "generate", prompt="tide")
    await fault.reached.wait()
    unload = hass.async_create_task(hass.config_entries.async_unload(account.entry_id))
    await time.settle()
    fault.release()
    assert await time.until(unload)
    record = await time.until(submission)
    assert record["status"] == "queued"
    assert on_disk(storage, account) == ["queued"]
    assert len(rivya.requests_to(*POST)) == 1


async def test_one_task_taken_over_twice_at_once_is_one_generation(
    hass, account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    record = await act("generate", prompt="tide")
    account.runtime_data.generations.ledger.discard(record["generation_id"])
    account.runtime_data.generations._due.clear()
    answers = await time.until(
        asyncio.gather(
            *(call(hass, "get_generation", task_id=record["task_id"]) for _ in "ab")
        )
    )
    assert answers[0]["generation_id"] == answers[1]["generation_id"]
    await time.pass_by(90)
    assert statuses(events).count("succeeded") == 1


async def test_a_wait_of_no_time_at_all_is_no_hurry_of_the_service(
    account, rivya: Simulator, time: Time
) -> None:
    rivya.faults.add(
        Fault(
            kind="status",
            path="/api/v1/credits",
            status=503,
            code="public_api_disabled",
            headers={"Retry-After": "0"},
            times=None,
        )
    )
    await time.pass_by(900)
    before = len(rivya.requests)
    await time.pass_by(600)
    assert len(rivya.requests) - before <= 3 * 11


async def test_a_refusal_of_one_in_line_leaves_the_entities_available(
    hass, account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    for number in range(4):
        await act("generate", prompt=f"tide {number}")
    rivya.accounts[0].credits = 0
    await time.pass_by(75)
    assert statuses(events).count("failed") == 1
    assert hass.states.get("sensor.rivya_active_generations").state != "unavailable"


async def test_a_rate_limit_for_an_action_slows_down_polling_too(
    account, rivya: Simulator, time: Time, act: Act
) -> None:
    await act("generate", prompt="tide")
    rivya.faults.add(
        Fault(
            kind="status",
            method="POST",
            path=POST[1],
            status=429,
            code="rate_limited",
            headers={"Retry-After": "100"},
        )
    )
    await act("generate", prompt="second tide")
    before = len(rivya.requests)
    await time.pass_by(90)
    assert len(rivya.requests) == before


async def test_the_words_of_the_service_do_not_reach_the_log(
    account, rivya: Simulator, time: Time, act: Act, caplog
) -> None:
    await act("generate", prompt="a private tide")
    rivya.faults.add(
        Fault(
            kind="status",
            path=POLLS[1],
            status=400,
            times=None,
            code="validation_failed",
            message="Prompt 'a private tide' is bad.",
        )
    )
    rivya.faults.add(
        Fault(
            kind="status",
            path="/api/v1/credits",
            status=418,
            times=None,
            code="odd",
            message="Prompt 'a private tide' is bad.",
        )
    )
    await time.pass_by(1000, step=5)
    assert "private" not in "".join(
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("custom_components")
    )


async def test_a_day_of_refused_questions_is_given_up(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    record = await act("generate", prompt="tide")
    fault = Fault(
        kind="status", path=POLLS[1], status=403, code="api_scope_denied", times=None
    )
    rivya.faults.add(fault)
    await time.pass_by(90_000, step=1800)
    assert statuses(events)[-1] == "unknown"
    fault.times = 0
    asked = await act("get_generation", generation_id=record["generation_id"])
    assert asked["status"] == "succeeded"


async def test_a_generation_given_up_a_day_ago_is_not_followed_for_a_question(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    rivya.settings.hold_all = True
    record = await act("generate", prompt="tide")
    await time.pass_by(90_000, step=1800)
    assert statuses(events)[-1] == "unknown"
    count = len(events)
    asked = await act("get_generation", generation_id=record["generation_id"])
    assert asked["status"] == "unknown"
    await time.pass_by(120, step=10)
    assert len(events) == count


async def test_whoever_waits_no_longer_leaves_nothing_behind(
    account, rivya: Simulator, time: Time, act: Act
) -> None:
    record = await act("generate", prompt="tide")
    journal = account.runtime_data.generations.journal
    waits = [
        asyncio.ensure_future(journal.async_wait(record["generation_id"]))
        for _ in range(3)
    ]
    await time.settle()
    waits[1].cancel()
    rivya.finish(record["task_id"])
    await time.pass_by(10)
    assert [each.done() for each in waits] == [True, True, True]
    assert not journal._waiters
    await time.until(journal.async_wait(record["generation_id"]))


async def test_a_start_waits_for_automations_before_it_reports(
    hass, account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    await act("generate", prompt="tide")
    await time.until(hass.config_entries.async_unload(account.entry_id))
    await time.pass_by(100, step=10)
    hass.set_state(CoreState.starting)
    assert await time.until(hass.config_entries.async_setup(account.entry_id))
    count = len(rivya.requests_to(*POLLS))
    early = await act("generate", prompt="an early tide")
    await time.pass_by(30)
    assert "succeeded" not in statuses(events)
    assert len(rivya.requests_to(*POLLS)) == count
    hass.set_state(CoreState.running)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await time.pass_by(100)
    assert statuses(events).count("succeeded") == 2
    ends = {event.data["generation_id"]: event.data["recovered"] for event in events}
    assert ends.pop(early["generation_id"]) is False
    assert list(ends.values()) == [True]
    assert len(rivya.requests_to(*POST)) == 2


async def test_a_success_without_a_result_is_asked_for_a_while(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    await act("generate", prompt="tide")
    fault = hold_results_back(rivya)
    await time.pass_by(80)
    assert "succeeded" not in statuses(events)
    fault.times = 0
    await time.pass_by(20)
    assert statuses(events)[-1] == "succeeded"
    assert events[-1].data["media_url"]


async def test_a_success_that_never_gets_a_result_ends_and_can_be_asked_again(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    await act("generate", prompt="tide")
    fault = hold_results_back(rivya)
    await time.pass_by(180)
    assert statuses(events)[-1] == "succeeded"
    assert events[-1].data["media"] == []
    fault.times = 0
    count = len(events)
    record = await act("get_generation", task_id=events[-1].data["task_id"])
    assert record["media_url"]
    await time.pass_by(60)
    assert len(events) == count


async def test_a_generation_the_service_does_not_show_yet_is_answered_as_it_stands(
    account, rivya: Simulator, act: Act
) -> None:
    rivya.settings.visible_after = 20.0
    record = await act("generate", prompt="tide")
    asked = await act("get_generation", generation_id=record["generation_id"])
    assert asked["status"] == "queued"


async def test_a_generation_the_service_has_lost_is_an_error_when_asked(
    account, rivya: Simulator, time: Time, act: Act
) -> None:
    rivya.settings.visible_after = 1e9
    record = await act("generate", prompt="tide")
    await time.pass_by(150)
    with pytest.raises(HomeAssistantError) as error:
        await act("get_generation", generation_id=record["generation_id"])
    assert error.value.translation_key == "not_found"


async def test_the_prompt_is_taken_out_of_the_words_of_the_service(
    account, rivya: Simulator, act: Act, events
) -> None:
    rivya.faults.add(
        Fault(
            kind="status",
            method="POST",
            path=POST[1],
            status=400,
            code="validation_failed",
            message="The prompt 'a private tide' is not allowed.",
        )
    )
    with pytest.raises(HomeAssistantError) as error:
        await act("generate", prompt="a private tide")
    assert "private" not in str(error.value.translation_placeholders)
    assert events[-1].data["error"]["message"] == "The prompt '…' is not allowed."


async def test_the_disk_fails_with_a_line_and_nobody_is_told_of_a_step_not_made(
    account, rivya: Simulator, time: Time, act: Act, storage, events
) -> None:
    for number in range(4):
        await act("generate", prompt=f"tide {number}")
    break_disk(storage, account)
    count = len(events)
    rivya.finish(next(iter(rivya.generations)))
    await time.pass_by(50)
    told = [event.data["prompt"] for event in events[count:]]
    assert "tide 3" not in told


async def test_a_write_that_takes_long_is_not_begun_over_and_over(
    hass, account, rivya: Simulator, time: Time, act: Act, monkeypatch
) -> None:
    await act("generate", prompt="tide")
    disk = SlowDisk(monkeypatch)
    begun = []
    save = account.runtime_data.generations.journal._store.async_save
    monkeypatch.setattr(
        account.runtime_data.generations.journal._store,
        "async_save",
        lambda ledger: begun.append(ledger) or save(ledger),
    )
    rivya.finish(next(iter(rivya.generations)))
    for _ in range(20):
        time._freezer.tick(1)
        for _ in range(50):
            await asyncio.sleep(0)
    assert disk.began.is_set()
    assert len(begun) == 1
    disk.go.set()
    await time.settle()


async def test_a_long_pause_leaves_time_to_repeat_a_submission(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    assert timedelta(seconds=MAX_PAUSE) < REPLAY_WINDOW * 0.8
    rivya.faults.add(
        Fault(
            kind="status",
            method="POST",
            path=POST[1],
            status=503,
            headers={"Retry-After": "3600"},
            effect=True,
        )
    )
    await act("generate", prompt="tide")
    await time.pass_by(800, step=5)
    assert statuses(events)[-1] == "succeeded"
    assert len(rivya.generations) == reserves(rivya) == 1


async def test_a_generation_told_as_not_written_is_not_on_disk_either(
    hass, account, rivya: Simulator, time: Time, storage, monkeypatch
) -> None:
    write = store_module._write
    outcomes = iter([OSError(28, "No space left on device")])

    def fail_first(path: Path, *args: Any) -> None:
        if failure := next(outcomes, None):
            raise WriteError(failure)
        write(path, *args)

    monkeypatch.setattr(store_module, "_write", fail_first)
    results = await time.until(
        asyncio.gather(
            *(call(hass, "generate", prompt=f"tide {number}") for number in range(2)),
            return_exceptions=True,
        )
    )
    assert isinstance(results[0], HomeAssistantError)
    assert results[1]["status"] == "queued"
    assert on_disk(storage, account) == ["queued"]
    assert len(rivya.generations) == 1


async def test_a_day_without_home_assistant_does_not_end_a_generation(
    hass, account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    await act("generate", prompt="tide")
    await time.until(hass.config_entries.async_unload(account.entry_id))
    await time.pass_by(90_000, step=1800)
    rivya.faults.add(Fault(kind="status", path=POLLS[1], status=503, times=3))
    assert await time.until(hass.config_entries.async_setup(account.entry_id))
    await time.pass_by(60)
    assert statuses(events)[-1] == "succeeded"


async def test_a_success_without_a_result_after_a_day_is_still_a_success(
    hass, account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    await act("generate", prompt="tide")
    await time.until(hass.config_entries.async_unload(account.entry_id))
    await time.pass_by(90_000, step=1800)
    hold_results_back(rivya)
    assert await time.until(hass.config_entries.async_setup(account.entry_id))
    await time.pass_by(10)
    assert statuses(events)[-1] == "succeeded"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_error_of_our_own_does_not_end_the_following(
    hass, account, rivya: Simulator, time: Time, act: Act, events, monkeypatch, method
) -> None:
    observe = account.runtime_data.generations.journal.observe
    broken = iter([True])

    def stumble(*args: Any) -> Any:
        if next(broken, False):
            raise ZeroDivisionError
        return observe(*args)

    if method == "GET":
        await act("generate", prompt="tide")
    monkeypatch.setattr(account.runtime_data.generations.journal, "observe", stumble)
    if method == "POST":
        with pytest.raises(ZeroDivisionError):
            await act("generate", prompt="tide")
    await time.pass_by(240)
    assert statuses(events)[-1] == "succeeded"
    assert len(rivya.generations) == reserves(rivya) == 1


async def test_a_task_that_may_be_the_one_being_submitted_is_not_taken_over(
    account, rivya: Simulator, time: Time, act: Act, events
) -> None:
    rivya.faults.add(Fault(kind="drop_after", method="POST", path=POST[1], times=6))
    await act("generate", prompt="tide")
    (task_id,) = rivya.generations
    with pytest.raises(HomeAssistantError) as error:
        await act("get_generation", task_id=task_id)
    assert error.value.translation_key == "adopted_too_early"
    await time.pass_by(200)
    assert statuses(events).count("succeeded") == 1


async def test_a_ledger_not_written_is_written_later_although_the_key_is_refused(
    account, rivya: Simulator, time: Time, act: Act, storage
) -> None:
    record = await act("generate", prompt="tide")
    path = break_disk(storage, account)
    await time.pass_by(50)
    rivya.set_key_state(KEY, "revoked")
    with pytest.raises(HomeAssistantError):
        await act("get_generation", generation_id=record["generation_id"])
    path.rmdir()
    await time.pass_by(90)
    assert path.is_file()


async def test_waiting_at_a_closed_journal_ends_at_once(
    hass, account, rivya: Simulator, time: Time, act: Act
) -> None:
    record = await act("generate", prompt="tide")
    journal = account.runtime_data.generations.journal
    await time.until(hass.config_entries.async_unload(account.entry_id))
    await time.until(journal.async_wait(record["generation_id"]), limit=5)
