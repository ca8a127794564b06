"""What the service remembers: accounts, keys, generations, charges, requests."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .paths import covers
from .results import ResultItem

if TYPE_CHECKING:
    from .settings import Settings

QUEUED = "queued"
PROCESSING = "processing"
SUCCEEDED = "succeeded"
FAILED = "failed"

ALL_SCOPES = frozenset(
    {
        "models:read",
        "generations:create",
        "generations:read",
        "files:create",
        "files:read",
        "credits:read",
        "webhooks:manage",
        "chat:create",
        "chat:read",
    },
)

type KeyState = Literal["active", "revoked", "expired", "invalid"]


def timestamp(at: float) -> str:
    """Return epoch seconds as the API writes them: ISO 8601, UTC, milliseconds."""
    moment = datetime.fromtimestamp(at, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TaskError(NamedTuple):
    """Why a generation failed, as its status answer says it."""

    code: str = "generation_failed"
    message: str = "The generation failed."


@dataclass(eq=False)
class Account:
    """One wallet and its keys."""

    name: str
    balance: int
    update: Callable[[], None] = field(repr=False)
    keys: list[ApiKey] = field(default_factory=list, repr=False)

    @property
    def credits(self) -> int:
        """Credits left at this moment of the clock."""
        self.update()
        return self.balance

    @credits.setter  # noqa: A003 - the word of the domain, as add_account has it
    def credits(self, value: int) -> None:
        """Change what is left; the books do not show it."""
        self.update()
        self.balance = value

    @property
    def key(self) -> str:
        """The first key of the account."""
        return self.keys[0].value

    @property
    def scopes(self) -> set[str]:
        """The scopes of the first key; discard one to see `api_scope_denied`."""
        return self.keys[0].scopes


@dataclass(eq=False)
class ApiKey:
    """One key: whose it is, what it may do, whether it still works."""

    value: str
    account: Account
    scopes: set[str]
    state: KeyState = "active"


@dataclass(frozen=True, kw_only=True)
class Charge:
    """One line of the books: credits taken from an account (below zero: given back)."""

    account: str
    task_id: str
    idempotency_key: str | None
    credits: int
    kind: Literal["reserve", "settle", "refund"]
    at: float


@dataclass(frozen=True, kw_only=True)
class Link:
    """One address of one result, good until it expires."""

    token: str
    task_id: str
    index: int
    item: ResultItem
    expires_at: float | None

    @property
    def path(self) -> str:
        """Where the link is served."""
        return f"/media/{self.token}.{self.item.extension}"

    def expired(self, now: float) -> bool:
        """Return whether the link has had its time."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(eq=False, kw_only=True)
class SimGeneration:
    """One generation. Its status follows the clock, unless a test decided otherwise."""

    task_id: str
    account: Account = field(repr=False)
    model: str
    prompt: str | None
    params: dict[str, Any]
    client_request_id: str | None
    idempotency_key: str | None
    reserved_credits: int
    created_at: float
    queued_until: float = 0.0
    ends_at: float = 0.0
    """When it ends by itself."""
    error: TaskError | None = None
    """What it fails with, once ended; None succeeds."""
    held: bool | None = None
    """True never ends, False does, None follows `Settings.hold_all`."""
    forced_status: str | None = None
    forced_at: float = 0.0
    settled_credits: int | None = None
    """What it cost in the end; None until the books have its last line."""
    items: list[ResultItem] = field(default_factory=list, repr=False)
    links: list[Link] = field(default_factory=list, repr=False)
    clock: Callable[[], float] = field(repr=False)
    settings: Settings = field(repr=False)

    @property
    def ended_at(self) -> float | None:
        """When it ended, None while it runs."""
        if self.settled_credits is not None:
            return self.ends_at
        held = self.settings.hold_all if self.held is None else self.held
        if self.forced_status or held or self.clock() < self.ends_at:
            return None
        return self.ends_at

    @property
    def status(self) -> str:
        """The public status at this moment of the clock."""
        if self.ended_at is not None:
            return FAILED if self.error else SUCCEEDED
        if self.forced_status:
            return self.forced_status
        return QUEUED if self.clock() < self.queued_until else PROCESSING

    @property
    def final_credits(self) -> int:
        """What it cost; 0 until the end."""
        return self.settled_credits or 0

    @property
    def updated_at(self) -> float:
        """When the status last changed."""
        if self.ended_at is not None:
            return self.ended_at
        if self.forced_status:
            return self.forced_at
        return self.queued_until if self.status == PROCESSING else self.created_at


@dataclass(eq=False, kw_only=True)
class RecordedRequest:
    """One request as it arrived; `status` is None while or if it got no answer."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """Header names in lower case; the key is replaced by its account's name."""
    body: Any
    """The parsed JSON, else the bytes, else None."""
    at: float
    status: int | None = None

    def matches(self, method: str | None, path: str | None) -> bool:
        """Return whether this request is meant by a method and a path pattern."""
        return (method is None or method.upper() == self.method) and covers(
            path, self.path
        )
