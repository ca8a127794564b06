"""How fast the service may be asked: slower while it is not well. No timer, no I/O."""

from collections.abc import Callable
from typing import Final

from .api import RivyaError, RivyaRateLimitError
from .schedule import MAX_INTERVAL, MIN_INTERVAL, jittered

MAX_PAUSE: Final = 600.0
"""The longest pause, in seconds, that a Retry-After header can cause. A submission of
unknown outcome must still be repeated in time after it."""

_MAX_STRETCH = 8.0
_RELAXATION = 1.5


class Pace:
    """The pace of one account, for all its generations together.

    After an error there is a pause: as long as the service says, else longer with each
    error in a row. After too many requests, all intervals are stretched for a while.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        """Start at full pace.

        Args:
            now: Tells the time in seconds, on any clock that never goes back.

        """
        self._now = now
        self.failures = 0
        """Errors in a row; those at the same time count as one."""

        self.stretch = 1.0
        """The factor by which all intervals are longer."""

        self.resumes_at = now()
        """When the latest pause ends."""

    def slow_down(self, error: RivyaError) -> None:
        """Pause after an error."""
        now = self._now()
        if now >= self.resumes_at:
            self.failures += 1
            if isinstance(error, RivyaRateLimitError):
                self.stretch = min(self.stretch * 2, _MAX_STRETCH)
        self.resumes_at = max(self.resumes_at, now + self._pause(error))

    def recover(self) -> None:
        """Note that the service has answered as it should."""
        self.failures = 0
        self.stretch = max(self.stretch / _RELAXATION, 1.0)

    def after(self, interval: float) -> float:
        """Return when an interval from now is over, stretched and jittered."""
        return self._now() + jittered(min(interval * self.stretch, MAX_INTERVAL))

    def _pause(self, error: RivyaError) -> float:
        """Return the seconds to leave the service alone."""
        if error.retry_after is not None:
            return min(max(error.retry_after, MIN_INTERVAL), MAX_PAUSE)
        doubled = MIN_INTERVAL * 2 ** min(self.failures, 8)
        return jittered(min(doubled, MAX_INTERVAL))
