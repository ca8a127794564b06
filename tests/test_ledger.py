"""The ledger: plain data and one state machine."""

from copy import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import orjson
import pytest

from custom_components.rivya.api import (
    RivyaConnectionError,
    Task,
    TaskError,
    TaskStatus,
)
from custom_components.rivya.api.exceptions import RivyaCreditsError
from custom_components.rivya.ledger import (
    MAX_RECORDS,
    Generation,
    GenerationError,
    Ledger,
    Status,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BODY = {"model": "sora-2", "prompt": "tide", "params": {"n_frames": "10"}}
WITH_SERVICE = (Status.QUEUED, Status.PROCESSING)
TERMINAL = (Status.SUCCEEDED, Status.FAILED)


def after(seconds: float) -> datetime:
    """Return a time after the start."""
    return NOW + timedelta(seconds=seconds)


def generation(status: Status = Status.SUBMITTING, **facts: object) -> Generation:
    """Return a generation in some state."""
    new = Generation.new(BODY, Status.SUBMITTING, NOW, "video")
    return replace(new, status=status, **facts)


def task(status: TaskStatus, **facts: object) -> Task:
    """Return what the service says."""
    return Task(
        **{
            "id": "task_1",
            "status": status,
            "model": "sora-2",
            "reserved_credits": 6,
            "final_credits": 0,
            "created_at": None,
            "updated_at": None,
            "urls": (),
            "error": None,
        }
        | facts
    )


def test_each_generation_has_ids_of_its_own_before_anything_is_sent() -> None:
    first, second = generation(), generation()
    assert first.generation_id != second.generation_id
    assert first.idempotency_key != second.idempotency_key
    assert first.generation_id in first.idempotency_key
    assert first.task_id is None


def test_ids_sort_by_time() -> None:
    early = Generation.new(BODY, Status.WAITING, NOW, None)
    late = Generation.new(BODY, Status.WAITING, after(1), None)
    assert early.generation_id < late.generation_id


@pytest.mark.parametrize(
    ("status", "pending", "with_service", "terminal"),
    [
        (Status.WAITING, True, False, False),
        (Status.SUBMITTING, True, False, False),
        (Status.QUEUED, True, True, False),
        (Status.PROCESSING, True, True, False),
        (Status.SUCCEEDED, False, False, True),
        (Status.FAILED, False, False, True),
        (Status.UNKNOWN, False, False, False),
    ],
)
def test_what_a_status_means_is_decided_in_one_place(
    status: Status, pending: bool, with_service: bool, terminal: bool
) -> None:
    assert status.is_pending is pending
    assert status.is_with_service is with_service
    assert status.is_terminal is terminal


@pytest.mark.parametrize("target", list(Status))
@pytest.mark.parametrize("status", TERMINAL)
def test_nothing_leaves_a_terminal_status(status: Status, target: Status) -> None:
    with pytest.raises(ValueError, match="cannot go from"):
        generation(status).moved(target, NOW)


@pytest.mark.parametrize(("before", "seen"), product(Status, TaskStatus))
def test_an_observation_never_goes_back_and_never_fails(
    before: Status, seen: TaskStatus
) -> None:
    facts = (
        {} if before in (Status.WAITING, Status.SUBMITTING) else {"accepted_at": NOW}
    )
    observed = generation(before, **facts).observed(task(seen), after(60))
    if before.is_terminal:
        assert observed.status is before
    elif before is Status.PROCESSING and seen is TaskStatus.QUEUED:
        assert observed.status is Status.PROCESSING
    elif seen.is_terminal and before is not Status.WAITING:
        assert observed.status == seen.value
        assert observed.finished_at == after(60)
    assert observed.task_id == "task_1"


def test_a_status_never_seen_before_counts_as_accepted() -> None:
    seen = task(TaskStatus("upscaling"))
    assert generation().observed(seen, NOW).status is Status.QUEUED
    processing = generation(Status.PROCESSING, accepted_at=NOW)
    assert processing.observed(seen, NOW).status is Status.PROCESSING


def test_an_unknown_outcome_can_be_found_out_later() -> None:
    unknown = generation(Status.UNKNOWN, accepted_at=NOW, finished_at=after(5))
    assert unknown.observed(task(TaskStatus.PROCESSING), after(9)).finished_at is None
    found = unknown.observed(task(TaskStatus.SUCCEEDED, final_credits=6), after(9))
    assert found.status is Status.SUCCEEDED
    assert found.spent == 6


def test_the_end_is_when_the_service_says_if_that_is_plausible() -> None:
    running = generation(Status.PROCESSING, accepted_at=NOW)
    started = datetime(2026, 5, 10, tzinfo=UTC)
    for took, expected in ((40, 40), (90, 60), (-5, 60), (0, 60)):
        seen = task(
            TaskStatus.SUCCEEDED,
            created_at=started,
            updated_at=started + timedelta(seconds=took),
        )
        assert running.observed(seen, after(60)).duration == expected


def test_an_observation_keeps_what_it_does_not_know_better() -> None:
    running = generation(
        Status.PROCESSING, accepted_at=NOW, reserved_credits=6, urls=("https://a/b",)
    )
    seen = running.observed(
        task(TaskStatus.PROCESSING, reserved_credits=None, final_credits=None), NOW
    )
    assert seen.reserved_credits == 6
    assert seen.urls == ("https://a/b",)


@pytest.mark.parametrize(
    ("status", "reserved", "final", "spent"),
    [
        (Status.SUCCEEDED, 6, 6, 6),
        (Status.SUCCEEDED, 6, 0, 0),
        (Status.SUCCEEDED, 6, None, 6),
        (Status.SUCCEEDED, 6, 4.5, 4.5),
        (Status.SUCCEEDED, None, None, 0),
        (Status.FAILED, 6, 0, 0),
        (Status.FAILED, 6, 2, 2),
        (Status.PROCESSING, 6, 0, 0),
        (Status.UNKNOWN, 6, 0, 0),
    ],
)
def test_credits_are_spent_at_the_end(
    status: Status, reserved: float | None, final: float | None, spent: float
) -> None:
    ended = generation(status, reserved_credits=reserved, final_credits=final)
    assert ended.spent == spent


def test_a_generation_comes_back_from_disk_as_it_was() -> None:
    for each in (
        generation(),
        generation(
            Status.FAILED,
            task_id="t",
            accepted_at=NOW,
            finished_at=after(60),
            urls=("https://a/b.mp4",),
            error=GenerationError(code="c", message="m", request_id="r"),
            final_credits=1.5,
            recovered=True,
            announced=True,
            perhaps_sent=True,
        ),
    ):
        assert Generation.from_dict(orjson.loads(orjson.dumps(each))) == each


def test_an_error_carries_the_facts_for_support() -> None:
    error = RivyaCreditsError("x", code="insufficient_credits", request_id="req_1")
    assert GenerationError.from_error(error) == GenerationError(
        code="insufficient_credits", request_id="req_1"
    )
    assert GenerationError.from_error(RivyaConnectionError("x")).code == "unknown"


def test_the_record_names_the_first_result_flat_and_all_in_a_list() -> None:
    urls = ("https://m.example/a.mp4?sig=1", "https://m.example/b.weird")
    record = generation(Status.SUCCEEDED, urls=urls).as_record()
    assert record["media_url"] == record["source_url"] == urls[0]
    assert [each["mime_type"] for each in record["media"]] == ["video/mp4", None]
    assert record["media_content_id"] is None


def test_the_record_of_a_failure_says_why() -> None:
    reason = TaskError(code="generation_failed", message="No.")
    failed = generation(Status.QUEUED).observed(
        task(TaskStatus.FAILED, error=reason), NOW
    )
    assert failed.as_record()["error"] == {
        "code": "generation_failed",
        "message": "No.",
        "request_id": None,
    }


def test_age_is_never_negative() -> None:
    assert generation().age(after(-5)) == 0
    assert generation(accepted_at=after(10)).age(after(15)) == 5


# The ledger.


def test_the_ledger_finds_generations_by_id_task_and_state() -> None:
    ledger = Ledger()
    first = generation()
    ledger.put(first)
    assert ledger.pending() == [first]
    assert ledger.pending(Status.QUEUED) == []
    assert ledger.by_task("task_1") is None
    queued = first.observed(task(TaskStatus.QUEUED), NOW)
    ledger.put(queued)
    assert ledger.by_task("task_1") == queued
    ended = queued.observed(task(TaskStatus.SUCCEEDED, final_credits=6), after(60))
    ledger.put(ended)
    assert ledger.pending() == []
    assert ledger.spent == 6
    assert ledger.last_finished == after(60)
    ledger.put(ended)
    assert ledger.spent == 6
    assert ledger.durations("sora-2") == pytest.approx([60])


def test_durations_are_learned_per_model_and_only_from_what_was_watched() -> None:
    ledger = Ledger()
    for took in (50, 60):
        ledger.put(
            generation(Status.SUCCEEDED, accepted_at=NOW, finished_at=after(took))
        )
    ledger.put(
        generation(
            Status.SUCCEEDED, accepted_at=NOW, finished_at=after(9000), recovered=True
        )
    )
    ledger.put(generation(Status.FAILED, accepted_at=NOW, finished_at=after(1)))
    assert list(ledger.durations("sora-2")) == [50, 60]
    assert list(ledger.durations("veo3-1-fast")) == []


def test_what_was_never_sent_is_struck_out() -> None:
    ledger = Ledger()
    each = generation()
    ledger.put(each)
    ledger.discard(each.generation_id)
    assert ledger.pending() == []
    assert not ledger.generations


def test_old_generations_are_forgotten_but_never_pending_ones() -> None:
    ledger = Ledger.of(
        [
            generation(Status.SUCCEEDED, created_at=NOW - timedelta(days=91)),
            generation(Status.PROCESSING, created_at=NOW - timedelta(days=91)),
            generation(Status.SUCCEEDED, created_at=NOW - timedelta(days=89)),
        ],
        spent=100,
    )
    ledger.prune(NOW)
    assert sorted(each.status for each in ledger.generations.values()) == [
        "processing",
        "succeeded",
    ]
    assert ledger.spent == 100


def test_no_more_than_ten_thousand_are_kept_but_all_pending_ones() -> None:
    ledger = Ledger()
    oldest = generation(Status.QUEUED)
    ledger.put(oldest)
    for number in range(MAX_RECORDS + 50):
        ledger.put(generation(Status.SUCCEEDED, task_id=f"task_{number}"))
    ledger.prune(NOW)
    assert len(ledger.generations) == MAX_RECORDS
    assert oldest.generation_id in ledger.generations
    assert ledger.by_task("task_0") is None
    assert ledger.by_task(f"task_{MAX_RECORDS + 49}") is not None


def test_a_ledger_from_disk_is_in_order_and_knows_its_tasks() -> None:
    early = Generation.new(BODY, Status.WAITING, NOW, None)
    late = replace(Generation.new(BODY, Status.QUEUED, after(5), None), task_id="t")
    ledger = Ledger.of([late, early], spent=3)
    assert list(ledger.newest_first()) == [late, early]
    assert ledger.by_task("t") == late
    assert ledger.spent == 3


def test_times_beyond_all_reason_do_no_harm() -> None:
    running = generation(Status.PROCESSING, accepted_at=NOW)
    seen = task(
        TaskStatus.SUCCEEDED,
        created_at=datetime.min.replace(tzinfo=UTC),
        updated_at=datetime.max.replace(tzinfo=UTC),
    )
    assert running.observed(seen, after(60)).finished_at == after(60)


def test_an_older_answer_does_not_take_the_reason_away() -> None:
    reason = TaskError(code="content_rejected", message="No.")
    queued = generation(Status.QUEUED, accepted_at=NOW)
    failed = queued.observed(task(TaskStatus.FAILED, error=reason), after(5))
    late = failed.observed(task(TaskStatus.PROCESSING), after(6))
    assert late.error.code == "content_rejected"
