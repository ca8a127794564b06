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
    """Return an exception of Home Assistant's that tells what the client met."""
    return cls(
        translation_domain=DOMAIN,
        translation_key=translation_key(error),
        translation_placeholders=placeholders(error),
    )


def translated_for_user(error: RivyaError) -> HomeAssistantError:
    """Return the exception for whoever called an action: their mistake, or not."""
    if isinstance(error, RivyaRequestError | RivyaValidationError | RivyaNotFoundError):
        return translated(error, ServiceValidationError)
    return translated(error, HomeAssistantError)


def placeholders(error: RivyaError) -> dict[str, str]:
    """Return what the texts may mention of an error."""
    if isinstance(error, RivyaRequestError):
        return error.facts
    return {
        "code": error.code or str(error.status or Outcome.UNKNOWN),
        "message": (error.detail or "-").rstrip("."),
        "request_id": error.request_id or "-",
        "scope": missing_scope(error),
    }


def missing_scope(error: RivyaError) -> str:
    """Return the scope a refused key lacks, where the service names it."""
    words = (error.detail or "").replace("`", " ").replace('"', " ").split()
    return next((word.strip(".,;'()") for word in words if ":" in word[1:-1]), "-")
