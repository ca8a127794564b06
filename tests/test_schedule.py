"""When to look again, and how far a generation probably is."""

from itertools import pairwise
from random import Random
from statistics import median

import pytest

from custom_components.rivya import schedule
from custom_components.rivya.schedule import (
    FIRST_CHECK,
    MAX_COLD_INTERVAL,
    MAX_INTERVAL,
    MIN_INTERVAL,
    PROGRESS_CEILING,
    Expectation,
    jittered,
)

AGES = [0, 0.5, 1, 3, 10, 30, 60, 100, 150, 200, 300, 600, 3600, 86400, 1e9]
COLD = Expectation.learned([], "video")
LEARNED = Expectation.learned([140, 150, 160] * 7, "video")


@pytest.mark.parametrize("expectation", [COLD, LEARNED])
@pytest.mark.parametrize("age", AGES)
def test_the_interval_is_always_within_bounds(
    expectation: Expectation, age: float
) -> None:
    assert MIN_INTERVAL <= expectation.interval(age) <= MAX_INTERVAL


@pytest.mark.parametrize("age", AGES)
def test_before_anything_is_known_it_looks_at_least_every_ten_seconds(
    age: float,
) -> None:
    assert COLD.interval(age) <= MAX_COLD_INTERVAL


def test_checks_are_sparse_before_dense_around_and_sparse_after_the_expected_end() -> (
    None
):
    before, around, after = (LEARNED.interval(age) for age in (5, 150, 3600))
    assert before > 5 * around
    assert after > 5 * around


@pytest.mark.parametrize("expectation", [COLD, LEARNED])
def test_progress_grows_and_stops_below_the_end(expectation: Expectation) -> None:
    progress = [expectation.progress(age) for age in AGES]
    assert progress[0] == 0
    assert all(early <= late for early, late in pairwise(progress))
    assert progress[-1] <= PROGRESS_CEILING


def test_half_of_the_expected_time_is_about_half_of_the_progress() -> None:
    assert LEARNED.progress(75) == pytest.approx(50, abs=3)
    assert LEARNED.remaining(75) == pytest.approx(75, rel=0.05)


@pytest.mark.parametrize(
    ("category", "seconds"),
    [("video", 150), ("image", 25), ("audio", 40), ("new", 150), (None, 150)],
)
def test_the_first_guess_depends_on_what_is_made(
    category: str | None, seconds: float
) -> None:
    assert Expectation.learned([], category).median == pytest.approx(seconds)


def test_what_was_seen_replaces_the_guess_and_sharpens_it() -> None:
    assert LEARNED.median == pytest.approx(150, rel=0.02)
    assert LEARNED.spread < COLD.spread / 2
    few = Expectation.learned([150, 150], "video")
    assert LEARNED.spread < few.spread < COLD.spread


def test_durations_of_nothing_do_no_harm() -> None:
    assert Expectation.learned([0, 0, 0, 0], "image").interval(5) >= MIN_INTERVAL


def test_jitter_is_a_fifth_at_most_and_never_below_the_minimum() -> None:
    drawn = [jittered(10) for _ in range(500)]
    assert min(drawn) >= 8
    assert max(drawn) <= 12
    assert max(drawn) - min(drawn) > 2
    assert all(jittered(MIN_INTERVAL) >= MIN_INTERVAL for _ in range(100))


def test_a_known_model_costs_few_requests_and_little_delay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = Random(7)
    monkeypatch.setattr(schedule, "uniform", random.uniform)
    requests, delays = [], []
    for _ in range(30):
        seen = [random.lognormvariate(5.2, 0.2) for _ in range(20)]
        expectation = Expectation.learned(seen, "video")
        for _ in range(30):
            duration = random.lognormvariate(5.2, 0.2)
            age, count = FIRST_CHECK, 1
            while age < duration:
                age += jittered(expectation.interval(age))
                count += 1
            requests.append(count)
            delays.append(age - duration)
    assert median(requests) <= 14
    assert median(delays) <= 2
