"""Submits generations, follows them and says what became of them.

The one place that decides when something is sent, asked again or given up. Whatever is
paid for is followed by a timer of its own, whether or not an entity listens and whether
or not polling is switched off for the account.
"""

import asyncio
from collections.abc import Callable, Coroutine
from copy import replace
from datetime import datetime, timedelta
from heapq import nsmallest
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import (
    CALLBACK_TYPE,
    Context,
    Event,
    HassJob,
    HomeAssistant,
    callback,
)
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.start import async_at_started
from homeassistant.util import dt as dt_util

from .api import (
    Outcome,
    RivyaAuthError,
    RivyaClient,
    RivyaError,
    RivyaNotFoundError,
    RivyaRateLimitError,
    Task,
    TaskStatus,
)
from .const import DOMAIN, LOGGER
from .errors import (
    is_out_of_reach,
    may_pass,
    translated_for_user,
    without_prompt,
)
from .journal import SAVE_AGAIN, Journal
from .ledger import Generation, GenerationError, Ledger, Status
from .pace import Pace
from .schedule import (
    FIRST_CHECK,
    MAX_INTERVAL,
    MIN_INTERVAL,
    Expectation,
)

CHECKS_PER_CYCLE: Final = 10
"""Generations asked about at once; more wait until MIN_INTERVAL has passed."""

REPLAY_WINDOW: Final = timedelta(minutes=15)
"""How long a submission of unknown outcome is repeated under its own key."""

REPLAY_DELAY: Final = 30.0
"""Seconds after a start before a submission that was cut off is repeated."""

STOP_GRACE: Final = 5.0
"""Seconds that submissions under way get when the account is unloaded."""

NOT_FOUND_GRACE: Final = 60.0
"""Seconds for which the service may not know a task that it has accepted."""

RESULT_GRACE: Final = 60.0
"""Seconds for which a success may have no result yet."""

DEADLINE: Final = 86400.0
"""Seconds that a generation is followed before its end counts as unknown."""


class Generations:
    """The generations of one account."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        client: RivyaClient,
        *,
        concurrency: int,
        on_answer: Callable[[RivyaError | None], None],
        on_change: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        """Prepare; nothing is read or sent.

        Args:
            hass: Home Assistant.
            entry: The account.
            client: Talks to the service.
            concurrency: How many generations may be with the service at once.
            on_answer: Called with None when the service has answered as it should,
                else with what went wrong.
            on_change: Called when the ledger, or an estimate, may have changed.
            on_end: Called when a generation has come to its end.

        """
        self.journal = Journal(hass, entry, self._on_generation_end)
        self._hass = hass
        self._entry = entry
        self._client = client
        self._concurrency = concurrency
        self._on_answer = on_answer
        self._on_change = on_change
        self._on_end = on_end
        self._running = False
        self._key_refused = False
        # All on the event loop's clock, which no change of the time of day moves.
        self._due: dict[str, float] = {}
        self._not_before = 0.0
        self._line_opens = 0.0
        self._timer: CALLBACK_TYPE | None = None
        self._pace = Pace(self._now)
        self._missing: dict[str, float] = {}
        """Since when the service has not known a task."""

        self._resultless: dict[str, float] = {}
        """Since when a generation has succeeded without a result."""

        self._submissions: set[asyncio.Task[RivyaError | None]] = set()

    @property
    def ledger(self) -> Ledger:
        """All generations of the account."""
        return self.journal.ledger

    # Starting and stopping.

    def start(self) -> None:
        """Take up what was pending when Home Assistant stopped."""
        now = self._now()
        for generation in self.journal.resume():
            if generation.status is Status.SUBMITTING:
                # What cut it off may not have ended the first try at the service.
                self._due[generation.generation_id] = now + REPLAY_DELAY
            elif generation.status.is_with_service:
                self._due[generation.generation_id] = now
        # An end that is reported before automations listen would be lost on them.
        self._entry.async_on_unload(async_at_started(self._hass, self._begin))
        self._entry.async_on_unload(
            self._hass.bus.async_listen(
                EVENT_HOMEASSISTANT_FINAL_WRITE, self._async_final_write
            )
        )

    @callback
    def _begin(self, _hass: HomeAssistant) -> None:
        """Follow what is pending, now that Home Assistant has started."""
        self._running = True
        self.journal.report_unreported()
        self._start(self._async_finish_step())

    def key_accepted(self) -> None:
        """Go on, if a refused key was what stopped it."""
        if self._key_refused:
            self._key_refused = False
            self._schedule()

    def answered(self) -> None:
        """Note that the service answers as it should, and takes the key."""
        self.key_accepted()
        self._on_answer(None)

    async def async_stop(self) -> None:
        """Stop following; what is pending stays in the ledger.

        Submissions under way get a moment to end.
        """
        self._running = False
        self._cancel_timer()
        if self._submissions:
            await asyncio.wait(self._submissions, timeout=STOP_GRACE)
        for submission in self._submissions:
            submission.cancel()
        await self.journal.async_close()

    async def _async_final_write(self, _event: Event) -> None:
        """Write what is not written yet: Home Assistant stops without an unload."""
        await self.journal.async_save()

    # What actions ask for.

    async def async_generate(
        self, body: dict[str, Any], category: str | None, context: Context
    ) -> Generation:
        """Write a generation down, submit it and return it as it then stands.

        When the account runs as many as it may, it is put in line instead.

        Raises:
            HomeAssistantError: It could not be written down, or it was refused.

        """
        generation = Generation.new(
            body,
            Status.WAITING if self._room() <= 0 else Status.SUBMITTING,
            dt_util.utcnow(),
            category,
        )
        # A submission goes on even if whoever asked for it goes away.
        submission = self._hass.async_create_background_task(
            self._async_take_on(generation, context), f"{DOMAIN} submit"
        )
        self._submissions.add(submission)
        submission.add_done_callback(self._submissions.discard)
        error = await _outcome(submission)
        generation = self.ledger.generations[generation.generation_id]
        if error is not None and generation.status is Status.FAILED:
            raise translated_for_user(error) from error
        return generation

    async def async_ask(self, generation: Generation) -> Generation:
        """Return a generation as the service sees it now.

        Raises:
            RivyaError: The service could not be asked.

        """
        has_ended = generation.status is Status.FAILED or bool(generation.urls)
        if generation.task_id is None or has_ended:
            return generation
        return await _outcome(
            self._start(self._async_ask(generation, generation.task_id))
        )

    async def async_adopt(self, task_id: str) -> Generation:
        """Take a task into the ledger that this installation did not start.

        Its end is reported if it is still to come.

        Raises:
            RivyaError: The service does not know it or could not be asked.

        """
        return await _outcome(self._start(self._async_adopt(task_id)))

    def diagnostics(self) -> dict[str, Any]:
        """Return how the following of generations stands; times in seconds from now."""
        now = self._now()
        return {
            "key_refused": self._key_refused,
            "failures": self._pace.failures,
            "stretch": self._pace.stretch,
            "has_timer": self._timer is not None,
            "paused_for": max(self._pace.resumes_at - now, 0),
            "line_opens_in": max(self._line_opens - now, 0),
            "due_in": {each: due - now for each, due in self._due.items()},
            "is_unsaved": self.journal.save_at is not None,
        }

    def expectation(self, generation: Generation) -> Expectation:
        """Return how long a generation probably takes."""
        return Expectation.learned(
            self.ledger.durations(generation.model), generation.category
        )

    # Looking things up.

    async def _async_ask(self, generation: Generation, task_id: str) -> Generation:
        """Ask about a generation, and record the answer."""
        try:
            task = await self._async_get(task_id)
        except RivyaNotFoundError:
            if generation.age(dt_util.utcnow()) > NOT_FOUND_GRACE:
                raise
            return generation
        generation = self.ledger.generations[generation.generation_id]
        if (
            generation.status.is_with_service
            or task.status.is_terminal
            or not _is_overdue(generation)
        ):
            self._observe(generation.generation_id, task)
            await self._async_finish_step()
        return self.ledger.generations.get(generation.generation_id, generation)

    async def _async_adopt(self, task_id: str) -> Generation:
        """Ask about a task, and put it into the ledger."""
        task = await self._async_get(task_id)
        if known := self.ledger.by_task(task_id):
            return known
        if self.ledger.pending(Status.SUBMITTING):
            raise ServiceValidationError(
                translation_domain=DOMAIN, translation_key="adopted_too_early"
            )
        now = dt_util.utcnow()
        new = Generation.new(
            {"model": task.model or "unknown"}, Status.UNKNOWN, now, None
        )
        created_at = min(task.created_at or now, now)
        generation = replace(
            new, created_at=created_at, accepted_at=created_at
        ).observed(task, now)
        self.journal.adopt(generation)
        if generation.status.is_with_service:
            self._due_again(generation)
        await self._async_finish_step()
        return generation

    # Submitting.

    async def _async_take_on(
        self, generation: Generation, context: Context
    ) -> RivyaError | None:
        """Write a generation down and submit it; return what went wrong with that."""
        try:
            await self.journal.async_begin(generation, context)
        finally:
            self._on_change()
            self._schedule()
        if generation.status is Status.WAITING:
            return None
        try:
            return await self._async_submit(generation.generation_id, attended=True)
        except Exception:
            self._look_again(generation.generation_id)
            raise

    async def _async_submit(
        self, generation_id: str, *, attended: bool = False
    ) -> RivyaError | None:
        """Send a generation that is on disk as submitting; return what went wrong."""
        generation = self.ledger.generations[generation_id]
        age = dt_util.utcnow() - (generation.submitted_at or generation.created_at)
        error: RivyaError | None = None
        if generation.perhaps_sent and age > REPLAY_WINDOW:
            self.journal.give_up(generation_id, GenerationError(code="outcome_unknown"))
        else:
            try:
                task = await self._client.create_generation(
                    generation.body, idempotency_key=generation.idempotency_key
                )
            except RivyaError as err:
                error = err
                self._submission_failed(generation, err, attended=attended)
            else:
                self.answered()
                self._observe(generation_id, task)
        await self._async_finish_step()
        return error

    def _submission_failed(
        self, generation: Generation, error: RivyaError, *, attended: bool
    ) -> None:
        """Decide what becomes of a generation whose submission went wrong."""
        now = dt_util.utcnow()
        without_prompt(error, generation.prompt)
        reason = GenerationError.from_error(error)
        if error.is_retryable:
            self._pace.slow_down(error)
        if generation.perhaps_sent or error.outcome is Outcome.UNKNOWN:
            if may_pass(error):
                self.journal.record(replace(generation, perhaps_sent=True))
                self._due[generation.generation_id] = self._pace.resumes_at
            else:
                self.journal.give_up(generation.generation_id, reason)
        elif may_pass(error) and (
            not attended or isinstance(error, RivyaRateLimitError)
        ):
            self._line_opens = max(self._line_opens, self._pace.resumes_at)
            self.journal.record(generation.moved(Status.WAITING, now))
        else:
            self.journal.record(generation.moved(Status.FAILED, now, reason))
        if isinstance(error, RivyaAuthError):
            self._stop_for_key(error)

    def _room(self) -> int:
        """Return how many more generations may be with the service.

        None while others are in line: nobody overtakes.
        """
        waiting = len(self.ledger.pending(Status.WAITING))
        return 0 if waiting else self._concurrency - len(self.ledger.pending())

    def _next_in_line(self) -> list[Generation]:
        """Return those in line for whom there is room, in order."""
        waiting = self.ledger.pending(Status.WAITING)
        running = len(self.ledger.pending()) - len(waiting)
        return [
            generation
            for generation in waiting[: max(self._concurrency - running, 0)]
            if generation.generation_id not in self.journal.unwritten
        ]

    async def _async_advance_line(self) -> None:
        """Let those in line go for whom there is room."""
        released = self._next_in_line()
        if await self.journal.async_release(released):
            for generation in released:
                self._start(self._async_check(generation.generation_id))
        else:
            self._line_opens = self._now() + MAX_INTERVAL
        self._schedule()

    # Following.

    def _now(self) -> float:
        """Return the time on the event loop's clock."""
        return self._hass.loop.time()

    @property
    def _open_from(self) -> float:
        """The earliest time at which the service may be asked anything."""
        return max(self._not_before, self._pace.resumes_at)

    @callback
    def _schedule(self) -> None:
        """Set the one timer to when something is due; none when nothing is."""
        self._cancel_timer()
        if not self._running:
            return
        moments: list[float] = []
        if not self._key_refused:
            moments.extend(self._due.values())
            if self._next_in_line():
                moments.append(self._line_opens)
        if moments:
            moments = [max(min(moments), self._open_from)]
        if self.journal.save_at is not None:
            moments.append(self.journal.save_at)
        if not moments:
            return
        self._timer = async_call_later(
            self._hass,
            max(min(moments) - self._now(), 0),
            HassJob(self._on_timer, f"{DOMAIN} poll", cancel_on_shutdown=True),
        )

    @callback
    def _cancel_timer(self) -> None:
        """Stop the timer, if it runs."""
        if self._timer is not None:
            self._timer()
            self._timer = None

    @callback
    def _on_timer(self, _now: datetime) -> None:
        """Start what is due, a bounded number at a time."""
        self._timer = None
        now = self._now()
        if self.journal.save_at is not None and self.journal.save_at <= now:
            self.journal.save_at = now + SAVE_AGAIN
            self._start(self._async_finish_step())
        if not self._key_refused and now >= self._open_from:
            self._start_due(now)
        self._schedule()

    def _start_due(self, now: float) -> None:
        """Start to ask and to submit, as far as it is time."""
        self._not_before = now + MIN_INTERVAL
        first = nsmallest(CHECKS_PER_CYCLE, self._due, key=self._due.__getitem__)
        for generation_id in first:
            if self._due[generation_id] <= now:
                del self._due[generation_id]
                self._start(self._async_check(generation_id))
        if self._line_opens <= now and self._next_in_line():
            self._start(self._async_advance_line())

    def _start[T](self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Let something run on its own until the account is unloaded."""
        return self._entry.async_create_background_task(
            self._hass, work, f"{DOMAIN} poll"
        )

    async def _async_check(self, generation_id: str) -> None:
        """Submit one generation again, or ask about it."""
        generation = self.ledger.generations.get(generation_id)
        if generation is None or not generation.status.is_pending:
            return
        try:
            if generation.task_id is None:
                error = await self._async_submit(generation_id)
            else:
                error = await self._async_poll(generation, generation.task_id)
        except Exception:  # noqa: BLE001 - what is paid for is followed all the same
            LOGGER.exception("A fault of this integration; it will look again")
            self._look_again(generation_id)
            return
        if error is None or not (
            is_out_of_reach(error) or isinstance(error, RivyaRateLimitError)
        ):
            self._pace.recover()
            return
        self._pace.slow_down(error)
        if is_out_of_reach(error):
            self._on_answer(error)
        self._schedule()

    def _look_again(self, generation_id: str) -> None:
        """After an error of our own, look later rather than never."""
        generation = self.ledger.generations[generation_id]
        if generation.status is Status.SUBMITTING:
            self.journal.record(replace(generation, perhaps_sent=True))
        if generation.status.is_pending:
            self._due[generation_id] = self._now() + MAX_INTERVAL
        self._schedule()

    async def _async_poll(
        self, generation: Generation, task_id: str
    ) -> RivyaError | None:
        """Ask about one generation; return why the service did not answer."""
        generation_id = generation.generation_id
        error: RivyaError | None = None
        try:
            task = await self._async_get(task_id)
        except RivyaError as err:
            error = err
            generation = self.ledger.generations.get(generation_id, generation)
            if self._is_lost(generation, err):
                self.journal.give_up(generation_id, GenerationError.from_error(err))
            elif generation.status.is_with_service:
                self._due_again(generation)
        else:
            self._missing.pop(generation_id, None)
            self._observe(generation_id, task)
        await self._async_finish_step()
        return error

    def _is_lost(self, generation: Generation, error: RivyaError) -> bool:
        """Tell whether there is no point in asking about a generation again.

        A service that does not know a task may know it a moment later.
        """
        if error.code != "not_found":
            self._missing.pop(generation.generation_id, None)
            return _is_overdue(generation) and not may_pass(error)
        return self._lasts(self._missing, generation) > NOT_FOUND_GRACE

    def _lasts(self, since: dict[str, float], generation: Generation) -> float:
        """Return for how many seconds something has been so; it is from now on."""
        return self._now() - since.setdefault(generation.generation_id, self._now())

    async def _async_get(self, task_id: str) -> Task:
        """Ask the service about a task; a refused key leads to a new one."""
        try:
            task = await self._client.get_generation(task_id)
        except RivyaAuthError as error:
            self._stop_for_key(error)
            raise
        self.answered()
        return task

    def _stop_for_key(self, error: RivyaAuthError) -> None:
        """Ask the user for another key; everything pending waits for it."""
        self._key_refused = True
        self._schedule()
        self._entry.async_start_reauth(self._hass)
        self._on_answer(error)

    def _due_again(self, generation: Generation) -> None:
        """Set when to ask about a generation next."""
        age = generation.age(dt_util.utcnow())
        interval = self.expectation(generation).interval(age)
        self._due[generation.generation_id] = self._pace.after(interval)

    def _observe(self, generation_id: str, task: Task) -> None:
        """Record what the service says of a generation, and when to ask next."""
        before = self.ledger.generations[generation_id]
        is_new = before.task_id is None
        if self._is_premature(before, task):
            task = replace(task, status=TaskStatus.PROCESSING)
        generation = self.journal.observe(generation_id, task)
        if not generation.status.is_with_service:
            return
        if is_new:
            self._due[generation_id] = self._now() + FIRST_CHECK
        elif _is_overdue(generation):
            self.journal.give_up(generation_id, GenerationError(code="deadline"))
        else:
            self._due_again(generation)

    def _is_premature(self, generation: Generation, task: Task) -> bool:
        """Tell whether a success without a result may still get one."""
        if task.status is not TaskStatus.SUCCEEDED or task.urls:
            return False
        return (
            generation.status.is_pending
            and not _is_overdue(generation)
            and self._lasts(self._resultless, generation) < RESULT_GRACE
        )

    def _on_generation_end(self, generation_id: str) -> None:
        """Stop following a generation."""
        self._due.pop(generation_id, None)
        self._missing.pop(generation_id, None)
        self._resultless.pop(generation_id, None)
        self._on_end()

    async def _async_finish_step(self) -> None:
        """Write down what has changed, show it and go on."""
        await self.journal.async_save()
        self._on_change()
        self._schedule()


def _is_overdue(generation: Generation) -> bool:
    """Tell whether a generation has taken longer than any is followed."""
    return generation.age(dt_util.utcnow()) > DEADLINE


async def _outcome[T](task: asyncio.Task[T]) -> T:
    """Return what came of a task that does not end with whoever waits for it.

    Raises:
        HomeAssistantError: The account was unloaded meanwhile.

    """
    await asyncio.wait({task})
    if task.cancelled():
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="interrupted"
        )
    return task.result()
