"""The books: every movement of credits, and when a generation's last line is due."""

from collections.abc import Callable
from typing import Literal

from .records import Charge, SimGeneration
from .settings import Settings


class Books:
    """The charges so far, and the generations that still owe their last line."""

    def __init__(self, clock: Callable[[], float], settings: Settings) -> None:
        """Start with empty books."""
        self._clock = clock
        self._settings = settings
        self.lines: list[Charge] = []
        self._open: dict[str, SimGeneration] = {}

    def reserve(self, generation: SimGeneration) -> None:
        """Take what an accepted generation reserves."""
        self._open[generation.task_id] = generation
        self._write(
            generation, generation.reserved_credits, "reserve", generation.created_at
        )

    def settle_all(self) -> None:
        """Write the last line of every generation that has ended by now."""
        for generation in list(self._open.values()):
            self.settle(generation)

    def settle(self, generation: SimGeneration) -> None:
        """Write a generation's last line once it is due, dated then, never twice."""
        ended = generation.ended_at
        if ended is None or generation.settled_credits is not None:
            return
        reserved, final_price = generation.reserved_credits, self._settings.final_price
        if generation.error and self._settings.refund_on_failure:
            due = ended + self._settings.refund_delay
            if self._clock() < due:
                return
            generation.settled_credits = 0
            self._write(generation, -reserved, "refund", due)
        else:
            metered = final_price is not None and generation.error is None
            final = final_price(generation) if final_price and metered else reserved
            generation.settled_credits = final
            self._write(generation, final - reserved, "settle", ended)
        self._open.pop(generation.task_id, None)

    def _write(
        self,
        generation: SimGeneration,
        taken: int,
        kind: Literal["reserve", "settle", "refund"],
        at: float,
    ) -> None:
        """Take credits from the account and write down why."""
        generation.account.balance -= taken
        self.lines.append(
            Charge(
                account=generation.account.name,
                task_id=generation.task_id,
                idempotency_key=generation.idempotency_key,
                credits=taken,
                kind=kind,
                at=at,
            )
        )
