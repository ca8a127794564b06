"""A client of Rivya's Public API v1 that knows nothing of Home Assistant."""

from .catalog import Availability, Catalog, Model, Upload
from .client import DEFAULT_BASE_URL, RivyaClient
from .exceptions import (
    Outcome,
    RequestProblem,
    RivyaApiError,
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
from .models import Task, TaskError, TaskStatus
from .parameters import Parameter
from .requests import REFERENCES, prepare_request
from .retry import RetryPolicy

__all__ = [
    "DEFAULT_BASE_URL",
    "REFERENCES",
    "Availability",
    "Catalog",
    "Model",
    "Outcome",
    "Parameter",
    "RequestProblem",
    "RetryPolicy",
    "RivyaApiError",
    "RivyaAuthError",
    "RivyaClient",
    "RivyaConflictError",
    "RivyaConnectionError",
    "RivyaCreditsError",
    "RivyaDisabledError",
    "RivyaError",
    "RivyaNotFoundError",
    "RivyaNotSentError",
    "RivyaRateLimitError",
    "RivyaRequestError",
    "RivyaResponseError",
    "RivyaScopeError",
    "RivyaServerError",
    "RivyaValidationError",
    "Task",
    "TaskError",
    "TaskStatus",
    "Upload",
    "prepare_request",
]
