"""What Rivya answers: tolerant of the new, strict on the broken."""

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
import json
from typing import Any

import pytest

from custom_components.rivya.api import RivyaResponseError, Task, TaskError, TaskStatus
from custom_components.rivya.api.models import (
    number_or_none,
    text_or_none,
    time_or_none,
)

SUCCEEDED: dict[str, Any] = {
    "id": "task_public_id",
    "status": "succeeded",
    "model": "z-image",
    "reserved_credits": 1,
    "final_credits": 1,
    "created_at": "2026-05-10T00:00:00.000Z",
    "updated_at": "2026-05-10T00:01:00.000Z",
    "result": {
        "primary_url": "https://media.example/result.png",
        "urls": ["https://media.example/result.png"],
    },
    "error": None,
}
"""The example of the contract, section 5."""

FAILED = SUCCEEDED | {
    "status": "failed",
    "final_credits": 0,
    "result": None,
    "error": {"code": "generation_failed", "message": "The generation failed."},
}

WRONG: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    5,
    1.5,
    10**400,
    float("inf"),
    float("nan"),
    "",
    "x",
    "nan",
    "\x00",
    "\ud800",
    "9" * 10_000,
    [],
    [1],
    [[]],
    [None, "x", {}],
    {},
    {"a": 1},
    {"code": 5, "message": []},
    {"primary_url": 5, "urls": 5},
    {"primary_url": {}, "urls": [[], {}, None, 5, "", "x", "\ud800"]},
    {"urls": {"0": "https://media.example/a.png"}},
]
KINDS: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "status": TaskStatus,
    "model": (str, type(None)),
    "reserved_credits": (int, float, type(None)),
    "final_credits": (int, float, type(None)),
    "created_at": (datetime, type(None)),
    "updated_at": (datetime, type(None)),
    "urls": tuple,
    "error": (TaskError, type(None)),
}


def test_the_contracts_example_is_read() -> None:
    assert Task.from_dict(SUCCEEDED) == Task(
        id="task_public_id",
        status=TaskStatus.SUCCEEDED,
        model="z-image",
        reserved_credits=1,
        final_credits=1,
        created_at=datetime(2026, 5, 10, tzinfo=UTC),
        updated_at=datetime(2026, 5, 10, 0, 1, tzinfo=UTC),
        urls=("https://media.example/result.png",),
        error=None,
    )


def test_a_failed_task_says_why() -> None:
    task = Task.from_dict(FAILED)
    assert task.status is TaskStatus.FAILED
    assert task.error == TaskError(
        code="generation_failed", message="The generation failed."
    )
    assert task.urls == ()


def test_an_error_without_a_code_has_the_documented_one() -> None:
    assert TaskError.from_dict({}) == TaskError(code="generation_failed", message=None)


def test_id_and_status_are_enough() -> None:
    task = Task.from_dict({"id": "t", "status": "queued"})
    assert (task.id, task.status, task.urls) == ("t", TaskStatus.QUEUED, ())
    assert {task.model, task.created_at, task.reserved_credits, task.error} == {None}


def test_unknown_fields_are_ignored() -> None:
    assert Task.from_dict(SUCCEEDED | {"progress": 5, "new": {}}) == Task.from_dict(
        SUCCEEDED
    )


@pytest.mark.parametrize("status", ["moderating", "", "SUCCEEDED", "cancelled"])
def test_a_status_never_seen_before_is_not_the_end(status: str) -> None:
    task = Task.from_dict(SUCCEEDED | {"status": status})
    assert task.status is TaskStatus.UNKNOWN
    assert not task.status.is_terminal


def test_only_two_statuses_are_the_end() -> None:
    assert {status for status in TaskStatus if status.is_terminal} == {
        TaskStatus.SUCCEEDED,
        TaskStatus.FAILED,
    }


@pytest.mark.parametrize("field", SUCCEEDED)
def test_a_wrong_type_is_tolerated_or_refused_as_our_own_error(field: str) -> None:
    read = 0
    for value in WRONG:
        try:
            task = Task.from_dict(SUCCEEDED | {field: value})
        except RivyaResponseError:
            assert field in ("id", "status")
            continue
        read += 1
        for name, kind in KINDS.items():
            assert isinstance(getattr(task, name), kind)
        # What a record of it will have to do.
        json.dumps([task.id, task.model, task.urls, task.reserved_credits]).encode()
        repr(task).encode()
    assert read


@pytest.mark.parametrize("field", ["id", "status"])
@pytest.mark.parametrize("value", [None, 5, True, [], {}])
def test_a_task_without_id_or_status_is_none(field: str, value: object) -> None:
    with pytest.raises(RivyaResponseError, match="not a generation"):
        Task.from_dict(SUCCEEDED | {field: value})
    absent = {key: kept for key, kept in SUCCEEDED.items() if key != field}
    with pytest.raises(RivyaResponseError, match="not a generation"):
        Task.from_dict(absent)


@pytest.mark.parametrize(
    "task_id", ["", ".", "..", "a\nb", "\x00", "\ud800", "x" * 501]
)
def test_what_cannot_stand_in_a_path_is_no_id(task_id: str) -> None:
    with pytest.raises(RivyaResponseError):
        Task.from_dict(SUCCEEDED | {"id": task_id})


@pytest.mark.parametrize("task_id", ["a", "...", "a/b", "a b", "ä", "x" * 500])
def test_an_id_is_opaque(task_id: str) -> None:
    assert Task.from_dict(SUCCEEDED | {"id": task_id}).id == task_id


@pytest.mark.parametrize(
    ("result", "urls"),
    [
        (None, ()),
        ("https://media.example/a.png", ()),
        ({}, ()),
        ({"primary_url": "https://m/a"}, ("https://m/a",)),
        ({"urls": ["https://m/a", "https://m/b"]}, ("https://m/a", "https://m/b")),
        (
            {"primary_url": "https://m/b", "urls": ["https://m/a", "https://m/b"]},
            ("https://m/b", "https://m/a"),
        ),
        ({"primary_url": "https://m/a", "urls": "https://m/b"}, ("https://m/a",)),
        ({"urls": ["http://m/a", "http://m/a"]}, ("http://m/a",)),
        (
            {
                "urls": [
                    "javascript:alert(1)",
                    "file:///etc/passwd",
                    "//m/a",
                    "/a",
                    "https://m/\nX: y",
                    "https://m/\ud800",
                    "https://m/" + "a" * 8192,
                    "https://m/b",
                ]
            },
            ("https://m/b",),
        ),
    ],
)
def test_each_link_counts_once_and_the_primary_one_first(
    result: object, urls: tuple[str, ...]
) -> None:
    assert Task.from_dict(SUCCEEDED | {"result": result}).urls == urls


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("words", "words"),
        ("", None),
        (None, None),
        (5, None),
        (b"bytes", None),
        ("x" * 501, "x" * 500),
        ("half \ud83d", "half ?"),
        ("whole \U0001f30a", "whole \U0001f30a"),
    ],
)
def test_a_text_is_short_and_can_be_stored(value: object, text: str | None) -> None:
    assert text_or_none(value) == text


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        (5.0, 5),
        (-0.5, -0.5),
        (0, 0),
        (2**53, 2**53),
        (2**53 + 1, None),
        (-(2**53) - 1, None),
        (10**400, None),
        (1e300, None),
        (float("inf"), None),
        (float("-inf"), None),
        (float("nan"), None),
        (True, None),
        (False, None),
        ("5", None),
        (None, None),
    ],
)
def test_a_number_is_finite_and_whole_where_it_can_be(
    value: object, number: float | None
) -> None:
    read = number_or_none(value)
    assert read == number
    assert type(read) is type(number)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-05-11T00:00:00.000Z", datetime(2026, 5, 11, tzinfo=UTC)),
        ("2026-05-11T02:00:00+02:00", datetime(2026, 5, 11, tzinfo=UTC)),
        ("2026-05-11T00:00:00", datetime(2026, 5, 11, tzinfo=UTC)),
        ("2026-05-11", datetime(2026, 5, 11, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
        (1778457600, None),
        (None, None),
        ([], None),
    ],
)
def test_a_time_is_aware_or_none(value: object, moment: datetime | None) -> None:
    read = time_or_none(value)
    assert read == moment
    assert read is None or read.utcoffset() is not None


def test_a_time_of_another_zone_stays_the_same_moment() -> None:
    read = time_or_none("2026-05-11T02:00:00+02:00")
    assert read is not None
    assert read.utcoffset() == timedelta(hours=2)


def test_what_was_read_cannot_be_changed() -> None:
    task = Task.from_dict(SUCCEEDED)
    with pytest.raises(FrozenInstanceError):
        task.id = "other"  # type: ignore[misc]
