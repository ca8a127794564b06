"""When to look again, and how far a generation probably is. Pure: times are passed in.

Rivya tells no progress, so both follow from how long a model's generations have taken
on this installation. Those times are taken as log-normal. Each check is placed where it
has the same chance to find the end, which makes checks sparse long before it, dense
around it, and sparse again in the long tail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from random import uniform
from statistics import NormalDist, fmean
from typing import Final, Self

FIRST_CHECK: Final = 3.0
"""Seconds before the first check (Rivya advises 2 to 3)."""

MIN_INTERVAL: Final = 2.0
MAX_INTERVAL: Final = 60.0
MAX_COLD_INTERVAL: Final = 10.0
"""The longest interval before a model's durations are known (Rivya advises 5 to 10)."""

JITTER: Final = 0.2
PROGRESS_CEILING: Final = 95.0

_CHANCE = 0.065
_PRIOR_WEIGHT = 1
_TAIL_FROM = 0.95
_TAIL_SHARE = 0.1
_LEARNED_FROM = 3
_COLD_SPREAD = 0.7
_COLD_SECONDS: Final = {"video": 150.0, "image": 25.0, "audio": 40.0}
_EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class Expectation:
    """How long a generation probably takes."""

    median: float
    """Half of all generations take longer, in seconds."""

    spread: float
    """Standard deviation of the duration's logarithm."""

    longest: float = MAX_INTERVAL
    """The longest time between two checks, in seconds."""

    @classmethod
    def learned(cls, durations: Sequence[float], category: str | None) -> Self:
        """Return what a model's latest durations say, and a guess before there are any.

        Args:
            durations: Seconds that generations of the model took.
            category: What the model makes, for the guess.

        """
        guess = log(_COLD_SECONDS.get(category or "", _COLD_SECONDS["video"]))
        seen = [log(max(duration, 1.0)) for duration in durations]
        mean = fmean(seen) if seen else guess
        squares = sum((each - mean) ** 2 for each in seen)
        variance = (squares + _PRIOR_WEIGHT * _COLD_SPREAD**2) / (
            len(seen) + _PRIOR_WEIGHT
        )
        is_cold = len(seen) < _LEARNED_FROM
        longest = MAX_COLD_INTERVAL if is_cold else MAX_INTERVAL
        return cls(exp(mean), variance**0.5, longest)

    def after(self, age: float, share: float) -> float:
        """Return the age by which a share of those that reach this age has ended."""
        distribution = NormalDist(log(self.median), self.spread)
        passed = distribution.cdf(log(max(age, 1.0)))
        target = passed + share * (1 - passed)
        return exp(distribution.inv_cdf(min(max(target, _EPSILON), 1 - _EPSILON)))

    def interval(self, age: float) -> float:
        """Return the seconds until the next check of a generation of this age."""
        overdue = age - self.after(0, _TAIL_FROM)
        interval = max(self.after(age, _CHANCE) - age, overdue * _TAIL_SHARE)
        return min(max(interval, MIN_INTERVAL), self.longest)

    def remaining(self, age: float) -> float:
        """Return the seconds that a generation of this age probably still takes."""
        return max(self.after(age, 0.5) - age, 0.0)

    def progress(self, age: float) -> float:
        """Return the estimated progress in percent, for a generation not yet done."""
        whole = age + self.remaining(age)
        return min(100 * age / whole, PROGRESS_CEILING) if whole > 0 else 0.0


def jittered(seconds: float) -> float:
    """Return a time that is up to a fifth shorter or longer, within the bounds."""
    drawn = seconds * uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
    return min(max(drawn, MIN_INTERVAL), MAX_INTERVAL)
