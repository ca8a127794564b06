"""When a request is tried again: pure, so every case is one line."""

import pytest

from custom_components.rivya.api import (
    RetryPolicy,
    RivyaAuthError,
    RivyaConflictError,
    RivyaConnectionError,
    RivyaCreditsError,
    RivyaDisabledError,
    RivyaError,
    RivyaNotFoundError,
    RivyaNotSentError,
    RivyaRateLimitError,
    RivyaRequestError,
    RivyaResponseError,
    RivyaScopeError,
    RivyaServerError,
    RivyaValidationError,
)
from custom_components.rivya.api.exceptions import RequestProblem

POLICY = RetryPolicy()


def middle(low: float, high: float) -> float:
    """Draw the middle."""
    return (low + high) / 2


def delay(
    error: RivyaError, attempt: int = 1, *, repeatable: bool = True
) -> float | None:
    """Return the delay without chance."""
    return POLICY.delay(error, attempt, repeatable=repeatable, jitter=middle)


@pytest.mark.parametrize(
    "cls",
    [
        RivyaConnectionError,
        RivyaNotSentError,
        RivyaResponseError,
        RivyaServerError,
        RivyaRateLimitError,
        RivyaDisabledError,
    ],
)
def test_what_may_pass_is_tried_again(cls: type[RivyaError]) -> None:
    assert delay(cls("later")) == 0.5
    assert delay(cls("later"), repeatable=False) is None


@pytest.mark.parametrize(
    "cls",
    [
        RivyaError,
        RivyaAuthError,
        RivyaConflictError,
        RivyaCreditsError,
        RivyaNotFoundError,
        RivyaScopeError,
        RivyaValidationError,
    ],
)
def test_what_will_not_change_is_not_tried_again(cls: type[RivyaError]) -> None:
    assert delay(cls("no")) is None
    assert delay(cls("no", retry_after=1.0)) is None


def test_our_own_refusal_is_not_tried_again() -> None:
    assert delay(RivyaRequestError(RequestProblem.INVALID_PROMPT)) is None


def test_each_wait_is_twice_the_last_and_then_it_ends() -> None:
    error = RivyaServerError("oops")
    waits = [delay(error, attempt) for attempt in (1, 2, 3, 4)]
    assert waits == [0.5, 1.0, None, None]


def test_no_wait_is_longer_than_the_ceiling_whatever_chance_says() -> None:
    policy = RetryPolicy(attempts=12)
    error = RivyaServerError("oops")
    waits = [
        policy.delay(error, attempt, repeatable=True, jitter=max)
        for attempt in range(1, 12)
    ]
    assert waits[:4] == [0.625, 1.25, 2.5, 5.0]
    assert waits[4:] == [8.0] * 7


def test_waits_are_spread_by_chance() -> None:
    error = RivyaServerError("oops")
    waits = {POLICY.delay(error, 1, repeatable=True) for _ in range(50)}
    assert len(waits) > 1
    assert all(wait is not None and 0.375 <= wait <= 0.625 for wait in waits)


@pytest.mark.parametrize(
    ("asked", "waited"),
    [(0.0, 0.5), (3.0, 3.0), (8.0, 8.0), (8.1, None), (86400.0, None)],
)
def test_the_service_says_how_long_and_a_long_wait_is_the_callers(
    asked: float, waited: float | None
) -> None:
    assert delay(RivyaRateLimitError("slow down", retry_after=asked)) == waited


def test_one_attempt_means_no_repetition() -> None:
    policy = RetryPolicy(attempts=1)
    assert policy.delay(RivyaServerError("oops"), 1, repeatable=True) is None
