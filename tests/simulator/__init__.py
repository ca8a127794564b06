"""Rivya Public API v1 as an aiohttp application, written from the contract alone."""

from .app import create_app
from .errors import ApiError
from .faults import Fault, FaultKind, Faults
from .records import (
    ALL_SCOPES,
    Account,
    ApiKey,
    Charge,
    Link,
    RecordedRequest,
    SimGeneration,
    TaskError,
)
from .results import ResultItem
from .settings import Settings
from .state import Simulator

__all__ = [
    "ALL_SCOPES",
    "Account",
    "ApiError",
    "ApiKey",
    "Charge",
    "Fault",
    "FaultKind",
    "Faults",
    "Link",
    "RecordedRequest",
    "ResultItem",
    "Settings",
    "SimGeneration",
    "Simulator",
    "TaskError",
    "create_app",
]
