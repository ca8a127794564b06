"""One intent, one charge: what an `Idempotency-Key` is remembered for."""

from collections.abc import Callable
from dataclasses import dataclass
import hashlib
import json
from typing import Any

from .errors import ApiError, invalid
from .records import Account, SimGeneration
from .settings import Settings

type Place = tuple[Account, str]


@dataclass(kw_only=True)
class Memory:
    """The first call under a key and what came of it."""

    fingerprint: str
    at: float
    outcome: SimGeneration | ApiError
    first_answer: dict[str, Any] | None = None
    answered: bool = False


def fingerprint(body: object) -> str:
    """Return what makes two bodies the same: their JSON, whatever the order of keys."""
    text = json.dumps(body, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Idempotency:
    """The keys seen so far, per account."""

    def __init__(self, clock: Callable[[], float], settings: Settings) -> None:
        """Start without memories."""
        self._clock = clock
        self._settings = settings
        self._memories: dict[Place, Memory] = {}

    def check_length(self, key: str | None) -> None:
        """Refuse a key longer than the settings allow."""
        limit = self._settings.idempotency_key_limit
        if key is not None and limit is not None and len(key) > limit:
            raise invalid(f"Idempotency-Key must have at most {limit} characters.")

    def memory(self, account: Account, key: str | None) -> Memory | None:
        """Return what is remembered of a key, unless it was long ago."""
        found = self._memories.get((account, key)) if key is not None else None
        retention = self._settings.idempotency_retention
        if found is None or (
            retention is not None and self._clock() - found.at >= retention
        ):
            return None
        return found

    def recall(
        self, account: Account, key: str | None, mark: str
    ) -> SimGeneration | None:
        """Return what a key has already made; refuse another body under it (409)."""
        found = self.memory(account, key)
        if found is None:
            return None
        if found.fingerprint != mark:
            raise _conflict("This Idempotency-Key was used with another request body.")
        if isinstance(found.outcome, ApiError):
            raise found.outcome
        if not found.answered and self._settings.idempotency_running == "conflict":
            raise _conflict(
                "The first request with this Idempotency-Key is still running."
            )
        return found.outcome

    def remember(
        self, account: Account, key: str | None, mark: str, generation: SimGeneration
    ) -> None:
        """Bind a key to the generation it made."""
        self._bind(account, key, mark, generation)

    def remember_refusal(
        self, account: Account, key: str | None, mark: str, refusal: ApiError
    ) -> None:
        """Bind a key to a refusal, if the settings say so and the key is free."""
        wanted = self._settings.idempotency_keeps_refusals
        if wanted and self.memory(account, key) is None:
            self._bind(account, key, mark, refusal)

    def _bind(
        self,
        account: Account,
        key: str | None,
        mark: str,
        outcome: SimGeneration | ApiError,
    ) -> None:
        """Write a key down."""
        if key is not None:
            now = self._clock()
            self._memories[account, key] = Memory(
                fingerprint=mark, at=now, outcome=outcome
            )

    def answer(
        self, account: Account, key: str | None, now: dict[str, Any]
    ) -> dict[str, Any]:
        """Return what a create answers: the state now, or the first answer again."""
        found = self.memory(account, key)
        if found is None:
            return now
        first = found.first_answer = found.first_answer or now
        return first if self._settings.idempotency_replay == "first" else now

    def close(self, account: Account, key: str | None) -> None:
        """Note that the first call under a key is over, answered or not."""
        if found := self.memory(account, key):
            found.answered = True


def _conflict(message: str) -> ApiError:
    """Return the refusal of a key."""
    return ApiError("idempotency_conflict", message)
