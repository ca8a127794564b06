"""The ledger: every generation of an account, from the first intent to its end.

Plain data with methods. No network, no entities, no files; times are passed in.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from copy import replace
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
import mimetypes
from typing import Any, Final, Self
from urllib.parse import urlsplit

from ulid_transform import ulid_at_time

from .api import RivyaError, Task, TaskError, TaskStatus

MAX_AGE: Final = timedelta(days=90)
MAX_RECORDS: Final = 10_000
_REMEMBERED_DURATIONS: Final = 50


class Status(StrEnum):
    """The states of a generation."""

    WAITING = "waiting"
    """In line: the account runs as many generations as it may."""

    SUBMITTING = "submitting"
    """Written down and on its way; whether Rivya has it is not known yet."""

    QUEUED = "queued"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Nobody can say how it ended, or whether it was ever accepted."""

    @property
    def is_pending(self) -> bool:
        """Whether something is still to be done for it."""
        return self in _PENDING

    @property
    def is_terminal(self) -> bool:
        """Whether it can never change again."""
        return self in (Status.SUCCEEDED, Status.FAILED)

    @property
    def is_with_service(self) -> bool:
        """Whether the service works on it, so that asking makes sense."""
        return self in (Status.QUEUED, Status.PROCESSING)


_NO_REASON: Final = TaskError(code="generation_failed", message=None)
_PENDING = frozenset(
    {Status.WAITING, Status.SUBMITTING, Status.QUEUED, Status.PROCESSING}
)
_TRANSITIONS: Final[dict[Status, frozenset[Status]]] = {
    Status.WAITING: frozenset({Status.SUBMITTING, Status.FAILED}),
    Status.SUBMITTING: frozenset(Status) - {Status.SUBMITTING},
    Status.QUEUED: frozenset(
        {Status.PROCESSING, Status.SUCCEEDED, Status.FAILED, Status.UNKNOWN}
    ),
    Status.PROCESSING: frozenset({Status.SUCCEEDED, Status.FAILED, Status.UNKNOWN}),
    Status.UNKNOWN: frozenset(
        {Status.QUEUED, Status.PROCESSING, Status.SUCCEEDED, Status.FAILED}
    ),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationError:
    """Why a generation failed, or why its end is not known."""

    code: str
    message: str | None = None
    request_id: str | None = None

    @classmethod
    def from_error(cls, error: RivyaError) -> Self:
        """Take over the facts of a failed request."""
        return cls(
            code=error.code or error.outcome,
            message=error.detail,
            request_id=error.request_id,
        )

    @classmethod
    def from_task_error(cls, error: TaskError) -> Self:
        """Take over why the service says a task failed."""
        return cls(code=error.code, message=error.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One paid piece of work. Never changed, only replaced."""

    generation_id: str
    """Our own id, known before anything is sent (a ULID)."""

    idempotency_key: str
    """Made once; every repetition of the submission carries it."""

    body: dict[str, Any]
    """The request exactly as it goes on the wire."""

    status: Status
    created_at: datetime
    task_id: str | None = None
    """Rivya's public id."""

    category: str | None = None
    """``video``, ``image`` or ``audio``, where the catalog knows."""

    submitted_at: datetime | None = None
    """When it was sent for the first time."""

    accepted_at: datetime | None = None
    finished_at: datetime | None = None
    reserved_credits: float | None = None
    final_credits: float | None = None
    urls: tuple[str, ...] = ()
    """Links to the results. They expire; ask the service again for fresh ones."""

    error: GenerationError | None = None
    perhaps_sent: bool = False
    """While submitting: an earlier try may have reached the service."""

    recovered: bool = False
    """It ended while nobody watched."""

    announced: bool = False
    """Its end was reported."""

    @classmethod
    def new(
        cls, body: dict[str, Any], status: Status, now: datetime, category: str | None
    ) -> Self:
        """Return a generation that has been asked for just now."""
        generation_id = new_id(now)
        return cls(
            generation_id=generation_id,
            idempotency_key=f"rivya-home-assistant-{generation_id}",
            body=body,
            status=status,
            created_at=now,
            category=category,
            submitted_at=now if status is Status.SUBMITTING else None,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read a generation as it was stored.

        Raises:
            KeyError, TypeError, ValueError: It was not stored by us.

        """
        error = data.get("error")
        return cls(
            **_members(cls, data)
            | {
                "status": Status(data["status"]),
                "created_at": datetime.fromisoformat(data["created_at"]),
                "submitted_at": _time(data.get("submitted_at")),
                "accepted_at": _time(data.get("accepted_at")),
                "finished_at": _time(data.get("finished_at")),
                "urls": tuple(data.get("urls", ())),
                "error": error and GenerationError(**_members(GenerationError, error)),
            }
        )

    @property
    def model(self) -> str:
        """The model's id."""
        return str(self.body["model"])

    @property
    def prompt(self) -> str | None:
        """The prompt, where there is one."""
        return self.body.get("prompt")

    @property
    def client_request_id(self) -> str | None:
        """The id that whoever asked gave it."""
        return self.body.get("client_request_id")

    @property
    def duration(self) -> float | None:
        """Seconds from acceptance to the end; None before the end."""
        if self.finished_at is None or self.accepted_at is None:
            return None
        return max((self.finished_at - self.accepted_at).total_seconds(), 0.0)

    @property
    def spent(self) -> float:
        """The credits this generation has cost for good."""
        if not self.status.is_terminal:
            return 0
        if self.status is Status.SUCCEEDED and self.final_credits is None:
            return self.reserved_credits or 0
        return self.final_credits or 0

    def age(self, now: datetime) -> float:
        """Return the seconds since it was accepted, or before that, asked for."""
        return max((now - (self.accepted_at or self.created_at)).total_seconds(), 0.0)

    def as_record(self) -> dict[str, Any]:
        """Return the record that actions answer and events carry."""
        media = [_medium(url) for url in self.urls]
        first = media[0] if media else _medium(None)
        return {
            "generation_id": self.generation_id,
            "task_id": self.task_id,
            "status": self.status.value,
            "model": self.model,
            "prompt": self.prompt,
            "params": dict(self.body.get("params", {})),
            "client_request_id": self.client_request_id,
            "created_at": self.created_at.isoformat(),
            "finished_at": self.finished_at and self.finished_at.isoformat(),
            "duration": self.duration,
            "reserved_credits": self.reserved_credits,
            "final_credits": self.final_credits,
            "media": media,
            "media_content_id": first["media_content_id"],
            "media_url": first["url"],
            "source_url": first["source_url"],
            "error": self.error
            and {
                "code": self.error.code,
                "message": self.error.message,
                "request_id": self.error.request_id,
            },
            "recovered": self.recovered,
        }

    def observed(self, task: Task, now: datetime) -> Generation:
        """Return the generation as the service's answer leaves it.

        A status that this version does not know changes nothing, and neither does
        one that lies behind.
        """
        status = Status(task.status)
        if task.status is TaskStatus.UNKNOWN:
            status = self.status if self.status.is_with_service else Status.QUEUED
        if status is not self.status and status not in _TRANSITIONS[self.status]:
            status = self.status
        accepted_at = self.accepted_at or now
        finished_at = self.finished_at if status is self.status else None
        if status.is_terminal and not self.status.is_terminal:
            finished_at = _ended_at(task, accepted_at, now)
        error = self.error if status is self.status else None
        if status is Status.FAILED and task.status is TaskStatus.FAILED:
            error = GenerationError.from_task_error(task.error or _NO_REASON)
        return replace(
            self,
            status=status,
            task_id=task.id,
            accepted_at=accepted_at,
            finished_at=finished_at,
            reserved_credits=_known(task.reserved_credits, self.reserved_credits),
            final_credits=_known(task.final_credits, self.final_credits),
            urls=task.urls or self.urls,
            error=error,
            perhaps_sent=False,
        )

    def moved(
        self, status: Status, now: datetime, error: GenerationError | None = None
    ) -> Generation:
        """Return the generation in another state.

        Raises:
            ValueError: The state machine has no such step.

        """
        if status not in _TRANSITIONS[self.status]:
            msg = f"A generation cannot go from {self.status} to {status}"
            raise ValueError(msg)
        return replace(
            self,
            status=status,
            error=error,
            submitted_at=now if status is Status.SUBMITTING else self.submitted_at,
            finished_at=None if status.is_pending else now,
        )


def new_id(now: datetime) -> str:
    """Return a new id that sorts by time (a ULID)."""
    return ulid_at_time(now.timestamp())


@cache
def _names(cls: type) -> frozenset[str]:
    """Return the names of a class's fields."""
    return frozenset(field.name for field in fields(cls))


def _members(cls: type, data: dict[str, Any]) -> dict[str, Any]:
    """Return what of stored data a class has; a newer version may have stored more."""
    names = _names(cls)
    return {name: value for name, value in data.items() if name in names}


def _time(value: str | None) -> datetime | None:
    """Read a stored time."""
    return None if value is None else datetime.fromisoformat(value)


def _known(new: float | None, old: float | None) -> float | None:
    """Return the newer number, where there is one."""
    return old if new is None else new


def _ended_at(task: Task, accepted_at: datetime, now: datetime) -> datetime:
    """Return when a task ended: as the service says, if that is plausible."""
    if task.created_at is None or task.updated_at is None:
        return now
    try:
        ended = accepted_at + (task.updated_at - task.created_at)
    except OverflowError:
        return now
    return ended if accepted_at < ended <= now else now


def _medium(url: str | None) -> dict[str, str | None]:
    """Return one result as the record shows it."""
    mime_type = url and mimetypes.guess_type(urlsplit(url).path)[0]
    return {
        "media_content_id": None,
        "url": url,
        "source_url": url,
        "mime_type": mime_type,
        "path": None,
    }


@dataclass(slots=True)
class Ledger:
    """All generations of an account, oldest first."""

    generations: dict[str, Generation] = field(default_factory=dict)
    spent: float = 0
    """Credits spent in all, also by generations that are no longer kept."""

    last_finished: datetime | None = None
    """When a generation came to its end last."""

    _pending: dict[str, None] = field(default_factory=dict)
    _by_task: dict[str, str] = field(default_factory=dict)
    _durations: dict[str, deque[float]] = field(default_factory=dict)

    @classmethod
    def of(cls, generations: Iterable[Generation], spent: float) -> Self:
        """Return a ledger with generations that are on record already."""
        ledger = cls(spent=spent)
        for generation in sorted(generations, key=lambda each: each.generation_id):
            ledger.generations[generation.generation_id] = generation
            ledger._index(generation)
        return ledger

    def put(self, generation: Generation) -> None:
        """Record a generation or its newer form."""
        before = self.generations.get(generation.generation_id)
        self.generations[generation.generation_id] = generation
        self.spent += generation.spent - (before.spent if before else 0)
        if (
            before is None
            or before.status is not generation.status
            or before.task_id != generation.task_id
        ):
            self._index(generation)

    def discard(self, generation_id: str) -> None:
        """Strike out a generation, so that it is as if it had never been."""
        generation = self.generations.pop(generation_id)
        self._pending.pop(generation_id, None)
        self._by_task.pop(generation.task_id or "", None)

    def by_task(self, task_id: str) -> Generation | None:
        """Return the generation that Rivya knows by this id."""
        return self.generations.get(self._by_task.get(task_id, ""))

    def pending(self, *states: Status) -> list[Generation]:
        """Return what is not at its end, or what of that is in some states."""
        generations = [self.generations[each] for each in self._pending]
        if not states:
            return generations
        return [each for each in generations if each.status in states]

    def newest_first(self) -> Iterator[Generation]:
        """Yield all generations, the newest first."""
        return reversed(self.generations.values())

    def durations(self, model: str) -> Sequence[float]:
        """Return how many seconds the model's latest successes took."""
        return self._durations.get(model, ())

    def prune(self, now: datetime) -> None:
        """Forget what is too old or too much; never what is pending."""
        surplus = len(self.generations) - MAX_RECORDS
        for generation in list(self.generations.values()):
            is_old = now - generation.created_at > MAX_AGE
            if (is_old or surplus > 0) and not generation.status.is_pending:
                self.discard(generation.generation_id)
                surplus -= 1

    def _index(self, generation: Generation) -> None:
        """Make a generation findable and learn from its end."""
        if generation.status.is_pending:
            self._pending[generation.generation_id] = None
        else:
            self._pending.pop(generation.generation_id, None)
        if finished_at := generation.finished_at:
            self.last_finished = max(self.last_finished or finished_at, finished_at)
        if generation.task_id is not None:
            self._by_task[generation.task_id] = generation.generation_id
        if (
            generation.status is Status.SUCCEEDED
            and generation.duration is not None
            and not generation.recovered
        ):
            self._durations.setdefault(
                generation.model, deque(maxlen=_REMEMBERED_DURATIONS)
            ).append(generation.duration)
