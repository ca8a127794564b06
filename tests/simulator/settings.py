"""What the contract leaves open, and what a test wants to vary: one dataclass."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from .records import SimGeneration, TaskError

DAY = 24 * 60 * 60.0


@dataclass(kw_only=True)
class Settings:
    """Behaviour of one simulator; every field may be changed while it runs."""

    # Time

    duration: float | Callable[[SimGeneration], float] = 60.0
    """Seconds from acceptance to the end. The contract names no times."""
    queue_time: float = 5.0
    """Seconds as `queued` before `processing`; the contract names none either."""
    hold_all: bool = False
    """No generation ends by itself; `finish` and `fail` still end one."""
    visible_after: float = 0.0
    """Seconds a new task answers `not_found`; read-after-write is not promised."""
    failure: Callable[[SimGeneration], TaskError | None] | None = None
    """Asked at acceptance: the error it will end with, or None for success."""

    # Answers

    public_api_enabled: bool = True
    """False answers everything with `public_api_disabled`."""
    create_status: int = 200
    """HTTP status of an accepted generation; success codes are not documented."""
    read_status: int = 200
    """HTTP status of every other success; not documented either."""
    echo_client_request_id: bool = False
    """Whether answers carry `client_request_id`; absent from all examples."""
    live_params: Literal["empty", "table"] = "empty"
    """`params` in `GET /models`: empty as in the example, or as the pages' tables."""

    # Validation

    unknown_fields: Literal["reject", "ignore"] = "reject"
    """Unknown top-level fields of a body. Only `files` is documented as refused."""
    unknown_params: Literal["reject", "ignore"] = "reject"
    """Keys outside a model's table: refused or dropped, which is not documented."""
    coerce_params: bool = False
    """Accept 5 or true for "5" or "true", and "6" for 6. Coercion is not documented."""
    enforce_step: bool = False
    """Whether a number must lie on its `step`."""
    unknown_model: Literal["validation_failed", "not_found"] = "validation_failed"
    """Code for a model that does not exist; both codes are listed for create."""
    prompt_unit: Literal["code_points", "utf16", "utf8"] = "code_points"
    """What a prompt limit counts; the unit is not stated."""
    client_request_id_limit: int | None = 128
    """Longest `client_request_id`; 128 is documented for files only."""

    # Credits

    price: Callable[[dict[str, Any], dict[str, Any]], int] | None = None
    """Credits to reserve, from (entry, params); None: `base_credits`. How params change
    a price is not documented."""
    final_price: Callable[[SimGeneration], int] | None = None
    """Credits kept at a good end; None: as reserved. Metered models may differ."""
    refund_on_failure: bool = True
    """Whether a failed generation gives its credits back; there is no guarantee."""
    refund_delay: float = 0.0
    """Seconds between a failure and its refund; the timing is not documented."""
    insufficient_credits_status: int = 402
    """HTTP status of `insufficient_credits`; not documented."""
    insufficient_credits_leaves_task: bool = False
    """Whether a create without enough credits also records a failed, free task."""

    # Idempotency

    idempotency_order: Literal["before_validation", "after_validation"] = (
        "before_validation"
    )
    """A changed, invalid body under an old key answers 409 (before) or 400 (after)."""
    idempotency_retention: float | None = DAY
    """Seconds a key is remembered, None for ever. Afterwards it buys again."""
    idempotency_replay: Literal["current", "first"] = "current"
    """A replay answers the generation as it is now, or the first answer once more."""
    idempotency_running: Literal["replay", "conflict"] = "replay"
    """A replay while the first call is still unanswered: its generation, or 409."""
    idempotency_keeps_refusals: bool = False
    """Whether a refused create binds its key too, so that a replay is refused alike."""
    idempotency_key_limit: int | None = 255
    """Longest `Idempotency-Key`; not documented."""

    # Rate limit

    rate_limit: int | None = None
    """Requests with a key per window, None for no limit. Numbers are not documented."""
    rate_window: float = 60.0
    """Length of the current window in seconds."""
    rate_limit_per: Literal["key", "account"] = "key"
    """Whose requests are counted together."""
    retry_after_header: Literal["seconds", "date"] | None = None
    """Form of `Retry-After` on a 429 of the limit; whether there is one is open."""

    # Results

    media_base: str | None = None
    """Where result links point; None: where the request came to. Not documented."""
    url_lifetime: float | None = None
    """Seconds until a result link expires, None for never; not documented."""
    links: Literal["stable", "fresh"] = "stable"
    """Whether a status answer repeats links still valid, or has new ones each time."""
    expired_status: int = 403
    """HTTP status of an expired link; not documented."""
    cached_media: int = 32
    """Encoded results kept in memory."""

    # Determinism

    seed: int | str | None = None
    """Same seed, same ids, tokens and request ids in the same order. None: random."""
