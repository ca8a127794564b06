"""The errors: one closed tree that tells what happened and no secret."""

import inspect

import pytest

from custom_components.rivya import api
from custom_components.rivya.api import (
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
    catalog,
    client,
    exceptions,
    models,
    parameters,
    requests,
    retry,
)
from custom_components.rivya.api.exceptions import api_error_class

MODULES = (api, catalog, client, exceptions, models, parameters, requests, retry)


def test_the_tree_of_exceptions_is_closed() -> None:
    classes = {
        value
        for module in MODULES
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, BaseException)
        and value.__module__.startswith(api.__name__)
    }
    assert classes >= {RivyaError, RivyaApiError, RivyaRequestError}
    assert all(issubclass(cls, RivyaError) for cls in classes)


def test_every_exception_is_exported() -> None:
    classes = {
        name
        for name, value in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(value, RivyaError)
    }
    assert classes <= set(api.__all__)


@pytest.mark.parametrize(
    ("cls", "outcome", "is_retryable"),
    [
        (RivyaError, Outcome.UNKNOWN, False),
        (RivyaConnectionError, Outcome.UNKNOWN, True),
        (RivyaNotSentError, Outcome.NOT_SENT, True),
        (RivyaResponseError, Outcome.UNKNOWN, True),
        (RivyaApiError, Outcome.REFUSED, False),
        (RivyaAuthError, Outcome.REFUSED, False),
        (RivyaScopeError, Outcome.REFUSED, False),
        (RivyaNotFoundError, Outcome.REFUSED, False),
        (RivyaConflictError, Outcome.REFUSED, False),
        (RivyaValidationError, Outcome.REFUSED, False),
        (RivyaCreditsError, Outcome.REFUSED, False),
        (RivyaRateLimitError, Outcome.REFUSED, True),
        (RivyaDisabledError, Outcome.REFUSED, True),
        (RivyaServerError, Outcome.UNKNOWN, True),
    ],
)
def test_each_class_knows_its_outcome_and_whether_to_try_again(
    cls: type[RivyaError], outcome: Outcome, is_retryable: bool
) -> None:
    error = cls("It went wrong")
    assert (error.outcome, error.is_retryable) == (outcome, is_retryable)


@pytest.mark.parametrize(
    ("status", "code", "cls"),
    [
        (400, None, RivyaValidationError),
        (401, None, RivyaAuthError),
        (402, None, RivyaCreditsError),
        (403, None, RivyaScopeError),
        (404, None, RivyaNotFoundError),
        (408, None, RivyaServerError),
        (409, None, RivyaConflictError),
        (418, None, RivyaApiError),
        (422, "brand_new", RivyaApiError),
        (429, None, RivyaRateLimitError),
        (500, None, RivyaServerError),
        (503, None, RivyaServerError),
        (599, "brand_new", RivyaServerError),
        (999, None, RivyaServerError),
        (400, "brand_new", RivyaValidationError),
        (403, "insufficient_credits", RivyaCreditsError),
        (500, "insufficient_credits", RivyaCreditsError),
        (503, "public_api_disabled", RivyaDisabledError),
        (503, "rate_limited", RivyaRateLimitError),
    ],
)
def test_the_code_decides_where_it_is_known_and_else_the_status(
    status: int, code: str | None, cls: type[RivyaApiError]
) -> None:
    assert api_error_class(status, code) is cls


def test_an_error_tells_the_facts_that_help() -> None:
    error = RivyaServerError("Rivya failed", status=502, code="oops", request_id="r1")
    assert str(error) == "Rivya failed (HTTP 502, code oops, request r1)"
    assert (
        str(RivyaServerError("Rivya failed", status=502)) == "Rivya failed (HTTP 502)"
    )
    assert str(RivyaConnectionError("Nobody there")) == "Nobody there"


def test_the_words_of_the_service_stay_out_of_text_and_repr() -> None:
    error = RivyaValidationError("Refused", status=400, detail="your prompt: kittens")
    assert error.detail == "your prompt: kittens"
    assert "kittens" not in f"{error} {error!r} {error.args}"


def test_a_refused_request_names_the_rule_and_keeps_the_facts_to_itself() -> None:
    error = RivyaRequestError(
        RequestProblem.INVALID_OPTION, parameter="size", value="kittens"
    )
    assert str(error) == "The request is not valid: invalid_option"
    assert error.facts == {"parameter": "size", "value": "kittens"}
    assert error.outcome is Outcome.NOT_SENT
    assert not error.is_retryable
    assert "kittens" not in repr(error)
