"""What Rivya answers: tolerant of the new, strict on the broken.

Unknown members are dropped, unknown statuses become :attr:`TaskStatus.UNKNOWN`,
members of a wrong type count as absent; an answer without its essential parts is a
:class:`~.exceptions.RivyaResponseError`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
import re
from typing import Any, Self, TypeGuard, override

from .exceptions import RivyaResponseError

_MAX_URL_LENGTH = 8192
_MAX_TEXT_LENGTH = 500
_WORD = re.compile(r"[\w.:-]{1,100}", re.ASCII)
_MAX_NUMBER = 2**53


class TaskStatus(StrEnum):
    """The states of a task (API docs, generation status)."""

    QUEUED = "queued"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Newer than this client: the task goes on as far as we know."""

    @classmethod
    @override
    def _missing_(cls, value: object) -> TaskStatus:
        """Take a status never seen before for one that is not the end."""
        return cls.UNKNOWN

    @property
    def is_terminal(self) -> bool:
        """Whether the service will not change this task any more."""
        return self in (TaskStatus.SUCCEEDED, TaskStatus.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskError:
    """Why a task failed."""

    code: str
    """Rivya's code; ``generation_failed`` is the only one documented."""

    message: str | None
    """Rivya's explanation, shortened."""

    @classmethod
    def from_dict(cls, data: object) -> Self | None:
        """Return the error, or None where there is none."""
        if isinstance(data, str):
            data = {"message": data}
        if not isinstance(data, Mapping):
            return None
        return cls(
            code=word_or_none(data.get("code")) or "generation_failed",
            message=text_or_none(data.get("message")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One generation as the service sees it (API docs, generation status)."""

    id: str
    status: TaskStatus
    model: str | None
    reserved_credits: float | None
    final_credits: float | None
    created_at: datetime | None
    updated_at: datetime | None
    urls: tuple[str, ...]
    """Links to the results, the primary one first. They expire at an unknown time."""

    error: TaskError | None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a task.

        Raises:
            RivyaResponseError: The id or the status is missing or cannot be one.

        """
        task_id, status = data.get("id"), data.get("status")
        if not is_task_id(task_id) or not isinstance(status, str):
            raise RivyaResponseError("Rivya's answer is not a generation")
        return cls(
            id=task_id,
            status=TaskStatus(status),
            model=text_or_none(data.get("model")),
            reserved_credits=number_or_none(data.get("reserved_credits")),
            final_credits=number_or_none(data.get("final_credits")),
            created_at=time_or_none(data.get("created_at")),
            updated_at=time_or_none(data.get("updated_at")),
            urls=_urls(data.get("result")),
            error=TaskError.from_dict(data.get("error")),
        )


def _urls(result: object) -> tuple[str, ...]:
    """Return each link of a result once, the primary one first."""
    if not isinstance(result, Mapping):
        return ()
    listed = result.get("urls")
    links = [result.get("primary_url"), *(listed if isinstance(listed, list) else ())]
    return tuple(dict.fromkeys(link for link in links if is_link(link)))


def is_link(value: object) -> bool:
    """Tell whether a value is an address that can be fetched."""
    return (
        isinstance(value, str)
        and len(value) <= _MAX_URL_LENGTH
        and value.isprintable()
        and value.startswith(("https://", "http://"))
    )


def is_task_id(value: object) -> TypeGuard[str]:
    """Tell whether a value can be a task id: opaque, but fit for a part of a path."""
    return (
        isinstance(value, str)
        and len(value) <= _MAX_TEXT_LENGTH
        and value.isprintable()
        and value not in ("", ".", "..")
    )


def text_or_none(value: object) -> str | None:
    """Return a text, shortened, or None for anything else.

    Halves of characters, which JSON can spell and nothing can store, become ``?``.
    """
    if not isinstance(value, str) or not value:
        return None
    return value[:_MAX_TEXT_LENGTH].encode(errors="replace").decode()


def word_or_none(value: object) -> str | None:
    """Return a code or an id, which may go into a log, or None for anything else."""
    if isinstance(value, str) and _WORD.fullmatch(value):
        return value
    return None


def number_or_none(value: object) -> float | None:
    """Return a number, whole ones as ``int``, or None for anything else.

    Those beyond what every reader of JSON holds exactly (RFC 8259), infinity and NaN
    among them, are none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not -_MAX_NUMBER <= value <= _MAX_NUMBER:
        return None
    return int(value) if value == int(value) else value


def time_or_none(value: object) -> datetime | None:
    """Return an aware time from ISO 8601, or None for anything else."""
    try:
        moment = datetime.fromisoformat(value)  # type: ignore[arg-type]
    except TypeError, ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
