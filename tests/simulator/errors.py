"""The errors of the contract as one exception, with their documented HTTP statuses."""

from collections.abc import Mapping
from typing import Any

STATUSES = {
    "public_api_disabled": 503,
    "api_key_missing": 401,
    "api_key_invalid": 401,
    "api_key_revoked": 401,
    "api_key_expired": 401,
    "api_scope_denied": 403,
    "rate_limited": 429,
    "validation_failed": 400,
    "not_found": 404,
    "idempotency_conflict": 409,
}
"""Code to HTTP status; `insufficient_credits` has none and is a setting."""


class ApiError(Exception):
    """A refusal: what the client reads in the error body."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Refuse with a code; the status follows from it unless given."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or STATUSES[code]
        self.headers = dict(headers or {})


def invalid(message: str) -> ApiError:
    """Return the refusal of a body."""
    return ApiError("validation_failed", message)


def error_body(code: str, message: str, request_id: str) -> dict[str, Any]:
    """Return the error body as the contract shows it."""
    return {"error": {"code": code, "message": message, "requestId": request_id}}
