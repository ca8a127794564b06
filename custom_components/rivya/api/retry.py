"""When a failed request is tried again, and after how long. Pure: no clock, no I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from random import uniform

from .exceptions import RivyaError


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how patiently one call repeats its request."""

    attempts: int = 3
    """Tries in all, the first included."""

    base: float = 0.5
    """Seconds before the second try; doubled each time."""

    ceiling: float = 8.0
    """The longest wait within a call, in seconds; longer ones are the caller's."""

    def delay(
        self,
        error: RivyaError,
        attempt: int,
        *,
        repeatable: bool,
        jitter: Callable[[float, float], float] = uniform,
    ) -> float | None:
        """Return the seconds to wait before the next try, or None to give up.

        Args:
            error: What the try ended with.
            attempt: Number of tries made so far, from 1.
            repeatable: Whether repeating cannot do the work twice: a GET, or a
                POST that carries an idempotency key made before its first try.
            jitter: Draws a factor between two bounds.

        """
        if not repeatable or not error.is_retryable or attempt >= self.attempts:
            return None
        if error.retry_after is not None:
            wait = max(error.retry_after, self.base)
            return wait if wait <= self.ceiling else None
        wait = self.base * 2.0 ** (attempt - 1)
        return min(wait * jitter(0.75, 1.25), self.ceiling)
