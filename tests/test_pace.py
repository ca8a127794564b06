"""How fast the service may be asked."""

import pytest

from custom_components.rivya.api import RivyaConnectionError, RivyaRateLimitError
from custom_components.rivya.pace import MAX_PAUSE, Pace
from custom_components.rivya.schedule import MAX_INTERVAL, MIN_INTERVAL

BROKEN = RivyaConnectionError("x")
TOO_MANY = RivyaRateLimitError("x")


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return the clock."""
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    """Return a pace at its start."""
    return Pace(clock)


def test_at_first_there_is_no_pause(pace: Pace, clock: Clock) -> None:
    assert pace.resumes_at <= clock.now


def test_pauses_grow_with_errors_in_a_row_and_end_with_the_first_success(
    pace: Pace, clock: Clock
) -> None:
    pauses = []
    for _ in range(8):
        pace.slow_down(BROKEN)
        pauses.append(pace.resumes_at - clock.now)
        clock.now = pace.resumes_at
    assert pauses[0] < 6
    assert pauses[4] > 4 * pauses[0]
    assert pauses[-1] >= 0.8 * MAX_INTERVAL
    assert max(pauses) <= MAX_INTERVAL
    pace.recover()
    pace.slow_down(BROKEN)
    assert pace.resumes_at - clock.now < 6


def test_errors_at_the_same_time_count_as_one(pace: Pace) -> None:
    for _ in range(10):
        pace.slow_down(BROKEN)
    assert pace.failures == 1


@pytest.mark.parametrize(
    ("asked", "pause"), [(0, MIN_INTERVAL), (30, 30), (86400, MAX_PAUSE)]
)
def test_the_service_says_how_long_within_bounds(
    pace: Pace, clock: Clock, asked: float, pause: float
) -> None:
    pace.slow_down(RivyaRateLimitError("x", retry_after=asked))
    assert pace.resumes_at == clock.now + pause


def test_a_shorter_pause_does_not_end_a_longer_one(pace: Pace, clock: Clock) -> None:
    pace.slow_down(RivyaRateLimitError("x", retry_after=100))
    pace.slow_down(BROKEN)
    assert pace.resumes_at == clock.now + 100


def test_after_too_many_requests_all_intervals_are_longer_for_a_while(
    pace: Pace, clock: Clock
) -> None:
    for _ in range(6):
        pace.slow_down(TOO_MANY)
        clock.now = pace.resumes_at
    assert pace.stretch == 8
    assert pace.after(5) - clock.now >= 0.8 * 40
    assert pace.after(50) - clock.now <= MAX_INTERVAL
    for _ in range(6):
        pace.recover()
    assert pace.stretch == 1
    assert pace.after(5) - clock.now <= 6
