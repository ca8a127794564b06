"""What went wrong, in the user's language: what happened, what it cost, what to do."""

from typing import Final

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .api import (
    Outcome,
    RivyaAuthError,
    RivyaConflictError,
    RivyaConnectionError,
    RivyaCreditsError,
    RivyaDisabledError,
    RivyaError,
    RivyaNotFoundError,
    RivyaNotSentError,
    RivyaRateLimitError,
    RivyaRequestError,
    RivyaResponseError,
    RivyaScopeError,
    RivyaServerError,
    RivyaValidationError,
)
from .const import DOMAIN

_KEYS: Final[dict[type[RivyaError], str]] = {
    RivyaAuthError: "auth_failed",
    RivyaConflictError: "idempotency_conflict",
    RivyaConnectionError: "no_answer",
    RivyaCreditsError: "insufficient_credits",
    RivyaDisabledError: "api_disabled",
    RivyaNotFoundError: "not_found",
    RivyaNotSentError: "cannot_connect",
    RivyaRateLimitError: "rate_limited",
    RivyaResponseError: "unexpected_answer",
    RivyaScopeError: "scope_missing",
    RivyaServerError: "server_error",
    RivyaValidationError: "refused",
}


def translation_key(error: RivyaError) -> str:
    """Return the key of the text for an error."""
    if isinstance(error, RivyaRequestError):
        far = error.facts.get("nearest") == ""
        return f"{error.reason}_far" if far else error.reason
    return next((_KEYS[cls] for cls in type(error).__mro__ if cls in _KEYS), "refused")


def translated[E: HomeAssistantError](error: RivyaError, cls: type[E]) -> E:
    """Return an exception of Home Assistant's that tells what the client met.

    It may be logged, so it does not hold the service's own words.
    """
    return _translated(error, cls, placeholders(error) | {"message": "-"})


def may_pass(error: RivyaError) -> bool:
    """Tell whether the same request may succeed later; with another key, perhaps."""
    return error.is_retryable or isinstance(error, RivyaAuthError)


def is_out_of_reach(error: RivyaError) -> bool:
    """Tell whether the service does not answer us at all, rather than decline."""
    return isinstance(
        error,
        RivyaAuthError
        | RivyaConnectionError
        | RivyaDisabledError
        | RivyaResponseError
        | RivyaServerError,
    )


def translated_for_user(error: RivyaError) -> HomeAssistantError:
    """Return the exception for whoever called an action: their mistake, or not."""
    mistakes = RivyaNotFoundError | RivyaRequestError | RivyaValidationError
    cls = ServiceValidationError if isinstance(error, mistakes) else HomeAssistantError
    return _translated(error, cls, placeholders(error))


def _translated[E: HomeAssistantError](
    error: RivyaError, cls: type[E], facts: dict[str, str]
) -> E:
    """Return an exception with the text for an error."""
    return cls(
        translation_domain=DOMAIN,
        translation_key=translation_key(error),
        translation_placeholders=facts,
    )


def without_prompt(error: RivyaError, prompt: str | None) -> None:
    """Take the prompt out of the service's words, which may be logged with an error."""
    if error.detail and prompt:
        error.detail = error.detail.replace(prompt.strip(), "…")


def placeholders(error: RivyaError) -> dict[str, str]:
    """Return what the texts may mention of an error."""
    if isinstance(error, RivyaRequestError):
        return error.facts
    return {
        "code": error.code or str(error.status or Outcome.UNKNOWN),
        "message": (error.detail or "-").rstrip("."),
        "request_id": error.request_id or "-",
        "scope": (isinstance(error, RivyaScopeError) and error.scope) or "-",
    }
