"""The service itself, without HTTP: it accepts generations and knows how they are."""

from collections.abc import Awaitable, Callable, Collection
import time
from typing import Any

from .access import Access
from .books import Books
from .catalog import LiveEntry, live_entry, live_params, load_tables
from .errors import ApiError
from .faults import Faults
from .idempotency import Idempotency, fingerprint
from .links import Ids, Links
from .records import (
    ALL_SCOPES,
    FAILED,
    SUCCEEDED,
    Account,
    ApiKey,
    Charge,
    KeyState,
    RecordedRequest,
    SimGeneration,
    TaskError,
    timestamp,
)
from .results import plan
from .settings import Settings
from .validation import Validator, ValidRequest


def _wall_clock() -> float:
    """Return epoch seconds, looked up at each call so that a frozen clock is seen."""
    return time.time()


class Simulator:
    """Rivya as plain objects: tests hold this, `create_app` puts HTTP before it."""

    def __init__(
        self,
        clock: Callable[[], float] | None = None,
        settings: Settings | None = None,
        sleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        """Start an empty service; `sleep` is only what a `slow` fault waits with."""
        self.clock = clock or _wall_clock
        self.settings = settings or Settings()
        self.tables = load_tables()
        self.catalog: list[LiveEntry] = list(map(live_entry, self.tables.values()))
        self.accounts: list[Account] = []
        self.generations: dict[str, SimGeneration] = {}
        self.requests: list[RecordedRequest] = []
        self.faults = Faults(sleep)
        self.ids = Ids(self.settings)
        self.access = Access(self.clock, self.settings)
        self.links = Links(self.clock, self.settings, self.ids)
        self.idempotency = Idempotency(self.clock, self.settings)
        self._books = Books(self.clock, self.settings)

    # Accounts

    def add_account(
        self,
        key: str = "rvya_sk_test",
        credits: int = 1000,  # noqa: A002 - the word of the domain
        scopes: Collection[str] = ALL_SCOPES,
        name: str | None = None,
    ) -> Account:
        """Open an account with one key."""
        name = name or f"account-{len(self.accounts) + 1}"
        account = Account(name, credits, self._books.settle_all)
        self.add_key(account, key, scopes)
        self.accounts.append(account)
        return account

    def add_key(
        self, account: Account, key: str, scopes: Collection[str] = ALL_SCOPES
    ) -> ApiKey:
        """Give an account another key, as after a replacement."""
        return self.access.add_key(account, key, scopes)

    def set_key_state(self, key: str, state: KeyState) -> None:
        """Make a key work, or be refused in one of the documented ways."""
        self.access.keys[key].state = state

    @property
    def books(self) -> list[Charge]:
        """Every movement of credits up to now; their sum is what was spent."""
        self._books.settle_all()
        return self._books.lines

    # The catalog

    def models(self) -> dict[str, Any]:
        """Return the live catalog."""
        return {
            "object": "list",
            "data": [self._shown(entry) for entry in self.catalog],
        }

    def model(self, model_id: str) -> LiveEntry:
        """Return one entry of the live catalog, to be read or edited."""
        return next(entry for entry in self.catalog if entry["id"] == model_id)

    def _shown(self, entry: LiveEntry) -> LiveEntry:
        """Return an entry as served; its params may be filled from the table."""
        table = self.tables.get(entry["id"])
        if self.settings.live_params == "empty" or entry["params"] or table is None:
            return entry
        return entry | {"params": live_params(table)}

    # Generations

    def create(
        self, account: Account, body: object, key: str | None = None
    ) -> SimGeneration:
        """Accept, replay (by idempotency key) or refuse one; accepted means charged."""
        self._books.settle_all()
        mark = fingerprint(body)
        early = self.settings.idempotency_order == "before_validation"
        if early and (known := self.idempotency.recall(account, key, mark)):
            return known
        try:
            self.idempotency.check_length(key)
            request = Validator(self.catalog, self.tables, self.settings).validate(body)
            if not early and (known := self.idempotency.recall(account, key, mark)):
                return known
            generation = self._accept(account, request, key)
        except ApiError as refusal:
            self.idempotency.remember_refusal(account, key, mark, refusal)
            raise
        self.idempotency.remember(account, key, mark, generation)
        return generation

    def _accept(
        self, account: Account, request: ValidRequest, key: str | None
    ) -> SimGeneration:
        """Record a generation and take its credits, or refuse it for want of them."""
        generation = SimGeneration(
            task_id=self.ids.new("task"),
            account=account,
            model=request.entry["id"],
            prompt=request.prompt,
            params=request.params,
            client_request_id=request.client_request_id,
            idempotency_key=key,
            reserved_credits=self._price(request),
            created_at=self.clock(),
            items=plan(request.table, request.params, request.prompt),
            clock=self.clock,
            settings=self.settings,
        )
        if generation.reserved_credits > account.balance:
            self._refuse_for_credits(generation)
        self._schedule(generation)
        self.generations[generation.task_id] = generation
        self._books.reserve(generation)
        return generation

    def _price(self, request: ValidRequest) -> int:
        """Return the credits a request costs."""
        if self.settings.price:
            return self.settings.price(request.entry, request.params)
        return int(request.entry["base_credits"])

    def _schedule(self, generation: SimGeneration) -> None:
        """Decide when and how a generation will end by itself."""
        duration, failure = self.settings.duration, self.settings.failure
        seconds = duration(generation) if callable(duration) else duration
        queued = min(self.settings.queue_time, seconds)
        generation.ends_at = generation.created_at + seconds
        generation.queued_until = generation.created_at + queued
        generation.error = failure(generation) if failure else None

    def _refuse_for_credits(self, generation: SimGeneration) -> None:
        """Refuse what cannot be paid; the settings may leave a failed task behind."""
        if self.settings.insufficient_credits_leaves_task:
            generation.reserved_credits = generation.settled_credits = 0
            generation.error = TaskError("insufficient_credits", "Not enough credits.")
            generation.ends_at = generation.created_at
            self.generations[generation.task_id] = generation
        status = self.settings.insufficient_credits_status
        raise ApiError("insufficient_credits", "Not enough credits.", status=status)

    def generation(self, account: Account, task_id: str) -> SimGeneration:
        """Return one of an account's generations, or refuse it."""
        found = self.generations.get(task_id)
        if (
            found is None
            or found.account is not account
            or self.clock() - found.created_at < self.settings.visible_after
        ):
            raise ApiError("not_found", "The generation was not found.")
        self._books.settle(found)
        return found

    def describe(self, generation: SimGeneration, base: str) -> dict[str, Any]:
        """Return a generation as the API shows it now, its results under `base`."""
        status, error = generation.status, generation.error
        links = self.links.of(generation) if status == SUCCEEDED else []
        urls = [base + link.path for link in links]
        answer = {
            "id": generation.task_id,
            "status": status,
            "model": generation.model,
            "reserved_credits": generation.reserved_credits,
            "final_credits": generation.final_credits,
            "created_at": timestamp(generation.created_at),
            "updated_at": timestamp(generation.updated_at),
            "result": {"primary_url": urls[0], "urls": urls} if urls else None,
            "error": error._asdict() if error and status == FAILED else None,
        }
        if self.settings.echo_client_request_id:
            answer["client_request_id"] = generation.client_request_id
        return answer

    # What a test decides, and sees

    def finish(self, task_id: str) -> SimGeneration:
        """End a running generation now, with its results."""
        return self._end(task_id, None)

    def fail(
        self,
        task_id: str,
        code: str = "generation_failed",
        message: str = "The generation failed.",
    ) -> SimGeneration:
        """End a running generation now, without results."""
        return self._end(task_id, TaskError(code, message))

    def hold(self, task_id: str) -> None:
        """Keep a generation from ending until `finish`, `fail` or `release`."""
        self._running(task_id).held = True

    def release(self, task_id: str) -> None:
        """Let a generation end by the clock again, whatever `hold_all` says."""
        self._running(task_id).held = False

    def set_status(self, task_id: str, status: str | None) -> None:
        """Show any status but the two ends, a new one say; None follows the clock."""
        if status in {SUCCEEDED, FAILED}:
            raise ValueError("Use finish() or fail().")
        generation = self._running(task_id)
        generation.forced_status, generation.forced_at = status, self.clock()

    def requests_to(
        self, method: str | None = None, path: str | None = None
    ) -> list[RecordedRequest]:
        """Return the requests to a path and what lies below it, oldest first."""
        return [request for request in self.requests if request.matches(method, path)]

    def _running(self, task_id: str) -> SimGeneration:
        """Return a generation that has not ended."""
        generation = self.generations[task_id]
        if generation.ended_at is not None:
            raise ValueError(f"{task_id} has already {generation.status}.")
        return generation

    def _end(self, task_id: str, error: TaskError | None) -> SimGeneration:
        """End a running generation."""
        generation = self._running(task_id)
        generation.error, generation.ends_at = error, self.clock()
        generation.held, generation.forced_status = False, None
        self._books.settle(generation)
        return generation
