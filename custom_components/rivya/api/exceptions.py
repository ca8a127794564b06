"""What can go wrong between this client and Rivya: one closed tree.

No message, ``str`` or ``repr`` of these errors holds a key, a prompt or a body.
"""

from enum import StrEnum
from typing import ClassVar, override


class Outcome(StrEnum):
    """What is known about the effect of a request that did not succeed."""

    NOT_SENT = "not_sent"
    """It never reached the service: nothing happened there."""

    REFUSED = "refused"
    """The service understood it and declined: nothing was started or charged."""

    UNKNOWN = "unknown"
    """It may have been carried out: only the same idempotency key may repeat it."""


class RivyaError(Exception):
    """Any failure of a request to Rivya."""

    default_outcome: ClassVar[Outcome] = Outcome.UNKNOWN
    is_retryable: ClassVar[bool] = False

    def __init__(
        self,
        summary: str,
        *,
        code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        detail: str | None = None,
    ) -> None:
        """Keep the facts of the failure.

        Args:
            summary: Our own words; never the service's, which may quote the prompt.
            code: Rivya's error code (API docs, errors and limits).
            status: The HTTP status.
            request_id: Rivya's ``requestId``, for its support.
            retry_after: Seconds to wait, when the service said so.
            detail: The service's own message, for the user and never for a log.

        """
        super().__init__(summary)
        self.code = code
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        self.detail = detail
        self.outcome = self.default_outcome

    @override
    def __str__(self) -> str:
        """Return the summary with the facts that help to find the cause."""
        facts = [
            f"{name} {value}"
            for name, value in (
                ("HTTP", self.status),
                ("code", self.code),
                ("request", self.request_id),
            )
            if value is not None
        ]
        return f"{self.args[0]} ({', '.join(facts)})" if facts else str(self.args[0])


class RivyaConnectionError(RivyaError):
    """The connection failed after the request may have been sent."""

    is_retryable = True


class RivyaNotSentError(RivyaConnectionError):
    """No connection came about: name, address, TLS or time-out before sending."""

    default_outcome = Outcome.NOT_SENT


class RivyaResponseError(RivyaError):
    """Something answered, but not as Rivya's contract says."""

    is_retryable = True


class RivyaRequestError(RivyaError):
    """The request cannot be right; it was refused here, before it was sent.

    ``reason`` names the rule (one of :class:`RequestProblem`), ``facts`` the
    values a text about it needs.
    """

    default_outcome = Outcome.NOT_SENT

    def __init__(self, reason: RequestProblem, **facts: str) -> None:
        """Keep which rule was broken and by what."""
        super().__init__(f"The request is not valid: {reason}")
        self.reason = reason
        self.facts = facts


class RequestProblem(StrEnum):
    """Why a request was refused before it was sent."""

    CHAT_MODEL = "chat_model"
    INVALID_LIST = "invalid_list"
    INVALID_NUMBER = "invalid_number"
    INVALID_OPTION = "invalid_option"
    INVALID_PROMPT = "invalid_prompt"
    INVALID_REFERENCES = "invalid_references"
    INVALID_TEXT = "invalid_text"
    INVALID_VALUE = "invalid_value"
    MISSING_PARAMETER = "missing_parameter"
    MODEL_NOT_AVAILABLE = "model_not_available"
    NOT_A_WHOLE_NUMBER = "not_a_whole_number"
    OUT_OF_RANGE = "out_of_range"
    PROMPT_REQUIRED = "prompt_required"
    PROMPT_TOO_LONG = "prompt_too_long"
    UNKNOWN_PARAMETER = "unknown_parameter"


class RivyaApiError(RivyaError):
    """An error answer of the service."""

    default_outcome = Outcome.REFUSED


class RivyaAuthError(RivyaApiError):
    """401: the key is missing, invalid, revoked or expired."""


class RivyaScopeError(RivyaApiError):
    """403: the key lacks a scope."""

    scope: str | None = None
    """The scope: as the service named it, else the one the request needs by name."""


class RivyaNotFoundError(RivyaApiError):
    """404: unknown here, or owned by another account."""


class RivyaConflictError(RivyaApiError):
    """409: the idempotency key is taken. Never to be retried."""


class RivyaValidationError(RivyaApiError):
    """400: body, model, prompt or parameters are not valid."""


class RivyaCreditsError(RivyaApiError):
    """``insufficient_credits``, whatever its HTTP status."""


class RivyaRateLimitError(RivyaApiError):
    """429: too many requests in the current window."""

    is_retryable = True


class RivyaDisabledError(RivyaApiError):
    """``public_api_disabled``: the service has switched its API off for now."""

    is_retryable = True


class RivyaServerError(RivyaApiError):
    """5xx or 408: the service failed, perhaps after it had done the work."""

    default_outcome = Outcome.UNKNOWN
    is_retryable = True


_BY_CODE: dict[str, type[RivyaApiError]] = {
    "insufficient_credits": RivyaCreditsError,
    "public_api_disabled": RivyaDisabledError,
    "rate_limited": RivyaRateLimitError,
}
_BY_STATUS: dict[int, type[RivyaApiError]] = {
    400: RivyaValidationError,
    401: RivyaAuthError,
    402: RivyaCreditsError,
    403: RivyaScopeError,
    404: RivyaNotFoundError,
    409: RivyaConflictError,
    429: RivyaRateLimitError,
}


def api_error_class(status: int, code: str | None) -> type[RivyaApiError]:
    """Return the class for an error answer: by code where it decides, else by status.

    Source: API docs, errors and limits; new codes may appear at any time.
    """
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status >= 500 or status == 408:  # noqa: PLR2004 - a gateway's time-out is no refusal
        return RivyaServerError
    return _BY_STATUS.get(status, RivyaApiError)
